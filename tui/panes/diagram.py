"""The messages about one slot as a space-time diagram, seen from one site: time runs down, sites stand beside it.

Rules that hold here:
- The observer's lane is the first one; a message that this site neither sent nor received is not known here.
- What is sent to several sites at once is one line, with an arrowhead (or ✗, where a fault took it) in each lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tui.rows import Role, Row, row
from tui.site.shapes import TraceLine
from tui.site.wording import local_time

LANE_MIN: Final = 8
TIME_WIDTH: Final = 8
TOGETHER_MS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the diagram: a message to several sites, from one, or a conclusion (`sites` is empty)."""

    at_ms: float
    dir: str
    label: str
    sites: tuple[str, ...]
    dropped: tuple[str, ...]


def lane_width(width: int, sites: int) -> int:
    """The cells of a lane, 0 where the diagram does not fit."""
    lane = (width - TIME_WIDTH - 2) // max(1, sites)
    return min(lane, 16) if lane >= LANE_MIN else 0


def steps(trace: Sequence[TraceLine]) -> list[Step]:
    """The trace with what left for several sites together made one step."""
    if not trace:
        return []
    began = local_time(trace[0].at)
    found: list[Step] = []
    for line in trace:
        at_ms = (local_time(line.at) - began).total_seconds() * 1_000
        label = " ".join(part for part in (line.type, line.ballot) if part)
        dropped = (line.peer,) if line.peer and line.note and ("DROP" in line.note or "HOLD" in line.note) else ()
        sites = (line.peer,) if line.peer and line.dir != "self" else ()
        last = found[-1] if found else None
        if (
            last is not None
            and line.dir == last.dir == "out"
            and label == last.label
            and at_ms - last.at_ms <= TOGETHER_MS
            and not set(sites) & set(last.sites)
        ):
            found[-1] = Step(last.at_ms, last.dir, label, last.sites + sites, last.dropped + dropped)
        else:
            found.append(Step(at_ms, line.dir, label, sites, dropped))
    return found


def diagram(trace: Sequence[TraceLine], observer: str, sites: Sequence[str], width: int) -> list[Row]:
    """The rows of the diagram in `width` cells, at least LANE_MIN a lane."""
    lanes = [observer, *(site for site in sites if site != observer)]
    lane = lane_width(width, len(lanes))
    head = "".join(f"{site[: lane - 1]:<{lane}}" for site in lanes)
    return [
        row((f"{'ms':>{TIME_WIDTH - 2}}    {head}".rstrip(), Role.DIM)),
        *(_row(step, lanes, lane) for step in steps(trace)),
    ]


def _row(step: Step, lanes: Sequence[str], lane: int) -> Row:
    time = (f"{step.at_ms:>{TIME_WIDTH - 2}.1f}  ", Role.DIM)
    if step.dir == "self" or not step.sites:
        return row(time, ("  ◆ ", Role.STRONG), (step.label, Role.STRONG))
    reached = [lanes.index(site) for site in step.sites if site in lanes]
    if not reached:
        return row(time, f"    {step.label}")
    end = max(reached) * lane
    cells = list(_canvas(step.label, end, step.dir))
    for index in reached:
        taken = lanes[index] in step.dropped
        if step.dir == "out":
            cells[index * lane] = "✗" if taken else "▶"
    role = Role.WARN if step.dropped else Role.NOTE if step.dir == "out" else Role.GOOD
    return row(time, ("  " + "".join(cells), role))


def _canvas(label: str, end: int, direction: str) -> Iterator[str]:
    """The line from this site's lane to the furthest one, with the label in it."""
    first, last = ("●", "▶") if direction == "out" else ("◀", "●")
    room = max(0, end - 3)
    shown = label if len(label) <= room else label[: max(0, room - 1)] + "…" if room else ""
    yield from _joined([first, "─", *shown], end, last)


def _joined(head: Iterable[str], end: int, last: str) -> list[str]:
    cells = list(head)[:end]
    return [*cells, *("─" * (end - len(cells))), last]
