"""Pane 1: the timeline, as this site may read it (docs/protocol.md R2: the prefix without a gap)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Final

from textual.timer import Timer

from engine.contract.errors import RequestFailed
from tui.counted import plural
from tui.panes.leaping import leap
from tui.panes.lines import Lines
from tui.panes.tweet_layout import TweetLayout
from tui.panes.tweets import NAME_MAX, NAME_NARROW, Columns, waiting_lines
from tui.rows import BLANK, Role, Row, row, wrapped
from tui.site.doubts import Doubt
from tui.site.linearizable_read import STALE, title_words
from tui.site.model import Change, SiteModel
from tui.site.timeline_window import TimelineWindow
from tui.times import day_unless_today

AGES_EVERY_S: Final = 30.0
"""How often ages are told anew."""
KEPT_AFTER_S: Final = 1.0
"""How far was read is kept this long after it changed: a screen may be killed."""


class TimelinePane(Lines):
    """Tweets, each wrapped over as many lines as it needs. Rows that are not loaded count as one line.

    Below them stand what the timeline waits for, and this site's tweets that are not settled.

    A screen may be painted in a new width before this pane is told of it. Until then rows are painted in the columns in
    which they were measured, so that every line that was counted is there.
    """

    ASPECTS: ClassVar = Change.TIMELINE | Change.STATUS | Change.CONNECTION

    def __init__(self, model: SiteModel, in_doubt: Callable[[], Sequence[Doubt]]) -> None:
        super().__init__(model, id="timeline")
        self._in_doubt = in_doubt
        self._doubts: Sequence[Doubt] = ()
        self._layout = TweetLayout(model.site)
        self._ages: Timer | None = None
        self._looked_at = False
        self._begins = False
        """Somebody looks again, and what is new is not told yet."""
        self._knows_newest = False
        self._reads_all = False
        """End was pressed, and the newest tweets are still to be read."""
        self._reading = False
        self._stale = True
        self._wanted: int | None = None
        self._wanted_slot: int | None = None
        self._wanted_after = False
        """It is the tweet after that slot that is wanted."""
        self._counting = False
        self._keeper: Timer | None = None
        self._told_unread = 0

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
        top = window.line(self.at(self.scroll_offset.y)[0])
        seen = "" if top is None else day_unless_today(top.at)
        name, hidden = "1 Timeline", f"{window.hidden:,} hidden" if window.hidden else ""
        forms = (
            (name, counted, seen, certain, paused),
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
            return [BLANK, *waiting_lines(window.waiting, self._layout.columns.width)]
        if window.hidden:
            said = row(f"Nothing to read: {plural(window.hidden, 'tweet')} by sites that block this one.")
            return [BLANK, *wrapped(said, self.rows_width)]
        if not window.prefix and not (self.model.live and self.model.was_read):
            waits = not (self.model.over or self.model.was_read)
            return [BLANK, row(("reading …" if waits else "Nothing was read from the engine yet.", Role.DIM))]
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
        return self._layout.rows_count

    def row_key(self, index: int) -> Hashable:
        after = self._layout.after(index)
        if after is not None:
            return after.key
        line = self.model.timeline.line(index)
        return ("row", index) if line is None else line.slot

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:  # noqa: ARG002
        after = self._layout.after(index)
        if after is not None:
            return after.lines
        return None if self.model.timeline.line(index) is None else self._layout.rows(index)

    def lines_above(self, index: int) -> int:
        return self._layout.above(index).height

    def selected(self) -> list[Row]:
        return super().selected()[self.lines_above(self.cursor) :]

    def text(self) -> str | None:
        """Of the selected tweet."""
        line = self.model.timeline.line(self.cursor)
        return None if line is None else line.text

    def slot(self) -> int | None:
        after = self._layout.after(self.cursor)
        if after is not None:
            return after.slot
        line = self.model.timeline.line(self.cursor)
        if line is not None:
            return line.slot
        waiting = self.model.timeline.waiting
        return None if waiting is None else waiting.slot

    def _fitting_columns(self) -> Columns:
        width = self.rows_width
        name = min(max(map(len, self.model.sites)), NAME_MAX if width >= 90 else NAME_NARROW) + 1
        return Columns(width, len(str(self.model.timeline.prefix)) + 1, name)

    # Where they lie.

    def lines_total(self) -> int:
        return self._layout.lines_total()

    def y_of(self, index: int) -> int:
        return self._layout.y_of(index)

    def at(self, y: int) -> tuple[int, int]:
        return self._layout.at(y)

    def measure(self) -> None:
        if self._layout.fit(self._fitting_columns()):
            self._strips.clear()
        self._layout.lay(self.model.timeline, self.model.reading.since, self._doubts)
        super().measure()

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
            elif self.display and self._fitting_columns() != self._layout.columns:
                self.changed()
        if change & (Change.TIMELINE | Change.CONNECTION):
            self._stale = True
            self._knows_newest = False
            self._read()
            self._count()

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
        self._wanted_slot, self._wanted_after = slot, False
        self._read()

    def go_behind_slot(self, slot: int) -> None:
        """Selects the first tweet above `slot`."""
        self.go_to_slot(slot)
        self._wanted_after = True

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
            self._knows_newest = not self._stale
        elif self._wanted_slot is not None:
            slot, self._wanted_slot = self._wanted_slot, None
            after = 1 if self._wanted_after else 0
            await window.jump(slot, self.model.read_timeline)
            await window.load(min((window.row_at(slot) or 0) + after, window.shown - 1), self.model.read_timeline)
            self._take(window, epoch)
            row = window.row_at(slot)
            leap(self, 0 if row is None else row + after)
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
        part -= self.lines_above(top)
        moved = [self._same_row(before, window, index) for index in (top, self.cursor)]
        unmoved = before.lines == window.lines and before.shown == window.shown and before.waiting == window.waiting
        self.model.timeline = window
        self.model.reading.counted(window)
        if unmoved and self._layout.is_followed_by(window, self._doubts):
            self.show_title()
        else:
            self.cursor = moved[1]
            self.changed()
            if not self.following:
                self._scroll(self.y_of(moved[0]) + self.lines_above(moved[0]) + part)
        self._note_what_is_seen()

    def _same_row(self, before: TimelineWindow, after: TimelineWindow, index: int) -> int:
        """The row that holds afterwards what row `index` held before; the same number where that is not known."""
        below = self._layout.after(index)
        if below is not None:
            names = [each.name for each in self._layout.rows_after(after, self._doubts)]
            if below.name in names:
                return after.shown + names.index(below.name)
            there = None if below.slot is None else after.row_at(below.slot)
            return index if there is None else there
        line = before.line(index)
        row = None if line is None else after.row_at(line.slot)
        found = None if row is None else after.line(row)
        return index if row is None or found != line else row

    # What its reader has seen.

    def on_mount(self) -> None:
        super().on_mount()
        self.watch(self.app, "app_focus", self.look, init=False)

    def on_show(self) -> None:
        super().on_show()
        self.look()

    def on_hide(self) -> None:
        self.look()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._note_what_is_seen()

    def look(self) -> None:
        """Whether somebody looks at it may have changed: it is shown or not, its terminal is used or another is."""
        looked_at = self.display and self.is_attached and self.app.app_focus and self.screen in self.app.screen_stack
        if looked_at != self._looked_at:
            self._looked_at = self._begins = looked_at
            if not looked_at:
                self.model.reading.leaves()
            else:
                self._note_what_is_seen()

    def keep(self) -> None:
        """How far it was read, before the screen is left."""
        if self._looked_at:
            self.model.reading.leaves()
        self.model.reading.keep()

    def follow(self) -> None:
        self._reads_all = True
        super().follow()
        self._note_what_is_seen()

    def unfollow(self) -> None:
        self._reads_all = False
        super().unfollow()

    def _note_what_is_seen(self) -> None:
        """The rows in view are read, once they are there."""
        window, reading = self.model.timeline, self.model.reading
        since = reading.since
        if self._looked_at and self.rows_height > 0 and (self._knows_newest or not self._begins):
            if self._begins:
                self._begins = False
                reading.looks()
            if self._reads_all and window.at_end:
                self._reads_all = False
                reading.read_all(window)
            top = self.scroll_offset.y
            bottom = min(top + self.rows_height, self._layout.tweets_end()) - 1
            if top <= bottom:
                reading.saw(window, self.at(top)[0], self.at(bottom)[0])
        if reading.since != since:
            self.changed()
        self._tell_unread()
        if not reading.is_kept and self._keeper is None:
            self._keeper = self.set_timer(KEPT_AFTER_S, self._keep)

    def _keep(self) -> None:
        self._keeper = None
        self.model.reading.keep()

    def _count(self) -> None:
        """How many tweets there are is known where none is seen, too."""
        if not self.display and self.is_attached and self.model.live and not self._counting:
            self._counting = True
            self.run_worker(self._count_all(), group="timeline")

    async def _count_all(self) -> None:
        try:
            shown = (await self.model.read_timeline(1, None)).shown
        except RequestFailed as failed:
            self.model.complain(failed)
            return
        finally:
            self._counting = False
        self.model.reading.count(shown)
        self._tell_unread()

    def _tell_unread(self) -> None:
        if self.model.reading.unread != self._told_unread:
            self._told_unread = self.model.reading.unread
            self.model.tell_read()

    # How times are told.

    def tell_ages(self) -> None:
        """From now on, or no longer."""
        if self._ages is None:
            self._ages = self.set_interval(AGES_EVERY_S, self.changed)
        else:
            self._ages.stop()
            self._ages = None
        self._layout.is_relative = self._ages is not None
        self.changed()
