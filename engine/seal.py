"""Plaintexts <-> sealed datagrams: authenticated, encrypted and bound to who says what to whom (W1).

A datagram is a header of 28 bytes, then what AES-256-GCM makes of the plaintext, its tag of 16 bytes included:

    byte 0      the magic number, 0x4C
    byte 1      the version of the wire
    byte 2, 3   sender and addressee: positions in the sorted names of the sites, from 0
    byte 4-19   the sender's salt
    byte 20-27  the counter, big-endian

Rules that hold here:
- key = HKDF-SHA256(cluster key, salt, info); info = version, SHA-256 of the cluster's name and its sites' sorted names
  (a line each), sender, addressee. So each direction of each pair has a key of its own.
- The nonce is the counter, the additional data is the header. No nonce is used twice under a key: a process takes a
  fresh random salt, and another one before its counter is used up.
- Nothing is parsed but the header before a datagram has opened.
- While the sites change their key there are two: what is sent is sealed under the first alone, what comes may open
  under either. Nothing in a datagram tells which: the header is the same, and the salt is random.
- A receiving key is kept only after a datagram opened under it, and only the latest used ones are: datagrams that do
  not open cost no memory.
- A process seals under one cluster key, so a salt belongs to one: where a receiving key is kept, it alone is tried. For
  other salts each cluster key is tried, once: two keys at most double what a hostile datagram costs (W3).
- Without a cluster key a constant takes its place. Versions, clusters and sites are still told apart, and damage is
  still found, but nothing is secret and anybody can speak; that is why only loopback hosts may do without.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.cluster_key import WhichKey
from engine.core.ids import SiteId
from engine.datagram import DATAGRAM_BYTES_MAX, SEAL_BYTES, Reason, Rejected

MAGIC: Final = 0x4C
VERSION: Final = 3
SALT_BYTES: Final = 16
COUNTER_BYTES: Final = 8
HEADER_BYTES: Final = 4 + SALT_BYTES + COUNTER_BYTES
TAG_BYTES: Final = 16
assert HEADER_BYTES + TAG_BYTES == SEAL_BYTES

COUNTER_MAX: Final = 2**32
"""Datagrams under one salt: far below what AES-GCM bears under one key (NIST SP 800-38D, section 8.3)."""

_NAMING_BYTES: Final = 8
_NO_KEY: Final = b"loggos: no key"
_NONCE_PAD: Final = bytes(12 - COUNTER_BYTES)
_KEYS_KEPT_PER_PEER: Final = 4


def name_of(header: bytes) -> tuple[str, int]:
    """The salt, as far as it takes to tell processes apart, and the counter of the datagram that begins so. Both ends
    see this name, and no other datagram of its sender has it."""
    salt, counter = header[4 : 4 + _NAMING_BYTES], header[HEADER_BYTES - COUNTER_BYTES : HEADER_BYTES]
    return salt.hex(), int.from_bytes(counter, "big")


@dataclass(slots=True)
class OpenedUnder:
    """Of what came from a site: under which key the latest opened, None before any did, and how many did under the
    second."""

    latest: WhichKey | None = None
    second: int = 0


class Seal:
    """One process's end of all its links. Not shared between processes: its counter would be used twice."""

    def __init__(
        self,
        cluster_key: bytes | None,
        cluster: str,
        sites: Sequence[SiteId],
        me: SiteId,
        *,
        second_key: bytes | None = None,
        counter_max: int = COUNTER_MAX,
    ) -> None:
        """`sites` are the names of all sites, sorted, `me` one of them. `second_key` opens what `cluster_key` does not.
        Raises ValueError if they are not, or where there is a second key without a first."""
        if list(sites) != sorted(set(sites)) or me not in sites:
            raise ValueError(f"the sites of a seal are sorted names with {me} among them, not {sites}")
        if cluster_key is None and second_key is not None:
            raise ValueError("a second key without a first: all would be sealed under what everybody knows")
        self._keys = {WhichKey.FIRST: _NO_KEY if cluster_key is None else cluster_key}
        if second_key is not None:
            self._keys[WhichKey.SECOND] = second_key
        self._digest = hashlib.sha256("\n".join([cluster, *sites]).encode()).digest()
        self._sites = tuple(sites)
        self._index = {site: index for index, site in enumerate(sites)}
        self._me = self._index[me]
        self._counter_max = counter_max
        self._salt = b""
        self._counter = counter_max
        self._sending: dict[SiteId, AESGCM] = {}
        self._receiving: OrderedDict[bytes, tuple[WhichKey, AESGCM]] = OrderedDict()
        self._receiving_max = _KEYS_KEPT_PER_PEER * len(sites)
        self._opened = {site: OpenedUnder() for site in sites if site != me}

    @property
    def opened_under(self) -> Mapping[SiteId, OpenedUnder]:
        """Under which key the others' datagrams opened."""
        return self._opened

    def seal(self, to: SiteId, plaintext: bytes) -> bytes:
        """The datagram that only `to` opens; SEAL_BYTES longer than the plaintext."""
        if self._counter == self._counter_max:
            self._salt = os.urandom(SALT_BYTES)
            self._counter = 0
            self._sending.clear()
        peer = self._index[to]
        key = self._sending.get(to)
        if key is None:
            key = self._sending[to] = self._derive(WhichKey.FIRST, self._salt, self._me, peer)
        counter = self._counter.to_bytes(COUNTER_BYTES, "big")
        self._counter += 1
        header = bytes((MAGIC, VERSION, self._me, peer)) + self._salt + counter
        return header + key.encrypt(_NONCE_PAD + counter, plaintext, header)

    def open(self, datagram: bytes) -> tuple[SiteId, bytes]:
        """The site that sealed the datagram for this one, and the plaintext. Raises Rejected and nothing else."""
        if not datagram:
            raise Rejected(Reason.EMPTY)
        if len(datagram) > DATAGRAM_BYTES_MAX:
            raise Rejected(Reason.OVERSIZE)
        if len(datagram) < SEAL_BYTES:
            raise Rejected(Reason.SHORT)
        magic, version, sender, addressee = datagram[:4]
        if magic != MAGIC or version != VERSION:
            raise Rejected(Reason.VERSION)
        if addressee != self._me:
            raise Rejected(Reason.NOT_FOR_US)
        if sender >= len(self._sites) or sender == self._me:
            raise Rejected(Reason.SENDER)
        return self._sites[sender], self._decrypt(sender, datagram)

    def _decrypt(self, sender: int, datagram: bytes) -> bytes:
        header = datagram[:HEADER_BYTES]
        salt, nonce = header[4:-COUNTER_BYTES], _NONCE_PAD + header[-COUNTER_BYTES:]
        name = header[2:-COUNTER_BYTES]  # sender, addressee and salt: what a key is derived for
        kept = self._receiving.get(name)
        for which, key in self._candidates(salt, sender) if kept is None else (kept,):
            try:
                plaintext = key.decrypt(nonce, datagram[HEADER_BYTES:], header)
            except InvalidTag:
                continue
            self._keep(name, which, key)
            opened = self._opened[self._sites[sender]]
            opened.latest = which
            opened.second += which is WhichKey.SECOND
            return plaintext
        raise Rejected(Reason.FORGED, self._sites[sender])

    def _candidates(self, salt: bytes, sender: int) -> Iterator[tuple[WhichKey, AESGCM]]:
        """What a datagram of a salt that is not known may open under."""
        for which in self._keys:
            yield which, self._derive(which, salt, sender, self._me)

    def _keep(self, name: bytes, which: WhichKey, key: AESGCM) -> None:
        self._receiving[name] = which, key
        self._receiving.move_to_end(name)
        if len(self._receiving) > self._receiving_max:
            self._receiving.popitem(last=False)

    def _derive(self, which: WhichKey, salt: bytes, sender: int, addressee: int) -> AESGCM:
        info = bytes((VERSION,)) + self._digest + bytes((sender, addressee))
        return AESGCM(HKDF(SHA256(), 32, salt, info).derive(self._keys[which]))
