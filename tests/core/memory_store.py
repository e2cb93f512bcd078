"""A store in memory, for replicas under test: it keeps what is written, and loads it back as after a restart.

Rules that hold here:
- It keeps the contract of `engine.core.storage` for writes, `load` and `learned`, and asserts what the core promises of
  its writes: the prefix grows by one slot, a learned entry never changes (R1, R2), the round never falls (B1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from engine.core.entry import Entry
from engine.core.ids import Round, SiteId, Slot, StoreId
from engine.core.messages import LearnedSlot
from engine.core.storage import (
    NO_VOTE,
    EventRow,
    EventState,
    PeerMemory,
    RangePromise,
    Standing,
    Stored,
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

_OPEN = (EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN)


class MemoryStore:
    def __init__(self, life: StoreId, standing: Standing = Standing.ADMITTED) -> None:
        self.life = life
        self.standing = standing
        self.standing_why = ""
        self.commits = 0
        self.reads = 0
        self.round = Round(0)
        self.prefix = Slot(0)
        self.votes: dict[Slot, Vote] = {}
        self.voted_at: dict[Slot, Vote] = {}
        self.log: dict[Slot, Entry] = {}
        self.ranges: tuple[RangePromise, ...] = ()
        self.blocks: dict[tuple[SiteId, SiteId], Slot] = {}
        self.last_in_effect: dict[SiteId, int] = {}
        self.events: dict[int, EventRow] = {}
        self.peers: dict[SiteId, PeerMemory] = {}
        self.evidence: list[WriteEvidence] = []

    def load(self) -> Stored:
        used = [slot for slot, vote in self.votes.items() if vote.accepted is not None]
        return Stored(
            life=self.life,
            commit=self.commits,
            standing=self.standing,
            standing_why=self.standing_why,
            round=self.round,
            number_max=max(self.events, default=0),
            prefix=self.prefix,
            used_max=max([*used, *self.log], default=Slot(0)),
            votes=dict(self.votes),
            ahead={slot: entry for slot, entry in self.log.items() if slot > self.prefix},
            ranges=self.ranges,
            blocks=dict(self.blocks),
            last_in_effect=dict(self.last_in_effect),
            open_events=tuple(row for _, row in sorted(self.events.items()) if row.state in _OPEN),
            peers=dict(self.peers),
        )

    def commit(self, writes: Sequence[Write]) -> int:
        for write in writes:
            self._apply(write)
        self.commits += 1
        return self.commits

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> Sequence[LearnedSlot]:
        assert 1 <= first <= last <= self.prefix, "the core reads committed slots of the prefix only"
        self.reads += 1
        items: list[LearnedSlot] = []
        for slot in range(first, last + 1):
            items.append(LearnedSlot(Slot(slot), self.log[Slot(slot)]))
            bytes_max -= len(items[-1].entry.body.encode())
            if bytes_max < 0:
                break
        return items

    def voted(self, slot: Slot) -> Vote:
        return self.voted_at.get(slot, NO_VOTE)

    def _apply(self, write: Write) -> None:
        match write:
            case WriteVote(slot, vote):
                self.votes[slot] = vote
            case WriteRanges(ranges):
                self.ranges = ranges
            case WriteLearned(slot, entry, vote):
                self.voted_at[slot] = vote
                assert self.log.setdefault(slot, entry) == entry, f"slot {slot} is learned anew (R1)"
                self.votes.pop(slot, None)
            case WriteApplied(slot, entry, void, _):
                assert slot == self.prefix + 1, f"slot {slot} is applied out of order (R2)"
                self.prefix = slot
                if entry.author is not None and not void:
                    self.last_in_effect[entry.author] = entry.number
            case WriteBlock(blocker, blocked, since):
                if since is None:
                    del self.blocks[blocker, blocked]
                else:
                    self.blocks[blocker, blocked] = since
            case WriteRound(used):
                assert used > self.round, f"round {used} is not new (B1)"
                self.round = used
            case WriteEvent(row):
                self.events[row.number] = row
            case WritePeer(memory):
                self.peers[memory.site] = memory
            case WriteStanding(standing, why):
                self.standing, self.standing_why = standing, why
            case WriteEvidence():
                self.evidence.append(write)
            case _:
                assert_never(write)
