"""The digest of a run: everything that happened, in its order, as a few bytes that can be compared.

Rules that hold here:
- A mark is one atomic thing: what it was, when, and a number that tells it from others of its kind. Marks count steps.
- Equal digests mean equal runs, on one kind of machine, whatever the hash seed of the process.
"""

from __future__ import annotations

from array import array
from enum import IntEnum
from hashlib import blake2b
from typing import Final

_KEPT_MAX: Final = 3 * 1_024


class Mark(IntEnum):
    """What happened; the number is the datagram's, the token, the site's index, ..."""

    DELIVER = 1
    NOBODY = 2  # a datagram arrived where nobody took it
    SEND = 3
    TICK = 4
    COMMIT = 5
    TELL = 6
    SUBMIT = 7
    GIVE_UP = 8
    FILL = 9
    EVENT = 10  # a fault, or the start or end of a process; the number names which


class Marks:
    def __init__(self) -> None:
        self.steps = 0
        self._hash = blake2b(digest_size=16)
        self._kept: list[int] = []

    def add(self, what: Mark, now: int, number: int) -> None:
        self.steps += 1
        kept = self._kept
        kept += (what, now, number)
        if len(kept) >= _KEPT_MAX:
            self._flush()

    def digest(self) -> str:
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(array("q", self._kept))
        self._kept.clear()
