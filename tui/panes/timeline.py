"""Pane 1: the timeline, as this site may read it (docs/protocol.md R2: the prefix without a gap)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate
from typing import ClassVar, Final, NamedTuple

from engine.contract.answers import TimelineLine, Waiting
from engine.contract.errors import RequestFailed
from tui.counted import plural
from tui.panes.lines import Lines
from tui.rows import BLANK, Role, Row, fitted, row, wrapped
from tui.site.doubts import Doubt
from tui.site.linearizable_read import STALE, title_words
from tui.site.model import Change, SiteModel
from tui.site.timeline_window import TimelineWindow
from tui.times import day_or_clock

NAME_MAX: Final = 16
NAME_NARROW: Final = 8
ROOMY: Final = 60
"""From this width on, the lines of a tweet stand below each other; in less they begin below the date."""
HEIGHTS_MAX: Final = 4_096


class Columns(NamedTuple):
    """What decides how many lines a tweet takes, in cells."""

    width: int
    slot: int
    name: int


class After(NamedTuple):
    """A row below all tweets; it is called `name` for as long as it is there, whatever else changes of it."""

    key: Hashable
    name: str
    slot: int | None
    lines: Sequence[Row]


class TimelinePane(Lines):
    """Tweets, each wrapped over as many lines as it needs. Rows that are not loaded count as one line.

    Below them stand what the timeline waits for, and this site's tweets that are not settled: those have a slot above
    it, or none that is known.

    A screen may be painted in a new width before this pane is told of it. Until then rows are painted in the columns in
    which they were measured, so that every line that was counted is there.
    """

    ASPECTS: ClassVar = Change.TIMELINE | Change.STATUS | Change.CONNECTION

    def __init__(self, model: SiteModel, in_doubt: Callable[[], Sequence[Doubt]]) -> None:
        super().__init__(model, id="timeline")
        self._in_doubt = in_doubt
        self._doubts: Sequence[Doubt] = ()
        self._after: tuple[After, ...] = ()
        self._after_ends: list[int] = []  # line counts up to and with each of them
        self._heights: list[int] = []  # line counts up to and with each held line
        self._height_of: dict[int, int] = {}  # by slot, in these columns
        self._columns = Columns(1, 1, 1)
        self._reading = False
        self._stale = True
        self._wanted: int | None = None
        self._wanted_slot: int | None = None

    @property
    def _window_rows(self) -> int:
        return len(self.model.timeline.lines)

    def title(self) -> str:
        window = self.model.timeline
        if self.model.over and not self.model.was_read:
            return "1 Timeline · nothing read"
        if self.model.over and window.prefix < self.model.log.prefix:
            read = f"read up to #{window.prefix:,}" if window.prefix else "nothing read"
            return f"1 Timeline · {read} · {STALE}"
        counted = f"{window.shown:,} shown" + (f", {window.hidden:,} hidden by blocks" if window.hidden else "")
        certain, short = title_words(self.model.read_state, self.model.status, self.model.may_lack_newest)
        paused = "" if self.following else "paused"
        name, hidden = "1 Timeline", f"{window.hidden:,} hidden" if window.hidden else ""
        forms = (
            (name, counted, certain, paused),
            (name, hidden, certain, paused),
            (name, hidden, short, paused),
            (name, short, paused),
            ("1", short, paused),
        )
        return self.fitting(*(" · ".join(part for part in form if part) for form in forms))

    def empty(self) -> Sequence[Row]:
        window = self.model.timeline
        if window.waiting is not None:
            return [BLANK, *self._waiting_lines(window.waiting)]
        if window.hidden:
            said = row(f"Nothing to read: {plural(window.hidden, 'tweet')} by sites that block this one.")
            return [BLANK, *wrapped(said, self.rows_width)]
        if not self.model.live and not window.prefix:
            return [BLANK, row(("Nothing was read from the engine yet.", Role.DIM))]
        if self.model.over:
            return [BLANK, row(("There was no tweet when the engine was lost.", Role.WARN))]
        said = row("No tweets yet. ", ("c", Role.KEY), " writes the first.")
        status = self.model.status
        if status is not None and not status.voting and status.voting_why:
            said = row((f"{status.site} takes no events yet. It does not vote: {status.voting_why}.", Role.WARN))
        where = row((f"{self.model.hop.folder} · {plural(len(self.model.sites), 'site')}", Role.DIM))
        return [BLANK, *wrapped(said, self.rows_width), *wrapped(where, self.rows_width)]

    # Rows: the timeline, and what stands below it.

    def rows_count(self) -> int:
        return self.model.timeline.shown + len(self._after)

    def row_key(self, index: int) -> Hashable:
        after = self._below(index)
        if after is not None:
            return after.key
        line = self.model.timeline.line(index)
        return ("row", index) if line is None else line.slot

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:  # noqa: ARG002
        after = self._below(index)
        if after is not None:
            return after.lines
        line = self.model.timeline.line(index)
        return None if line is None else self._tweet(line)

    def slot(self) -> int | None:
        after = self._below(self.cursor)
        if after is not None:
            return after.slot
        line = self.model.timeline.line(self.cursor)
        if line is not None:
            return line.slot
        waiting = self.model.timeline.waiting
        return None if waiting is None else waiting.slot

    def _below(self, index: int) -> After | None:
        """The row there, if it stands below all tweets."""
        after = index - self.model.timeline.shown
        return self._after[after] if 0 <= after < len(self._after) else None

    def _rows_after(self, window: TimelineWindow) -> tuple[After, ...]:
        doubts = [doubt for doubt in self._doubts if doubt.slot is None or doubt.slot > window.prefix]
        waits: list[After] = []
        if window.waiting is not None and (window.shown or doubts):
            waits.append(After("waiting", "", window.waiting.slot, self._waiting_lines(window.waiting)))
        return (*waits, *(After(("doubt", doubt), doubt.text, doubt.slot, self._doubted(doubt)) for doubt in doubts))

    def _fitting_columns(self) -> Columns:
        width = self.rows_width
        name = min(max(map(len, self.model.sites)), NAME_MAX if width >= 90 else NAME_NARROW) + 1
        return Columns(width, len(str(self.model.timeline.prefix)) + 1, name)

    def _tweet(self, line: TimelineLine) -> Sequence[Row]:
        own = line.author == self.model.site
        name = (line.author + ("*" if own else ""), Role.STRONG if own else Role.NOTE)
        return self._said(f"#{line.slot}", day_or_clock(line.at), name, (line.text, Role.PLAIN))

    def _doubted(self, doubt: Doubt) -> Sequence[Row]:
        """Grey, and with a word in the place of the time: it is no part of the timeline yet."""
        slot = "--" if doubt.slot is None else f"#{doubt.slot}"
        return self._said(slot, doubt.word, (f"{self.model.site}*", Role.DIM), (doubt.text, Role.DIM))

    def _said(self, slot: str, at: str, name: tuple[str, Role], text: tuple[str, Role]) -> Sequence[Row]:
        width, slot_width, name_width = self._columns
        author, role = name
        head = row(
            (slot.rjust(slot_width), Role.DIM), (f" {at:<6} ", Role.DIM), (fitted(author, name_width) + " ", role)
        )
        indent = sum(len(part.text) for part in head) if width >= ROOMY else slot_width + 1
        return wrapped((*head, *row(text)), width, indent)

    def _waiting_lines(self, waiting: Waiting) -> Sequence[Row]:
        later = {0: "no later entry is", 1: "1 later entry is"}.get(
            waiting.later, f"{waiting.later:,} later entries are"
        )
        said = row((f"waiting for slot {waiting.slot}: {later} learned, not shown yet", Role.WARN))
        return wrapped(said, self._columns.width)[:2]

    # Where they lie.

    def lines_total(self) -> int:
        return self._tweets_end() + (self._after_ends[-1] if self._after_ends else 0)

    def _tweets_end(self) -> int:
        """The first line below all tweets."""
        return self.model.timeline.shown - self._window_rows + (self._heights[-1] if self._heights else 0)

    def y_of(self, index: int) -> int:
        after = index - self.model.timeline.shown
        if after >= 0:
            return self._tweets_end() + (self._after_ends[min(after, len(self._after_ends)) - 1] if after else 0)
        held = index - self.model.timeline.first_row
        if held <= 0 or not self._heights:
            return index
        above = self._heights[min(held, self._window_rows) - 1]
        return self.model.timeline.first_row + above + max(0, held - self._window_rows)

    def at(self, y: int) -> tuple[int, int]:
        window = self.model.timeline
        below = y - self._tweets_end()
        if below >= 0 and self._after:
            after = min(bisect_right(self._after_ends, below), len(self._after) - 1)
            return window.shown + after, below - (self._after_ends[after - 1] if after else 0)
        line = y - window.first_row
        if line < 0 or not self._heights:
            return y, 0
        if line >= self._heights[-1]:
            return window.first_row + self._window_rows + line - self._heights[-1], 0
        held = bisect_right(self._heights, line)
        return window.first_row + held, line - (self._heights[held - 1] if held else 0)

    def measure(self) -> None:
        columns = self._fitting_columns()
        if columns != self._columns or len(self._height_of) > HEIGHTS_MAX:
            self._columns = columns
            self._height_of.clear()
            self._strips.clear()
        self._heights = list(accumulate(map(self._height, self.model.timeline.lines)))
        self._after = self._rows_after(self.model.timeline)
        self._after_ends = list(accumulate(len(each.lines) for each in self._after))
        super().measure()

    def _height(self, line: TimelineLine) -> int:
        height = self._height_of.get(line.slot)
        if height is None:
            height = self._height_of[line.slot] = len(self._tweet(line))
        return height

    # What is read, and when.

    def doubt(self) -> None:
        """What is not settled may have changed."""
        doubts = self._in_doubt()
        if doubts != self._doubts:
            self._doubts = doubts
            if self.display:
                self.cursor = self._same_row(self.model.timeline, self.model.timeline, self.cursor)
                self.measure()
                self.refresh()

    def learn(self, change: Change) -> None:
        if change & (Change.STATUS | Change.CONNECTION):
            self.show_title()
            if self.rows_count() == 0:
                self.refresh()
            elif self.display and self._fitting_columns() != self._columns:
                self.changed()
        if change & (Change.TIMELINE | Change.CONNECTION):
            self._stale = True
            self._read()

    def load(self, first: int, last: int) -> None:
        window = self.model.timeline
        if window.lines and first < window.first_row <= last + 1:
            self._wanted = window.first_row - 1  # the run is just below: it grows upward
        else:
            missing = (each for each in range(last, first - 1, -1) if each < window.shown and not window.line(each))
            self._wanted = next(missing, None)
        self._read()

    def held_at(self, slot: int) -> int | None:
        """The row of the last tweet at or below `slot`; None if that was not read."""
        window = self.model.timeline
        beyond = not window.at_end and bool(window.lines) and window.lines[-1].slot < slot
        return None if beyond else window.row_at(slot)

    def go_to_slot(self, slot: int) -> None:
        """Selects the last tweet at or below `slot`."""
        self.unfollow()
        self._wanted_slot = slot
        self._read()

    def _read(self) -> None:
        """Reads what is wanted, one thing after the other; a pane that is not seen reads nothing."""
        if self.display and self.is_attached and self.model.live and not self._reading:
            self._reading = True
            self.run_worker(self._read_all(), group="timeline")

    async def _read_all(self) -> None:
        try:
            while self._stale or self._wanted is not None or self._wanted_slot is not None:
                await self._read_next()
        except RequestFailed as failed:
            self.model.complain(failed)
        finally:
            self._reading = False

    async def _read_next(self) -> None:
        epoch = self.model.timeline_epoch
        window = self.model.timeline.copy()
        if self._stale:
            self._stale = False
            window.tail(await self.model.read_timeline_tail(), jump=self.following)
        elif self._wanted_slot is not None:
            slot, self._wanted_slot = self._wanted_slot, None
            await window.jump(slot, self.model.read_timeline)
            self._take(window, epoch)
            self.go(window.row_at(slot) or 0)
            return
        elif self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            await window.load(wanted, self.model.read_timeline)
        self._take(window, epoch)

    def _take(self, window: TimelineWindow, epoch: int) -> None:
        """Puts `window` in place; what is in view stays where it is."""
        if epoch != self.model.timeline_epoch:
            self._stale = True
            return
        before = self.model.timeline
        top, part = self.at(self.scroll_offset.y)
        moved = [self._same_row(before, window, index) for index in (top, self.cursor)]
        unmoved = before.lines == window.lines and before.shown == window.shown and before.waiting == window.waiting
        self.model.timeline = window
        if unmoved and self._after == self._rows_after(window):
            self.show_title()
            return
        self.cursor = moved[1]
        self.changed()
        if not self.following:
            self._scroll(self.y_of(moved[0]) + part)

    def _same_row(self, before: TimelineWindow, after: TimelineWindow, index: int) -> int:
        """The row that holds afterwards what row `index` held before; the same number where that is not known."""
        below = self._below(index)
        if below is not None:
            names = [each.name for each in self._rows_after(after)]
            if below.name in names:
                return after.shown + names.index(below.name)
            there = None if below.slot is None else after.row_at(below.slot)
            return index if there is None else there
        line = before.line(index)
        row = None if line is None else after.row_at(line.slot)
        found = None if row is None else after.line(row)
        return index if row is None or found != line else row
