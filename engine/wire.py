"""Messages <-> sealed datagrams: what the node sends and takes.

Rules that hold here:
- A datagram is opened before anything of it is decoded (W1, `engine.seal`), and decoded whole or not at all (W2,
  `engine.codec`).
- Datagrams are at most as long as the node says for the peer, unless one message alone is longer (W4).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.codec import Decoder, encode_packet
from engine.core.ids import SiteId
from engine.core.messages import Packet
from engine.datagram import SEAL_BYTES
from engine.seal import Seal


class Wire:
    """One process's end of all its links; made once, for its nonces are counted here (W1)."""

    def __init__(self, cluster_key: bytes | None, cluster: str, sites: Sequence[SiteId], me: SiteId) -> None:
        """`sites` are the sorted names of all sites, `me` one of them; no key: loopback clusters only."""
        self._seal = Seal(cluster_key, cluster, sites, me)
        self._decoder = Decoder(sites)

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]:
        """The datagrams that together carry a packet to `to`; none if it has no messages."""
        plaintexts = encode_packet(packet, datagram_bytes_max - SEAL_BYTES)
        return [self._seal.seal(to, plaintext) for plaintext in plaintexts]

    def open(self, datagram: bytes) -> Packet:
        """The packet in a datagram. Raises `engine.datagram.Rejected`, and nothing else, whatever the bytes are."""
        sender, plaintext = self._seal.open(datagram)
        return self._decoder.packet(sender, plaintext)
