"""Notifications: how often, of what, to whom, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
from msgspec.structs import replace

from engine.contract.answers import Faults, LogLine, Topic
from engine.contract.limits import LINE_BYTES_MAX
from engine.contract.notifications import LogSpan, Observed
from engine.contract.params import CallId
from engine.contract.shape import Shape, read
from engine.contract.status import Peer, Quorum, Status
from engine.core.effects import SawOutcome, SawPeer
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.storage import EventState
from engine.runtime.counters import NodeCounts, counters_shape
from engine.runtime.faults import FaultCounts
from engine.runtime.jsonrpc import CallFailed
from engine.runtime.recording import Recording
from engine.runtime.shapes import outcome_of
from engine.runtime.subscriptions import (
    BUSY_FLUSH_EVERY,
    FLUSH_EVERY,
    LOG_LINES_MAX,
    OUTCOMES_MAX,
    SLOW_BYTES,
    STATUS_EVERY,
    TRACE_LINES_MAX,
    Subscriptions,
)
from engine.runtime.trace import Trace
from engine.runtime.udp import UdpCounts

ALICE, BOB = SiteId("alice"), SiteId("bob")
NOW = Tick(5_000)


class FakeClient:
    def __init__(self) -> None:
        self.closed = False
        self.queued_bytes = 0
        self.lines: list[bytes] = []

    def answer(self, call_id: CallId, value: Shape) -> None:
        raise AssertionError(call_id, value)

    def answer_all(self, answers: Sequence[tuple[CallId, Shape]]) -> None:
        raise AssertionError(answers)

    def fail(self, failed: CallFailed) -> None:
        raise failed

    def notify(self, line: bytes) -> None:
        self.lines.append(line)

    def taken(self, size_bytes: int) -> None:
        raise AssertionError(size_bytes)

    @property
    def told(self) -> list[Observed]:
        return [read(Observed, orjson.loads(line)["params"]) for line in self.lines]

    @property
    def topics(self) -> list[str]:
        return [str(item["topic"]) for observed in self.told for item in observed.items]


class FakePicture:
    def __init__(self) -> None:
        self.peer = Peer(
            up=True,
            rtt_ms=1,
            chosen_through=3,
            heard_s=0.1,
            voting=True,
            address=None,
            datagram_bytes=1_452,
            key="first",
            clock_ms=None,
            standing="voter",
            file_address=None,
            wanted_by=None,
        )
        self.counters = 0
        self.made: list[str] = []

    @property
    def used_max(self) -> Slot:
        return Slot(10_000)

    @property
    def prefix(self) -> Slot:
        return Slot(9_000)

    def log_lines(self, slots: Iterable[Slot]) -> list[LogLine]:
        self.made.append("log")
        return [LogLine(slot, "hole", *(None,) * 10) for slot in sorted(slots)]

    def status(self) -> Status:
        self.made.append("status")
        self.counters += 1
        return Status(
            site="alice",
            cluster="paxos-island",
            leadership="none",
            leader=None,
            quorum=Quorum(2, 2, 2),
            chosen_through=3,
            chosen_max=3,
            next=4,
            holes=(),
            recovering=False,
            voting=True,
            voting_why="",
            mismatch=None,
            hindered=None,
            narrow=None,
            unsent=None,
            sites_file=None,
            faults=0,
            unknown=0,
            fresh_at=None,
            key=None,
            peers={"bob": self.peer},
            counters=counters_shape(NodeCounts(passes=self.counters), UdpCounts(), FaultCounts(), {}),
            udp="127.0.0.1:7001",
            pid=1,
            version="0.1.0",
            since="2026-11-21T12:00:00.000Z",
            fill_in_s=self.counters / 10,
            data="/data/alice",
            attempts=(),
            standing="voter",
            wanted_by=None,
            coming=None,
            removed=None,
        )

    def faults(self) -> Faults:
        self.made.append("faults")
        return Faults((), (), 0)


def changed(subscriptions: Subscriptions, *slots: int) -> None:
    subscriptions.log((Slot(slot), Slot(slot)) for slot in slots)


def settled(
    subscriptions: Subscriptions, number: int, reason: str | None = None, *, count: int = 1, was_unknown: bool = True
) -> None:
    """Events come to their end, `number` the first; who waited for them was told before that they are unknown."""
    saw = SawOutcome(1, EventId(ALICE, number), EventState.CREATED, Slot(number), reason, None, None, count=count)
    subscriptions.outcomes(replace(saw, settles_doubt=was_unknown), outcome_of(saw, None))


def a_line(trace: Trace) -> None:
    trace.observation(0, SawPeer(BOB, True))


def test_the_first_goes_at_once_and_then_at_most_ten_a_second() -> None:
    trace, client, picture = Trace(), FakeClient(), FakePicture()
    subscriptions = Subscriptions(trace, Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.OUTCOME, Topic.LOG}))
    assert subscriptions.deadline() is None, "nothing to tell needs no timer"
    for number in range(3):
        settled(subscriptions, number)
        changed(subscriptions, number + 1, 1)
        subscriptions.flush(Tick(NOW + number), picture)
    assert len(client.lines) == 1
    assert subscriptions.deadline() == NOW + FLUSH_EVERY
    subscriptions.flush(Tick(NOW + FLUSH_EVERY - 1), picture)
    assert len(client.lines) == 1
    subscriptions.flush(Tick(NOW + FLUSH_EVERY), picture)
    assert client.topics == ["log", "outcome", "log", "log", "log", "outcome", "outcome"]
    assert subscriptions.deadline() is None


def test_status_is_sent_when_more_than_time_changed_it_and_at_most_twice_a_second() -> None:
    client, picture = FakeClient(), FakePicture()
    subscriptions = Subscriptions(Trace(), Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.STATUS}))
    subscriptions.flush(NOW, picture)
    assert client.topics == ["status"], "a new subscriber is told how things stand"
    now = NOW
    for _ in range(10):
        now = Tick(now + STATUS_EVERY)
        subscriptions.status()
        picture.peer = replace(picture.peer, rtt_ms=now, heard_s=now / 1000)
        subscriptions.flush(now, picture)
    assert client.topics == ["status"], "round trips, ages and counters are no change"
    picture.peer = replace(picture.peer, up=False)
    subscriptions.status()
    subscriptions.flush(Tick(now + 1), picture)
    assert client.topics == ["status"], "not again within half a second"
    assert subscriptions.deadline() == now + STATUS_EVERY
    subscriptions.flush(Tick(now + STATUS_EVERY), picture)
    assert client.topics == ["status", "status"]


def test_nothing_is_made_that_nobody_subscribed_to() -> None:
    trace, client, picture = Trace(), FakeClient(), FakePicture()
    subscriptions = Subscriptions(trace, Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.TRACE}))
    a_line(trace)
    changed(subscriptions, 1)
    settled(subscriptions, 1)
    subscriptions.faults()
    subscriptions.status()
    subscriptions.flush(NOW, picture)
    assert picture.made == []
    assert client.topics == ["trace"]


def test_each_client_gets_its_topics_alone_and_a_closed_one_is_forgotten() -> None:
    trace, picture = Trace(), FakePicture()
    one, other = FakeClient(), FakeClient()
    subscriptions = Subscriptions(trace, Recording(NodeCounts()))
    subscriptions.subscribe(one, frozenset({Topic.TRACE}))
    subscriptions.subscribe(other, frozenset({Topic.OUTCOME}))
    subscriptions.subscribe(other, frozenset({Topic.LOG}))
    a_line(trace)
    changed(subscriptions, 7)
    settled(subscriptions, 1)
    subscriptions.flush(NOW, picture)
    assert (one.topics, other.topics) == (["trace"], ["log", "outcome"])
    other.closed = True
    a_line(trace)
    subscriptions.flush(Tick(NOW + FLUSH_EVERY), picture)
    assert not subscriptions.wants(Topic.LOG)
    assert subscriptions.wants(Topic.TRACE)


def test_a_subscriber_sees_the_trace_from_then_on() -> None:
    trace, client = Trace(), FakeClient()
    subscriptions = Subscriptions(trace, Recording(NodeCounts()))
    a_line(trace)
    subscriptions.subscribe(client, frozenset({Topic.OUTCOME}))
    a_line(trace)
    subscriptions.subscribe(client, frozenset({Topic.TRACE}))
    assert subscriptions.deadline() is None
    a_line(trace)
    subscriptions.flush(NOW, FakePicture())
    assert client.topics == ["trace"]


def test_a_slow_client_misses_trace_lines_with_their_number_and_nothing_else() -> None:
    trace, client, picture = Trace(), FakeClient(), FakePicture()
    subscriptions = Subscriptions(trace, Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.TRACE, Topic.OUTCOME, Topic.LOG}))
    client.queued_bytes = SLOW_BYTES + 1
    for _ in range(40):
        a_line(trace)
    settled(subscriptions, 1)
    changed(subscriptions, 9)
    subscriptions.flush(NOW, picture)
    assert client.topics == ["log", "outcome"]
    assert client.told[0].dropped == 40
    for _ in range(2):
        a_line(trace)
    subscriptions.flush(Tick(NOW + FLUSH_EVERY), picture)
    assert len(client.lines) == 1
    client.queued_bytes = 0
    a_line(trace)
    subscriptions.flush(Tick(NOW + 2 * FLUSH_EVERY), picture)
    assert client.told[1].dropped == 2
    assert [item["topic"] for item in client.told[1].items] == ["trace"]


def test_of_a_busy_trace_the_newest_lines_are_told_and_the_others_counted() -> None:
    trace, client = Trace(), FakeClient()
    subscriptions = Subscriptions(trace, Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.TRACE}))
    for _ in range(TRACE_LINES_MAX + 30):
        a_line(trace)
    subscriptions.flush(NOW, FakePicture())
    assert client.told[0].dropped == 30
    assert len(client.topics) == TRACE_LINES_MAX


def test_of_a_busy_log_the_newest_slots_are_told_and_how_far_the_others_go() -> None:
    client = FakeClient()
    subscriptions = Subscriptions(Trace(), Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.LOG}))
    top = 200 + LOG_LINES_MAX - 3
    subscriptions.log([(Slot(7), Slot(9)), (Slot(200), Slot(220)), (Slot(210), Slot(230)), (Slot(231), Slot(top))])
    subscriptions.flush(NOW, FakePicture())
    *lines, span = client.told[0].known()
    assert [line.slot for line in lines if isinstance(line, LogLine)] == [8, 9, *range(200, top + 1)]
    assert span == LogSpan(7, 7, 10_000, 9_000, False)
    subscriptions.log([(Slot(161), Slot(161)), (Slot(200), Slot(5_000))])
    subscriptions.blocks()
    assert subscriptions.deadline() == NOW + BUSY_FLUSH_EVERY
    subscriptions.flush(Tick(NOW + BUSY_FLUSH_EVERY), FakePicture())
    *lines, span = client.told[1].known()
    assert [line.slot for line in lines if isinstance(line, LogLine)] == [*range(5_001 - LOG_LINES_MAX, 5_001)]
    assert span == LogSpan(161, 5_000 - LOG_LINES_MAX, 10_000, 9_000, True)
    changed(subscriptions, 6_000)
    subscriptions.flush(Tick(NOW + 2 * BUSY_FLUSH_EVERY), FakePicture())
    assert len(client.told[2].items) == 1, "what fits is told line by line, and nothing of how far it goes"
    changed(subscriptions, 6_001)
    assert subscriptions.deadline() == NOW + 2 * BUSY_FLUSH_EVERY + FLUSH_EVERY


def test_of_many_outcomes_the_newest_are_told_and_all_that_nobody_was_answered() -> None:
    client = FakeClient()
    subscriptions = Subscriptions(Trace(), Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.OUTCOME}))
    settled(subscriptions, 1, count=OUTCOMES_MAX + 1)
    settled(subscriptions, 1_000, count=500, was_unknown=False)
    settled(subscriptions, 2_000, count=OUTCOMES_MAX - 10, was_unknown=False)
    subscriptions.flush(NOW, FakePicture())
    told = [item["id"] for item in client.told[0].items]
    settled_later = [*range(1, OUTCOMES_MAX + 2)]
    newest = [*range(1_490, 1_500), *range(2_000, 2_000 + OUTCOMES_MAX - 10)]
    assert told == [f"alice/{number}" for number in settled_later + newest]


def test_a_notification_fits_one_line_however_much_there_is() -> None:
    client = FakeClient()
    subscriptions = Subscriptions(Trace(), Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.OUTCOME}))
    for number in range(3_000):
        settled(subscriptions, number, "x" * 500)
    subscriptions.flush(NOW, FakePicture())
    assert len(client.lines) > 1
    assert max(map(len, client.lines)) < LINE_BYTES_MAX
    assert len(client.topics) == 3_000


def test_what_waits_is_told_when_the_engine_stops() -> None:
    client, picture = FakeClient(), FakePicture()
    subscriptions = Subscriptions(Trace(), Recording(NodeCounts()))
    subscriptions.subscribe(client, frozenset({Topic.OUTCOME}))
    settled(subscriptions, 1)
    subscriptions.flush(NOW, picture)
    settled(subscriptions, 2)
    subscriptions.finish(NOW, picture)
    assert client.topics == ["outcome", "outcome"]
