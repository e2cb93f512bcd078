"""Damage in the write-ahead log, which SQLite takes for its end.

Rules that hold here:
- SQLite reads its log up to the first frame that is not sound, and goes on as if the rest had never been. That is right
  for a transaction that a crash tore: it was not acknowledged. For damage it would take acknowledged commits away (D3).
- A commit is synced before the next one is begun, so a crash tears the last transaction only. A frame that follows an
  unread commit proves damage. Damage to the last transaction alone looks like a crash; peers tell it by D5.
- For this the log holds one life of the process: a store that starts empties the log once it is copied.
- The header was synced before the first frame was written, so frames below an unsound header prove damage too.

The format is that of "WAL-mode File Format" in SQLite's documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from engine.core.storage import StoreDamaged
from storage.errors import START_ANEW, file_errors

_HEADER: Final = struct.Struct(">8I")  # magic, version, page size, sequence, salts (2), checksums (2)
_FRAME: Final = struct.Struct(">6I")  # page, pages after a commit else 0, salts (2), checksums (2)
_MAGIC_LITTLE_ENDIAN: Final = 0x377F0682
_MAGIC_BIG_ENDIAN: Final = 0x377F0683
_MASK: Final = 0xFFFFFFFF


def check_log(path: Path, frames_read: int) -> None:
    """Checks the log at `path`, of which SQLite read `frames_read` frames. Raises StoreDamaged, StoreFailed."""
    with file_errors(path, "read the write-ahead log"):
        if not path.exists() or path.stat().st_size < _HEADER.size + _FRAME.size:
            return
        with path.open("rb") as log:
            header = log.read(_HEADER.size)
            if not _is_sound(header):
                raise StoreDamaged(f"{path}: the header is damaged", START_ANEW)
            _, _, page_bytes, _, *salts, _, _ = _HEADER.unpack(header)
            commit_unread = None
            for number, is_commit in _frames_after(log, frames_read, page_bytes, salts):
                if commit_unread is not None:
                    raise StoreDamaged(
                        f"{path}: damaged between frame {frames_read + 1} and {commit_unread}, which ends a commit that"
                        f" was acknowledged",
                        START_ANEW,
                    )
                if is_commit:
                    commit_unread = number


def _frames_after(log: BinaryIO, frames: int, page_bytes: int, salts: list[int]) -> Iterator[tuple[int, bool]]:
    """Number of each later frame of this log, and whether it ends a commit; frames of an earlier log are left out."""
    number = frames + 1
    while True:
        log.seek(_HEADER.size + (number - 1) * (_FRAME.size + page_bytes))
        header = log.read(_FRAME.size)
        if len(header) < _FRAME.size:
            return
        _, pages_after, *frame_salts, _, _ = _FRAME.unpack(header)
        if frame_salts == salts:
            yield number, pages_after != 0
        number += 1


def _is_sound(header: bytes) -> bool:
    magic, *_, sum1, sum2 = _HEADER.unpack(header)
    if magic not in {_MAGIC_LITTLE_ENDIAN, _MAGIC_BIG_ENDIAN}:
        return False
    words = struct.unpack("<6I" if magic == _MAGIC_LITTLE_ENDIAN else ">6I", header[:24])
    s1 = s2 = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        s1 = (s1 + even + s2) & _MASK
        s2 = (s2 + odd + s1) & _MASK
    return (s1, s2) == (sum1, sum2)
