"""Plaintexts that are longer than a datagram may be: cut into parts, and put together again (W4).

A plaintext that goes whole is JSON and begins with `[`. A part begins with 11 bytes, then comes its piece:

    byte 0      the mark, 0x01
    byte 1-8    the plaintext's number, which no other one of this sender has
    byte 9      the part's position, from 0
    byte 10     how many parts there are, 2 to 255

Rules that hold here:
- Each part is a datagram of its own, sealed as any other (W1): nothing gets here that did not open as its sender's.
- What is kept of incomplete plaintexts is bounded for each sender by itself, in number and in bytes, and so are the
  senders; the oldest one is given up, and counted (R6). A lost part loses its plaintext, as a lost datagram does; the
  protocol sends it again.
- A part that does not fit the others of its plaintext is rejected, and they stay (W2).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from engine.core.ids import SiteId
from engine.datagram import PLAINTEXT_BYTES_MAX, Reason, Rejected, TooLong
from engine.senders import PerSender

MARK: Final = 1
NUMBER_BYTES: Final = 8
PART_BYTES: Final = 1 + NUMBER_BYTES + 1 + 1
PARTS_MAX: Final = 255

INCOMPLETE_MAX: Final = 64
"""How many plaintexts of one sender may lack a part."""

INCOMPLETE_BYTES_MAX: Final = 4 * PLAINTEXT_BYTES_MAX
"""How many bytes of them are kept, for each sender."""


def is_part(plaintext: bytes) -> bool:
    return plaintext[:1] == bytes((MARK,))


def position(part: bytes) -> tuple[int, int]:
    """Its place among the parts, from 1, and how many there are, for people."""
    return part[PART_BYTES - 2] + 1, part[PART_BYTES - 1]


class Cutter:
    """Cuts what one process says. The numbers of its plaintexts begin at `first`, drawn by chance, so that a part of an
    earlier process that comes again belongs to nothing."""

    def __init__(self, first: int) -> None:
        self._next = first

    def cut(self, plaintext: bytes, bytes_max: int) -> list[bytes]:
        """The plaintext itself where it is at most so long, else parts that are. Raises TooLong."""
        if len(plaintext) <= bytes_max:
            return [plaintext]
        room = bytes_max - PART_BYTES
        count = -(-len(plaintext) // room) if room > 0 else PARTS_MAX + 1
        if count > PARTS_MAX or len(plaintext) > PLAINTEXT_BYTES_MAX:
            raise TooLong(f"{len(plaintext)} bytes")
        number = self._next.to_bytes(NUMBER_BYTES, "big")
        self._next = (self._next + 1) % 2 ** (8 * NUMBER_BYTES)
        return [
            bytes((MARK,)) + number + bytes((index, count)) + plaintext[index * room : (index + 1) * room]
            for index in range(count)
        ]


@dataclass(slots=True)
class _Incomplete:
    count: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int = 0


@dataclass(slots=True)
class _Sender:
    incomplete: OrderedDict[bytes, _Incomplete] = field(default_factory=OrderedDict)
    complete: deque[bytes] = field(default_factory=lambda: deque(maxlen=INCOMPLETE_MAX))
    size: int = 0


class Reassembly:
    """The incomplete plaintexts of all senders."""

    def __init__(self) -> None:
        self._senders = PerSender(_Sender)
        self.given_up = 0
        """How many plaintexts lacked a part for too long."""

    def kept_bytes(self, sender: SiteId) -> int:
        return self._senders.of(sender).size

    def take(self, sender: SiteId, part: bytes) -> bytes | None:
        """The plaintext that this part completes, None where others are still missing. Raises Rejected."""
        number, piece = part[1 : 1 + NUMBER_BYTES], part[PART_BYTES:]
        if not piece:
            raise Rejected(Reason.PART)
        index, count = part[PART_BYTES - 2], part[PART_BYTES - 1]
        if not index < count or count < 2:
            raise Rejected(Reason.PART)
        kept = self._senders.of(sender)
        if number in kept.complete:
            return None  # a repeat of what was whole
        packet = kept.incomplete.get(number)
        if packet is None:
            packet = kept.incomplete[number] = _Incomplete(count)
        elif packet.count != count or packet.size + len(piece) > PLAINTEXT_BYTES_MAX:
            raise Rejected(Reason.PART)
        if index in packet.pieces:
            if packet.pieces[index] != piece:
                raise Rejected(Reason.PART)
            return None
        packet.pieces[index] = piece
        packet.size += len(piece)
        kept.size += len(piece)
        if len(packet.pieces) == count:
            self._forget(kept, number)
            kept.complete.append(number)
            return b"".join(packet.pieces[each] for each in range(count))
        while len(kept.incomplete) > INCOMPLETE_MAX or kept.size > INCOMPLETE_BYTES_MAX:
            self._forget(kept, next(iter(kept.incomplete)))
            self.given_up += 1
        return None

    def _forget(self, kept: _Sender, number: bytes) -> None:
        kept.size -= kept.incomplete.pop(number).size
