"""The truth about the log: what a replay of the chosen entries makes of it, in slot order.

Rules that hold here:
- This is written anew, and shares nothing with the core's state machine: the two must come to the same.
- E5: an entry takes effect iff the number that it follows is its author's last number in effect.
- An entry that takes effect changes at most one line of the block table.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.entry import Entry, Kind
from engine.core.ids import SiteId, Slot

Pair = tuple[SiteId, SiteId]


@dataclass(frozen=True, slots=True)
class Applied:
    """What the entry of a slot did. `table`: the pair that it changed, and since when it stands, None: no longer."""

    entry: Entry
    void: bool
    shown: bool
    table: tuple[Pair, Slot | None] | None


class Replay:
    def __init__(self) -> None:
        self.applied: list[Applied] = []  # slot 1 first
        self._last: dict[SiteId, int] = {}
        self._blocks: dict[Pair, Slot] = {}

    @property
    def next(self) -> Slot:
        return Slot(len(self.applied) + 1)

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
        pair = (author, SiteId(argument))
        table: tuple[Pair, Slot | None] | None = None
        if kind == Kind.BLOCK and pair not in self._blocks and author != argument:
            self._blocks[pair] = slot
            table = (pair, slot)
        elif kind == Kind.UNBLOCK and self._blocks.pop(pair, None) is not None:
            table = (pair, None)
        return Applied(entry, void=False, shown=kind == Kind.TWEET, table=table)
