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
    """Between two looks. What an event cost this site is None where there was none."""

    events_per_s: float
    sent_bytes_per_s: float
    messages_per_event: float | None
    syncs_per_event: float | None


@dataclass(slots=True)
class Watched:
    """A site: what it said last, when that was, and `why` it says nothing now; `rates` and the older ones of them."""

    control: Path
    cluster: str = ""
    status: Status | None = None
    at_s: float = 0.0
    why: str | None = None
    rates: Rates | None = None
    events: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    @property
    def name(self) -> str:
        return self.control.parent.name if self.status is None else self.status.site

    @property
    def data(self) -> Path:
        return self.control.parent.parent

    def take(self, status: Status, at_s: float) -> None:
        before, passed_s = self.status, at_s - self.at_s
        goes_on = before is not None and self.why is None and before.since == status.since and passed_s > 0
        self.rates = rates(before, status, passed_s) if goes_on and before is not None else None
        self.status, self.at_s, self.why = status, at_s, None
        if self.rates is not None:
            self.events.append(self.rates.events_per_s)
            self.sent.append(self.rates.sent_bytes_per_s)

    def lose(self, why: str) -> None:
        self.why, self.rates = why, None
        self.events.append(0.0)
        self.sent.append(0.0)


def rates(before: Status, now: Status, passed_s: float) -> Rates:
    older, newer = before.counters, now.counters
    events = newer.costs.events - older.costs.events
    messages = newer.costs.messages_out - older.costs.messages_out
    syncs = newer.costs.commits - older.costs.commits
    return Rates(
        events / passed_s,
        (newer.bytes_out - older.bytes_out) / passed_s,
        messages / events if events else None,
        syncs / events if events else None,
    )


class Watch:
    """`found` says where sites are now: the paths of their control sockets. One that was there is gone on with."""

    def __init__(self, found: Callable[[], Iterable[Path]]) -> None:
        self._found = found
        self._sites: dict[Path, Watched] = {}
        self._asked: dict[Path, Future[Status]] = {}
        self._threads = ThreadPoolExecutor(_SITES_AT_ONCE, "top")

    def look(self) -> Sequence[Watched]:
        """Asks all; those that say nothing in time are asked no further until they do. By cluster and name."""
        for path in self._found():
            self._sites.setdefault(path, Watched(path))
        for path in self._sites.keys() - self._asked.keys():
            self._asked[path] = self._threads.submit(_status, path)
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

    def _take(self, site: Watched, answer: Future[Status]) -> None:
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


def _status(control: Path) -> Status:
    with Client.connect(control) as client:
        return client.ask(requests.Status(), ANSWER_S)
