"""A machine that starts: what is not there yet is waited for, and what cannot be right is said (docs/commands.md)."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

import engine.runtime.sockets as opening
from engine.runtime.ending import EndStatus
from engine.runtime.inbox import Inbox
from engine.runtime.peer_addresses import HostPort
from engine.runtime.sockets import CannotServe, await_sockets
from engine.runtime.udp import UdpSocket
from tests.runtime.serve_one import one_site
from tests.runtime.sites import WITHIN_S

NOT_YET = {
    "its address": (
        OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)),
        "is not an address of this machine yet",
    ),
    "its host name": (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "has no address yet"),
    "a name nobody knows": (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "has no address yet"),
}


def _fails_at_first(times: int, error: OSError) -> Callable[[HostPort], object]:
    bind = UdpSocket.bind
    failures = [error] * times

    async def binds(at: HostPort) -> UdpSocket:
        if failures:
            raise failures.pop()
        return await bind(at)

    return binds


@pytest.mark.parametrize("missing", NOT_YET)
async def test_what_comes_by_itself_is_waited_for_with_a_line_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    error, words = NOT_YET[missing]
    monkeypatch.setattr(UdpSocket, "bind", _fails_at_first(5, error))
    monkeypatch.setattr(opening, "ADDRESS_AGAIN_S", 0.001)
    site = one_site(tmp_path)
    with trio.fail_after(WITHIN_S):
        sockets = await await_sockets(site, Inbox())
    assert sockets is not None
    sockets.close()
    site.storage.close()
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("waits: ")]
    assert len(said) == 1
    assert words in said[0]


async def test_a_line_a_minute_says_that_it_still_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(UdpSocket, "bind", _fails_at_first(3, NOT_YET["its address"][0]))
    monkeypatch.setattr(opening, "ADDRESS_AGAIN_S", 0.001)
    monkeypatch.setattr(opening, "ADDRESS_SAID_EVERY_S", 0.0)
    site = one_site(tmp_path)
    with trio.fail_after(WITHIN_S):
        sockets = await await_sockets(site, Inbox())
    assert sockets is not None
    sockets.close()
    site.storage.close()
    assert sum("waits: " in record.getMessage() for record in caplog.records) == 3


async def test_who_waits_for_an_address_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = trio.Event()

    async def never(_: HostPort) -> UdpSocket:
        asked.set()
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(UdpSocket, "bind", never)
    inbox, got = Inbox(), []

    async def waits() -> None:
        got.append(await await_sockets(one_site(tmp_path), inbox))

    with trio.fail_after(WITHIN_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits)
            await asked.wait()
            inbox.stop("SIGTERM came")
    assert got == [None]
    one_site(tmp_path).storage.close()  # the store was let go


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (errno.EMFILE, EndStatus.BAD_CONFIGURATION, "allow more of them"),
        (errno.EACCES, EndStatus.BAD_CONFIGURATION, "make the folder writable for this user"),
        (errno.ENOSPC, EndStatus.STORE, "Free some space there"),
    ],
)
async def test_a_control_socket_that_cannot_be_made_is_no_address_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: EndStatus, words: str
) -> None:
    def refused(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(opening, "ControlServer", refused)
    with pytest.raises(CannotServe, match=words) as failed:
        await await_sockets(one_site(tmp_path), Inbox())
    assert failed.value.status == status
    one_site(tmp_path).storage.close()


async def test_a_folder_in_the_way_of_the_control_socket_is_named(tmp_path: Path) -> None:
    (tmp_path / "control.sock").mkdir()
    with pytest.raises(CannotServe, match=r"control\.sock: .*Move away what is there") as failed:
        await await_sockets(one_site(tmp_path), Inbox())
    assert failed.value.status == EndStatus.BAD_CONFIGURATION
