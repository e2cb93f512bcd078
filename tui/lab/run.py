"""A play that is stepped: from one thing that is to be seen to the next one.

Rules that hold here:
- A step is an event of the world, or a line with the first event that it lets happen. What shows nothing (heartbeats,
  timers, a line put down for its time) is gone through on the way; who is heard and who is silent is told with what
  comes next.
- The mistake of a schedule (`engine.sim.scenario.mistake`) is in force only while its world is stepped: worlds beside
  it are as they should be.
- Where a run stands is a `Place`: lines that are done, and events of the world after them. Played again up to there it
  is the same run, event for event.
- How far a line is done (`step 3 of release`) is written for whoever plays it again, and is nothing to be seen: what
  was saved has the steps that it had.
- A broken rule, an expectation that fails, and whatever escapes the core end a run, and are seen as its last step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.sim.scenario.holding import LETS_GO_MS
from engine.sim.scenario.mistake import in_force
from engine.sim.scenario.play import Play, Unexpected
from engine.sim.scenario.schedule import (
    Deliver,
    Duplicate,
    Line,
    Release,
    RunFor,
    RunUntil,
    RunUntilQuiet,
    Schedule,
    Step,
)
from engine.sim.scenario.write import written
from engine.sim.violation import OutOfModel, Violated
from engine.sim.world.world import MakeReplica
from tui.lab.camera import Camera
from tui.lab.frame import Frame

QUIET_EVENTS_MAX: Final = 20_000
"""So many events are gone through in one step that shows nothing."""
QUIET_MS: Final = 3_000
"""When so long nothing is to be seen and everybody is done, nothing more happens: longer than it takes all to find out
at their next beat that one is silent, which is four beats."""
_LOOK_EVENTS: Final = 16
_CALM: Final = "the faults of this plan are over, and it is settling: go back before the calm, and do it there"


@dataclass(frozen=True, slots=True)
class Place:
    """`done` of the lines are done, but for those `pending`, whose time has not come; `events` of the world happened in
    what follows them. `is_quiet`: nothing was seen but that nothing happens any more. `ended`: why nothing can be done
    here, in words. `digest` names everything that happened."""

    lines: tuple[Line, ...]
    done: int
    pending: tuple[int, ...]
    events: int
    is_quiet: bool
    ended: str | None
    digest: str

    def so_far(self) -> tuple[Line, ...]:
        """Lines that lead to here."""
        done = (line for index, line in enumerate(self.lines[: self.done]) if index not in self.pending)
        return (*done, *self._begun())

    def _begun(self) -> tuple[Line, ...]:
        if self.done == len(self.lines):
            return (Line(Step(self.events)),) if self.events else ()
        if not self.events:
            return ()
        line = self.lines[self.done]
        match line.command:
            case Release() | Deliver() | Duplicate() | RunFor() | RunUntil() | RunUntilQuiet() as command:
                words = f"step {self.events} of {line.words}" if line.words else ""
                return (Line(Step(self.events, command), words=words),)
            case Step(_, begun):
                return (Line(Step(self.events, begun)),)
            case _:
                return (Line(Step(self.events)),)


class Run:
    """Raises ScenarioError."""

    def __init__(self, schedule: Schedule, make_replica: MakeReplica) -> None:
        self._names = schedule.setup.names
        self._camera = Camera(self._names)
        self._lines = schedule.lines
        self._done = 0
        self._pending: tuple[int, ...] = ()
        self._under_way: Iterator[None] | None = None
        self._began_at = 0  # as many events were stepped to when what is under way began
        self._began_ms = 0  # the world's time then
        self._broken: str | None = None
        self._ended: str | None = None
        self._is_over = False
        self._is_quiet = False
        self._play = Play(schedule, make_replica, [self._camera])
        self._play.on_time = self._on_time

    def step(self) -> bool:
        """To the next thing that is to be seen; False where nothing happens any more, which was the last thing seen."""
        with in_force(self._play.schedule):
            return self._step()

    def go(self, place: Place) -> None:
        """From its beginning to where a run of the same lines stood."""
        with in_force(self._play.schedule):
            while (self._done, self._events) != (place.done, place.events):
                self._advance()
        assert self._play.world.digest() == place.digest, "the same lines give the same run"

    def leave(self, lines: tuple[Line, ...]) -> None:
        """What is left of its lines is not done; these led to here."""
        self._lines = lines
        self._done = len(lines)
        self._pending = ()
        self._under_way = None
        self._is_over = False

    def do(self, line: Line) -> str | None:
        """Does one more line, as far as a step does; what keeps it from being done, in words, spoils the run."""
        self._lines = (*self._lines, line)
        self._is_over = self._is_quiet = False
        self._under_way = None
        with in_force(self._play.schedule):
            try:
                self._advance()
                while self._under_way is not None and not self._camera.has_news:
                    self._advance()
            except Unexpected as unexpected:
                return unexpected.problem
            except OutOfModel as left:
                return str(left)
            except Exception as error:
                self._end(error)
        if not self._camera.has_news:
            self.say("it has no visible effect")
        return None

    def say(self, words: str) -> None:
        self._camera.say(self._now, words)

    def frame(self, step: int) -> Frame:
        return self._camera.take(self._play, step, self._broken)

    def place(self) -> Place:
        ended = self._ended or (_CALM if self._play.is_calm else None)
        digest = self._play.world.digest()
        return Place(self._lines, self._done, self._pending, self._events, self._is_quiet, ended, digest)

    @property
    def _now(self) -> int:
        return self._play.world.now - self._play.began

    @property
    def _events(self) -> int:
        """Of what is under way."""
        return 0 if self._under_way is None else self._play.world.stepped - self._began_at

    def _step(self) -> bool:
        quiet_since_ms = self._now
        for events in range(1, QUIET_EVENTS_MAX + 1):
            if self._is_over:
                return False
            try:
                self._advance()
            except Exception as error:
                self._end(error)
            if self._camera.has_news:
                return True
            is_looked_at = events % _LOOK_EVENTS == 0 or self._under_way is None
            is_long = is_looked_at and self._now >= quiet_since_ms + QUIET_MS
            if is_long and self._is_free and self._play.is_quiet():
                break
        quiet_ms = self._now - quiet_since_ms
        if self._is_free:
            self._is_over = self._is_quiet = True
            self.say(f"nothing more happens: {quiet_ms} ms with nothing but heartbeats")
        else:
            self.say(f"nothing visible for {quiet_ms} ms")
        return True

    @property
    def _is_free(self) -> bool:
        """Its lines are over, and the world goes on by itself."""
        return self._done == len(self._lines) and not self._pending and self._play.schedule.calm_at is None

    def _advance(self) -> None:
        """One event of the world, or a line without any."""
        if self._under_way is None:
            self._under_way = self._begin()
            self._began_at, self._began_ms = self._play.world.stepped, self._play.world.now
        if next(self._under_way, _OVER) is not _OVER and not self._has_let_go():
            return
        if self._done == len(self._lines):
            self._is_over = True
        else:
            self._under_way = None
            self._done += 1

    def _has_let_go(self) -> bool:
        """All has arrived that this line lets go: it is done with that, and not with the next event."""
        line = self._lines[self._done] if self._done < len(self._lines) else None
        if line is None or not isinstance(line.command, Release | Deliver | Duplicate):
            return False
        next_at = self._play.world.next_at
        if next_at is not None and next_at <= self._began_ms + LETS_GO_MS:
            return False
        assert self._under_way is not None, "it has just come back"
        over = next(self._under_way, _OVER)
        assert over is _OVER, "no other event is due"
        return True

    def _begin(self) -> Iterator[None]:
        """What comes next."""
        if self._done == len(self._lines):
            return self._afterwards()
        line = self._lines[self._done]
        if line.at is None:
            words = self._words(line)
            if words:
                self.say(words)
        else:
            self._pending = (*self._pending, self._done)
        return self._play.doing(line)

    def _afterwards(self) -> Iterator[None]:
        yield from self._play.ending()
        if self._play.is_calm:
            settled_ms = self._play.settled_ms
            self.say("too few voters are left" if settled_ms is None else f"all is settled after {settled_ms} ms")
            return
        while self._play.world.step():
            yield

    def _on_time(self, line: Line, problem: str | None) -> None:
        """Its time has come."""
        self._pending = tuple(index for index in self._pending if self._lines[index] is not line)
        words = self._words(line)
        self.say(words if problem is None else f"{words}: {problem}")

    def _words(self, line: Line) -> str:
        """What is said of it; of one that was begun to be done, what was begun."""
        match line.command:
            case Step(0) | Step(_, None):
                return ""
            case Step(_, begun) if begun is not None:
                return line.words.partition(" of ")[2] or written(Line(begun), self._names)
            case _:
                return written(line, self._names)

    def _end(self, error: Exception) -> None:
        """Seen as the run's last step."""
        self._is_over = True
        match error:
            case Violated():
                words = f"violates {error}"
                self._broken = str(error)
                self._camera.say(self._now, words, is_wrong=not self._play.was_expected(error))
            case Unexpected():
                words = error.problem
                self._camera.say(self._now, words, is_wrong=True)
            case OutOfModel():
                words = f"the model ends here: {error}"
                self.say(words)
            case _:  # whatever escapes the core is a finding, to be shown with all that led to it
                words = self._broken = f"{error!r} escapes"
                self._camera.say(self._now, words, is_wrong=True)
        self._ended = f"the run ends here ({words}): go back a step, and do it there"
        if self._play.world.stepped == self._began_at and self._done < len(self._lines):
            self._done += 1  # the line itself, not what it let happen
            self._under_way = None


_OVER: Final = object()
