"""W4: how long datagrams to a peer may be is found out by asking. W1: only a challenge that is out proves it.

Pure first, with a network that a test plays by hand; then real sites, to one of which long datagrams do not get.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from engine.core.ids import SiteId, Tick
from engine.core.messages import Packet
from engine.datagram import DATAGRAM_BYTES_MIN, DatagramSizes, Reason, Rejected
from engine.runtime.sizes import LACKING_ROUNDS, PROVED_FOR, RETRY_AFTER, TRIES_MAX, Question, Sizes
from engine.seal import OpenedUnder, Seal
from engine.senders import PerSender
from engine.wire import CHALLENGE_BYTES, Echo, Opened, Sounding, Wire
from tests.runtime.peer import Peer
from tests.runtime.sites import KEY, QUICK, Cluster, cluster, status_where
from tests.strategies import SITES

ALICE, BOB, CAROL = SITES
FAR = DatagramSizes(1_232, 1_452)
EMOJI = "\N{GRINNING FACE}" * 280


class Way:
    """A peer at the end of a path that carries datagrams of at most `limit` bytes, and the time."""

    def __init__(self, sizes: DatagramSizes = FAR, limit: int = 1_452) -> None:
        numbers = count()
        self.sizes = Sizes(sizes, (BOB, CAROL), lambda: next(numbers).to_bytes(8, "big"))
        self.limit = limit
        self.now = Tick(0)
        self.asked: list[Question] = []

    def until_at_rest(self, within: int = 60_000) -> int:
        """Lets what is due happen for so long; returns how many questions there were."""
        before, end = len(self.asked), self.now + within
        while (due := self.sizes.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            for question in self.sizes.due(self.now):
                self.asked.append(question)
                if question.bytes <= self.limit:
                    self.sizes.answered(self.now, question.peer, question.challenge)
        self.now = Tick(end)
        return len(self.asked) - before

    def heard(self) -> None:
        self.sizes.heard(self.now, BOB)

    def sends(self, length: int) -> None:
        self.sizes.sent(self.now, BOB, length)


@pytest.fixture
def path() -> Way:
    return Way()


def test_w4_a_peer_begins_with_what_every_path_carries(path: Way) -> None:
    assert path.sizes.of(BOB) == FAR.first
    path.heard()
    assert path.sizes.of(BOB) == FAR.first
    assert path.sizes.of(CAROL) == FAR.first


def test_w4_a_longer_one_holds_once_it_is_proved_and_a_good_path_costs_one_question(path: Way) -> None:
    path.heard()
    assert path.until_at_rest() == 1
    assert path.sizes.of(BOB) == FAR.most
    assert path.sizes.of(CAROL) == FAR.first, "what one path carries says nothing of another"


@pytest.mark.parametrize(("limit", "holds"), [(1_400, 1_372), (1_300, 1_232)])
def test_w4_the_longest_that_arrives_holds(limit: int, holds: int) -> None:
    path = Way(limit=limit)
    path.heard()
    assert path.until_at_rest() <= TRIES_MAX * len(FAR.ladder)
    assert path.sizes.of(BOB) == holds
    assert path.sizes.narrow is None
    path.limit = FAR.most
    path.until_at_rest(RETRY_AFTER)
    assert path.sizes.of(BOB) == FAR.most, "it is tried again later"


def test_w4_less_than_the_usual_is_told_and_no_more_once_it_is_over() -> None:
    path = Way(limit=1_100)
    path.heard()
    path.until_at_rest(2_500)
    assert path.sizes.of(BOB) == 1_000
    assert path.sizes.narrow is None, f"it must be found {LACKING_ROUNDS} times"
    path.until_at_rest(10_000)
    narrow = path.sizes.narrow
    assert narrow is not None
    assert "1232 bytes do not arrive" in narrow
    assert "bob gets 1000 bytes" in narrow
    assert "datagram_max_bytes: 1000" in narrow
    path.limit = FAR.most
    path.until_at_rest(70_000)
    assert (path.sizes.of(BOB), path.sizes.narrow) == (FAR.most, None)


def test_w4_what_is_not_answered_at_all_is_not_assumed_and_not_told() -> None:
    """The answers may be what is lost; nothing is known."""
    path = Way(limit=0)
    path.heard()
    path.until_at_rest(300_000)
    assert (path.sizes.of(BOB), path.sizes.narrow) == (FAR.first, None)
    assert len(path.asked) < 10 * TRIES_MAX * len(FAR.ladder), "bounded"


def test_an_idle_cluster_asks_nothing_more(path: Way) -> None:
    path.heard()
    path.until_at_rest()
    for _ in range(100):
        path.sends(250)
    assert path.sizes.deadline() is None


def test_w4_long_ones_are_proved_anew_while_they_are_used(path: Way) -> None:
    path.heard()
    path.until_at_rest()
    for _ in range(10):
        path.sends(1_400)
    assert path.until_at_rest(0) == 1, "one question for all of them"
    path.sends(1_400)
    assert path.until_at_rest(PROVED_FOR) == 0, "it was proved just now"


@pytest.mark.parametrize("sent", [1_452, 1_300, 600])
@pytest.mark.parametrize(("limit", "holds"), [(1_300, 1_232), (900, 800)])
def test_w4_the_proof_goes_when_long_ones_cease_to_be_answered(path: Way, limit: int, holds: int, sent: int) -> None:
    path.heard()
    path.until_at_rest()
    path.limit = limit
    path.sends(sent)
    path.until_at_rest(2_500)
    assert path.sizes.of(BOB) == holds


def test_w4_the_proof_goes_when_the_peer_is_lost_or_moves(path: Way) -> None:
    path.heard()
    path.until_at_rest()
    path.limit = 1_300
    path.sizes.moved(path.now, BOB)
    assert path.sizes.of(BOB) == FAR.first
    path.until_at_rest(0)
    assert path.asked[-1].bytes == FAR.most, "it is asked at its new address"
    path.sizes.lost(BOB)
    assert (path.sizes.of(BOB), path.sizes.deadline()) == (FAR.first, None)


def test_w1_a_replay_proves_nothing(path: Way) -> None:
    path.heard()
    [question] = path.sizes.due(path.now)
    path.sizes.answered(path.now, CAROL, question.challenge)
    path.sizes.answered(path.now, BOB, b"another.")
    assert path.sizes.of(BOB) == FAR.first
    path.sizes.answered(path.now, BOB, question.challenge)
    assert path.sizes.of(BOB) == FAR.most
    path.sizes.lost(BOB)
    path.heard()
    path.sizes.answered(path.now, BOB, question.challenge)
    assert path.sizes.of(BOB) == FAR.first, "a challenge counts once"


@pytest.mark.parametrize(
    "sizes", [DatagramSizes(16_384, 16_384), DatagramSizes(DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_MIN)]
)
def test_nothing_is_asked_where_there_is_nothing_to_find_out(sizes: DatagramSizes) -> None:
    path = Way(sizes)
    path.heard()
    path.sends(sizes.most)
    assert path.until_at_rest() == 0
    assert path.sizes.of(BOB) == sizes.most


# On the wire


def _wires() -> tuple[Wire, Wire]:
    return Wire(KEY, "island", ALICE), Wire(KEY, "island", BOB)


@pytest.mark.parametrize("length", [DATAGRAM_BYTES_MIN, 1_452, 16_384])
def test_w3_a_question_is_as_long_as_it_asks_about_and_its_answer_is_short(length: int) -> None:
    alice, bob = _wires()
    challenge = bytes(range(CHALLENGE_BYTES))
    question = alice.sound(BOB, challenge, length)
    assert len(question) == length
    assert bob.open(question) == Sounding(ALICE, challenge)
    answer = bob.echo(ALICE, challenge)
    assert len(answer) < 96
    assert alice.open(answer) == Echo(BOB, challenge)


@pytest.mark.parametrize(
    "plaintext", [b"\x02", b"\x021234567", b"\x0212345678x", b"\x03", b"\x031234567", b"\x03123456789"]
)
def test_w2_of_another_form_it_is_rejected(plaintext: bytes) -> None:
    with pytest.raises(Rejected, match=Reason.SOUNDING):
        _wires()[1].open(Seal(KEY, "island", ALICE).seal(BOB, plaintext))


# Real sites


class Narrow:
    """A wire to which datagrams longer than `limit` do not arrive; `longest` is the longest that it sent."""

    def __init__(self, real: Wire, limit: int, sent: list[int]) -> None:
        self._real, self._limit, self._sent = real, limit, sent
        self.sound, self.echo, self.tell_founders = real.sound, real.echo, real.tell_founders
        self.ask_clock, self.tell_clock = real.ask_clock, real.tell_clock

    @property
    def given_up(self) -> int:
        return self._real.given_up

    @property
    def opened_under(self) -> PerSender[OpenedUnder]:
        return self._real.opened_under

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]:
        datagrams = self._real.seal(to, packet, datagram_bytes_max)
        self._sent += map(len, datagrams)
        return datagrams

    def open(self, datagram: bytes) -> Opened | None:
        return None if len(datagram) > self._limit else self._real.open(datagram)


async def _far(sites: Cluster, limit: int) -> list[int]:
    sent: list[int] = []
    sites.datagram_sizes = FAR
    for name in sites.sites:
        await sites.start(name, wire=lambda made: Narrow(made, limit, sent))
    return sent


def _at(size: int) -> Callable[[dict[str, dict[str, dict[str, object]]]], bool]:
    return lambda status: {peer["datagram_bytes"] for peer in status["peers"].values()} == {size}


async def test_w4_sites_find_out_what_their_paths_carry_and_the_longest_tweet_is_created(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        sent = await _far(sites, 1_252)
        alice = sites.running["alice"]
        outcome = await alice.call("submit", kind="tweet", text=EMOJI, retry=True)
        assert outcome["outcome"] == "created"
        assert max(sent) <= FAR.first
        assert (await status_where(alice, _at(1_232)))["narrow"] is None


async def test_w4_where_less_than_the_usual_arrives_the_log_goes_on_and_the_status_says_so(tmp_path: Path) -> None:
    # Beats of a usual length: a peer that is lost for a moment, on a busy machine, is asked from the beginning.
    async with cluster(tmp_path, "alice", "bob", "carol", timings=replace(QUICK, heartbeat=Tick(500))) as sites:
        await _far(sites, 900)
        alice = sites.running["alice"]
        status = await status_where(alice, lambda said: said["narrow"] is not None)
        assert "datagram_max_bytes: 800" in status["narrow"]
        outcome = await alice.call("submit", kind="tweet", text=EMOJI, retry=True)
        assert outcome["outcome"] == "created"


async def test_w3_a_flood_of_questions_is_answered_boundedly(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        alice = await sites.start("alice")
        peer = Peer(SiteId("bob"), sites.sites, SiteId("alice"), alice.place, sites.addresses[SiteId("bob")])
        before = (await alice.call("status"))["counters"]["bytes_out"]
        questions = [peer.wire.sound(peer.to, number.to_bytes(8, "big"), 1_452) for number in range(50)]
        for question in questions:
            await peer.socket.sendto(question, peer.to_place)
        status = await status_where(alice, lambda said: said["counters"]["datagrams_in"] >= len(questions))
        assert status["counters"]["bytes_out"] - before < sum(map(len, questions)) / 2
        assert status["counters"]["rejected"] == {}
        peer.close()
