"""Who stands, who leads, and who leaves a leader alone (L3; Ng et al., "Omni-Paxos", section 5)."""

from __future__ import annotations

import pytest

from engine.core.effects import Effects, SawAttempt
from engine.core.ids import Ballot, SiteId, Slot, Tick
from engine.core.messages import Cause, Heartbeat, Prepare, Promise, Refused, RefusedSpan
from engine.core.settings import Leadership
from tests.core.led import (
    BEAT,
    LINK,
    TIMEOUT,
    among,
    among_all,
    beat_of,
    elected,
    later,
    leading,
    led,
    phases,
    range_prepares,
    range_promise,
    standing,
)
from tests.core.stage import ALICE, BOB, CAROL, DAVE, ERIN, Stage, ballot, chosen, sent, told, tweet

THREE = ballot(3, BOB)
LONG = 10 * TIMEOUT


def beats(effects: Effects) -> list[Heartbeat]:
    return [message for _, message in sent(effects, Heartbeat)]


def refused(stage: Stage, sender: SiteId, number: Ballot, by: Ballot) -> Effects:
    """The sender promised `by` for all slots."""
    return stage.hear(sender, Refused(number, "prepare", (RefusedSpan(Slot(1), None, by, Cause.RANGE),)))


# Standing


def test_l3_without_a_leader_a_site_stands_with_one_prepare_for_all_slots() -> None:
    stage = elected(5)
    effects = among_all(stage, 2 * TIMEOUT)
    first = range_prepares(effects)[0]
    assert first == Prepare(ballot(1, ALICE), Slot(1), None)
    assert {to for to, message in sent(effects, Prepare) if message == first} == {BOB, CAROL, DAVE, ERIN}


def test_l3_the_range_begins_at_the_first_unlearned_slot() -> None:
    stage = elected()
    stage.hear(BOB, chosen(1, tweet(BOB, 1)), chosen(3, tweet(BOB, 3)))
    assert standing(stage) == (ballot(1, ALICE), 2)


def test_l3_who_reaches_no_majority_does_not_stand() -> None:
    """Of five it hears one, and is heard by one."""
    stage = elected(5)
    assert not range_prepares(among(stage, lambda: [(BOB, beat_of(stage))], LONG))


def test_l3_who_is_not_heard_by_a_majority_does_not_stand() -> None:
    """It hears all, and is heard by one: what it asks would not come to be promised."""
    stage = elected(5)

    def heard() -> list[tuple[SiteId, Heartbeat]]:
        return [(BOB, beat_of(stage)), *((peer, beat_of(stage, deaf=True)) for peer in (CAROL, DAVE, ERIN))]

    assert not range_prepares(among(stage, heard, LONG))


def test_d5_sites_that_do_not_vote_are_not_part_of_the_majority_that_is_reached() -> None:
    stage = elected(3)

    def heard() -> list[tuple[SiteId, Heartbeat]]:
        silent = Heartbeat(
            Leadership.ELECTED, False, Slot(0), Slot(0), stage.now, stage.now, 0, Tick(500), None, False, None
        )
        return [(BOB, silent), (CAROL, silent)]

    assert not range_prepares(among(stage, heard, LONG))


@pytest.mark.parametrize("number", [ballot(3, BOB), ballot(3, CAROL)])
def test_l3_a_site_that_hears_a_live_leader_that_reaches_a_majority_leaves_it_alone(number: Ballot) -> None:
    stage = elected()
    effects = among(stage, lambda: [(BOB, beat_of(stage, leads=number)), (CAROL, beat_of(stage))], LONG)
    assert not range_prepares(effects)


def test_l3_a_site_that_hears_a_peer_that_hears_the_leader_leaves_it_alone() -> None:
    """The chained pattern: bob leads and is cut off from alice, carol hears both."""
    stage = elected()
    effects = among(stage, lambda: [(CAROL, beat_of(stage, hears=THREE))], LONG)
    assert not range_prepares(effects)
    assert stage.replica.view(0).leader == BOB


def test_l3_what_a_peer_follows_through_others_is_no_leader_heard() -> None:
    """One hop: else two sites could each take the other's word for a leader that is long gone."""
    stage = elected()
    stage.hear(CAROL, beat_of(stage, hears=THREE))
    assert stage.replica.view(0).leader == BOB
    effects = among(stage, lambda: [(CAROL, beat_of(stage, hears=THREE))], BEAT)
    assert {message.hears for message in beats(effects)} == {None}


def test_l3_a_leader_that_reaches_no_majority_is_replaced() -> None:
    """The quorum-loss pattern: bob lives and leads, and says himself that he reaches no majority."""
    stage = elected()
    effects = among(stage, lambda: [(BOB, beat_of(stage, leads=THREE, reaches=False)), (CAROL, beat_of(stage))], LONG)
    assert range_prepares(effects)


def test_l3_a_leader_that_is_no_longer_heard_is_replaced_after_an_election_timeout() -> None:
    stage = led(THREE)
    effects = among(stage, lambda: [(CAROL, beat_of(stage))], TIMEOUT)
    assert not range_prepares(effects)
    assert range_prepares(among(stage, lambda: [(CAROL, beat_of(stage))], 3 * TIMEOUT))


def test_l3_its_ballot_is_above_every_one_it_promised_or_was_refused_for() -> None:
    stage = elected()
    stage.hear(BOB, Prepare(ballot(7, BOB), Slot(1), None))
    first, _ = standing(stage)
    assert first == ballot(8, ALICE)
    refused(stage, CAROL, first, ballot(20, CAROL))
    second, _ = standing(stage)
    assert second == ballot(21, ALICE)


def test_l3_who_promised_another_waits_for_that_election() -> None:
    stage = elected()
    among_all(stage, BEAT // 4)
    for _ in range(5):
        number = ballot(100 + stage.now, BOB)
        assert sent(stage.hear(BOB, Prepare(number, Slot(1), None)), Promise)
        assert not range_prepares(among_all(stage, TIMEOUT))


def test_b4_an_election_that_is_lost_is_tried_again_after_ever_longer_random_times() -> None:
    stage = elected()
    among_all(stage, BEAT // 4)
    waits: list[int] = []
    began = stage.now
    while len(waits) < 12:
        for message in range_prepares(among_all(stage, 20)):
            waits.append(stage.now - began)
            began = stage.now
            refused(stage, BOB, message.ballot, ballot(message.ballot.round + 1, BOB))
    assert len(set(waits)) > 6, "drawn anew each time"
    assert max(waits[6:]) > BEAT, "grows"
    assert max(waits) <= 2_000 + 20, "and ends at 2 s"


# Leading, and ceasing to


def test_l3_it_leads_once_a_majority_promised_and_says_so_at_once() -> None:
    stage = elected(5)
    number, first = standing(stage)
    assert phases(stage.hear(BOB, range_promise(number, first))) == []
    stage.hear(BOB, range_promise(number, first))
    assert stage.replica.view(0).leader is None, "a repeat counts once (B3)"
    effects = stage.hear(CAROL, range_promise(number, first))
    assert phases(effects) == ["leads"]
    said = beats(stage.tick())
    assert {message.leads for message in said} == {number}
    assert len(said) == 4


def test_l3_an_election_that_no_majority_answers_is_given_up() -> None:
    stage = elected(5)
    standing(stage)
    effects = among_all(stage, TIMEOUT)
    assert "steps down" in phases(effects)
    (why,) = {saw.why for saw in told(effects, SawAttempt) if saw.phase == "steps down"}
    assert why == "no majority promised in time"


def test_l3_a_promise_for_another_ballot_counts_for_nothing() -> None:
    stage = elected()
    number, first = standing(stage)
    stage.hear(BOB, range_promise(ballot(number.round + 1, ALICE), first))
    stage.hear(BOB, range_promise(ballot(number.round, BOB), first))
    assert stage.replica.view(0).leader is None


def test_l3_a_leader_that_reaches_no_majority_any_more_steps_down_and_says_so_at_once() -> None:
    stage, number = leading(5)
    effects = among(stage, lambda: [(BOB, beat_of(stage))], LINK + BEAT)
    (down,) = [saw for saw in told(effects, SawAttempt) if saw.phase == "steps down"]
    assert (down.ballot, down.why) == (number, "it no longer reaches a majority")
    assert beats(effects)[-1].leads is None
    assert not beats(effects)[-1].reaches


def test_l3_a_leader_steps_down_for_one_with_a_higher_ballot_and_for_no_lower_one() -> None:
    stage, number = leading()
    stage.hear(CAROL, beat_of(stage))
    stage.hear(BOB, beat_of(stage, leads=ballot(0, BOB)))
    assert phases(stage.tick()) == []
    stage.hear(BOB, beat_of(stage, leads=ballot(number.round + 1, BOB)))
    effects = stage.wait(BEAT)
    assert phases(effects) == ["steps down"]
    assert stage.replica.view(0).leader == BOB


def test_l3_trap_a_leader_that_stood_still_for_a_minute_steps_down_in_the_step_in_which_it_wakes() -> None:
    stage, _ = leading()
    stage.now = later(stage, 60_000)
    effects = stage.tick()
    assert phases(effects) == ["steps down"]
    assert not range_prepares(effects)
    assert stage.replica.view(0).leader is None


# Heartbeats


def test_l3_heartbeats_are_never_answered() -> None:
    """Not even those of a leader, or of one that is far ahead: what follows is asked in its own time."""
    stage = elected()
    stage.tick()
    for heartbeat in (
        beat_of(stage),
        beat_of(stage, leads=THREE),
        beat_of(stage, hears=THREE),
        beat_of(stage, used_max=40),
        beat_of(stage, leads=THREE, deaf=True),
    ):
        assert not stage.hear(BOB, heartbeat).sends
