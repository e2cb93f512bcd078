"""The state machine: which entries take effect, the block table, which tweets are shown.

Rules that hold here:
- R2: entries are applied in slot order, from the contiguous learned prefix alone.
- E5: an entry takes effect iff the number that it follows is its author's last number in effect; else it is void and
  changes nothing. A withdrawal takes its number and does nothing more.
- Blocking twice or unblocking the unblocked takes effect and changes nothing.
- M3: a change of the members that does not fit takes its number and is void beside that: it is not tried again.
- M5: an entry is void at a slot at which its author does not vote.
- M6: where a site votes with another life than before, its last number in effect is put above all that the earlier one
  can have given out; what that has under way follows a lower number, and is void (E5).
"""

from __future__ import annotations

from typing import Final

from engine.core.entry import MEMBERSHIP, Block, Entry, Kind, Promote, Readmit, Unblock, decode
from engine.core.ids import SiteId, Slot
from engine.core.log.members import Members, numbers_end
from engine.core.run import Run
from engine.core.storage import Change, WriteBlock
from engine.core.value import Value

_TWEET: Final = f"{Kind.TWEET} "
_MEMBERSHIP: Final = tuple(f"{kind} " for kind in MEMBERSHIP)


class Applied(Value):
    """What a run did: the slots whose entries are void (E5, M3), the authors of the tweets that are shown, each
    author's last number in effect, and the changes of the block table. `misfits`: those of the void ones that took
    their number (M3), and why; `changes`: what changed who votes."""

    void: tuple[Slot, ...]
    shown: tuple[SiteId, ...]
    numbers: dict[SiteId, int]
    table: tuple[WriteBlock, ...]
    misfits: tuple[tuple[Slot, str], ...] = ()
    changes: tuple[Change, ...] = ()


class Microblog:
    def __init__(
        self,
        blocks: dict[tuple[SiteId, SiteId], Slot],
        last_in_effect: dict[SiteId, int],
        members: Members | None = None,
    ) -> None:
        """Without `members` nobody asks who they are."""
        self.blocks = blocks
        self._last_in_effect = last_in_effect
        self._members = members or Members((), 0)

    def last_in_effect(self, author: SiteId) -> int:
        """The author's last number in effect, 0 before the first."""
        return self._last_in_effect.get(author, 0)

    def apply(self, run: Run) -> Applied:
        """The slots right after those that were applied before."""
        void: list[Slot] = []
        shown: list[SiteId] = []
        numbers: dict[SiteId, int] = {}
        table: list[WriteBlock] = []
        misfits: list[tuple[Slot, str]] = []
        changes: list[Change] = []
        known, members = self._last_in_effect, self._members
        others_vote = members.others_vote
        for slot, entry in run:
            author = entry.author
            if author is None:
                continue
            if (
                entry.follows != known.get(author, 0)
                or entry.number <= entry.follows
                or (others_vote and members.bars(author, slot))
            ):
                void.append(slot)
                continue
            known[author] = numbers[author] = entry.number
            if entry.body.startswith(_TWEET):
                shown.append(author)
            elif entry.body.startswith(_MEMBERSHIP):
                misfit = self._change(slot, entry.body, numbers)
                others_vote = members.others_vote
                if misfit is None:
                    changes.append(Change(slot, entry.body))
                else:
                    void.append(slot)
                    misfits.append((slot, misfit))
            else:
                table += self._blocking(slot, author, entry)
        return Applied(tuple(void), tuple(shown), numbers, tuple(table), tuple(misfits), tuple(changes))

    def _change(self, slot: Slot, body: str, numbers: dict[SiteId, int]) -> str | None:
        operation, members = decode(body).operation, self._members
        again = isinstance(operation, Readmit | Promote) and members.has_voted(operation.site)
        misfit = members.apply(slot, operation)
        if misfit is None and again:
            assert isinstance(operation, Readmit | Promote)
            site = operation.site
            self._last_in_effect[site] = numbers[site] = numbers_end(self.last_in_effect(site))
        return misfit

    def _blocking(self, slot: Slot, author: SiteId, entry: Entry) -> list[WriteBlock]:
        match decode(entry.body).operation:
            case Block(target) if (author, target) not in self.blocks and author != target:
                self.blocks[author, target] = slot
                return [WriteBlock(author, target, slot)]
            case Unblock(target) if self.blocks.pop((author, target), None) is not None:
                return [WriteBlock(author, target, None)]
            case _:
                return []
