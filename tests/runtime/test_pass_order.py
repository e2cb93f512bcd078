"""The one order: commit, then send, then tell (D1); and what a failed store or a broken rule does to it (D2, R1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from engine.core.entry import Entry, Stamped, Tweet, encode
from engine.core.ids import Nonce, SiteId, Slot
from engine.core.messages import Accepted, Ask, Chosen, Hello, Known, Packet, Promise
from engine.core.run import slots_of
from engine.core.storage import (
    Storage,
    StoreDamaged,
    StoreFailed,
    Vote,
    Write,
    WriteApplied,
    WriteEvents,
    WriteLearned,
    WriteVote,
)
from engine.runtime.control import Connection
from engine.runtime.links import Sealer
from engine.seal import OpenedUnder
from engine.senders import PerSender
from tests.runtime.peer import Peer
from tests.runtime.sites import RpcFailed, cluster, eventually, status_where

ALICE, BOB, CAROL = SiteId("alice"), SiteId("bob"), SiteId("carol")


class Recorder:
    """Writes down what the node does, in its order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []
        self.fails: Callable[[Sequence[Write]], bool] = lambda _: False

    def storage(self, real: Storage) -> Storage:
        return RecordedStorage(self, real)

    def wire(self, real: Sealer) -> Sealer:
        return RecordedWire(self, real)

    def all(self, what: str) -> list[int]:
        return [index for index, (name, _) in enumerate(self.done) if name == what]


class RecordedStorage:
    """A real store whose commits are written down, and fail when the recorder says so."""

    def __init__(self, recorder: Recorder, real: Storage) -> None:
        self._recorder = recorder
        self._real = real
        self.load = real.load
        self.learned = real.learned
        self.voted = real.voted
        self.log_rows = real.log_rows
        self.texts = real.texts
        self.timeline = real.timeline
        self.timeline_count = real.timeline_count
        self.events = real.events
        self.scrub = real.scrub
        self.close = real.close

    def commit(self, writes: Sequence[Write]) -> int:
        assert writes, "nothing to write is no commit"
        if self._recorder.fails(writes):
            self._recorder.done.append(("failed", None))
            raise StoreFailed("site.db: the disk is full: make room, then start the site again")
        commit = self._real.commit(writes)
        self._recorder.done.append(("commit", tuple(writes)))
        return commit


class RecordedWire:
    """A real wire: what is sealed is about to leave."""

    def __init__(self, recorder: Recorder, real: Sealer) -> None:
        self._recorder = recorder
        self._real = real
        self.open, self.sound, self.echo = real.open, real.sound, real.echo
        self.tell_founders, self.ask_clock, self.tell_clock = real.tell_founders, real.ask_clock, real.tell_clock

    @property
    def given_up(self) -> int:
        return self._real.given_up

    @property
    def opened_under(self) -> PerSender[OpenedUnder]:
        return self._real.opened_under

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]:
        self._recorder.done.append(("send", packet))
        return self._real.seal(to, packet, datagram_bytes_max)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[bytes], None]]:
    """Functions that are called with every line that any client is told."""
    listeners: list[Callable[[bytes], None]] = []
    notify = Connection.notify

    def listened(connection: Connection, line: bytes) -> None:
        for listener in listeners:
            listener(line)
        notify(connection, line)

    monkeypatch.setattr(Connection, "notify", listened)
    return listeners


async def test_d1_a_vote_leaves_after_its_commit_and_an_id_and_an_outcome_are_told_after_theirs(
    tmp_path: Path, told: list[Callable[[bytes], None]]
) -> None:
    recorder = Recorder()
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start("alice", storage=recorder.storage, wire=recorder.wire)
        await sites.start("bob")
        await sites.start("carol")
        told.append(lambda line: recorder.done.append(("tell", line)))
        for name in ("alice", "bob", "alice"):
            outcome = await sites.running[name].call("submit", kind="tweet", text="hi", retry=True, acknowledge=True)
            assert outcome["outcome"] == "created"
        await sites.stop_all()
    votes: dict[Slot, Vote] = {}
    created: set[int] = set()
    checked = {"promise": 0, "accepted": 0, "acknowledged": 0, "created": 0}
    for what, value in recorder.done:
        if what == "commit":
            assert isinstance(value, tuple)
            for write in value:
                match write:
                    case WriteVote(first, last, vote):
                        votes |= dict.fromkeys(slots_of(first, last), vote)
                    case WriteEvents(events):
                        created |= {row.number for row in events.rows()}
                    case _:
                        pass
        elif what == "send":
            assert isinstance(value, Packet)
            for message in value.messages:
                if isinstance(message, Promise):
                    promised = votes[message.first].promised
                    assert promised is not None
                    assert promised >= message.ballot
                    checked["promise"] += 1
                if isinstance(message, Accepted):
                    for slot in (slot for span in message.spans for slot in slots_of(*span)):
                        accepted = votes[slot].accepted
                        assert accepted is not None
                        assert accepted >= message.ballot
                        checked["accepted"] += 1
        elif what == "tell" and isinstance(value, bytes) and b'"acknowledged"' in value and b"alice/" in value:
            assert int(orjson.loads(value)["params"]["id"].removeprefix("alice/")) in created
            checked["acknowledged"] += 1
        elif what == "tell" and isinstance(value, bytes) and b'"created"' in value and b"alice/" in value:
            assert created
            checked["created"] += 1
    assert all(checked.values()), f"the run must have shown each: {checked}"


async def test_d1_what_is_chosen_is_durable_before_it_is_shown_and_at_the_end(
    tmp_path: Path, told: list[Callable[[bytes], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob merely learns. A question, what leaves and a clean end have it committed; time would, here in an hour."""
    monkeypatch.setattr("engine.runtime.node.CHOSEN_WAITS_MAX", 3_600_000)
    recorder = Recorder()
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        bob = await sites.start("bob", storage=recorder.storage)
        await sites.start("carol")
        told.append(lambda line: recorder.done.append(("tell", line)))
        for _ in range(10):
            assert (await alice.call("submit", kind="tweet", text="hi"))["outcome"] == "created"
        await status_where(bob, lambda status: status["chosen_through"] == 10)
        await alice.call("submit", kind="tweet", text="the last")
        await sites.stop_all()
        bob = await sites.start("bob")
        assert (await bob.call("status"))["chosen_through"] >= 10
    through = shown = 0
    for what, value in recorder.done:
        if what == "commit":
            assert isinstance(value, tuple)
            through = max([through, *(write.last for write in value if isinstance(write, WriteApplied))])
        elif isinstance(value, bytes) and b'"site":"bob"' in value and b'"chosen_through":' in value:
            shown = orjson.loads(value)["result"]["chosen_through"]
            assert shown <= through
    assert shown >= 10


async def test_d1_what_is_chosen_is_committed_soon_though_nothing_else_is(tmp_path: Path) -> None:
    """Nobody asks anything, and no vote is needed: heartbeats alone come and go."""
    recorder = Recorder()

    async def committed() -> list[type]:
        commits = [value for what, value in recorder.done if what == "commit"]
        return [type(write) for commit in commits if isinstance(commit, tuple) for write in commit]

    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice", storage=recorder.storage)
        await sites.start("bob")
        await sites.start("carol")
        assert (await alice.call("submit", kind="tweet", text="hi"))["outcome"] == "created"
        await eventually(committed, lambda writes: WriteApplied in writes)


async def test_d1_in_a_pass_that_commits_sends_and_tells_that_is_the_order(
    tmp_path: Path, told: list[Callable[[bytes], None]]
) -> None:
    """A cluster of one has the event's whole life in few passes: the last commit stands before the answer."""
    recorder = Recorder()
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice", storage=recorder.storage, wire=recorder.wire)
        told.append(lambda line: recorder.done.append(("tell", line)))
        await alice.call("submit", kind="tweet", text="hi")
    learned = [
        index
        for index, (what, value) in enumerate(recorder.done)
        if what == "commit" and isinstance(value, tuple) and any(isinstance(write, WriteLearned) for write in value)
    ]
    answered = [
        index
        for index, (what, value) in enumerate(recorder.done)
        if what == "tell" and isinstance(value, bytes) and b'"created"' in value
    ]
    assert learned[0] < answered[0]


async def test_what_a_rule_lets_go_is_not_overtaken_by_what_comes_later(
    tmp_path: Path, told: list[Callable[[bytes], None]]
) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        bob = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB])
        await bob.greet()
        rule = await alice.call("faults.add", rule="from=bob type=ask hold")
        span = ((Slot(1), Slot(1)),)
        first, second = bob.fresh(), bob.fresh()
        await bob.say(Ask(first, span))
        await eventually(lambda: alice.call("faults"), lambda faults: faults["held"] != [])
        told.append(lambda line: bob.say_at_once((Ask(second, span),)) if b'"removed"' in line else None)
        await alice.call("faults.remove", number=rule["number"])
        answered: list[Nonce] = []
        while len(answered) < 2:
            packet = await bob.hears_packet(Known)
            answered += [message.nonce for message in packet.messages if isinstance(message, Known)]
        bob.close()
    assert answered == [first, second]


async def test_d2_a_failed_commit_sends_nothing_tells_why_and_ends_with_3(tmp_path: Path) -> None:
    recorder = Recorder()
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice", storage=recorder.storage, wire=recorder.wire)
        await sites.start("bob")
        await sites.start("carol")
        await status_where(alice, lambda status: status["voting"])
        watching, submitting = await alice.client(), await alice.client()
        recorder.fails = lambda writes: any(isinstance(write, WriteVote) for write in writes)
        request = await submitting.send("submit", kind="tweet", text="hi")
        with pytest.raises(RpcFailed) as failed:
            await submitting.answer(request)
        assert failed.value.code == 3
        assert "the disk is full" in str(failed.value)
        stopping = await watching.hears(lambda message: message.get("method") == "stopping")
        assert stopping["params"]["exit_status"] == 3
        assert "the disk is full: make room" in stopping["params"]["reason"]
        await alice.ended.wait()
        assert alice.exit_status == 3
        after = recorder.done[recorder.all("failed")[0] + 1 :]
        assert after == [], "nothing is sealed, and nothing is tried again"
        assert not alice.control.exists()


async def test_d2_a_failed_read_ends_the_site_too(tmp_path: Path) -> None:
    class Damaged(RecordedStorage):
        def __init__(self, recorder: Recorder, real: Storage) -> None:
            super().__init__(recorder, real)
            self.timeline = self._damaged  # type: ignore[assignment]

        def _damaged(self, *_: object) -> None:
            raise StoreDamaged("site.db: slot 7 does not match its checksum")

    recorder = Recorder()
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice", storage=lambda real: Damaged(recorder, real))
        with pytest.raises(RpcFailed, match="slot 7 does not match") as failed:
            await alice.call("view")
        assert failed.value.code == 3
        await alice.ended.wait()
        assert alice.exit_status == 3


async def test_r1_a_second_entry_for_a_learned_slot_is_kept_as_evidence_sent_nowhere_and_ends_with_12(
    tmp_path: Path,
) -> None:
    recorder = Recorder()
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice", storage=recorder.storage, wire=recorder.wire)
        watching = await alice.client()
        bob = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB])
        await bob.greet()
        one, other = (Entry(BOB, 1, 0, encode(Stamped(Tweet(text), 5))) for text in ("one", "other"))
        await bob.say(Chosen(Slot(1), Slot(1), None, (one,)))
        await status_where(alice, lambda status: status["chosen_through"] == 1)
        # The site takes both in one pass: what it would have answered to the first does not leave either.
        bob.say_at_once((Hello(bob.fresh(), None, bob.founders),), (Chosen(Slot(1), Slot(1), None, (other,)),))
        stopping = await watching.hears(lambda message: message.get("method") == "stopping")
        await alice.ended.wait()
        bob.close()
        assert alice.exit_status == stopping["params"]["exit_status"] == 12
        assert recorder.done[-1][0] == "commit", "the evidence is written, and nothing is sent after it"
        assert "WriteEvidence" in repr(recorder.done[-1][1])
