"""A program for tests: `python -m tests.runtime.serve_one FOLDER PORT` serves a cluster of one until it is stopped."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.core.ids import SiteId
from engine.core.settings import Leadership, Settings
from engine.datagram import DatagramSizes
from engine.runtime.assembly import Site
from engine.runtime.serve import serve
from engine.wire import Wire
from storage.schema import Identity
from storage.sqlite import open_store
from tests.ports import free_ports
from tests.runtime.sites import CLUSTER, KEY, QUICK


def one_site(folder: Path, port: int | None = None) -> Site:
    """The only site of its cluster, its store open, at a free port where none is named."""
    alice = SiteId("alice")
    return Site(
        cluster=CLUSTER,
        settings=Settings(alice, (alice,), Leadership.NONE, QUICK),
        addresses={alice: ("127.0.0.1", port or free_ports(1)[0])},
        wire=Wire(KEY, CLUSTER, alice),
        datagram_sizes=DatagramSizes(16_384, 16_384),
        storage=open_store(folder, Identity(CLUSTER, alice, (alice,))),
        folder=folder,
        control=folder / "control.sock",
        version="0",
    )


def main() -> int:
    return serve(one_site(Path(sys.argv[1]), int(sys.argv[2])), sys.stdin.fileno())


if __name__ == "__main__":
    sys.exit(main())
