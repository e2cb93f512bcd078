"""What the sites of this machine say of themselves, time and again, and what came of it between two times.

Rules that hold here:
- All are asked at once, each by a thread of its own: one that hangs makes nobody wait longer than ANSWER_S.
- What is told of the time between two looks is of one process: an engine that was started anew begins anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.contract import requests
from engine.contract.errors import EngineSilent, NoEngine, RequestFailed
from engine.contract.metrics import Metrics
from engine.contract.status import Status
from tui.client import Client
from tui.times import monotonic_s

ANSWER_S: Final = 1.0
KEPT: Final = 240
"""So many rates of a site are kept: more columns than these no terminal has to spare."""

_SITES_AT_ONCE: Final = 64
_SILENT: Final = "the engine does not answer"


@dataclass(frozen=True, slots=True)
class Rates:
    """Between two looks, and how far it is behind at the second. `latency_s`: from the submission of this site's events
    to when they were created; it, and what an event cost this site, are None where there was none."""

    events_per_s: float
    sent_bytes_per_s: float
    lag: int
    latency_s: float | None
    round_trip_ms: int | None
    messages_per_event: float | None
    syncs_per_event: float | None


@dataclass(slots=True)
class Watched:
    """A site: what it said last, when that was, and `why` it says nothing now; `rates` and the older ones of them, None
    for a look that told of no time between."""

    control: Path
    cluster: str = ""
    told: Metrics | None = None
    at_s: float = 0.0
    why: str | None = None
    rates: Rates | None = None
    history: deque[Rates | None] = field(default_factory=lambda: deque(maxlen=KEPT))

    @property
    def status(self) -> Status | None:
        return None if self.told is None else self.told.status

    @property
    def name(self) -> str:
        return self.control.parent.name if self.status is None else self.status.site

    @property
    def data(self) -> Path:
        return self.control.parent.parent

    def take(self, told: Metrics, at_s: float) -> None:
        before, passed_s = self.told, at_s - self.at_s
        goes_on = before is not None and self.why is None and passed_s > 0
        self.told, self.at_s, self.why = told, at_s, None
        same_engine = before is not None and before.status.since == told.status.since
        self._keep(rates(before, told, passed_s) if goes_on and same_engine and before is not None else None)

    def lose(self, why: str) -> None:
        self.why = why
        self._keep(None)

    def _keep(self, between: Rates | None) -> None:
        self.rates = between
        self.history.append(between)


def rates(before: Metrics, now: Metrics, passed_s: float) -> Rates:
    older, newer = before.status.counters, now.status.counters
    events = newer.costs.events - older.costs.events
    messages = newer.costs.messages_out - older.costs.messages_out
    syncs = newer.costs.commits - older.costs.commits
    created = sum(now.created.counts) - sum(before.created.counts)
    return Rates(
        events_per_s=events / passed_s,
        sent_bytes_per_s=(newer.bytes_out - older.bytes_out) / passed_s,
        lag=now.status.lag,
        latency_s=(now.created.sum_s - before.created.sum_s) / created if created else None,
        round_trip_ms=round_trip_ms(now.status),
        messages_per_event=messages / events if events else None,
        syncs_per_event=syncs / events if events else None,
    )


def round_trip_ms(status: Status) -> int | None:
    """To the farthest of the peers that are heard."""
    known = (peer.rtt_ms for peer in status.peers.values() if peer.up and peer.rtt_ms is not None)
    return max(known, default=None)


class Watch:
    """`found` says where sites are now: the paths of their control sockets. One that was there is gone on with."""

    def __init__(self, found: Callable[[], Iterable[Path]]) -> None:
        self._found = found
        self._sites: dict[Path, Watched] = {}
        self._asked: dict[Path, Future[Metrics]] = {}
        self._threads = ThreadPoolExecutor(_SITES_AT_ONCE, "top")

    def look(self) -> Sequence[Watched]:
        """Asks all; those that say nothing in time are asked no further until they do. By cluster and name."""
        for path in self._found():
            self._sites.setdefault(path, Watched(path))
        for path in self._sites.keys() - self._asked.keys():
            self._asked[path] = self._threads.submit(_told, path)
        wait(self._asked.values(), ANSWER_S)
        for path, answer in list(self._asked.items()):
            if answer.done():
                del self._asked[path]
            self._take(self._sites[path], answer)
        sites = self._sites.values()
        told = {site.data: site.status.cluster for site in sites if site.status is not None}
        for site in sites:
            # One that never said anything is of the cluster of those beside it.
            site.cluster = told.get(site.data, site.data.name) if site.status is None else site.status.cluster
        return sorted(sites, key=lambda site: (site.cluster, site.name))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _take(self, site: Watched, answer: Future[Metrics]) -> None:
        if not answer.done():
            site.lose(_SILENT)
            return
        try:
            site.take(answer.result(), monotonic_s())
        except EngineSilent:
            site.lose(_SILENT)
        except NoEngine:
            site.lose("no engine is running")
        except RequestFailed as failed:
            site.lose(str(failed))


def _told(control: Path) -> Metrics:
    with Client.connect(control) as client:
        return client.ask(requests.Metrics(), ANSWER_S)
