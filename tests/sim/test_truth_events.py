"""The truth about events and the log fails whoever breaks its rule: each rule is broken here once (E1-E5, R2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.core.effects import SawNumbered, SawOutcome
from engine.core.entry import NOOP, Entry
from engine.core.ids import EventId, SiteId, Slot, StoreId
from engine.core.messages import HandOn
from engine.core.storage import EventRow, EventState, Stored
from engine.sim.image import Image
from engine.sim.truth.outcomes import Outcomes
from engine.sim.truth.replay import Replay
from engine.sim.violation import Judge, Violated
from engine.sim.world.disk import SimDisk

ALICE, BOB = SiteId("alice"), SiteId("bob")
FIRST, SECOND = "tweet 1 one", "tweet 2 two"


@contextmanager
def violates(rule: str) -> Iterator[None]:
    with pytest.raises(Violated) as caught:
        yield
    assert caught.value.violation.rule == rule


class Author:
    """One author's part: what its disk says, and what it tells."""

    def __init__(self) -> None:
        self.outcomes = Outcomes(Judge())
        self.image = Image(StoreId("0" * 16), number_max=8)
        for token, body in enumerate((FIRST, SECOND), 1):
            self.outcomes.submitted(ALICE, token, (body,))

    def records(self, number: int, body: str, state: EventState, slot: int | None = None) -> None:
        row = EventRow(number, body, state, None if slot is None else Slot(slot))
        self.image.events[number] = row
        self.outcomes.recorded(ALICE, row, self.image)

    def tells(self, number: int, outcome: EventState, slot: int | None = None) -> None:
        at = None if slot is None else Slot(slot)
        saw = SawOutcome(number, EventId(ALICE, number), outcome, at, None, None, None)
        for event in self.outcomes.told(ALICE, saw, self.image, self.image.prefix):
            event.told = outcome

    def takes_effect(self, slot: int, number: int, body: str, follows: int = 0) -> None:
        self.outcomes.in_effect(Slot(slot), Entry(ALICE, number, follows, body))


def stored(image: Image) -> Stored:
    disk = SimDisk("alice", image.life)
    disk.replace(image)
    return disk.load()


@pytest.fixture
def author() -> Author:
    return Author()


def test_e1_a_number_names_one_event(author: Author) -> None:
    author.records(1, FIRST, EventState.QUEUED)
    with violates("E1"):
        author.records(1, SECOND, EventState.QUEUED)


def test_e1_an_event_has_one_number(author: Author) -> None:
    author.records(1, FIRST, EventState.QUEUED)
    with violates("E1"):
        author.records(2, FIRST, EventState.QUEUED)


def test_e1_a_number_is_of_a_block_that_is_reserved(author: Author) -> None:
    author.records(8, FIRST, EventState.QUEUED)
    with violates("E1"):
        author.records(9, SECOND, EventState.QUEUED)


def test_e1_a_number_that_was_reserved_before_the_process_began_is_not_given_out(author: Author) -> None:
    author.image.commit = 1
    author.outcomes.started(ALICE, stored(author.image))
    author.image.number_max = 16
    with violates("E1"):
        author.records(8, FIRST, EventState.QUEUED)
    author.records(9, SECOND, EventState.QUEUED)


def test_l3_a_leader_s_own_event_may_leave_beside_its_commit_under_a_reserved_number(author: Author) -> None:
    entry = Entry(ALICE, 8, 0, FIRST)
    author.outcomes.pushed_beside(ALICE, Slot(1), entry, author.image)
    author.outcomes.pushed(BOB, Slot(1), entry)  # he found it in the promises; her commit may be lost
    author.takes_effect(1, 8, FIRST)
    with violates("E1"):
        author.outcomes.pushed_beside(ALICE, Slot(2), Entry(ALICE, 9, 8, SECOND), author.image)


def test_l3_what_a_leader_proposes_for_another_is_durable_there(author: Author) -> None:
    entry = Entry(ALICE, 1, 0, FIRST)
    with violates("E1"):
        author.outcomes.pushed_beside(BOB, Slot(1), entry, author.image)
    author.records(1, FIRST, EventState.QUEUED)
    with violates("D1"):
        author.outcomes.pushed_beside(BOB, Slot(1), entry, author.image)


def test_e1_an_event_takes_effect_once(author: Author) -> None:
    author.records(1, FIRST, EventState.PROPOSED, 1)
    author.takes_effect(1, 1, FIRST)
    with violates("E1"):
        author.takes_effect(2, 1, FIRST)


def test_e1_nothing_takes_effect_that_nobody_submitted(author: Author) -> None:
    author.records(1, FIRST, EventState.PROPOSED, 1)
    with violates("E1"):
        author.takes_effect(1, 1, "tweet 9 nobody's")


@pytest.mark.parametrize("on_disk", [None, SECOND])
def test_d1_a_number_is_told_once_the_disk_has_its_event_under_it(author: Author, on_disk: str | None) -> None:
    if on_disk is not None:
        author.records(1, on_disk, EventState.QUEUED)
    with violates("D1"):
        author.outcomes.numbered(ALICE, SawNumbered(1, EventId(ALICE, 1)), author.image)
    author.image.events[1] = EventRow(1, FIRST, EventState.QUEUED)
    author.outcomes.numbered(ALICE, SawNumbered(1, EventId(ALICE, 1)), author.image)


@pytest.mark.parametrize("said", [EventState.LOST, EventState.NOT_CREATED])
def test_e2_what_was_said_to_be_nowhere_never_takes_effect(author: Author, said: EventState) -> None:
    author.records(1, FIRST, EventState.PROPOSED, 1)
    author.records(1, FIRST, said, 1)
    with violates("E2"):
        author.takes_effect(1, 1, FIRST)


@pytest.mark.parametrize("said", [EventState.LOST, EventState.NOT_CREATED])
def test_e2_what_is_in_effect_is_not_said_to_be_nowhere(author: Author, said: EventState) -> None:
    author.records(1, FIRST, EventState.PROPOSED, 1)
    author.takes_effect(1, 1, FIRST)
    with violates("E2"):
        author.records(1, FIRST, said, 1)


def test_e2_created_names_the_slot_at_which_the_event_is_in_effect(author: Author) -> None:
    author.records(1, FIRST, EventState.PROPOSED, 1)
    author.takes_effect(1, 1, FIRST)
    author.image.prefix = Slot(2)
    with violates("E2"):
        author.records(1, FIRST, EventState.CREATED, 2)


def test_e2_a_final_outcome_never_changes(author: Author) -> None:
    author.records(1, FIRST, EventState.NOT_CREATED)
    with violates("E2"):
        author.records(1, FIRST, EventState.QUEUED)


def test_e2_a_final_outcome_is_told_once(author: Author) -> None:
    author.records(1, FIRST, EventState.NOT_CREATED)
    author.tells(1, EventState.NOT_CREATED)
    with violates("E2"):
        author.tells(1, EventState.NOT_CREATED)


def test_outcomes_of_events_that_were_submitted_together_are_told_as_a_run(author: Author) -> None:
    third, fourth = "tweet 3 three", "tweet 4 four"
    author.outcomes.submitted(ALICE, 3, (third, fourth))
    for number, body in ((3, third), (4, fourth)):
        author.records(number, body, EventState.PROPOSED, number)
        author.takes_effect(number, number, body, follows=number - 1)
        author.image.prefix = Slot(number)
        author.records(number, body, EventState.CREATED, number)
    both = SawOutcome(3, EventId(ALICE, 3), EventState.CREATED, Slot(3), None, None, None, count=2)
    for event in author.outcomes.told(ALICE, both, author.image, author.image.prefix):
        event.told = EventState.CREATED
    assert author.outcomes.acknowledged == 4
    second = SawOutcome(3, EventId(ALICE, 4), EventState.CREATED, Slot(4), None, None, None, offset=1)
    with violates("E2"):
        author.outcomes.told(ALICE, second, author.image, author.image.prefix)


def test_e2_each_outcome_of_a_run_names_its_own_slot(author: Author) -> None:
    author.outcomes.submitted(ALICE, 3, ("tweet 3 three", "tweet 4 four"))
    for number, body, slot in ((3, "tweet 3 three", 3), (4, "tweet 4 four", 5)):
        author.records(number, body, EventState.PROPOSED, slot)
        author.takes_effect(slot, number, body, follows=number - 1)
        author.image.prefix = Slot(slot)
        author.records(number, body, EventState.CREATED, slot)
    both = SawOutcome(3, EventId(ALICE, 3), EventState.CREATED, Slot(3), None, None, None, count=2)
    with violates("E2"):
        author.outcomes.told(ALICE, both, author.image, author.image.prefix)


def test_d1_an_outcome_is_told_once_it_is_durable(author: Author) -> None:
    author.records(1, FIRST, EventState.QUEUED)
    with violates("D1"):
        author.tells(1, EventState.NOT_CREATED)


def test_d1_an_accept_leaves_once_it_is_durable_that_the_event_is_proposed(author: Author) -> None:
    entry = Entry(ALICE, 1, 0, FIRST)
    author.records(1, FIRST, EventState.QUEUED)
    with violates("D1"):
        author.outcomes.pushed(ALICE, Slot(1), entry)
    author.records(1, FIRST, EventState.PROPOSED, 1)
    author.outcomes.pushed(ALICE, Slot(1), entry)
    with violates("D1"):
        author.outcomes.pushed(ALICE, Slot(2), entry)


def test_d1_an_event_is_handed_on_once_that_is_durable(author: Author) -> None:
    entry = Entry(ALICE, 1, 0, FIRST)
    author.records(1, FIRST, EventState.QUEUED)
    with violates("D1"):
        author.outcomes.handed_on(ALICE, HandOn((entry,), False))
    author.records(1, FIRST, EventState.PROPOSED)
    author.outcomes.handed_on(ALICE, HandOn((entry,), False))


def test_e3_an_author_s_events_take_effect_in_the_order_of_submission(author: Author) -> None:
    author.records(1, SECOND, EventState.PROPOSED, 1)
    author.records(2, FIRST, EventState.PROPOSED, 2)
    author.takes_effect(1, 1, SECOND)
    with violates("E3"):
        author.takes_effect(2, 2, FIRST, follows=1)


def test_e4_an_acknowledged_event_stands_before_what_is_submitted_after(author: Author) -> None:
    author.records(1, FIRST, EventState.PROPOSED, 5)
    author.takes_effect(5, 1, FIRST)
    author.image.prefix = Slot(5)
    author.records(1, FIRST, EventState.CREATED, 5)
    author.tells(1, EventState.CREATED, 5)
    author.outcomes.submitted(ALICE, 3, ("tweet 3 later",))
    author.records(3, "tweet 3 later", EventState.PROPOSED, 4)
    with violates("E4"):
        author.takes_effect(4, 3, "tweet 3 later")


def test_e4_created_is_said_once_the_prefix_reaches_the_slot(author: Author) -> None:
    author.records(1, FIRST, EventState.PROPOSED, 5)
    author.takes_effect(5, 1, FIRST)
    author.image.prefix = Slot(4)
    with violates("E4"):
        author.records(1, FIRST, EventState.CREATED, 5)


def test_e5_a_withdrawn_event_never_takes_effect(author: Author) -> None:
    author.records(1, FIRST, EventState.PROPOSED)
    author.records(1, FIRST, EventState.UNKNOWN)
    author.takes_effect(1, 1, "withdrawal 1 ")
    with violates("E1"):
        author.takes_effect(2, 1, FIRST)


def test_e5_an_entry_that_does_not_follow_its_author_s_last_is_void() -> None:
    replay = Replay((), 0)
    assert not replay.apply(Entry(ALICE, 1, 0, FIRST)).void
    assert replay.apply(Entry(ALICE, 3, 2, SECOND)).void
    assert replay.apply(Entry(ALICE, 1, 0, FIRST)).void
    assert not replay.apply(Entry(ALICE, 3, 1, SECOND)).void
    assert not replay.apply(NOOP).void


def test_r2_the_block_table_changes_where_a_line_of_it_does() -> None:
    replay = Replay((), 0)
    assert replay.apply(Entry(ALICE, 1, 0, "block 1 bob")).table == ((ALICE, BOB), 1)
    assert replay.apply(Entry(ALICE, 2, 1, "block 1 bob")).table is None, "blocked already"
    assert replay.apply(Entry(ALICE, 3, 2, "block 1 alice")).table is None, "nobody blocks himself"
    assert replay.apply(Entry(ALICE, 4, 3, "unblock 1 bob")).table == ((ALICE, BOB), None)
    assert replay.apply(Entry(ALICE, 5, 4, "unblock 1 bob")).table is None
