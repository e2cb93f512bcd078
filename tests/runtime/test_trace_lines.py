"""The trace's lines as facts: which are of an election, for a range of slots, and what one about many slots is of."""

from __future__ import annotations

from sys import getrefcount

import pytest

from engine.contract.answers import Direction
from engine.core.effects import Observation, SawApplied, SawAttempt, SawLearned, SawOutcome
from engine.core.ids import EventId, Slot
from engine.core.messages import Accept, How, Message, Prepare
from engine.core.run import Run, run_of
from engine.core.storage import EventState
from engine.core.views import AttemptPhase, ElectionPhase
from engine.runtime.fault_rules import UNTOUCHED
from engine.runtime.trace import Trace
from tests.core.led import range_promise
from tests.core.stage import ALICE, BOB, accept, ballot, prepare, promise, tweet

NUMBER = ballot(2, ALICE)


@pytest.mark.parametrize(
    ("message", "ranged"),
    [
        (Prepare(NUMBER, Slot(8), None), True),
        (range_promise(NUMBER, 8), True),
        (range_promise(NUMBER, 8, 12), True),
        (prepare(NUMBER, 8), False),
        (promise(NUMBER, 8), False),
        (accept(NUMBER, 8, tweet(ALICE, 1)), False),
    ],
)
def test_a_message_says_whether_it_is_of_a_range(message: Message, ranged: bool) -> None:
    trace = Trace()
    trace.message(0, Direction.OUT, BOB, message, UNTOUCHED)
    (line,) = trace.newest(1, Slot(8))
    assert (line.slot, line.ranged) == (8, ranged)


@pytest.mark.parametrize(
    ("phase", "ranged"),
    [(ElectionPhase.STANDING, True), (ElectionPhase.LEADS, True), (AttemptPhase.ACCEPTING, False)],
)
def test_a_conclusion_says_whether_it_is_of_an_election(phase: AttemptPhase | ElectionPhase, ranged: bool) -> None:
    trace = Trace()
    trace.observation(0, SawAttempt(Slot(8), phase, NUMBER, "why"))
    (line,) = trace.newest(1, Slot(8))
    assert (line.type, line.ranged) == (phase, ranged)


RUN = Run(Slot(8), tuple(tweet(ALICE, number) for number in range(1, 101)))
"""More than is kept as it is."""

OF_A_RUN: list[tuple[Observation, str]] = [
    (SawLearned(RUN, How.VOTES, NUMBER, ALICE, frozenset({ALICE, BOB})), "alice/1 tweet alice says 1 (and 99 more)"),
    (SawOutcome(1, EventId(ALICE, 1), EventState.CREATED, Slot(8), None, None, None, count=100), "alice/1 and 99 more"),
    (SawAttempt(Slot(8), AttemptPhase.ACCEPTING, NUMBER, "why", last=Slot(107)), "8-107: why"),
]


@pytest.mark.parametrize(("saw", "said"), OF_A_RUN)
def test_a_conclusion_about_many_slots_is_one_line_of_each(saw: Observation, said: str) -> None:
    trace = Trace()
    trace.observation(0, saw)
    for slot in (8, 57, 107):
        (line,) = trace.newest(5, Slot(slot))
        assert (line.slot, line.slots) == (8, ((8, 107),))
        assert said in (line.note or "")
    assert trace.newest(5, Slot(7)) == trace.newest(5, Slot(108)) == []


def test_a_message_about_many_slots_is_one_line_of_each_and_its_entries_are_not_kept() -> None:
    trace, entry = Trace(), RUN.entries[50]
    before = getrefcount(entry)
    trace.message(0, Direction.IN, BOB, Accept(NUMBER, RUN), UNTOUCHED)
    trace.observation(0, OF_A_RUN[0][0])
    assert getrefcount(entry) == before
    accept, learned = trace.newest(5, Slot(107))
    assert (accept.type, accept.slots, learned.type) == ("accept", ((8, 107),), "chosen")
    assert accept.note == "asks to accept: alice/1 tweet alice says 1 (and 99 more)"


def test_when_a_slot_was_learned_is_found_wherever_it_stands_in_its_run() -> None:
    trace = Trace()
    trace.observation(5, OF_A_RUN[0][0])
    trace.observation(7, SawLearned(run_of(Slot(108), tweet(BOB, 1)), How.CHOSEN, NUMBER, ALICE))
    assert [trace.chosen_at_ms(Slot(slot)) for slot in (7, 8, 57, 107, 108, 109)] == [None, 5, 5, 5, 7, None]


def test_of_many_entries_that_took_no_effect_those_alone_are_told() -> None:
    trace = Trace()
    trace.observation(0, SawApplied(RUN, ()))
    assert trace.count == 0
    trace.observation(0, SawApplied(RUN, (Slot(9), Slot(10), Slot(50))))
    (line,) = trace.newest(5, Slot(50))
    assert (line.type, line.slot, line.slots) == ("void", 9, ((9, 10), (50, 50)))
    assert trace.newest(5, Slot(11)) == []
