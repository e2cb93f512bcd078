"""The site's UDP socket.

Rules that hold here:
- Nothing that the network does ends the site: errors of a datagram are counted by name and the datagram is lost.
- The node takes what waits at the socket at the beginning of a pass, up to a bound; the kernel's buffer keeps the rest.
- The buffers are asked for and what was granted is logged: a burst larger than the buffer is lost silently.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import trio

from engine.core.value import Value
from engine.runtime.peer_addresses import Address, HostPort, resolve

BUFFER_BYTES: Final = 4 * 1024 * 1024
_DATAGRAM_BYTES_MAX: Final = 65_535
_BROKEN_SOCKET: Final = frozenset({errno.EBADF, errno.ENOTSOCK})

_log = logging.getLogger(__name__)


class Datagram(Value):
    data: bytes
    source: Address


@dataclass(slots=True)
class UdpCounts:
    datagrams_in: int = 0
    datagrams_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    receive_errors: Counter[str] = field(default_factory=Counter)
    send_errors: Counter[str] = field(default_factory=Counter)


class UdpSocket:
    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self.family = bound.family
        self.address: Address = bound.getsockname()
        self.counts = UdpCounts()
        self._buffer = memoryview(bytearray(_DATAGRAM_BYTES_MAX))

    @classmethod
    async def bind(cls, at: HostPort) -> UdpSocket:
        """Raises OSError: EADDRINUSE, EADDRNOTAVAIL, or gaierror for a host name without an address."""
        family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
        address = await resolve(*at, family)
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            _set_buffers(bound)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        return cls(bound)

    def close(self) -> None:
        self._socket.close()

    async def readable(self) -> None:
        """Until a datagram, or an error, waits at the socket."""
        await trio.lowlevel.wait_readable(self._socket)

    def receive(self, count_max: int) -> list[Datagram]:
        """What waits at the socket, at most so many, without waiting for more."""
        counts = self.counts
        received: list[Datagram] = []
        for _ in range(count_max):
            try:
                size, source = self._socket.recvfrom_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _BROKEN_SOCKET:
                    raise
                counts.receive_errors[_name(error)] += 1
                continue
            counts.datagrams_in += 1
            counts.bytes_in += size
            received.append(Datagram(self._buffer[:size].tobytes(), source))
        return received

    def send(self, data: bytes, to: Address) -> str | None:
        """Sends at once or never. Returns the name of what went wrong, None where the kernel took the datagram."""
        try:
            self._socket.sendto(data, to)
        except OSError as error:
            name = _name(error)
            self.counts.send_errors[name] += 1
            return name
        self.counts.datagrams_out += 1
        self.counts.bytes_out += len(data)
        return None


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def _set_buffers(bound: socket.socket) -> None:
    for name, option in (("receive", socket.SO_RCVBUF), ("send", socket.SO_SNDBUF)):
        bound.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        granted = bound.getsockopt(socket.SOL_SOCKET, option)
        level = logging.INFO if granted >= BUFFER_BYTES else logging.WARNING
        _log.log(level, "UDP %s buffer: %d bytes granted, %d asked for", name, granted, BUFFER_BYTES)
