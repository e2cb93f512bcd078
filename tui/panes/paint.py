"""How rows become strips of a terminal's cells, and the widget that every painted pane is.

Rules that hold here:
- `strip` is the only way to the screen, and it makes every text inert.
- A role becomes a colour here. What the style sheet says of it is a component of the program, on the background of the
  widget that shows it: a dozen components of each widget would be looked up anew whenever the focus or a width changes.
  The cursor alone is the widget's own, because it differs with the focus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from tui.inert import inert
from tui.rows import Role, Row, cell_len, cut

StyleOf = Callable[[Role], Style]

ROLE_CLASSES: Final = frozenset(f"role--{role.value}" for role in Role if role is not Role.CURSOR)
"""Components of the program."""
CURSOR_CLASS: Final = f"role--{Role.CURSOR.value}"
"""A component of each widget that shows one."""


class View(NamedTuple):
    """What is the same for all lines of a paint."""

    width: int
    top: int
    lines: int
    """0 where there are no rows."""
    cursor: int | None
    said: Sequence[Row]
    """What stands there instead of rows."""


def strip(parts: Row, width: int, style_of: StyleOf) -> Strip:
    """The row in exactly `width` cells; what does not fit ends in an ellipsis.

    Text is cut by the widest count, so that no terminal runs over; it is filled up by Rich's, as Textual expects.
    """
    segments: list[Segment] = []
    left = width
    for part in parts:
        shown = inert(part.text)
        if cell_len(shown) > left:
            shown = cut(shown, left - 1) + "…" if left > 0 else ""
            segments.append(Segment(shown, style_of(part.role)))
            break
        segments.append(Segment(shown, style_of(part.role)))
        left -= cell_len(shown)
    missing = width - sum(segment.cell_length for segment in segments)
    if missing > 0:
        segments.append(Segment(" " * missing, style_of(Role.PLAIN)))
    return Strip(segments, width)


class Inks:
    """The styles of the roles in one widget, until its style changes."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[Role, Style] = {}

    def style_of(self, role: Role) -> Style:
        """What the style sheet says of the role, and the rest from the widget."""
        kept = self._styles.get(role)
        if kept is None:
            kept = self._styles[role] = self._look_up(role)
        return kept

    def _look_up(self, role: Role) -> Style:
        if role is Role.CURSOR:
            return self._widget.get_component_rich_style(CURSOR_CLASS)
        found = self._widget.app.get_component_styles(f"role--{role.value}")
        around = self._widget.rich_style
        background = self._widget.background_colors[1]
        return around + found.text_style + Style(color=(background + found.color).rich_color)

    def forget(self) -> None:
        self._styles.clear()


class Coloured(Widget):
    """A widget all of whose styles come from the style sheet, which says them as the theme wants them.

    Textual looks over each line for the 16 colours of a terminal, and for dim, to make colours of them where the theme
    is not of those 16: a tenth of what a paint takes. There are none to be found here.
    """

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [each for each in super().get_line_filters() if not isinstance(each, ANSIToTruecolor)]


class Painted(Coloured):
    """A widget whose lines are rows; it repaints only when what it says changes."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._inks = Inks(self)
        self._said: tuple[Row, ...] = ()

    def rows(self, width: int) -> Sequence[Row]:
        """What the widget says now, one row a line."""
        raise NotImplementedError

    def say(self) -> None:
        """Looks whether what there is to say changed, and repaints then; another number of lines is a new layout."""
        if not self.is_mounted:
            return
        now = tuple(self.rows(self.content_size.width or self.app.size.width))
        if now == self._said:
            return
        resized = len(now) != len(self._said)
        self._said = now
        self.refresh(layout=resized)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self.rows(width))

    def render_line(self, y: int) -> Strip:
        rows = self.rows(self.content_size.width)
        return strip(rows[y] if y < len(rows) else (), self.content_size.width, self.style_of)

    def style_of(self, role: Role) -> Style:
        return self._inks.style_of(role)

    def notify_style_update(self) -> None:
        self._inks.forget()
        super().notify_style_update()
