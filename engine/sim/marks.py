"""The digest of a run: everything that happened, in its order, as a few bytes that can be compared.

Rules that hold here:
- A mark is one atomic thing: what it was, when, and a number that tells it from others of its kind. Marks count steps.
- Equal digests mean equal runs, on one kind of machine, whatever the hash seed of the process.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Final

_KEPT_MAX: Final = 3 * 1_024


class Mark:
    """What happened; the number is the datagram's, the token, the site's index, ..."""

    DELIVER: Final = 1
    NOBODY: Final = 2  # a datagram arrived where nobody took it
    SEND: Final = 3
    TICK: Final = 4
    COMMIT: Final = 5
    TELL: Final = 6
    SUBMIT: Final = 7
    GIVE_UP: Final = 8
    FILL: Final = 9
    READ: Final = 11
    EVENT: Final = 10  # a fault, or the start or end of a process; the number names which


class Marks:
    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self._kept: list[int] = []
        self._hashed = 0

    def add(self, what: int, now: int, number: int) -> None:
        kept = self._kept
        kept += (what, now, number)
        if len(kept) >= _KEPT_MAX:
            self._flush()

    @property
    def steps(self) -> int:
        return (self._hashed + len(self._kept)) // 3

    def digest(self) -> str:
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(array("q", self._kept))
        self._hashed += len(self._kept)
        self._kept.clear()
