"""The messages about one slot as a space-time diagram, seen from one site: time runs down, sites stand beside it.

Rules that hold here:
- The observer's lane is the first one; a message that this site neither sent nor received is not known here.
- What is sent to several sites at once is one line, with an arrowhead (or ✗, where a fault took it) in each lane.
- Lanes hold arrows alone; what the message says stands to the right of them.
- The clock begins at the slot's own first message. A ballot prepared for a range of slots may be minutes older,
  whichever slot the range begins with: it is `earlier`, so that what the slot itself took can be read. Where the slot's
  own messages followed at once, the election settled the slot, and its messages are the slot's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from engine.contract.answers import Direction, TraceLine
from engine.core.explained.spacetime import Arrow, DiagramRow, End, Head, Pen, Point, drawn_lanes, even_lanes
from tui.rows import Role, Row, fitted, row
from tui.times import local_time

LANE_MIN: Final = 4
LANE_MAX: Final = 10
TIME_WIDTH: Final = 9
MS_MAX: Final = 99_999.0
LABEL_MIN: Final = 12
LABEL_ROOMY: Final = 30
LANE_NAMED: Final = 7
"""A lane that most names fit in: it grows beyond once the labels have room."""
AT_ONCE_MS: Final = 1_000.0
"""What follows within so much is one course of events, a slow network's too."""
TOGETHER_MS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the diagram: a message to several sites, from one, or a conclusion (`sites` is empty)."""

    at_ms: float
    dir: str
    label: str
    note: str
    sites: tuple[str, ...]
    dropped: tuple[str, ...]


def lane_width(width: int, sites: int) -> int:
    """The cells of a lane, 0 where the diagram does not fit."""
    lane = (width - TIME_WIDTH - LABEL_MIN) // max(1, sites)
    roomy = (width - TIME_WIDTH - LABEL_ROOMY) // max(1, sites)
    return min(lane, max(roomy, LANE_NAMED), LANE_MAX) if lane >= LANE_MIN else 0


def steps(trace: Sequence[TraceLine]) -> list[Step]:
    """The trace with what left for several sites together made one step."""
    if not trace:
        return []
    began = _began(trace)
    found: list[Step] = []
    for line in trace:
        at_ms = (local_time(line.at) - began).total_seconds() * 1_000
        step = _step(line, at_ms)
        last = found[-1] if found else None
        if last is not None and _together(last, step):
            found[-1] = replace(
                last,
                note=step.note or last.note,
                sites=last.sites + step.sites,
                dropped=last.dropped + step.dropped,
            )
        else:
            found.append(step)
    return found


def _began(trace: Sequence[TraceLine]) -> datetime:
    """When the slot's clock begins: with its own first message, or the election that led to it at once."""
    own = next((index for index, line in enumerate(trace) if not line.ranged), 0)
    began = local_time(trace[own].at)
    for line in reversed(trace[:own]):
        at = local_time(line.at)
        if (began - at).total_seconds() * 1_000 > AT_ONCE_MS:
            break
        began = at
    return began


def diagram(trace: Sequence[TraceLine], observer: str, sites: Sequence[str], width: int) -> list[Row]:
    """The rows of the diagram; `lane_width` says whether it fits."""
    lanes = [observer, *(site for site in sites if site != observer)]
    lane = lane_width(width, len(lanes))
    head = "".join(f"{fitted(site, lane - 1)} " for site in lanes)
    pen = Pen(even_lanes(len(lanes), lane, 0), on_lanes=True, up=" ", crossing="─")
    return [
        row((f"{'ms':>{TIME_WIDTH - 2}}  {head}", Role.DIM)),
        *(_painted(step, lanes, pen, lane * len(lanes)) for step in steps(trace)),
    ]


def _step(line: TraceLine, at_ms: float) -> Step:
    note = line.note or ""
    peers = () if line.peer is None or line.dir == Direction.SELF else (line.peer,)
    taken = peers if line.is_taken else ()
    label = " ".join(part for part in (line.type, line.ballot) if part)
    return Step(at_ms, line.dir, label, "" if peers and line.dir == Direction.OUT and not taken else note, peers, taken)


def _together(last: Step, step: Step) -> bool:
    """Whether two messages of this site left at once and say the same."""
    return (
        last.dir == step.dir == Direction.OUT
        and last.label == step.label
        and step.at_ms - last.at_ms <= TOGETHER_MS
        and not set(step.sites) & set(last.sites)
    )


def _clock(at_ms: float) -> str:
    """Never longer than its column, so that lanes stay where they are."""
    if at_ms < 0:
        return "earlier"
    return f"{at_ms:.1f}" if at_ms < MS_MAX else f"{at_ms / 1_000:.0f} s"


def _drawn(step: Step, lanes: Sequence[str]) -> Arrow | Point:
    """The observer's lane is the first."""
    others = [lanes.index(site) for site in step.sites if site in lanes]
    if not others:
        return Point(0, "◆")
    if step.dir != Direction.OUT:
        return Arrow(others[0], (Head(0, End.LOST if step.dropped else End.REACHED),))
    ends = {lanes.index(site): End.LOST for site in step.dropped if site in lanes}
    return Arrow(0, tuple(Head(lane, ends.get(lane, End.REACHED)) for lane in others))


def _painted(step: Step, lanes: Sequence[str], pen: Pen, room: int) -> Row:
    clock = _clock(step.at_ms)
    drawn = _drawn(step, lanes)
    shown = drawn_lanes(DiagramRow(step.at_ms, (True,) * len(lanes), drawn, step.label, step.note), pen)
    is_point = isinstance(drawn, Point)
    role = Role.STRONG
    if not is_point:
        role = Role.WARN if step.dropped else Role.NOTE if step.dir == Direction.OUT else Role.GOOD
    return row(
        (f"{clock:>{TIME_WIDTH - 2}}  ", Role.DIM),
        (f"{shown:<{room}}", role),
        (step.label, Role.STRONG if is_point else Role.PLAIN),
        (f"  {step.note}" if step.note else "", Role.DIM),
    )
