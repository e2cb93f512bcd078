"""One site of PySyncObj: `python -m tests.bench.peers.unsynced_site OWN OTHER ...`, with its package in PYTHONPATH.

It says whether it leads. Told to go, it appends to the replicated list and keeps as many appends outstanding as it was
asked to; what its thread calls back is replaced from there.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import threading
import time
from array import array
from typing import Any, Final

from msgspec import json

from tests.bench.events import text_of
from tests.bench.load import BEGUN, Driven, percentile_ms
from tests.bench.peers.unsynced import GO, LEADS

_PERIOD_S: Final = 0.001
"""How often a leader sends what was appended. By default it waits for 0.1 s, however much there is."""


class Appends:
    """What is settled is counted from `count_anew` on."""

    def __init__(self, replicated: Any) -> None:
        self._replicated = replicated
        self._lock = threading.Lock()
        self._number = 0
        self.count_anew()

    def count_anew(self) -> None:
        with self._lock:
            self.created = 0
            self.failed = 0
            self.latencies = array("d")

    def append(self) -> None:
        self._number += 1
        asked_at = time.perf_counter()
        self._replicated.append(text_of(self._number), callback=lambda _result, error: self._settled(asked_at, error))

    def _settled(self, asked_at: float, error: int) -> None:
        with self._lock:
            if error:
                self.failed += 1
            else:
                self.created += 1
                self.latencies.append(time.perf_counter() - asked_at)
        self.append()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers.unsynced_site")
    parser.add_argument("addresses", nargs="+")
    parser.add_argument("--outstanding", type=int, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    own, *others = options.addresses
    replicated = importlib.import_module("pysyncobj.batteries").ReplList()
    package = importlib.import_module("pysyncobj")
    ready = threading.Event()  # it has caught up with a leader
    settings = package.SyncObjConf(autoTickPeriod=_PERIOD_S, appendEntriesPeriod=_PERIOD_S, onReady=ready.set)
    site = package.SyncObj(own, others, settings, consumers=[replicated])
    ready.wait()
    _say(LEADS if str(site._getLeader()) == own else b"follows\n")
    if sys.stdin.buffer.readline() != GO:
        return
    appends = Appends(replicated)
    for _ in range(options.outstanding):
        appends.append()
    time.sleep(options.warm_up)  # driven for so long, and not counted
    _say(BEGUN)
    appends.count_anew()
    began, computed = time.perf_counter(), time.process_time()
    time.sleep(options.seconds)  # driven for so long: that is what is measured
    took, latencies = time.perf_counter() - began, appends.latencies
    p50, p99 = (percentile_ms(latencies, percent) for percent in (50, 99))
    others_said = {"failed": appends.failed} if appends.failed else {}
    driven = Driven(took, appends.created, others_said, p50, p99, time.process_time() - computed)
    _say(json.encode(driven) + b"\n")


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
