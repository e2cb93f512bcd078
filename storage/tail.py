"""The tail of a store: all that a start needs of it, in memory and in step with the disk.

Rules that hold here:
- However often one commit changes a row, the row is written once, as it is in the end.
- A learned slot is never voted on or learned again (R1), and the prefix grows without a gap (R2). A write that asks for
  anything else is a bug of this site: AssertionError, before anything of its commit is written.
- A row is no longer than ROW_MAX slots or events, however many are written together: to cut it costs no more than that.
- What is learned as it was accepted here stands in its row already: that row is not written again.
- The tally is the sum of the checksums of the rows in the tail. It is written with them, so that a start sees a row
  that was lost, or an old one that came back, which its own checksum cannot show (D3). Rows of slots that leave the
  tail are summed up too, for the paced check.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from msgspec.structs import replace

from engine.core.ids import SiteId, Slot
from engine.core.run import Run
from engine.core.spans import Part
from engine.core.storage import (
    Change,
    EventRun,
    PeerMemory,
    RangePromise,
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
)
from storage import rows
from storage.changes import Changes, RunRows, Tally
from storage.rows import OPEN_EVENTS, Author, Held, Meta, cut_held
from storage.tweeted import begin_of, ends

ROW_MAX: Final = 256


@dataclass(slots=True)
class _Touched:
    """What else the writes of one commit changed."""

    blocks: set[tuple[SiteId, SiteId]] = field(default_factory=set)
    authors: set[SiteId] = field(default_factory=set)
    peers: set[SiteId] = field(default_factory=set)
    tweeted: list[tuple[Slot, set[SiteId]]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    evidence: list[WriteEvidence] = field(default_factory=list)
    ranges_before: int | None = None


@dataclass(slots=True)
class Tail:
    meta: Meta
    slots: RunRows[Held]  # those that reach above the prefix
    ahead: RunRows[bool]
    ranges: tuple[RangePromise, ...]
    blocks: dict[tuple[SiteId, SiteId], Slot]
    authors: dict[SiteId, Author]
    events: RunRows[EventRun]  # the open ones
    peers: dict[SiteId, PeerMemory]
    changes: list[Change]  # of who votes, in slot order
    tally: Tally

    def stored(self) -> Stored:
        """A picture of the tail that later commits do not change."""
        meta = self.meta
        votes: list[Voted] = []
        ahead: list[Run] = []
        used_max = meta.prefix
        for part in self.slots.spans:
            for first, last, learned in self._above(part):
                held = (
                    part.value
                    if part[:2] == (first, last)
                    else cut_held(part.value, first - part.first, last - first + 1)
                )
                if learned:
                    ahead.append(Run(first, held.entries))
                else:
                    votes.append(Voted(first, last, held.vote))
                if held.entries:
                    used_max = max(used_max, last)
        return Stored(
            life=meta.life,
            commit=meta.commit,
            standing=meta.standing,
            standing_why=meta.standing_why,
            loss=meta.loss,
            round=meta.round,
            number_max=meta.number_max,
            prefix=meta.prefix,
            used_max=used_max,
            votes=tuple(votes),
            ahead=tuple(ahead),
            ranges=self.ranges,
            blocks=dict(self.blocks),
            last_in_effect={author.site: author.last_in_effect for author in self.authors.values()},
            open_events=tuple(part.value for part in self.events.spans),
            peers=dict(self.peers),
            changes=tuple(self.changes),
        )

    def learned_without_entry(self) -> Iterator[Slot]:
        """Where what is learned ahead is not above the prefix, or no row has it."""
        for learned in self.ahead.spans:
            for part in self.slots.spans.parts(learned.first, learned.last):
                if part.value is None or not part.value.entries or part.first <= self.meta.prefix:
                    yield part.first

    def advance(self, writes: Sequence[Write]) -> Changes:
        """Takes in one commit and returns its rows. After an AssertionError the tail is of no use."""
        touched = _Touched()
        for write in writes:
            self._take(write, touched)
        self._leave_what_was_cut()
        self.meta.commit += 1
        changes = Changes(self.tally)
        self._put_slots(changes)
        self._put_ahead(changes)
        self._put_events(changes)
        for pair in touched.blocks:
            if pair in self.blocks:
                changes.keep(rows.BLOCKS, (*pair, self.blocks[pair]))
            else:
                changes.delete(rows.BLOCKS, pair)
        for site in touched.authors:
            changes.keep(rows.AUTHORS, rows.author_values(self.authors[site]))
        for site in touched.peers:
            changes.keep(rows.PEERS, rows.peer_values(self.peers[site]))
        for change in touched.changes:
            changes.keep(rows.CHANGES, rows.change_values(change))
        for through, authors in touched.tweeted:
            changes.archive(rows.TWEETED, rows.tweeted_values(through, authors))
        if touched.ranges_before is not None:
            for position, promise in enumerate(self.ranges):
                changes.keep(rows.RANGES, rows.range_values(position, promise))
            for position in range(len(self.ranges), touched.ranges_before):
                changes.delete(rows.RANGES, (position,))
        for position, evidence in enumerate(touched.evidence):
            changes.archive(rows.EVIDENCE, (self.meta.commit, position, evidence.rule, evidence.text))
        self.meta.tally = self.tally.total
        changes.archive(rows.META, rows.meta_values(self.meta))
        return changes

    def _put_slots(self, changes: Changes) -> None:
        for row in self.slots.left:
            if self.slots.is_touched(row.first):
                self.meta.log_tally += changes.archive(rows.SLOTS, rows.slots_values(*row))
            else:
                self.meta.log_tally += self.tally.drop(rows.SLOTS, (row.first,))
        put, gone = self.slots.changed()
        for row in put:
            changes.keep(rows.SLOTS, rows.slots_values(*row))
        for first in gone:
            changes.delete(rows.SLOTS, (first,))

    def _put_ahead(self, changes: Changes) -> None:
        put, gone = self.ahead.changed()
        for first, last, _ in put:
            changes.keep(rows.AHEAD, (first, last))
        for first in gone:
            changes.delete(rows.AHEAD, (first,))

    def _put_events(self, changes: Changes) -> None:
        for settled in self.events.left:
            changes.archive(rows.EVENTS, rows.events_values(settled.value))
        put, gone = self.events.changed()
        for run in put:
            changes.keep(rows.EVENTS, rows.events_values(run.value))
        for first in gone:
            changes.delete(rows.EVENTS, (first,))

    def _take(self, write: Write, touched: _Touched) -> None:
        match write:
            case WriteVote(first, last, vote):
                self._vote(first, last, vote)
            case WriteLearned(run):
                self._learn(run)
            case WriteApplied():
                self._apply(write, touched)
            case WriteEvents(run):
                self._take_events(run)
            case WriteNumbers(number_max):
                before = self.meta.number_max
                if number_max < before:
                    raise _broken(f"numbers through {number_max} after {before} (E1)")
                self.meta.number_max = number_max
            case WriteRanges(ranges):
                if touched.ranges_before is None:
                    touched.ranges_before = len(self.ranges)
                self.ranges = ranges
            case WriteBlock(blocker, blocked, slot):
                touched.blocks.add((blocker, blocked))
                if slot is None:
                    self.blocks.pop((blocker, blocked), None)
                else:
                    self.blocks[blocker, blocked] = slot
            case WriteRound(round_):
                if round_ < self.meta.round:
                    raise _broken(f"round {round_} after round {self.meta.round} (B1)")
                self.meta.round = round_
            case WritePeer(memory):
                touched.peers.add(memory.site)
                self.peers[memory.site] = memory
            case WriteChange(change):
                if change.slot > self.meta.prefix:
                    raise _broken(f"slot {change.slot} changed who votes, the prefix is {self.meta.prefix} (M1)")
                touched.changes.append(change)
                self.changes.append(change)
            case WriteStanding():
                self.meta.standing, self.meta.standing_why, self.meta.loss = write.standing, write.why, write.loss
            case WriteEvidence():
                touched.evidence.append(write)
            case _:
                assert_never(write)

    def _vote(self, first: Slot, last: Slot, vote: Vote) -> None:
        self._require_unlearned(first, last)
        due = 0 if vote.accepted is None else last - first + 1
        if len(vote.entries) != due:
            raise _broken(f"slot {first}: half an acceptance")
        self._put(first, last, Held(vote.promised, vote.accepted, vote.entries))

    def _put(self, first: Slot, last: Slot, held: Held) -> None:
        """As rows of slots, in the place of what was there."""
        if last - first < ROW_MAX or not held.entries:
            self.slots.put(first, last, held)
            return
        for begin, end in _rows_of(first, last):
            self.slots.put(begin, end, cut_held(held, begin - first, end - begin + 1))

    def _learn(self, run: Run) -> None:
        first, last = run.first, run.last
        self._require_unlearned(first, last)
        row = self.slots.spans.at(first)
        if row is None or row[:2] != (first, last) or row.value.entries != run.entries:
            self._write_learned(run)
        ahead = self.ahead.spans
        before, after = (ahead.at(Slot(first - 1)), ahead.at(Slot(last + 1))) if len(ahead) else (None, None)
        self.ahead.put(before.first if before else first, after.last if after else last, True)

    def _write_learned(self, run: Run) -> None:
        """What of a run stands in no row as it was learned."""
        for part in list(self.slots.spans.parts(run.first, run.last)):
            entries = run.entries[part.first - run.first : part.last - run.first + 1]
            match part.value:
                case None:
                    self._put(part.first, part.last, Held(None, None, entries))
                case Held(promised, accepted, voted) if voted != entries:
                    self._put(part.first, part.last, Held(promised, accepted, entries, voted))

    def _apply(self, write: WriteApplied, touched: _Touched) -> None:
        first, last = write.first, write.last
        if first != self.meta.prefix + 1:
            raise _broken(f"slot {first} applied, the prefix is {self.meta.prefix} (R2)")
        learned = self.ahead.spans.at(first)
        if learned is None or learned.last < last:
            raise _broken(f"slot {first} applied, but not learned (R1)")
        self.ahead.take_out(first, last)
        for slot in write.void:
            row = self.slots.spans.at(slot)
            assert row is not None
            self.slots.put(row.first, row.last, replace(row.value, void=(*row.value.void, slot - row.first)))
        self.meta.prefix = last
        self._leave(first, last)
        self._count(write, touched)

    def _leave(self, first: Slot, last: Slot) -> None:
        """The prefix has come to `last`: rows that end there or below leave the tail."""
        spans = self.slots.spans
        ends = spans.at(last)
        begins = ends if first == last else spans.at(first)
        assert begins is not None
        assert ends is not None
        through = last if ends.last == last else Slot(ends.first - 1)
        if begins.first <= through:
            self.slots.left.extend(spans.remove(begins.first, through))

    def _leave_what_was_cut(self) -> None:
        """A row that reached above the prefix, and was cut there, leaves the tail with what is left of it below."""
        spans = self.slots.spans
        lowest = next(iter(spans), None)
        if lowest is not None and lowest.last <= self.meta.prefix:
            self.slots.left.extend(spans.remove(lowest.first, lowest.last))

    def _count(self, write: WriteApplied, touched: _Touched) -> None:
        tweeted = {changed.author for changed in write.authors if changed.tweets}
        for through in ends(write.first, write.last):
            before = {author.site for author in self.authors.values() if author.newest >= begin_of(through)}
            touched.tweeted.append((through, before | tweeted))
        for changed in write.authors:
            site, tweets = changed.author, changed.tweets
            known = self.authors.get(site) or Author(site, 0, 0, Slot(0))
            newest = write.last if tweets else known.newest
            self.authors[site] = Author(site, changed.last_in_effect, known.tweets + tweets, newest)
            touched.authors.add(site)

    def _take_events(self, run: EventRun) -> None:
        take = self.events.put if run.state in OPEN_EVENTS else self.events.leave
        for first, last in _rows_of(Slot(run.first), Slot(run.last)):
            take(first, last, run.cut(first, last))

    def _require_unlearned(self, first: Slot, last: Slot) -> None:
        ahead = self.ahead.spans
        if first <= self.meta.prefix or (len(ahead) and ahead.over(first, last)):
            raise _broken(f"slot {first} is learned already (R1)")

    def _above(self, part: Part[Held]) -> Iterator[tuple[Slot, Slot, bool]]:
        """What of a row lies above the prefix, by whether it is learned."""
        above = max(part.first, Slot(self.meta.prefix + 1))
        for first, last, learned in self.ahead.spans.parts(above, part.last):
            yield first, last, learned is not None


def _rows_of(first: Slot, last: Slot) -> Iterator[tuple[Slot, Slot]]:
    for begin in range(first, last + 1, ROW_MAX):
        yield Slot(begin), Slot(min(last, begin + ROW_MAX - 1))


def _broken(what: str) -> AssertionError:
    return AssertionError(f"a write that breaks the store's contract: {what}")
