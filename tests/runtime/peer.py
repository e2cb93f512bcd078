"""A site that a test plays by hand: it has the cluster's key and UDP sockets, and says what it is told to say."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TypeVar

import trio

from engine.core.ids import Nonce, SiteId, StoreId
from engine.core.messages import Hello, Message, Packet, Welcome
from engine.core.settings import founders_digest
from engine.runtime.peer_addresses import HostPort
from engine.wire import Wire
from tests.runtime.sites import CLUSTER, KEY, WITHIN_S

M = TypeVar("M")
UdpSocket = trio.socket.SocketType


class Peer:
    """Speaks to one site, `to`, as `name`; with its own socket unless another is named."""

    def __init__(
        self,
        name: SiteId,
        sites: tuple[SiteId, ...],
        to: SiteId,
        to_place: HostPort,
        at: HostPort,
        *,
        keys: tuple[bytes, bytes | None] = (KEY, None),
    ) -> None:
        self.name = name
        self.to = to
        self.to_place = to_place
        self.life = StoreId("feedfacefeedface")
        self.to_life: StoreId | None = None
        self.wire = Wire(keys[0], CLUSTER, name, second_key=keys[1])
        self.founders = founders_digest(sites)
        self.socket = bound(at)
        self._nonce = 0

    def close(self) -> None:
        self.socket.close()

    def sealed(self, *messages: Message, wire: Wire | None = None, to: SiteId | None = None) -> bytes:
        """The datagram of these messages, sealed with another wire or for another site if one is named."""
        packet = Packet(self.name, self.life, 1, self.to_life, messages)
        (datagram,) = (wire or self.wire).seal(to or self.to, packet, 16_384)
        return datagram

    async def say(self, *messages: Message, through: UdpSocket | None = None) -> bytes:
        """Sends these messages in one datagram, and returns it."""
        datagram = self.sealed(*messages)
        await (through or self.socket).sendto(datagram, self.to_place)
        return datagram

    def say_at_once(self, *packets: tuple[Message, ...]) -> None:
        """Sends a datagram for each, before the site can take the first."""
        with socket.socket(fileno=os.dup(self.socket.fileno())) as raw:
            for messages in packets:
                raw.sendto(self.sealed(*messages), self.to_place)

    async def hears(
        self, kind: type[M], through: UdpSocket | None = None, fits: Callable[[M], bool] = lambda _: True
    ) -> M:
        """The next message of this kind that arrives at that socket."""
        while True:
            packet = await self.hears_packet(kind, through)
            for message in packet.messages:
                if isinstance(message, kind) and fits(message):
                    return message

    async def hears_packet(self, kind: type[M], through: UdpSocket | None = None) -> Packet:
        """The next packet with such a message."""
        with trio.fail_after(WITHIN_S):
            while True:
                data, _ = await (through or self.socket).recvfrom(65_535)
                packet = self.wire.open(data)
                if not isinstance(packet, Packet):
                    continue
                self.to_life = packet.life
                if any(isinstance(message, kind) for message in packet.messages):
                    return packet

    async def greet(self, through: UdpSocket | None = None) -> bytes:
        """Says hello until the site knows this life (W1, D5), and returns the datagram with the first hello."""
        self.to_life = None
        nonce = self.fresh()
        first = await self.say(Hello(nonce, None, self.founders), through=through)
        welcome = await self.hears(Welcome, through, lambda heard: heard.nonce == nonce)
        nonce = self.fresh()
        await self.say(Hello(nonce, welcome.challenge, self.founders), through=through)
        await self.hears(Welcome, through, lambda heard: heard.nonce == nonce)
        return first

    def fresh(self) -> Nonce:
        self._nonce += 1
        return Nonce(self._nonce)


def bound(at: HostPort = ("127.0.0.1", 0)) -> UdpSocket:
    """A UDP socket on loopback."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw.bind(at)
    return trio.socket.from_stdlib_socket(raw)


def waiting(at: UdpSocket) -> list[bytes]:
    """The datagrams that wait at a socket, without waiting for any."""
    found: list[bytes] = []
    with socket.socket(fileno=os.dup(at.fileno())) as raw:
        while True:
            try:
                found.append(raw.recv(65_535, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return found
