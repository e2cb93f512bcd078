"""How the node is woken."""

from __future__ import annotations

import math
import socket
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from engine.contract.requests import Stop
from engine.runtime.inbox import ACTS_AT_ONCE_BYTES_MAX, Asked, Client, Inbox


class Reader:
    """As much of a client as the inbox sees."""

    def taken(self, size_bytes: int) -> None:
        pass


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
        if acted:
            await trio.sleep_forever()
        autojump_clock.jump(0.5)

    def act() -> float | None:
        acted.append(autojump_clock.current_time())
        return until_s if len(acted) == 1 else None

    await Inbox().follow(something, 1.0, act)
    assert acted == [0.5, until_s]


async def test_the_bell_is_acted_upon_whatever_the_time(mock_clock: MockClock) -> None:
    inbox = Inbox()
    acted: list[float] = []

    async def something() -> None:
        if acted:
            await trio.sleep_forever()

    def act() -> float | None:
        acted.append(mock_clock.current_time())
        return 5.0 if len(acted) == 1 else None

    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.follow, something, 1.0, act)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(0.5)
        inbox.ring()
    assert acted == [0, 0.5]


@pytest.mark.parametrize(
    ("size_bytes", "is_deaf", "waited"),
    [(10, False, 1), (10, True, 2), (ACTS_AT_ONCE_BYTES_MAX + 1, False, 3)],
)
async def test_who_puts_a_request_acts_for_a_node_that_sleeps_and_makes_one_listen_that_does_not_yet(
    size_bytes: int, is_deaf: bool, waited: int
) -> None:
    """To wake the node costs more than to act; but a node that rests would not notice the answers of its peers, and who
    puts much has more to put before the node is awake."""
    inbox, asked = Inbox(), [Asked(cast(Client, Reader()), 1, Stop(), size_bytes)]
    happens = trio.Event()
    waits = 0
    acted: list[int] = []

    async def something() -> None:
        nonlocal waits
        waits += 1
        await happens.wait()

    def act() -> float | None:
        acted.append(len(inbox.take(10)))
        return math.inf if len(acted) < 3 else None

    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.follow, something, math.inf, act, lambda: is_deaf and waits == 1)
        await trio.testing.wait_all_tasks_blocked()
        for _client in range(2):
            nursery.start_soon(inbox.put, asked)
        await trio.testing.wait_all_tasks_blocked()
        await inbox.put(asked)
        await trio.testing.wait_all_tasks_blocked()
        happens.set()
    assert acted == [2, 1, 0], "what comes together is acted upon together"
    assert waits == waited


@pytest.mark.parametrize("asks", [False, True])
async def test_d2_what_goes_wrong_is_the_nodes_whoever_acts_and_the_last_that_is_done(
    asks: bool, autojump_clock: MockClock
) -> None:
    inbox = Inbox()
    acted: list[float] = []
    asked = [Asked(cast(Client, Reader()), 1, Stop(), 10)]

    def act() -> float | None:
        acted.append(autojump_clock.current_time())
        raise ZeroDivisionError

    async def follows() -> None:
        with pytest.raises(ZeroDivisionError):
            await inbox.follow(trio.sleep_forever, 1.0, act)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follows)
        await trio.testing.wait_all_tasks_blocked()
        if asks:
            await inbox.put(asked)
    await inbox.put(asked)
    assert acted == [0 if asks else 1]
