"""What every implementation of the Storage protocol keeps (D1, D5, and what the core builds on).

A disk is a place that a store can be opened on again. Each implementation has an entry in DISKS and passes all of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from engine.core.entry import NOOP, Block, Entry, Kind, Stamped, Withdrawal, encode
from engine.core.ids import NUMBER_MAX, STORE_ID, Ballot, Round, SiteId, Slot, StoreId
from engine.core.run import Run
from engine.core.storage import (
    NO_VOTE,
    EventRow,
    EventRun,
    EventState,
    LogRow,
    Loss,
    PeerMemory,
    RangePromise,
    SlotText,
    Standing,
    Storage,
    StoreError,
    Vote,
    Voted,
    Write,
    WriteApplied,
    WriteBlock,
    WriteEvents,
    WriteEvidence,
    WriteNumbers,
    WritePeer,
    WriteRanges,
    WriteRound,
    WriteStanding,
    WriteVote,
)
from tests.storage.samples import (
    ALICE,
    AT_MS,
    BOB,
    CAROL,
    a_row_in_each_table,
    accepted,
    apply,
    apply_void,
    ballot,
    event,
    learn,
    open_sample,
    promised,
    settle,
    settle_voted,
    tweet,
    vote,
)

Opener = Callable[[], Storage]

DISKS: Final[dict[str, Callable[[Path], Opener]]] = {
    "sqlite": lambda folder: lambda: open_sample(folder),
}


class Disk:
    """Opens the one store on it, and closes the one opened before."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._opened: Storage | None = None

    def open(self) -> Storage:
        self.close()
        self._opened = self._opener()
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


@pytest.fixture(params=list(DISKS))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(DISKS[request.param](tmp_path))
    yield disk
    disk.close()


@pytest.fixture
def store(disk: Disk) -> Storage:
    return disk.open()


def page(store: Storage) -> list[LogRow]:
    return store.log_rows(Slot(1), Slot(NUMBER_MAX))


def ten_tweets() -> list[Write]:
    """Slots 1 to 10: alice, bob and carol in turn, each with the text `tweet SLOT`."""
    return [
        write
        for slot in range(1, 11)
        for write in settle(slot, tweet((ALICE, BOB, CAROL)[(slot - 1) % 3], (slot + 2) // 3, f"tweet {slot}"))
    ]


# --- the whole store


def test_a_new_store_is_empty_and_no_voter_d5(store: Storage) -> None:
    stored = store.load()
    assert STORE_ID.match(stored.life)
    assert (stored.commit, stored.standing, stored.round, stored.number_max) == (0, Standing.NEW, 0, 0)
    assert (stored.prefix, stored.used_max, stored.votes, stored.ahead, stored.ranges) == (0, 0, (), (), ())
    assert (stored.blocks, stored.last_in_effect, stored.open_events, stored.peers) == ({}, {}, (), {})
    assert page(store) == []


def test_the_life_of_a_store_stays_d5(disk: Disk) -> None:
    life = disk.open().load().life
    assert disk.open().load().life == life


def test_each_commit_raises_the_commit_number_by_one_d5(disk: Disk) -> None:
    store = disk.open()
    store.load()
    assert store.commit([WriteRound(Round(1))]) == 1
    assert store.commit([WriteRound(Round(2)), WriteRound(Round(3))]) == 2
    store = disk.open()
    assert store.load().commit == 2
    assert store.commit([WriteRound(Round(4))]) == 3


def test_nothing_to_write_is_no_commit(disk: Disk) -> None:
    store = disk.open()
    assert store.commit([]) == 0
    assert store.commit(ten_tweets()) == 1
    assert store.commit([]) == 1
    assert disk.open().load().commit == 1


def test_all_of_a_commit_comes_back_d1(disk: Disk) -> None:
    store = disk.open()
    store.load()
    store.commit(a_row_in_each_table())
    before, log = store.load(), page(store)
    store = disk.open()
    assert store.load() == before
    assert page(store) == log
    assert (before.prefix, before.used_max, before.number_max) == (3, 8, 8)
    run = Vote(ballot(0, CAROL), ballot(0, CAROL), (tweet(CAROL, 1), NOOP, tweet(CAROL, 2)))
    assert before.votes == (Voted(Slot(4), Slot(4), promised(3, BOB)), Voted(Slot(6), Slot(8), run))
    assert before.ahead == (Run(Slot(5), (tweet(BOB, 2),)),)
    assert [(row.slot, row.learned is not None, row.void) for row in log] == [
        *((slot, True, False) for slot in (1, 2, 3)),
        *((slot, slot == 5, None) for slot in (4, 5, 6, 7, 8)),
    ]


def test_what_was_loaded_is_a_picture(store: Storage) -> None:
    stored = store.load()
    store.commit(a_row_in_each_table())
    assert (stored.prefix, stored.votes, stored.blocks, stored.peers) == (0, (), {}, {})
    stored.blocks[CAROL, BOB] = Slot(99)
    assert (CAROL, BOB) not in store.load().blocks


def test_a_closed_store_is_refused_and_may_be_closed_again(store: Storage) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.commit([WriteRound(Round(1))])
    store.close()


# --- votes


@pytest.mark.parametrize(
    "voted",
    [
        promised(1),
        accepted(0, tweet(BOB, 1), BOB),
        Vote(ballot(12, CAROL), ballot(3, BOB), (tweet(BOB, 1, "é" * 280),)),
        accepted(1, NOOP),
        Vote(
            Ballot(Round(NUMBER_MAX), SiteId("a-1")),
            Ballot(Round(NUMBER_MAX), SiteId("a-1")),
            (tweet(BOB, NUMBER_MAX), NOOP, tweet(CAROL, 1)),
        ),
    ],
    ids=str,
)
def test_a_vote_comes_back_as_it_was_a2_b2(disk: Disk, voted: Vote) -> None:
    disk.open().commit([vote(7, promised(0)), vote(7, voted)])
    last = Slot(6 + max(1, len(voted.entries)))
    assert disk.open().load().votes == (Voted(Slot(7), last, voted),)


def run_vote(round_: int, *numbers: int) -> Vote:
    """Of bob's events of these numbers."""
    return Vote(ballot(round_), ballot(round_), tuple(tweet(BOB, number) for number in numbers))


@pytest.mark.parametrize("together", [True, False])
def test_a_run_is_cut_where_its_slots_stand_differently_a2_a3(disk: Disk, together: bool) -> None:
    """A promise in its middle, an accept over its end, a promise of nothing accepted."""
    raised = Vote(ballot(2), ballot(1), (tweet(BOB, 3),))
    writes = [vote(1, run_vote(1, 1, 2, 3, 4, 5)), vote(3, raised), vote(5, run_vote(4, 9, 8)), vote(9, promised(3))]
    store = disk.open()
    for commit in [writes] if together else [[write] for write in writes]:
        store.commit(commit)
    assert disk.open().load().votes == (
        Voted(Slot(1), Slot(2), run_vote(1, 1, 2)),
        Voted(Slot(3), Slot(3), raised),
        Voted(Slot(4), Slot(4), run_vote(1, 4)),
        Voted(Slot(5), Slot(6), run_vote(4, 9, 8)),
        Voted(Slot(9), Slot(9), promised(3)),
    )


def test_a_promise_of_many_slots_is_one_and_is_cut_too_a3(disk: Disk) -> None:
    store = disk.open()
    store.commit([WriteVote(Slot(3), Slot(9), promised(1))])
    store.commit([vote(5, accepted(2, NOOP))])
    assert disk.open().load().votes == (
        Voted(Slot(3), Slot(4), promised(1)),
        Voted(Slot(5), Slot(5), accepted(2, NOOP)),
        Voted(Slot(6), Slot(9), promised(1)),
    )
    assert [row.slot for row in page(disk.open())] == list(range(3, 10))


def test_a_promise_uses_nothing_r4(store: Storage) -> None:
    store.commit([vote(9, promised(1)), vote(3, run_vote(1, 1, 2))])
    assert store.load().used_max == 4
    store.commit([learn(6, NOOP)])
    assert store.load().used_max == 6


def test_range_promises_replace_those_before_a3(disk: Disk) -> None:
    three = (
        RangePromise(Slot(1), Slot(5), ballot(1)),
        RangePromise(Slot(6), Slot(NUMBER_MAX), ballot(0, BOB)),
        RangePromise(Slot(7), None, ballot(2, CAROL)),
    )
    store = disk.open()
    store.commit([WriteRanges(three)])
    store.commit([WriteRanges(three[:1]), WriteRanges(three[1:])])
    assert disk.open().load().ranges == three[1:]


# --- the log


@pytest.mark.parametrize("learned", [NOOP, tweet(BOB, 1)], ids=["noop", "tweet"])
@pytest.mark.parametrize(
    "voted",
    [None, promised(2), accepted(1, NOOP), accepted(1, tweet(BOB, 1)), accepted(0, tweet(CAROL, 1))],
    ids=str,
)
@pytest.mark.parametrize("together", [True, False])
def test_a_learned_slot_keeps_what_was_accepted_there(
    disk: Disk, learned: Entry, voted: Vote | None, together: bool
) -> None:
    store = disk.open()
    votes: list[Write] = [] if voted is None else [vote(1, voted)]
    for commit in ([*votes, learn(1, learned)],) if together else (votes, [learn(1, learned)]):
        store.commit(commit)
    store = disk.open()
    assert page(store) == [LogRow(Slot(1), voted or NO_VOTE, learned, None)]
    store.commit([apply(1, learned)])
    assert page(disk.open()) == [LogRow(Slot(1), voted or NO_VOTE, learned, False)]
    assert disk.open().voted(Slot(1)) == (voted or NO_VOTE)


@pytest.mark.parametrize("together", [True, False])
def test_a_run_that_is_learned_in_parts_keeps_every_vote(disk: Disk, together: bool) -> None:
    """Learned as it was accepted in the middle, otherwise at the end, and where nothing was voted."""
    accepted_run = run_vote(1, 1, 2, 3, 4)
    other = tweet(CAROL, 1)
    writes: list[Write] = [
        vote(1, accepted_run),
        learn(2, tweet(BOB, 2)),
        learn(3, tweet(BOB, 3), other, NOOP),
        learn(1, tweet(BOB, 1)),
        apply(1, tweet(BOB, 1)),
        apply(2, tweet(BOB, 2), tweet(BOB, 3)),
    ]
    store = disk.open()
    for commit in [writes] if together else [[write] for write in writes]:
        store.commit(commit)
    store = disk.open()
    learned = [tweet(BOB, 1), tweet(BOB, 2), tweet(BOB, 3), other, NOOP]
    votes = [*(run_vote(1, number) for number in (1, 2, 3, 4)), NO_VOTE]
    assert page(store) == [
        LogRow(Slot(slot), voted, entry, False if slot <= 3 else None)
        for slot, (voted, entry) in enumerate(zip(votes, learned, strict=True), 1)
    ]
    stored = store.load()
    assert (stored.prefix, stored.used_max, stored.votes) == (3, 5, ())
    assert [entry for run in stored.ahead for _, entry in run] == [other, NOOP]
    store.commit([apply(4, other, NOOP), vote(6, promised(1))])
    assert [row.void for row in page(disk.open())] == [False] * 5 + [None]
    assert [entry for run in disk.open().learned(Slot(2), Slot(5), 1_000) for entry in run.entries] == learned[1:]


def test_a_run_that_is_cut_where_the_prefix_ends_is_two_rows_of_which_a_start_needs_one_a2_d3(disk: Disk) -> None:
    first, second = tweet(ALICE, 1), tweet(ALICE, 2)
    disk.open().commit([vote(1, Vote(ballot(1), ballot(1), (first, second)))])
    disk.open().commit(settle(1, first))
    disk.open().commit([vote(2, Vote(ballot(2, BOB), ballot(1), (second,)))])
    stored = disk.open().load()
    assert stored.votes == (Voted(Slot(2), Slot(2), Vote(ballot(2, BOB), ballot(1), (second,))),)
    assert disk.open().voted(Slot(1)) == Vote(ballot(1), ballot(1), (first,))


def test_a_slot_is_voted_on_learned_and_applied_in_one_commit(disk: Disk) -> None:
    entry = tweet(ALICE, 1)
    disk.open().commit(settle_voted(1, entry, accepted(1, entry)))
    store = disk.open()
    assert page(store) == [LogRow(Slot(1), accepted(1, entry), entry, False)]
    stored = store.load()
    assert (stored.prefix, stored.votes, stored.ahead, stored.last_in_effect) == (1, (), (), {ALICE: 1})


def test_the_prefix_passes_slots_learned_earlier_r2(store: Storage) -> None:
    store.commit([learn(2, tweet(BOB, 1)), learn(3, NOOP)])
    assert store.load().prefix == 0
    store.commit([*settle(1, NOOP), apply(2, tweet(BOB, 1)), apply(3, NOOP)])
    stored = store.load()
    assert (stored.prefix, stored.ahead) == (3, ())


def test_a_void_entry_changes_no_last_number_e5(store: Storage) -> None:
    store.commit(settle(1, tweet(BOB, 4)))
    store.commit([learn(2, tweet(BOB, 9)), apply_void(2)])
    assert store.load().last_in_effect == {BOB: 4}
    assert [row.void for row in page(store)] == [False, True]
    withdrawal = Entry(BOB, 5, 4, encode(Stamped(Withdrawal(), AT_MS)))
    store.commit(settle(3, withdrawal))
    assert store.load().last_in_effect == {BOB: 5}
    assert store.timeline_count(frozenset()) == (1, 0)


def test_what_is_void_of_a_run_is_kept_apart_e5(disk: Disk) -> None:
    """The run is cut afterwards, above the void slots."""
    run = run_vote(1, 1, 7, 2, 9, 3, 4)
    store = disk.open()
    store.commit([vote(1, run), learn(1, *run.entries[:4])])
    in_effect = apply(1, run.entries[0], run.entries[2]).authors
    store.commit([WriteApplied(Slot(1), Slot(4), (Slot(2), Slot(4)), in_effect)])
    store.commit([vote(6, promised(2))])
    assert [row.void for row in page(disk.open())] == [False, True, False, True, None, None]
    assert [row.slot for row in disk.open().timeline(frozenset(), 9, None)] == [1, 3]


@pytest.mark.parametrize(
    ("rule", "writes"),
    [
        ("R1", [learn(1, tweet(BOB, 1))]),
        ("R1", [learn(4, NOOP)]),
        ("R1", [learn(2, NOOP, NOOP, NOOP)]),
        ("R1", [vote(1, accepted(9, NOOP))]),
        ("R1", [vote(4, accepted(9, NOOP))]),
        ("R1", [WriteVote(Slot(3), Slot(9), promised(9))]),
        ("R2", [apply(1, NOOP)]),
        ("R2", [learn(3, NOOP), apply(3, NOOP)]),
        ("R1", [apply(2, NOOP)]),
        ("R1", [learn(2, NOOP), apply(2, NOOP, NOOP)]),
        ("B1", [WriteRound(Round(4))]),
        ("E1", [WriteNumbers(6)]),
        ("half", [vote(9, Vote(ballot(1), ballot(1), ()))]),
        ("half", [WriteVote(Slot(9), Slot(10), accepted(1, NOOP))]),
    ],
)
def test_a_commit_that_breaks_a_rule_leaves_nothing(disk: Disk, rule: str, writes: Sequence[Write]) -> None:
    store = disk.open()
    store.commit([*settle(1, NOOP), learn(4, tweet(BOB, 1)), WriteRound(Round(5)), WriteNumbers(7)])
    before = store.load()
    with pytest.raises(AssertionError, match=rule):
        store.commit([vote(8, accepted(1, NOOP)), *writes])
    assert disk.open().load() == before


@pytest.mark.parametrize("run_slots", [1, 2, 5])
def test_learned_pages_hold_a_budget_of_utf8_bytes_a4(store: Storage, run_slots: int) -> None:
    entries = [tweet(ALICE, number, "é" * 40) for number in range(1, 6)]
    size = len(entries[0].body.encode())
    for first in range(0, 5, run_slots):
        store.commit(settle(first + 1, *entries[first : first + run_slots]))

    def learned(first: int, last: int, bytes_max: int) -> list[Entry]:
        runs = store.learned(Slot(first), Slot(last), bytes_max)
        found = [pair for run in runs for pair in run]
        assert [slot for slot, _ in found] == list(range(first, first + len(found)))
        return [entry for _, entry in found]

    assert learned(1, 5, 5 * size) == entries
    assert learned(2, 5, 3 * size - 1) == entries[1:3]
    assert learned(2, 5, 3 * size) == entries[1:4]
    assert learned(2, 3, 5 * size) == entries[1:3]
    assert learned(4, 5, 0) == entries[3:4]


def test_log_rows_are_the_stored_slots_ascending(store: Storage) -> None:
    store.commit([*ten_tweets(), learn(13, NOOP), vote(15, promised(1))])

    def slots(first: int, last: int) -> list[int]:
        return [row.slot for row in store.log_rows(Slot(first), Slot(last))]

    assert slots(1, NUMBER_MAX) == [*range(1, 11), 13, 15]
    assert slots(3, 5) == [3, 4, 5]
    assert slots(11, 12) == []
    assert slots(1, 0) == []
    assert slots(5, 3) == []
    assert [row.void for row in store.log_rows(Slot(10), Slot(15))] == [False, None, None]


# --- the timeline


def test_the_timeline_is_the_newest_tweets_in_effect_ascending(store: Storage) -> None:
    store.commit(ten_tweets())
    block = Entry(BOB, 4, 3, encode(Stamped(Block(ALICE), AT_MS)))
    store.commit([*settle(11, NOOP), *settle(12, block), learn(13, tweet(CAROL, 9))])
    store.commit([apply_void(13), learn(15, tweet(CAROL, 4))])

    def slots(hidden: set[SiteId], limit: int, before: int | None) -> list[int]:
        return [row.slot for row in store.timeline(frozenset(hidden), limit, None if before is None else Slot(before))]

    assert slots(set(), 50, None) == list(range(1, 11))
    assert slots(set(), 3, None) == [8, 9, 10]
    assert slots(set(), 3, 8) == [5, 6, 7]
    assert slots(set(), 3, 1) == []
    assert slots(set(), 0, None) == []
    assert slots({ALICE}, 3, None) == [6, 8, 9]
    assert slots({ALICE, BOB, CAROL}, 3, None) == []
    assert store.timeline(frozenset(), 1, None) == [LogRow(Slot(10), NO_VOTE, tweet(ALICE, 4, "tweet 10"), False)]


def test_the_timeline_counts_what_a_reader_sees_and_what_blocks_hide(store: Storage) -> None:
    assert store.timeline_count(frozenset({BOB})) == (0, 0)
    store.commit(ten_tweets())
    assert store.timeline_count(frozenset()) == (10, 0)
    assert store.timeline_count(frozenset({BOB})) == (7, 3)
    assert store.timeline_count(frozenset({ALICE, BOB, SiteId("nobody")})) == (3, 7)


def test_what_slots_say_is_the_learned_entry_else_the_accepted_one(store: Storage) -> None:
    store.commit([*settle(1, tweet(BOB, 4, "hello")), learn(2, tweet(BOB, 9)), apply_void(2)])
    store.commit([*settle(3, NOOP), learn(5, tweet(ALICE, 2)), vote(6, accepted(1, tweet(CAROL, 1)))])
    store.commit([vote(7, promised(3, BOB))])
    assert store.texts(Slot(1), Slot(7)) == [
        SlotText(Slot(1), True, False, True, BOB, tweet(BOB, 4, "hello").body),
        SlotText(Slot(2), True, True, False, BOB, tweet(BOB, 9).body),
        SlotText(Slot(3), True, False, False, None, ""),
        SlotText(Slot(5), True, False, False, ALICE, tweet(ALICE, 2).body),
        SlotText(Slot(6), False, False, False, CAROL, tweet(CAROL, 1).body),
        SlotText(Slot(7), False, False, False, None, None),
    ]
    assert [each.slot for each in store.texts(Slot(2), Slot(5))] == [2, 3, 5]


def test_the_block_table_follows_its_writes_r2(disk: Disk) -> None:
    store = disk.open()
    store.commit([WriteBlock(ALICE, BOB, Slot(1)), WriteBlock(BOB, ALICE, Slot(2)), WriteBlock(CAROL, BOB, Slot(3))])
    store.commit([WriteBlock(ALICE, BOB, None), WriteBlock(BOB, ALICE, None), WriteBlock(BOB, ALICE, Slot(9))])
    assert disk.open().load().blocks == {(BOB, ALICE): 9, (CAROL, BOB): 3}


# --- what the site remembers besides the log


def test_the_round_is_durable_b1(disk: Disk) -> None:
    disk.open().commit([WriteRound(Round(3)), WriteRound(Round(3)), WriteRound(Round(NUMBER_MAX))])
    assert disk.open().load().round == NUMBER_MAX


def test_reserved_numbers_are_durable_e1(disk: Disk) -> None:
    disk.open().commit([WriteNumbers(64), event(1, EventState.QUEUED)])
    assert disk.open().load().number_max == 64
    disk.open().commit([WriteNumbers(128)])
    assert disk.open().load().number_max == 128


EVENTS: Final = (
    EventRow(1, tweet(ALICE, 1).body, EventState.QUEUED),
    EventRow(2, tweet(ALICE, 2).body, EventState.PROPOSED, Slot(4)),
    EventRow(3, tweet(ALICE, 3).body, EventState.UNKNOWN, Slot(5), "no answer from a majority"),
    EventRow(4, tweet(ALICE, 4).body, EventState.CREATED, Slot(1)),
    EventRow(5, tweet(ALICE, 5).body, EventState.LOST, Slot(7), None, BOB, Kind.TWEET),
    EventRow(6, tweet(ALICE, 6).body, EventState.LOST, Slot(8), None, None, Kind.NOOP),
    EventRow(9, tweet(ALICE, 9).body, EventState.NOT_CREATED, None, "no quorum: 1 of 3 reachable, 2 needed"),
)
"""The one that is created is in the log, at slot 1."""

IN_LOG: Final = settle(1, tweet(ALICE, 4), tweet(ALICE, 3))


def written(row: EventRow) -> WriteEvents:
    return WriteEvents(EventRun(row.number, (row.body,), row.state, row.slot, row.reason, row.to_author, row.to_kind))


def test_open_events_are_loaded_and_outcomes_are_not_e2(disk: Disk) -> None:
    disk.open().commit([*map(written, reversed(EVENTS)), *IN_LOG])
    store = disk.open()
    stored = store.load()
    assert [row for run in stored.open_events for row in run.rows()] == list(EVENTS[:3])
    store.commit([written(replace(EVENTS[2], state=EventState.CREATED, slot=Slot(2)))])
    stored = disk.open().load()
    assert [row for run in stored.open_events for row in run.rows()] == list(EVENTS[:2])


def test_events_are_those_asked_for_or_the_newest_ascending(store: Storage) -> None:
    store.commit([*map(written, EVENTS), *IN_LOG])
    assert store.events(None, 50) == list(EVENTS)
    assert store.events(None, 2) == list(EVENTS[-2:])
    assert store.events([9, 2, 7, 2, 4], 1) == [EVENTS[1], EVENTS[3], EVENTS[-1]]
    assert store.events([], 50) == []
    assert store.events(None, 0) == []


@pytest.mark.parametrize("together", [True, False])
def test_a_run_of_events_is_cut_where_they_come_to_different_ends_e2(disk: Disk, together: bool) -> None:
    entries = [tweet(ALICE, number) for number in range(1, 7)]
    bodies = tuple(entry.body for entry in entries)
    six = EventRun(1, bodies, EventState.PROPOSED, Slot(11))
    writes = [
        WriteEvents(replace(six, state=EventState.QUEUED, slot=None)),
        WriteEvents(six),
        WriteEvents(replace(six.cut(2, 3), state=EventState.CREATED)),
        WriteEvents(replace(six.cut(5, 5), state=EventState.LOST, to_author=BOB, to_kind=Kind.TWEET)),
    ]
    store = disk.open()
    store.commit(settle(1, *[NOOP] * 10, *entries))
    for commit in [writes] if together else [[write] for write in writes]:
        store.commit(commit)
    assert disk.open().load().open_events == (six.cut(1, 1), six.cut(4, 4), six.cut(6, 6))
    rows = [EventRow(number, body, EventState.PROPOSED, Slot(10 + number)) for number, body in enumerate(bodies, 1)]
    for number in (2, 3):
        rows[number - 1] = replace(rows[number - 1], state=EventState.CREATED)
    rows[4] = replace(rows[4], state=EventState.LOST, to_author=BOB, to_kind=Kind.TWEET)
    store = disk.open()
    assert store.events(None, 9) == rows
    assert store.events(None, 4) == rows[2:]
    assert store.events([1, 3, 6], 9) == [rows[0], rows[2], rows[5]]


def test_peers_and_standing_are_durable_d5(disk: Disk) -> None:
    first, second = PeerMemory(BOB, StoreId("0" * 16), 3), PeerMemory(BOB, StoreId("f" * 16), NUMBER_MAX)
    carol = PeerMemory(CAROL, StoreId("1" * 16), 0)
    disk.open().commit([WritePeer(first), WritePeer(carol), WritePeer(second)])
    disk.open().commit(
        [WriteStanding(Standing.ADMITTED, "bob and carol"), WriteStanding(Standing.LEARNER, "why", Loss.OLD_STORE)]
    )
    stored = disk.open().load()
    assert stored.peers == {BOB: second, CAROL: carol}
    assert (stored.standing, stored.standing_why, stored.loss) == (Standing.LEARNER, "why", Loss.OLD_STORE)


def test_evidence_is_taken_a2_r1(store: Storage) -> None:
    assert store.commit([WriteEvidence("A2", "two entries at 2.bob"), WriteEvidence("R1", "…")]) == 1


# --- the paced check


@pytest.mark.parametrize("slots_max", [1, 3, 10, 11, 100])
def test_scrub_goes_once_over_the_log_in_bounded_steps_d3(store: Storage, slots_max: int) -> None:
    store.commit([*ten_tweets(), learn(13, NOOP)])
    assert len(scrubbed(store, slots_max)) == 11 // slots_max


@pytest.mark.parametrize(
    ("slots_max", "ends"), [(1, [1, 5, 9, 13]), (5, [5, 13]), (8, [5]), (9, [9]), (13, [13]), (14, [])]
)
def test_scrub_takes_a_run_whole_d3(store: Storage, slots_max: int, ends: list[int]) -> None:
    for first in (1, 5, 9):
        store.commit(settle(first, *(tweet(BOB, number) for number in range(first, first + 4))))
    store.commit([learn(13, NOOP)])
    assert scrubbed(store, slots_max) == ends


def scrubbed(store: Storage, slots_max: int) -> list[int]:
    """How far each step came but the last."""
    steps: list[int] = [0]
    while (checked := store.scrub(Slot(steps[-1]), slots_max)) is not None:
        assert checked > steps[-1]
        steps.append(checked)
    return steps[1:]
