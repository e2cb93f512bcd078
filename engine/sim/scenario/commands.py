"""What a scenario is made of: its setup and its commands, one frozen dataclass each.

Rules that hold here:
- A command is one line of the file, done at one moment of the world's clock.
- Sites are named; times are milliseconds.
- What is expected is a command too (`engine.sim.scenario.expected`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.core.entry import Operation
from engine.core.ids import EventId, Round, SiteId, Slot, Tick
from engine.sim.scenario.expected import Checkable, Expectation
from engine.sim.scenario.patterns import Pattern
from engine.sim.sometimes import CrashPoint
from engine.sim.world.plan import Setup

POINTS: Final = {
    CrashPoint.BEFORE_COMMIT: "before commit",
    CrashPoint.TORN_COMMIT: "between write and sync",
    CrashPoint.AFTER_COMMIT: "between commit and send",
    CrashPoint.BETWEEN_SENDS: "between sends",
    CrashPoint.BEFORE_TELL: "between send and outcome",
    CrashPoint.BETWEEN_TELLS: "between outcomes",
}
"""How a file names the points at which a process can end."""


class ScenarioError(Exception):
    """A scenario file that cannot be read or done: names the file and the line, and says what to write instead."""

    def __init__(self, file: str, number: int, what: str) -> None:
        super().__init__(f"{file}:{number}: {what}")


# What users do


@dataclass(frozen=True, slots=True)
class Submits:
    site: SiteId
    operation: Operation
    timeout: Tick
    retry: bool


@dataclass(frozen=True, slots=True)
class GivesUp:
    event: EventId


@dataclass(frozen=True, slots=True)
class Fills:
    site: SiteId


@dataclass(frozen=True, slots=True)
class Reads:
    """A certain read (R5)."""

    site: SiteId
    timeout: Tick


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


# Links


@dataclass(frozen=True, slots=True)
class CutBetween:
    """Nothing passes between sites of different groups."""

    groups: tuple[tuple[SiteId, ...], ...]


@dataclass(frozen=True, slots=True)
class CutOneWay:
    senders: tuple[SiteId, ...]
    addressees: tuple[SiteId, ...]


@dataclass(frozen=True, slots=True)
class Narrow:
    """These links, one way, lose packets that are longer than so many bytes, headers included."""

    links: tuple[tuple[SiteId, SiteId], ...]
    packet_bytes_max: int


@dataclass(frozen=True, slots=True)
class Mend:
    """All cuts end, and all links are wide."""


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


# Processes and stores


@dataclass(frozen=True, slots=True)
class CrashNow:
    site: SiteId


@dataclass(frozen=True, slots=True)
class CrashAt:
    """The process ends the next time that it comes to this point. `kept` (0 to 1) of what is not synced survives."""

    site: SiteId
    point: CrashPoint
    kept: float


@dataclass(frozen=True, slots=True)
class Restart:
    """These sites, or (none named) all that are down."""

    sites: tuple[SiteId, ...]


@dataclass(frozen=True, slots=True)
class PauseFor:
    site: SiteId
    ms: int


@dataclass(frozen=True, slots=True)
class Jump:
    """The process's clock leaps ahead."""

    site: SiteId
    ms: int


@dataclass(frozen=True, slots=True)
class WipeStore:
    site: SiteId


@dataclass(frozen=True, slots=True)
class CopyStore:
    site: SiteId


@dataclass(frozen=True, slots=True)
class PutBackStore:
    site: SiteId


@dataclass(frozen=True, slots=True)
class DamageStore:
    """A bit flips in the row of a slot, None: in the row about the whole store."""

    site: SiteId
    slot: Slot | None


class Fault(StrEnum):
    SYNC = "sync"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class FailNext:
    """The next sync, or write, of this site's store fails."""

    site: SiteId
    fault: Fault


Command = (
    Submits
    | GivesUp
    | Fills
    | Reads
    | Hold
    | Release
    | Deliver
    | Drop
    | Duplicate
    | CutBetween
    | CutOneWay
    | Narrow
    | Mend
    | RunFor
    | RunUntilQuiet
    | RunUntil
    | CrashNow
    | CrashAt
    | Restart
    | PauseFor
    | Jump
    | WipeStore
    | CopyStore
    | PutBackStore
    | DamageStore
    | FailNext
    | Expectation
)


@dataclass(frozen=True, slots=True)
class Line:
    """A command, with its place in the file and its words there."""

    number: int
    words: str
    command: Command


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world and what is done in it. `leader`: who is to lead once all sites run (L3). `rounds`: the highest round
    that a site has used before (B1), so that a scenario can name its ballots as a textbook does."""

    file: str
    setup: Setup
    leader: SiteId | None
    rounds: tuple[tuple[SiteId, Round], ...]
    lines: tuple[Line, ...]
