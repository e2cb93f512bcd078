"""What there is to see of a run, whichever way it was made: simulated, played on real sites, or recorded by them.

Rules that hold here:
- Times are milliseconds since the run began. Messages of a run are numbered from 1, in the order in which they left.
- A message is seen when it leaves and when it ends: it arrives, is lost, or finds nobody there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.core.explained.describe import Line
from engine.core.ids import SiteId


class Fate(Enum):
    LEAVES = "leaves"
    ARRIVES = "arrives"
    LOST = "lost"
    NOBODY_THERE = "nobody there"


@dataclass(frozen=True, slots=True)
class Flown:
    """A datagram at one end of its way; a line for each message in it."""

    at_ms: float
    left_at_ms: float
    number: int
    sender: SiteId
    to: SiteId
    fate: Fate
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Concluded:
    """A site says what it concluded."""

    at_ms: float
    site: SiteId
    line: Line


@dataclass(frozen=True, slots=True)
class Happened:
    """A process started or ended, a fault began or ended; `site` None: to all, or to the links."""

    at_ms: float
    site: SiteId | None
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the scenario is done, an expectation has come true or not, a rule is broken."""

    at_ms: float
    words: str
    is_wrong: bool


Seen = Flown | Concluded | Happened | Said
