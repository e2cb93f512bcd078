"""A space-time diagram: a lane for each site, time going down, an arrow for each message, a mark for what else is told.

Rules that hold here:
- A row is a value that says what happened; a pen says how lanes and arrows are drawn. Whoever shows a diagram makes
  rows of what it knows, and puts the drawn lanes between its clock and its words.
- Whatever is drawn stays within its lanes, from the first to the last: what is said of it stands beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class End(Enum):
    """Where an arrow ends: at its site, on the way there, where nobody is, or where it is turned away."""

    REACHED = "reached"
    LOST = "lost"
    NOBODY = "nobody there"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Head:
    """An arrow's end toward a lane."""

    lane: int
    end: End


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message from one lane to one or more others, all on the same side of it or on both."""

    sender: int
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """What happened at one site."""

    lane: int
    sign: str


CONCLUDED: Final = "●"
_SIGNS: Final = {"start": "┬", "end": "X", "refused": "X"}


def sign_of(what: str) -> str:
    """The sign of what happened to a site: its process starts or ends, or something else."""
    return _SIGNS.get(what, "■")


@dataclass(frozen=True, slots=True)
class DiagramRow:
    """`lives`: at which sites a process runs; `label` names what is drawn, `note` says more of it. Nothing is drawn
    beside what continues the row above, or is about no site."""

    at_ms: float
    lives: tuple[bool, ...]
    drawn: Arrow | Point | None
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pen:
    """How it is drawn. `columns` has the cell of each lane.

    `on_lanes`: arrows begin and end in the cells of the lanes, for lanes that are not drawn themselves; else beside
    them, and what is lost ends half way.
    """

    columns: tuple[int, ...]
    on_lanes: bool
    up: str = "│"
    down: str = "┊"
    crossing: str = "┼"


def even_lanes(count: int, width: int, first: int) -> tuple[int, ...]:
    """Lanes of this width; the first one in cell `first`."""
    return tuple(first + width * lane for lane in range(count))


def drawn_lanes(row: DiagramRow, pen: Pen) -> str:
    """The lanes of a row, up to the cell of the last one."""
    cells = [" "] * (pen.columns[-1] + 1)
    for column, lives in zip(pen.columns, row.lives, strict=True):
        cells[column] = pen.up if lives else pen.down
    match row.drawn:
        case Arrow(sender, heads):
            for head in sorted(heads, key=lambda head: -abs(head.lane - sender)):
                _draw(cells, pen, pen.columns[sender], head)
        case Point(lane, sign):
            cells[pen.columns[lane]] = sign
        case None:
            pass
    return "".join(cells)


def _draw(cells: list[str], pen: Pen, start: int, head: Head) -> None:
    """The farthest head is drawn first: what the nearer ones cover is a part of its line."""
    end = pen.columns[head.lane]
    towards = 1 if end > start else -1
    is_half = head.end is End.LOST and not pen.on_lanes
    stop = (start + end) // 2 if is_half else end
    for column in range(start + towards, stop, towards):
        cells[column] = pen.crossing if column in pen.columns else "─"
    tip = "▶" if towards > 0 else "◀"
    if pen.on_lanes:
        cells[start] = "●"
        cells[stop] = tip if head.end is End.REACHED else "✗"
        return
    cells[start] = "├" if towards > 0 else "┤"
    cells[stop - towards] = "─" if is_half else tip
    if head.end is not End.REACHED:
        cells[stop] = "✗"
