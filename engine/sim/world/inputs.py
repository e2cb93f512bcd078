"""What a process of the world takes in: a datagram, or what a user asks for. All that waited is one pass."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.events.submissions import Submission
from engine.core.ids import Slot, Tick
from engine.sim.world.network import Datagram


@dataclass(frozen=True, slots=True)
class GiveUp:
    token: int


@dataclass(frozen=True, slots=True)
class Fill:
    """Of these slots, or of all holes."""

    slots: tuple[Slot, ...] | None


@dataclass(frozen=True, slots=True)
class Read:
    """A linearizable read (R5)."""

    token: int
    timeout: Tick


Input = Datagram | Submission | GiveUp | Fill | Read
