"""Long answers in parts: the control socket answers with at most so many lines at once.

Rules that hold here:
- What is printed is ascending and without gaps, whatever the size of a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TypeVar

from msgspec.structs import replace

from engine.contract.answers import AcceptorLine, LogLine, LogPage, NoOps, Outcome, TimelinePage
from engine.contract.limits import NO_OPS_MIN
from engine.contract.params import Params
from engine.contract.requests import Data, Events, Log, View
from engine.core.ids import Slot

PAGE_LINES: Final = 200
"""Lines of an answer that stay below a line's 1 MiB, however long their texts are."""

_Page = TypeVar("_Page", bound=TimelinePage)
_A = TypeVar("_A")


class Asked(Protocol):
    """Who answers: an engine, or a store that is read without one."""

    def ask(self, asked: Params[_A]) -> _A: ...


def newest_timeline(client: Asked, limit: int) -> TimelinePage:
    """The newest `limit` lines of the timeline, in the first answer's other words (docs/control.md, `view`)."""
    return with_older(client, client.ask(View(limit=newest_lines(limit))), limit)


def newest_lines(limit: int) -> int:
    """How many lines to ask `view` for first."""
    return min(limit, PAGE_LINES)


def with_older(client: Asked, first: _Page, limit: int) -> _Page:
    """`first`, the answer to the first question, with the older lines that it lacks, up to `limit` in all."""
    parts = [first.lines]
    left = limit - len(parts[-1])
    while left > 0 and parts[-1] and parts[-1][0].slot > 1:
        older = View(limit=min(left, PAGE_LINES), before=Slot(parts[-1][0].slot))
        parts.append(client.ask(older).lines)
        left -= len(parts[-1])
    return replace(first, lines=tuple(line for part in reversed(parts) for line in part))


def log_slots(client: Asked, first: int | None, last: int | None) -> range:
    """Which slots of a range there are to show: no more than are used."""
    used_max = client.ask(Log(limit=1)).used_max
    highest = used_max if last is None else min(last, used_max)
    return range(first or 1, highest + 1)


def log_pages(client: Asked, slots: range) -> Iterator[Sequence[LogLine]]:
    """The lines of `slots`, in parts."""
    for start in range(slots.start, slots.stop, PAGE_LINES):
        yield _page(client, start, slots.stop - 1).lines


def folded_pages(client: Asked, slots: range) -> Iterator[Sequence[LogLine | NoOps]]:
    """As `log_pages`, no-ops in a row as one: as far as they are of these slots."""
    start, rows = slots.start, list[LogLine | NoOps]()
    while start < slots.stop:
        rows += _folded(_page(client, start, slots.stop - 1), slots)
        start = _span(rows[-1])[1] + 1
        if len(rows) >= PAGE_LINES or start >= slots.stop:
            yield rows
            rows = []


def folded_begin(client: Asked, slots: range, limit: int) -> range:
    """The newest of `slots` that make so many rows there."""
    end = slots.stop - 1
    while limit > 0 and end >= slots.start:
        rows = list(_folded(_page(client, max(slots.start, end - PAGE_LINES + 1), end), slots))
        newest = rows[-limit:]
        limit -= len(newest)
        end = _span(newest[0])[0] - 1
    return range(end + 1, slots.stop)


def _page(client: Asked, first: int, last: int) -> LogPage:
    """From `first` on, as far as it may be in one answer."""
    return client.ask(Log(first=Slot(first), last=Slot(min(last, first + PAGE_LINES - 1)), limit=PAGE_LINES))


def _folded(page: LogPage, within: range) -> Iterator[LogLine | NoOps]:
    cut = [_cut(each, within) for each in page.no_ops]
    folded = [each for each in cut if each.last - each.first + 1 >= NO_OPS_MIN]
    told: NoOps | None = None
    for line in page.lines:
        stretch = next((each for each in folded if each.first <= line.slot <= each.last), None)
        if stretch is None:
            yield line
        elif stretch is not told:
            told = stretch
            yield stretch


def _cut(stretch: NoOps, within: range) -> NoOps:
    return replace(stretch, first=max(stretch.first, within.start), last=min(stretch.last, within.stop - 1))


def _span(row: LogLine | NoOps) -> tuple[int, int]:
    return (row.first, row.last) if isinstance(row, NoOps) else (row.slot, row.slot)


def data_pages(client: Asked, slots: Sequence[int]) -> Iterator[Sequence[AcceptorLine]]:
    """The acceptor lines of `slots`, in parts; without any, those of the unlearned slots, at most 1,000."""
    if not slots:
        yield client.ask(Data()).lines
        return
    wanted = tuple(map(Slot, sorted(set(slots))))
    for start in range(0, len(wanted), PAGE_LINES):
        yield client.ask(Data(slots=wanted[start : start + PAGE_LINES])).lines


def events_pages(client: Asked, ids: Sequence[str], limit: int) -> Iterator[Sequence[Outcome]]:
    """The outcomes of these events, in parts; without any, the newest `limit` ones."""
    if not ids:
        yield client.ask(Events(limit=limit)).lines
        return
    wanted = tuple(dict.fromkeys(ids))
    for start in range(0, len(wanted), PAGE_LINES):
        yield client.ask(Events(ids=wanted[start : start + PAGE_LINES])).lines
