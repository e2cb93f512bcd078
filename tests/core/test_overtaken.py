"""An accept that was probably lost is sent again before its time (L3): what left later was accepted before it."""

from __future__ import annotations

from itertools import pairwise

from engine.core.effects import Effects
from engine.core.ids import Ballot, SiteId
from engine.core.leading.reign import OVERTAKEN_SHARE
from engine.core.messages import Accept
from tests.core.led import leading
from tests.core.stage import BOB, CAROL, Stage, accepted, sent

SOON = Stage().settings.timings.retransmit // OVERTAKEN_SHARE


def asked_at(effects: Effects, slot: int) -> list[SiteId]:
    return [to for to, message in sent(effects, Accept) if message.run.first <= slot <= message.run.last]


def two_in_flight(*, apart: int) -> tuple[Stage, Ballot, Effects]:
    """Slot 2 was asked for so many ms after slot 1, and bob has accepted it alone."""
    stage, number = leading(5)
    stage.submit(1, "one")
    stage.tick(stage.now + apart)
    stage.submit(2, "two")
    return stage, number, stage.hear(BOB, accepted(number, 2))


def test_what_was_overtaken_is_sent_again_soon_to_all_who_did_not_accept_it() -> None:
    stage, _, effects = two_in_flight(apart=1)
    assert not asked_at(effects, 1), "datagrams may change their order"
    effects = stage.wait(SOON)
    assert set(asked_at(effects, 1)) == set(stage.settings.peers)
    assert not asked_at(effects, 2), "nothing overtook it"


def test_who_accepted_it_meanwhile_is_not_asked_again() -> None:
    stage, number, _ = two_in_flight(apart=1)
    stage.hear(BOB, accepted(number, 1))
    assert BOB not in asked_at(stage.wait(SOON), 1)


def test_what_left_at_the_same_time_overtook_nothing() -> None:
    stage, _, _ = two_in_flight(apart=0)
    assert not asked_at(stage.wait(SOON), 1)


def test_where_all_is_accepted_in_its_order_nothing_is_sent_again() -> None:
    stage, number = leading(5)
    for slot in range(1, 9):
        stage.submit(slot, f"number {slot}")
        effects = stage.tick(stage.now + 1)
        assert not sent(effects, Accept)
        for peer in (BOB, CAROL):
            effects = stage.hear(peer, accepted(number, slot))
            assert not sent(effects, Accept)


def test_w4_what_never_arrives_is_sent_a_few_times_more_at_most() -> None:
    """Whatever is accepted after it, for two seconds."""
    stage, number = leading(5)
    stage.submit(1, "never")
    at: list[int] = []
    for slot in range(2, 102):
        if BOB in asked_at(stage.wait(20), 1):
            at.append(stage.now)
        stage.submit(slot, f"number {slot}")
        for peer in (BOB, CAROL):
            stage.hear(peer, accepted(number, slot))
    waits = [later - earlier for earlier, later in pairwise(at)]
    doubled = OVERTAKEN_SHARE.bit_length()
    assert doubled <= len(at) <= 2 * doubled, "each wait of either kind is twice the last of its kind"
    assert waits[0] <= 20
    assert waits[-1] >= 200
