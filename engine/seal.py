"""Plaintexts <-> sealed datagrams: authenticated, encrypted and bound to who says what to whom (W1).

A datagram is a header of 58 bytes, then what AES-256-GCM makes of the plaintext, its tag of 16 bytes included:

    byte 0      the magic number, 0x4C
    byte 1      the version of the wire
    byte 2-17   the sender's name, then zeros
    byte 18-33  the addressee's name, then zeros
    byte 34-49  the sender's salt
    byte 50-57  the counter, big-endian

Rules that hold here:
- key = HKDF-SHA256(cluster key, salt, info); info = version, then the names of cluster, sender and addressee, a newline
  between them. So each direction of each pair has a key of its own. Who else is in the cluster is no part of it: that
  changes while it runs (M1).
- Whoever has the key and a name is heard: what may be believed of whom is not in the list is the replica's to say.
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

import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.cluster_key import WhichKey
from engine.core.ids import SITE_NAME, SITE_NAME_MAX, SiteId
from engine.datagram import DATAGRAM_BYTES_MAX, SEAL_BYTES, WIRE_VERSION, Reason, Rejected
from engine.senders import SENDERS_MAX, PerSender

MAGIC: Final = 0x4C
VERSION: Final = WIRE_VERSION
NAME_BYTES: Final = SITE_NAME_MAX
SALT_BYTES: Final = 16
COUNTER_BYTES: Final = 8
_SENDER_AT: Final = 2
_ADDRESSEE_AT: Final = _SENDER_AT + NAME_BYTES
_SALT_AT: Final = _ADDRESSEE_AT + NAME_BYTES
_COUNTER_AT: Final = _SALT_AT + SALT_BYTES
HEADER_BYTES: Final = _COUNTER_AT + COUNTER_BYTES
TAG_BYTES: Final = 16
assert HEADER_BYTES + TAG_BYTES == SEAL_BYTES

COUNTER_MAX: Final = 2**32
"""Datagrams under one salt: far below what AES-GCM bears under one key (NIST SP 800-38D, section 8.3)."""

_NAMING_BYTES: Final = 8
_NO_KEY: Final = b"loggos: no key"
_NONCE_PAD: Final = bytes(12 - COUNTER_BYTES)
_KEYS_KEPT_MAX: Final = 4 * SENDERS_MAX


def name_of(header: bytes) -> tuple[str, int]:
    """The salt, as far as it takes to tell processes apart, and the counter of the datagram that begins so. Both ends
    see this name, and no other datagram of its sender has it."""
    salt, counter = header[_SALT_AT : _SALT_AT + _NAMING_BYTES], header[_COUNTER_AT:HEADER_BYTES]
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
        me: SiteId,
        *,
        second_key: bytes | None = None,
        counter_max: int = COUNTER_MAX,
    ) -> None:
        """`second_key` opens what `cluster_key` does not. Raises ValueError where there is a second key without a
        first, or `me` is no name."""
        if not SITE_NAME.match(me):
            raise ValueError(f"{me!r} is no name of a site")
        if cluster_key is None and second_key is not None:
            raise ValueError("a second key without a first: all would be sealed under what everybody knows")
        self._keys = {WhichKey.FIRST: _NO_KEY if cluster_key is None else cluster_key}
        if second_key is not None:
            self._keys[WhichKey.SECOND] = second_key
        self._cluster = cluster
        self._me = me
        self._my_name = _padded(me)
        self._counter_max = counter_max
        self._salt = b""
        self._counter = counter_max
        self._sending: dict[SiteId, tuple[bytes, AESGCM]] = {}
        self._receiving: OrderedDict[bytes, tuple[WhichKey, AESGCM]] = OrderedDict()
        self._opened = PerSender(OpenedUnder)

    @property
    def opened_under(self) -> PerSender[OpenedUnder]:
        """Under which key the others' datagrams opened."""
        return self._opened

    def seal(self, to: SiteId, plaintext: bytes) -> bytes:
        """The datagram that only `to` opens; SEAL_BYTES longer than the plaintext."""
        if self._counter == self._counter_max:
            self._salt = os.urandom(SALT_BYTES)
            self._counter = 0
            self._sending.clear()
        kept = self._sending.get(to)
        if kept is None:
            start = bytes((MAGIC, VERSION)) + self._my_name + _padded(to) + self._salt
            kept = self._sending[to] = start, self._derive(WhichKey.FIRST, self._salt, self._me, to)
        start, key = kept
        counter = self._counter.to_bytes(COUNTER_BYTES, "big")
        self._counter += 1
        header = start + counter
        return header + key.encrypt(_NONCE_PAD + counter, plaintext, header)

    def open(self, datagram: bytes) -> tuple[SiteId, bytes]:
        """The site that sealed the datagram for this one, and the plaintext. Raises Rejected and nothing else."""
        if not datagram:
            raise Rejected(Reason.EMPTY)
        if len(datagram) > DATAGRAM_BYTES_MAX:
            raise Rejected(Reason.OVERSIZE)
        if len(datagram) < SEAL_BYTES:
            raise Rejected(Reason.SHORT)
        if datagram[0] != MAGIC or datagram[1] != VERSION:
            raise Rejected(Reason.VERSION)
        if datagram[_ADDRESSEE_AT:_SALT_AT] != self._my_name:
            raise Rejected(Reason.NOT_FOR_US)
        sender = _name_in(datagram[_SENDER_AT:_ADDRESSEE_AT])
        if sender is None or sender == self._me:
            raise Rejected(Reason.SENDER)
        return sender, self._decrypt(sender, datagram)

    def _decrypt(self, sender: SiteId, datagram: bytes) -> bytes:
        header = datagram[:HEADER_BYTES]
        salt, nonce = header[_SALT_AT:_COUNTER_AT], _NONCE_PAD + header[_COUNTER_AT:]
        link = header[_SENDER_AT:_COUNTER_AT]  # sender, addressee and salt: what a key is derived for
        kept = self._receiving.get(link)
        for which, key in self._candidates(salt, sender) if kept is None else (kept,):
            try:
                plaintext = key.decrypt(nonce, datagram[HEADER_BYTES:], header)
            except InvalidTag:
                continue
            if kept is None:
                self._keep(link, which, key)
            else:
                self._receiving.move_to_end(link)
            opened = self._opened.of(sender)
            opened.latest = which
            opened.second += which is WhichKey.SECOND
            return plaintext
        raise Rejected(Reason.FORGED, sender)

    def _candidates(self, salt: bytes, sender: SiteId) -> Iterator[tuple[WhichKey, AESGCM]]:
        """What a datagram of a salt that is not known may open under."""
        for which in self._keys:
            yield which, self._derive(which, salt, sender, self._me)

    def _keep(self, link: bytes, which: WhichKey, key: AESGCM) -> None:
        self._receiving[link] = which, key
        if len(self._receiving) > _KEYS_KEPT_MAX:
            self._receiving.popitem(last=False)

    def _derive(self, which: WhichKey, salt: bytes, sender: SiteId, addressee: SiteId) -> AESGCM:
        info = bytes((VERSION,)) + "\n".join((self._cluster, sender, addressee)).encode()
        return AESGCM(HKDF(SHA256(), 32, salt, info).derive(self._keys[which]))


def _padded(name: SiteId) -> bytes:
    return name.encode().ljust(NAME_BYTES, b"\0")


@lru_cache(maxsize=64)
def _name_in(padded: bytes) -> SiteId | None:
    """The name in these bytes of a header; None where they are no site's."""
    try:
        name = padded.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        return None
    return SiteId(name) if SITE_NAME.match(name) else None
