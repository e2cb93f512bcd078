"""What a site needs of its world.

Rules that hold here:
- A site knows no other site, no link and no run: the world carries what it sends, and ends its process.
- Sites are told apart by their place in `names`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from engine.core.effects import Observation
from engine.core.ids import SiteId
from engine.core.messages import Message
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.core.storage import Stored
from engine.sim.sometimes import CrashPoint
from engine.sim.truth.truth import Truth
from engine.sim.world.disk import SimDisk

_T = TypeVar("_T")


@dataclass(slots=True)
class Fuse:
    """The process ends at the `points`-th crash point from now; `only`: points of other kinds do not count."""

    points: int
    kept: float
    down_ms: int | None
    only: CrashPoint | None = None


class Surroundings(Protocol):
    """What a site needs of its world: the time, what it is held against, who carries and tells what it says."""

    now: int
    names: tuple[SiteId, ...]
    truth: Truth

    @property
    def reached(self) -> Callable[[str], None]:
        """Called with the name of a state that a run came to."""

    @property
    def mark(self) -> Callable[[tuple[int, int, int]], None]:
        """Called with what was done, when, and a number: see `Mark`."""

    def at(self, when: int, call: Callable[[_T], None], argument: _T) -> None:
        """Has `call(argument)` made at the world's time `when`."""

    def replica(self, settings: Settings, stored: Stored, disk: SimDisk) -> Replica:
        """A replica for a new process, with chance of its own."""

    def send(self, index: int, to: SiteId, payload: bytes, messages: tuple[Message, ...]) -> None:
        """A datagram leaves."""

    def told(self, index: int, saw: Observation) -> None:
        """A site says what it concluded."""

    def note(self, index: int | None, what: str, why: str) -> None:
        """A process starts or ends."""

    def crashed(self, index: int, point: CrashPoint, fuse: Fuse) -> None:
        """A fuse has burnt down: the world ends the process."""

    def stopped(self, index: int, why: str) -> None:
        """The store failed (D2): the world ends the process."""
