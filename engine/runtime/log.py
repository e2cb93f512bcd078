"""What an engine says on stderr and stdout, without ever waiting for whoever reads it.

Rules that hold here:
- A thread of its own writes the log: a full disk, a stream that was closed and a pipe that nobody reads cost lines,
  never the site or a moment of its node.
- What cannot be written is dropped and counted. `status` has the count, and the log itself once it works again.
- One line each: UTC time, level, message. What may happen many times a second is one line a minute, with a count.
"""

from __future__ import annotations

import logging
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

QUEUE_BYTES_MAX: Final = 262_144
"""What waits for a reader that is slow; lines beyond it are dropped."""

FLUSH_S: Final = 1.0
"""How long the end of the process waits for what is still to be written."""

CUT_OFFS: Final = "engine.clients_cut_off"
"""The logger of clients that are cut off, which may be many at once."""

_MANY: Final = ("trio.serve_listeners", CUT_OFFS)
"""Loggers of what may happen many times a second."""

_QUIET_S: Final = 60.0
_FORMAT: Final = "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"


class LogWriter(logging.Handler):
    """Hands each line to the thread that writes to `descriptor`."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        formatter = logging.Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)
        self._descriptor = descriptor
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._lines_lost = 0
        self._lines_lost_told = 0
        self._torn = False
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    @property
    def lines_lost(self) -> int:
        return self._lines_lost

    def emit(self, record: logging.LogRecord) -> None:
        line = self._line(record)
        with self._changed:
            if self._queued_bytes + len(line) > QUEUE_BYTES_MAX:
                self._lines_lost += 1
                return
            self._queue.append(line)
            self._queued_bytes += len(line)
            self._changed.notify_all()

    def drain(self, within_s: float) -> None:
        """Waits until everything was written or lost, no longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queued_bytes, within_s)

    def _line(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(errors="backslashreplace")

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                line = self._queue.popleft()
                missing = self._lines_lost - self._lines_lost_told
            written = self._write(self._missing(missing) + line if missing else line)
            with self._changed:
                if written:
                    self._lines_lost_told += missing
                else:
                    self._lines_lost += 1
                self._queued_bytes -= len(line)
                self._changed.notify_all()

    def _missing(self, lines: int) -> bytes:
        message = f"{lines} lines could not be written to the log"
        return self._line(logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None))

    def _write(self, line: bytes) -> bool:
        """Whether all of it was written; what comes after a part of a line starts on a line of its own."""
        left = b"\n" + line if self._torn else line
        while left:
            try:
                taken = os.write(self._descriptor, left)
            except BlockingIOError:
                # Somebody else who has the stream made it so.
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
                continue
            except OSError:
                return False
            left = left[taken:]
            self._torn = bool(left)
        return True


class OncePerMinute(logging.Filter):
    """Lets a record pass a minute after the last that passed, without its traceback; it counts those between them."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at = -math.inf
        self._kept_back = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created - self._passed_at < _QUIET_S:
            self._kept_back += 1
            return False
        if self._kept_back:
            record.msg = f"{record.getMessage()} ({self._kept_back} lines like it were left out since the last one)"
            record.args = None
        self._passed_at, self._kept_back = record.created, 0
        record.exc_info = None
        return True


@contextmanager
def logging_to(descriptor: int) -> Iterator[None]:
    """The log of this process goes there; at the end what is still to be written is waited for, a moment."""
    writer = LogWriter(descriptor)
    root = logging.getLogger()
    bounds = {name: OncePerMinute() for name in _MANY}
    for name, once in bounds.items():
        logging.getLogger(name).addFilter(once)
    root.addHandler(writer)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        for name, once in bounds.items():
            logging.getLogger(name).removeFilter(once)
        root.removeHandler(writer)
        writer.drain(FLUSH_S)


def lines_lost() -> int:
    """How many lines of this process's log could not be written."""
    return sum(handler.lines_lost for handler in logging.getLogger().handlers if isinstance(handler, LogWriter))


def print_line(descriptor: int, line: str) -> None:
    """Writes one line, without waiting for it; that it cannot be written is logged."""

    def write() -> None:
        try:
            os.write(descriptor, f"{line}\n".encode())
        except OSError as error:
            logging.getLogger(__name__).warning("standard output takes no ready line: %s", error.strerror)

    threading.Thread(target=write, name="ready", daemon=True).start()
