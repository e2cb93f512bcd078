"""What a leader does with its range: one prepare, what the promises hold, then accept rounds alone (L3, A4, B2, B3)."""

from __future__ import annotations

import pytest

from engine.core.effects import SawAttempt
from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Nonce, SiteId, Slot
from engine.core.log.pages import cost_bytes
from engine.core.messages import Accept, Ask, Cause, Chosen, HandOn, Prepare, Refused, RefusedSpan
from engine.core.settings import CHANGE_LAG
from engine.core.storage import EventState
from tests.core.led import (
    TIMEOUT,
    among_all,
    elected,
    leading,
    outcomes,
    phases,
    proposed,
    range_prepares,
    range_promise,
    settle,
    slot_prepares,
    standing,
)
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    Stage,
    accept,
    accepted,
    ballot,
    prepare,
    promise,
    sent,
    sent_to,
    told,
    tweet,
)

ONE_BOB, TWO_BOB = ballot(1, BOB), ballot(2, BOB)


def only_slot(slot: int, number: Ballot) -> RefusedSpan:
    """A single slot in which another ballot was promised."""
    return RefusedSpan(Slot(slot), Slot(slot), number, Cause.SLOT)


def tweets(stage: Stage, *numbers: int) -> list[tuple[Ballot, int, Entry]]:
    """Bob hands these on, each after the one before; what alice proposes to him then."""
    return proposed(stage.hear(BOB, HandOn(tuple(tweet(BOB, number) for number in numbers), False)))


# What the promises hold


def test_l3_what_the_promises_hold_is_proposed_again_and_the_gaps_between_become_no_ops() -> None:
    stage = elected()
    number, _ = standing(stage)
    effects = stage.hear(
        BOB, range_promise(number, 1, found=[(2, ONE_BOB, tweet(BOB, 1)), (5, ONE_BOB, tweet(BOB, 2))])
    )
    assert proposed(effects) == [
        (number, 1, NOOP),
        (number, 2, tweet(BOB, 1)),
        (number, 3, NOOP),
        (number, 4, NOOP),
        (number, 5, tweet(BOB, 2)),
    ]
    assert not slot_prepares(effects)


def test_l3_trap_in_flight_entries_of_a_dead_leader_go_on_at_their_slots() -> None:
    """Its own acceptor's are among them: it is one of the majority that promised."""
    stage = elected()
    stage.hear(BOB, accept(TWO_BOB, 2, tweet(BOB, 1)))
    number, _ = standing(stage)
    effects = stage.hear(CAROL, range_promise(number, 1))
    assert proposed(effects) == [(number, 1, NOOP), (number, 2, tweet(BOB, 1))]


def test_a2_new_events_go_above_all_that_is_proposed_again() -> None:
    """A slot of its range carries one entry at its ballot, for as long as it leads."""
    stage = elected()
    number, _ = standing(stage)
    stage.hear(BOB, range_promise(number, 1, found=[(2, ONE_BOB, tweet(CAROL, 1))]))
    assert tweets(stage, 1, 2) == [(number, 3, tweet(BOB, 1)), (number, 4, tweet(BOB, 2))]


@pytest.mark.parametrize("order", [(BOB, CAROL), (CAROL, BOB)])
def test_b2_of_what_was_accepted_in_a_slot_the_highest_ballot_counts(order: tuple[SiteId, SiteId]) -> None:
    reports = {BOB: (1, TWO_BOB, tweet(BOB, 2)), CAROL: (1, ballot(10, ALICE), tweet(CAROL, 1))}
    stage = elected(5)
    stage.hear(DAVE, prepare(ballot(30, DAVE), 9))  # its rounds are above these
    number, _ = standing(stage)
    for site in order:
        effects = stage.hear(site, range_promise(number, 1, found=[reports[site]]))
    assert proposed(effects)[0] == (number, 1, tweet(CAROL, 1))


def test_b2_ballot_0_in_a_promise_is_a_ballot() -> None:
    stage = elected()
    number, _ = standing(stage)
    effects = stage.hear(BOB, range_promise(number, 1, found=[(1, ballot(0, CAROL), tweet(CAROL, 1))]))
    assert proposed(effects) == [(number, 1, tweet(CAROL, 1))]


def test_l3_what_a_promise_says_is_chosen_is_learned_and_not_proposed() -> None:
    stage = elected()
    number, _ = standing(stage)
    effects = stage.hear(
        BOB, range_promise(number, 1, found=[(3, ONE_BOB, tweet(BOB, 2))], learned=[(1, tweet(BOB, 1))])
    )
    assert stage.store.log == {1: tweet(BOB, 1)}
    assert proposed(effects) == [(number, 2, NOOP), (number, 3, tweet(BOB, 2))]


# A4: a promise in pages


def test_a4_a_promise_counts_once_all_its_pages_came_and_each_is_asked_for() -> None:
    stage = elected()
    number, _ = standing(stage)
    effects = stage.hear(BOB, range_promise(number, 1, last=4, found=[(4, ONE_BOB, tweet(BOB, 1))]))
    assert sent_to(effects, BOB, Prepare) == [Prepare(number, Slot(5), None)]
    assert not sent(effects, Accept)
    effects = stage.hear(BOB, range_promise(number, 5, last=6, found=[(6, ONE_BOB, tweet(BOB, 2))]))
    assert sent_to(effects, BOB, Prepare) == [Prepare(number, Slot(7), None)]
    effects = stage.hear(BOB, range_promise(number, 7))
    assert [slot for _, slot, _ in proposed(effects)] == [1, 2, 3, 4, 5, 6]


def test_a4_a_page_that_comes_twice_or_out_of_turn_counts_for_nothing() -> None:
    stage = elected()
    number, _ = standing(stage)
    stage.hear(BOB, range_promise(number, 1, last=4))
    assert not stage.hear(BOB, range_promise(number, 1, last=4)).sends
    assert not stage.hear(BOB, range_promise(number, 9)).sends
    assert phases(stage.hear(BOB, range_promise(number, 5))) == ["leads"]


def test_a4_a_page_that_is_lost_is_asked_for_again() -> None:
    stage = elected()
    number, _ = standing(stage)
    stage.hear(BOB, range_promise(number, 1, last=4))
    again = range_prepares(stage.wait(stage.settings.timings.retransmit))
    assert set(again) == {Prepare(number, Slot(1), None), Prepare(number, Slot(5), None)}


def test_l3_an_election_whose_pages_come_slowly_goes_on_as_long_as_they_come() -> None:
    """Else a long log over a slow link would never have a leader: all starts anew after each election timeout."""
    stage = elected()
    number, _ = standing(stage)
    for page in range(1, 9):
        among_all(stage, TIMEOUT // 2)
        stage.hear(BOB, range_promise(number, page, last=page))
    assert phases(stage.hear(BOB, range_promise(number, 9))) == ["leads"]


def test_a4_what_a_promise_leaves_out_is_settled_by_a_synod_where_too_few_promised() -> None:
    """Slot 2 is another's: of three, only alice promised it. The rest of the range is hers."""
    stage = elected()
    number, _ = standing(stage)
    effects = stage.hear(
        BOB, range_promise(number, 1, found=[(3, ONE_BOB, tweet(BOB, 1))], left_out=(only_slot(2, ballot(9, CAROL)),))
    )
    assert phases(effects)[0] == "leads"
    assert [(at, slot) for at, slot, _ in proposed(effects)] == [(number, 1), (number, 3)]
    assert slot_prepares(effects) == [prepare(ballot(10, ALICE), 2)]


def test_a4_a_slot_left_out_by_one_is_hers_where_a_majority_is_left() -> None:
    stage = elected(5)
    number, _ = standing(stage)
    stage.hear(BOB, range_promise(number, 1, last=4, found=[(2, ONE_BOB, tweet(BOB, 1))]))
    stage.hear(CAROL, range_promise(number, 1, left_out=(only_slot(1, ballot(9, CAROL)),)))
    stage.hear(DAVE, range_promise(number, 1))
    assert not slot_prepares(stage.hear(BOB, range_promise(number, 5)))


# Accept rounds


def test_l3_then_it_needs_only_accept_rounds_many_slots_in_flight() -> None:
    stage, number = leading()
    effects = stage.submit(1, "one")
    effects.extend(stage.submit(2, "two"))
    effects.extend(stage.submit(3, "three"))
    assert [(at, slot) for at, slot, _ in proposed(effects)] == [(number, 1), (number, 2), (number, 3)]
    assert not sent(effects, Prepare)
    assert outcomes(settle(stage, number, 1, 2, 3)) == [
        (1, EventState.CREATED, 1),
        (2, EventState.CREATED, 2),
        (3, EventState.CREATED, 3),
    ]


def test_l3_many_entries_go_in_one_message_that_fits_a_datagram() -> None:
    stage, _ = leading()
    effects = stage.hear(BOB, HandOn(tuple(tweet(BOB, number) for number in range(1, 61)), False))
    messages = sent_to(effects, CAROL, Accept)
    assert 2 <= len(messages) < 20
    assert [slot for message in messages for slot, _ in message.run] == list(range(1, 61))


def test_b3_a_slot_is_chosen_when_a_majority_accepted_exactly_it_at_exactly_this_ballot() -> None:
    stage, number = leading(5)
    stage.submit(1, "one")
    for message in (
        accepted(number, 1),  # bob's; alice's own counts too
        accepted(number, 1),
        accepted(ballot(number.round, CAROL), 1),
        accepted(ballot(number.round - 1, ALICE), 1),
        accepted(number, 2, 3),
    ):
        assert not sent(stage.hear(BOB, message), Chosen)
    assert stage.store.log == {}
    assert sent(stage.hear(CAROL, accepted(number, 1)), Chosen)
    assert len(stage.store.log) == 1


def test_l3_who_does_not_answer_is_asked_again_and_nobody_else() -> None:
    stage, number = leading(5)
    stage.submit(1, "one")
    stage.hear(BOB, accepted(number, 1))
    effects = stage.wait(stage.settings.timings.retransmit)
    again = {to for to, message in sent(effects, Accept) if message.ballot == number}
    assert again == set(stage.settings.peers) - {BOB}
    assert not sent(effects, Prepare)


@pytest.mark.parametrize(("flight_bytes", "bound"), [(10**7, "slots"), (30_000, "bytes")])
def test_l3_what_is_in_flight_is_bounded_and_the_rest_follows(flight_bytes: int, bound: str) -> None:
    stage, number = leading(flight_bytes=flight_bytes)
    entries = [tweet(BOB, n, text=f"number {n:05}") for n in range(1, CHANGE_LAG + 200)]
    for begin in range(0, len(entries), 100):
        stage.hear(BOB, HandOn(tuple(entries[begin : begin + 100]), False))
    top = stage.replica.used_max
    if bound == "slots":
        assert top == CHANGE_LAG  # M2
    else:
        assert cost_bytes(entries[:top]) <= flight_bytes < cost_bytes(entries[: top + 1])
    effects = settle(stage, number, *range(1, 101))
    assert [slot for _, slot, _ in proposed(effects)] == list(range(top + 1, top + 101))


# Refusals


def test_l3_refused_because_of_a_single_slot_it_settles_that_by_synod_and_keeps_its_range() -> None:
    stage, number = leading()
    tweets(stage, 1, 2)
    effects = stage.hear(BOB, accepted(number, 2))
    for peer in (BOB, CAROL):
        effects.extend(stage.hear(peer, Refused(number, "accept", (only_slot(1, ballot(9, CAROL)),))))
    assert slot_prepares(effects) == [prepare(ballot(10, ALICE), 1)]
    assert "steps down" not in phases(effects)
    effects = stage.hear(BOB, promise(ballot(10, ALICE), 1))
    assert proposed(effects) == [(ballot(10, ALICE), 1, tweet(BOB, 1))], "what it had in flight there"
    assert tweets(stage, 3) == [(number, 3, tweet(BOB, 3))], "its range goes on at its ballot"


def test_l3_refused_by_a_minority_because_of_a_slot_it_still_has_its_majority() -> None:
    stage, number = leading()
    tweets(stage, 1)
    effects = stage.hear(CAROL, Refused(number, "accept", (only_slot(1, ballot(9, CAROL)),)))
    assert not sent(effects, Prepare)
    assert sent(stage.hear(BOB, accepted(number, 1)), Chosen)


def test_l3_refused_because_of_a_range_it_steps_down_and_starts_no_higher_ballot_for_it() -> None:
    stage, number = leading()
    tweets(stage, 1)
    span = RefusedSpan(Slot(1), Slot(1), ballot(9, CAROL), Cause.RANGE)
    effects = stage.hear(CAROL, Refused(number, "accept", (span,)))
    (down,) = [saw for saw in told(effects, SawAttempt) if saw.phase == "steps down"]
    assert (down.ballot, down.why) == (number, "carol promised 9.carol for a range that covers slot 1")
    assert not sent(effects, Prepare)
    assert stage.replica.view(0).leader is None
    assert not proposed(stage.wait(4 * stage.settings.timings.retransmit)), "what was in flight is not repeated"


def test_l3_a_refusal_of_another_ballot_is_no_reason_to_step_down() -> None:
    stage, number = leading()
    span = RefusedSpan(Slot(1), None, ballot(9, CAROL), Cause.RANGE)
    assert not phases(stage.hear(CAROL, Refused(ballot(number.round - 1, ALICE), "prepare", (span,))))


def test_l3_a_site_that_cannot_vote_is_missing_and_no_reason_to_step_down() -> None:
    stage, number = leading()
    tweets(stage, 1)
    span = RefusedSpan(Slot(1), Slot(1), None, Cause.NOT_VOTING)
    assert not phases(stage.hear(CAROL, Refused(number, "accept", (span,))))


# Filling


def test_l3_slots_used_beyond_what_it_proposed_become_no_ops_of_its_range() -> None:
    """Somebody's synod used slot 2, after alice had the promises for it: she proposes there as everywhere."""
    stage, number = leading()
    stage.hear(CAROL, accepted(ballot(0, CAROL), 2))
    effects = among_all(stage, 2 * stage.settings.timings.fill_every)
    assert {(at, slot, entry) for at, slot, entry in proposed(effects)} == {(number, 1, NOOP), (number, 2, NOOP)}
    assert not slot_prepares(effects)


def test_l3_a_leader_fills_what_others_ask_it_for() -> None:
    """They miss a slot, so it is used somewhere; they leave it to her."""
    stage, number = leading()
    stage.hear(CAROL, Ask(Nonce(7), ((Slot(1), Slot(2)),)))
    effects = among_all(stage, 2 * stage.settings.timings.fill_every)
    assert set(proposed(effects)) == {(number, 1, NOOP), (number, 2, NOOP)}
