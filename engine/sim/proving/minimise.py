"""Makes a failing plan small enough to read: less is tried as long as the same rule stays broken.

Rules that hold here:
- A smaller plan counts only if its run fails as the first one did: by the same rule, or by the same exception.
- First acts go, by delta debugging (Zeller and Hildebrandt, 2002), then sites, then what the weather, the disks and the
  timings do, then what is particular about each act; and again, until a round changes nothing or RUNS_MAX is reached.
- Whatever is left is deterministic: the plan, saved as a scenario file, fails whenever it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, assert_never

from engine.core.entry import Tweet
from engine.core.ids import SiteId, Tick
from engine.core.replica import Replica
from engine.core.settings import Leadership, Timings
from engine.sim.proving.swarm import draw
from engine.sim.scenario import plans
from engine.sim.scenario.parse import STEADY
from engine.sim.scenario.transcript import Transcript
from engine.sim.violation import OutOfModel, Violated
from engine.sim.world.plan import (
    Act,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    Pause,
    Plan,
    PutBack,
    Read,
    Setup,
    Submit,
    TakeCopy,
    Weather,
    Wipe,
)
from engine.sim.world.run import Run
from engine.sim.world.world import MakeReplica

RUNS_MAX: Final = 1_500
LIVENESS: Final = "liveness"
FOUND: Final = Path("build", "failures")
"""Where a campaign saves what it finds, from the current directory."""

_SEEDS_TRIED: Final = 4
_DOWN_MS: Final = 100
_SOON_MS: Final = 2_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Failure:
    """How a run failed: `rule` tells failures apart, `sentence` is for people, `at` is the world's time."""

    rule: str
    sentence: str
    at: Tick


@dataclass(frozen=True, slots=True)
class Minimised:
    plan: Plan
    failure: Failure
    runs: int

    def text(self) -> str:
        """The scenario file."""
        return plans.write(self.plan, f"Violates {self.failure.sentence}")


def failure_of(plan: Plan, make_replica: MakeReplica = Replica) -> Failure | None:
    """Runs the plan; None where everything holds."""
    run = Run(plan, make_replica)
    return _failure(run, run.complete)


def _failure_soon(plan: Plan, make_replica: MakeReplica) -> Failure | None:
    """As `failure_of`, of what happens up to the calm and shortly after: most runs that hold need not settle."""
    run = Run(plan, make_replica)
    world = run.world

    def until_soon() -> None:
        world.run(plan.calm_at)
        world.calm()
        world.run(plan.calm_at + _SOON_MS)

    return _failure(run, until_soon)


def _failure(run: Run, do: Callable[[], object]) -> Failure | None:
    try:
        do()
    except Violated as violated:
        return Failure(violated.violation.rule, str(violated), Tick(run.world.now))
    except OutOfModel:
        return None
    except Exception as error:  # whatever escapes the core is what is being looked for
        return Failure(type(error).__name__, repr(error), Tick(run.world.now))
    return None


def minimise(plan: Plan, make_replica: MakeReplica = Replica, runs_max: int = RUNS_MAX) -> Minimised:
    """Raises ValueError where the plan does not fail."""
    failure = failure_of(plan, make_replica)
    if failure is None:
        raise ValueError("this plan does not fail: there is nothing to make smaller")
    search = _Search(plan, failure, make_replica, runs_max)
    search.run()
    return Minimised(search.plan, search.failure, search.runs)


def save(minimised: Minimised, path: Path, make_replica: MakeReplica = Replica, mutant: str | None = None) -> list[str]:
    """Writes the scenario file; returns what to print: how to run it, what it says, its diagram.

    `mutant` names the rule that is broken on purpose now, and must be again for the file to fail.
    """
    text = minimised.text()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    diagram = Transcript(minimised.plan, make_replica).diagram
    broken = "" if mutant is None else f"--mutant {mutant} "
    command = f".venv/bin/python -m engine.sim.scenario {broken}{path}"
    return [f"minimised in {minimised.runs} runs; {command}", text, *diagram]


def save_seed(seed: int, mutant: str | None = None, folder: Path = FOUND) -> list[str]:
    """Minimises what a campaign found with this mutant in force, and saves it; returns what to print."""
    return save(minimise(draw(seed)), folder / f"seed-{seed}.scenario", mutant=mutant)


class _Search:
    """`plan` is the smallest that failed so far, `failure` how it did."""

    def __init__(self, plan: Plan, failure: Failure, make_replica: MakeReplica, runs_max: int) -> None:
        self.plan = plan
        self.failure = failure
        self.runs = 1
        self._make_replica = make_replica
        self._runs_max = runs_max
        self._judge = failure_of if failure.rule == LIVENESS else _failure_soon

    def run(self) -> None:
        before: Plan | None = None
        while self.plan != before and self.runs < self._runs_max:
            before = self.plan
            self._end_at_failure()
            self._fewer_acts()
            self._fewer_sites()
            self._plainer_setup()
            self._plainer_acts()
        self._end_at_failure()

    def _fails(self, plan: Plan) -> bool:
        """Takes the plan over if it fails alike."""
        if plan == self.plan or self.runs >= self._runs_max:
            return False
        self.runs += 1
        failure = self._judge(plan, self._make_replica)
        if failure is None or failure.rule != self.failure.rule:
            return False
        self.plan, self.failure = plan, failure
        return True

    def _end_at_failure(self) -> None:
        """What would come after the failure goes."""
        at = self.failure.at
        if at < self.plan.calm_at:
            acts = tuple(act for act in self.plan.acts if act.at <= at)
            self._fails(replace(self.plan, acts=acts, calm_at=Tick(at + 1)))

    def _fewer_acts(self) -> None:
        """Delta debugging: leaves out half of them, then quarters, down to single ones."""
        size = max(1, len(self.plan.acts) // 2)
        while self.plan.acts:
            start = 0
            while start < len(self.plan.acts):
                acts = self.plan.acts
                if not self._fails(replace(self.plan, acts=acts[:start] + acts[start + size :])):
                    start += size
            if size == 1:
                return
            size //= 2

    def _fewer_sites(self) -> None:
        for site in reversed(range(len(self.plan.setup.names))):
            if len(self.plan.setup.names) > 1:
                self._fails(_without(self.plan, site))

    def _plainer_setup(self) -> None:
        for plainer in PLAINER:
            setup = plainer(self.plan.setup)
            if setup == self.plan.setup:
                continue
            for seed in (setup.seed, *range(_SEEDS_TRIED)):
                if self._fails(replace(self.plan, setup=replace(setup, seed=seed))):
                    break

    def _plainer_acts(self) -> None:
        for index in range(len(self.plan.acts)):
            while any(self._fails(self._with(index, act)) for act in _plainer(self.plan.acts[index])):
                pass

    def _with(self, index: int, act: Act) -> Plan:
        acts = self.plan.acts
        return replace(self.plan, acts=(*acts[:index], act, *acts[index + 1 :]))


# Fewer sites


def _without(plan: Plan, site: int) -> Plan:
    setup = plan.setup
    rows = _less(setup.links, site)
    smaller = replace(
        setup,
        names=_less(setup.names, site),
        leadership=_less(setup.leadership, site),
        disk_ms=_less(setup.disk_ms, site),
        heartbeats=tuple(each for each in setup.heartbeats if each[0] != setup.names[site]),
        stamps=tuple(each for each in setup.stamps if each[0] != setup.names[site]),
        links=tuple(_less(row, site) for row in rows),
    )
    acts = (_spared(act, site, setup.names) for act in plan.acts)
    return Plan(smaller, tuple(act for act in acts if act is not None), plan.calm_at)


def _less(items: Sequence[_T], index: int) -> tuple[_T, ...]:
    return (*items[:index], *items[index + 1 :])


def _spared(act: Act, site: int, names: Sequence[SiteId]) -> Act | None:
    """The act in a world without this site; None where it was about it."""
    match act:
        case CrashAll():
            return act
        case Cut():
            links = tuple((_moved(a, site), _moved(b, site)) for a, b in act.links if site not in (a, b))
            return replace(act, links=links) if links else None
        case Submit() if getattr(act.operation, "target", None) == names[site]:
            return None
        case (
            Submit()
            | FillHoles()
            | Read()
            | Crash()
            | Pause()
            | ClockJump()
            | FailSync()
            | FillDisk()
            | FlipBit()
            | Wipe()
            | TakeCopy()
            | PutBack()
        ):
            return None if act.site == site else replace(act, site=_moved(act.site, site))
        case _:
            assert_never(act)


def _moved(index: int, gone: int) -> int:
    return index - (index > gone)


# Plainer worlds


def _steady(setup: Setup) -> Setup:
    return replace(setup, links=tuple((STEADY,) * len(setup.names) for _ in setup.names))


def _at_once(setup: Setup) -> Setup:
    return replace(setup, disk_ms=(0,) * len(setup.names))


def _usual(setup: Setup) -> Setup:
    return replace(setup, tick_late_ms=0, timings=Timings(), heartbeats=(), stamps=(), page_bytes=1_100)


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
    """Each changes one thing; `at` stays, for acts keep their order."""
    match act:
        case Submit():
            yield replace(act, operation=Tweet("t"), timeout=Tick(10_000), retry=False, give_up_ms=None)
            yield replace(act, operation=Tweet("t"))
            yield replace(act, give_up_ms=None)
            yield replace(act, retry=False)
            yield replace(act, timeout=Tick(10_000))
        case Crash():
            yield replace(act, points=0, only=None, kept=0.0, down_ms=_DOWN_MS)
            yield replace(act, points=min(act.points, 1))
            yield replace(act, kept=0.0)
            yield replace(act, down_ms=_DOWN_MS)
        case CrashAll() | FailSync():
            yield replace(act, kept=0.0)
            yield replace(act, down_ms=_DOWN_MS)
        case Cut():
            for link in act.links if len(act.links) > 1 else ():
                yield replace(act, links=tuple(each for each in act.links if each != link))
        case FlipBit():
            yield replace(act, where=None)
        case Read():
            yield replace(act, timeout=Tick(10_000))
        case FillDisk() | Wipe() | PutBack():
            yield replace(act, down_ms=_DOWN_MS)
        case FillHoles() | Pause() | ClockJump() | TakeCopy():
            return
        case _:
            assert_never(act)
