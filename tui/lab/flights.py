"""The messages in flight, a row each: who says what to whom, and when it arrives, or that it is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.explained.describe import Line
from engine.core.ids import SiteId, Slot
from tui.lab.ballots import lab_ballots
from tui.lab.diagram import label
from tui.lab.frame import Flight
from tui.rows import Part, Role, Row, fitted

HELD: Final = "held"
LONG_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Seeing:
    """What is the same for all rows: the time, and the slot that the table shows, which need not be named."""

    now_ms: float
    slot: Slot
    names: tuple[SiteId, ...]


def flight_row(flight: Flight, seeing: Seeing, width: int) -> Row:
    """`#12  s1→s3 held accept 3.1 #2 asks to accept: ...`; what does not fit is cut at the end."""
    names = seeing.names
    number = f"#{flight.number}"
    name = min(max(map(len, names)), 8)
    when = HELD if flight.arrives_at_ms is None else _in(flight.arrives_at_ms - seeing.now_ms)
    first, *more = [_short(line, seeing) for line in flight.lines] or [""]
    others = f" +{len(more)}" if more else ""
    notes = "; ".join(lab_ballots(names).words(line.note) for line in flight.lines)
    return (
        Part(f"{number:<4}", Role.DIM),
        Part(f"{fitted(flight.sender, name).rstrip()}→{flight.to:<{name}} ", Role.STRONG),
        Part(f"{when:<6}", Role.WARN if when == HELD else Role.DIM),
        Part(f"{first}{others} ", Role.NOTE),
        Part(notes if width > 60 else "", Role.DIM),
    )


def _in(ms: float) -> str:
    """In how long it arrives."""
    return f"+{ms:.0f}ms" if ms < LONG_MS else f"+{ms / 1_000:.0f}s"


def _short(line: Line, seeing: Seeing) -> str:
    ballot = "" if line.ballot is None else f" {lab_ballots(seeing.names).ballot(line.ballot)}"
    return f"{line.type}{ballot}" + ("" if line.slot in {None, seeing.slot} else f" #{line.slot}")


def in_words(flight: Flight, names: tuple[SiteId, ...]) -> str:
    """`accept #1 3.1 from s1 to s3 (#12)`."""
    said = ", ".join(label(line, names) for line in flight.lines)
    return f"{said} from {flight.sender} to {flight.to} (#{flight.number})"
