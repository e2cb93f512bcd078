"""The rows of `top`, for its screen and for lines: the most telling columns first, as many as there is room for.

Rules that hold here:
- Nothing is told by colour alone: a mark stands before each name, and what is wrong is a sentence below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final

from engine.contract.status import Status
from tui import standing
from tui.counted import plural
from tui.parts import BLANK, Part, Role, Row, row
from tui.top.watch import Watched

BARS: Final = "▁▂▃▄▅▆▇█"
SPARK_MIN: Final = 8
SPARK_WIDE: Final = 20
"""Where there is room for two of these, what was sent is shown over time, too."""

_KIB: Final = 1024
_NOT_KNOWN: Final = "--"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    cell: Callable[[Status, Watched], Part]
    left: bool = False

    def fitted(self, text: str, width: int) -> str:
        return text.ljust(width) if self.left else text.rjust(width)


def _quorum(status: Status, _: Watched) -> Part:
    quorum = status.quorum
    role = Role.BAD if not quorum.is_reached else Role.WARN if quorum.reachable < quorum.size else Role.PLAIN
    return Part(f"{quorum.reachable}/{quorum.size}", role)


def _leader(status: Status, _: Watched) -> Part:
    if status.leader is None:
        return Part(_NOT_KNOWN, Role.WARN if status.lacks_leader else Role.DIM)
    return Part(status.leader, Role.STRONG if status.leader == status.site else Role.PLAIN)


def _lag(status: Status, _: Watched) -> Part:
    lag = status.lag
    return Part(f"{lag:,}", Role.WARN if lag else Role.DIM)


def _holes(status: Status, _: Watched) -> Part:
    return Part(f"{len(status.holes):,}", Role.BAD if status.holes else Role.DIM)


def _round_trip(status: Status, _: Watched) -> Part:
    known = [peer.rtt_ms for peer in status.peers.values() if peer.up and peer.rtt_ms is not None]
    return Part(f"{max(known)} ms" if known else _NOT_KNOWN)


def _events(_: Status, site: Watched) -> Part:
    return Part(_NOT_KNOWN if site.rates is None else _few_digits(site.rates.events_per_s))


def _sent(_: Status, site: Watched) -> Part:
    return Part(_NOT_KNOWN if site.rates is None else f"{_few_digits(site.rates.sent_bytes_per_s / _KIB)} KiB")


def _messages(status: Status, site: Watched) -> Part:
    now = None if site.rates is None else site.rates.messages_per_event
    return _cost(now, status.counters.costs.per_event.messages)


def _syncs(status: Status, site: Watched) -> Part:
    now = None if site.rates is None else site.rates.syncs_per_event
    return _cost(now, status.counters.costs.per_event.syncs)


def _cost(now: float | None, since_start: float | None) -> Part:
    """Where there was no event, what they cost since the engine started."""
    if now is not None:
        return Part(f"{now:.2f}")
    return Part(_NOT_KNOWN if since_start is None else f"{since_start:.2f}", Role.DIM)


COLUMNS: Final = (
    Column("quorum", _quorum),
    Column("leader", _leader, left=True),
    Column("events/s", _events),
    Column("lag", _lag),
    Column("holes", _holes),
    Column("through", lambda status, _: Part(f"#{status.chosen_through:,}")),
    Column("sent/s", _sent),
    Column("rtt", _round_trip),
    Column("msgs/ev", _messages),
    Column("syncs/ev", _syncs),
)
"""In the order in which they stand; on a narrow screen the last ones are left out."""


def rows(sites: Sequence[Watched], width: int) -> list[Row]:
    """A title line for each cluster, a line for each of its sites, and what is wrong beneath it."""
    name_width = max((len(site.name) for site in sites), default=4)
    columns = list(COLUMNS)
    while columns and _width(name_width, columns, sites) + SPARK_MIN + 2 > width:
        columns.pop()
    widths = _widths(columns, sites)
    spark = max(0, width - _width(name_width, columns, sites) - 2)
    sparks = [spark] if spark < 2 * SPARK_WIDE else [spark // 2 - 1, spark // 2 - 1]
    lines: list[Row] = []
    for cluster, group in groupby(sites, attrgetter("cluster")):
        lines += [BLANK] if lines else []
        members = list(group)
        lines.append(_heading(cluster, members))
        heads = (column.fitted(column.name, each) for column, each in zip(columns, widths, strict=True))
        over_time = (f"{what:<{each}}" for what, each in zip(("events/s", "sent/s"), sparks, strict=False))
        head = f"  {'site':<{name_width}}  {'  '.join(heads)}  {'  '.join(over_time)}"
        lines.append(row((head.rstrip(), Role.DIM)))
        for site in members:
            lines += _lines(site, name_width, list(zip(columns, widths, strict=True)), sparks)
    return lines


def _lines(
    site: Watched, name_width: int, columns: Sequence[tuple[Column, int]], sparks: Sequence[int]
) -> Iterator[Row]:
    glyph, role = mark(site)
    parts: list[Part] = [Part(glyph, role), Part(f" {site.name:<{name_width}}", Role.STRONG)]
    status = site.status
    if status is None or site.why is not None:
        yield (*parts, Part(f"  {site.why}", Role.BAD))
        return
    for column, width in columns:
        part = column.cell(status, site)
        parts += [Part("  "), Part(column.fitted(part.text, width), part.role)]
    for values, each in zip((site.events, site.sent), sparks, strict=False):
        parts += [Part("  "), Part(f"{sparkline(values, each):<{each}}", Role.NOTE)]
    yield tuple(parts)
    for sentence in wrong(status):
        yield row((f"    ! {sentence}", Role.BAD))


def wrong(status: Status) -> list[str]:
    """The sentences of `status`, and that it catches up."""
    catching_up = ["it is catching up with the others"] if status.recovering else []
    return [*standing.troubles(status).values(), *catching_up]


def mark(site: Watched) -> tuple[str, Role]:
    """Takes events, takes none, or says nothing."""
    if site.status is None or site.why is not None:
        return "○", Role.BAD
    return ("●", Role.GOOD) if site.status.takes_events else ("◐", Role.BAD)


def sparkline(values: Iterable[float], width: int) -> str:
    """The newest, one a cell, the largest of them as the highest bar."""
    newest = list(values)[-width:] if width else []
    most = max(newest, default=0.0)
    if not most:
        return BARS[0] * len(newest)
    return "".join(BARS[round((len(BARS) - 1) * value / most)] for value in newest)


def _heading(cluster: str, sites: Sequence[Watched]) -> Row:
    """What the sites that answer spend together."""
    told = [site for site in sites if site.rates is not None and site.status is not None]
    answering = sum(site.why is None and site.status is not None for site in sites)
    said = f"  {answering} of {plural(len(sites), 'site')} here answer"
    if told:
        events = max(site.rates.events_per_s for site in told if site.rates)
        sent = sum(site.rates.sent_bytes_per_s for site in told if site.rates)
        said += f", {_few_digits(events)} events/s, {_few_digits(sent / _KIB)} KiB/s sent"
    return row((cluster, Role.STRONG), (said, Role.DIM))


def _widths(columns: Sequence[Column], sites: Sequence[Watched]) -> list[int]:
    cells = [
        [len(column.cell(site.status, site).text) for site in sites if site.status is not None] for column in columns
    ]
    return [max([len(column.name), *widths]) for column, widths in zip(columns, cells, strict=True)]


def _width(name_width: int, columns: Sequence[Column], sites: Sequence[Watched]) -> int:
    return 2 + name_width + sum(2 + width for width in _widths(columns, sites))


def _few_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"
