"""etcd with its default settings, three nodes on loopback, as h2load puts values into it.

Rules that hold here:
- Every put is of the same key: etcd keeps each as a revision of its own, and its raft log does not care.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import SOCK_STREAM
from typing import Final

from msgspec import Struct, json

from tests.bench.children import computed_s, running
from tests.bench.cluster import LoadFailed, Place
from tests.bench.events import text_of
from tests.bench.outcome import Rate
from tests.bench.peers.h2load import post, put_request
from tests.bench.peers.installed import program
from tests.bench.rows import Etcd
from tests.ports import free_ports
from tests.real_cluster import until

WARM_UP_S_MAX: Final = 1.0
_NODES: Final = 3
_BOUND_S: Final = 5.0


class _Header(Struct):
    member_id: str


class _Status(Struct):
    header: _Header
    leader: str = "0"


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    client_url: str
    peer_url: str

    def leads(self) -> bool | None:
        """None: it does not answer yet, or knows no leader."""
        request = urllib.request.Request(f"{self.client_url}/v3/maintenance/status", data=b"{}", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=_BOUND_S) as answer:
                status = json.decode(answer.read(), type=_Status)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None
        return None if status.leader == "0" else status.leader == status.header.member_id


def measure(folder: Path, work: Etcd, seconds: float) -> Rate:
    """Raises PeerMissing, LoadFailed, H2loadFailed."""
    h2load, etcd = program("h2load"), program("etcd")
    with _cluster(etcd, folder) as (nodes, processes):
        wanted = work.place is Place.LEADER
        node = next((node for node in nodes if node.leads() is wanted), None)
        if node is None:
            raise LoadFailed("etcd has lost its leader")
        url = f"{node.client_url}/etcdserverpb.KV/Put"
        frame = put_request(b"bench", text_of(1).encode())
        began, computed = time.perf_counter(), computed_s(processes)
        rate = post(
            *(h2load, url, frame, folder),
            connections=work.connections,
            streams=work.streams,
            seconds=seconds,
            warm_up_s=min(seconds, WARM_UP_S_MAX),
        )
        cores = (computed_s(processes) - computed) / (time.perf_counter() - began)
        return replace(rate, sites_cores=cores)


@contextmanager
def _cluster(etcd: str, folder: Path) -> Iterator[tuple[list[_Node], list[int]]]:
    """The nodes, once one of them leads, and their processes."""
    ports = free_ports(2 * _NODES, SOCK_STREAM)
    nodes = [
        _Node(f"n{number}", *(f"http://127.0.0.1:{port}" for port in ports[2 * number : 2 * number + 2]))
        for number in range(_NODES)
    ]
    members = ",".join(f"{node.name}={node.peer_url}" for node in nodes)
    with ExitStack() as stack:
        processes = []
        for node in nodes:
            words = [
                *(etcd, "--name", node.name, "--data-dir", str(folder / node.name)),
                *("--listen-client-urls", node.client_url, "--advertise-client-urls", node.client_url),
                *("--listen-peer-urls", node.peer_url, "--initial-advertise-peer-urls", node.peer_url),
                *(
                    "--initial-cluster",
                    members,
                    "--initial-cluster-state",
                    "new",
                    "--initial-cluster-token",
                    folder.name,
                ),
            ]
            processes.append(stack.enter_context(running(words, folder / f"{node.name}.log")).pid)
        until(lambda: sorted(str(node.leads()) for node in nodes) == ["False", "False", "True"], "etcd has a leader")
        yield nodes, processes
