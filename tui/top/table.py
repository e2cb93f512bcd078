"""The rows of `top`, for its screen and for lines: the most telling columns first, as many as there is room for.

Rules that hold here:
- Nothing is told by colour alone: a mark stands before each name, and what is wrong is a sentence below it.
- Below its numbers each site has them over time: the newest last, a cell for each look. The highest bar is the same
  number for all sites of a cluster, which the head names, so that they can be compared. A look without an answer, or
  without an event to tell the cost of, leaves its cell empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Final

from engine.contract.status import Status
from tui import standing
from tui.counted import plural
from tui.parts import BLANK, Part, Role, Row, row
from tui.top.watch import KEPT, Rates, Watched, round_trip_ms

BARS: Final = "▁▂▃▄▅▆▇█"
GRAPH_MIN: Final = 16
"""As many of these stand beside each other as there is room for."""

_INDENT: Final = "    "
_KIB: Final = 1024
_NOT_KNOWN: Final = "--"


def _few_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def _kib(size: float) -> str:
    return f"{_few_digits(size / _KIB)} KiB"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 10 else f"{_few_digits(seconds * 1000)} ms"


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
    known = round_trip_ms(status)
    return Part(_NOT_KNOWN if known is None else _ms(known))


def _latency(_: Status, site: Watched) -> Part:
    known = None if site.rates is None else site.rates.latency_s
    return Part(_NOT_KNOWN, Role.DIM) if known is None else Part(_seconds(known))


def _events(_: Status, site: Watched) -> Part:
    return Part(_NOT_KNOWN if site.rates is None else _few_digits(site.rates.events_per_s))


def _sent(_: Status, site: Watched) -> Part:
    return Part(_NOT_KNOWN if site.rates is None else _kib(site.rates.sent_bytes_per_s))


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
    Column("latency", _latency),
    Column("sent/s", _sent),
    Column("rtt", _round_trip),
    Column("msgs/ev", _messages),
    Column("syncs/ev", _syncs),
)
"""In the order in which they stand; on a narrow screen the last ones are left out."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A number over time; `said` is how the largest is named."""

    name: str
    value: Callable[[Rates], float | None]
    said: Callable[[float], str]


GRAPHS: Final = (
    Graph("events/s", lambda rates: rates.events_per_s, _few_digits),
    Graph("lag", lambda rates: rates.lag, lambda most: f"{most:,.0f}"),
    Graph("latency", lambda rates: rates.latency_s, _seconds),
    Graph("syncs/ev", lambda rates: rates.syncs_per_event, lambda most: f"{most:.2f}"),
    Graph("sent/s", lambda rates: rates.sent_bytes_per_s, _kib),
    Graph("msgs/ev", lambda rates: rates.messages_per_event, lambda most: f"{most:.2f}"),
    Graph("rtt", lambda rates: rates.round_trip_ms, _ms),
)
"""In the order in which they stand; on a narrow screen the last ones are left out."""


def rows(sites: Sequence[Watched], width: int) -> list[Row]:
    """Of each cluster a title line and two of heads, and of each of its sites the numbers, what they were, and what is
    wrong."""
    name_width = max((len(site.name) for site in sites), default=4)
    columns = list(COLUMNS)
    while columns and _width(name_width, columns, sites) > width:
        columns.pop()
    widths = _widths(columns, sites)
    room = width - len(_INDENT) + 2
    graphs = GRAPHS[: max(1, room // (GRAPH_MIN + 2))]
    cells = min(room // len(graphs) - 2, KEPT)
    lines: list[Row] = []
    for cluster, group in groupby(sites, attrgetter("cluster")):
        lines += [BLANK] if lines else []
        members = list(group)
        most = [_most(graph, members, cells) for graph in graphs]
        lines.append(_heading(cluster, members))
        heads = (column.fitted(column.name, each) for column, each in zip(columns, widths, strict=True))
        lines.append(row((f"  {'site':<{name_width}}  {'  '.join(heads)}".rstrip(), Role.DIM)))
        over_time = (_head(graph, each, cells) for graph, each in zip(graphs, most, strict=True))
        lines.append(row((_INDENT + "  ".join(over_time).rstrip(), Role.DIM)))
        for site in members:
            lines += _lines(site, name_width, list(zip(columns, widths, strict=True)))
            lines += _bars(site, list(zip(graphs, most, strict=True)), cells)
            lines += _sentences(site)
    return lines


def _lines(site: Watched, name_width: int, columns: Sequence[tuple[Column, int]]) -> Iterator[Row]:
    glyph, role = mark(site)
    parts: list[Part] = [Part(glyph, role), Part(f" {site.name:<{name_width}}", Role.STRONG)]
    status = site.status
    if status is None or site.why is not None:
        yield (*parts, Part(f"  {site.why}", Role.BAD))
        return
    for column, width in columns:
        part = column.cell(status, site)
        parts += [Part("  "), Part(column.fitted(part.text, width), part.role)]
    yield tuple(parts)


def _bars(site: Watched, graphs: Sequence[tuple[Graph, float]], cells: int) -> Iterator[Row]:
    if site.why is None and any(site.history):
        bars = (f"{sparkline(_values(graph, site, cells), most):<{cells}}" for graph, most in graphs)
        yield row((_INDENT + "  ".join(bars).rstrip(), Role.NOTE))


def _sentences(site: Watched) -> Iterator[Row]:
    if site.status is not None and site.why is None:
        for sentence in wrong(site.status):
            yield row((f"{_INDENT}! {sentence}", Role.BAD))


def _head(graph: Graph, most: float, cells: int) -> str:
    named = f"{graph.name} to {graph.said(most)}" if most else graph.name
    return f"{named:<{cells}}"


def _values(graph: Graph, site: Watched, cells: int) -> list[float | None]:
    newest = islice(site.history, max(0, len(site.history) - cells), None)
    return [None if rates is None else graph.value(rates) for rates in newest]


def _most(graph: Graph, sites: Sequence[Watched], cells: int) -> float:
    return max((value or 0.0 for site in sites for value in _values(graph, site, cells)), default=0.0)


def wrong(status: Status) -> list[str]:
    """The sentences of `status`, and that it catches up."""
    catching_up = ["it is catching up with the others"] if status.recovering else []
    return [*standing.troubles(status).values(), *catching_up]


def mark(site: Watched) -> tuple[str, Role]:
    """Takes events, takes none, or says nothing."""
    if site.status is None or site.why is not None:
        return "○", Role.BAD
    return ("●", Role.GOOD) if site.status.takes_events else ("◐", Role.BAD)


def sparkline(values: Iterable[float | None], most: float) -> str:
    """One a cell; `most` is the highest bar."""
    steps = len(BARS) - 1
    return "".join(" " if value is None else BARS[round(steps * value / most) if most else 0] for value in values)


def _heading(cluster: str, sites: Sequence[Watched]) -> Row:
    """What the sites that answer spend together."""
    told = [site for site in sites if site.rates is not None and site.status is not None]
    answering = sum(site.why is None and site.status is not None for site in sites)
    said = f"  {answering} of {plural(len(sites), 'site')} here answer"
    if told:
        events = max(site.rates.events_per_s for site in told if site.rates)
        sent = sum(site.rates.sent_bytes_per_s for site in told if site.rates)
        said += f", {_few_digits(events)} events/s, {_kib(sent)}/s sent"
    return row((cluster, Role.STRONG), (said, Role.DIM))


def _widths(columns: Sequence[Column], sites: Sequence[Watched]) -> list[int]:
    cells = [
        [len(column.cell(site.status, site).text) for site in sites if site.status is not None] for column in columns
    ]
    return [max([len(column.name), *widths]) for column, widths in zip(columns, cells, strict=True)]


def _width(name_width: int, columns: Sequence[Column], sites: Sequence[Watched]) -> int:
    return 2 + name_width + sum(2 + width for width in _widths(columns, sites))
