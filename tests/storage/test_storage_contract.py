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
from engine.core.messages import LearnedSlot
from engine.core.storage import (
    NO_VOTE,
    EventRow,
    EventState,
    LogRow,
    PeerMemory,
    RangePromise,
    SlotText,
    Standing,
    Storage,
    StoreError,
    Vote,
    Write,
    WriteApplied,
    WriteBlock,
    WriteEvent,
    WriteEvidence,
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
    ballot,
    learn,
    open_sample,
    settle,
    tweet,
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
    return store.log_page(Slot(1), Slot(NUMBER_MAX), 1_000)


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
    assert (stored.prefix, stored.used_max, stored.votes, stored.ahead, stored.ranges) == (0, 0, {}, {}, ())
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
    assert (before.prefix, before.used_max) == (3, 6)
    assert before.votes == {4: Vote(ballot(3, BOB), None, None), 6: accepted(0, tweet(CAROL, 1), CAROL)}
    assert before.ahead == {5: tweet(BOB, 2)}


def test_what_was_loaded_is_a_picture(store: Storage) -> None:
    stored = store.load()
    store.commit(a_row_in_each_table())
    assert (stored.prefix, stored.votes, stored.blocks, stored.peers) == (0, {}, {}, {})
    stored.votes[Slot(99)] = NO_VOTE
    assert 99 not in store.load().votes


def test_a_closed_store_is_refused_and_may_be_closed_again(store: Storage) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.commit([WriteRound(Round(1))])
    store.close()


# --- votes


@pytest.mark.parametrize(
    "vote",
    [
        Vote(ballot(1), None, None),
        Vote(ballot(0, BOB), ballot(0, BOB), tweet(BOB, 1)),
        Vote(ballot(12, CAROL), ballot(3, BOB), tweet(BOB, 1, "é" * 280)),
        Vote(ballot(1), ballot(1), NOOP),
        Vote(
            Ballot(Round(NUMBER_MAX), SiteId("a-1")), Ballot(Round(NUMBER_MAX), SiteId("a-1")), tweet(BOB, NUMBER_MAX)
        ),
    ],
    ids=str,
)
def test_a_vote_comes_back_as_it_was_a2_b2(disk: Disk, vote: Vote) -> None:
    disk.open().commit([WriteVote(Slot(7), Vote(ballot(0), None, None)), WriteVote(Slot(7), vote)])
    assert disk.open().load().votes == {7: vote}


def test_a_promise_uses_nothing_r4(store: Storage) -> None:
    store.commit([WriteVote(Slot(9), Vote(ballot(1), None, None)), WriteVote(Slot(4), accepted(1, NOOP))])
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
    "vote",
    [NO_VOTE, Vote(ballot(2), None, None), accepted(1, NOOP), accepted(1, tweet(BOB, 1)), accepted(0, tweet(CAROL, 1))],
    ids=str,
)
def test_a_learned_slot_keeps_what_was_accepted_there(disk: Disk, learned: Entry, vote: Vote) -> None:
    disk.open().commit([learn(1, learned, vote)])
    store = disk.open()
    assert page(store) == [LogRow(Slot(1), vote, learned, None)]
    store.commit([apply(1, learned)])
    assert page(disk.open()) == [LogRow(Slot(1), vote, learned, False)]


def test_a_slot_is_voted_on_learned_and_applied_in_one_commit(disk: Disk) -> None:
    entry = tweet(ALICE, 1)
    disk.open().commit([WriteVote(Slot(1), accepted(1, entry)), *settle(1, entry, accepted(1, entry))])
    store = disk.open()
    assert page(store) == [LogRow(Slot(1), accepted(1, entry), entry, False)]
    stored = store.load()
    assert (stored.prefix, stored.votes, stored.ahead, stored.last_in_effect) == (1, {}, {}, {ALICE: 1})


def test_the_prefix_passes_slots_learned_earlier_r2(store: Storage) -> None:
    store.commit([learn(2, tweet(BOB, 1)), learn(3, NOOP)])
    assert store.load().prefix == 0
    store.commit([*settle(1, NOOP), apply(2, tweet(BOB, 1)), apply(3, NOOP)])
    stored = store.load()
    assert (stored.prefix, stored.ahead) == (3, {})


def test_a_void_entry_changes_no_last_number_e5(store: Storage) -> None:
    store.commit(settle(1, tweet(BOB, 4)))
    store.commit([learn(2, tweet(BOB, 9)), WriteApplied(Slot(2), tweet(BOB, 9), void=True, shown=False)])
    assert store.load().last_in_effect == {BOB: 4}
    assert [row.void for row in page(store)] == [False, True]
    withdrawal = Entry(BOB, 5, 4, encode(Stamped(Withdrawal(), AT_MS)))
    store.commit(settle(3, withdrawal))
    assert store.load().last_in_effect == {BOB: 5}
    assert store.timeline_count(frozenset()) == (1, 0)


@pytest.mark.parametrize(
    ("rule", "writes"),
    [
        ("R1", [learn(1, tweet(BOB, 1))]),
        ("R1", [learn(4, NOOP)]),
        ("R1", [WriteVote(Slot(1), accepted(9, NOOP))]),
        ("R1", [WriteVote(Slot(4), accepted(9, NOOP))]),
        ("R2", [apply(1, NOOP)]),
        ("R2", [learn(3, NOOP), apply(3, NOOP)]),
        ("R1", [apply(2, NOOP)]),
        ("R1", [learn(2, NOOP), apply(2, tweet(BOB, 1))]),
        ("B1", [WriteRound(Round(4))]),
        ("half", [WriteVote(Slot(9), Vote(ballot(1), ballot(1), None))]),
    ],
)
def test_a_commit_that_breaks_a_rule_leaves_nothing(disk: Disk, rule: str, writes: Sequence[Write]) -> None:
    store = disk.open()
    store.commit([*settle(1, NOOP), learn(4, tweet(BOB, 1)), WriteRound(Round(5))])
    before = store.load()
    with pytest.raises(AssertionError, match=rule):
        store.commit([WriteVote(Slot(8), accepted(1, NOOP)), *writes])
    assert disk.open().load() == before


def test_learned_pages_hold_a_budget_of_utf8_bytes_a4(store: Storage) -> None:
    entries = [tweet(ALICE, number, "é" * 40) for number in range(1, 6)]
    size = len(entries[0].body.encode())
    store.commit([write for slot, entry in enumerate(entries, 1) for write in settle(slot, entry)])
    expected = [LearnedSlot(Slot(slot), entry) for slot, entry in enumerate(entries, 1)]
    assert list(store.learned(Slot(1), Slot(5), 5 * size)) == expected
    assert list(store.learned(Slot(2), Slot(5), 3 * size - 1)) == expected[1:3]
    assert list(store.learned(Slot(2), Slot(5), 3 * size)) == expected[1:4]
    assert list(store.learned(Slot(2), Slot(3), 5 * size)) == expected[1:3]
    assert list(store.learned(Slot(4), Slot(5), 0)) == expected[3:4]


def test_a_log_page_is_the_newest_stored_slots_ascending(store: Storage) -> None:
    store.commit([*ten_tweets(), learn(13, NOOP), WriteVote(Slot(15), Vote(ballot(1), None, None))])

    def slots(first: int, last: int, limit: int) -> list[int]:
        return [row.slot for row in store.log_page(Slot(first), Slot(last), limit)]

    assert slots(1, NUMBER_MAX, 4) == [9, 10, 13, 15]
    assert slots(1, NUMBER_MAX, 1_000) == [*range(1, 11), 13, 15]
    assert slots(3, 5, 10) == [3, 4, 5]
    assert slots(3, 5, 2) == [4, 5]
    assert slots(11, 12, 5) == []
    assert slots(1, 10, 0) == []
    assert [row.void for row in store.log_page(Slot(10), Slot(15), 9)] == [False, None, None]


# --- the timeline


def test_the_timeline_is_the_newest_tweets_in_effect_ascending(store: Storage) -> None:
    store.commit(ten_tweets())
    block = Entry(BOB, 4, 3, encode(Stamped(Block(ALICE), AT_MS)))
    store.commit([*settle(11, NOOP), *settle(12, block), learn(13, tweet(CAROL, 9))])
    store.commit([WriteApplied(Slot(13), tweet(CAROL, 9), void=True, shown=False), learn(15, tweet(CAROL, 4))])

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
    store.commit([*settle(1, tweet(BOB, 4, "hello")), learn(2, tweet(BOB, 9)), apply_void(2, tweet(BOB, 9))])
    store.commit([*settle(3, NOOP), learn(5, tweet(ALICE, 2)), WriteVote(Slot(6), accepted(1, tweet(CAROL, 1)))])
    store.commit([WriteVote(Slot(7), Vote(ballot(3, BOB), None, None))])
    assert store.texts(Slot(1), Slot(7)) == [
        SlotText(Slot(1), True, False, True, BOB, tweet(BOB, 4, "hello").body),
        SlotText(Slot(2), True, True, False, BOB, tweet(BOB, 9).body),
        SlotText(Slot(3), True, False, False, None, ""),
        SlotText(Slot(5), True, False, False, ALICE, tweet(ALICE, 2).body),
        SlotText(Slot(6), False, False, False, CAROL, tweet(CAROL, 1).body),
        SlotText(Slot(7), False, False, False, None, None),
    ]
    assert [each.slot for each in store.texts(Slot(2), Slot(5))] == [2, 3, 5]


def apply_void(slot: int, entry: Entry) -> WriteApplied:
    return WriteApplied(Slot(slot), entry, void=True, shown=False)


def test_the_block_table_follows_its_writes_r2(disk: Disk) -> None:
    store = disk.open()
    store.commit([WriteBlock(ALICE, BOB, Slot(1)), WriteBlock(BOB, ALICE, Slot(2)), WriteBlock(CAROL, BOB, Slot(3))])
    store.commit([WriteBlock(ALICE, BOB, None), WriteBlock(BOB, ALICE, None), WriteBlock(BOB, ALICE, Slot(9))])
    assert disk.open().load().blocks == {(BOB, ALICE): 9, (CAROL, BOB): 3}


# --- what the site remembers besides the log


def test_the_round_is_durable_b1(disk: Disk) -> None:
    disk.open().commit([WriteRound(Round(3)), WriteRound(Round(3)), WriteRound(Round(NUMBER_MAX))])
    assert disk.open().load().round == NUMBER_MAX


EVENTS: Final = (
    EventRow(1, tweet(ALICE, 1).body, EventState.QUEUED),
    EventRow(2, tweet(ALICE, 2).body, EventState.PROPOSED, Slot(4)),
    EventRow(3, tweet(ALICE, 3).body, EventState.UNKNOWN, Slot(5), "no answer from a majority"),
    EventRow(4, tweet(ALICE, 4).body, EventState.CREATED, Slot(6)),
    EventRow(5, tweet(ALICE, 5).body, EventState.LOST, Slot(7), None, BOB, Kind.TWEET),
    EventRow(6, tweet(ALICE, 6).body, EventState.LOST, Slot(8), None, None, Kind.NOOP),
    EventRow(9, tweet(ALICE, 9).body, EventState.NOT_CREATED, None, "no quorum: 1 of 3 reachable, 2 needed"),
)


def test_open_events_are_loaded_and_outcomes_are_not_e2(disk: Disk) -> None:
    disk.open().commit([WriteEvent(event) for event in reversed(EVENTS)])
    store = disk.open()
    stored = store.load()
    assert stored.open_events == EVENTS[:3]
    assert stored.number_max == 9
    store.commit([WriteEvent(replace(EVENTS[2], state=EventState.CREATED))])
    stored = disk.open().load()
    assert stored.open_events == EVENTS[:2]
    assert stored.number_max == 9


def test_events_are_those_asked_for_or_the_newest_ascending(store: Storage) -> None:
    store.commit([WriteEvent(event) for event in EVENTS])
    assert store.events(None, 50) == list(EVENTS)
    assert store.events(None, 2) == list(EVENTS[-2:])
    assert store.events([9, 2, 7, 2], 1) == [EVENTS[1], EVENTS[-1]]
    assert store.events([], 50) == []


def test_peers_and_standing_are_durable_d5(disk: Disk) -> None:
    first, second = PeerMemory(BOB, StoreId("0" * 16), 3), PeerMemory(BOB, StoreId("f" * 16), NUMBER_MAX)
    carol = PeerMemory(CAROL, StoreId("1" * 16), 0)
    disk.open().commit([WritePeer(first), WritePeer(carol), WritePeer(second)])
    disk.open().commit(
        [WriteStanding(Standing.ADMITTED, "bob and carol"), WriteStanding(Standing.LEARNER, "lost disk")]
    )
    stored = disk.open().load()
    assert stored.peers == {BOB: second, CAROL: carol}
    assert (stored.standing, stored.standing_why) == (Standing.LEARNER, "lost disk")


def test_evidence_is_taken_a2_r1(store: Storage) -> None:
    assert store.commit([WriteEvidence("A2", "two entries at 2.bob"), WriteEvidence("R1", "…")]) == 1


# --- the paced check


@pytest.mark.parametrize("rows_max", [1, 3, 10, 11, 100])
def test_scrub_goes_once_over_the_log_in_bounded_steps_d3(store: Storage, rows_max: int) -> None:
    store.commit([*ten_tweets(), learn(13, NOOP)])
    steps: list[int] = [0]
    while (checked := store.scrub(Slot(steps[-1]), rows_max)) is not None:
        assert checked > steps[-1]
        steps.append(checked)
    assert len(steps) - 1 == 11 // rows_max
