"""Whether a site's engine is connected, and what is known of why not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connecting:
    """Nothing was heard yet."""


@dataclass(frozen=True, slots=True)
class Up:
    """The engine is connected."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The engine said that it stops, and why; `exit_status` is its own (0: it was asked to)."""

    reason: str
    exit_status: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection went away without a word; `log_tail` is the end of the engine's log file."""

    why: str
    log_tail: tuple[str, ...]


Connection = Connecting | Up | Stopped | Gone
