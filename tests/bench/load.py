"""A process that keeps a number of events outstanding at one site: `python -m tests.bench.load SOCKET ...`.

Rules that hold here:
- Exactly so many are outstanding: what is answered is asked for anew at once, all that was read together in one write.
- The first line on stdout is printed when the warm-up is over, the second has the figures. What was asked for is then
  waited for, so that nothing of this load is left for the next.
- It runs in a process of its own, and tells what it computed: on a machine with few cores it takes them from the sites.
"""

from __future__ import annotations

import argparse
import resource
import selectors
import socket
import statistics
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import json

from engine.site_files import socket_to_ask
from tests.bench.events import CREATED, TOGETHER_FROM, OneByOne, Speech, Together

BEGUN: Final = b"begun\n"
DRAIN_S: Final = 90.0
_CHUNK_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Driven:
    """What was settled in `seconds`, and how long each event took from its request to its answer."""

    seconds: float
    created: int
    others: dict[str, int]
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    computed_s: float


class EngineGone(Exception):
    """The connection ended."""


class Load:
    def __init__(self, connected: socket.socket, speech: Speech, outstanding: int) -> None:
        self._socket = connected
        self._speech = speech
        self._unsent = bytearray()
        self._asked_at = array("d", [0.0])  # by number: there is no event 0
        self._left = 0
        self._outcomes: Counter[str] = Counter()
        self._latencies = array("d")
        self._poll = selectors.DefaultSelector()
        self._poll.register(connected, selectors.EVENT_READ)
        self._ask(outstanding)

    def run(self, seconds: float) -> Driven:
        """For so long, and until something was settled, but not for DRAIN_S longer. Raises EngineGone."""
        self._outcomes.clear()
        self._latencies = array("d")
        began, computed_s = time.perf_counter(), _computed_s()
        end = began + seconds
        while (now := time.perf_counter()) < end or (not self._outcomes and now < end + DRAIN_S):
            self._ask(self._move((end if now < end else end + DRAIN_S) - now))
        created = self._outcomes.pop(CREATED, 0)
        return Driven(
            now - began,
            created,
            dict(self._outcomes),
            percentile_ms(self._latencies, 50),
            percentile_ms(self._latencies, 99),
            _computed_s() - computed_s,
        )

    def drain(self) -> None:
        """Until nothing is outstanding, or DRAIN_S have passed. Raises EngineGone."""
        deadline = time.perf_counter() + DRAIN_S
        while self._left and (now := time.perf_counter()) < deadline:
            self._move(deadline - now)

    def _ask(self, count: int) -> None:
        if count:
            self._unsent += self._speech.submit(count)
            self._asked_at.extend([time.perf_counter()] * count)
            self._left += count
            self._write()

    def _move(self, seconds: float) -> int:
        """Moves what can be moved within this time; returns how many events were settled."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._poll.modify(self._socket, wanted)
        settled = 0
        for _, ready in self._poll.select(seconds):
            if ready & selectors.EVENT_WRITE:
                self._write()
            if ready & selectors.EVENT_READ:
                settled += self._read()
        return settled

    def _write(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return

    def _read(self) -> int:
        chunk = self._socket.recv(_CHUNK_BYTES)
        if not chunk:
            raise EngineGone("the engine closed the connection")
        told, now = self._speech.take(chunk), time.perf_counter()
        for first, count, outcome in told:
            self._outcomes[outcome] += count
            self._latencies.extend([now - asked for asked in self._asked_at[first : first + count]])
        settled = sum(count for _, count, _ in told)
        self._left -= settled
        return settled


def percentile_ms(seconds: array[float], percent: int) -> float | None:
    """None of nothing."""
    if len(seconds) < 2:
        return seconds[0] * 1_000 if seconds else None
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1_000


def _computed_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--outstanding", type=int, required=True)
    parser.add_argument("--warm-up", type=float, required=True, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    at = socket_to_ask(options.socket)
    if at is None:
        raise SystemExit(f"nothing listens at {options.socket}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        connected.connect(str(at))
        connected.setblocking(False)
        speech = OneByOne() if options.outstanding < TOGETHER_FROM else Together()
        load = Load(connected, speech, options.outstanding)
        load.run(options.warm_up)
        _print(BEGUN)
        driven = load.run(options.seconds)
        _print(json.encode(driven) + b"\n")
        load.drain()


def _print(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
