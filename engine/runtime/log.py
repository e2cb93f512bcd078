"""What an engine says on stderr and stdout, without ever waiting for whoever reads it.

Rules that hold here:
- A thread of its own writes the log: a full disk, a stream that was closed and a pipe that nobody reads cost lines,
  never the site or a moment of its node.
- What cannot be written is dropped and counted. `status` has the count, and the log itself once it works again.
- One line each: UTC time, level, message; or a JSON object. What may happen many times a second is one line a minute,
  with a count.
- A log file is turned over when it is full: it becomes FILE.1, and that FILE.2. Whatever else the process writes to
  stderr (what the interpreter says of a crash) goes to the same file.
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
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import orjson

from engine.contract.lines import iso
from engine.core.effects import RecoveryPhase

QUEUE_BYTES_MAX: Final = 262_144
"""What waits for a reader that is slow; lines beyond it are dropped."""

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
FILES_KEPT: Final = 4
"""Beside the one that is written."""

FLUSH_S: Final = 1.0
"""How long the end of the process waits for what is still to be written."""

CUT_OFFS: Final = "engine.clients_cut_off"
"""The logger of clients that are cut off, which may be many at once."""

RECOVERY: Final = "engine.recovery"
"""The logger of recovery, with the phase after a dot: where datagrams are lost, some are lacking again and again."""

_MANY: Final = ("trio.serve_listeners", CUT_OFFS, *(f"{RECOVERY}.{phase}" for phase in RecoveryPhase))
"""Loggers of what may happen many times a second."""

_QUIET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class LogStyle:
    """What of a site's log is written, and how. `file`: stderr goes there, and is turned over; else it stays."""

    level: int = logging.INFO
    as_json: bool = False
    file: Path | None = None


class TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime


class JsonLines(logging.Formatter):
    """An object a line, all keys always there."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = site

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": iso(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "site": self._site,
            "logger": record.name,
            "message": _utf8(record.getMessage()),
            "traceback": _utf8(self.formatException(record.exc_info)) if record.exc_info else None,
        }
        return orjson.dumps(told).decode()


def json_line(site: str, message: str) -> str:
    """What keeps a site from being served, as its log would have it."""
    return JsonLines(site).format(logging.LogRecord(__name__, logging.CRITICAL, __file__, 0, message, None, None))


def _utf8(text: str) -> str:
    """A file name may be of bytes that are no text."""
    return text.encode(errors="backslashreplace").decode()


class TurnedOver:
    """A log file that `descriptor` writes to, which gets the next one when it is full."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Raises OSError where the file cannot be written."""
        self._path = path
        self._descriptor = descriptor
        self._files = RotatingFileHandler(path, backupCount=FILES_KEPT, delay=True)
        self._bytes_max = FILE_BYTES_MAX
        self._before = os.dup(descriptor)
        try:
            self._open()
        except OSError:
            os.close(self._before)
            raise
        self._was_it = os.path.sameopenfile(self._before, descriptor)

    def close(self) -> None:
        """What is written to the descriptor goes where it went before; where that was this file (who started the
        process made it so), it goes on in the newest."""
        if not self._was_it:
            os.dup2(self._before, self._descriptor)
        os.close(self._before)

    def make_room(self, line_bytes: int) -> str | None:
        """Before a line is written. Where the file cannot be turned over, why not: it goes on, and is tried again when
        it has grown by as much once more."""
        size = os.fstat(self._descriptor).st_size
        if not size or size + line_bytes <= self._bytes_max:
            return None
        try:
            self._files.doRollover()
            self._open()
        except OSError as error:
            self._bytes_max = size + FILE_BYTES_MAX
            return error.strerror or str(error)
        self._bytes_max = FILE_BYTES_MAX
        return None

    def _open(self) -> None:
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.dup2(opened, self._descriptor)
        os.close(opened)


class LogWriter(logging.Handler):
    """Hands each line to the thread that writes to `descriptor`, which leads to `file`, if that is given."""

    def __init__(self, descriptor: int, lines: logging.Formatter | None = None, file: TurnedOver | None = None) -> None:
        super().__init__()
        self.setFormatter(lines or TextLines())
        self._descriptor = descriptor
        self._file = file
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
        return self._warning(f"{lines} lines could not be written to the log")

    def _warning(self, message: str) -> bytes:
        return self._line(logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None))

    def _write(self, line: bytes) -> bool:
        """Whether all of it was written; what comes after a part of a line starts on a line of its own."""
        why = None if self._file is None else self._file.make_room(len(line))
        if why is not None:
            line = self._warning(f"the log file cannot be rotated, so it keeps growing: {why}") + line
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
            record.msg = f"{record.getMessage()} ({self._kept_back} similar lines were left out since the last one)"
            record.args = None
        self._passed_at, self._kept_back = record.created, 0
        record.exc_info = None
        return True


@contextmanager
def logging_to(descriptor: int, site: str = "", style: LogStyle | None = None) -> Iterator[None]:
    """The log of this process, which serves `site`, goes there; at the end what is still to be written is waited for, a
    moment. Raises OSError where the file that is wanted cannot be written."""
    style = style or LogStyle()
    file = None if style.file is None else TurnedOver(style.file, descriptor)
    writer = LogWriter(descriptor, JsonLines(site) if style.as_json else TextLines(), file)
    root = logging.getLogger()
    bounds = {name: OncePerMinute() for name in _MANY}
    for name, once in bounds.items():
        logging.getLogger(name).addFilter(once)
    root.addHandler(writer)
    level_before = root.level
    root.setLevel(style.level)
    try:
        yield
    finally:
        for name, once in bounds.items():
            logging.getLogger(name).removeFilter(once)
        root.setLevel(level_before)
        root.removeHandler(writer)
        writer.drain(FLUSH_S)
        if file is not None:
            file.close()


def lines_lost() -> int:
    """How many lines of this process's log could not be written."""
    return sum(handler.lines_lost for handler in logging.getLogger().handlers if isinstance(handler, LogWriter))


def print_line(descriptor: int, line: str) -> None:
    """Writes one line, without waiting for it; that it cannot be written is logged."""

    def write() -> None:
        try:
            os.write(descriptor, f"{line}\n".encode())
        except OSError as error:
            logging.getLogger(__name__).warning(
                "the ready line cannot be written to standard output: %s", error.strerror
            )

    threading.Thread(target=write, name="ready", daemon=True).start()
