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

from tui.site.shapes import TimelineLine, TimelinePage, Waiting

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
            self._join(page)
        elif jump or not self.lines:
            self.lines = list(page.lines)
            self.first_row = page.shown - len(page.lines)

    async def load(self, row: int, fetch: Fetch) -> None:
        """Holds `row` afterwards, if there is such a row. Raises what `fetch` raises."""
        if self.line(row) is not None:
            return
        last = self.first_row + len(self.lines) - 1
        if self.lines and 0 < self.first_row - row <= PAGE_LINES:
            await self._up(fetch)
        elif self.lines and 0 < row - last <= PAGE_LINES:
            await self._down(fetch)
        elif row < PAGE_LINES:
            self.lines.clear()
            self.first_row = 0
            await self._down(fetch)
        else:
            await self._leap(row, fetch)

    async def _leap(self, row: int, fetch: Fetch) -> None:
        """Goes far: takes the lines that end where `row` probably lies, and calls the last of them `row`."""
        slot = rows_below = 0
        stride = PAGE_LINES
        while True:
            share = (row + 1 - rows_below) / max(1, self.shown - rows_below)
            slot += max(stride, round((self.prefix - slot) * share))
            page = await fetch(PAGE_LINES, slot + 1)
            self._count(page)
            rows_below = len(page.lines)
            if rows_below == PAGE_LINES or slot >= self.prefix:
                break
            stride *= 2  # all lines below the slot are on the page, so `row` lies further on
        self.lines = list(page.lines)
        self.first_row = max(0, min(row + 1, self.shown) - rows_below)

    async def jump(self, slot: int, fetch: Fetch) -> None:
        """Replaces the run by the lines at and below `slot`, placed where they probably lie."""
        page = await fetch(PAGE_LINES, slot + 1)
        self._count(page)
        self.lines = list(page.lines)
        if len(page.lines) < PAGE_LINES:
            self.first_row = 0
        else:
            estimate = round(self.shown * slot / max(1, self.prefix))
            self.first_row = max(1, min(estimate, self.shown) - len(page.lines))
        if not self.lines:
            await self._down(fetch)

    async def _up(self, fetch: Fetch) -> None:
        page = await fetch(PAGE_LINES, self.lines[0].slot)
        self._count(page)
        self.lines[:0] = page.lines
        self.first_row -= len(page.lines)
        if len(page.lines) < PAGE_LINES:
            self.first_row = 0
        elif self.first_row <= 0:
            self.first_row = 1  # the estimate was too low: there is more above
        del self.lines[LINES_MAX:]

    async def _down(self, fetch: Fetch) -> None:
        known = self.lines[-1].slot if self.lines else 0
        stride = PAGE_LINES
        while True:
            page = await fetch(PAGE_LINES, known + 1 + stride)
            self._count(page)
            later = [line for line in page.lines if line.slot > known]
            if known + stride >= self.prefix and len(later) < PAGE_LINES:
                self._join(page)
                return
            if later and (len(later) < PAGE_LINES or stride <= PAGE_LINES):
                self.lines.extend(later)
                self._trim()
                if self.first_row + len(self.lines) >= self.shown:
                    self.first_row = self.shown - len(self.lines) - 1  # the estimate was too high: there is more below
                return
            if later:
                stride //= 2  # the oldest of so many may not be the next one
            else:
                known += stride  # only entries there that the timeline does not show
                stride *= 2

    def _join(self, newest: TimelinePage) -> None:
        """The newest page touches the run, or the run is empty and nothing lies before the page."""
        last = self.lines[-1].slot if self.lines else 0
        self.lines.extend(line for line in newest.lines if line.slot > last)
        self._trim()
        self.first_row = self.shown - len(self.lines)

    def _trim(self) -> None:
        surplus = max(0, len(self.lines) - LINES_MAX)
        del self.lines[:surplus]
        self.first_row += surplus

    def _count(self, page: TimelinePage) -> None:
        self.shown = page.shown
        self.hidden = page.hidden
        self.prefix = page.prefix
        self.waiting = page.waiting
