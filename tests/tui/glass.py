"""What stands on a terminal that is told changes only, as terminals are: what is not painted over stays.

What is painted is put there when somebody looks: most tests do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from rich.cells import get_character_cell_size
from textual.screen import Screen
from textual.strip import Strip

from tui.shell import Shell
from tui.textual_inside import ChopsUpdate, LayoutUpdate

_WRITTEN: Final = re.compile(r"\x1b\[(?:(\d+);(\d+)H|[0-9;]*[A-Za-z])|([^\x1b])", re.DOTALL)
"""To a place, some other sequence, or a character."""


class Glass:
    """Of a program without a terminal, that does not run yet."""

    def __init__(self, app: Shell) -> None:
        self._app = app
        self._cells: dict[tuple[int, int], str] = {}
        self._painted: list[ChopsUpdate | LayoutUpdate] = []
        display = app._display

        def paint(screen: Screen[Any], update: Any) -> None:
            if isinstance(update, LayoutUpdate):
                self._painted.clear()
            if update is not None:
                self._painted.append(update)
            display(screen, update)

        vars(app)["_display"] = paint

    def lines(self) -> list[str]:
        """Without trailing spaces."""
        for painted in self._painted:
            if isinstance(painted, ChopsUpdate):
                self._write(painted.render_segments(self._app.console))
            else:
                self._whole(painted.strips)
        self._painted.clear()
        width, height = self._app.size
        return ["".join(self._cells.get((y, x), "") for x in range(width)).rstrip() for y in range(height)]

    def _whole(self, lines: list[Iterable[Strip]]) -> None:
        self._cells.clear()
        for y, line in enumerate(lines):
            self._put(y, 0, "".join(strip.text for strip in line))

    def _write(self, written: str) -> None:
        y = x = 0
        for row, column, character in _WRITTEN.findall(written):
            if row:
                y, x = int(row) - 1, int(column) - 1
            elif character:
                x = self._put(y, x, character)

    def _put(self, y: int, x: int, text: str) -> int:
        for character in text:
            size = get_character_cell_size(character)
            if size:
                self._cells[y, x] = character
                self._cells |= {(y, x + more): "" for more in range(1, size)}
            elif (y, x - 1) in self._cells:
                self._cells[y, x - 1] += character
            x += size
        return x
