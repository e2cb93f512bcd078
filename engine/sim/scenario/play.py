"""Plays a schedule: one line after the other, at its turn or at its time, and what is expected of it.

Rules that hold here:
- The world of a scenario is ready before the first line is done (`engine.sim.scenario.ready`). In a plan all processes
  begin with the lines, and what is asked for is done where the model allows it (`engine.sim.scenario.model`).
- Truth is checked at every step (Violated); an expectation that fails, or a command that finds nothing to do,
  is Unexpected.
- Whoever steps through a schedule calls `do` line by line, or `doing` event by event, which is the same run; it is
  played again to go back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

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
from engine.sim.scenario.holding import LETS_GO_MS, Holding, words
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
    Step,
)
from engine.sim.scenario.settling import Settling
from engine.sim.violation import OutOfModel, Violated, Violation
from engine.sim.world.world import MakeReplica, Watcher, World

QUIET_MAX_MS: Final = 60_000
BREAKS: Final = "breaks"
"""What happens where a rule is broken and the run goes on."""
_LOOK_MS: Final = 10


class Unexpected(Exception):
    """A scenario did not go as its file says: names the file and the line; `problem` says what is true instead."""

    def __init__(self, file: str, line: Line, problem: str) -> None:
        super().__init__(f"{file}:{line.number}: {line.words}: {problem}")
        self.problem = problem


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
        self.on_time: Callable[[Line, str | None], None] = _nobody_asks
        """Called with each line that has a time when it has come, before it is done; with what keeps it from it, if
        anything does."""
        self.is_calm = False
        """The faults of a plan are over."""
        self.settled_ms: int | None = None
        self.world = world = (_from_nothing if schedule.is_plan else ready)(schedule, make_replica)
        self.began = world.now
        self.onlookers = Onlookers(watchers, world.now)
        if watchers or schedule.calm_at is None:
            world.watcher = self.onlookers
        self._driver = Driver(world)
        self._model = Model(world, self._driver.copies) if schedule.is_plan else None
        self._holding = Holding(world, self.onlookers)
        self.checker = Checker(world, self.onlookers, self._driver)
        self._put_down: list[Line] = []
        if schedule.broken is not None and schedule.broken.until is not None:
            world.judge.bear(schedule.broken.until, self._breaks)

    def complete(self, before: Callable[[Line], None] = lambda _: None) -> Report:
        """Does all lines; `before` is told of each that is done at its turn. Raises Unexpected or Violated."""
        try:
            self.do_lines(before)
            for until in self._ending():
                self.world.run(until)
        except OutOfModel:
            self.world.reached("out of the model")
        except Violated as violated:
            if not self.was_expected(violated):
                raise
            before(self.schedule.lines[-1])
        return self._report()

    def do_lines(self, before: Callable[[Line], None] = lambda _: None) -> None:
        """All of them, but not what comes after them."""
        for line in self.schedule.lines:
            if line.at is None:
                before(line)
            self.do(line)

    def do(self, line: Line) -> None:
        """Does a line, or puts it down for its time. Raises Unexpected or Violated."""
        with self._named(line):
            for until in self._doing(line):
                if until is None:
                    self.world.step()
                else:
                    self.world.run(until)

    def doing(self, line: Line) -> Iterator[None]:
        """As `do`, and comes back after each event of the world."""
        with self._named(line):
            for until in self._doing(line):
                if until is None:
                    self.world.step()
                    yield
                else:
                    yield from self.world.running(until)

    def ending(self) -> Iterator[None]:
        """What comes after the last line, as `doing`: a plan settles. Raises Unexpected, Violated or OutOfModel."""
        for until in self._ending():
            yield from self.world.running(until)

    def was_expected(self, violated: Violated) -> bool:
        match self.schedule.lines[-1:]:
            case (Line(ExpectViolation(rule)),):
                return violated.violation.rule == rule
            case (Line(ExpectStopped(site, rule)),):
                return violated.violation.site == site and f"rule {rule} " in violated.violation.sentence
            case _:
                return False

    def is_quiet(self) -> bool:
        """Whether everybody has all that is used, and nobody does anything but say that it lives."""
        return _noise(self.world) is None

    def _ending(self) -> Iterator[int]:
        """Up to when the world must run next."""
        if self._put_down:
            raise Unexpected(self.schedule.file, self._put_down[0], f"the scenario ends at {self._now} ms")
        calm_at = self.schedule.calm_at
        if calm_at is None:
            return
        yield calm_at
        assert self._model is not None, "a plan keeps to the model"
        self.is_calm = True
        settling = Settling(self.world, self._model)
        yield from settling.stages()
        self.settled_ms = settling.settled_ms

    def _report(self) -> Report:
        world = self.world
        acts = self.acts + Counter({
            "datagram lost": world.network.lost,
            "datagram repeated": world.network.repeated,
            "datagram late": world.network.late,
            "datagram of before": world.network.stale,
        })  # fmt: skip
        world.reached.counts["datagram of before comes again"] += world.network.stale
        slots = len(world.truth.replay.applied)
        return Report(world.now, world.steps, self.settled_ms, slots, acts, world.reached.counts, world.digest())

    @property
    def _now(self) -> int:
        """Since the lines began."""
        return self.world.now - self.began

    @contextmanager
    def _named(self, line: Line) -> Iterator[None]:
        """What goes wrong outside of the model goes wrong in this line."""
        try:
            yield
        except OutOfModel as left:
            problem = f"the scenario leaves the model, where nothing is promised: {left}"
            raise Unexpected(self.schedule.file, line, problem) from left

    def _doing(self, line: Line) -> Iterator[int | None]:
        """Up to when the world must run next; None: for one event."""
        if line.at is not None:
            self._put_down_for(line.at, line)
            return
        problem = yield from self._command(line)
        if problem is not None:
            raise Unexpected(self.schedule.file, line, problem)

    def _breaks(self, violation: Violation) -> None:
        site = None if violation.site is None else self.world.index[violation.site]
        self.world.note(site, BREAKS, str(violation))

    # Acts

    def _put_down_for(self, at: Tick, line: Line) -> None:
        if at < self._now:
            raise Unexpected(self.schedule.file, line, f"it is {self._now} ms already")
        if self._model is None:
            self._put_down.append(line)
        self.world.at(self.began + at, self._at_its_time, line)

    def _at_its_time(self, line: Line) -> None:
        assert isinstance(line.command, Act), "only acts have times"
        if self._model is not None:
            is_allowed = self._model.allows(line.command)
            self.on_time(line, None if is_allowed else "not done, for the model does not allow it")
            if is_allowed:
                self._act(line.command)
            return
        self.on_time(line, None)
        self._put_down.remove(line)
        problem = self._act(line.command)
        if problem is not None:
            raise Unexpected(self.schedule.file, line, problem)

    def _act(self, act: Act) -> str | None:
        self.acts[type(act).__name__] += 1
        return self._driver.do(act)

    def _command(self, line: Line) -> Generator[int | None, None, str | None]:
        """As `_doing`; returns what is wrong, in words, None where it is done, or as expected."""
        world, command = self.world, line.command
        match command:
            case Hold() | Drop():
                return self._holding.do(command)
            case Release() | Deliver() | Duplicate():
                problem = self._holding.do(command)
                if problem is None and not command.pattern.numbers:
                    yield world.now + LETS_GO_MS
                return problem
            case RunFor(ms):
                yield world.now + ms
            case RunUntilQuiet():
                return (yield from self._until_quiet())
            case RunUntil(expected, within_ms):
                return (yield from self._until(expected, within_ms))
            case Step():
                return (yield from self._step(command))
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

    def _until(self, expected: Checkable, within_ms: int) -> Generator[int, None, str | None]:
        world = self.world
        latest = world.now + within_ms
        while (wrong := self.checker.wrong(expected)) is not None:
            if world.now >= latest:
                return f"{within_ms} ms later {wrong}"
            yield min(latest, world.next_look(_LOOK_MS))
        return None

    def _until_quiet(self) -> Generator[int, None, str | None]:
        world = self.world
        latest = world.now + QUIET_MAX_MS
        while (noise := _noise(world)) is not None:
            if world.now >= latest:
                return f"not quiet after {QUIET_MAX_MS // 1_000} s: {noise}"
            yield min(latest, world.next_look(_LOOK_MS))
        return None

    def _step(self, step: Step) -> Generator[None, None, str | None]:
        if isinstance(step.begun, Release | Deliver | Duplicate):
            problem = self._holding.do(step.begun)
            if problem is not None:
                return problem
        for done in range(step.events):
            if self.world.next_at is None:
                return f"nothing more happens after {done}"
            yield
        return None


def _nobody_asks(_: Line, _problem: str | None) -> None:
    pass


def _from_nothing(schedule: Schedule, make_replica: MakeReplica) -> World:
    world = World(schedule.setup, make_replica)
    for site in world.sites:
        world.at(0, world.start, site.index)
    return world


def _noise(world: World) -> str | None:
    """What is still going on, in words."""
    members = world.truth.replay.members()
    looked_at = [site for site in world.sites if not site.stalled and site.name in members]
    running = [(site, site.replica) for site in looked_at if site.replica is not None]
    used_max = max((replica.used_max for _, replica in running), default=0)
    for site, replica in running:
        if replica.prefix < used_max:
            return f"{site.name} has learned to {replica.prefix}, slot {used_max} is used"
        attempts = replica.view(1).attempts
        if replica.recovering or attempts:
            return f"{site.name} goes on: {attempts or 'looks how far the log goes'}"
        if site.awaited or (replica.voting and site.disk.image.open_events):
            return f"{site.name} has events without an outcome"
    held = world.network.held
    for datagram in world.in_flight():
        if datagram.number not in held and not all(is_upkeep(message) for message in datagram.messages):
            return f"on its way: {words(datagram.messages)}"
    return None
