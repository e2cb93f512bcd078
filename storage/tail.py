"""The tail of a store: all that a start needs of it, in memory and in step with the disk.

Rules that hold here:
- However often one commit changes a row, the row is written once, as it is in the end.
- A learned slot is never voted on or learned again (R1), and the prefix grows slot by slot (R2). A write that asks for
  anything else is a bug of this site: AssertionError, before anything of its commit is written.
- The tally is the sum of the checksums of the rows in the tail. It is written with them, so that a start sees a row
  that was lost, or an old one that came back, which its own checksum cannot show (D3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from engine.core.entry import Entry
from engine.core.ids import SiteId, Slot
from engine.core.storage import (
    EventRow,
    PeerMemory,
    RangePromise,
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
from storage import rows
from storage.rows import IN_PREFIX, OPEN_EVENTS, Author, Key, Meta, SlotRow, SlotState, Table, Values


@dataclass(slots=True)
class Tally:
    """The checksums of the rows that a start needs, and their sum."""

    checksums: dict[tuple[str, Key], int] = field(default_factory=dict)  # (table, key) -> checksum
    total: int = 0

    def add(self, table: Table, key: Key, checksum: int) -> None:
        """In place of the row's last checksum, if it has one."""
        self.drop(table, key)
        self.checksums[table.name, key] = checksum
        self.total += checksum

    def drop(self, table: Table, key: Key) -> None:
        """Does nothing for a row that is not needed."""
        self.total -= self.checksums.pop((table.name, key), 0)


class Changes:
    """What one commit does to the tables: rows with their checksums to put, and keys of rows to delete."""

    def __init__(self, tally: Tally) -> None:
        self.puts: dict[Table, list[Values]] = {}
        self.deletes: dict[Table, list[Key]] = {}
        self._tally = tally

    def keep(self, table: Table, values: Values) -> None:
        """Puts a row that the next start needs."""
        self._tally.add(table, table.key_of(values), self._put(table, values))

    def archive(self, table: Table, values: Values) -> None:
        """Puts a row that no start needs any more."""
        self._put(table, values)
        self._tally.drop(table, table.key_of(values))

    def delete(self, table: Table, key: Key) -> None:
        self.deletes.setdefault(table, []).append(key)
        self._tally.drop(table, key)

    def _put(self, table: Table, values: Values) -> int:
        checksum = table.checksum(values)
        self.puts.setdefault(table, []).append((*values, checksum))
        return checksum


@dataclass(slots=True)
class _Touched:
    """What the writes of one commit changed."""

    slots: dict[Slot, SlotRow] = field(default_factory=dict)
    events: dict[int, EventRow] = field(default_factory=dict)
    blocks: set[tuple[SiteId, SiteId]] = field(default_factory=set)
    authors: set[SiteId] = field(default_factory=set)
    peers: set[SiteId] = field(default_factory=set)
    evidence: list[WriteEvidence] = field(default_factory=list)


@dataclass(slots=True)
class Tail:
    meta: Meta
    slots: dict[Slot, SlotRow]  # above the prefix
    ranges: tuple[RangePromise, ...]
    blocks: dict[tuple[SiteId, SiteId], Slot]
    authors: dict[SiteId, Author]
    open_events: dict[int, EventRow]
    peers: dict[SiteId, PeerMemory]
    tally: Tally

    def stored(self) -> Stored:
        """A picture of the tail that later commits do not change."""
        meta = self.meta
        return Stored(
            life=meta.life,
            commit=meta.commit,
            standing=meta.standing,
            standing_why=meta.standing_why,
            round=meta.round,
            number_max=meta.number_max,
            prefix=meta.prefix,
            used_max=max(
                (row.slot for row in self.slots.values() if row.state is not SlotState.PROMISED), default=meta.prefix
            ),
            votes={row.slot: row.vote for row in self.slots.values() if row.learned is None},
            ahead={row.slot: row.learned for row in self.slots.values() if row.learned is not None},
            ranges=self.ranges,
            blocks=dict(self.blocks),
            last_in_effect={author.site: author.last_in_effect for author in self.authors.values()},
            open_events=tuple(self.open_events[number] for number in sorted(self.open_events)),
            peers=dict(self.peers),
        )

    def advance(self, writes: Sequence[Write]) -> Changes:
        """Takes in one commit and returns its rows. After an AssertionError the tail is of no use."""
        ranges_before = len(self.ranges)
        touched = _Touched()
        for write in writes:
            self._take(write, touched)
        self.meta.commit += 1
        changes = Changes(self.tally)
        for row in touched.slots.values():
            put = changes.archive if row.state in IN_PREFIX else changes.keep
            put(rows.SLOTS, rows.slot_values(row))
        for event in touched.events.values():
            put = changes.keep if event.state in OPEN_EVENTS else changes.archive
            put(rows.EVENTS, rows.event_values(event))
        for pair in touched.blocks:
            if pair in self.blocks:
                changes.keep(rows.BLOCKS, (*pair, self.blocks[pair]))
            else:
                changes.delete(rows.BLOCKS, pair)
        for site in touched.authors:
            changes.keep(rows.AUTHORS, rows.author_values(self.authors[site]))
        for site in touched.peers:
            changes.keep(rows.PEERS, rows.peer_values(self.peers[site]))
        if any(isinstance(write, WriteRanges) for write in writes):
            for position, promise in enumerate(self.ranges):
                changes.keep(rows.RANGES, rows.range_values(position, promise))
            for position in range(len(self.ranges), ranges_before):
                changes.delete(rows.RANGES, (position,))
        for position, evidence in enumerate(touched.evidence):
            changes.archive(rows.EVIDENCE, (self.meta.commit, position, evidence.rule, evidence.text))
        self.meta.tally = self.tally.total
        changes.archive(rows.META, rows.meta_values(self.meta))
        return changes

    def _take(self, write: Write, touched: _Touched) -> None:
        match write:
            case WriteVote(slot, vote):
                self._require_unlearned(slot)
                self._take_slot(touched, slot, vote, None)
            case WriteLearned(slot, entry, vote):
                self._require_unlearned(slot)
                self._take_slot(touched, slot, vote, entry)
            case WriteApplied():
                self._apply(write, touched)
            case WriteRanges(ranges):
                self.ranges = ranges
            case WriteBlock(blocker, blocked, slot):
                touched.blocks.add((blocker, blocked))
                if slot is None:
                    self.blocks.pop((blocker, blocked), None)
                else:
                    self.blocks[blocker, blocked] = slot
            case WriteRound(round_):
                _require(round_ >= self.meta.round, f"round {round_} after round {self.meta.round} (B1)")
                self.meta.round = round_
            case WriteEvent(event):
                touched.events[event.number] = event
                self.meta.number_max = max(self.meta.number_max, event.number)
                self.open_events.pop(event.number, None)
                if event.state in OPEN_EVENTS:
                    self.open_events[event.number] = event
            case WritePeer(memory):
                touched.peers.add(memory.site)
                self.peers[memory.site] = memory
            case WriteStanding(standing, why):
                self.meta.standing = standing
                self.meta.standing_why = why
            case WriteEvidence():
                touched.evidence.append(write)
            case _:
                assert_never(write)

    def _take_slot(self, touched: _Touched, slot: Slot, vote: Vote, learned: Entry | None) -> None:
        _require((vote.accepted is None) == (vote.entry is None), f"slot {slot}: half an acceptance")
        if learned is not None:
            state = SlotState.LEARNED
        else:
            state = SlotState.PROMISED if vote.accepted is None else SlotState.ACCEPTED
        self.slots[slot] = touched.slots[slot] = SlotRow(slot, state, vote, learned)

    def _apply(self, write: WriteApplied, touched: _Touched) -> None:
        slot, entry = write.slot, write.entry
        _require(slot == self.meta.prefix + 1, f"slot {slot} applied, the prefix is {self.meta.prefix} (R2)")
        row = self.slots.pop(slot, None)
        _require(row is not None and row.learned == entry, f"slot {slot} applied, but not learned so (R1)")
        assert row is not None
        if write.void:
            state = SlotState.VOID
        else:
            state = SlotState.SHOWN if write.shown else SlotState.APPLIED
            if entry.author is not None:
                tweets = self.authors[entry.author].tweets if entry.author in self.authors else 0
                self.authors[entry.author] = Author(entry.author, entry.number, tweets + write.shown)
                touched.authors.add(entry.author)
        self.meta.prefix = slot
        touched.slots[slot] = replace(row, state=state)

    def _require_unlearned(self, slot: Slot) -> None:
        row = self.slots.get(slot)
        learned = slot <= self.meta.prefix or (row is not None and row.learned is not None)
        _require(not learned, f"slot {slot} is learned already (R1)")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"a write that breaks the store's contract: {what}")
