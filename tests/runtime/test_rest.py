"""An idle site wakes once a beat; whoever waits for a site finds it listening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from engine.core.ids import Nonce, Slot, Tick
from engine.core.messages import Ask, Heartbeat, Message
from engine.core.settings import Leadership
from engine.runtime.rest import QUIET_AFTER, REST_S, Rest

BEAT: Final = Heartbeat(Leadership.ELECTED, True, Slot(0), Slot(0), Tick(1), None, 0, Tick(500), None, False, None)
ASK: Final = Ask(Nonce(1), ((Slot(1), Slot(2)),))
LATER: Final = Tick(QUIET_AFTER + 1)


def rested_s(rest: Rest) -> float:
    async def measured_s() -> float:
        began = trio.current_time()
        await rest.over()
        return trio.current_time() - began

    return trio.run(measured_s, clock=MockClock(autojump_threshold=0))


def test_who_has_just_beaten_rests_once() -> None:
    rest = Rest()
    rest.heard(LATER, [BEAT])
    assert rested_s(rest) == 0, "it has not beaten itself"
    for _peer in range(2):
        rest.said(LATER, [BEAT])
    assert rested_s(rest) == pytest.approx(REST_S)
    assert rested_s(rest) == 0


@pytest.mark.parametrize("messages", [[ASK], [BEAT, ASK]])
def test_who_may_be_waited_for_listens(messages: Sequence[Message]) -> None:
    asked, asks = Rest(), Rest()
    asked.heard(LATER, messages)
    asks.said(LATER, messages)
    for rest in (asked, asks):
        rest.said(Tick(LATER + QUIET_AFTER), [BEAT])
        assert rested_s(rest) == 0
        rest.said(Tick(LATER + QUIET_AFTER + 1), [BEAT])
        assert rested_s(rest) == pytest.approx(REST_S)
