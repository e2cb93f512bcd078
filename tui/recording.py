"""The file of a recording: what one site sent, received and concluded, a JSON object a line (docs/commands.md).

Rules that hold here:
- The first line is the Header; then come the lines as the site told them, a Gap where it had to leave some out, and an
  End. A file without an End was cut off: its recorder was killed, or its disk was full.
- Whoever opens a recording may be of a later version than who wrote it, or of an earlier one: FORMAT tells.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.contract.notifications import RecordLine
from engine.contract.shape import Shape

FORMAT: Final = 1


class Header(Shape):
    """`sites` are in the order of the sites file; `leader` is who led as far as the site knew. `since` and `pid` tell
    the processes of one site apart."""

    recording: int
    cluster: str
    site: str
    sites: tuple[str, ...]
    leadership: str
    leader: str | None
    version: str
    since: str
    pid: int
    at: str


class Gap(Shape):
    """So many lines were left out here: the recorder was too slow."""

    gap: int


class End(Shape):
    """Nothing more was recorded, for this reason; `stopped`: the site's process ended."""

    end: str
    stopped: bool


class NotARecording(ValueError):
    """A line is none of a recording. The message says why."""


RecordedLine = RecordLine | Gap | End


def is_recording(first_line: bytes) -> bool:
    """Whether a file that begins so is a recording, of whatever version."""
    try:
        msgspec.json.decode(first_line, type=_Marked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def header(line: bytes) -> Header:
    """Raises NotARecording."""
    try:
        marked = msgspec.json.decode(line, type=_Marked)
        if marked.recording > FORMAT:
            raise NotARecording(f"it is of a later version ({marked.recording}): open it with that version of loggos")
        return msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotARecording(f"its first line is not that of a recording ({error})") from None


def recorded_line(line: bytes) -> RecordedLine:
    """Raises NotARecording."""
    kind: type[RecordedLine] = RecordLine
    if line.startswith(_GAP):
        kind = Gap
    elif line.startswith(_END):
        kind = End
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotARecording(str(error)) from None


def written(line: Header | RecordedLine) -> bytes:
    """The line of the file, with its line break."""
    return msgspec.json.encode(line) + b"\n"


class _Marked(Shape):
    """What the header of any version has."""

    recording: int


_GAP: Final = b'{"gap"'
_END: Final = b'{"end"'
