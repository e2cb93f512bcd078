"""Schedules that Hypothesis draws, under an elected leader: what sites say is lost, repeated and reordered at will, and
processes end in the middle (L3, E1, E3, E5). Whatever happened, each event of a site that kept running is created, once
and in the order of its site; the truth of the protocol is checked at every step of the world.
"""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from engine.core.entry import Tweet
from engine.core.ids import Tick
from engine.core.replica import Replica
from engine.core.storage import EventState
from engine.sim.scenario.parse import parse
from engine.sim.scenario.patterns import is_upkeep
from engine.sim.scenario.ready import ready
from engine.sim.scenario.schedule import Schedule
from engine.sim.world.network import Datagram

pytestmark = pytest.mark.timeout(600)
"""A schedule that fails is made smaller for up to five minutes."""

LONG: Final = Tick(3_600_000)
SETTLE_MS: Final = 60_000

SITES: Final = st.integers(0, 2)
WHICH: Final = st.integers(0, 9)
"""Which of the oldest datagrams that are held; there may be fewer."""


def _led() -> Schedule:
    return parse("sites alice bob carol\nleadership elected\nleader alice\nrun 1 ms", "led")


class Schedules(RuleBasedStateMachine):
    """Three sites follow alice. Heartbeats and greetings flow; all else is held until a rule lets it go or loses it."""

    @initialize()
    def begin(self) -> None:
        self.world = ready(_led(), Replica)
        self.world.network.hold = _is_said
        self.tokens: list[tuple[int, int, int]] = []  # site, its process then, token

    @rule(site=SITES, count=st.integers(1, 3))
    def submit(self, site: int, count: int) -> None:
        for _ in range(count):
            token = self.world.submit(site, (Tweet("t"),), LONG, retry=False)
            if token is not None:
                self.tokens.append((site, self.world.sites[site].process, token))

    @precondition(lambda self: self.world.network.held)
    @rule(which=WHICH)
    def deliver(self, which: int) -> None:
        self._let_go(self._held(which))

    @precondition(lambda self: self.world.network.held)
    @rule()
    def deliver_all(self) -> None:
        for number in list(self.world.network.held):
            self._let_go(number)

    @precondition(lambda self: self.world.network.held)
    @rule(which=WHICH)
    def repeat(self, which: int) -> None:
        self._let_go(self._held(which), keep=True)

    @precondition(lambda self: self.world.network.held)
    @rule(which=WHICH)
    def lose(self, which: int) -> None:
        self.world.network.drop(self._held(which))

    @rule(ms=st.sampled_from([1, 50, 300, 2_500]))
    def wait(self, ms: int) -> None:
        self.world.run(self.world.now + ms)

    @precondition(lambda self: all(site.up for site in self.world.sites))
    @rule(site=SITES)
    def crash(self, site: int) -> None:
        self.world.crash(site)

    @rule()
    def restart(self) -> None:
        for site in self.world.sites:
            self.world.start(site.index)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.network.hold = None
        for number in list(world.network.held):
            self._let_go(number)
        world.calm()
        latest = world.now + SETTLE_MS
        while any(site.awaited for site in world.sites):
            assert world.now < latest, "an event has no outcome, though nothing is in its way"
            world.run(world.now + 50)
        for site, process, token in self.tokens:
            (event,) = world.truth.outcomes.by_token[token]
            assert event.told is EventState.CREATED or process != world.sites[site].process, event

    def _held(self, which: int) -> int:
        held = list(self.world.network.held)
        return held[min(which, len(held) - 1)]

    def _let_go(self, number: int, *, keep: bool = False) -> None:
        """It arrives 1 ms later."""
        world = self.world
        world.at(world.now + 1, lambda each: world.network.release(each, keep=keep), number)
        world.run(world.now + 1)


def _is_said(datagram: Datagram) -> bool:
    return not all(is_upkeep(message) for message in datagram.messages)


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
