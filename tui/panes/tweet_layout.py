"""Where the tweets of the timeline lie: how many lines each takes, what stands above it, and what below all of them.

Rules that hold here:
- Rows that are not held count as one line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from engine.contract.answers import TimelineLine
from tui.panes.tweets import NOTHING, Above, Columns, above, doubted, tweet, waiting_lines
from tui.rows import Row
from tui.site.doubts import Doubt
from tui.site.reading import Mark
from tui.site.timeline_window import TimelineWindow
from tui.times import day_and_minute

HEIGHTS_MAX: Final = 4_096


class After(NamedTuple):
    """A row below all tweets; it is called `name` for as long as it is there, whatever else changes of it."""

    key: Hashable
    name: str
    slot: int | None
    lines: Sequence[Row]


class TweetLayout:
    def __init__(self, site: str) -> None:
        """`site` reads the timeline."""
        self._site = site
        self._window = TimelineWindow()
        self._ends: list[int] = []  # line counts up to and with each held line
        self._above: list[Above] = []
        self._height_of: dict[int, int] = {}  # of a tweet alone, by slot, in these columns
        self.columns = Columns(1, 1, 1)
        self._after: tuple[After, ...] = ()
        self._after_ends: list[int] = []  # line counts up to and with each of them
        self.is_relative = False
        """Times are told as ages."""

    def fit(self, columns: Columns) -> bool:
        """Whether the tweets are laid out anew for these columns."""
        fits = columns == self.columns
        if not fits or len(self._height_of) > HEIGHTS_MAX:
            self.columns = columns
            self._height_of.clear()
        return not fits

    def lay(self, window: TimelineWindow, since: Mark | None, doubts: Sequence[Doubt]) -> None:
        """`since`: where its reader was when new ones were found."""
        self._window = window
        lines = window.lines
        befores = [None if window.at_start else lines[0], *lines[:-1]] if lines else []
        self._above = [_above(line, before, since) for line, before in zip(lines, befores, strict=True)]
        heights = (each.height + self._height(line) for each, line in zip(self._above, lines, strict=True))
        self._ends = list(accumulate(heights))
        self._after = self.rows_after(window, doubts)
        self._after_ends = list(accumulate(len(each.lines) for each in self._after))

    def rows_after(self, window: TimelineWindow, doubts: Sequence[Doubt]) -> tuple[After, ...]:
        """What the timeline waits for, and what is not settled: that has a slot above it, or none that is known."""
        open_ones = [doubt for doubt in doubts if doubt.slot is None or doubt.slot > window.prefix]
        waits: list[After] = []
        if window.waiting is not None and (window.shown or open_ones):
            waits.append(After("waiting", "", window.waiting.slot, waiting_lines(window.waiting, self.columns.width)))
        doubted_ones = (
            After(("doubt", doubt), doubt.text, doubt.slot, doubted(doubt, self._site, self.columns))
            for doubt in open_ones
        )
        return (*waits, *doubted_ones)

    def is_followed_by(self, window: TimelineWindow, doubts: Sequence[Doubt]) -> bool:
        """Whether what stands below all tweets is as it was laid out."""
        return self._after == self.rows_after(window, doubts)

    @property
    def rows_count(self) -> int:
        return self._window.shown + len(self._after)

    def after(self, index: int) -> After | None:
        """The row there, if it stands below all tweets."""
        place = index - self._window.shown
        return self._after[place] if 0 <= place < len(self._after) else None

    def rows(self, index: int) -> Sequence[Row] | None:
        """The lines of a row; None if it is not held."""
        line = self._window.line(index)
        return None if line is None else (*self.above(index).rows(self.columns.width), *self._tweet(line))

    def above(self, index: int) -> Above:
        held = index - self._window.first_row
        return self._above[held] if 0 <= held < len(self._above) else NOTHING

    def lines_total(self) -> int:
        return self.tweets_end() + (self._after_ends[-1] if self._after_ends else 0)

    def tweets_end(self) -> int:
        """The first line below all tweets."""
        return self._window.shown - len(self._ends) + (self._ends[-1] if self._ends else 0)

    def y_of(self, index: int) -> int:
        place = index - self._window.shown
        if place >= 0:
            return self.tweets_end() + (self._after_ends[min(place, len(self._after_ends)) - 1] if place else 0)
        held = index - self._window.first_row
        if held <= 0 or not self._ends:
            return index
        count = len(self._ends)
        return self._window.first_row + self._ends[min(held, count) - 1] + max(0, held - count)

    def at(self, y: int) -> tuple[int, int]:
        """The row at a line, and which of its lines that is."""
        first = self._window.first_row
        below = y - self.tweets_end()
        if below >= 0 and self._after:
            place = min(bisect_right(self._after_ends, below), len(self._after) - 1)
            return self._window.shown + place, below - (self._after_ends[place - 1] if place else 0)
        line = y - first
        if line < 0 or not self._ends:
            return y, 0
        if line >= self._ends[-1]:
            return first + len(self._ends) + line - self._ends[-1], 0
        held = bisect_right(self._ends, line)
        return first + held, line - (self._ends[held - 1] if held else 0)

    def _height(self, line: TimelineLine) -> int:
        height = self._height_of.get(line.slot)
        if height is None:
            height = self._height_of[line.slot] = len(self._tweet(line))
        return height

    def _tweet(self, line: TimelineLine) -> Sequence[Row]:
        return tweet(line, self._site, self.columns, is_relative=self.is_relative)


def _above(line: TimelineLine, before: TimelineLine | None, since: Mark | None) -> Above:
    begins = since is not None and since.slot < line.slot and (before is None or before.slot <= since.slot)
    return above(line, before, day_and_minute(since.at) if since is not None and begins else "")
