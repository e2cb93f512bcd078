"""The chart of a benchmark: events a second over what is outstanding, a line for each system, as SVG for README.

Rules that hold here:
- Both axes are logarithmic. A line is named at its right end; names that would lie over each other are moved apart.
- It is read on light and on dark pages: it takes its colours from what the reader's page prefers.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.outcome import Report

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
_LINE_HEIGHT: Final = 15
_COLOURS: Final = ("#2f6fdb", "#c2410c", "#15803d", "#9333ea", "#0e7490", "#b91c1c", "#a16207", "#475569")
_STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #1f2937 } .title { font-weight: 600; font-size: 14px }
.grid { stroke: #d1d5db } .line { fill: none; stroke-width: 2 }
.end { text-anchor: end } .middle { text-anchor: middle }
@media (prefers-color-scheme: dark) { text { fill: #e5e7eb } .grid { stroke: #4b5563 } }
"""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of what is outstanding and events a second, ascending."""

    name: str
    points: tuple[tuple[int, float], ...]


def series_of(report: Report, chosen: Sequence[tuple[str, str, str]]) -> list[Series]:
    """Of each (name, section, end of the names of its rows): its rates, if there are any."""
    found = []
    for name, section, place in chosen:
        points = sorted(
            (result.outstanding, result.rate.per_s)
            for result in report.results
            if result.section == section and result.name.endswith(place)
            if result.outstanding is not None and result.rate is not None and result.rate.per_s > 0
        )
        if points:
            found.append(Series(name, tuple(points)))
    return found


def draw(series: Sequence[Series], title: str) -> str:
    """An SVG; without any series, its frame alone."""
    svg = ET.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", width=str(WIDTH), role="img"
    )
    ET.SubElement(svg, "title").text = title
    ET.SubElement(svg, "style").text = _STYLE
    _text(svg, LEFT, 22, title, "title")
    scale = _Scale.of(series)
    for rate in scale.rates:
        y = scale.y(rate)
        _line(svg, (LEFT, y), (WIDTH - RIGHT, y))
        _text(svg, LEFT - 8, y + 4, f"{rate:,.0f}", "end")
    for outstanding in scale.outstanding:
        _text(svg, scale.x(outstanding), HEIGHT - BOTTOM + 20, f"{outstanding:,}", "middle")
    _text(svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "events outstanding", "middle")
    ends = [scale.y(each.points[-1][1]) for each in series]
    for number, (each, at) in enumerate(zip(series, apart(ends, _LINE_HEIGHT), strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(scale.x(outstanding), scale.y(rate)) for outstanding, rate in each.points]
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        ET.SubElement(svg, "polyline", {"class": "line", "points": where, "stroke": colour})
        for x, y in places:
            ET.SubElement(svg, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", fill=colour)
        ET.SubElement(svg, "circle", cx=str(WIDTH - RIGHT + 14), cy=f"{at:.1f}", r="4", fill=colour)
        _text(svg, WIDTH - RIGHT + 24, at + 4, each.name, "name")
    ET.indent(svg)
    return ET.tostring(svg, encoding="unicode") + "\n"


def apart(places: Sequence[float], least: float) -> list[float]:
    """These places, in their order, each at least so far from the next; the first of all stays."""
    moved = list(places)
    before = -math.inf
    for index in sorted(range(len(places)), key=lambda one: places[one]):
        moved[index] = before = max(places[index], before + least)
    return moved


@dataclass(frozen=True, slots=True)
class _Scale:
    """Decades of the rates, and all that is outstanding anywhere."""

    rates: tuple[float, ...]
    outstanding: tuple[int, ...]

    @classmethod
    def of(cls, series: Iterable[Series]) -> _Scale:
        points = [point for each in series for point in each.points] or [(1, 1.0), (10, 10.0)]
        lowest, highest = (edge(rate for _, rate in points) for edge in (min, max))
        decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
        return cls(tuple(10.0**decade for decade in decades), tuple(sorted({outstanding for outstanding, _ in points})))

    def x(self, outstanding: int) -> float:
        return _between(outstanding, self.outstanding[0], self.outstanding[-1], LEFT + 10, WIDTH - RIGHT)

    def y(self, rate: float) -> float:
        return _between(rate, self.rates[0], self.rates[-1], HEIGHT - BOTTOM, TOP)


def _between(value: float, first: float, last: float, begins: float, ends: float) -> float:
    part = 0.0 if first == last else math.log(value / first) / math.log(last / first)
    return begins + part * (ends - begins)


def _line(svg: ET.Element, begins: tuple[float, float], ends: tuple[float, float]) -> None:
    (x1, y1), (x2, y2) = begins, ends
    ET.SubElement(svg, "line", {"class": "grid"}, x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}")


def _text(svg: ET.Element, x: float, y: float, text: str, kind: str) -> None:
    ET.SubElement(svg, "text", {"class": kind}, x=f"{x:.1f}", y=f"{y:.1f}").text = text
