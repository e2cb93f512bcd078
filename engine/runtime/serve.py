"""Runs one site: puts a node together from its parts, serves it, and ends it in good order.

Rules that hold here:
- The caller has opened the store, and so holds its lock: whatever control socket lies at the path is stale (D4).
- It ends in this order: the control socket is taken away, the UDP socket is closed, the store is let go, requests
  without an answer are told so, and then the connections close. Who starts the site again finds everything free.
- The exit status is an EndStatus (`engine.runtime.ending`).
- A machine that starts has no addresses and no resolver yet: what may come by itself is waited for, until somebody
  stops the site; what cannot be right ends it.
- Nothing that becomes of stdin, stdout and stderr ends a site that serves (`engine.runtime.log`).
"""

from __future__ import annotations

import errno
import gc
import logging
import math
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import trio

from engine.contract.errors import ErrorCode
from engine.contract.status import Status
from engine.core.ids import SiteId
from engine.core.storage import Storage, StoreError
from engine.runtime.assembly import Site, assemble
from engine.runtime.control import ControlServer
from engine.runtime.ending import Ending, EndStatus, store_ending
from engine.runtime.inbox import Inbox
from engine.runtime.log import logging_to, print_line
from engine.runtime.node import Node
from engine.runtime.peer_addresses import show
from engine.runtime.service_manager import ServiceManager
from engine.runtime.stopping import watch_lifeline, watch_signals
from engine.runtime.udp import UdpSocket
from engine.site_files import UnusableFolder

ADDRESS_AGAIN_S: Final = 1.0
"""How often an address that is not there yet is tried."""

ADDRESS_SAID_EVERY_S: Final = 60.0
"""How often the log says what is waited for."""

_STDOUT: Final = 1
_STDERR: Final = 2
_TOO_FEW_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})

_log = logging.getLogger(__name__)


class CannotServe(Exception):
    """The site cannot start; the message says what to do."""

    def __init__(self, message: str, status: EndStatus) -> None:
        super().__init__(message)
        self.status = status


class AddressMissing(Exception):
    """The site's own address is not there, and may come by itself; the message says which."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a site that takes commands is found, and who tells how it stands."""

    site: SiteId
    udp: str
    control: Path
    status: Callable[[], Status]

    def line(self) -> str:
        said = {"ready": True, "site": self.site, "udp": self.udp, "control": str(self.control)}
        return orjson.dumps(said).decode()


@dataclass(frozen=True, slots=True)
class Sockets:
    udp: UdpSocket
    control: ControlServer

    def close(self) -> None:
        self.control.close()
        self.udp.close()


def serve(site: Site, lifeline: int | None = None) -> int:
    """Runs the site until a client, SIGINT, SIGTERM or the end of `lifeline`, a file descriptor, stops it.

    Logs to stderr, prints the ready line, closes the store. Returns the exit status. Raises CannotServe.
    """
    with logging_to(_STDERR):
        return trio.run(_serve, site, lifeline)


async def _serve(site: Site, lifeline: int | None) -> int:
    inbox = Inbox()
    manager = ServiceManager.of(os.environ)
    refused: CannotServe | None = None
    status: int = EndStatus.CLEAN

    def on_ready(ready: Ready) -> None:
        _print_ready(ready)
        manager.ready()
        nursery.start_soon(manager.follow, ready.status)

    async with trio.open_nursery() as nursery:
        await nursery.start(watch_signals, inbox)
        if lifeline is not None:
            nursery.start_soon(watch_lifeline, lifeline, inbox)
        try:
            sockets = await await_sockets(site, inbox, manager.waits)
        except CannotServe as error:
            refused = error
        else:
            if sockets is not None:
                status = await run_site(site, sockets, inbox, on_ready)
                manager.stops(inbox.stop_reason or "it stops")
        nursery.cancel_scope.cancel()
    if refused is not None:
        raise refused
    return status


async def await_sockets(site: Site, inbox: Inbox, on_waiting: Callable[[str], None] = lambda _: None) -> Sockets | None:
    """Binds both sockets, once the site's address is there; None if `inbox.stop` came before. `on_waiting` is told,
    once a minute, what it waits for.

    Raises CannotServe. Without sockets the store is closed.
    """
    say_at_s = trio.current_time()
    opened: list[Sockets] = []

    async def attempt() -> None:
        nonlocal say_at_s
        try:
            opened.append(await _open_sockets(site))
        except AddressMissing as missing:
            if trio.current_time() >= say_at_s:
                say_at_s = trio.current_time() + ADDRESS_SAID_EVERY_S
                _log.warning("waits: %s", missing)
                on_waiting(f"waits: {missing}")
            await trio.sleep(ADDRESS_AGAIN_S)

    try:
        while inbox.stop_reason is None:
            await inbox.wait(attempt, math.inf)
            if opened:
                return opened[0]
        _log.info("%s stops before it served: %s", site.settings.site, inbox.stop_reason)
        return None
    finally:
        if not opened:
            _close_unused(site.storage)


def _close_unused(storage: Storage) -> None:
    """What the site would have said of its store at its end has no one to go to but the log."""
    try:
        storage.close()
    except StoreError as error:
        _log.error("the store was not closed in good order: %s", error)


async def _open_sockets(site: Site) -> Sockets:
    """Raises AddressMissing, CannotServe."""
    udp = await _bind_udp(site)
    try:
        return Sockets(udp, ControlServer(site.control))
    except UnusableFolder as error:
        udp.close()
        raise CannotServe(str(error), EndStatus.BAD_CONFIGURATION) from error
    except OSError as error:
        udp.close()
        if error.errno in _TOO_FEW_FILES:
            raise _too_few_files(error) from error
        what = f"cannot make the control socket {site.control}: {error.strerror}"
        if error.errno in _DISK_ERRORS:
            raise CannotServe(f"{what}. Make room, or the disk writable, there", EndStatus.STORE) from error
        message = f"{what}. Move what is there elsewhere, and let this user write the folder"
        raise CannotServe(message, EndStatus.BAD_CONFIGURATION) from error


async def run_site(site: Site, sockets: Sockets, inbox: Inbox, on_ready: Callable[[Ready], None]) -> int:
    """Serves on these sockets until `inbox.stop`, a client's `stop`, or a failure; closes all. Returns the status."""
    try:
        return await _run_and_end(site, sockets, inbox, on_ready)
    except Exception:
        _log.exception("a bug ended this site; please report it with the lines below")
        return EndStatus.BUG
    finally:
        sockets.close()
        site.storage.close()


async def _run_and_end(site: Site, sockets: Sockets, inbox: Inbox, on_ready: Callable[[Ready], None]) -> int:
    async with trio.open_nursery() as connections:
        connections.start_soon(sockets.control.serve, inbox)
        node, ending = await _run_node(site, sockets, inbox, on_ready)
        sockets.close()
        ending = _close_store(site.storage, ending)
        level = logging.INFO if ending.status is EndStatus.CLEAN else logging.CRITICAL
        _log.log(level, "%s stops (exit status %d): %s", site.settings.site, ending.status, ending.reason)
        message = f"the engine of {site.settings.site} stops: {ending.reason}"
        if node is not None:
            node.abandon(ending.code, message)
        await sockets.control.finish(ending.reason, ending.status)
        connections.cancel_scope.cancel()
    return ending.status


def _close_store(storage: Storage, ending: Ending) -> Ending:
    try:
        storage.close()
    except StoreError as error:
        return store_ending(error) if ending.status is EndStatus.CLEAN else ending
    return ending


def _tune_garbage_collection() -> None:
    """What there is at start stays, and hardly anything is part of a cycle: all is rarely looked through for some."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _run_node(
    site: Site, sockets: Sockets, inbox: Inbox, on_ready: Callable[[Ready], None]
) -> tuple[Node | None, Ending]:
    """Runs the node until it ends; it knows who still waits then (None: it could not be put together)."""
    node: Node | None = None
    try:
        async with trio.open_nursery() as nursery:
            node = Node(await assemble(site, sockets.udp, inbox, nursery))
            node.start()
            _tune_garbage_collection()
            where = show(sockets.udp.address), sockets.control.bound_at
            on_ready(Ready(site.settings.site, *where, node.status))
            ending = await node.run()
            nursery.cancel_scope.cancel()
    except* StoreError as failed:
        ending = store_ending(next(_leaves(failed)))
    except* Exception as bugs:
        _log.exception("a bug ended this site; please report it with the lines below")
        reason = f"a bug: {next(_leaves(bugs))!r}; its traceback is in the log"
        ending = Ending(reason, EndStatus.BUG, ErrorCode.STOPPING)
    return node, ending


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _bind_udp(site: Site) -> UdpSocket:
    me = site.settings.site
    place = site.addresses[me]
    where = f"{place[0]} port {place[1]}, the address of {me},"
    try:
        return await UdpSocket.bind(place)
    except OSError as error:
        if error.errno in _TOO_FEW_FILES:
            raise _too_few_files(error) from error
        if isinstance(error, socket.gaierror):
            raise AddressMissing(
                f"the host name {place[0]} of {me} has no address yet ({error.strerror});"
                " if none is to come, correct it in the sites file"
            ) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise AddressMissing(
                f"{where} is not one of this machine's yet; if it is not to come, correct it in the sites file"
            ) from error
        if error.errno == errno.EADDRINUSE:
            message = (
                f"{where} is in use: stop the program that has it, or give {me} another port in every site's sites file"
            )
            raise CannotServe(message, EndStatus.ADDRESS_IN_USE) from error
        message = f"{where} cannot be used on this machine ({error}): write one that this machine has in its sites file"
        raise CannotServe(message, EndStatus.BAD_CONFIGURATION) from error


def _too_few_files(error: OSError) -> CannotServe:
    return CannotServe(f"{error.strerror}: allow more of them (`ulimit -n`)", EndStatus.BAD_CONFIGURATION)


def _print_ready(ready: Ready) -> None:
    print_line(_STDOUT, ready.line())
