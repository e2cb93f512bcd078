"""A simulated run that one steps through, goes back in, and does something else to: a tree of branches.

Rules that hold here:
- Frames that were seen are kept: moving among them plays nothing. The world stands at the end of one branch; where
  something else is wanted, its lines are played again up to there, and are the same run.
- Who does something while lines of the scenario are left leaves it there: a branch of its own begins, the lines are not
  done, and what their rules held is on its way again. A branch at whose end nothing more was seen than that nothing
  happens goes on itself, with what is done in the place of that.
- What was done is lines of the language, so that it can be saved, played again, and given to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.core.ids import SiteId
from engine.core.replica import Replica
from engine.core.settings import Leadership, Timings
from engine.sim.mutants.catalogue import named
from engine.sim.scenario.parse_lines import line as read_line
from engine.sim.scenario.schedule import Broken, Command, Hold, Line, Release, Schedule, Step
from engine.sim.scenario.words import BadLine, Words
from engine.sim.scenario.write import written
from engine.sim.world.setup import STEADY, Setup
from engine.sim.world.world import MakeReplica
from tui.lab.frame import Branch, Frame
from tui.lab.run import Place, Run
from tui.lab.seen import Said, Seen

STEPS_MAX: Final = 10_000
"""So far a broken rule is looked for."""
_PAGE_BYTES: Final = 1_100


@dataclass(slots=True)
class _Course:
    """A branch as it is kept: a place for each frame. `is_over`: nothing comes after the last one."""

    number: int
    parent: int | None
    forked_at: int
    began_with: str
    frames: list[Frame]
    places: list[Place]
    is_over: bool = False


class SimulatedTape:
    """A `Tape`. `mutant`: the name of one that is to break its replicas (`engine.sim.mutants`), as if the schedule said
    so. Raises ScenarioError, or KeyError where there is no such mutant."""

    def __init__(
        self, schedule: Schedule, title: str, *, mutant: str | None = None, make_replica: MakeReplica = Replica
    ) -> None:
        self._title = title
        self._make_replica = make_replica
        self._scenario = schedule if mutant is None else replace(schedule, broken=Broken(named(mutant).name, None))
        self._run = Run(self._scenario, make_replica)
        first = _Course(0, None, 0, title, [self._run.frame(0)], [self._run.place()])
        self._run_of: int | None = 0
        self._courses = [first]
        self._course = first
        self._position = 0

    # As a reel

    @property
    def title(self) -> str:
        return self._title

    @property
    def names(self) -> tuple[SiteId, ...]:
        return self._scenario.setup.names

    @property
    def frames(self) -> Sequence[Frame]:
        return self._course.frames

    @property
    def position(self) -> int:
        return self._position

    def forward(self) -> bool:
        if self._position + 1 < len(self._course.frames):
            self._position += 1
            return True
        course = self._course
        if course.is_over:
            return False
        run = self._at_the_end()
        if not run.step():
            course.is_over = True
            self._run_of = None  # it may have gone through what shows nothing: what is done here is done before that
            return False
        self._keep(course, run)
        return True

    def go(self, position: int) -> None:
        if not 0 <= position < len(self._course.frames):
            raise ValueError(f"there is no frame {position}: write one of 0 to {len(self._course.frames) - 1}")
        self._position = position

    def restart(self) -> None:
        self._position = 0

    # As a tape

    @property
    def branches(self) -> Sequence[Branch]:
        return [
            Branch(each.number, each.parent, each.forked_at, len(each.frames) - 1, each.began_with)
            for each in self._courses
        ]

    @property
    def branch(self) -> int:
        return self._course.number

    def switch(self, branch: int) -> None:
        if not 0 <= branch < len(self._courses):
            raise ValueError(f"there is no branch {branch}: write one of 0 to {len(self._courses) - 1}")
        before, self._course = self._course.frames, self._courses[branch]
        same = sum(one is other for one, other in zip(before, self._course.frames, strict=False))
        self._position = same - 1

    def do(self, command: Command) -> str | None:
        course, place = self._course, self._course.places[self._position]
        if place.ended is not None:
            return place.ended
        line = self._said(command)
        if isinstance(line, str):
            return line
        left = self._left_at(place)
        is_last = self._position + 1 == len(course.frames)
        kept = self._position + (not place.is_quiet)
        upkeep = tuple(
            seen for seen in course.frames[self._position].seen if place.is_quiet and not isinstance(seen, Said)
        )
        goes_on = not left and (is_last or (kept == len(course.frames) - 1 and course.places[-1].is_quiet))
        if goes_on and is_last:
            run = self._at_the_end()
            run.leave(run.place().so_far())
        else:
            run = self._played_to(place)
            self._leave_scenario(run, left)
        self._run, self._run_of = run, None
        problem = run.do(line)
        if problem is not None:
            return problem
        if goes_on:
            del course.frames[kept:], course.places[kept:]
        else:
            frames, places = course.frames[:kept], course.places[:kept]
            course = _Course(len(self._courses), course.number, self._position, line.words, frames, places)
            self._courses.append(course)
            self._course = course
        course.is_over = False
        self._run_of = course.number
        self._keep(course, run, upkeep)
        return None

    def schedule(self) -> Schedule:
        lines = self._course.places[self._position].so_far()
        return self._with(lines or (Line(Step(0)),))

    def digest(self) -> str:
        return self._course.places[self._position].digest

    def to_broken(self, steps_max: int = STEPS_MAX) -> bool:
        """Steps to where a rule is broken first, from here on; False, and it stays here, where none is on the way."""
        began = self._position
        for _ in range(steps_max):
            if not self.forward():
                break
            if self._course.frames[self._position].broken is not None:
                return True
        self._position = began
        return False

    # Inside

    def _keep(self, course: _Course, run: Run, upkeep: tuple[Seen, ...] = ()) -> None:
        """`upkeep`: what is told with what comes next."""
        frame = run.frame(len(course.frames))
        course.frames.append(replace(frame, seen=(*upkeep, *frame.seen)) if upkeep else frame)
        course.places.append(run.place())
        self._position = len(course.frames) - 1

    def _with(self, lines: tuple[Line, ...]) -> Schedule:
        """A scenario of these lines alone; a plan has its calm no more."""
        return replace(self._scenario, lines=lines, calm_at=None, by_hand=self._scenario.is_plan, mended=None)

    def _at_the_end(self) -> Run:
        """The run that stands where this branch ends."""
        course = self._course
        if self._run_of != course.number:
            place = course.places[-1]
            is_scenario = place.lines is self._scenario.lines
            scenario = self._scenario if is_scenario else self._with(place.lines)
            self._run = Run(scenario, self._make_replica)
            self._run.go(place)
            self._run.frame(len(course.frames) - 1)
            self._run_of = course.number
        return self._run

    def _played_to(self, place: Place) -> Run:
        """A run of its own to there; what it does next is seen."""
        lines = place.so_far()
        run = Run(self._with(lines), self._make_replica)
        run.go(Place(lines, len(lines), (), 0, is_quiet=False, ended=None, digest=place.digest))
        run.frame(self._position)
        return run

    def _left_at(self, place: Place) -> int:
        """How many lines of the scenario are left there; its calm is one of them."""
        if place.lines is not self._scenario.lines:
            return 0
        return len(place.lines) - place.done + len(place.pending) + (self._scenario.calm_at is not None)

    def _leave_scenario(self, run: Run, left: int) -> None:
        if not left:
            return
        held = {flight.number for flight in self._course.frames[self._position].flights if flight.arrives_at_ms is None}
        rules = {line.command.pattern: None for line in run.place().lines if isinstance(line.command, Hold)}
        lets_go = any(flight.arrives_at_ms is None for flight in self._course.frames[self._position].flights)
        freed = ", and what it held is on its way" if rules and lets_go else ""
        run.say(f"the scenario's rest is not done: it is left here{freed}")
        for pattern in rules:
            by_number = replace(pattern, numbers=pattern.numbers & held)
            if by_number.numbers or not pattern.numbers:
                problem = run.do(_line(Step(0, Release(by_number)), self.names))
                assert problem is None, problem
            held -= by_number.numbers

    def _said(self, command: Command) -> Line | str:
        """The line that says it; in words what keeps it from being one."""
        try:
            words = written(Line(command), self.names)
            read = read_line(Words(words, self.names), 0)
        except BadLine as bad:
            return str(bad)
        return replace(read, words=words)


def _line(command: Command, names: tuple[SiteId, ...]) -> Line:
    return Line(command, words=written(Line(command), names))


def free(leadership: Sequence[Leadership], seed: int) -> Schedule:
    """A free lab: as many sites as modes, `s1` and so on, and nothing is done yet. Raises ValueError."""
    names = tuple(SiteId(f"s{place}") for place in range(1, len(leadership) + 1))
    steady = tuple(tuple(STEADY for _ in names) for _ in names)
    setup = Setup(seed, names, tuple(leadership), Timings(), _PAGE_BYTES, steady, tuple(0 for _ in names), 0)
    return Schedule(setup, ())
