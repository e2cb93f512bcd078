"""A row that drives load at a cluster, with what goes on beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, assert_never

from tests.bench import rows
from tests.bench.children import resident_mib
from tests.bench.cluster import BenchCluster, crowd, driving
from tests.bench.outcome import Figure, Rate
from tests.bench.screen import typing

WARM_UP_S_MAX: Final = 1.0

Meanwhile = Callable[[float], tuple[Figure, ...]]
"""Called with how many seconds the load goes on; what it measured in these."""


def measure(cluster: BenchCluster, work: rows.Driven, seconds: float) -> tuple[Rate, tuple[Figure, ...], str]:
    """The rate, what else was measured, and what was not created."""
    site = cluster.site_at(work.place)
    with (
        _beside(cluster, site, work.beside) as meanwhile,
        driving(cluster, site, work.outstanding, seconds, min(seconds, WARM_UP_S_MAX)) as load,
    ):
        load.wait_begun()
        began, computed = time.perf_counter(), cluster.computed_s()
        figures = meanwhile(seconds)
        driven = load.figures()
        took, computed = time.perf_counter() - began, cluster.computed_s() - computed
        if isinstance(work.beside, rows.Loss):
            figures = (*figures, _furthest_behind(cluster, site))
        load.wait_drained()
    rate = Rate(
        driven.created / driven.seconds,
        driven.latency_p50_ms,
        driven.latency_p99_ms,
        driven.computed_s / driven.seconds,
        computed / took,
    )
    return rate, figures, ", ".join(f"{count} {outcome}" for outcome, count in sorted(driven.others.items()))


@contextmanager
def _beside(cluster: BenchCluster, site: str, beside: rows.Beside) -> Iterator[Meanwhile]:
    match beside:
        case rows.Alone():
            yield lambda _: ()
        case rows.Loss(percent):
            for name in cluster.names:
                cluster.ask(name, "faults.add", {"rule": f"from={name} drop={percent}%"})
            try:
                yield lambda _: ()
            finally:
                for name in cluster.names:
                    cluster.ask(name, "faults.clear")
        case rows.Watched(columns, lines):
            with typing(cluster, site, (columns, lines)) as keys:
                yield keys
        case rows.Crowd(clients):
            with crowd(cluster.socket_path(site), clients):
                yield lambda seconds: _largest(cluster, site, seconds)
        case _:
            assert_never(beside)


def _furthest_behind(cluster: BenchCluster, site: str) -> Figure:
    """What the others lack: they are read as much as it is."""
    through = cluster.prefix(site)
    behind = max(through - cluster.prefix(other) for other in cluster.names if other != site)
    return Figure("another site lacks then", max(0, behind), "entries")


def _largest(cluster: BenchCluster, site: str, seconds: float) -> tuple[Figure, ...]:
    """How large the site was at most, looked at every tenth of the time."""
    process_id = cluster.engines[site].process.pid
    largest = 0.0
    for _ in range(10):
        time.sleep(seconds / 10)  # between two looks, for as long as the load is driven
        largest = max(largest, resident_mib(process_id))
    return (Figure("RSS of its site, at most", largest, "MiB"),)
