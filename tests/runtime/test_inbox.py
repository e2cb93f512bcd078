"""How the node is woken."""

from __future__ import annotations

import socket

import pytest
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


@pytest.mark.parametrize("until_s", [0.75, 1.01, 5.0])
async def test_a_time_that_was_changed_is_not_acted_upon(until_s: float, autojump_clock: MockClock) -> None:
    acted: list[float] = []

    async def something() -> None:
        await trio.sleep_forever() if acted else await trio.sleep(0.5)

    def act() -> float | None:
        acted.append(autojump_clock.current_time())
        return until_s if len(acted) == 1 else None

    await Inbox().follow(something, 1.0, act)
    assert acted == [0.5, until_s]


async def test_the_bell_is_acted_upon_whatever_the_time(autojump_clock: MockClock) -> None:
    inbox = Inbox()
    acted: list[float] = []

    async def something() -> None:
        if acted:
            nursery.start_soon(ring)
            await trio.sleep_forever()

    async def ring() -> None:
        await trio.sleep(0.5)
        inbox.ring()

    def act() -> float | None:
        acted.append(autojump_clock.current_time())
        return 5.0 if len(acted) == 1 else None

    async with trio.open_nursery() as nursery:
        await inbox.follow(something, 1.0, act)
    assert acted == [0, 0.5]
