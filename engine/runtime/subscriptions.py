"""What subscribers are told, and when.

Rules that hold here:
- At most one notification in FLUSH_EVERY for a client; the first after a quiet time goes at once. After one that left
  something out the next comes in BUSY_FLUSH_EVERY: nobody reads that fast, and painting it takes from the site too.
- Status at most once in STATUS_EVERY, and only when it changed by more than what time alone changes: round trips,
  ages and counters. So an idle engine sends nothing.
- A line, and a notification, is made and encoded once, whoever subscribed. Nothing is made that nobody subscribed to.
- What a busy site tells costs it little, whoever watches: of the log, of the trace and of the outcomes that were
  answered to who waits for them only the newest lines of each time are made. What is left out is told in sum.
- Lines of the trace and of a recording are left out, and counted, for a client that reads too slowly; all other topics
  always arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import orjson
from msgspec.structs import replace

from engine.contract.answers import Faults, LogLine, Outcome, OutcomeSpan, Topic
from engine.contract.notifications import LOG_SPAN, LogSpan
from engine.contract.shape import Shape
from engine.contract.status import Peer, Status
from engine.core.effects import SawOutcome
from engine.core.ids import Slot, Tick
from engine.core.run import joined, slots_of
from engine.runtime import jsonrpc
from engine.runtime.inbox import Client
from engine.runtime.recording import Recording, Waiting
from engine.runtime.trace import Trace

FLUSH_EVERY: Final = Tick(100)
BUSY_FLUSH_EVERY: Final = Tick(500)
LOG_LINES_MAX: Final = 64
TRACE_LINES_MAX: Final = 200
OUTCOMES_MAX: Final = 64
"""So many lines are told at once: more than fit a screen."""
STATUS_EVERY: Final = Tick(500)
SLOW_BYTES: Final = 256 * 1024
"""A client with this much unread gets no trace lines until it has read."""
SLOW_RECORDER_BYTES: Final = 2 * 1024 * 1024
"""The same of what is recorded: who does that means to have all of it."""

_CHUNK_BYTES: Final = 512 * 1024


class Picture(Protocol):
    """What is shown of the site at this moment; made only when a notification goes out."""

    @property
    def used_max(self) -> Slot: ...

    @property
    def prefix(self) -> Slot: ...

    def log_lines(self, slots: Iterable[Slot]) -> list[LogLine]: ...

    def status(self) -> Status: ...

    def faults(self) -> Faults: ...


@dataclass(slots=True)
class _Subscriber:
    client: Client
    topics: frozenset[Topic]
    trace_seen: int
    record_seen: int = 0
    dropped: int = 0


class Subscriptions:
    def __init__(self, trace: Trace, recording: Recording) -> None:
        self._trace = trace
        self._recording = recording
        self._subscribers: dict[Client, _Subscriber] = {}
        self._topics: frozenset[Topic] = frozenset()
        self._outcomes: list[OutcomeSpan] = []
        self._news: list[OutcomeSpan] = []  # nobody waited for these
        self._log: list[tuple[Slot, Slot]] = []
        self._blocks_changed = False
        self._faults_changed = False
        self._status_changed = False
        self._status_told: Status | None = None
        self._next_flush = Tick(0)
        self._left_out = False  # something of the log or of the trace, in this flush
        self._status_taken = Tick(-STATUS_EVERY)

    def subscribe(self, client: Client, topics: frozenset[Topic]) -> None:
        """Adds topics for this client; it sees what happens from now on, and the status and faults of now."""
        known = self._subscribers.get(client)
        if known is None:
            known = self._subscribers[client] = _Subscriber(client, frozenset(), self._trace.count)
        if Topic.TRACE in topics - known.topics:
            known.trace_seen = self._trace.count
        if Topic.RECORD in topics - known.topics:
            known.record_seen = self._recording.begin()
        known.topics |= topics
        self._refresh()
        if Topic.STATUS in topics:
            self._status_told, self._status_changed = None, True
        self._faults_changed |= Topic.FAULTS in topics

    def wants(self, topic: Topic) -> bool:
        return topic in self._topics

    @property
    def watched(self) -> bool:
        """A screen is there."""
        return self.wants(Topic.STATUS) and any(
            Topic.STATUS in each.topics and not each.client.closed for each in self._subscribers.values()
        )

    def outcomes(self, saw: SawOutcome, span: OutcomeSpan) -> None:
        """`span` is how it is told."""
        if self.wants(Topic.OUTCOME):
            was_awaited = saw.token is not None and not saw.settles_doubt
            (self._outcomes if was_awaited else self._news).append(span)

    def log(self, spans: Iterable[tuple[Slot, Slot]]) -> None:
        """Something about these slots changed."""
        if self.wants(Topic.LOG):
            self._log += spans

    def blocks(self) -> None:
        """Who blocks whom changed, in slots that did."""
        self._blocks_changed |= self.wants(Topic.LOG)

    def faults(self) -> None:
        """Rules, hits or held messages changed."""
        self._faults_changed |= self.wants(Topic.FAULTS)

    def status(self) -> None:
        """The status may have changed."""
        self._status_changed |= self.wants(Topic.STATUS)

    def deadline(self) -> Tick | None:
        """When `flush` is next needed."""
        if not self._subscribers:
            return None
        times = []
        waits = self._outcomes or self._news or self._log or self._faults_changed
        if waits or self._trace_waits() or self._record_waits():
            times.append(self._next_flush)
        if self._status_changed:
            times.append(Tick(max(self._next_flush, self._status_taken + STATUS_EVERY)))
        return min(times, default=None)

    def flush(self, now: Tick, picture: Picture) -> None:
        """Sends what waits, if its time has come."""
        deadline = self.deadline()
        if deadline is None or deadline > now:
            return
        self._forget_closed()
        self._left_out = False
        items = self._items(now, picture)
        encoded: dict[int, tuple[list[bytes], int]] = {}
        made: dict[tuple[int, tuple[bytes, ...]], bytes] = {}
        recorded = self._recording.take() if self.wants(Topic.RECORD) else None
        for subscriber in self._subscribers.values():
            mine = [item for topic, lines in items if topic in subscriber.topics for item in lines]
            self._send(subscriber, self._trace_items(subscriber, encoded) + mine, made)
            if recorded is not None and Topic.RECORD in subscriber.topics:
                self._send_recorded(subscriber, recorded, made)
        is_busy = self._left_out and recorded is None  # who records means to have all of it
        self._next_flush = Tick(now + (BUSY_FLUSH_EVERY if is_busy else FLUSH_EVERY))

    def finish(self, now: Tick, picture: Picture) -> None:
        """Sends what waits although its time has not come, for the engine stops."""
        self._next_flush = now
        self.flush(now, picture)

    def _items(self, now: Tick, picture: Picture) -> list[tuple[Topic, list[bytes]]]:
        """What waits for everybody, the trace apart, in the order in which it is told."""
        items: list[tuple[Topic, list[bytes]]] = []
        if self._log:
            items.append((Topic.LOG, self._log_items(picture)))
            self._log, self._blocks_changed = [], False
        if self._outcomes or self._news:
            told = [one for span in self._news for one in span.ones()]
            told += _newest_outcomes(self._outcomes)
            items.append((Topic.OUTCOME, _encoded(Topic.OUTCOME, told)))
            self._outcomes, self._news = [], []
        if self._faults_changed:
            items.append((Topic.FAULTS, _encoded(Topic.FAULTS, [picture.faults()])))
            self._faults_changed = False
        if self._status_changed and now >= self._status_taken + STATUS_EVERY:
            self._status_taken, self._status_changed = now, False
            status = picture.status()
            if self._status_told is None or _differs(status, self._status_told):
                self._status_told = status
                items.append((Topic.STATUS, _encoded(Topic.STATUS, [status])))
        return items

    def _log_items(self, picture: Picture) -> list[bytes]:
        """The newest slots that changed, each as it is now; of the others how far they go."""
        spans = joined(sorted(set(self._log)))
        slots: list[Slot] = []
        left_out: Slot | None = None
        for first, last in reversed(spans):
            newest = max(first, Slot(last + 1 - (LOG_LINES_MAX - len(slots))))
            slots += slots_of(newest, last)
            if newest > first and left_out is None:
                left_out = Slot(newest - 1)
        items = _encoded(Topic.LOG, picture.log_lines(slots))
        if left_out is not None:
            self._left_out = True
            reach = picture.used_max, picture.prefix
            items += _encoded(LOG_SPAN, [LogSpan(spans[0][0], left_out, *reach, self._blocks_changed)])
        return items

    def _trace_waits(self) -> bool:
        count = self._trace.count
        return self.wants(Topic.TRACE) and any(
            Topic.TRACE in subscriber.topics and subscriber.trace_seen < count
            for subscriber in self._subscribers.values()
        )

    def _trace_items(self, subscriber: _Subscriber, encoded: dict[int, tuple[list[bytes], int]]) -> list[bytes]:
        """`encoded` keeps what was encoded in this flush already, by the count that it begins after."""
        if Topic.TRACE not in subscriber.topics:
            return []
        since, subscriber.trace_seen = subscriber.trace_seen, self._trace.count
        if subscriber.client.queued_bytes > SLOW_BYTES:
            subscriber.dropped += subscriber.trace_seen - since
            return []
        if since not in encoded:
            lines, missed = self._trace.after(since, TRACE_LINES_MAX)
            encoded[since] = _encoded(Topic.TRACE, lines), missed
        items, missed = encoded[since]
        subscriber.dropped += missed
        self._left_out |= missed > 0
        return items

    def _record_waits(self) -> bool:
        return self.wants(Topic.RECORD) and self._recording.waits

    def _send_recorded(
        self, subscriber: _Subscriber, recorded: Waiting, made: dict[tuple[int, tuple[bytes, ...]], bytes]
    ) -> None:
        mine = recorded.lines[max(0, subscriber.record_seen - recorded.first) :]
        if subscriber.client.queued_bytes > SLOW_RECORDER_BYTES:
            subscriber.dropped += len(mine)
        else:
            self._send(subscriber, mine, made)
        subscriber.dropped += recorded.left_out

    def _send(
        self, subscriber: _Subscriber, items: list[bytes], made: dict[tuple[int, tuple[bytes, ...]], bytes]
    ) -> None:
        """One notification, or several where the items do not fit one line; `made` is what clients share in a flush."""
        while items:
            size = count = 0
            while count < len(items) and (count == 0 or size + len(items[count]) <= _CHUNK_BYTES):
                size += len(items[count])
                count += 1
            chunk, items = items[:count], items[count:]
            key = subscriber.dropped, tuple(chunk)
            if key not in made:
                params = {"dropped": subscriber.dropped, "items": [orjson.Fragment(item) for item in chunk]}
                made[key] = jsonrpc.notification("observed", params)
            subscriber.dropped = 0
            subscriber.client.notify(made[key])

    def _forget_closed(self) -> None:
        closed = [client for client in self._subscribers if client.closed]
        for client in closed:
            del self._subscribers[client]
        if closed:
            self._refresh()

    def _refresh(self) -> None:
        self._topics = frozenset().union(*(subscriber.topics for subscriber in self._subscribers.values()))
        if self._recording.on and not self._recording.awaited and not self.wants(Topic.RECORD):
            self._recording.end()


def _newest_outcomes(spans: Sequence[OutcomeSpan]) -> list[Outcome]:
    """At most OUTCOMES_MAX, in their order."""
    told: list[Outcome] = []
    for span in reversed(spans):
        skipped = max(0, span.count - (OUTCOMES_MAX - len(told)))
        told += [span.one(skip) for skip in reversed(range(skipped, span.count))]
    return told[::-1]


def _encoded(topic: str, lines: Iterable[Shape]) -> list[bytes]:
    begin = orjson.dumps({"topic": topic})[:-1] + b","
    return [begin + msgspec.json.encode(line)[1:] for line in lines]


def _differs(status: Status, told: Status) -> bool:
    """By more than what changes by time alone."""
    now = replace(status, peers=_timeless(status), counters=told.counters, fill_in_s=told.fill_in_s)
    return now != replace(told, peers=_timeless(told))


def _timeless(status: Status) -> dict[str, Peer]:
    return {name: replace(peer, rtt_ms=None, heard_s=None) for name, peer in status.peers.items()}
