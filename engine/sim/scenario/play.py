"""Plays a schedule: one line after the other, at its turn or at its time, and what is expected of it.

Rules that hold here:
- The world of a scenario is ready before the first line is done (`engine.sim.scenario.ready`). In a plan all processes
  begin with the lines, and what is asked for is done where the model allows it (`engine.sim.scenario.model`).
- Truth is checked at every step (Violated); an expectation that fails, or a command that finds nothing to do,
  is Unexpected.
- Whoever steps through a schedule calls `do` line by line; it is played again to go back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from engine.core.ids import Tick
from engine.core.replica import Replica
from engine.sim.scenario.acts import Act
from engine.sim.scenario.driver import Driver
from engine.sim.scenario.expectations import Checker
from engine.sim.scenario.expected import (
    Checkable,
    ExpectChosen,
    ExpectElections,
    ExpectFollowing,
    ExpectHeld,
    ExpectHole,
    ExpectLearned,
    ExpectOutcome,
    ExpectRead,
    ExpectSlot,
    ExpectState,
    ExpectStopped,
    ExpectViolation,
)
from engine.sim.scenario.holding import Holding, words
from engine.sim.scenario.model import Model
from engine.sim.scenario.onlookers import Onlookers
from engine.sim.scenario.patterns import is_upkeep
from engine.sim.scenario.ready import ready
from engine.sim.scenario.schedule import (
    Deliver,
    Drop,
    Duplicate,
    Hold,
    Line,
    Release,
    RunFor,
    RunUntil,
    RunUntilQuiet,
    Schedule,
)
from engine.sim.scenario.settling import Settling
from engine.sim.violation import OutOfModel, Violated
from engine.sim.world.world import MakeReplica, Watcher, World

QUIET_MAX_MS: Final = 60_000


class Unexpected(Exception):
    """A scenario did not go as its file says: names the file and the line, and says what is true instead."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `settled_ms`: how long after a plan's calm, None where too few voters were left to settle."""

    virtual_ms: int
    steps: int
    settled_ms: int | None
    slots: int
    acts: Counter[str]
    reached: Counter[str]
    digest: str


class Play:
    """`watchers` see what happens from the first line on. Raises ScenarioError."""

    def __init__(
        self, schedule: Schedule, make_replica: MakeReplica = Replica, watchers: Sequence[Watcher] = ()
    ) -> None:
        self.schedule = schedule
        self.acts: Counter[str] = Counter()
        """What was done, by the names of the acts."""
        is_plan = schedule.calm_at is not None
        self.world = world = _from_nothing(schedule, make_replica) if is_plan else ready(schedule, make_replica)
        self._began = world.now
        self.onlookers = Onlookers(watchers, world.now)
        if watchers or not is_plan:
            world.watcher = self.onlookers
        self._driver = Driver(world)
        self._model = Model(world, self._driver.copies) if is_plan else None
        self._holding = Holding(world, self.onlookers)
        self.checker = Checker(world, self.onlookers, self._driver)
        self._put_down: list[Line] = []

    def complete(self, before: Callable[[Line], None] = lambda _: None) -> Report:
        """Does all lines; `before` is told of each that is done at its turn. Raises Unexpected or Violated."""
        settled_ms: int | None = None
        try:
            self.do_lines(before)
            if self.schedule.calm_at is not None:
                settled_ms = self._settle(self.schedule.calm_at)
        except Violated as violated:
            if not self._was_expected(violated):
                raise
            before(self.schedule.lines[-1])
        return self._report(settled_ms)

    def do_lines(self, before: Callable[[Line], None] = lambda _: None) -> None:
        """All of them, but not what comes at the end of a plan."""
        for line in self.schedule.lines:
            if line.at is None:
                before(line)
            self.do(line)
        if self._model is None and self._put_down:
            self._unexpected(self._put_down[0], f"the scenario ends at {self.world.now - self._began} ms")

    def do(self, line: Line) -> None:
        """Does a line, or puts it down for its time. Raises Unexpected or Violated."""
        if line.at is not None:
            self._put_down_for(line.at, line)
            return
        try:
            problem = self._do(line)
        except OutOfModel as left:
            problem = f"the scenario leaves the model, where nothing is promised: {left}"
        if problem is not None:
            self._unexpected(line, problem)

    def _settle(self, calm_at: int) -> int | None:
        try:
            self.world.run(calm_at)
            assert self._model is not None, "a plan keeps to the model"
            return Settling(self.world, self._model).complete()
        except OutOfModel:
            self.world.reached("out of the model")
            return None

    def _report(self, settled_ms: int | None) -> Report:
        world = self.world
        acts = self.acts + Counter({
            "datagram lost": world.network.lost,
            "datagram repeated": world.network.repeated,
            "datagram late": world.network.late,
            "datagram of before": world.network.stale,
        })  # fmt: skip
        world.reached.counts["datagram of before comes again"] += world.network.stale
        slots = len(world.truth.replay.applied)
        return Report(world.now, world.steps, settled_ms, slots, acts, world.reached.counts, world.digest())

    def _unexpected(self, line: Line, problem: str) -> NoReturn:
        raise Unexpected(f"{self.schedule.file}:{line.number}: {line.words}: {problem}")

    def _was_expected(self, violated: Violated) -> bool:
        match self.schedule.lines[-1:]:
            case (Line(ExpectViolation(rule)),):
                return violated.violation.rule == rule
            case (Line(ExpectStopped(site, rule)),):
                return violated.violation.site == site and f"rule {rule} " in violated.violation.sentence
            case _:
                return False

    # Acts

    def _put_down_for(self, at: Tick, line: Line) -> None:
        when = self._began + at
        if when < self.world.now:
            self._unexpected(line, f"it is {self.world.now - self._began} ms already")
        if self._model is None:
            self._put_down.append(line)
        self.world.at(when, self._at_its_time, line)

    def _at_its_time(self, line: Line) -> None:
        assert isinstance(line.command, Act), "only acts have times"
        if self._model is None:
            self._put_down.remove(line)
            problem = self._act(line.command)
            if problem is not None:
                self._unexpected(line, problem)
        elif self._model.allows(line.command):
            self._act(line.command)

    def _act(self, act: Act) -> str | None:
        self.acts[type(act).__name__] += 1
        return self._driver.do(act)

    def _do(self, line: Line) -> str | None:
        """What is wrong, in words; None where it is done, or as expected."""
        world, command = self.world, line.command
        match command:
            case Hold(pattern):
                self._holding.hold(pattern)
            case Release(pattern):
                self._holding.release(pattern)
            case Deliver(pattern):
                return self._holding.deliver(pattern)
            case Duplicate(pattern):
                return self._holding.duplicate(pattern)
            case Drop(pattern):
                return self._holding.drop(pattern)
            case RunFor(ms):
                world.run(world.now + ms)
            case RunUntilQuiet():
                return self._run_until_quiet()
            case RunUntil(expected, within_ms):
                return self._run_until(expected, within_ms)
            case ExpectHeld(pattern, count):
                found = len(self._holding.found(pattern))
                right = found > 0 if count is None else found == count
                return None if right else f"{found} are; held: {self._holding.in_words()}"
            case (
                ExpectSlot()
                | ExpectOutcome()
                | ExpectRead()
                | ExpectLearned()
                | ExpectChosen()
                | ExpectHole()
                | ExpectState()
                | ExpectStopped()
                | ExpectFollowing()
                | ExpectElections()
                | ExpectViolation()
            ):
                return self.checker.wrong(command)
            case _:
                return self._act(command)
        return None

    # Time

    def _run_until(self, expected: Checkable, within_ms: int) -> str | None:
        world = self.world
        latest = world.now + within_ms
        while (wrong := self.checker.wrong(expected)) is not None:
            if world.now >= latest:
                return f"{within_ms} ms later {wrong}"
            world.run(min(latest, world.now + 10))
        return None

    def _run_until_quiet(self) -> str | None:
        world = self.world
        latest = world.now + QUIET_MAX_MS
        while (noise := _noise(world)) is not None:
            if world.now >= latest:
                return f"not quiet after {QUIET_MAX_MS // 1_000} s: {noise}"
            world.run(world.now + 10)
        return None


def _from_nothing(schedule: Schedule, make_replica: MakeReplica) -> World:
    world = World(schedule.setup, make_replica)
    for site in world.sites:
        world.at(0, world.start, site.index)
    return world


def _noise(world: World) -> str | None:
    """What is still going on, in words."""
    running = [site for site in world.sites if site.replica is not None and not site.stalled]
    used_max = max((site.replica.used_max for site in running if site.replica is not None), default=0)
    for site in running:
        assert site.replica is not None
        view = site.replica.view(1)
        if view.prefix < used_max:
            return f"{site.name} has learned to {view.prefix}, slot {used_max} is used"
        if view.recovering or view.attempts:
            return f"{site.name} goes on: {view.attempts or 'looks how far the log goes'}"
        if site.awaited or (view.voting and site.disk.image.open_events):
            return f"{site.name} has events without an outcome"
    held = world.network.held
    for datagram in world.in_flight():
        if datagram.number not in held and not all(is_upkeep(message) for message in datagram.messages):
            return f"on its way: {words(datagram.messages)}"
    return None
