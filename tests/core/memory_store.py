"""A store in memory, for replicas under test: it keeps what is written, and loads it back as after a restart.

Rules that hold here:
- It keeps the contract of `engine.core.storage` for writes, `load` and `learned`, and asserts what the core promises of
  its writes: the prefix grows without a gap, a learned entry never changes (R1, R2), no number falls (B1, E1).
- Runs are taken apart: it keeps slots and events one by one, and knows nothing of how they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from engine.core.entry import Entry
from engine.core.ids import Round, SiteId, Slot, StoreId
from engine.core.run import Run, slots_of, spans_of
from engine.core.storage import (
    NO_VOTE,
    Change,
    EventRow,
    EventRun,
    EventState,
    Loss,
    PeerMemory,
    RangePromise,
    Standing,
    Stored,
    Vote,
    Voted,
    Write,
    WriteApplied,
    WriteBlock,
    WriteChange,
    WriteEvents,
    WriteEvidence,
    WriteLearned,
    WriteNumbers,
    WritePeer,
    WriteRanges,
    WriteRound,
    WriteStanding,
    WriteVote,
    cut_vote,
)

_OPEN = (EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN)


class MemoryStore:
    def __init__(self, life: StoreId, standing: Standing = Standing.ADMITTED) -> None:
        self.life = life
        self.standing = standing
        self.standing_why = ""
        self.loss: Loss | None = None
        self.commits = 0
        self.reads = 0
        self.round = Round(0)
        self.number_max = 0
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
        self.changes: list[Change] = []

    def load(self) -> Stored:
        used = [slot for slot, vote in self.votes.items() if vote.accepted is not None]
        return Stored(
            life=self.life,
            commit=self.commits,
            standing=self.standing,
            standing_why=self.standing_why,
            loss=self.loss,
            round=self.round,
            number_max=self.number_max,
            prefix=self.prefix,
            used_max=max([*used, *self.log], default=Slot(0)),
            votes=tuple(Voted(slot, slot, vote) for slot, vote in sorted(self.votes.items())),
            ahead=tuple(self._run(*span) for span in spans_of(sorted(slot for slot in self.log if slot > self.prefix))),
            ranges=self.ranges,
            blocks=dict(self.blocks),
            last_in_effect=dict(self.last_in_effect),
            open_events=tuple(_run_of_one(row) for _, row in sorted(self.events.items()) if row.state in _OPEN),
            peers=dict(self.peers),
            changes=tuple(self.changes),
        )

    def commit(self, writes: Sequence[Write]) -> int:
        for write in writes:
            self._apply(write)
        self.commits += 1
        return self.commits

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> Sequence[Run]:
        assert 1 <= first <= last <= self.prefix, "the core reads committed slots that are learned without a gap only"
        self.reads += 1
        for slot in slots_of(first, last):
            bytes_max -= len(self.log[slot].body.encode())
            if bytes_max < 0:
                return [self._run(first, slot)]
        return [self._run(first, last)]

    def _run(self, first: Slot, last: Slot) -> Run:
        return Run(first, tuple(self.log[slot] for slot in slots_of(first, last)))

    def voted(self, slot: Slot) -> Vote:
        return self.voted_at.get(slot, NO_VOTE)

    def _apply(self, write: Write) -> None:
        match write:
            case WriteVote(first, last, vote):
                assert not vote.entries or len(vote.entries) == last - first + 1
                for slot in slots_of(first, last):
                    self.votes[slot] = cut_vote(vote, slot - first, 1)
            case WriteRanges(ranges):
                self.ranges = ranges
            case WriteLearned(run):
                for slot, entry in run:
                    assert self.log.setdefault(slot, entry) is entry, f"slot {slot} is learned anew (R1)"
                    if slot in self.votes:
                        self.voted_at[slot] = self.votes.pop(slot)
            case WriteApplied(first, last, _, authors):
                assert first == self.prefix + 1, f"slot {first} is applied out of order (R2)"
                assert all(slot in self.log for slot in slots_of(first, last)), "what is applied is learned (R2)"
                self.prefix = last
                self.last_in_effect.update((each.author, each.last_in_effect) for each in authors)
            case WriteBlock(blocker, blocked, since):
                if since is None:
                    del self.blocks[blocker, blocked]
                else:
                    self.blocks[blocker, blocked] = since
            case WriteRound(used):
                assert used > self.round, f"round {used} is not new (B1)"
                self.round = used
            case WriteNumbers(number_max):
                assert number_max > self.number_max, f"numbers to {number_max} are reserved already (E1)"
                self.number_max = number_max
            case WriteEvents(events):
                self.events.update((row.number, row) for row in events.rows())
            case WriteChange(change):
                self.changes.append(change)
            case WritePeer(memory):
                self.peers[memory.site] = memory
            case WriteStanding(standing, why, loss):
                self.standing, self.standing_why, self.loss = standing, why, loss
            case WriteEvidence():
                self.evidence.append(write)
            case _:
                assert_never(write)


def _run_of_one(row: EventRow) -> EventRun:
    return EventRun(row.number, (row.body,), row.state, row.slot, row.reason, row.to_author, row.to_kind)
