"""A pane of text that is written anew when the model changes, and scrolled where it is too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tui.panes.lines import Lines
from tui.rows import Row
from tui.site.model import Change, SiteModel


class Page(Lines):
    """`write` says everything; it is repainted only if that reads differently than before."""

    SELECTS: ClassVar = False  # moving scrolls; a page with rows to choose from says True

    def __init__(self, model: SiteModel, *, id: str) -> None:  # noqa: A002
        super().__init__(model, id=id)
        self.following = False
        self._written: tuple[Row, ...] = ()

    def write(self, width: int) -> Sequence[Row]:
        """The whole page, one row a line."""
        raise NotImplementedError

    def rewrite(self) -> None:
        written = tuple(self.write(self.rows_width))
        if written != self._written:
            self._written = written
            self.changed()
        self.show_title()

    def rows_count(self) -> int:
        return len(self._written)

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:  # noqa: ARG002
        return (self._written[index],)

    def learn(self, change: Change) -> None:  # noqa: ARG002
        if self.display:
            self.rewrite()

    def on_resize(self) -> None:
        written = tuple(self.write(self.rows_width))
        if written != self._written:
            self._written = written
            self._strips.clear()
        super().on_resize()

    def unfollow(self) -> None:
        pass

    def follow(self) -> None:
        self._scroll(self.max_scroll_y)

    def pause(self) -> None:
        pass

    def action_move(self, by: int) -> None:
        if self.SELECTS:
            super().action_move(by)
        else:
            self._scroll(max(0, min(self.scroll_offset.y + by, self.max_scroll_y)))

    def action_page(self, by: int) -> None:
        self._scroll(max(0, min(self.scroll_offset.y + by * (self.rows_height - 1), self.max_scroll_y)))

    def action_first(self) -> None:
        self._scroll(0)
