"""The state machine: which entries take effect, the block table, which tweets are shown.

Rules that hold here:
- R2: entries are applied in slot order, from the contiguous learned prefix alone.
- E5: an entry takes effect iff the number that it follows is its author's last number in effect; else it is void and
  changes nothing. A withdrawal takes its number and does nothing more.
- Blocking twice or unblocking the unblocked takes effect and changes nothing.
"""

from __future__ import annotations

from typing import Final

from engine.core.entry import Block, Entry, Kind, Unblock, decode
from engine.core.ids import SiteId, Slot
from engine.core.run import Run
from engine.core.storage import WriteBlock
from engine.core.value import Value

_TWEET: Final = f"{Kind.TWEET} "


class Applied(Value):
    """What a run did: the slots whose entries are void (E5), the authors of the tweets that are shown, each author's
    last number in effect, and the changes of the block table."""

    void: tuple[Slot, ...]
    shown: tuple[SiteId, ...]
    numbers: dict[SiteId, int]
    table: tuple[WriteBlock, ...]


class Microblog:
    def __init__(self, blocks: dict[tuple[SiteId, SiteId], Slot], last_in_effect: dict[SiteId, int]) -> None:
        self.blocks = blocks
        self._last_in_effect = last_in_effect

    def last_in_effect(self, author: SiteId) -> int:
        """The author's last number in effect, 0 before the first."""
        return self._last_in_effect.get(author, 0)

    def apply(self, run: Run) -> Applied:
        """The slots right after those that were applied before."""
        void: list[Slot] = []
        shown: list[SiteId] = []
        numbers: dict[SiteId, int] = {}
        table: list[WriteBlock] = []
        known = self._last_in_effect
        for slot, entry in run:
            author = entry.author
            if author is None:
                continue
            if entry.follows != known.get(author, 0) or entry.number <= entry.follows:
                void.append(slot)
                continue
            known[author] = numbers[author] = entry.number
            if entry.body.startswith(_TWEET):
                shown.append(author)
            else:
                table += self._changes(slot, author, entry)
        return Applied(tuple(void), tuple(shown), numbers, tuple(table))

    def _changes(self, slot: Slot, author: SiteId, entry: Entry) -> list[WriteBlock]:
        match decode(entry.body).operation:
            case Block(target) if (author, target) not in self.blocks and author != target:
                self.blocks[author, target] = slot
                return [WriteBlock(author, target, slot)]
            case Unblock(target) if self.blocks.pop((author, target), None) is not None:
                return [WriteBlock(author, target, None)]
            case _:
                return []
