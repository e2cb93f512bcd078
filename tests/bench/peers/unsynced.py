"""PySyncObj, three processes on loopback: a list replicated in memory. It never syncs: nothing of it is durable."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from socket import SOCK_STREAM
from typing import Final

from msgspec import json

from tests.bench.children import computed_s, running
from tests.bench.cluster import LoadFailed
from tests.bench.load import BEGUN, Driven
from tests.bench.outcome import Rate
from tests.bench.peers.installed import packages
from tests.ports import free_ports

WARM_UP_S: Final = 1.0
LEADS: Final = b"leads\n"
GO: Final = b"go\n"
_SITES: Final = 3


def measure(folder: Path, outstanding: int, seconds: float) -> Rate:
    """Raises PeerMissing, LoadFailed."""
    surroundings = {"PYTHONPATH": str(packages("pysyncobj"))}
    addresses = [f"127.0.0.1:{port}" for port in free_ports(_SITES, SOCK_STREAM)]
    load = ("--outstanding", str(outstanding), "--seconds", str(seconds), "--warm-up", str(WARM_UP_S))
    with ExitStack() as stack:
        sites = []
        for number, own in enumerate(addresses):
            others = [other for other in addresses if other != own]
            words = [sys.executable, "-m", "tests.bench.peers.unsynced_site", *load, own, *others]
            sites.append(stack.enter_context(running(words, folder / f"{number}.log", surroundings)))
        leader = next((site for site in sites if _line(site) == LEADS), None)
        if leader is None:
            raise LoadFailed("PySyncObj has no leader")
        assert leader.stdin is not None
        leader.stdin.write(GO)
        leader.stdin.flush()
        if _line(leader) != BEGUN:
            raise LoadFailed("PySyncObj did not begin")
        ids = [site.pid for site in sites]
        began, computed = time.perf_counter(), computed_s(ids)
        driven = json.decode(_line(leader), type=Driven)
        cores = (computed_s(ids) - computed) / (time.perf_counter() - began)
    return Rate(driven.created / driven.seconds, driven.latency_p50_ms, driven.latency_p99_ms, sites_cores=cores)


def _line(site: subprocess.Popen[bytes]) -> bytes:
    assert site.stdout is not None
    return site.stdout.readline()
