"""The terminal as the screen drives it: Textual's driver, and what it leaves to be done.

Rules that hold here:
- A terminal that went away (hang-up) never blocks the screen: what is written then goes nowhere, so it can end.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import IO, Any, cast

from textual.drivers.linux_driver import LinuxDriver


class _Forgiving:
    """A text file whose writes go nowhere once it is broken."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._broken = False

    def write(self, text: str) -> int:
        if not self._broken:
            try:
                return self._file.write(text)
            except OSError:
                self._broken = True
        return len(text)

    def flush(self) -> None:
        if not self._broken:
            try:
                self._file.flush()
            except OSError:
                self._broken = True

    def fileno(self) -> int:
        return self._file.fileno()


class Terminal(LinuxDriver):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The writer thread would die of a broken terminal and leave its full queue to block the event loop.
        self._file = cast(TextIOWrapper, _Forgiving(sys.__stderr__ or sys.stderr))

    def release_mouse(self) -> None:
        """The terminal's own selection works again."""
        self._disable_mouse_support()

    def grab_mouse(self) -> None:
        self._enable_mouse_support()
