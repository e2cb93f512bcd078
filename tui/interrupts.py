"""Signals as something to wait for, beside a socket and standard input.

Rules that hold here:
- Between entering and leaving, SIGINT, SIGTERM and SIGHUP raise nothing: they make a descriptor readable, so that no
  statement is left half done.
- A signal that the parent ignores (`nohup`) stays ignored.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable
from contextlib import ExitStack
from types import FrameType
from typing import Final

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """A signal ended a waiting that had nothing to finish."""


class Interrupts:
    """A context that catches `signals`; `caught` holds those that came, in order."""

    def __init__(self, signals: Iterable[signal.Signals] = ENDING_SIGNALS) -> None:
        self._signals = tuple(signals)
        self._undo = ExitStack()
        self._readable = -1
        self.caught: list[signal.Signals] = []

    def __enter__(self) -> Interrupts:
        self._readable, writable = os.pipe()
        os.set_blocking(self._readable, False)
        os.set_blocking(writable, False)
        self._undo.callback(os.close, self._readable)
        self._undo.callback(os.close, writable)
        self._undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writable, warn_on_full_buffer=False))
        for number in self._signals:
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._catch)
                self._undo.callback(signal.signal, number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def fileno(self) -> int:
        """Readable once a signal came that nobody cleared yet."""
        return self._readable

    def clear(self) -> None:
        """Makes `fileno` wait for the next signal."""
        while True:
            try:
                os.read(self._readable, 512)
            except BlockingIOError:
                return

    def readable(self, descriptor: int, timeout_s: float) -> bool:
        """Waits until `descriptor` is readable; False: a signal came or the time passed first."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._readable, select.POLLIN)
        ready = {number for number, _ in poll.poll(timeout_s * 1000)}
        return descriptor in ready and self._readable not in ready

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self.caught.append(signal.Signals(number))
