"""Messages <-> sealed datagrams: what the node sends and takes.

Rules that hold here:
- A datagram is opened before anything of it is decoded (W1, `engine.seal`), and decoded whole or not at all (W2,
  `engine.codec`).
- Datagrams are at most as long as the node says for the peer, whatever a packet holds: a message that is longer goes in
  parts (W4, `engine.parts`).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.codec import Decoder, encode_packet
from engine.core.ids import SiteId
from engine.core.messages import Packet
from engine.datagram import SEAL_BYTES
from engine.parts import Cutter, Reassembly, is_part
from engine.seal import Seal


class Wire:
    """One process's end of all its links; made once, for its nonces are counted here (W1)."""

    def __init__(self, cluster_key: bytes | None, cluster: str, sites: Sequence[SiteId], me: SiteId) -> None:
        """`sites` are the sorted names of all sites, `me` one of them; no key: loopback clusters only."""
        self._seal = Seal(cluster_key, cluster, sites, me)
        self._decoder = Decoder(sites)
        self._cutter = Cutter()
        self._reassembly = Reassembly(sites)

    @property
    def given_up(self) -> int:
        """How many packets lacked a part for too long."""
        return self._reassembly.given_up

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]:
        """The datagrams that together carry a packet to `to`, each at most so long; none if it has no messages.

        Raises TooLong where a message is longer than all parts together may be.
        """
        room = datagram_bytes_max - SEAL_BYTES
        pieces = [piece for whole in encode_packet(packet, room) for piece in self._cutter.cut(whole, room)]
        return [self._seal.seal(to, piece) for piece in pieces]

    def open(self, datagram: bytes) -> Packet | None:
        """The packet in a datagram, or that it completes; None for a part that completes none.

        Raises `engine.datagram.Rejected`, and nothing else, whatever the bytes are.
        """
        sender, plaintext = self._seal.open(datagram)
        if is_part(plaintext):
            whole = self._reassembly.take(sender, plaintext)
            return None if whole is None else self._decoder.packet(sender, whole)
        return self._decoder.packet(sender, plaintext)
