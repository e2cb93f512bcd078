"""A cluster to be measured: real engines on loopback, with the timings that a cluster has by default."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import json

from engine.contract.answers import Topic
from engine.core.settings import Leadership
from engine.site_files import socket_to_ask
from engine.template import DEFAULT_NAMES
from tests.bench.children import bound, computed_s, running
from tests.bench.load import BEGUN, Driven
from tests.real_cluster import PROGRAM, RealCluster, until
from tui.connection import Connection

CLUSTER: Final = "test-island"


class Place(StrEnum):
    """At which site the client is."""

    LEADER = "at the leader"
    OTHER = "at another site"
    AUTHOR = "one site proposing"  # where there is no leader, always the same


@dataclass(frozen=True, slots=True)
class Shape:
    sites: int
    leadership: Leadership


class LoadFailed(Exception):
    """The message says what of the load did not go as it should."""


class BenchCluster(RealCluster):
    def __init__(self, folder: Path, shape: Shape) -> None:
        super().__init__(
            folder, DEFAULT_NAMES[: shape.sites], timings="", leadership=shape.leadership, program=bound(PROGRAM)
        )
        self.shape = shape

    def begin(self) -> None:
        """Starts every engine; until all are reached, and have a leader where there is to be one."""
        self.serve_all()
        until(lambda: all(self.ask(name, "status")["voting"] for name in self.names), "every site votes")
        if self.shape.leadership is Leadership.ELECTED:
            until(lambda: self.leader() is not None, "a leader is elected")

    def leader(self) -> str | None:
        """The one that every running site follows."""
        leaders = {self.ask(name, "status")["leader"] for name in self.engines}
        return leaders.pop() if len(leaders) == 1 else None

    def site_at(self, place: Place) -> str:
        if place is Place.AUTHOR:
            return self.names[0]
        until(lambda: self.leader() is not None, "a leader is elected")
        leader = self.leader()
        assert leader is not None
        return leader if place is Place.LEADER else next(name for name in self.names if name != leader)

    @property
    def process_ids(self) -> list[int]:
        return [engine.process.pid for engine in self.engines.values()]

    def prefix(self, site: str) -> int:
        chosen_through: int = self.ask(site, "status")["chosen_through"]
        return chosen_through

    def computed_s(self) -> float:
        return computed_s(self.process_ids)

    def stop(self) -> None:
        """Stops every engine as a user does, so that its store is closed."""
        for engine in self.engines.values():
            engine.process.terminate()
        for engine in self.engines.values():
            engine.process.wait()
            engine.close()
        self.engines.clear()


class DrivingLoad:
    """A load that runs in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def wait_begun(self) -> None:
        """Until the warm-up is over."""
        if self._line() != BEGUN:
            raise self._ended()

    def figures(self) -> Driven:
        """Once the time is over."""
        line = self._line()
        if not line:
            raise self._ended()
        return json.decode(line, type=Driven)

    def wait_drained(self) -> None:
        """Until nothing of it is left at the site."""
        self._process.wait()

    def _ended(self) -> LoadFailed:
        *_, last = self._log.read_text().splitlines() or ["it said nothing"]
        return LoadFailed(f"the load ended before its time: {last}")

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def driving(
    cluster: BenchCluster, site: str, outstanding: int, seconds: float, warm_up_s: float
) -> Iterator[DrivingLoad]:
    words = [
        *(sys.executable, "-m", "tests.bench.load", str(cluster.socket_path(site))),
        *("--outstanding", str(outstanding), "--seconds", str(seconds), "--warm-up", str(warm_up_s)),
    ]
    log = cluster.folder / "load.log"
    with running(words, log) as process:
        yield DrivingLoad(process, log)


@contextmanager
def crowd(socket_path: Path, clients: int) -> Iterator[None]:
    """So many clients that subscribe to everything that screens do, and never read."""
    topics = [topic.value for topic in Topic if topic is not Topic.RECORD]
    _, line = Connection().request("subscribe", {"topics": topics})
    at = socket_to_ask(socket_path)
    assert at is not None, f"nothing listens at {socket_path}"
    with ExitStack() as all_of_them:
        for _ in range(clients):
            one = all_of_them.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            one.connect(str(at))
            one.sendall(line)
        yield
