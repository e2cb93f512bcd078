"""What a site does before it has a store, where it was added to the cluster later: it asks with whom the cluster began.

Rules that hold here:
- M1: all lists of members follow from the first and the log. So the first one is part of a store, as the cluster's name
  is, and no store is made before it is known.
- W1: an answer counts for the challenge of this process alone; one is enough, for nobody lies. A site whose cluster has
  not begun does not answer.
- It asks from a port of its own, whatever its address will be: the answer goes to where the question came from.
- Nobody may be there yet, and host names may have no addresses: it asks until somebody answers or stops the site.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import trio

from engine.core.ids import SiteId, named
from engine.datagram import Rejected
from engine.runtime.inbox import Inbox
from engine.runtime.log import LogStyle, logging_to
from engine.runtime.peer_addresses import HostPort, resolve
from engine.runtime.stopping import watch_lifeline, watch_signals
from engine.runtime.udp import UdpSocket
from engine.wire import CHALLENGE_BYTES, Founders, Wire

ASK_EVERY_S: Final = 0.5
SAID_EVERY_S: Final = 60.0
DATAGRAMS_AT_ONCE: Final = 64

_STDERR: Final = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A site without a store; `contacts` are whom it asks."""

    site: SiteId
    contacts: Mapping[SiteId, HostPort]
    wire: Wire


def founders(newcomer: Newcomer, lifeline: int | None = None, log: LogStyle | None = None) -> tuple[SiteId, ...] | None:
    """With whom the cluster began; None where somebody stopped the site before it knew.

    Logs to stderr what it waits for. Raises OSError where there can be no socket.
    """
    with logging_to(_STDERR, newcomer.site, log):
        return trio.run(_founders, newcomer, lifeline)


async def _founders(newcomer: Newcomer, lifeline: int | None) -> tuple[SiteId, ...] | None:
    inbox = Inbox()
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_signals, inbox)
        if lifeline is not None:
            nursery.start_soon(watch_lifeline, lifeline, inbox)
        found = await ask_founders(newcomer, inbox)
        nursery.cancel_scope.cancel()
    return found


async def ask_founders(newcomer: Newcomer, inbox: Inbox) -> tuple[SiteId, ...] | None:
    """As `founders`, until `inbox.stop`."""
    is_ipv6 = any(":" in host for host, _ in newcomer.contacts.values())
    udp = await UdpSocket.bind(("::" if is_ipv6 else "0.0.0.0", 0))
    try:
        return await _Asking(newcomer, udp).until_answered(inbox)
    finally:
        udp.close()


class _Asking:
    def __init__(self, newcomer: Newcomer, udp: UdpSocket) -> None:
        self._newcomer = newcomer
        self._udp = udp
        self._challenge = os.urandom(CHALLENGE_BYTES)
        self._found: tuple[SiteId, ...] | None = None

    async def until_answered(self, inbox: Inbox) -> tuple[SiteId, ...] | None:
        me, asked = self._newcomer.site, named(self._newcomer.contacts)
        say_at_s = trio.current_time() + ASK_EVERY_S  # one that is there answers at once
        while inbox.stop_reason is None:
            await inbox.wait(self._ask_and_listen)
            if self._found is not None:
                _log.info("%s learned which sites the cluster began with: %s", me, named(self._found))
                return self._found
            if trio.current_time() >= say_at_s:
                say_at_s = trio.current_time() + SAID_EVERY_S
                _log.warning(
                    "waits: %s is new and has to learn who belongs to the cluster; it asks %s, but nobody answers",
                    *(me, asked),
                )
        _log.info("%s stops before it was ready: %s", me, inbox.stop_reason)
        return None

    async def _ask_and_listen(self) -> None:
        with trio.move_on_after(ASK_EVERY_S):
            async with trio.open_nursery() as nursery:
                for site, place in self._newcomer.contacts.items():
                    nursery.start_soon(self._ask, site, place)
                while self._found is None:
                    await self._udp.readable()
                    self._take()
                nursery.cancel_scope.cancel()

    async def _ask(self, site: SiteId, place: HostPort) -> None:
        try:
            address = await resolve(*place, self._udp.family)
        except OSError as error:
            _log.debug("the host name %s of %s has no address: %s", place[0], site, error)
        else:
            self._udp.send(self._newcomer.wire.ask_founders(site, self._challenge), address)

    def _take(self) -> None:
        for datagram in self._udp.receive(DATAGRAMS_AT_ONCE):
            try:
                opened = self._newcomer.wire.open(datagram.data)
            except Rejected:
                continue
            if isinstance(opened, Founders) and opened.challenge == self._challenge:
                self._found = opened.sites
