"""What the commands print: JSON lines for programs, aligned columns for people.

Rules that hold here:
- JSON is UTF-8 bytes, one object a line, the keys of a shape in the order of `tui.json_shapes`.
- For people, user text is the last thing on a line, and every text passes through `inert`.
- Colour is for terminals alone, never under NO_COLOR, and never the only sign of a state.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from tui.inert import inert


class Style(StrEnum):
    """What a text says about itself; the value is the terminal's code for it."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    BAD = "31"
    DOUBT = "33"


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: Style = Style.PLAIN


Row = Sequence[Cell | str]


class Output:
    """Standard output of one command; `as_json` is what --json asked for."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._coloured = (
            sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
        )

    def json(self, value: Any) -> None:
        """One object on a line of its own."""
        sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))

    def json_lines(self, values: Iterable[Any]) -> None:
        for value in values:
            self.json(value)

    def line(self, *cells: Cell | str) -> None:
        """One line for people; the cells stand one space apart."""
        print(" ".join(self._painted(_cell(each), 0) for each in cells).rstrip())

    def table(self, rows: Iterable[Row], indent: str = "") -> None:
        """Rows of the same number of cells, aligned; the last cell is as long as it is."""
        cells = [[_cell(each) for each in row] for row in rows]
        if not cells:
            return
        widths = [max(len(inert(row[column].text)) for row in cells) for column in range(len(cells[0]) - 1)]
        for row in cells:
            painted = [self._painted(cell, width) for cell, width in zip(row, [*widths, 0], strict=True)]
            print((indent + "  ".join(painted)).rstrip())

    def flush(self) -> None:
        """Hands everything printed so far to the reader. Raises BrokenPipeError where there is none any more."""
        sys.stdout.flush()

    def _painted(self, cell: Cell, width: int) -> str:
        text = inert(cell.text)
        padding = " " * (width - len(text))
        if not self._coloured or cell.style is Style.PLAIN or not text:
            return text + padding
        return f"\x1b[{cell.style}m{text}\x1b[0m{padding}"


def complain(message: str) -> None:
    """One line on stderr. Where stderr is gone too, nobody is there to be told."""
    try:
        print(f"loggos: {inert(' '.join(message.split()))}", file=sys.stderr, flush=True)
    except OSError:
        return


def _cell(each: Cell | str) -> Cell:
    return each if isinstance(each, Cell) else Cell(each)
