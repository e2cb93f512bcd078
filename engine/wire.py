"""Messages <-> sealed datagrams: what the node sends and takes.

Rules that hold here:
- A datagram is opened before anything of it is decoded (W1, `engine.seal`), and decoded whole or not at all (W2,
  `engine.codec`).
- The first byte of a plaintext tells what it is: `[` begins a packet, 0x01 a part of one, 0x02 a sounding (a challenge
  of 8 bytes, then zeros), 0x03 its echo (the challenge).
- Datagrams are at most as long as the node says for the peer, whatever a packet holds: a message that is longer goes in
  parts (W4, `engine.parts`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.codec import Decoder, encode_packet
from engine.core.ids import SiteId
from engine.core.messages import Packet
from engine.datagram import SEAL_BYTES, Reason, Rejected
from engine.parts import NUMBER_BYTES, Cutter, Reassembly, is_part
from engine.seal import OpenedUnder, Seal

CHALLENGE_BYTES: Final = 8
_SOUNDING: Final = b"\x02"
_ECHO: Final = b"\x03"


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


Opened = Packet | Sounding | Echo


class Wire:
    """One process's end of all its links; made once, for its nonces are counted here (W1)."""

    def __init__(
        self,
        cluster_key: bytes | None,
        cluster: str,
        sites: Sequence[SiteId],
        me: SiteId,
        *,
        second_key: bytes | None = None,
    ) -> None:
        """`sites` are the sorted names of all sites, `me` one of them; no key: loopback clusters only. `second_key`
        opens what `cluster_key` does not, and seals nothing."""
        self._seal = Seal(cluster_key, cluster, sites, me, second_key=second_key)
        self._decoder = Decoder(sites)
        self._cutter = Cutter(int.from_bytes(os.urandom(NUMBER_BYTES), "big"))
        self._reassembly = Reassembly(sites)

    @property
    def given_up(self) -> int:
        """How many packets lacked a part for too long."""
        return self._reassembly.given_up

    @property
    def opened_under(self) -> Mapping[SiteId, OpenedUnder]:
        """Under which key the others' datagrams opened."""
        return self._seal.opened_under

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]:
        """The datagrams that together carry a packet to `to`, each at most so long; none if it has no messages.

        Raises TooLong where a message is longer than all parts together may be.
        """
        room = datagram_bytes_max - SEAL_BYTES
        pieces = [piece for whole in encode_packet(packet, room) for piece in self._cutter.cut(whole, room)]
        return [self._seal.seal(to, piece) for piece in pieces]

    def sound(self, to: SiteId, challenge: bytes, datagram_bytes: int) -> bytes:
        """A datagram of just that length, which has its challenge sent back."""
        return self._seal.seal(to, (_SOUNDING + challenge).ljust(datagram_bytes - SEAL_BYTES, b"\0"))

    def echo(self, to: SiteId, challenge: bytes) -> bytes:
        return self._seal.seal(to, _ECHO + challenge)

    def open(self, datagram: bytes) -> Opened | None:
        """What is in a datagram, or the packet that it completes; None for a part that completes none.

        Raises `engine.datagram.Rejected`, and nothing else, whatever the bytes are.
        """
        sender, plaintext = self._seal.open(datagram)
        if is_part(plaintext):
            whole = self._reassembly.take(sender, plaintext)
            return None if whole is None else self._decoder.packet(sender, whole)
        match plaintext[:1]:
            case b"\x02" if len(plaintext) > CHALLENGE_BYTES and not plaintext[1 + CHALLENGE_BYTES :].strip(b"\0"):
                return Sounding(sender, plaintext[1 : 1 + CHALLENGE_BYTES])
            case b"\x03" if len(plaintext) == 1 + CHALLENGE_BYTES:
                return Echo(sender, plaintext[1:])
            case b"\x02" | b"\x03":
                raise Rejected(Reason.SOUNDING)
            case _:
                return self._decoder.packet(sender, plaintext)
