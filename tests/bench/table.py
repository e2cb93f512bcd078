"""The table of a benchmark, for terminals and text files."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from rich.table import Table

from tests.bench.outcome import Figure, Rate, Report, Result

_COLUMNS: Final = ("", "per second", "p50 ms", "p99 ms", "share", "cores: client", "sites", "")
_LEFT: Final = {0, 7}
MEANING: Final = (
    "`per second` counts events that were created, and p50 and p99 are from a request to its answer.",
    "`share` is of what 3 sites do with as much outstanding at the same place, and nothing beside it.",
    "`cores` is what the client and all sites together computed: they share the cores of this machine.",
)


def table(report: Report) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(_COLUMNS):
        drawn.add_column(name, justify="left" if place in _LEFT else "right", no_wrap=place not in _LEFT)
    for section, results in groupby(report.results, key=lambda result: result.section):
        drawn.add_row(section, style="bold")
        for result in results:
            drawn.add_row(*_cells(result))
    return drawn


def about(report: Report) -> str:
    """Where and how it was measured, and what the columns mean."""
    machine = report.machine
    cores = f"{machine.cores} cores (load before: {machine.load:g})"
    where = ", ".join((machine.cpu, cores, machine.disk, machine.kernel, machine.python))
    how = f"events of {report.event_bytes} bytes, {report.seconds_each:g} s each"
    beside = f"beside it: {', '.join(report.peers) or 'nothing else is installed'}"
    return "\n".join((where, f"{how}; commit {machine.commit}, {machine.at}", beside, *MEANING))


def _cells(result: Result) -> tuple[str, ...]:
    rate = result.rate or Rate(0.0)
    numbers = (
        f"{rate.per_s:,.0f}" if result.rate else "",
        _number(rate.latency_p50_ms, 2),
        _number(rate.latency_p99_ms, 2),
        "" if result.share is None else f"{result.share:.0%}",
        _number(rate.client_cores, 2),
        _number(rate.sites_cores, 2),
    )
    said = (*map(figure_text, result.figures), result.note, result.missing or "")
    return (f"  {result.name}", *numbers, "; ".join(part for part in said if part))


def figure_text(figure: Figure) -> str:
    decimals = 0 if abs(figure.value) >= 100 or figure.value == int(figure.value) else 2
    unit = figure.unit if figure.unit.startswith("/") or not figure.unit else f" {figure.unit}"
    return f"{figure.what} {figure.value:,.{decimals}f}{unit}"


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"
