"""The sockets of a site: its own over UDP, the control socket and, where it is asked for, that of the metrics.

Rules that hold here:
- A machine that starts has no addresses and no resolver yet: what may come by itself is waited for, until somebody
  stops the site; what cannot be right ends it. For where metrics are told no site waits.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

import trio

from engine.contract.metrics import Metrics
from engine.core.storage import Storage, StoreError
from engine.runtime.assembly import Site
from engine.runtime.control import ControlServer
from engine.runtime.ending import EndStatus
from engine.runtime.inbox import Inbox
from engine.runtime.peer_addresses import HostPort
from engine.runtime.udp import UdpSocket
from engine.site_files import UnusableFolder

if TYPE_CHECKING:
    from engine.runtime.exporter import Exporter

ADDRESS_AGAIN_S: Final = 1.0
"""How often an address that is not there yet is tried."""

ADDRESS_SAID_EVERY_S: Final = 60.0
"""How often the log says what is waited for."""

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
class Sockets:
    udp: UdpSocket
    control: ControlServer
    exporter: Exporter | None

    def close(self) -> None:
        self.control.close()
        self.udp.close()
        if self.exporter is not None:
            self.exporter.close()


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
            await inbox.wait(attempt)
            if opened:
                return opened[0]
        _log.info("%s stops before it was ready: %s", site.settings.site, inbox.stop_reason)
        return None
    finally:
        if not opened:
            close_unused(site.storage)


def close_unused(storage: Storage) -> None:
    """What the site would have said of its store at its end has no one to go to but the log."""
    try:
        storage.close()
    except StoreError as error:
        _log.error("the store was not closed cleanly: %s", error)


async def _open_sockets(site: Site) -> Sockets:
    """Raises AddressMissing, CannotServe."""
    with ExitStack() as undo:
        udp = await _bind_udp(site)
        undo.callback(udp.close)
        exporter = None
        if site.metrics_at is not None:
            with suppress(AddressMissing):  # `serve_metrics_later` goes on with that
                exporter = await listen_for_metrics(site.metrics_at)
                undo.callback(exporter.close)
        sockets = Sockets(udp, _make_control(site), exporter)
        undo.pop_all()
    return sockets


def _make_control(site: Site) -> ControlServer:
    """Raises CannotServe."""
    try:
        return ControlServer(site.control)
    except UnusableFolder as error:
        raise CannotServe(str(error), EndStatus.BAD_CONFIGURATION) from error
    except OSError as error:
        if error.errno in _TOO_FEW_FILES:
            raise _too_few_files(error) from error
        what = f"cannot make the control socket {site.control}: {error.strerror}"
        if error.errno in _DISK_ERRORS:
            raise CannotServe(f"{what}. Free some space there, or make the disk writable", EndStatus.STORE) from error
        message = f"{what}. Move away what is there, and make the folder writable for this user"
        raise CannotServe(message, EndStatus.BAD_CONFIGURATION) from error


async def _bind_udp(site: Site) -> UdpSocket:
    me = site.settings.site
    place = site.addresses[me]
    try:
        return await UdpSocket.bind(place)
    except OSError as error:
        _give_up_or_wait(
            error,
            place,
            whose=f"the address of {me}",
            elsewhere=f"give {me} another port in every site's sites file",
            correct="correct it in the sites file",
        )


async def listen_for_metrics(at: HostPort) -> Exporter:
    """Raises AddressMissing, CannotServe."""
    from engine.runtime import exporter  # noqa: PLC0415  (loads the library of Prometheus, which is for who asked for it)

    try:
        return await exporter.listen(*at)
    except OSError as error:
        _give_up_or_wait(
            error,
            at,
            whose="the address for metrics",
            elsewhere="name another port with --metrics",
            correct="name another address with --metrics",
        )


async def serve_metrics_later(at: HostPort, told: Callable[[], Metrics]) -> None:
    """Tells metrics once their address is there: the site serves meanwhile. Until it is cancelled."""
    say_at_s = trio.current_time()
    while True:
        try:
            exporter = await listen_for_metrics(at)
        except (AddressMissing, CannotServe) as missing:
            if trio.current_time() >= say_at_s:
                say_at_s = trio.current_time() + ADDRESS_SAID_EVERY_S
                _log.warning("metrics are not served yet: %s", missing)
            await trio.sleep(ADDRESS_AGAIN_S)
        else:
            await exporter.serve(told)


def _give_up_or_wait(error: OSError, place: HostPort, *, whose: str, elsewhere: str, correct: str) -> NoReturn:
    """Raises AddressMissing where the address may come by itself, else CannotServe."""
    host, port = place
    where = f"{host} port {port}, {whose},"
    if error.errno in _TOO_FEW_FILES:
        raise _too_few_files(error) from error
    if isinstance(error, socket.gaierror):
        raise AddressMissing(
            f"the host name {host}, {whose}, has no address yet ({error.strerror}); unless it gets one later, {correct}"
        ) from error
    if error.errno == errno.EADDRNOTAVAIL:
        raise AddressMissing(
            f"{where} is not an address of this machine yet; unless it gets it later, {correct}"
        ) from error
    if error.errno == errno.EADDRINUSE:
        message = f"{where} is in use: stop the program that uses it, or {elsewhere}"
        raise CannotServe(message, EndStatus.ADDRESS_IN_USE) from error
    message = f"{where} cannot be used on this machine ({error.strerror}): {correct}"
    raise CannotServe(message, EndStatus.BAD_CONFIGURATION) from error


def _too_few_files(error: OSError) -> CannotServe:
    return CannotServe(f"{error.strerror}: allow more of them (`ulimit -n`)", EndStatus.BAD_CONFIGURATION)
