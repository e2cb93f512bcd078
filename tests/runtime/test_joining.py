"""M1: before a site that was added makes its store, it learns with whom the cluster began, from one that knows."""

from __future__ import annotations

from pathlib import Path

import trio

from engine.core.ids import SiteId
from engine.runtime.inbox import Inbox
from engine.runtime.joining import Newcomer, ask_founders
from engine.wire import CHALLENGE_BYTES, FOUNDERS_BYTES, Founders, Wire
from tests.runtime.peer import bound, waiting
from tests.runtime.sites import CLUSTER, KEY, WITHIN_S, cluster, status_where

DAVE = SiteId("dave")


def newcomer(contacts: dict[SiteId, tuple[str, int]]) -> Newcomer:
    return Newcomer(DAVE, contacts, Wire(KEY, CLUSTER, DAVE))


async def test_m1_one_site_of_a_cluster_that_has_begun_is_enough(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        await sites.start_all()
        alice, bob = sites.running["alice"], sites.running["bob"]
        await status_where(alice, lambda status: status["voting"])
        await bob.stop()
        with trio.fail_after(WITHIN_S):
            contacts = {alice.name: alice.place, bob.name: bob.place, SiteId("erin"): (f"{'a' * 70}.example", 7001)}
            assert await ask_founders(newcomer(contacts), Inbox()) == ("alice", "bob")


async def test_m1_a_site_whose_cluster_has_not_begun_does_not_tell(tmp_path: Path) -> None:
    """Its file may be wrong: nobody has confirmed it."""
    wire, challenge = Wire(KEY, CLUSTER, DAVE), bytes(range(CHALLENGE_BYTES))
    async with cluster(tmp_path, "alice", "bob") as sites:
        alice = await sites.start("alice")
        socket = bound()
        await socket.sendto(wire.ask_founders(alice.name, challenge), alice.place)
        await socket.sendto(wire.ask_founders(alice.name, challenge)[:-1], alice.place)
        status = await status_where(alice, lambda status: status["counters"]["rejected"] == {"forged": 1})
        assert not status["voting"]
        assert waiting(socket) == []
        socket.close()


async def test_nobody_answers_until_somebody_stops_the_site() -> None:
    nobody, inbox = bound(), Inbox()
    async with trio.open_nursery() as nursery:
        asked = newcomer({SiteId("alice"): nobody.getsockname()})

        async def stop() -> None:
            data, _ = await nobody.recvfrom(65_535)
            assert len(data) > FOUNDERS_BYTES, "who plays it again gets no more than he sends"
            inbox.stop("SIGTERM came")

        nursery.start_soon(stop)
        with trio.fail_after(WITHIN_S):
            assert await ask_founders(asked, inbox) is None
    nobody.close()


def test_w3_an_answer_is_no_longer_than_its_question() -> None:
    longest = [SiteId(f"{number}".rjust(16, "a")) for number in range(9)]
    alice, dave = Wire(KEY, CLUSTER, longest[0]), Wire(KEY, CLUSTER, DAVE)
    question = dave.ask_founders(longest[0], bytes(CHALLENGE_BYTES))
    answer = alice.tell_founders(DAVE, bytes(CHALLENGE_BYTES), longest)
    assert len(answer) <= len(question)
    assert dave.open(answer) == Founders(longest[0], bytes(CHALLENGE_BYTES), tuple(longest))
