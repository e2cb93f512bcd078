"""What a disk holds durably: the state of a site's store, as it is taken from commits.

Rules that hold here:
- A commit is taken whole. What sites did not sync is not here.
- The truth reads this, and asks no site.
- What a store holds by runs is here in spans that lie as they were written, cut where a part was written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Final, Protocol, assert_never

from msgspec.structs import replace

from engine.core.entry import Entry
from engine.core.ids import Round, SiteId, Slot, StoreId
from engine.core.spans import Spans, cut_entries
from engine.core.storage import (
    Change,
    EventRow,
    EventRun,
    EventState,
    Loss,
    PeerMemory,
    RangePromise,
    Standing,
    Vote,
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

_NO_ROUND: Final = Round(0)
_OPEN: Final = frozenset({EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN})


@dataclass(slots=True)
class Image:
    """What a disk holds durably."""

    life: StoreId
    commit: int = 0
    standing: Standing = Standing.NEW
    standing_why: str = ""
    loss: Loss | None = None
    round: Round = _NO_ROUND
    number_max: int = 0  # reserved
    prefix: Slot = Slot(0)
    used_max: Slot = Slot(0)
    log: list[Entry] = field(default_factory=list)  # slot 1 first, through the prefix
    votes: Spans[Vote] = field(default_factory=lambda: Spans(cut_vote))
    voted: Spans[Vote] = field(default_factory=lambda: Spans(cut_vote))  # of learned slots, as it was then
    ahead: Spans[tuple[Entry, ...]] = field(default_factory=lambda: Spans(cut_entries))
    ranges: tuple[RangePromise, ...] = ()
    blocks: dict[tuple[SiteId, SiteId], Slot] = field(default_factory=dict)
    last_in_effect: dict[SiteId, int] = field(default_factory=dict)
    events: dict[int, EventRow] = field(default_factory=dict)
    open_events: dict[int, EventRow] = field(default_factory=dict)
    peers: dict[SiteId, PeerMemory] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
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
        if slot <= self.prefix:
            return self.log[slot - 1]
        ahead = self.ahead.get(slot)
        return None if ahead is None else ahead[0]

    def open_runs(self) -> tuple[EventRun, ...]:
        """The open events, by number, those together that stand alike."""
        runs: list[EventRun] = []
        for number in sorted(self.open_events):
            row = self.open_events[number]
            if runs and _goes_on(runs[-1], row):
                runs[-1] = replace(runs[-1], bodies=(*runs[-1].bodies, row.body))
            else:
                runs.append(EventRun(number, (row.body,), row.state, row.slot, row.reason, row.to_author, row.to_kind))
        return tuple(runs)

    def take(self, writes: Sequence[Write]) -> None:
        """One commit."""
        self.commit += 1
        for write in writes:
            self._take(write)

    def _take(self, write: Write) -> None:
        match write:
            case WritePeer():
                self.peers[write.memory.site] = write.memory
            case WriteVote(first, last, vote):
                self.votes.put(first, last, vote)
                if last > self.used_max and vote.accepted is not None:
                    self.used_max = last
            case WriteRound():
                self.round = write.round
            case WriteLearned(run):
                for part in self.votes.remove(run.first, run.last):
                    self.voted.put(*part)
                self.ahead.put(run.first, run.last, run.entries)
                self.used_max = max(self.used_max, run.last)
            case WriteApplied():
                self._apply(write)
            case WriteNumbers(number_max):
                self.number_max = number_max
            case WriteEvents(events):
                for row in events.rows():
                    self.events[row.number] = row
                    if row.state in _OPEN:
                        self.open_events[row.number] = row
                    else:
                        self.open_events.pop(row.number, None)
            case WriteBlock(blocker, blocked, slot):
                if slot is None:
                    self.blocks.pop((blocker, blocked), None)
                else:
                    self.blocks[blocker, blocked] = slot
            case WriteChange(change):
                self.changes.append(change)
            case WriteStanding(standing, why, loss):
                self.standing, self.standing_why, self.loss = standing, why, loss
            case WriteRanges(ranges):
                self.ranges = ranges
            case WriteEvidence():
                self.evidence.append(write)
            case _:
                assert_never(write)

    def _apply(self, write: WriteApplied) -> None:
        assert write.first == self.prefix + 1, f"slot {write.first} is applied out of turn (R2)"
        for part in self.ahead.remove(write.first, write.last):
            self.log += part.value
        assert len(self.log) == write.last, f"slot {len(self.log) + 1} is applied, but not learned (R2)"
        self.prefix = write.last
        for each in write.authors:
            self.last_in_effect[each.author] = each.last_in_effect


def _goes_on(run: EventRun, row: EventRow) -> bool:
    """Whether the event stands as those of the run do, and comes right after them."""
    slot = None if run.slot is None else run.slot + len(run.bodies)
    alike = (run.state, slot, run.reason, run.to_author, run.to_kind)
    return row.number == run.last + 1 and alike == (row.state, row.slot, row.reason, row.to_author, row.to_kind)


class Disk(Protocol):
    """Where a site's store is. Another image is there once the store was lost."""

    @property
    def image(self) -> Image: ...
