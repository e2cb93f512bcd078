"""What a site tells whoever records it: what left and came under which name, what it concluded, and what is durable."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

import orjson
import pytest

from engine.contract.answers import Topic
from engine.contract.notifications import RecordFate, RecordLine
from engine.contract.shape import read
from engine.core.effects import SawPeer
from engine.core.ids import Ballot, Round, SiteId, Slot, Tick
from engine.core.run import Run, run_of
from engine.core.storage import RangePromise, Vote, WriteLearned, WriteRanges, WriteVote
from engine.datagram import DATAGRAM_BYTES_LOOPBACK, DATAGRAM_BYTES_MIN, DatagramSizes
from engine.runtime.counters import NodeCounts
from engine.runtime.recording import WAITING_BYTES_MAX, Recording
from engine.runtime.subscriptions import FLUSH_EVERY, SLOW_RECORDER_BYTES, Subscriptions
from engine.runtime.trace import Trace
from engine.seal import Seal, name_of
from tests.core.stage import tweet
from tests.runtime.sites import Client, Cluster, cluster, eventually, until
from tests.runtime.test_live_cluster import all_up
from tests.runtime.test_subscriptions import FakeClient, FakePicture

ALICE, BOB, CAROL = SITES = tuple(SiteId(name) for name in ("alice", "bob", "carol"))
NOW: Final = Tick(5_000)


def told(lines: Iterable[bytes]) -> list[RecordLine]:
    return [read(RecordLine, orjson.loads(line)) for line in lines]


def test_both_ends_see_one_name_of_a_datagram_and_no_two_have_the_same() -> None:
    alice, bob = Seal(None, "island", ALICE), Seal(None, "island", BOB)
    sent = [alice.seal(BOB, b"x"), alice.seal(CAROL, b"x"), alice.seal(BOB, b"x"), bob.seal(ALICE, b"x")]
    names = [name_of(datagram) for datagram in sent]
    assert len(set(names)) == 4
    assert [number for _, number in names] == [0, 1, 2, 0]
    assert bob.open(sent[2]) == (ALICE, b"x"), "the name is in what came"


def test_nothing_is_made_while_nobody_records() -> None:
    recording = Recording(NodeCounts())
    subscriptions = Subscriptions(Trace(), recording)
    client = FakeClient()
    subscriptions.subscribe(client, frozenset({Topic.TRACE}))
    assert not recording.on
    assert recording.flight() is None
    recorder = FakeClient()
    subscriptions.subscribe(recorder, frozenset({Topic.RECORD}))
    assert recording.on
    recorder.closed = True
    recording.concluded(0, SawPeer(BOB, True))
    subscriptions.flush(NOW, FakePicture())
    assert not recording.on, "who recorded has gone"
    assert not recording.waits


def test_who_records_gets_what_happens_from_then_on() -> None:
    recording = Recording(NodeCounts())
    subscriptions, one, other = Subscriptions(Trace(), recording), FakeClient(), FakeClient()
    subscriptions.subscribe(one, frozenset({Topic.RECORD}))
    recording.concluded(0, SawPeer(BOB, True))
    subscriptions.subscribe(other, frozenset({Topic.RECORD}))
    recording.concluded(0, SawPeer(CAROL, True))
    subscriptions.flush(NOW, FakePicture())
    assert (len(one.topics), len(other.topics)) == (2, 1)


def test_what_is_awaited_is_kept_from_the_start_for_the_first_who_records() -> None:
    recording = Recording(NodeCounts(), awaited=True)
    subscriptions, first, second = Subscriptions(Trace(), recording), FakeClient(), FakeClient()
    recording.concluded(0, SawPeer(BOB, True))
    subscriptions.flush(NOW, FakePicture())
    subscriptions.subscribe(first, frozenset({Topic.RECORD}))
    recording.concluded(0, SawPeer(CAROL, True))
    subscriptions.subscribe(second, frozenset({Topic.RECORD}))
    subscriptions.flush(NOW, FakePicture())
    assert (len(first.topics), len(second.topics)) == (2, 0)


def test_what_a_recorder_is_too_slow_for_is_counted_where_it_is_missing() -> None:
    recording = Recording(NodeCounts())
    subscriptions, client = Subscriptions(Trace(), recording), FakeClient()
    subscriptions.subscribe(client, frozenset({Topic.RECORD}))
    client.queued_bytes = SLOW_RECORDER_BYTES + 1
    for _ in range(3):
        recording.concluded(0, SawPeer(BOB, True))
    subscriptions.flush(NOW, FakePicture())
    assert client.told == []
    client.queued_bytes = 0
    recording.concluded(0, SawPeer(CAROL, True))
    subscriptions.flush(Tick(NOW + FLUSH_EVERY), FakePicture())
    assert [(said.dropped, len(said.items)) for said in client.told] == [(3, 1)]


def test_what_waits_is_bounded_and_what_does_not_fit_is_told_as_left_out() -> None:
    recording = Recording(NodeCounts())
    subscriptions, client = Subscriptions(Trace(), recording), FakeClient()
    subscriptions.subscribe(client, frozenset({Topic.RECORD}))
    long = [WriteLearned(Run(Slot(1), tuple(tweet(ALICE, number, text="x" * 280) for number in range(1, 65))))]
    waiting = -1
    while recording.count > waiting:
        waiting = recording.count
        recording.kept(0, long)
    recording.kept(0, long)
    subscriptions.flush(NOW, FakePicture())
    assert len(client.topics) == waiting
    assert sum(map(len, client.lines)) < 2 * WAITING_BYTES_MAX
    recording.concluded(0, SawPeer(BOB, True))
    subscriptions.flush(Tick(NOW + FLUSH_EVERY), FakePicture())
    assert client.told[-1].dropped == 2, "after the lines that fitted, before the next one"


def test_what_a_commit_made_durable_is_told_in_lines_of_a_bounded_length() -> None:
    recording = Recording(NodeCounts(), awaited=True)
    entry = tweet(ALICE, 1)
    number = Ballot(Round(2), BOB)
    recording.kept(0, [WriteVote(Slot(1), Slot(100), Vote(number, None, ()))])
    recording.kept(
        0, [WriteVote(Slot(7), Slot(7), Vote(number, number, (entry,))), WriteLearned(run_of(Slot(7), entry))]
    )
    recording.kept(0, [WriteRanges((RangePromise(Slot(8), None, number),))])
    recording.kept(0, [])
    first, second, learned, ranges = told(recording.take().lines)
    assert [line.slot for line in first.slots + second.slots] == list(range(1, 101))
    voted, slot = learned.slots
    assert (voted.acc_val, voted.learned) == (slot.learned, None)
    assert (slot.max_prepare, slot.acc_num, slot.acc_val) == ("2.bob", "2.bob", slot.learned)
    assert slot.learned is not None
    assert slot.learned.id == "alice/1"
    assert ranges.ranges is not None
    assert [(each.first, each.last, each.ballot) for each in ranges.ranges] == [(8, None, "2.bob")]
    assert {line.dir for line in (first, second, learned, ranges)} == {"kept"}
    assert (first.ranges, ranges.slots) == (None, ())


class Book:
    """What one site told who records it: a client that is subscribed to nothing else."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def lines(self) -> list[RecordLine]:
        observed = [message["params"] for message in self._client.said if message.get("method") == "observed"]
        assert not any(params["dropped"] for params in observed)
        return [read(RecordLine, item) for params in observed for item in params["items"]]

    def knows(self, slot: int) -> bool:
        return any(each.slot == slot and each.learned for line in self.lines for each in line.slots)

    def of(self, kind: str, word: str | None = None, peer: str | None = None) -> list[RecordLine]:
        """The lines of this direction; those with such a message, and from or to this peer, where that is said."""
        return [
            line
            for line in self.lines
            if line.dir == kind and peer in {None, line.peer} and word in {None, *(said.type for said in line.lines)}
        ]

    def flight(self, number: int | None) -> list[RecordLine]:
        return [line for line in self.lines if line.flight == number]


async def recorded(sites: Cluster) -> dict[SiteId, Book]:
    """Records all sites from now on."""
    books: dict[SiteId, Book] = {}
    for name, running in sites.running.items():
        client = await running.client()
        await client.call("subscribe", topics=["record"])
        books[SiteId(name)] = Book(client)
    return books


async def known_everywhere(books: dict[SiteId, Book], slot: int) -> None:
    """Until each site has told that it learned the slot."""
    for book in books.values():
        await until(partial(book.knows, slot))


def names(line: RecordLine) -> set[tuple[str, int]]:
    """Of the datagrams of a line."""
    if line.came is not None:
        return {(line.came.salt, line.came.number)}
    if line.sent is None:
        return set()
    first, last = line.sent
    assert first.salt == last.salt
    return {(first.salt, number) for number in range(first.number, last.number + 1)}


@pytest.mark.parametrize("bytes_max", [DATAGRAM_BYTES_LOOPBACK, DATAGRAM_BYTES_MIN], ids=["whole", "in-parts"])
async def test_what_came_left_under_the_same_name_with_the_same_words(tmp_path: Path, bytes_max: int) -> None:
    async with cluster(tmp_path, *SITES) as sites:
        sites.datagram_sizes = DatagramSizes(bytes_max, bytes_max)
        await sites.start_all()
        await all_up(sites)
        books = await recorded(sites)
        slot = (await sites.running["alice"].call("submit", kind="tweet", text="\N{GRINNING FACE}" * 280))["slot"]
        await known_everywhere(books, slot)
        await until(lambda: any(line.heard for line in books[BOB].lines))
        await sites.stop_all()
        several = [line for line in books[ALICE].of("out", "accept") if len(names(line)) > 1]
        assert bool(several) == (bytes_max == DATAGRAM_BYTES_MIN), "a long message goes in parts (W4)"
        pairs = [
            (left, came, book)
            for name, book in books.items()
            for came in book.of("in")
            for left in books[SiteId(came.peer or "")].of("out")
            if names(left) & names(came)
        ]
        assert len(pairs) == len({(id(book), *names(came)) for _, came, book in pairs}), "each left once"
        assert {"prepare", "promise", "accept", "accepted", "chosen"} <= {
            said.type for _, came, _ in pairs for said in came.lines
        }
        for left, came, book in pairs:
            assert books[SiteId(left.peer or "")] is book
            assert set(came.lines) <= set(left.lines), "what does not fit one datagram comes in several"
        accepted = books[BOB].of("out", "accepted", "alice")[0]
        votes = [
            (line.turn, vote.acc_num) for line in books[BOB].of("kept") for vote in line.slots if vote.slot == slot
        ]
        assert (accepted.turn, accepted.lines[0].ballot) in votes, "the vote is durable before it leaves (D1)"
        lines = books[BOB].lines
        assert next(line.dir for line in lines if line.turn == accepted.turn and line.dir != "in") == "kept"
        words = {said.type for book in books.values() for line in book.lines for said in line.lines}
        assert "heartbeat" not in words, "they are told by their names alone"


async def test_a_recording_begins_with_what_the_acceptor_has(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        for name in ("bob", "carol"):
            await sites.running[name].call("faults.add", rule="type=accepted,chosen,known drop")
        alice, bob = sites.running["alice"], sites.running["bob"]
        await (await alice.client()).send("submit", kind="tweet", text="stays open")
        data = await eventually(partial(bob.call, "data"), lambda data: any(line["accNum"] for line in data["lines"]))
        (slot,) = (line["slot"] for line in data["lines"] if line["accNum"])
        books = await recorded(sites)
        await until(lambda: bool(books[BOB].lines))
        first = books[BOB].lines[0]
        assert (first.dir, first.ranges) == ("kept", ())
        assert [each.slot for each in first.slots if each.acc_val is not None] == [slot]


async def test_what_fault_rules_do_is_told_where_it_happens(tmp_path: Path) -> None:
    """Each message that a rule keeps for a while is one flight: from where it was judged to where it goes on."""
    async with cluster(tmp_path, *SITES) as sites:
        await sites.start_all()
        await all_up(sites)
        books = await recorded(sites)
        alice, bob = sites.running["alice"], sites.running["bob"]
        for rule in ("to=carol type=accept drop", "to=bob type=accept dup", "to=bob type=chosen hold"):
            await alice.call("faults.add", rule=rule)
        await bob.call("faults.add", rule="from=alice type=accept delay=1ms")
        await (await alice.client()).send("submit", kind="tweet", text="hello")
        await until(lambda: bool(books[ALICE].of("out", "chosen", "bob")))
        held = (await alice.call("faults"))["held"]
        await alice.call("faults.release", held=[held[0]["number"]])
        await until(lambda: bool(books[BOB].of("in", "chosen", "alice")))
        dropped, *_ = books[ALICE].of("out", "accept", "carol")
        assert (dropped.fate, dropped.sent, dropped.lines[0].note.split(";")[0]) == ("dropped", None, "DROP (rule 1)")
        number = books[ALICE].of("out", "accept", "bob")[0].flight
        await until(lambda: len(books[ALICE].flight(number)) == 3)
        twice, *copies = books[ALICE].flight(number)
        assert (twice.fate, twice.sent) == (RecordFate.CHANGED, None)
        assert [line.fate for line in copies] == [None, None]
        assert len({name for line in copies for name in names(line)}) == 2
        arrived: list[RecordLine] = []

        def has_arrived() -> bool:
            arrived[:] = [line for line in books[BOB].of("in", "accept", "alice") if names(line) == names(copies[0])]
            return bool(arrived)

        await until(has_arrived)
        await until(lambda: len(books[BOB].flight(arrived[0].flight)) == 2)
        judged, taken = books[BOB].flight(arrived[0].flight)
        assert [(line.fate, names(line)) for line in (judged, taken)] == [
            *((RecordFate.CHANGED, names(copies[0])), (None, names(copies[0]))),
        ], "it came, and was taken later"
        number = books[ALICE].of("out", "chosen", "bob")[0].flight
        await until(lambda: len(books[ALICE].flight(number)) == 2)
        kept, gone_on = books[ALICE].flight(number)
        assert (kept.fate, gone_on.fate) == (RecordFate.HELD, None)
        assert names(gone_on) in [names(line) for line in books[BOB].of("in", "chosen", "alice")]


async def test_what_is_held_and_thrown_away_is_told_so(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        await sites.start_all()
        await all_up(sites)
        books = await recorded(sites)
        alice = sites.running["alice"]
        await alice.call("faults.add", rule="to=bob type=accept hold")
        await (await alice.client()).send("submit", kind="tweet", text="hello")
        await until(lambda: bool(books[ALICE].of("out", "accept")))
        await alice.call("faults.drop")
        held, *_ = books[ALICE].of("out", "accept")
        await until(lambda: len(books[ALICE].flight(held.flight)) == 2)
        assert [line.fate for line in books[ALICE].flight(held.flight)] == [RecordFate.HELD, RecordFate.DROPPED]
