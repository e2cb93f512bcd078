"""A store of runs is worth what its slots and events are one by one, however they come and are divided into commits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import apsw
import pytest
from msgspec.structs import replace

from engine.core.entry import NOOP, Entry
from engine.core.ids import NUMBER_MAX, Slot
from engine.core.run import Run, slots_of
from engine.core.storage import (
    NO_VOTE,
    EventRow,
    EventRun,
    EventState,
    LogRow,
    Stored,
    StoreDamaged,
    Vote,
    Write,
    WriteApplied,
    WriteEvents,
    WriteLearned,
    WriteVote,
    cut_vote,
)
from storage import rows
from storage.reader import Reader
from storage.rows import EVENTS, OPEN_EVENTS
from storage.sqlite import SqliteStorage
from storage.tail import ROW_MAX
from tests.storage.samples import (
    ALICE,
    BOB,
    CAROL,
    apply,
    ballot,
    event,
    learn,
    open_sample,
    settle,
    tweet,
    vote,
)

SLOTS_MAX: Final = 40
RUN_MAX: Final = 7


@dataclass
class Model:
    """Slot by slot, event by event."""

    random: Random
    prefix: int = 0
    votes: dict[int, Vote] = field(default_factory=dict)
    learned: dict[int, Entry] = field(default_factory=dict)
    void: set[int] = field(default_factory=set)
    tweets: list[int] = field(default_factory=list)
    events: dict[int, EventRow] = field(default_factory=dict)
    rounds: int = 0

    def write(self) -> Write | None:
        """Something that a site may write next."""
        match self.random.choice(["promise", "accept", "learn", "learn accepted", "apply", "events"]):
            case "promise":
                first, last = self._unlearned()
                at = self._ballot()
                before = self.votes.get(first, NO_VOTE)
                one = self.random.random() < 0.5 or any(slot in self.votes for slot in range(first, last + 1))
                last = first if one else last
                return self._voted(first, last, Vote(at.promised, before.accepted, before.entries))
            case "accept":
                first, last = self._unlearned()
                at = self._ballot()
                entries = tuple(self._entry(slot) for slot in range(first, last + 1))
                return self._voted(first, last, Vote(at.promised, at.promised, entries))
            case "learn":
                first, last = self._unlearned()
                return self._learn(first, [self._entry(slot) for slot in range(first, last + 1)])
            case "learn accepted":
                first, last = self._unlearned()
                slots = range(first, last + 1)
                return self._learn(first, [self.votes.get(slot, NO_VOTE).entry or self._entry(slot) for slot in slots])
            case "apply":
                return self._apply()
            case _:
                return self._put_events()

    def log(self) -> list[LogRow]:
        slots = sorted({*self.votes, *self.learned})
        return [
            LogRow(
                Slot(slot),
                self.votes.get(slot, NO_VOTE),
                self.learned.get(slot),
                slot in self.void if slot <= self.prefix else None,
            )
            for slot in slots
        ]

    def _ballot(self) -> Vote:
        self.rounds += 1
        return Vote(ballot(self.rounds), None, ())

    def _entry(self, slot: int) -> Entry:
        kind = self.random.randrange(4)
        return NOOP if kind == 0 else tweet((ALICE, BOB, CAROL)[kind - 1], slot + SLOTS_MAX, f"text {self.rounds}")

    def _unlearned(self) -> tuple[int, int]:
        free = [slot for slot in range(self.prefix + 1, self.prefix + SLOTS_MAX) if slot not in self.learned]
        free = free or [max(self.learned) + 1]
        first = last = self.random.choice(free)
        while last + 1 in free and last - first + 1 < self.random.randint(1, RUN_MAX):
            last += 1
        return first, last

    def _voted(self, first: int, last: int, voted: Vote) -> Write:
        for slot in range(first, last + 1):
            self.votes[slot] = cut_vote(voted, slot - first, 1)
        return WriteVote(Slot(first), Slot(last), voted)

    def _learn(self, first: int, entries: list[Entry]) -> Write:
        self.learned.update(enumerate(entries, first))
        return WriteLearned(Run(Slot(first), tuple(entries)))

    def _apply(self) -> Write | None:
        first = last = self.prefix + 1
        if first not in self.learned:
            return None
        while last + 1 in self.learned and last - first < self.random.randint(0, RUN_MAX):
            last += 1
        self.prefix = last
        slots = [slot for slot in range(first, last + 1) if self.learned[slot].author is not None]
        void = [slot for slot in slots if self.random.random() < 0.2]
        self.void.update(void)
        shown = [slot for slot in slots if slot not in void]
        self.tweets += shown
        return WriteApplied(
            Slot(first), Slot(last), tuple(map(Slot, void)), apply(1, *(self.learned[slot] for slot in shown)).authors
        )

    def _put_events(self) -> Write:
        open_ = [number for number, row in self.events.items() if row.state in OPEN_EVENTS]
        if not open_ or self.random.random() < 0.5:
            first = max(self.events, default=0) + 1
            bodies = tuple(
                tweet(ALICE, number).body for number in range(first, first + self.random.randint(1, RUN_MAX))
            )
            return self._stand(EventRun(first, bodies, EventState.QUEUED))
        first = last = self.random.choice(open_)
        while last + 1 in open_ and last - first < self.random.randint(0, RUN_MAX):
            last += 1
        bodies = tuple(self.events[number].body for number in range(first, last + 1))
        state = self.random.choice([EventState.PROPOSED, EventState.UNKNOWN, EventState.LOST, EventState.NOT_CREATED])
        return self._stand(EventRun(first, bodies, state, Slot(self.random.randint(1, 99)), "why"))

    def _stand(self, run: EventRun) -> Write:
        self.events.update((row.number, row) for row in run.rows())
        return WriteEvents(run)


def each_vote(stored: Stored) -> dict[int, Vote]:
    return {
        slot: cut_vote(part.vote, slot - part.first, 1)
        for part in stored.votes
        for slot in slots_of(part.first, part.last)
    }


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("seed", range(8))
def test_a_store_is_worth_what_its_slots_and_events_are_one_by_one(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    model = Model(random)
    store = open_sample(tmp_path)
    for _ in range(50):
        store.commit([write for write in (model.write() for _ in range(random.choice([1, 1, 2, 5]))) if write])
        if random.random() < 0.2:
            store.close()
            store = open_sample(tmp_path)
    with closing(store):
        stored = store.load()
        above = {slot: entry for slot, entry in model.learned.items() if slot > model.prefix}
        assert stored.prefix == model.prefix
        assert {slot: entry for run in stored.ahead for slot, entry in run} == above
        assert each_vote(stored) == {slot: voted for slot, voted in model.votes.items() if slot not in model.learned}
        used = [slot for slot, voted in model.votes.items() if voted.accepted is not None]
        assert stored.used_max == max([*used, *model.learned, 0])
        assert [row for run in stored.open_events for row in run.rows()] == [
            row for _, row in sorted(model.events.items()) if row.state in OPEN_EVENTS
        ]
        assert store.events(None, 1_000) == [row for _, row in sorted(model.events.items())]
        log = model.log()
        assert store.log_rows(Slot(1), Slot(NUMBER_MAX)) == log
        assert [store.voted(row.slot) for row in log] == [row.vote for row in log]
        for hidden in (frozenset(), frozenset({ALICE}), frozenset({ALICE, BOB})):
            shown = [slot for slot in model.tweets if model.learned[slot].author not in hidden]
            for limit in (1, 5, 1_000):
                assert [row.slot for row in store.timeline(hidden, limit, None)] == shown[-limit:]
            half = Slot(model.prefix // 2 + 1)
            below = [slot for slot in shown if slot < half]
            assert [row.slot for row in store.timeline(hidden, 3, half)] == below[-3:]
        texts = store.texts(Slot(1), Slot(NUMBER_MAX))
        assert [(each.slot, each.learned, each.void, each.shown) for each in texts] == [
            (row.slot, row.learned is not None, row.slot in model.void, row.slot in model.tweets) for row in log
        ]
        after: Slot | None = Slot(0)
        while after is not None:
            after = store.scrub(after, random.randint(1, 30))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStorage]:
    with closing(open_sample(tmp_path)) as store:
        store.load()
        yield store


def checksums(folder: Path) -> dict[int, int]:
    with closing(apsw.Connection(str(folder / "site.db"))) as db:
        found: Any = db.execute("SELECT first, checksum FROM slots").fetchall()
        return dict(found)


def test_what_is_learned_as_it_was_accepted_is_not_written_again(tmp_path: Path, store: SqliteStorage) -> None:
    """Its row is the one that the acceptance wrote, whatever parts it is learned and applied in."""
    entries = tuple(tweet(BOB, number) for number in range(1, 9))
    store.commit([vote(1, Vote(ballot(1), ballot(1), entries))])
    written = checksums(tmp_path)
    store.commit([learn(3, *entries[2:5])])
    store.commit([*settle(1, *entries[:2]), apply(3, *entries[2:4])])
    assert len(written) == 1
    assert checksums(tmp_path) == written
    store.commit([learn(6, *entries[5:]), apply(5, *entries[4:])])
    assert checksums(tmp_path) == written
    assert store.scrub(Slot(0), 100) is None


def test_a_commit_touches_as_many_rows_as_it_changes(tmp_path: Path, store: SqliteStorage) -> None:
    """A promise in the middle of a long run cuts that run, and no other."""
    for first in range(1, 101, 10):
        entries = tuple(tweet(BOB, number) for number in range(first, first + 10))
        store.commit([vote(first, Vote(ballot(1), ballot(1), entries))])
    before = checksums(tmp_path)
    store.commit([vote(55, Vote(ballot(2), ballot(1), (tweet(BOB, 55),)))])
    after = checksums(tmp_path)
    assert {first for first in after if after[first] != before.get(first)} == {51, 55, 56}
    assert before.keys() - after.keys() == set()


def test_however_many_are_written_together_a_row_stays_short(tmp_path: Path, store: SqliteStorage) -> None:
    """A thousand events, queued at once and proposed some at a time: nothing is written over and over."""
    run = EventRun(1, tuple(tweet(ALICE, number).body for number in range(1, 1_001)), EventState.QUEUED)
    store.commit([WriteEvents(run)])
    with closing(apsw.Connection(str(tmp_path / "site.db"))) as db:
        tail = Reader(db, tmp_path / "site.db").tail()
    for first in range(1, 1_001, 40):
        proposed = replace(run.cut(first, first + 39), state=EventState.PROPOSED, slot=Slot(first))
        written = [rows.events_of(values) for *values, _ in tail.advance([WriteEvents(proposed)]).puts[EVENTS]]
        assert sum(kept.last - kept.first + 1 for kept in written) <= 2 * ROW_MAX


def test_a_long_run_is_the_same_in_several_rows(tmp_path: Path, store: SqliteStorage) -> None:
    entries = tuple(tweet(ALICE, number) for number in range(1, 601))
    store.commit([vote(1, Vote(ballot(1), ballot(1), entries))])
    written = checksums(tmp_path)
    assert sorted(written) == [1, 257, 513]
    store.commit(settle(1, *entries))
    assert checksums(tmp_path) == written
    store.commit([learn(701, *entries)])
    assert sorted(checksums(tmp_path)) == [1, 257, 513, 701, 957, 1213]
    store.commit([WriteEvents(EventRun(1, tuple(entry.body for entry in entries), EventState.CREATED, Slot(1)))])
    assert [row.body for row in store.events(None, 1_000)] == [entry.body for entry in entries]
    assert [entry for run in store.learned(Slot(1), Slot(600), 1_000_000) for entry in run.entries] == list(entries)


def test_an_event_that_the_log_does_not_have_is_refused_by_row_d3(tmp_path: Path) -> None:
    """Its text is nowhere else."""
    with closing(open_sample(tmp_path)) as store:
        store.commit([*settle(1, tweet(BOB, 1), tweet(ALICE, 1)), event(1, EventState.CREATED, 1)])
        with pytest.raises(
            StoreDamaged, match="table events, first 1: created, but slot 1 of the log has no such event"
        ):
            store.events(None, 5)
