"""The chains: what a leader has taken of each author's events and has not seen settled yet (L3).

Rules that hold here:
- E3, E5: an author's entries are taken in the order of their chain, each once at a time. One that comes again is
  dropped; one that came before what it follows waits for that, boundedly. What is dropped, its author hands on again.
- What a leader found in flight when it took over is part of the chain: it is not proposed a second time.
- Where nothing of an author is pending, the log alone tells its chain.
"""

from __future__ import annotations

from collections.abc import Callable
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

    def found(self, entry: Entry) -> None:
        """A new leader tells of each entry above its prefix, learned or in flight, in the order of their slots and
        before it takes any: so an author's chain goes on after them."""
        author = entry.author
        if author is None:
            return
        if entry.follows == self.tail(author):
            self._tails[author] = entry.number
        self._pending[author] = self._pending.get(author, 0) + 1

    def take(self, entry: Entry) -> list[Entry]:
        """The entries to propose now that this one is handed on: none, or it and those that waited for it."""
        author = entry.author
        assert author is not None
        tail = self.tail(author)
        early = self._early.setdefault(author, {})
        if entry.follows != tail:
            if entry.follows > tail and len(early) < EARLY_MAX:
                early[entry.follows] = entry
            return []
        taken: list[Entry] = []
        following: Entry | None = entry
        while following is not None:
            taken.append(following)
            following = early.pop(following.number, None)
        self._tails[author] = taken[-1].number
        self._pending[author] = self._pending.get(author, 0) + len(taken)
        return taken

    def applied(self, entry: Entry) -> None:
        """An entry of the log was applied, in effect or void."""
        author = entry.author
        if author is None or author not in self._pending:
            return
        self._pending[author] -= 1
        if self._pending[author] == 0:
            del self._pending[author]
            self._tails.pop(author, None)
            self._early.pop(author, None)

    def lost(self, entry: Entry) -> None:
        """An entry lost its slot to another. If it is in effect nowhere else, what follows it is void: the chain goes
        on where this one began, and need not wait until all that is in flight has come to nothing."""
        author = entry.author
        if author is not None and self._last_in_effect(author) <= entry.follows < self.tail(author):
            self._tails[author] = entry.follows
        self.applied(entry)
