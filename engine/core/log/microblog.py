"""The state machine: which entries take effect, the block table, which tweets are shown.

Rules that hold here:
- R2: entries are applied in slot order, from the contiguous learned prefix alone.
- E5: an entry takes effect iff the number that it follows is its author's last number in effect; else it is void and
  changes nothing. A withdrawal takes its number and does nothing more.
- Blocking twice or unblocking the unblocked takes effect and changes nothing.
"""

from __future__ import annotations

from typing import assert_never

from engine.core.entry import Block, Entry, Tweet, Unblock, Withdrawal, decode
from engine.core.ids import SiteId, Slot
from engine.core.storage import WriteBlock
from engine.core.value import Value


class Applied(Value):
    """What an entry did: `void` (E5), `shown` (a tweet in effect), `table` (the change of the block table)."""

    void: bool
    shown: bool
    table: WriteBlock | None


_NOTHING = Applied(void=False, shown=False, table=None)
_VOID = Applied(void=True, shown=False, table=None)
_SHOWN = Applied(void=False, shown=True, table=None)


class Microblog:
    def __init__(self, blocks: dict[tuple[SiteId, SiteId], Slot], last_in_effect: dict[SiteId, int]) -> None:
        self.blocks = blocks
        self._last_in_effect = last_in_effect

    def last_in_effect(self, author: SiteId) -> int:
        """The author's last number in effect, 0 before the first."""
        return self._last_in_effect.get(author, 0)

    def apply(self, slot: Slot, entry: Entry) -> Applied:
        if entry.author is None:
            return _NOTHING
        if entry.follows != self.last_in_effect(entry.author) or entry.number <= entry.follows:
            return _VOID
        self._last_in_effect[entry.author] = entry.number
        operation = decode(entry.body).operation
        match operation:
            case Tweet():
                return _SHOWN
            case Block(target):
                return self._block(slot, entry.author, target)
            case Unblock(target):
                return self._unblock(entry.author, target)
            case Withdrawal():
                return _NOTHING
            case _:
                assert_never(operation)

    def _block(self, slot: Slot, blocker: SiteId, blocked: SiteId) -> Applied:
        if (blocker, blocked) in self.blocks or blocker == blocked:
            return _NOTHING
        self.blocks[blocker, blocked] = slot
        return Applied(void=False, shown=False, table=WriteBlock(blocker, blocked, slot))

    def _unblock(self, blocker: SiteId, blocked: SiteId) -> Applied:
        if self.blocks.pop((blocker, blocked), None) is None:
            return _NOTHING
        return Applied(void=False, shown=False, table=WriteBlock(blocker, blocked, None))
