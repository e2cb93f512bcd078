"""The truth about the log: what a replay of the chosen entries makes of it, in slot order.

Rules that hold here:
- This is written anew, and shares nothing with the core's state machine: the two must come to the same.
- E5: an entry takes effect iff the number that it follows is its author's last number in effect.
- An entry that takes effect changes at most one line of the block table.
- M1: who votes at slot s is what the replay through s - w says. M3: a change that an earlier one has not taken effect
  at, or whose store the log has named before, is void, and takes its number. M6: a readmission puts its site's last
  number at the second multiple of a million above it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.core.entry import Entry, Kind
from engine.core.ids import SiteId, Slot, StoreId

Pair = tuple[SiteId, SiteId]

Lives = dict[SiteId, StoreId | None]
"""Who votes, each with which store; None: the one that D5 admitted."""

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Applied:
    """What the entry of a slot did. `table`: the pair that it changed, and since when it stands, None: no longer.
    `numbered`: it took its number, though it is void. `taken`: another last number in effect that it set, and whose.
    `change`: it changed who votes."""

    entry: Entry
    void: bool
    shown: bool
    table: tuple[Pair, Slot | None] | None
    numbered: bool = False
    taken: tuple[SiteId, int] | None = None
    change: bool = False


class Replay:
    def __init__(self, names: Iterable[SiteId], lag: int) -> None:
        self.lists: list[tuple[Slot, Lives]] = [(Slot(1), dict.fromkeys(names))]
        """From which slot on who votes; the newest last."""
        self._lag = lag
        self.admitted: dict[StoreId, Slot] = {}
        """The stores that the log names, and from which slot on each votes."""
        self.applied: list[Applied] = []  # slot 1 first
        self._last: dict[SiteId, int] = {}
        self._blocks: dict[Pair, Slot] = {}

    @property
    def next(self) -> Slot:
        return Slot(len(self.applied) + 1)

    def lives(self, slot: Slot) -> Lives | None:
        """Who votes at a slot; None where nobody can know yet (M2)."""
        number = self.list_number(slot)
        return None if number is None else self.lists[number][1]

    def list_number(self, slot: Slot) -> int | None:
        """Which of the lists holds there; None where nobody can know yet."""
        if slot > len(self.applied) + self._lag:
            return None
        number = len(self.lists) - 1
        while self.lists[number][0] > slot:
            number -= 1
        return number

    def votes(self, slot: Slot, site: SiteId, life: StoreId) -> bool:
        """Whether a store is the one that votes there."""
        lives = self.lives(slot)
        if lives is None or site not in lives:
            return False
        return life not in self.admitted if lives[site] is None else lives[site] == life

    def apply(self, entry: Entry) -> Applied:
        """The entry of the next slot."""
        applied = self._applied(self.next, entry)
        self.applied.append(applied)
        return applied

    def _applied(self, slot: Slot, entry: Entry) -> Applied:
        author = entry.author
        if author is None:
            return Applied(entry, void=False, shown=False, table=None)
        if self._last.get(author, 0) != entry.follows or entry.number <= entry.follows:
            return Applied(entry, void=True, shown=False, table=None)
        self._last[author] = entry.number
        kind, _, argument = entry.body.split(" ", 2)
        if kind == Kind.READMIT:
            return self._readmit(slot, entry, *argument.split(" "))
        pair = (author, SiteId(argument))
        table: tuple[Pair, Slot | None] | None = None
        if kind == Kind.BLOCK and pair not in self._blocks and author != argument:
            self._blocks[pair] = slot
            table = (pair, slot)
        elif kind == Kind.UNBLOCK and self._blocks.pop(pair, None) is not None:
            table = (pair, None)
        return Applied(entry, void=False, shown=kind == Kind.TWEET, table=table)

    def _readmit(self, slot: Slot, entry: Entry, name: str, store: str) -> Applied:
        site, life = SiteId(name), StoreId(store)
        since, lives = self.lists[-1]
        if slot < since or site not in lives or life in self.admitted:
            return Applied(entry, void=True, shown=False, table=None, numbered=True)
        self.lists.append((Slot(slot + self._lag), lives | {site: life}))
        self.admitted[life] = Slot(slot + self._lag)
        last = self._last.get(site, 0)
        self._last[site] = last - last % MILLION + 2 * MILLION
        return Applied(entry, void=False, shown=False, table=None, taken=(site, self._last[site]), change=True)
