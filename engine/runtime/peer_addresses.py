"""Where the peers are: the place that is written down for each, and where it was last proved to be.

Rules that hold here:
- What is written down is the sites file's, and the log's where that says another place (`engine.runtime.roll`): it
  changes while the site runs. A peer that is heard stays where it is heard meanwhile.
- A peer behind NAT is answered where its datagrams come from, but only a peer that answered a fresh challenge moves its
  address (W1): a datagram alone proves nothing, for a recorded one can be sent again from anywhere.
- A peer that is no longer heard is looked for at the place that is written down again. Of one for which none is, the
  proved address alone is known, and of those the last ones (R6).
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
from engine.senders import SENDERS_MAX

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address of IPv4 or IPv6, as `recvfrom` gives it."""

HostPort = tuple[str, int]

RESOLVE_EVERY: Final = Tick(30_000)

FAILURES_TOLD: Final = 5
"""A peer to which so many datagrams in turn could not even be sent, always for the same reason, is told of."""

STRANGERS_MAX: Final = SENDERS_MAX
"""Of so many peers without a place the proved addresses are kept."""

_PASSING: Final = frozenset({"EAGAIN", "ENOBUFS", "ENOMEM", "EMSGSIZE"})
"""What says nothing of the address: the kernel has no room, or the datagram is long."""

_log = logging.getLogger(__name__)


class PeerAddresses:
    def __init__(self, family: socket.AddressFamily, places: Mapping[SiteId, HostPort]) -> None:
        self._family = family
        self._places: dict[SiteId, HostPort] = {}
        self._resolved: dict[SiteId, Address] = {}
        self._proved: dict[SiteId, Address] = {}
        self._up: set[SiteId] = set()
        self._named: set[SiteId] = set()
        self._resolve_at: dict[SiteId, Tick] = {}
        """When to look each silent named peer up; a peer that is heard is not in it."""
        self._resolved_at: dict[SiteId, Tick] = {}
        self._failures: dict[SiteId, tuple[str, int]] = {}
        self.follow(places)

    def follow(self, places: Mapping[SiteId, HostPort]) -> list[SiteId]:
        """From now on this is written down; returns the peers whose places have to be resolved (host names are due by
        themselves)."""
        moved = [peer for peer, place in places.items() if self._places.get(peer) != place]
        gone = self._places.keys() - places.keys()
        for peer in [*gone, *moved]:
            before = self._resolved.get(peer)
            if before is not None and peer in self._up:
                self._proved.setdefault(peer, before)
        for peer in gone:
            self._forget(peer)
        for peer in moved:
            self._places[peer] = places[peer]
            self._named.discard(peer)
            self._resolve_at.pop(peer, None)
            if not _is_literal(places[peer][0]):
                self._named.add(peer)
                self._resolve_at[peer] = Tick(0)
        return [peer for peer in moved if peer not in self._named]

    def _forget(self, peer: SiteId) -> None:
        """Nothing is written down for it any more."""
        del self._places[peer]
        self._named.discard(peer)
        for kept in (self._resolved, self._resolve_at, self._resolved_at, self._failures):
            kept.pop(peer, None)

    def of(self, peer: SiteId) -> Address | None:
        """Where to send to; None while its host name has no address."""
        return self._proved.get(peer) or self._resolved.get(peer)

    def shown(self, peer: SiteId) -> str:
        """Where the peer is, for people; what is written down while that has no address."""
        place = self.of(peer) or self._places.get(peer)
        return "nowhere" if place is None else show(place)

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

    def prove(self, peer: SiteId, source: Address) -> bool:
        """The peer answered a fresh challenge from `source`. Returns whether it was elsewhere before."""
        if moved := source != self.of(peer):
            _log.info("%s is reached at %s now", peer, show(source))
        self._proved.pop(peer, None)
        if source != self._resolved.get(peer):
            self._proved[peer] = source
            strangers = [peer for peer in self._proved if peer not in self._places]
            for oldest in strangers[:-STRANGERS_MAX]:
                del self._proved[oldest]
        return moved

    def heard(self, peer: SiteId) -> None:
        self._up.add(peer)
        self._resolve_at.pop(peer, None)

    def lost(self, peer: SiteId) -> None:
        """The peer was not heard for too long."""
        self._up.discard(peer)
        if peer in self._named:
            self._resolve_at[peer] = Tick(self._resolved_at.get(peer, -RESOLVE_EVERY) + RESOLVE_EVERY)
        if self._proved.pop(peer, None) is not None:
            _log.info("%s is expected at its configured address again", peer)

    async def resolve_literals(self) -> None:
        """Takes the peers' addresses that need no resolver; the names are due at once (`to_resolve`)."""
        for peer in self._places.keys() - self._named:
            await self.resolve(peer)

    async def resolve(self, peer: SiteId) -> None:
        """Asks the resolver for the peer's address; keeps the old one where that fails."""
        place = self._places.get(peer)
        if place is None:
            return
        host, port = place
        try:
            found = await resolve(host, port, self._family)
            if self._places.get(peer) == place:
                self._resolved[peer] = found
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
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is not a host name: {error}") from None
    address = found[0][4]
    if len(address) == 4:
        return (str(address[0]), int(address[1]), int(address[2]), int(address[3]))
    return (str(address[0]), int(address[1]))


def show(address: Address | HostPort) -> str:
    """`127.0.0.1:7001` or `[::1]:7001`."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
