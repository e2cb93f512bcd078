"""Standard input as numbered lines, read only when some is there.

Rules that hold here:
- Memory is bounded: a line longer than LINE_BYTES_MAX is reported as TooLong and its rest thrown away.
- Lines are numbered from 1, blank ones counted; a last line without a line break counts too.
"""

from __future__ import annotations

import os
import select
from dataclasses import dataclass
from typing import Final

from engine.core.entry import BadOperation

LINE_BYTES_MAX: Final = 16_384
"""Far above what 280 characters and some white space take."""

_CHUNK_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Line:
    """`content` is None where the line was too long to be kept."""

    number: int
    content: bytes | None


def text_of(line: Line) -> str:
    """What was typed. Raises BadOperation: no tweet can be made of it."""
    if line.content is None:
        raise BadOperation(f"the line is longer than {LINE_BYTES_MAX} bytes: a tweet is at most 280 characters")
    try:
        return line.content.decode()
    except UnicodeDecodeError as error:
        raise BadOperation(f"byte {error.start + 1} of the line is not UTF-8: write the line in UTF-8") from error


class LineReader:
    """Reads a descriptor that the caller found readable; `ended` once there is nothing more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._number = 0
        self._partial = b""
        self._skipping = False
        self.ended = False

    def fileno(self) -> int:
        return self._descriptor

    def read(self) -> list[Line]:
        """The lines that one read completes, without blank ones. An unreadable descriptor counts as its end."""
        try:
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            chunk = b""
        *complete, self._partial = (self._partial + chunk).split(b"\n")
        if not chunk:
            self.ended = True
            if self._partial or self._skipping:
                complete.append(self._partial)
                self._partial = b""
        lines = [self._line(content) for content in complete]
        if len(self._partial) > LINE_BYTES_MAX:
            self._skipping = True
            self._partial = b""
        return [line for line in lines if line.content is None or line.content.strip()]

    def drain(self, bytes_max: int) -> list[Line]:
        """What can be read without waiting, up to about `bytes_max`."""
        lines: list[Line] = []
        for _ in range(0, bytes_max, _CHUNK_BYTES):
            if self.ended or not self._readable():
                break
            lines.extend(self.read())
        return lines

    def _readable(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def _line(self, content: bytes) -> Line:
        self._number += 1
        skipped, self._skipping = self._skipping, False
        return Line(self._number, None if skipped or len(content) > LINE_BYTES_MAX else content)
