"""Messages <-> sealed datagrams: what the node sends and takes.

Rules that hold here:
- A datagram is opened before anything of it is decoded (W1, `engine.seal`), and decoded whole or not at all (W2,
  `engine.codec`).
- The first byte of a plaintext tells what it is: `[` begins a packet, 0x01 a part of one, 0x02 a sounding (a challenge
  of 8 bytes, then zeros), 0x03 its echo (the challenge), 0x04 the question with whom the cluster began (as a sounding,
  of FOUNDERS_BYTES), 0x05 its answer (the challenge, then the names, sorted, a newline between them), 0x06 the question
  what a site's wall clock says (as a sounding, of CLOCK_BYTES), 0x07 its answer (the challenge, then milliseconds since
  1970 in 8 bytes).
- Datagrams are at most as long as the node says for the peer, whatever a packet holds: a message that is longer goes in
  parts (W4, `engine.parts`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.codec import decode_packet, encode_packet
from engine.core.entry import AT_MS_MAX
from engine.core.ids import SITE_NAME, SITE_NAME_MAX, SITES_MAX, SiteId
from engine.core.messages import Packet
from engine.datagram import SEAL_BYTES, Reason, Rejected
from engine.parts import NUMBER_BYTES, Cutter, Reassembly, is_part
from engine.seal import OpenedUnder, Seal
from engine.senders import PerSender

CHALLENGE_BYTES: Final = 8
_SOUNDING: Final = b"\x02"
_ECHO: Final = b"\x03"
_ASK_FOUNDERS: Final = b"\x04"
_FOUNDERS: Final = b"\x05"
_ASK_CLOCK: Final = b"\x06"
_CLOCK: Final = b"\x07"

FOUNDERS_BYTES: Final = 1 + CHALLENGE_BYTES + SITES_MAX * (SITE_NAME_MAX + 1)
"""The plaintext of the question is as long as an answer may be: who plays it again gets no more than he sends (W3)."""


_WALL_MS_BYTES: Final = 8
CLOCK_BYTES: Final = 1 + CHALLENGE_BYTES + _WALL_MS_BYTES
"""The plaintext of the question, and of its answer (W3)."""


@dataclass(frozen=True, slots=True)
class Sounding:
    """A datagram that asks only to be answered: it is as long as those whose way it tries (W4)."""

    sender: SiteId
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Echo:
    """The answer: the challenge, and nothing more (W3)."""

    sender: SiteId
    challenge: bytes


@dataclass(frozen=True, slots=True)
class AskFounders:
    """With whom did the cluster begin? Asked by a site that has no store yet: so no stores are named (M1)."""

    sender: SiteId
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Founders:
    """The answer."""

    sender: SiteId
    challenge: bytes
    sites: tuple[SiteId, ...]


@dataclass(frozen=True, slots=True)
class AskClock:
    """What does your wall clock say?"""

    sender: SiteId
    challenge: bytes


@dataclass(frozen=True, slots=True)
class WallClock:
    """The answer: milliseconds since 1970."""

    sender: SiteId
    challenge: bytes
    wall_ms: int


Opened = Packet | Sounding | Echo | AskFounders | Founders | AskClock | WallClock


class Wire:
    """One process's end of all its links; made once, for its nonces are counted here (W1)."""

    def __init__(
        self,
        cluster_key: bytes | None,
        cluster: str,
        me: SiteId,
        *,
        second_key: bytes | None = None,
    ) -> None:
        """No key: loopback clusters only. `second_key` opens what `cluster_key` does not, and seals nothing."""
        self._seal = Seal(cluster_key, cluster, me, second_key=second_key)
        self._cutter = Cutter(int.from_bytes(os.urandom(NUMBER_BYTES), "big"))
        self._reassembly = Reassembly()

    @property
    def given_up(self) -> int:
        """How many packets lacked a part for too long."""
        return self._reassembly.given_up

    @property
    def opened_under(self) -> PerSender[OpenedUnder]:
        """Under which key the others' datagrams opened."""
        return self._seal.opened_under

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]:
        """The datagrams that together carry a packet to `to`, each at most so long; none if it has no messages.

        Raises TooLong where a message is longer than all parts together may be.
        """
        room = datagram_bytes_max - SEAL_BYTES
        wholes = encode_packet(packet, room)
        return [self._seal.seal(to, piece) for whole in wholes for piece in self._cutter.cut(whole, room)]

    def sound(self, to: SiteId, challenge: bytes, datagram_bytes: int) -> bytes:
        """A datagram of just that length, which has its challenge sent back."""
        return self._seal.seal(to, (_SOUNDING + challenge).ljust(datagram_bytes - SEAL_BYTES, b"\0"))

    def echo(self, to: SiteId, challenge: bytes) -> bytes:
        return self._seal.seal(to, _ECHO + challenge)

    def ask_founders(self, to: SiteId, challenge: bytes) -> bytes:
        return self._seal.seal(to, (_ASK_FOUNDERS + challenge).ljust(FOUNDERS_BYTES, b"\0"))

    def tell_founders(self, to: SiteId, challenge: bytes, sites: Iterable[SiteId]) -> bytes:
        return self._seal.seal(to, _FOUNDERS + challenge + "\n".join(sorted(sites)).encode())

    def ask_clock(self, to: SiteId, challenge: bytes) -> bytes:
        return self._seal.seal(to, (_ASK_CLOCK + challenge).ljust(CLOCK_BYTES, b"\0"))

    def tell_clock(self, to: SiteId, challenge: bytes, wall_ms: int) -> bytes:
        """A clock that says another century than this is told as the nearest time that can be."""
        wall_ms = min(max(wall_ms, 0), AT_MS_MAX)
        return self._seal.seal(to, _CLOCK + challenge + wall_ms.to_bytes(_WALL_MS_BYTES, "big"))

    def open(self, datagram: bytes) -> Opened | None:
        """What is in a datagram, or the packet that it completes; None for a part that completes none.

        Raises `engine.datagram.Rejected`, and nothing else, whatever the bytes are.
        """
        sender, plaintext = self._seal.open(datagram)
        if is_part(plaintext):
            whole = self._reassembly.take(sender, plaintext)
            return None if whole is None else decode_packet(sender, whole)
        mark, challenge, rest = plaintext[:1], plaintext[1 : 1 + CHALLENGE_BYTES], plaintext[1 + CHALLENGE_BYTES :]
        match mark:
            case b"\x02" if len(challenge) == CHALLENGE_BYTES and not rest.strip(b"\0"):
                return Sounding(sender, challenge)
            case b"\x03" if len(plaintext) == 1 + CHALLENGE_BYTES:
                return Echo(sender, challenge)
            case b"\x02" | b"\x03":
                raise Rejected(Reason.SOUNDING)
            case b"\x04" if len(plaintext) == FOUNDERS_BYTES and not rest.strip(b"\0"):
                return AskFounders(sender, challenge)
            case b"\x05" if (sites := _names_in(rest)) is not None:
                return Founders(sender, challenge, sites)
            case b"\x04" | b"\x05":
                raise Rejected(Reason.FOUNDERS)
            case b"\x06" if len(plaintext) == CLOCK_BYTES and not rest.strip(b"\0"):
                return AskClock(sender, challenge)
            case b"\x07" if len(plaintext) == CLOCK_BYTES and (wall_ms := int.from_bytes(rest, "big")) <= AT_MS_MAX:
                return WallClock(sender, challenge, wall_ms)
            case b"\x06" | b"\x07":
                raise Rejected(Reason.CLOCK)
            case _:
                return decode_packet(sender, plaintext)


def _names_in(text: bytes) -> tuple[SiteId, ...] | None:
    """The names, sorted, that these bytes are; None where they are another thing."""
    try:
        names = text.decode("ascii").split("\n")
    except UnicodeDecodeError:
        return None
    sound = all(map(SITE_NAME.match, names)) and names == sorted(set(names)) and len(names) <= SITES_MAX
    return tuple(map(SiteId, names)) if sound else None
