"""The part of the timeline that the screen holds: one run of consecutive lines, and where it lies in the whole.

The control socket gives the newest lines below a slot, and how many there are in all; a line's row (its place among
all lines) is known exactly only near both ends. In between it is estimated from its slot, and put right when the run
reaches an end. Whoever shows the lines keeps its place by slots, not by rows.

Rules that hold here:
- What is held does not grow with the timeline: at most LINES_MAX lines.
- `lines` has no gap: a page is joined to it only where both are known to touch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable
from typing import Final

from engine.contract.answers import TimelineLine, TimelinePage, Waiting

PAGE_LINES: Final = 100
LINES_MAX: Final = 600

Fetch = Callable[[int, int | None], Awaitable[TimelinePage]]
"""Asks for the newest `limit` lines below the slot `before` (None: of all)."""


class TimelineWindow:
    def __init__(self) -> None:
        self.lines: list[TimelineLine] = []
        self.first_row = 0
        self.shown = 0
        self.hidden = 0
        self.prefix = 0
        self.waiting: Waiting | None = None
        self.at_start = False
        """The run begins with the oldest line of all."""
        self.at_end = False
        """The run ends with the newest line of all, as far as was heard."""

    def copy(self) -> TimelineWindow:
        """For `load`, which changes it step by step; then the copy takes its place at once."""
        window = TimelineWindow()
        window.__dict__.update(self.__dict__, lines=list(self.lines))
        return window

    def line(self, row: int) -> TimelineLine | None:
        """The line of a row; None if it has to be loaded."""
        index = row - self.first_row
        return self.lines[index] if 0 <= index < len(self.lines) else None

    def row_at(self, slot: int) -> int | None:
        """The row of the last held line at or below `slot`."""
        below = bisect_right(self.lines, slot, key=lambda line: line.slot)
        return self.first_row + below - 1 if below else None

    def tail(self, page: TimelinePage, jump: bool) -> None:
        """Takes the newest page. Where it does not touch the run, the run is replaced by it only if `jump`."""
        self._count(page)
        if self.lines and page.lines and page.lines[0].slot <= self.lines[-1].slot:
            last = self.lines[-1].slot
            self.lines.extend(line for line in page.lines if line.slot > last)
            self.at_end = True
        elif jump or not self.lines:
            self._replace(page)
            self.at_end = True
        else:
            self.at_end = False
        self._place()

    async def load(self, row: int, fetch: Fetch) -> None:
        """Holds `row` afterwards, or is nearer to it. Raises what `fetch` raises."""
        if self.line(row) is not None:
            return
        last = self.first_row + len(self.lines) - 1
        if self.lines and 0 < self.first_row - row <= PAGE_LINES:
            await self._up(fetch)
        elif self.lines and 0 < row - last <= PAGE_LINES:
            await self._down(fetch)
        elif row < PAGE_LINES:
            self.lines.clear()
            self.at_start = True
            await self._down(fetch)
        else:
            await self._leap(row, fetch)

    async def jump(self, slot: int, fetch: Fetch) -> None:
        """Replaces the run by the lines at and below `slot`, placed where they probably lie."""
        page = await fetch(PAGE_LINES, slot + 1)
        self._count(page)
        self._replace(page)
        self.at_end = slot >= self.prefix
        self.first_row = round(self.shown * slot / max(1, self.prefix)) - len(self.lines)
        if self.lines:
            self._place()
        else:
            await self._down(fetch)

    async def _leap(self, row: int, fetch: Fetch) -> None:
        """Goes far: takes the lines that end where `row` probably lies, and calls the last of them `row`."""
        slot = rows_below = 0
        stride = PAGE_LINES
        while True:
            share = (row + 1 - rows_below) / max(1, self.shown - rows_below)
            left = self.prefix - slot
            slot += max(1, round(left * share), min(stride, left // 2))
            page = await fetch(PAGE_LINES, slot + 1)
            self._count(page)
            rows_below = len(page.lines)
            if rows_below == PAGE_LINES or slot >= self.prefix:
                break
            stride *= 2  # all lines below the slot are on the page, so `row` lies further on
        self._replace(page)
        self.at_end = slot >= self.prefix
        self.first_row = row + 1 - rows_below
        self._place()

    async def _up(self, fetch: Fetch) -> None:
        page = await fetch(PAGE_LINES, self.lines[0].slot)
        self._count(page)
        self.lines[:0] = page.lines
        self.first_row -= len(page.lines)
        self.at_start = len(page.lines) < PAGE_LINES
        if len(self.lines) > LINES_MAX:
            del self.lines[LINES_MAX:]
            self.at_end = False
        self._place()

    async def _down(self, fetch: Fetch) -> None:
        known = self.lines[-1].slot if self.lines else 0
        stride = PAGE_LINES
        while True:
            page = await fetch(PAGE_LINES, known + 1 + stride)
            self._count(page)
            later = [line for line in page.lines if line.slot > known]
            if len(later) == PAGE_LINES and stride > PAGE_LINES:
                stride //= 2  # the oldest of so many may not be the next one
                continue
            self.at_end = known + stride >= self.prefix
            if later or self.at_end:
                break
            known += stride  # only entries there that the timeline does not show
            stride *= 2
        self.lines.extend(later)
        self._place()

    def _replace(self, page: TimelinePage) -> None:
        self.lines = list(page.lines)
        self.at_start = len(page.lines) < PAGE_LINES

    def _place(self) -> None:
        """Trims the run, and puts it where it lies, or where it can lie as far as is known."""
        surplus = max(0, len(self.lines) - LINES_MAX)
        del self.lines[:surplus]
        self.first_row += surplus
        self.at_start = self.at_start and not surplus
        room = self.shown - len(self.lines)
        if self.at_start:
            self.first_row = 0
        elif self.at_end:
            self.first_row = room
        else:
            unseen = 1 if room >= 2 else 0  # a row at least on each side, where there is room for them
            self.first_row = max(unseen, min(self.first_row, room - unseen))

    def _count(self, page: TimelinePage) -> None:
        self.shown = page.shown
        self.hidden = page.hidden
        self.prefix = page.prefix
        self.waiting = page.waiting
