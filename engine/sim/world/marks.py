"""The digest of a run: everything that happened, in its order, as a few bytes that can be compared.

Rules that hold here:
- A mark is one atomic thing: what it was, when, and a number that tells it from others of its kind. Marks count steps.
- Equal digests mean equal runs, on one kind of machine, whatever the hash seed of the process.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

_CHUNK_MARKS: Final = 1_024
_bytes_of: Final = msgspec.msgpack.Encoder().encode


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
        self._kept: list[tuple[int, int, int]] = []
        self._hashed = 0
        self.add = self._kept.append
        """Takes `(what, now, number)`."""

    @property
    def steps(self) -> int:
        return self._hashed + len(self._kept)

    def digest(self) -> str:
        self.fold()
        whole = self._hash.copy()
        whole.update(_bytes_of(self._kept))
        return whole.hexdigest()

    def fold(self) -> None:
        """Called now and then, it keeps few marks in memory. When it is called changes nothing of the digest."""
        while len(self._kept) >= _CHUNK_MARKS:
            self._hash.update(_bytes_of(self._kept[:_CHUNK_MARKS]))
            del self._kept[:_CHUNK_MARKS]
            self._hashed += _CHUNK_MARKS
