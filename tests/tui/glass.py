"""What stands on a terminal that is told changes only, as terminals are: what is not painted over stays.

What is painted is put there when somebody looks: most tests do not.
"""

from __future__ import annotations

import re
from typing import Any, Final

from rich.cells import get_character_cell_size
from textual.screen import Screen
from textual.strip import Strip

from tui.shell import Shell
from tui.textual_inside import ChopsUpdate, shown

_WRITTEN: Final = re.compile(r"\x1b\[(?:(\d+);(\d+)H|[0-9;]*[A-Za-z])|([^\x1b])", re.DOTALL)
"""To a place, some other sequence, or a character."""


class Glass:
    """Of a program that runs without a terminal; it begins with what is shown now."""

    def __init__(self, app: Shell) -> None:
        self._app = app
        self._cells: dict[tuple[int, int], str] = {}
        self._painted: list[ChopsUpdate | list[Strip]] = [shown(app.screen)]
        display = app._display

        def paint(screen: Screen[Any], update: Any) -> None:
            if isinstance(update, ChopsUpdate):
                self._painted.append(update)
            elif update is not None:
                self._painted = [shown(app.screen)]
            display(screen, update)

        vars(app)["_display"] = paint

    def lines(self) -> list[str]:
        """Without trailing spaces."""
        for painted in self._painted:
            if isinstance(painted, ChopsUpdate):
                self._write(painted.render_segments(self._app.console))
            else:
                self._whole(painted)
        self._painted.clear()
        width, height = self._app.size
        return ["".join(self._cells.get((y, x), "") for x in range(width)).rstrip() for y in range(height)]

    def _whole(self, strips: list[Strip]) -> None:
        self._cells.clear()
        for y, strip in enumerate(strips):
            self._put(y, 0, strip.text)

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
