"""Where the peers are: the configured address of each, and where it was last proved to be.

Rules that hold here:
- A peer behind NAT is answered where its datagrams come from, but only a peer that answered a fresh challenge moves its
  address (W1): a datagram alone proves nothing, for a recorded one can be sent again from anywhere.
- A peer that is no longer heard is looked for at its configured address again.
- Host names are resolved at start, and again while their peer is not heard, at most once in RESOLVE_EVERY.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
from collections.abc import Mapping
from typing import Final

import trio

from engine.core.ids import SiteId, Tick

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address of IPv4 or IPv6, as `recvfrom` gives it."""

HostPort = tuple[str, int]

RESOLVE_EVERY: Final = Tick(30_000)

FAILURES_TOLD: Final = 5
"""A peer to which so many datagrams in turn could not even be sent, always for the same reason, is told of."""

_PASSING: Final = frozenset({"EAGAIN", "ENOBUFS", "ENOMEM", "EMSGSIZE"})
"""What says nothing of the address: the kernel has no room, or the datagram is long."""

_log = logging.getLogger(__name__)


class PeerAddresses:
    def __init__(self, family: socket.AddressFamily, peers: Mapping[SiteId, HostPort]) -> None:
        self._family = family
        self._configured = dict(peers)
        self._resolved: dict[SiteId, Address] = {}
        self._proved: dict[SiteId, Address] = {}
        self._named = {peer for peer, (host, _) in peers.items() if not _is_literal(host)}
        self._resolve_at = dict.fromkeys(self._named, Tick(0))
        """When to look each silent named peer up; a peer that is heard is not in it."""
        self._resolved_at: dict[SiteId, Tick] = {}
        self._failures: dict[SiteId, tuple[str, int]] = {}

    def of(self, peer: SiteId) -> Address | None:
        """Where to send to; None while its host name has no address."""
        return self._proved.get(peer) or self._resolved.get(peer)

    def shown(self, peer: SiteId) -> str:
        """Where the peer is, for people; its configured place while that has no address."""
        return show(self.of(peer) or self._configured[peer])

    def sent(self, peer: SiteId, error: str | None) -> None:
        """A datagram to the peer's place left, or could not, for the reason `error` (a name of errno)."""
        last, times = self._failures.get(peer, ("", 0))
        if error is None:
            if self._failures.pop(peer, None) and times >= FAILURES_TOLD:
                _log.info("datagrams to %s can be sent again", peer)
        elif error not in _PASSING:
            times = times + 1 if error == last else 1
            self._failures[peer] = (error, times)
            if times == FAILURES_TOLD:
                _log.warning("%s", self._failure(peer, error))

    @property
    def unsent(self) -> str | None:
        """To which peers nothing can be sent, and why, in words; None where all is well."""
        told = [self._failure(peer, error) for peer, (error, times) in self._failures.items() if times >= FAILURES_TOLD]
        return "; ".join(told) or None

    def _failure(self, peer: SiteId, error: str) -> str:
        number = getattr(errno, error, None)
        words = error if number is None else os.strerror(number)
        return f"nothing can be sent to {peer} at {self.shown(peer)} ({words}): check both addresses in the sites file"

    def prove(self, peer: SiteId, source: Address) -> None:
        """The peer answered a fresh challenge from `source`."""
        if source != self.of(peer):
            _log.info("%s is reached at %s now", peer, show(source))
        if source == self._resolved.get(peer):
            self._proved.pop(peer, None)
        else:
            self._proved[peer] = source

    def heard(self, peer: SiteId) -> None:
        self._resolve_at.pop(peer, None)

    def lost(self, peer: SiteId) -> None:
        """The peer was not heard for too long."""
        if peer in self._named:
            self._resolve_at[peer] = Tick(self._resolved_at.get(peer, -RESOLVE_EVERY) + RESOLVE_EVERY)
        if self._proved.pop(peer, None) is not None:
            _log.info("%s is looked for at its configured address again", peer)

    async def resolve_literals(self) -> None:
        """Takes the peers' addresses that need no resolver; the names are due at once (`to_resolve`)."""
        for peer in self._configured.keys() - self._named:
            await self.resolve(peer)

    async def resolve(self, peer: SiteId) -> None:
        """Asks the resolver for the peer's address; keeps the old one where that fails."""
        host, port = self._configured[peer]
        try:
            self._resolved[peer] = await resolve(host, port, self._family)
        except OSError as error:
            _log.warning("the host name %s of %s has no address: %s", host, peer, error)

    def to_resolve(self, now: Tick) -> list[SiteId]:
        """Named peers that are silent and due to be looked up; they are due again RESOLVE_EVERY later."""
        due = [peer for peer, at in self._resolve_at.items() if at <= now]
        for peer in due:
            self._resolved_at[peer] = now
            self._resolve_at[peer] = Tick(now + RESOLVE_EVERY)
        return due

    def deadline(self) -> Tick | None:
        """When `to_resolve` is next needed."""
        return min(self._resolve_at.values(), default=None)


async def resolve(host: str, port: int, family: socket.AddressFamily) -> Address:
    """The first address of `host` in this family. Raises OSError (socket.gaierror) where there is none."""
    flags = socket.AI_V4MAPPED | socket.AI_ALL if family == socket.AF_INET6 else 0
    try:
        found = await trio.socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM, 0, flags)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is no host name: {error}") from None
    address = found[0][4]
    if len(address) == 4:
        return (str(address[0]), int(address[1]), int(address[2]), int(address[3]))
    return (str(address[0]), int(address[1]))


def show(address: Address) -> str:
    """`127.0.0.1:7001` or `[::1]:7001`."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
