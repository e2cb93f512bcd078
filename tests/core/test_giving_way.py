"""L3: a leader that cannot settle a slot which others can reach gives way, and nothing else makes it do so."""

from __future__ import annotations

from engine.core.effects import Effects, SawAttempt
from engine.core.ids import SiteId, Slot, Tick
from engine.core.leading.elected import GIVES_WAY_TIMEOUTS
from engine.core.leading.election import ASIDE_TIMEOUTS, STAND_MAX, TIMEOUT_BEATS
from engine.core.messages import Cause, HandOn, Heartbeat, Refused, RefusedSpan
from tests.core.led import BEAT, TIMEOUT, among, among_all, beat_of, leading, phases, proposed, range_prepares, settle
from tests.core.stage import BOB, CAROL, Stage, ballot, told, tweet

PATIENCE = GIVES_WAY_TIMEOUTS * TIMEOUT


def hand(stage: Stage, number: int) -> Effects:
    """Bob hands on an event, which is proposed."""
    effects = stage.hear(BOB, HandOn((tweet(BOB, number),), False))
    assert proposed(effects)
    return effects


def test_l3_a_leader_whose_accept_gets_no_majority_for_long_gives_way_and_says_why() -> None:
    stage, _ = leading()
    hand(stage, 1)
    assert "steps down" not in phases(among_all(stage, PATIENCE))
    [why] = [saw.why for saw in told(among_all(stage, BEAT), SawAttempt) if saw.phase == "steps down"]
    assert why == "slot 1 gets no majority although one is heard: another leader may get it"


def test_l3_who_gave_way_leaves_it_to_others_and_stands_again_where_nobody_does() -> None:
    stage, _ = leading()
    hand(stage, 1)
    among_all(stage, PATIENCE + BEAT)
    assert not range_prepares(among_all(stage, (ASIDE_TIMEOUTS - 1) * TIMEOUT))
    assert range_prepares(among_all(stage, 4 * TIMEOUT))


def test_l4_who_gave_way_leaves_it_for_longer_to_sites_that_beat_less_often() -> None:
    """They draw the moment at which they stand from a longer time."""
    stage, _ = leading()
    hand(stage, 1)
    slow = Tick(STAND_MAX)

    def heard() -> list[tuple[SiteId, Heartbeat]]:
        return [(peer, beat_of(stage, every=slow)) for peer in (BOB, CAROL)]

    while "steps down" not in phases(among(stage, heard, BEAT // 2)):
        assert stage.now < 4 * GIVES_WAY_TIMEOUTS * TIMEOUT
    assert not range_prepares(among(stage, heard, (ASIDE_TIMEOUTS * TIMEOUT_BEATS - 1) * slow))
    assert range_prepares(among(stage, heard, 2 * slow))


def test_l3_a_leader_whose_slots_are_settled_in_time_goes_on_however_many_there_are() -> None:
    """Never without a slot in flight, but each is settled before the patience ends."""
    stage, number = leading()
    for slot in range(1, 9):
        hand(stage, slot)
        assert "steps down" not in phases(among_all(stage, PATIENCE // 2))
        settle(stage, number, slot)
    assert stage.replica.view(0).leader == stage.settings.site


def test_l3_one_slot_is_enough_though_others_are_settled() -> None:
    """What comes after it waits for it: nothing of it is in the prefix."""
    stage, number = leading()
    hand(stage, 1)
    for slot in range(2, 6):
        hand(stage, slot)
        among_all(stage, PATIENCE // 5)
        settle(stage, number, slot)
    assert "steps down" in phases(among_all(stage, PATIENCE // 5 + BEAT))


def test_l3_a_slot_that_is_left_to_a_synod_counts_as_well() -> None:
    stage, number = leading()
    hand(stage, 1)
    span = RefusedSpan(Slot(1), Slot(1), ballot(50, BOB), Cause.SLOT)
    for peer in (BOB, CAROL):
        stage.hear(peer, Refused(number, "accept", (span,)))
    assert "steps down" not in phases(among_all(stage, PATIENCE - BEAT))
    assert "steps down" in phases(among_all(stage, 2 * BEAT))
