"""The chains: what a leader has taken of each author's events and has not seen settled yet (L3).

Rules that hold here:
- E3, E5: an author's entries are taken in the order of their chain, each once at a time. One that comes again is
  dropped; one that came before what it follows waits for that, boundedly. What is dropped, its author hands on again.
- What a leader found in flight when it took over is part of the chain: it is not proposed a second time.
- Where nothing of an author is pending, the log alone tells its chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from engine.core.entry import Entry
from engine.core.ids import SiteId

EARLY_MAX: Final = 8_192
"""How many entries of one author may wait for what they follow."""


class Chains:
    """`last_in_effect(author)` is the author's last number in effect in this site's prefix, 0 before the first."""

    def __init__(self, last_in_effect: Callable[[SiteId], int]) -> None:
        self._last_in_effect = last_in_effect
        self._tails: dict[SiteId, int] = {}  # the number of the last one taken
        self._pending: dict[SiteId, int] = {}  # how many entries in the log to come are neither applied nor lost
        self._early: dict[SiteId, dict[int, Entry]] = {}  # by the number that they follow

    def tail(self, author: SiteId) -> int:
        """The number that the author's next entry must follow, to be taken."""
        tail = self._tails.get(author)
        return self._last_in_effect(author) if tail is None else tail

    def found(self, entries: Iterable[Entry]) -> None:
        """A new leader tells of all above its prefix, learned or in flight, in the order of their slots and before it
        takes any: so an author's chain goes on after them."""
        for entry in entries:
            author = entry.author
            if author is None:
                continue
            if entry.follows == self.tail(author):
                self._tails[author] = entry.number
            self._pending[author] = self._pending.get(author, 0) + 1

    def take(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries of one author to propose now that these are handed on: of them, and of those that waited."""
        author = entries[0].author
        assert author is not None
        tail = self.tail(author)
        early = self._early.setdefault(author, {})
        taken: list[Entry] = []
        for entry in entries:
            if entry.follows > tail:
                if len(early) < EARLY_MAX:
                    early[entry.follows] = entry
            elif entry.follows == tail:
                taken.append(entry)
                tail = entry.number
                while early and (following := early.pop(tail, None)) is not None:
                    taken.append(following)
                    tail = following.number
        if taken:
            self._tails[author] = tail
            self._pending[author] = self._pending.get(author, 0) + len(taken)
        return taken

    def applied(self, entries: Iterable[Entry]) -> None:
        """Entries of the log were applied, in effect or void."""
        for author, count in Counter([entry.author for entry in entries]).items():
            if author is None or author not in self._pending:
                continue
            self._pending[author] -= count
            if self._pending[author] <= 0:
                del self._pending[author]
                self._tails.pop(author, None)
                self._early.pop(author, None)

    def lost(self, entry: Entry) -> None:
        """An entry lost its slot to another. If it is in effect nowhere else, what follows it is void: the chain goes
        on where this one began, and need not wait until all that is in flight has come to nothing."""
        author = entry.author
        if author is not None and self._last_in_effect(author) <= entry.follows < self.tail(author):
            self._tails[author] = entry.follows
        self.applied((entry,))
