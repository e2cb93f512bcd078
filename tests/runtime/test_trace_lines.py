"""The trace's lines as facts: which are of an election, for a range of slots."""

from __future__ import annotations

import pytest

from engine.contract.answers import Direction
from engine.core.effects import SawAttempt
from engine.core.ids import Slot
from engine.core.messages import Message, Prepare
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
