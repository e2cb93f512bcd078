"""The Line-API widget under every pane that shows rows: it paints what is in view and holds nothing else.

Rules that hold here:
- What one reads never moves under the eye: only End (or Space) follows the newest row, moving up stops that.
- New rows change the height of the scrolled area without a new layout of the screen.
- Keys that move come before others (`keys.bindings`): Enter after them is about the row that they went to, however fast
  it comes.
- Nothing is repainted that did not change; a row is painted once and its strip kept by the row's key.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import ClassVar, Final

from rich.style import Style
from textual import events, scrollbar
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.inert import inert
from tui.panes.paint import CURSOR_CLASS, Coloured, Inks, View, strip
from tui.rows import Role, Row, marked, row
from tui.site.model import Change, SiteModel
from tui.textual_inside import SteadyScroll

STRIPS_MAX: Final = 1_024
FRAME: Final = 6
"""Cells of a pane's upper edge that its title leaves free."""
GUTTER: Final = 2
"""Cells before each row, where the cursor's mark stands."""


class ScrolledRows(Coloured, SteadyScroll, can_focus=True, inherit_bindings=False):
    """Rows of one line or several; what is not loaded is asked for when it comes into view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {CURSOR_CLASS}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False, priority=True),
        Binding("down,j", "move(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("home", "first", show=False, priority=True),
    ]

    SELECTS: ClassVar[bool] = True
    """Whether a row is selected and marked."""

    class Chosen(Message, namespace="lines"):
        """A double click on a row."""

    class Moved(Message, namespace="lines"):
        """Its reader went to a row."""

    class Retitled(Message, namespace="lines"):
        """The title changed (it follows or not, was scrolled, or has other rows), or whether all of it fits."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._inks = Inks(self)
        self.following = True
        self.cursor = 0
        self._strips: LRUCache[tuple[Hashable, int, bool], Strip] = LRUCache(STRIPS_MAX)
        self._asked = False
        self._cursor_seen = True
        self._width = 0
        self._title = ""
        self.scrolls = False  # there are more lines than room
        self._painting = View(0, 0, 0, None, ())
        self.marked: re.Pattern[str] | None = None

    # What a pane says of its rows.

    def rows_count(self) -> int:
        raise NotImplementedError

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:
        """The lines of a row; None if it is not loaded."""
        raise NotImplementedError

    def lines_above(self, index: int) -> int:  # noqa: ARG002
        """How many of a row's lines stand above it and are not selected with it."""
        return 0

    def row_key(self, index: int) -> Hashable:
        """What stays with a row when others come before it."""
        return index

    def load(self, first: int, last: int) -> None:
        """Rows of this range are in view and not loaded."""

    def empty(self) -> Sequence[Row]:
        """What stands there when there are no rows."""
        return ()

    def title(self) -> str:
        raise NotImplementedError

    @property
    def shows_cursor(self) -> bool:
        return self.has_focus

    def fitting(self, *titles: str) -> str:
        """The first of these titles that the frame has room for, else the last."""
        return next((title for title in titles if len(title) <= self.outer_size.width - FRAME), titles[-1])

    # Where rows lie. Panes whose rows are of several lines know better.

    def lines_total(self) -> int:
        return self.rows_count()

    def y_of(self, index: int) -> int:
        """The first line of a row in the scrolled area."""
        return index

    def at(self, y: int) -> tuple[int, int]:
        """The row at a line of the scrolled area, and which of its lines that is."""
        return y, 0

    # Painting.

    @property
    def rows_height(self) -> int:
        return self.scrollable_content_region.height

    @property
    def rows_width(self) -> int:
        return max(1, self.scrollable_content_region.width - GUTTER)

    def render_lines(self, crop: Region) -> list[Strip]:
        total = self.lines_total() if self.rows_count() else 0
        self._painting = View(
            self.scrollable_content_region.width,
            self.scroll_offset.y,
            total,
            self.cursor if self.SELECTS and self.shows_cursor else None,
            () if total else self.empty(),
        )
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width, top, total, cursor, said = self._painting
        line = y + top
        if total == 0:
            return strip(row("  ", *said[y]) if y < len(said) else (), width, self.style_of)
        if line >= total:
            return Strip.blank(width, self.rich_style)
        index, part = self.at(line)
        above = self.lines_above(index)
        selected = index == cursor and part >= above
        key = (self.row_key(index), part, selected)
        kept = self._strips.get(key)
        if kept is not None:
            return kept
        lines = self.row_lines(index, width - GUTTER)
        if lines is None:
            if not self._asked:
                self._asked = True
                self.call_next(self._load_view)
            return strip(row("  ", ("…", Role.DIM)), width, self.style_of)
        mark = "> " if selected and part == above else "  "
        shown = lines[part] if self.marked is None else marked(lines[part], self.marked)
        painted = strip(row(mark, *shown), width, self._selected_style if selected else self.style_of)
        self._strips[key] = painted
        return painted

    def _load_view(self) -> None:
        """Asks for what is in view and not loaded, in one go."""
        self._asked = False
        top = self.scroll_offset.y
        bottom = min(top + self.rows_height, self.lines_total()) - 1
        if top <= bottom:
            self.load(self.at(top)[0], self.at(bottom)[0])

    def style_of(self, role: Role) -> Style:
        return self._inks.style_of(role)

    def _selected_style(self, role: Role) -> Style:
        """What the part means keeps its colour; the cursor is what it stands on."""
        cursor = self.style_of(Role.CURSOR)
        return self.style_of(role) + Style(bgcolor=cursor.bgcolor, reverse=cursor.reverse or None)

    def notify_style_update(self) -> None:
        self._inks.forget()
        self._strips.clear()
        super().notify_style_update()

    def on_resize(self) -> None:
        # The screen may have been painted in the new size already, with the rows of the old one.
        seen = self._cursor_seen
        if self.rows_width != self._width:
            self._width = self.rows_width
            self._strips.clear()
        self.measure()
        self.refresh()
        if seen and self.SELECTS and not self.following and self.rows_count():
            self._bring_into_view()

    def on_focus(self) -> None:
        self._repaint_cursor()

    def on_blur(self) -> None:
        self._repaint_cursor()

    def _repaint_cursor(self) -> None:
        if self.cursor < self.rows_count():
            self.refresh_lines(*self._extent(self.cursor))

    def mark(self, words: re.Pattern[str] | None) -> None:
        """Marks these words wherever they stand, and no others."""
        if words != self.marked:
            self.marked = words
            self._strips.clear()
            self.refresh()

    # Changes.

    def on_mount(self) -> None:
        self.show_title()

    def changed(self) -> None:
        """All rows may read differently, or lie elsewhere."""
        self._strips.clear()
        self.measure()
        self.refresh()

    def row_changed(self, index: int) -> None:
        """One row reads differently; it is repainted if it is in view."""
        y, height = self._extent(index)
        for part in range(height):
            for selected in (False, True):
                self._strips.discard((self.row_key(index), part, selected))
        if -height < y - self.scroll_offset.y < self.rows_height:
            self.refresh_lines(y, height)

    def measure(self) -> None:
        """The number of lines may have changed: sets the height of the scrolled area, and follows if that is on."""
        total = self.lines_total()
        if total != self.virtual_size.height:
            if min(total, self.virtual_size.height) < self.rows_height:
                self.refresh()  # lines that stood empty are in view
            # Assigning the reactive would lay out the whole screen, for each new row.
            self.set_reactive(ScrollView.virtual_size, Size(self.size.width, total))
            self.vertical_scrollbar.window_virtual_size = total
            self.vertical_scrollbar.window_size = self.rows_height
        if self.following:
            self._select(self.rows_count() - 1)
            self._scroll(self.max_scroll_y)
        else:
            self._select(self.cursor)
            self._scroll(min(self.scroll_offset.y, self.max_scroll_y))
        self.show_title()
        if self.scrolls != (self.max_scroll_y > 0):
            self.scrolls = not self.scrolls
            self.post_message(self.Retitled())

    def show_title(self) -> None:
        framed = self.styles.border_left[0] != ""  # a title within a whole frame is spaced by Textual
        title = inert(self.title()) if framed else f" {inert(self.title())} "
        if title != self._title:
            self._title = title
            self.border_title = Content(title)
            self.post_message(self.Retitled())

    # Moving.

    def _select(self, index: int) -> None:
        index = max(0, min(index, self.rows_count() - 1))
        if index == self.cursor:
            return
        before, self.cursor = self.cursor, index
        for each in (before, index):
            if each < self.rows_count():
                self.refresh_lines(*self._extent(each))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.show_title()

    def _extent(self, index: int) -> tuple[int, int]:
        """A row's first line in the scrolled area, and how many lines it has."""
        y = self.y_of(index)
        below = self.y_of(index + 1) if index + 1 < self.rows_count() else self.lines_total()
        return y, below - y

    def _scroll(self, y: int) -> None:
        if y != self.scroll_offset.y:
            self.scroll_to(y=y, animate=False, force=True)

    def go(self, index: int) -> None:
        """Selects a row and brings it into view; the pane no longer follows."""
        self.unfollow()
        self._select(index)
        self._bring_into_view()
        self.post_message(self.Moved())

    def _bring_into_view(self) -> None:
        top, height = self._extent(self.cursor)
        bottom = top + height
        if top < self.scroll_offset.y:
            self._scroll(top)
        elif bottom > self.scroll_offset.y + self.rows_height:
            self._scroll(min(top, bottom - self.rows_height))
        self._cursor_seen = True

    def unfollow(self) -> None:
        if self.following:
            self.following = False
            self.show_title()

    def action_move(self, by: int) -> None:
        if self.following and by > 0:
            return
        self.go(self.cursor + by)

    def action_page(self, by: int) -> None:
        if self.following and by > 0:
            return
        page = max(1, self.rows_height - 1)
        target = max(0, min(self.y_of(self.cursor) + by * page, self.lines_total() - 1))
        self.go(self.at(target)[0])

    def action_first(self) -> None:
        self.go(0)

    def follow(self) -> None:
        self.following = True
        self.measure()

    def pause(self) -> None:
        if self.following:
            self.unfollow()
        else:
            self.follow()

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        self._scrolled()

    def on_mouse_scroll_down(self, _: events.MouseScrollDown) -> None:
        self._note_view()

    def on_scroll_to(self, _: scrollbar.ScrollTo) -> None:
        self._scrolled()

    def on_scroll_up(self, _: scrollbar.ScrollUp) -> None:
        self._scrolled()

    def _scrolled(self) -> None:
        """Somebody looks for older rows: what is read then must not move."""
        self.unfollow()
        self._note_view()

    def _note_view(self) -> None:
        """Whether the cursor is in view decides what a resize keeps in view."""
        if self.cursor < self.rows_count():
            above = self.y_of(self.cursor) - self.scroll_offset.y
            self._cursor_seen = 0 <= above < self.rows_height

    def on_click(self, event: events.Click) -> None:
        line = event.y - self.gutter.top + self.scroll_offset.y
        if 0 <= line < self.lines_total() and event.y >= self.gutter.top:
            self.go(self.at(line)[0])
            if event.chain == 2:
                self.post_message(self.Chosen())

    def selected(self) -> list[Row]:
        """The lines of the selected row as they are, however wide; those of all rows where none is selected."""
        chosen = range(self.cursor, self.cursor + 1) if self.SELECTS else range(self.rows_count())
        rows = [self.row_lines(index, 10_000) for index in chosen if index < self.rows_count()]
        return [line for lines in rows if lines is not None for line in lines]


class Lines(ScrolledRows):
    """A pane of a site's screen: rows of what the model of the site knows."""

    ASPECTS: ClassVar[Change] = Change(0)
    """What of the model this pane shows."""

    def __init__(self, model: SiteModel, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.model = model

    def slot(self) -> int | None:
        """The slot that the selected row is about."""
        return None

    def learn(self, change: Change) -> None:
        """Some of ASPECTS changed."""
        raise NotImplementedError

    def on_show(self) -> None:
        self.learn(self.ASPECTS)
        self.measure()
