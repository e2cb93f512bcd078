"""Datagrams, as docs/protocol.md has them: sealed, opened, cut into parts and put together."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = 4
NAME: Final = re.compile("[a-z][a-z0-9-]{0,15}")


class Dropped(Exception):
    """A datagram has no effect. The reason is one of the page's words."""


class Seal:
    """One process's end of all its links."""

    def __init__(self, cluster: str, key: bytes, me: str, salt: bytes) -> None:
        self._cluster = cluster
        self._me = me
        self._key = key
        self._salt = salt
        self._counter = 0

    def seal(self, to: str, plaintext: bytes) -> bytes:
        counter = self._counter.to_bytes(8, "big")
        self._counter += 1
        header = bytes((0x4C, VERSION)) + _padded(self._me) + _padded(to) + self._salt + counter
        return header + self._cipher(self._salt, self._me, to).encrypt(bytes(4) + counter, plaintext, header)

    def open(self, datagram: bytes) -> tuple[str, bytes]:
        """The sender and the plaintext. Raises Dropped."""
        if not datagram:
            raise Dropped("empty")
        if len(datagram) > 60_000:
            raise Dropped("oversize")
        if len(datagram) < 74:
            raise Dropped("short")
        if datagram[:2] != bytes((0x4C, VERSION)):
            raise Dropped("version")
        if datagram[18:34] != _padded(self._me):
            raise Dropped("not-for-us")
        sender = datagram[2:18].rstrip(b"\0").decode("latin-1")
        if sender == self._me or not NAME.fullmatch(sender):
            raise Dropped("sender")
        header = datagram[:58]
        try:
            cipher = self._cipher(header[34:50], sender, self._me)
            return sender, cipher.decrypt(bytes(4) + header[50:], datagram[58:], header)
        except InvalidTag:
            raise Dropped("forged") from None

    def _cipher(self, salt: bytes, sender: str, addressee: str) -> AESGCM:
        info = bytes((VERSION,)) + f"{self._cluster}\n{sender}\n{addressee}".encode()
        return AESGCM(HKDF(SHA256(), 32, salt, info).derive(self._key))


def _padded(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


def cut(packet: bytes, room: int) -> list[bytes]:
    """The packet where it has room, else its parts."""
    if len(packet) <= room:
        return [packet]
    number = secrets.token_bytes(8)
    pieces = [packet[start : start + room - 11] for start in range(0, len(packet), room - 11)]
    return [b"\x01" + number + bytes((at, len(pieces))) + piece for at, piece in enumerate(pieces)]


@dataclass
class Parts:
    """Those of one sender. Of what is incomplete the newest few are kept."""

    incomplete: dict[bytes, list[bytes]] = field(default_factory=dict)
    complete: list[bytes] = field(default_factory=list)

    def join(self, part: bytes) -> bytes | None:
        """The packet that this part completes. Raises Dropped."""
        if len(part) < 12 or part[9] >= part[10] or part[10] < 2:
            raise Dropped("part")
        number, position, count, piece = part[1:9], part[9], part[10], part[11:]
        if number in self.complete:
            return None
        pieces = self.incomplete.setdefault(number, [b""] * count)
        if len(pieces) != count or pieces[position] not in (b"", piece):
            raise Dropped("part")
        if not pieces[position] and sum(map(len, pieces)) + len(piece) > 59_926:
            raise Dropped("part")
        pieces[position] = piece
        if all(pieces):
            del self.incomplete[number]
            self.complete = [*self.complete[-63:], number]
            return b"".join(pieces)
        while len(self.incomplete) > 4:
            del self.incomplete[next(iter(self.incomplete))]
        return None
