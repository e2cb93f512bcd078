"""Makes a failing schedule small enough to read: less is tried as long as the same rule stays broken.

Rules that hold here:
- A smaller one counts only if its run fails as the first one did: by the same rule, or by the same exception.
- First lines go, by delta debugging (Zeller and Hildebrandt, 2002), then sites, then what the weather, the disks and
  the timings do, then what is particular about each act; and again, until a round changes nothing, or RUNS_MAX is
  reached.
- Whatever is left is deterministic: the schedule, saved as a scenario file, fails whenever it is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, assert_never

from engine.core.entry import Block, Tweet, Unblock
from engine.core.ids import SiteId, Tick
from engine.core.replica import Replica
from engine.core.settings import Leadership, Timings
from engine.sim.proving.swarm import draw
from engine.sim.scenario.acts import (
    Act,
    Clear,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    GiveUp,
    Links,
    MembersChange,
    Mend,
    Narrow,
    Pause,
    PutBack,
    Read,
    Readmission,
    Restart,
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.scenario.play import Play, Unexpected
from engine.sim.scenario.schedule import Broken, Line, Schedule
from engine.sim.scenario.transcript import Transcript
from engine.sim.scenario.write import write
from engine.sim.violation import OutOfModel, Violated
from engine.sim.world.setup import STEADY, Setup, Weather
from engine.sim.world.world import MakeReplica

RUNS_MAX: Final = 1_500
LIVENESS: Final = "liveness"
FOUND: Final = Path("build", "failures")
"""Where a campaign saves what it finds, from the current directory."""

_SEEDS_TRIED: Final = 4
_DOWN_MS: Final = 100
_SOON_MS: Final = 2_000

_WORDS: Final = re.compile(r"[a-z0-9-]+")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Failure:
    """How a run failed: `rule` tells failures apart, `sentence` is for people, `at` is the world's time."""

    rule: str
    sentence: str
    at: Tick


@dataclass(frozen=True, slots=True)
class Minimised:
    schedule: Schedule
    failure: Failure
    runs: int

    def text(self, mutant: str | None = None) -> str:
        """The scenario file; `mutant` is what it fails with."""
        broken = None if mutant is None else Broken(mutant, None)
        return write(replace(self.schedule, broken=broken), f"Violates {self.failure.sentence}")


def failure_of(schedule: Schedule, make_replica: MakeReplica = Replica) -> Failure | None:
    """Plays the schedule; None where everything holds."""
    play = Play(schedule, make_replica)
    return _failure(play, play.complete)


def _failure_soon(schedule: Schedule, make_replica: MakeReplica) -> Failure | None:
    """As `failure_of`, of what happens up to the calm and shortly after: most runs that hold need not settle."""
    calm_at = schedule.calm_at
    if calm_at is None:
        return failure_of(schedule, make_replica)
    play = Play(schedule, make_replica)

    def until_soon() -> None:
        play.do_lines()
        play.world.run(calm_at)
        play.world.calm()
        play.world.run(calm_at + _SOON_MS)

    return _failure(play, until_soon)


def _failure(play: Play, do: Callable[[], object]) -> Failure | None:
    try:
        do()
    except Violated as violated:
        return Failure(violated.violation.rule, str(violated), Tick(play.world.now))
    except (OutOfModel, Unexpected):
        return None
    except Exception as error:  # whatever escapes the core is what is being looked for
        return Failure(type(error).__name__, repr(error), Tick(play.world.now))
    return None


def minimise(schedule: Schedule, make_replica: MakeReplica = Replica, runs_max: int = RUNS_MAX) -> Minimised:
    """Raises ValueError where the schedule does not fail."""
    failure = failure_of(schedule, make_replica)
    if failure is None:
        raise ValueError("this schedule does not fail: there is nothing to make smaller")
    search = _Search(schedule, failure, make_replica, runs_max)
    search.run()
    return Minimised(replace(search.schedule, setup=_told(search.schedule.setup)), search.failure, search.runs)


def save(minimised: Minimised, path: Path, make_replica: MakeReplica = Replica, mutant: str | None = None) -> list[str]:
    """Writes the scenario file; returns what to print: how to run it, what it says, its diagram.

    `mutant` names the rule that is broken on purpose now; the file says so, so that it fails by itself.
    """
    text = minimised.text(mutant)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    diagram = Transcript(minimised.schedule, make_replica).diagram
    command = f".venv/bin/python -m engine.sim.scenario {path}; .venv/bin/loggos lab {path}"
    return [f"minimised in {minimised.runs} runs; {command}", text, *diagram]


def save_seed(seed: int, mutant: str | None = None, folder: Path = FOUND) -> list[str]:
    """Minimises what a campaign found with this mutant in force, and saves it; returns what to print."""
    return save(minimise(draw(seed)), folder / f"seed-{seed}.scenario", mutant=mutant)


class _Search:
    """`schedule` is the smallest that failed so far, `failure` how it did."""

    def __init__(self, schedule: Schedule, failure: Failure, make_replica: MakeReplica, runs_max: int) -> None:
        self.schedule = schedule
        self.failure = failure
        self.runs = 1
        self._make_replica = make_replica
        self._runs_max = runs_max
        self._judge = failure_of if failure.rule == LIVENESS else _failure_soon

    def run(self) -> None:
        before: Schedule | None = None
        while self.schedule != before and self.runs < self._runs_max:
            before = self.schedule
            self._end_at_failure()
            self._fewer_lines()
            self._fewer_sites()
            self._plainer_setup()
            self._plainer_acts()
        self._end_at_failure()

    def _fails(self, schedule: Schedule) -> bool:
        """Takes the schedule over if it fails alike."""
        if schedule == self.schedule or self.runs >= self._runs_max:
            return False
        self.runs += 1
        failure = self._judge(schedule, self._make_replica)
        if failure is not None and schedule.calm_at is not None and failure.at >= schedule.calm_at:
            failure = failure_of(schedule, self._make_replica)  # whoever plays it does more in the calm
        if failure is None or failure.rule != self.failure.rule:
            return False
        self.schedule, self.failure = schedule, failure
        return True

    def _end_at_failure(self) -> None:
        """What would come after the failure goes."""
        at, calm_at = self.failure.at, self.schedule.calm_at
        if calm_at is not None and at < calm_at:
            lines = tuple(line for line in self.schedule.lines if line.at is None or line.at <= at)
            self._fails(replace(self.schedule, lines=lines, calm_at=Tick(at + 1)))

    def _fewer_lines(self) -> None:
        """Delta debugging: leaves out half of them, then quarters, down to single ones."""
        size = max(1, len(self.schedule.lines) // 2)
        while self.schedule.lines:
            start = 0
            while start < len(self.schedule.lines):
                lines = self.schedule.lines
                if not self._fails(replace(self.schedule, lines=lines[:start] + lines[start + size :])):
                    start += size
            if size == 1:
                return
            size //= 2

    def _fewer_sites(self) -> None:
        for site in reversed(self.schedule.setup.names):
            if len(self.schedule.setup.names) > 1:
                self._fails(_without(self.schedule, site))

    def _plainer_setup(self) -> None:
        for plainer in PLAINER:
            setup = plainer(self.schedule.setup)
            if setup == self.schedule.setup:
                continue
            for seed in (setup.seed, *range(_SEEDS_TRIED)):
                if self._fails(replace(self.schedule, setup=replace(setup, seed=seed))):
                    break

    def _plainer_acts(self) -> None:
        for index, line in enumerate(self.schedule.lines):
            if isinstance(line.command, Act):
                while any(self._fails(each) for each in self._with_plainer(index)):
                    pass

    def _with_plainer(self, index: int) -> Iterator[Schedule]:
        lines = self.schedule.lines
        act = lines[index].command
        assert isinstance(act, Act), "what is plainer is an act too"
        for plainer in _plainer(act):
            line = Line(plainer, lines[index].at)
            yield replace(self.schedule, lines=(*lines[:index], line, *lines[index + 1 :]))


# Fewer sites


def _without(schedule: Schedule, site: SiteId) -> Schedule:
    setup, index = schedule.setup, schedule.setup.names.index(site)
    smaller = replace(
        setup,
        names=_less(setup.names, index),
        later=tuple(each for each in setup.later if each != site),
        leadership=_less(setup.leadership, index),
        disk_ms=_less(setup.disk_ms, index),
        heartbeats=tuple(each for each in setup.heartbeats if each[0] != site),
        stamps=tuple(each for each in setup.stamps if each[0] != site),
        links=tuple(_less(row, index) for row in _less(setup.links, index)),
    )
    lines = (_spared(line, site) for line in schedule.lines)
    return replace(
        schedule,
        setup=smaller,
        lines=tuple(line for line in lines if line is not None),
        leader=None if schedule.leader == site else schedule.leader,
        rounds=tuple(each for each in schedule.rounds if each[0] != site),
    )


def _less(items: Sequence[_T], index: int) -> tuple[_T, ...]:
    return (*items[:index], *items[index + 1 :])


def _spared(line: Line, site: SiteId) -> Line | None:
    """What is left of the line where this site is taken out of the schedule; None where the line was about it alone."""
    match line.command:
        case Cut(links) | Narrow(links) if _among_others(links, site) != links:
            others = _among_others(links, site)
            return Line(replace(line.command, links=others), line.at) if others else None
        case Restart(sites) if site in sites:
            left = tuple(each for each in sites if each != site)
            return Line(Restart(left), line.at) if left else None
        case Submit(by, operations):
            kept = tuple(each for each in operations if not isinstance(each, Block | Unblock) or each.target != site)
            if by == site or not kept:
                return None
            return line if kept == operations else Line(replace(line.command, operations=kept), line.at)
        case command:
            return None if site in _WORDS.findall(repr(command)) else line


def _among_others(links: Links, site: SiteId) -> Links:
    return tuple(link for link in links if site not in link)


# Plainer worlds


def _told(setup: Setup) -> Setup:
    """Of a site's link to itself, which nothing passes, no file tells: it reads as the usual one."""
    rows = enumerate(setup.links)
    return replace(setup, links=tuple((*row[:own], setup.usual, *row[own + 1 :]) for own, row in rows))


def _steady(setup: Setup) -> Setup:
    return replace(setup, links=tuple((STEADY,) * len(setup.names) for _ in setup.names))


def _at_once(setup: Setup) -> Setup:
    return replace(setup, disk_ms=(0,) * len(setup.names))


def _usual(setup: Setup) -> Setup:
    return replace(
        setup, tick_late_ms=0, chosen_waits_ms=0, timings=Timings(), heartbeats=(), stamps=(), page_bytes=1_100
    )


def _plainly_led(setup: Setup) -> Setup:
    return replace(setup, leadership=(Leadership.NONE,) * len(setup.names))


def _calmer(setup: Setup, less: Callable[[Weather], Weather]) -> Setup:
    """One thing less on all links."""
    return replace(setup, links=tuple(tuple(map(less, row)) for row in setup.links))


def _uniform(setup: Setup) -> Setup:
    """The most common weather on all links."""
    every = [weather for row in setup.links for weather in row]
    usual = max(every, key=lambda weather: (every.count(weather), repr(weather)))
    return replace(setup, links=tuple((usual,) * len(setup.names) for _ in setup.names))


PLAINER: Final[tuple[Callable[[Setup], Setup], ...]] = (
    lambda setup: _usual(_at_once(_steady(setup))),
    _steady,
    _at_once,
    _usual,
    lambda setup: replace(setup, tick_late_ms=0),
    lambda setup: replace(setup, chosen_waits_ms=0),
    lambda setup: replace(setup, page_bytes=1_100),
    lambda setup: replace(setup, stamps=()),
    lambda setup: replace(setup, timings=Timings(), heartbeats=()),
    _plainly_led,
    _uniform,
    partial(_calmer, less=lambda weather: replace(weather, stale=0.0)),
    partial(_calmer, less=lambda weather: replace(weather, late=0.0, late_max=0)),
    partial(_calmer, less=lambda weather: replace(weather, duplicate=0.0)),
    partial(_calmer, less=lambda weather: replace(weather, loss=0.0)),
    partial(_calmer, less=lambda weather: replace(weather, delay_min=STEADY.delay_min)),
    partial(_calmer, less=lambda weather: replace(weather, delay_spread=STEADY.delay_spread)),
)
"""The boldest first."""


# Plainer acts


def _plainer(act: Act) -> Iterator[Act]:
    """Each changes one thing."""
    match act:
        case Submit():
            few = act.operations[: len(act.operations) // 2] or act.operations
            yield replace(act, operations=(Tweet("t"),), timeout=Tick(10_000), retry=False, give_up_ms=None)
            yield replace(act, operations=few)
            yield replace(act, operations=act.operations[1:] or act.operations)
            yield replace(act, operations=(Tweet("t"),) * len(act.operations))
            yield replace(act, give_up_ms=None)
            yield replace(act, retry=False)
            yield replace(act, timeout=Tick(10_000))
        case Crash():
            yield replace(act, points=0, only=None, kept=0.0, down_ms=_DOWN_MS)
            yield replace(act, points=min(act.points, 1))
            yield replace(act, kept=0.0)
            yield replace(act, down_ms=_DOWN_MS)
        case CrashAll():
            yield replace(act, kept=0.0)
            yield replace(act, down_ms=_DOWN_MS)
        case Cut():
            for link in act.links if len(act.links) > 1 else ():
                yield replace(act, links=tuple(each for each in act.links if each != link))
        case FlipBit():
            yield replace(act, where=None)
        case Read():
            yield replace(act, timeout=Tick(10_000))
        case FailSync() | FillDisk() | Wipe() | PutBack():
            yield replace(act, down_ms=_DOWN_MS)
        case GiveUp() | FillHoles() | Narrow() | Mend() | Restart() | Pause() | ClockJump() | Clear() | TakeCopy():
            return
        case Readmission() | MembersChange():
            return
        case _:
            assert_never(act)
