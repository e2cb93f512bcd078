"""A service manager is told when a site serves, that it is alive, how it stands, and that it stops (sd_notify(3))."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime.service_manager import ServiceManager
from tests.real_cluster import PROGRAM, RealCluster, environment


class Manager:
    """The other end: a socket as systemd gives it to a service."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(60)

    def told(self) -> list[str]:
        return self._socket.recv(4_096).decode().split("\n")

    def told_until(self, line: str) -> list[str]:
        said: list[str] = []
        while line not in said:
            said += self.told()
        return said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_what_it_waits_for_and_that_it_stops_are_one_line_each(manager: Manager) -> None:
    told = ServiceManager(str(manager.path), None)
    told.waits("the host name\nhas no address")
    assert manager.told() == ["STATUS=the host name has no address"]
    told.stops("SIGTERM came")
    assert manager.told() == ["STOPPING=1", "STATUS=SIGTERM came"]


def test_an_abstract_socket_is_one() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(f"\0loggos-test-{os.getpid()}")
        other.settimeout(60)
        ServiceManager(f"@loggos-test-{os.getpid()}", None).ready()
        assert other.recv(100) == b"READY=1"


def test_where_nobody_is_told_nothing_happens(tmp_path: Path) -> None:
    ServiceManager(None, None).ready()
    ServiceManager(str(tmp_path / "gone"), None).ready()
    ServiceManager.of({"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "soon"}).ready()


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({}, 10.0),
        ({"WATCHDOG_USEC": "4000000"}, 2.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, 10.0),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
    ],
    ids=["none", "its own", "another process's", "patient"],
)
def test_a_watchdog_is_told_twice_in_its_time(environment: dict[str, str], every_s: float) -> None:
    assert ServiceManager.of(environment)._every_s == every_s


def test_an_engine_tells_that_it_serves_how_it_stands_and_that_it_stops(tmp_path: Path, manager: Manager) -> None:
    with RealCluster(tmp_path, ("alice",)) as cluster:
        told_to = {**environment(), "NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "400000"}
        words = (*cluster.options, "serve", "alice")
        with subprocess.Popen(
            [*PROGRAM, *words], env=told_to, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as engine:
            try:
                manager.told_until("READY=1")
                said = [manager.told() for _ in range(2)]
                assert all(line[0] == "WATCHDOG=1" for line in said), "again and again"
                assert "1 of 1 voters reachable" in said[1][1]
                engine.send_signal(signal.SIGTERM)
                assert "STATUS=SIGTERM was received" in manager.told_until("STOPPING=1")
                assert engine.wait(60) == 0
            finally:
                engine.kill()
