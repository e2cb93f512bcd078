"""The terminal as the screen drives it: Textual's driver, and what it leaves to be done.

Rules that hold here:
- A terminal that went away (hang-up) ends the screen, whether or not a signal tells of it: what is written then goes
  nowhere, and nobody waits for keys.
- A key tells in which burst it came (`tui.bursts`).
- Escape is a key when nothing followed it for ESCAPE_S: a terminal sends what begins with it (an arrow) in one piece.
  ESCDELAY (in ms), where it is set, says how long instead, for a line that tears such pieces apart.
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from io import TextIOWrapper
from threading import Thread
from typing import IO, Any, Final, Protocol, cast

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui.bursts import APART_S, Bursts, Pastes
from tui.textual_inside import XTermParser, escape_after

_READ_BYTES: Final = 65_536
ESCAPE_S: Final = 0.01
LOOK_S: Final = 0.0125
"""How often it is looked, after something came, whether that was all. A little longer than ESCAPE_S: the first look is
enough."""


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


class Ending(Protocol):
    """A program that can be told that its terminal is gone."""

    def hung_up(self) -> None: ...


class Terminal(LinuxDriver):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The writer thread would die of a broken terminal and leave its full queue to block the event loop.
        self._file = cast(TextIOWrapper, _Forgiving(sys.__stderr__ or sys.stderr))
        self._watched = False
        if "ESCDELAY" not in os.environ:
            escape_after(ESCAPE_S)
        self._bursts = Bursts()

    def run_input_thread(self) -> None:
        """In place of Textual's, which takes a paste of megabytes character by character, and hands each key over as if
        it had come alone."""
        terminal, parser, pastes = self.fileno, XTermParser(), Pastes()
        decode = getincrementaldecoder("utf-8")("replace").decode
        came = time.monotonic()
        while not self.exit_event.is_set():
            is_quiet = time.monotonic() - came >= APART_S
            if not select.select([terminal], [], [], APART_S if is_quiet else LOOK_S)[0]:
                if time.monotonic() - came >= APART_S:
                    self._bursts.paused()
            elif data := os.read(terminal, _READ_BYTES):
                came = time.monotonic()
                for piece in pastes.take(decode(data)):
                    for part in self._bursts.cut(piece) if isinstance(piece, str) else (piece,):
                        for message in parser.feed(part) if isinstance(part, str) else (part,):
                            self.process_message(message)
            else:
                return
            for message in parser.tick():
                self.process_message(message)

    def process_message(self, message: Message) -> None:
        """Called by the thread that reads the terminal."""
        if isinstance(message, events.Key):
            self._bursts.mark(message)
        super().process_message(message)

    def start_application_mode(self) -> None:
        cast(Any, super()).start_application_mode()
        if self.input_tty and not self._watched:
            self._watched = True
            loop = asyncio.get_running_loop()
            hung_up = cast(Ending, self._app).hung_up

            def tell() -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(hung_up)

            Thread(target=_await_hang_up, args=(self.fileno, tell), name="hang-up", daemon=True).start()

    def release_mouse(self) -> None:
        """The terminal's own selection works again."""
        self._disable_mouse_support()

    def grab_mouse(self) -> None:
        self._enable_mouse_support()


def _await_hang_up(terminal: int, tell: Callable[[], None]) -> None:
    """Sleeps until the terminal is gone; a session's leader alone gets a signal of that."""
    poll = select.poll()
    poll.register(terminal, 0)  # no event is asked for: only the hang-up is told
    poll.poll()
    tell()
