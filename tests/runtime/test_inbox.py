"""How the node is woken."""

from __future__ import annotations

import socket

import trio
from trio.testing import MockClock

from engine.runtime.inbox import Inbox


async def test_a_clock_that_strikes_as_something_happens_does_not_wake_it_twice(autojump_clock: MockClock) -> None:
    """Sites beat together, so that what they wait for comes when their own time does."""
    acted: list[float] = []
    here, there = socket.socketpair()
    with here, there:
        there.send(b"beat")

        async def something() -> None:
            if acted:
                await trio.sleep_forever()
            autojump_clock.jump(1)
            await trio.lowlevel.wait_readable(here)

        def act() -> float | None:
            acted.append(trio.current_time())
            return 5.0 if len(acted) == 1 else None

        await Inbox().follow(something, 1.0, act)
    assert acted == [1.0, 5.0]
