"""Long answers in parts: the control socket answers with at most so many lines at once.

Rules that hold here:
- What is printed is ascending and without gaps, whatever the size of a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace

from engine.contract.answers import AcceptorLine, Lines, LogLine, LogPage, Outcome, TimelinePage
from engine.contract.shape import read
from tui.client import Client, Json

PAGE_LINES: Final = 200
"""Lines of an answer that stay below a line's 1 MiB, however long their texts are."""

_Page = TypeVar("_Page", bound=TimelinePage)


def newest_timeline(client: Client, limit: int) -> TimelinePage:
    """The newest `limit` lines of the timeline, in the first answer's other words (docs/control.md, `view`)."""
    return with_older(client, read(TimelinePage, client.call("view", newest_page(limit))), limit)


def newest_page(limit: int) -> Json:
    """What to ask `view` for first."""
    return {"limit": min(limit, PAGE_LINES)}


def with_older(client: Client, first: _Page, limit: int) -> _Page:
    """`first`, the answer to `newest_page`, with the older lines that it lacks, up to `limit` in all."""
    parts = [first.lines]
    left = limit - len(parts[-1])
    while left > 0 and parts[-1] and parts[-1][0].slot > 1:
        older = client.call("view", {"limit": min(left, PAGE_LINES), "before": parts[-1][0].slot})
        parts.append(read(TimelinePage, older).lines)
        left -= len(parts[-1])
    return replace(first, lines=tuple(line for part in reversed(parts) for line in part))


def log_slots(client: Client, first: int | None, last: int | None, limit: int | None) -> range:
    """Which slots to show: the newest `limit` of the range, all of it with None; no more than are used."""
    used_max = read(LogPage, client.call("log", {"limit": 1})).used_max
    highest = used_max if last is None else min(last, used_max)
    lowest = 1 if limit is None else max(1, highest - limit + 1)
    return range(max(lowest, first or 1), highest + 1)


def log_pages(client: Client, slots: range) -> Iterator[Sequence[LogLine]]:
    """The lines of `slots`, in parts."""
    for start in range(slots.start, slots.stop, PAGE_LINES):
        end = min(start + PAGE_LINES, slots.stop) - 1
        yield read(LogPage, client.call("log", {"from": start, "to": end, "limit": PAGE_LINES})).lines


def data_pages(client: Client, slots: Sequence[int]) -> Iterator[Sequence[AcceptorLine]]:
    """The acceptor lines of `slots`, in parts; without any, those of the unlearned slots, at most 1,000."""
    if not slots:
        yield read(Lines[AcceptorLine], client.call("data")).lines
        return
    wanted = sorted(set(slots))
    for start in range(0, len(wanted), PAGE_LINES):
        yield read(Lines[AcceptorLine], client.call("data", {"slots": wanted[start : start + PAGE_LINES]})).lines


def events_pages(client: Client, ids: Sequence[str], limit: int) -> Iterator[Sequence[Outcome]]:
    """The outcomes of these events, in parts; without any, the newest `limit` ones."""
    if not ids:
        yield read(Lines[Outcome], client.call("events", {"limit": limit})).lines
        return
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), PAGE_LINES):
        yield read(Lines[Outcome], client.call("events", {"ids": wanted[start : start + PAGE_LINES]})).lines
