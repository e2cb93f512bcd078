"""The truth about votes fails whoever breaks its rule, and nobody else: each rule is broken here once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accepted, Cause, Chosen, Promise, Refused, RefusedSpan
from engine.core.run import AcceptedRun
from engine.core.storage import RangePromise, Vote
from engine.sim.truth.ballots import Ballots
from engine.sim.truth.electorates import never_changing
from engine.sim.violation import Judge, Violated

ALICE, BOB, CAROL = NAMES = (SiteId("alice"), SiteId("bob"), SiteId("carol"))
SLOT, NEXT = Slot(1), Slot(2)
NONE = Slot(0)
"""The prefix of a site that has learned nothing."""
LOW, HIGH = Ballot(Round(1), ALICE), Ballot(Round(2), BOB)
ENTRY = Entry(ALICE, 1, 0, "tweet 1 t")


@pytest.fixture
def ballots() -> Ballots:
    return Ballots(never_changing(NAMES, Judge()), Judge())


@contextmanager
def violates(rule: str) -> Iterator[None]:
    with pytest.raises(Violated) as caught:
        yield
    assert caught.value.violation.rule == rule


def promises(ballots: Ballots, ballot: Ballot, *sites: int) -> None:
    for site in sites:
        before = ballots.book(SLOT).votes[site]
        ballots.voted(site, SLOT, Vote(ballot, before.accepted, before.entries))


def accepts(ballots: Ballots, ballot: Ballot, entry: Entry, *sites: int) -> None:
    for site in sites:
        ballots.voted(site, SLOT, Vote(ballot, ballot, (entry,)))


def test_an_entry_is_chosen_once_a_majority_accepted_it_at_one_ballot(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    promises(ballots, HIGH, 0, 1, 2)
    accepts(ballots, HIGH, ENTRY, 1)
    assert ballots.book(SLOT).chosen is None, "two sites accepted it, at different ballots"
    accepts(ballots, HIGH, ENTRY, 2)
    assert ballots.book(SLOT).chosen == ENTRY
    assert ballots.newly_chosen == [SLOT]


def test_agreement_two_entries_are_never_chosen(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0, 1)
    book = ballots.book(SLOT)
    book.proposals[HIGH] = NOOP  # as if P2c had let it pass
    accepts(ballots, HIGH, NOOP, 1)
    with violates("agreement"):
        accepts(ballots, HIGH, NOOP, 2)


def test_b1_a_ballot_carries_one_entry(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    ballots.proposed(SLOT, LOW, ENTRY)
    with violates("B1"):
        ballots.proposed(SLOT, LOW, NOOP)


def test_b2_nothing_is_proposed_without_a_majority_of_promises(ballots: Ballots) -> None:
    promises(ballots, LOW, 0)
    with violates("B2"):
        ballots.proposed(SLOT, LOW, ENTRY)


def test_b2_what_the_promises_hold_is_not_passed_over(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    promises(ballots, HIGH, 0, 1)
    with violates("B2"):
        ballots.proposed(SLOT, HIGH, NOOP)
    ballots.proposed(SLOT, HIGH, ENTRY)


def test_b2_a_majority_of_empty_promises_leaves_the_choice(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    promises(ballots, HIGH, 0, 1, 2)
    ballots.proposed(SLOT, HIGH, NOOP)


def test_b2_what_was_accepted_after_the_promise_is_not_held_against_it(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1, 2)
    promises(ballots, HIGH, 1, 2)
    accepts(ballots, LOW, ENTRY, 0)
    ballots.proposed(SLOT, HIGH, NOOP)


def test_b2_ballot_0_is_a_ballot(ballots: Ballots) -> None:
    zero = Ballot(Round(0), ALICE)
    ballots.proposed(SLOT, zero, ENTRY)
    accepts(ballots, zero, ENTRY, 0, 1)
    promises(ballots, HIGH, 0, 1)
    with violates("B2"):
        ballots.proposed(SLOT, HIGH, NOOP)


def test_a1_promises_never_go_back(ballots: Ballots) -> None:
    promises(ballots, HIGH, 0)
    with violates("A1"):
        promises(ballots, LOW, 0)


def test_a2_what_was_accepted_never_goes_back(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    with violates("A2"):
        ballots.voted(0, SLOT, Vote(HIGH, None, ()))


def test_a2_accepting_raises_the_promise(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    promises(ballots, HIGH, 0, 1)
    with violates("A2"):
        ballots.voted(2, SLOT, Vote(LOW, HIGH, (ENTRY,)))


def test_a3_a_range_promise_holds_for_each_of_its_slots(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    ballots.ranged(0, (RangePromise(SLOT, None, HIGH),), Slot(0))
    with violates("A3"):
        accepts(ballots, LOW, ENTRY, 0)


def test_a1_range_promises_never_go_back_above_the_prefix(ballots: Ballots) -> None:
    ballots.ranged(0, (RangePromise(SLOT, None, HIGH),), Slot(0))
    ballots.ranged(0, (RangePromise(Slot(5), None, HIGH),), Slot(4))
    with violates("A1"):
        ballots.ranged(0, (RangePromise(Slot(6), None, HIGH),), Slot(4))


def test_b2_a_range_promise_counts_with_what_was_accepted_when_it_was_made(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    for site in (0, 1):
        ballots.ranged(site, (RangePromise(SLOT, None, HIGH),), Slot(0))
    ballots.proposed(Slot(2), HIGH, NOOP)
    with violates("B2"):
        ballots.proposed(SLOT, HIGH, NOOP)


def test_r0_nothing_is_learned_that_no_majority_accepted(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    with violates("R0"):
        ballots.learned(0, SLOT, ENTRY)


def test_r1_what_is_learned_is_what_is_chosen(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0, 1)
    ballots.learned(2, SLOT, ENTRY)
    with violates("R1"):
        ballots.learned(2, SLOT, NOOP)


def test_d1_a_promise_leaves_once_it_is_durable(ballots: Ballots) -> None:
    with violates("D1"):
        ballots.promise_sent(0, Promise(LOW, SLOT, SLOT, (), (), ()), NONE)


def test_d1_an_acceptance_leaves_once_it_is_durable(ballots: Ballots) -> None:
    with violates("D1"):
        ballots.accepted_sent(0, Accepted(LOW, ((SLOT, SLOT),)))


def test_a1_no_vote_for_a_lower_ballot_is_told_after_one_for_a_higher(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    promises(ballots, HIGH, 0)
    ballots.promise_sent(0, Promise(HIGH, SLOT, SLOT, (AcceptedRun(SLOT, LOW, (ENTRY,)),), (), ()), NONE)
    with violates("A1"):
        ballots.accepted_sent(0, Accepted(LOW, ((SLOT, SLOT),)))


def test_a4_a_promise_reports_what_was_said_to_be_accepted(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    ballots.accepted_sent(0, Accepted(LOW, ((SLOT, SLOT),)))
    promises(ballots, HIGH, 0)
    with violates("A4"):
        ballots.promise_sent(0, Promise(HIGH, SLOT, SLOT, (), (), ()), NONE)


def test_a4_the_accepted_ballot_is_reported_not_the_promised_one(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    promises(ballots, HIGH, 0)
    with violates("A4"):
        ballots.promise_sent(0, Promise(HIGH, SLOT, SLOT, (AcceptedRun(SLOT, HIGH, (ENTRY,)),), (), ()), NONE)


def test_a4_a_range_promise_leaves_out_nothing_that_it_covers(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0)
    ballots.accepted_sent(0, Accepted(LOW, ((SLOT, SLOT),)))
    ballots.ranged(0, (RangePromise(SLOT, None, HIGH),), Slot(0))
    with violates("A4"):
        ballots.promise_sent(0, Promise(HIGH, SLOT, None, (), (), ()), NONE)
    page = Promise(HIGH, SLOT, None, (AcceptedRun(SLOT, LOW, (ENTRY,)),), (), ())
    ballots.promise_sent(0, page, NONE)


# Runs of several slots


def accept_run(ballots: Ballots, ballot: Ballot, *sites: int) -> None:
    for site in sites:
        for slot in (SLOT, NEXT):
            ballots.voted(site, slot, Vote(ballot, ballot, (ENTRY,)))


def promise_run(ballots: Ballots, ballot: Ballot, *sites: int) -> None:
    for site in sites:
        ballots.ranged(site, (RangePromise(SLOT, NEXT, ballot),), NONE)


def test_b2_a_promise_of_some_slots_counts_for_these_alone(ballots: Ballots) -> None:
    promise_run(ballots, LOW, 0, 1)
    ballots.proposed(NEXT, LOW, ENTRY)
    with violates("B2"):
        ballots.proposed(Slot(3), LOW, ENTRY)


def test_b2_a_site_that_promised_a_range_and_a_slot_of_it_counts_once(ballots: Ballots) -> None:
    promise_run(ballots, LOW, 0)
    promises(ballots, LOW, 0)
    with violates("B2"):
        ballots.proposed(SLOT, LOW, ENTRY)


def test_b2_what_a_site_accepted_before_it_promised_the_rest_of_a_ballot_counts(ballots: Ballots) -> None:
    """The prepare of one slot came before that of both."""
    promise_run(ballots, LOW, 0, 1)
    ballots.ranged(1, (RangePromise(SLOT, SLOT, HIGH), RangePromise(NEXT, NEXT, LOW)), NONE)
    for site in (0, 1):
        ballots.voted(site, NEXT, Vote(LOW, LOW, (ENTRY,)))
    promise_run(ballots, HIGH, 1, 2)
    with violates("B2"):
        ballots.proposed(NEXT, HIGH, NOOP)
    ballots.proposed(SLOT, HIGH, NOOP)


def test_a1_a_range_promise_does_not_end_sooner(ballots: Ballots) -> None:
    promise_run(ballots, LOW, 0)
    with violates("A1"):
        ballots.ranged(0, (RangePromise(SLOT, SLOT, LOW),), NONE)


def test_d1_every_slot_of_a_run_that_is_promised_or_accepted_is_durable(ballots: Ballots) -> None:
    promise_run(ballots, LOW, 0, 1)
    ballots.promise_sent(0, Promise(LOW, SLOT, NEXT, (), (), ()), NONE)
    with violates("D1"):
        ballots.promise_sent(0, Promise(LOW, SLOT, Slot(3), (), (), ()), NONE)
    ballots.voted(0, SLOT, Vote(LOW, LOW, (ENTRY,)))
    with violates("D1"):
        ballots.accepted_sent(0, Accepted(LOW, ((SLOT, NEXT),)))


def test_a4_a_page_that_splits_a_run_reports_its_part_and_covers_no_more(ballots: Ballots) -> None:
    promise_run(ballots, LOW, 0, 1)
    accept_run(ballots, LOW, 0)
    ballots.accepted_sent(0, Accepted(LOW, ((SLOT, NEXT),)))
    ballots.ranged(0, (RangePromise(SLOT, None, HIGH),), NONE)
    part = (AcceptedRun(SLOT, LOW, (ENTRY,)),)
    ballots.promise_sent(0, Promise(HIGH, SLOT, SLOT, part, (), ()), NONE)
    with violates("A4"):
        ballots.promise_sent(0, Promise(HIGH, SLOT, None, part, (), ()), NONE)


def test_a3_what_a_promise_of_some_slots_leaves_out_is_no_vote(ballots: Ballots) -> None:
    ballots.ranged(0, (RangePromise(SLOT, None, HIGH),), NONE)
    ballots.promise_sent(0, Promise(HIGH, SLOT, None, (), (), ()), NONE)
    out = RefusedSpan(SLOT, None, HIGH, Cause.RANGE)
    ballots.promise_sent(0, Promise(LOW, SLOT, NEXT, (), (), (out,)), NONE)
    with violates("A3"):
        ballots.promise_sent(0, Promise(LOW, SLOT, NEXT, (), (), (RefusedSpan(SLOT, SLOT, HIGH, Cause.RANGE),)), NONE)


def test_a5_each_slot_of_a_refusal_has_the_ballot_in_the_way(ballots: Ballots) -> None:
    promises(ballots, HIGH, 0)
    with violates("A5"):
        ballots.refused_sent(0, Refused(LOW, "accept", (RefusedSpan(SLOT, NEXT, HIGH, Cause.SLOT),)), NONE)


def test_r0_each_slot_that_is_told_by_the_ballot_alone_was_accepted_at_it(ballots: Ballots) -> None:
    promise_run(ballots, LOW, 0, 1)
    accept_run(ballots, LOW, 0)
    ballots.voted(1, SLOT, Vote(LOW, LOW, (ENTRY,)))
    ballots.chosen_sent(0, Chosen(SLOT, SLOT, LOW, ()))
    with violates("R0"):
        ballots.chosen_sent(0, Chosen(SLOT, NEXT, LOW, ()))


def test_a5_the_ballot_in_the_way_is_durable(ballots: Ballots) -> None:
    refusal = Refused(LOW, "prepare", (RefusedSpan(SLOT, SLOT, HIGH, Cause.SLOT),))
    with violates("A5"):
        ballots.refused_sent(0, refusal, NONE)
    promises(ballots, HIGH, 0)
    ballots.refused_sent(0, refusal, NONE)


def test_r0_chosen_names_the_ballot_of_a_majority(ballots: Ballots) -> None:
    promises(ballots, LOW, 0, 1)
    accepts(ballots, LOW, ENTRY, 0, 1)
    ballots.chosen_sent(0, Chosen(SLOT, SLOT, LOW, (ENTRY,)))
    with violates("R0"):
        ballots.chosen_sent(0, Chosen(SLOT, SLOT, HIGH, ()))
    with violates("R0"):
        ballots.chosen_sent(0, Chosen(SLOT, SLOT, None, (NOOP,)))
