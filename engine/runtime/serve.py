"""Runs one site: puts a node together from its parts, serves it, and ends it in good order.

Rules that hold here:
- The caller has opened the store, and so holds its lock: whatever control socket lies at the path is stale (D4).
- It ends in this order: the control socket is taken away, the UDP socket is closed, the store is let go, requests
  without an answer are told so, and then the connections close. Who starts the site again finds everything free.
- The exit status is an EndStatus (`engine.runtime.ending`).
- Nothing that becomes of stdin, stdout and stderr ends a site that serves (`engine.runtime.log`).
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
from engine.runtime.ending import Ending, EndStatus, store_ending
from engine.runtime.inbox import Inbox
from engine.runtime.log import LogStyle, logging_to, print_line
from engine.runtime.node import Node
from engine.runtime.peer_addresses import show
from engine.runtime.service_manager import ServiceManager
from engine.runtime.sockets import CannotServe, Sockets, await_sockets, close_unused, serve_metrics_later
from engine.runtime.stopping import watch_lifeline, watch_signals

_STDOUT: Final = 1
_STDERR: Final = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a site that takes commands is found, and who tells how it stands."""

    site: SiteId
    udp: str
    control: Path
    metrics: str | None
    status: Callable[[], Status]

    def line(self) -> str:
        said = {"ready": True, "site": self.site, "udp": self.udp, "control": str(self.control)}
        metrics = {} if self.metrics is None else {"metrics": self.metrics}
        return orjson.dumps(said | metrics).decode()


def serve(site: Site, lifeline: int | None = None, log: LogStyle | None = None) -> int:
    """Runs the site until a client, SIGINT, SIGTERM or the end of `lifeline`, a file descriptor, stops it.

    Logs to stderr, prints the ready line, closes the store. Returns the exit status. Raises CannotServe.
    """
    with ExitStack() as logs:
        try:
            logs.enter_context(logging_to(_STDERR, site.settings.site, log))
        except OSError as error:
            close_unused(site.storage)
            message = (
                f"the log cannot be written to {error.filename} ({error.strerror}): name another file with --log-file"
            )
            raise CannotServe(message, EndStatus.BAD_CONFIGURATION) from error
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


async def run_site(site: Site, sockets: Sockets, inbox: Inbox, on_ready: Callable[[Ready], None]) -> int:
    """Serves on these sockets until `inbox.stop`, a client's `stop`, or a failure; closes all. Returns the status."""
    try:
        return await _run_and_end(site, sockets, inbox, on_ready)
    except Exception:
        _log.exception("a bug ended this site; please report it with the lines below")
        return EndStatus.BUG
    finally:
        sockets.close()
        site.words.close()
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
            if sockets.exporter is not None:
                nursery.start_soon(sockets.exporter.serve, node.metrics)
            elif site.metrics_at is not None:
                nursery.start_soon(serve_metrics_later, site.metrics_at, node.metrics)
            where = show(sockets.udp.address), sockets.control.bound_at
            metrics = None if sockets.exporter is None else show(sockets.exporter.address)
            on_ready(Ready(site.settings.site, *where, metrics, node.status))
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


def _print_ready(ready: Ready) -> None:
    print_line(_STDOUT, ready.line())
