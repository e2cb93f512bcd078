"""A schedule: a world, and the list of what is done in it and expected of it, each at its time or at its turn.

Rules that hold here:
- A line with a time is put down for that time, counted from where the lines begin, and the next line follows at once. A
  line without one is done now, at its turn: the world's clock stands still but for the lines that let it run.
- Only acts have times. What lets time pass, holds messages, or is expected is done at its turn.
- A schedule is data. The same schedule gives the same run, event for event: whoever drives a world line by line writes
  the lines down, forks the world by playing them again up to the fork, and saves them as a file. Taking lines out gives
  a smaller schedule that still runs.
- What a seed draws (`engine.sim.proving.swarm`) is a schedule of acts with times and a calm at the end: a plan.
  Somebody may go on with it by hand, and then it has no calm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.core.ids import Round, SiteId, Tick
from engine.sim.scenario.acts import Act
from engine.sim.scenario.expected import Checkable, Expectation
from engine.sim.scenario.patterns import Pattern
from engine.sim.world.setup import Setup


class ScenarioError(Exception):
    """A scenario file that cannot be read or done: names the file and the line, and says what to write instead."""

    def __init__(self, file: str, number: int, what: str) -> None:
        super().__init__(f"{file}:{number}: {what}")


# Messages


@dataclass(frozen=True, slots=True)
class Hold:
    """From now on, what matches is held instead of sent on its way."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Release:
    """What is held and matches arrives, and from now on what matches is not held."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Deliver:
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Drop:
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Duplicate:
    """What matches arrives, and is held once more."""

    pattern: Pattern


# Time


@dataclass(frozen=True, slots=True)
class RunFor:
    ms: int


@dataclass(frozen=True, slots=True)
class RunUntilQuiet:
    """Until every site that runs has all that is used, and nobody does anything but say that it lives."""


@dataclass(frozen=True, slots=True)
class RunUntil:
    """Until this holds, which must be within so long."""

    expected: Checkable
    within_ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """So many events of the world. `begun`: the first ones of this command, which is not done further; what it lets go
    stays on its way, and what it waits for is not waited for."""

    events: int
    begun: Release | Deliver | Duplicate | RunFor | RunUntil | RunUntilQuiet | None = None


Command = Act | Hold | Release | Deliver | Drop | Duplicate | RunFor | RunUntilQuiet | RunUntil | Step | Expectation


@dataclass(frozen=True, slots=True)
class Line:
    """A command, at its time or (None) at its turn; with its place in the file and its words there, if it has them."""

    command: Command
    at: Tick | None = None
    number: int = field(default=0, compare=False)
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Broken:
    """The replicas break a rule on purpose from the first line on: `mutant` is a name of `engine.sim.mutants`. The run
    goes on until the rule `until` is broken, and what breaks on the way there is told; None: it ends with the first."""

    mutant: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """`calm_at` None: the lines begin once all sites run, vote and follow `leader` (L3), and the last line is the end.

    Else it is a plan: all processes begin with the lines, acts are done where the model allows them, and from `calm_at`
    on there are no faults, and everything must settle. `by_hand`: a plan without its calm, whose lines with times are
    followed by others, which are done at their turn.

    `rounds`: the highest round that a site has used before (B1), so that a scenario can name its ballots as a textbook
    does. `broken`: the replicas have a mistake in them; `mended` is then the same without it, with what is to happen
    there. `file`: its name, for errors.
    """

    setup: Setup
    lines: tuple[Line, ...]
    calm_at: Tick | None = None
    leader: SiteId | None = None
    rounds: tuple[tuple[SiteId, Round], ...] = ()
    by_hand: bool = False
    broken: Broken | None = None
    mended: Schedule | None = None
    file: str = field(default="", compare=False)

    @property
    def is_plan(self) -> bool:
        return self.by_hand or self.calm_at is not None
