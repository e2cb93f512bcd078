"""What the commands print: JSON lines for programs, aligned columns for people.

Rules that hold here:
- JSON is UTF-8 bytes, one object a line: a value of the contract has the keys that docs/commands.md promises, always,
  in their order. What the control socket says beside them (docs/control.md) is left out, so that scripts rely on those.
- For people, user text is the last thing on a line, and every text passes through `inert`.
- Colour is for terminals alone, never under NO_COLOR, and never the only sign of a state.
- What cannot be written is noticed here, whoever wrote it: the command ends with 6, and what it did is on stderr. A
  reader that left (`| head`) is no error.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import orjson

from engine.contract.shape import Shape, printed
from tui.inert import inert
from tui.parts import Part, Role

_STDOUT: Final = 1

Json = Shape | Mapping[str, object]
"""What is printed as one JSON object."""

Cells = Sequence[Part | str]
"""What stands side by side in one line."""

_CODES: Final[Mapping[Role, str]] = {
    Role.STRONG: "1",
    Role.DIM: "2",
    Role.BAD: "31",
    Role.GOOD: "32",
    Role.WARN: "33",
    Role.NOTE: "36",
}
"""How a terminal is told to show a role; the others are the screen's."""


class Unwritten(OSError):
    """Standard output takes no more: a full disk, a closed descriptor."""


class Outlet(io.FileIO):
    """The bottom of standard output; `failure` says how it first failed, a reader that left apart."""

    failure: Unwritten | None = None

    def write(self, data: Any, /) -> int:
        """Raises Unwritten, BrokenPipeError."""
        try:
            while (written := cast("int | None", super().write(data))) is None:  # it is non-blocking, and full
                select.select([], [self], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            failure = Unwritten(error.errno or errno.EIO, error.strerror or str(error))
            self.failure = self.failure or failure
            raise failure from error
        return written


def open_stdout(descriptor: int) -> io.TextIOWrapper:
    """Standard output as text. A terminal that knows no Unicode shows escapes instead of ending the command."""
    outlet = Outlet(descriptor, "w", closefd=False)
    encoding = sys.__stdout__.encoding if sys.__stdout__ is not None else None
    return io.TextIOWrapper(
        io.BufferedWriter(outlet), encoding, errors="backslashreplace", line_buffering=outlet.isatty()
    )


def told_when_unread() -> frozenset[int]:
    """Descriptors that are readable once nobody reads standard output any more (`| head`): who only waits for something
    to print learns of it in no other way. Only a pipe tells."""
    if not stat.S_ISFIFO(os.fstat(_STDOUT).st_mode):
        return frozenset()
    return frozenset({_STDOUT})


def stdout_failure() -> Unwritten | None:
    """Why standard output could not be written; None where it could."""
    buffer = getattr(sys.stdout, "buffer", None)
    outlet = getattr(buffer, "raw", None)
    return outlet.failure if isinstance(outlet, Outlet) else None


class Output:
    """Standard output of one command; `as_json` is what --json asked for."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._coloured = (
            sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
        )

    def json(self, value: Json) -> None:
        """One object on a line of its own."""
        self._put(as_json(value).decode())

    def json_lines(self, values: Iterable[Json]) -> None:
        for value in values:
            self.json(value)

    def line(self, *cells: Part | str) -> None:
        """One line for people; the cells stand one space apart."""
        self._put(" ".join(self._painted(_part(each), 0) for each in cells).rstrip())

    def table(self, rows: Iterable[Cells], indent: str = "") -> None:
        """Rows of the same number of cells, aligned; the last cell is as long as it is."""
        cells = [[_part(each) for each in row] for row in rows]
        if not cells:
            return
        widths = [max(len(inert(row[column].text)) for row in cells) for column in range(len(cells[0]) - 1)]
        for row in cells:
            painted = [self._painted(part, width) for part, width in zip(row, [*widths, 0], strict=True)]
            self._put((indent + "  ".join(painted)).rstrip())

    def flush(self) -> None:
        """Hands everything printed so far to the reader. Raises BrokenPipeError where there is none any more."""
        sys.stdout.flush()

    def _put(self, line: str) -> None:
        if self.as_json:
            sys.stdout.buffer.write(line.encode() + b"\n")
        else:
            print(line)

    def _painted(self, part: Part, width: int) -> str:
        text = inert(part.text)
        padding = " " * (width - len(text))
        code = _CODES.get(part.role)
        if not self._coloured or code is None or not text:
            return text + padding
        return f"\x1b[{code}m{text}\x1b[0m{padding}"


class Account(Output):
    """Output of a command that does or finds something: a line that cannot be written goes to stderr instead.

    So no outcome is ever lost with the line that told it, and nobody does again what is done.
    """

    def flush(self) -> None:
        """Raises BrokenPipeError where nobody reads any more."""
        try:
            super().flush()
        except Unwritten:
            return

    def _put(self, line: str) -> None:
        try:
            super()._put(line)
            sys.stdout.flush()
        except BrokenPipeError:
            return  # `flush` tells, and the end of the command
        except Unwritten:
            with suppress(OSError):
                print(line, file=sys.stderr, flush=True)


def as_json(value: Json) -> bytes:
    return orjson.dumps(value, default=printed)


def complain(message: str) -> None:
    """One line on stderr. Where stderr is gone too, nobody is there to be told."""
    try:
        print(f"loggos: {inert(' '.join(message.split()))}", file=sys.stderr, flush=True)
    except OSError:
        return


def _part(each: Part | str) -> Part:
    return each if isinstance(each, Part) else Part(each)
