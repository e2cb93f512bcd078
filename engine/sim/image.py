"""What a disk holds durably: the state of a site's store, as it is taken from commits.

Rules that hold here:
- A commit is taken whole. What sites did not sync is not here.
- The truth reads this, and asks no site.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Final, Protocol, assert_never

from engine.core.entry import Entry
from engine.core.ids import Round, SiteId, Slot, StoreId
from engine.core.storage import (
    EventRow,
    EventState,
    PeerMemory,
    RangePromise,
    Standing,
    Vote,
    Write,
    WriteApplied,
    WriteBlock,
    WriteEvent,
    WriteEvidence,
    WriteLearned,
    WritePeer,
    WriteRanges,
    WriteRound,
    WriteStanding,
    WriteVote,
)

_NO_ROUND: Final = Round(0)
_OPEN: Final = frozenset({EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN})


@dataclass(slots=True)
class Image:
    """What a disk holds durably."""

    life: StoreId
    commit: int = 0
    standing: Standing = Standing.NEW
    standing_why: str = ""
    round: Round = _NO_ROUND
    number_max: int = 0
    prefix: Slot = Slot(0)
    used_max: Slot = Slot(0)
    log: list[Entry] = field(default_factory=list)  # slot 1 first, through the prefix
    votes: dict[Slot, Vote] = field(default_factory=dict)
    voted: dict[Slot, Vote] = field(default_factory=dict)  # of learned slots, as it was then
    ahead: dict[Slot, Entry] = field(default_factory=dict)
    ranges: tuple[RangePromise, ...] = ()
    blocks: dict[tuple[SiteId, SiteId], Slot] = field(default_factory=dict)
    last_in_effect: dict[SiteId, int] = field(default_factory=dict)
    events: dict[int, EventRow] = field(default_factory=dict)
    open_events: dict[int, EventRow] = field(default_factory=dict)
    peers: dict[SiteId, PeerMemory] = field(default_factory=dict)
    evidence: list[WriteEvidence] = field(default_factory=list)

    def duplicate(self) -> Image:
        """A copy that later commits do not change."""
        return Image(**{each.name: copy(getattr(self, each.name)) for each in fields(self)})

    def contradicts(self, peer: SiteId, life: StoreId, commit: int) -> bool:
        """It remembers another store of `peer`, or a later commit of this one (D5)."""
        known = self.peers.get(peer)
        return known is not None and (known.life != life or known.commit > commit)

    def entry(self, slot: Slot) -> Entry | None:
        """The learned entry of a slot."""
        return self.log[slot - 1] if slot <= self.prefix else self.ahead.get(slot)

    def take(self, writes: Sequence[Write]) -> None:
        """One commit."""
        self.commit += 1
        for write in writes:
            self._take(write)

    def _take(self, write: Write) -> None:
        match write:
            case WritePeer():
                self.peers[write.memory.site] = write.memory
            case WriteVote():
                self.votes[write.slot] = write.vote
                if write.slot > self.used_max and write.vote.accepted is not None:
                    self.used_max = write.slot
            case WriteRound():
                self.round = write.round
            case WriteLearned():
                self.votes.pop(write.slot, None)
                self.voted[write.slot] = write.vote
                self.ahead[write.slot] = write.entry
                self.used_max = max(self.used_max, write.slot)
            case WriteApplied():
                self._apply(write)
            case WriteEvent():
                event = write.event
                self.events[event.number] = event
                self.number_max = max(self.number_max, event.number)
                if event.state in _OPEN:
                    self.open_events[event.number] = event
                else:
                    self.open_events.pop(event.number, None)
            case WriteBlock(blocker, blocked, slot):
                if slot is None:
                    self.blocks.pop((blocker, blocked), None)
                else:
                    self.blocks[blocker, blocked] = slot
            case WriteStanding(standing, why):
                self.standing, self.standing_why = standing, why
            case WriteRanges(ranges):
                self.ranges = ranges
            case WriteEvidence():
                self.evidence.append(write)
            case _:
                assert_never(write)

    def _apply(self, write: WriteApplied) -> None:
        learned = self.ahead.pop(write.slot, None)
        assert learned is not None, f"slot {write.slot} is applied, but not learned (R2)"
        assert write.slot == self.prefix + 1, f"slot {write.slot} is applied out of turn (R2)"
        self.prefix = write.slot
        self.log.append(learned)
        if not write.void and learned.author is not None:
            self.last_in_effect[learned.author] = learned.number


class Disk(Protocol):
    """Where a site's store is. Another image is there once the store was lost."""

    @property
    def image(self) -> Image: ...
