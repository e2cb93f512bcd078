"""Loopback ports for the clusters of tests.

Rules that hold here:
- They lie below the ports that the system gives out by itself: what is free when it is drawn is not taken by chance
  before an engine binds it, or while an engine that was killed is not back yet.
- Each worker of a test run draws from a range of its own, in a circle: a port comes again after some thousand others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from itertools import cycle
from typing import Final

from engine import template
from engine.addresses import Address
from engine.core.ids import SiteId

_LOOPBACK: Final = "127.0.0.1"
_FIRST: Final = 10_000
_WORKERS: Final = 8
_PORTS_EACH: Final = 2_700

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_mine = range(_FIRST + _worker * _PORTS_EACH, _FIRST + (_worker + 1) * _PORTS_EACH)
_begins = os.getpid() * 37 % _PORTS_EACH
_circle = cycle([*_mine[_begins:], *_mine[:_begins]])


def let_the_program_draw() -> None:
    """For a process of its own: what it draws for a sites file is from its worker's range too."""
    vars(template)["_FREE_PORTS"] = _mine


def free_ports(count: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> list[int]:
    """Ports of UDP, or of this kind of socket, that nobody has."""
    found: list[int] = []
    while len(found) < count:
        port = next(_circle)
        with socket.socket(socket.AF_INET, kind) as bound:
            try:
                bound.bind((_LOOPBACK, port))
            except OSError:
                continue
        found.append(port)
    return found


def free_addresses(names: Sequence[str]) -> dict[SiteId, Address]:
    """An address for each of these sites."""
    return {SiteId(name): Address(_LOOPBACK, port) for name, port in zip(names, free_ports(len(names)), strict=True)}
