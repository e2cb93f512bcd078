"""Measures rows one after the other.

Rules that hold here:
- A cluster is kept as long as the next row has the same; what is left of the one before is gone before the next starts.
- A row that cannot be measured says why, and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, Self, assert_never

from engine.contract.errors import RequestFailed
from tests.bench import driven, floors, rows, starting
from tests.bench.cluster import BenchCluster, LoadFailed, Shape
from tests.bench.outcome import Result
from tests.bench.peers import etcd, unsynced
from tests.bench.peers.installed import PeerMissing
from tests.bench.rows import Row

FAILED: Final = "failed"


class Session:
    """Everything that it started ends with the context."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._kept = ExitStack()
        self._cluster: BenchCluster | None = None
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def measure(self, row: Row) -> Result:
        result = Result(row.section, row.name, against=row.against)
        try:
            return self._measured(row, result)
        except PeerMissing as missing:
            return replace(result, missing=str(missing))
        except (LoadFailed, RequestFailed, AssertionError, OSError) as error:
            self._drop_cluster()
            return replace(result, missing=f"{FAILED}: {error}")

    def _measured(self, row: Row, result: Result) -> Result:
        match row.work:
            case rows.Driven() as work:
                rate, figures, note = driven.measure(self._running(work.shape), work, self._seconds)
                return replace(result, outstanding=work.outstanding, rate=rate, figures=figures, note=note)
            case rows.Floor() as floor:
                return replace(result, outstanding=1, rate=floors.measure(floor, self._fresh_folder(), self._seconds))
            case rows.Etcd() as work:
                rate = etcd.measure(self._fresh_folder(), work, self._seconds)
                return replace(result, outstanding=work.outstanding, rate=rate)
            case rows.Unsynced(outstanding):
                rate = unsynced.measure(self._fresh_folder(), outstanding, self._seconds)
                return replace(result, outstanding=outstanding, rate=rate)
            case rows.Behind() as work:
                return replace(result, figures=starting.behind(self._fresh_folder(), work, self._seconds))
            case rows.Full() as work:
                return replace(result, figures=starting.full(self._fresh_folder(), work))
            case rows.Idle() as work:
                return replace(result, figures=starting.idle(self._fresh_folder(), work, self._seconds))
            case _:
                assert_never(row.work)

    def _running(self, shape: Shape) -> BenchCluster:
        if self._cluster is None or self._cluster.shape != shape:
            folder = self._fresh_folder()
            self._cluster = self._kept.enter_context(BenchCluster(folder, shape))
            self._cluster.begin()
        return self._cluster

    def _fresh_folder(self) -> Path:
        """For whatever comes next, once the cluster before is gone."""
        self._drop_cluster()
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder

    def _drop_cluster(self) -> None:
        self._cluster = None
        self._kept.close()


def with_shares(results: Sequence[Result]) -> Iterator[Result]:
    """Each with its rate's share of the row's that it is held against, where that was measured too."""
    rates = {f"{result.section}: {result.name}": result.rate.per_s for result in results if result.rate is not None}
    for result in results:
        base = rates.get(result.against or "")
        yield replace(result, share=result.rate.per_s / base) if result.rate is not None and base else result
