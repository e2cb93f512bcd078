"""How rows become strips of a terminal's cells, and the widget that every painted pane is.

Rules that hold here:
- `strip` is the only way to the screen, and it makes every text inert.
- A role becomes a colour here, by the component classes that the style sheet fills.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from tui.inert import inert
from tui.rows import Role, Row, cell_len, cut

StyleOf = Callable[[Role], Style]

ROLE_CLASSES = {f"role--{role.value}" for role in Role}


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


class Painted(Widget):
    """A widget whose lines are rows; it repaints only when what it says changes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = ROLE_CLASSES

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
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
        return self.get_component_rich_style(f"role--{role.value}")
