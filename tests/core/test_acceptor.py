"""One slot of the acceptor, as pure functions: A1 (P1a), A2, and what A3 and A5 mean for one slot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.broken import BrokenRule
from engine.core.ids import Ballot
from engine.core.messages import Cause
from engine.core.storage import NO_VOTE, Vote
from engine.core.synod.acceptor import Barred, accept, prepare
from tests.core.stage import ALICE, BOB, CAROL, ballot, tweet
from tests.strategies import ballots

LUNCH = tweet(ALICE, 1, text="lunch at noon?")
STANDUP = tweet(BOB, 1, text="standup at 10")


def taken(outcome: Vote | Barred) -> Vote:
    assert isinstance(outcome, Vote), f"refused: {outcome}"
    return outcome


def voted(number: Ballot) -> Vote:
    return taken(accept(NO_VOTE, None, number, (LUNCH,)))


def test_a1_the_first_ballot_is_promised() -> None:
    assert prepare(NO_VOTE, None, ballot(1, ALICE)) == Vote(ballot(1, ALICE), None, ())


def test_a1_a_higher_ballot_is_promised_and_what_was_accepted_is_kept() -> None:
    assert prepare(voted(ballot(1, ALICE)), None, ballot(2, BOB)) == Vote(ballot(2, BOB), ballot(1, ALICE), (LUNCH,))


@pytest.mark.parametrize("lower", [ballot(0, CAROL), ballot(2, ALICE), ballot(1, CAROL)])
def test_a1_a_ballot_below_the_promise_is_refused(lower: Ballot) -> None:
    promised = taken(prepare(NO_VOTE, None, ballot(2, BOB)))
    assert prepare(promised, None, lower) == Barred(ballot(2, BOB), Cause.SLOT)


def test_a1_a_ballot_below_an_accepted_one_is_refused() -> None:
    assert prepare(voted(ballot(2, BOB)), None, ballot(1, CAROL)) == Barred(ballot(2, BOB), Cause.SLOT)


def test_a1_rounds_are_compared_as_numbers_and_then_the_names() -> None:
    promised = taken(prepare(NO_VOTE, None, ballot(9, CAROL)))
    assert isinstance(prepare(promised, None, ballot(10, ALICE)), Vote), "10 is above 9, though '10' is below '9'"
    assert isinstance(prepare(promised, None, ballot(9, BOB)), Barred)


def test_a1_a_repeat_is_answered_with_the_present_state_while_the_promise_is_exactly_that() -> None:
    promised = taken(prepare(NO_VOTE, None, ballot(2, BOB)))
    assert prepare(promised, None, ballot(2, BOB)) is promised
    then = taken(accept(promised, None, ballot(2, BOB), (LUNCH,)))
    assert prepare(then, None, ballot(2, BOB)) is then
    higher = taken(prepare(then, None, ballot(3, CAROL)))
    assert prepare(higher, None, ballot(2, BOB)) == Barred(ballot(3, CAROL), Cause.SLOT)


def test_a2_a_ballot_at_the_promise_or_above_is_accepted() -> None:
    promised = taken(prepare(NO_VOTE, None, ballot(2, BOB)))
    assert accept(promised, None, ballot(2, BOB), (STANDUP,)) == Vote(ballot(2, BOB), ballot(2, BOB), (STANDUP,))
    assert accept(promised, None, ballot(3, ALICE), (LUNCH,)) == Vote(ballot(3, ALICE), ballot(3, ALICE), (LUNCH,))


def test_a2_a_ballot_below_the_promise_is_not_accepted() -> None:
    promised = taken(prepare(NO_VOTE, None, ballot(2, BOB)))
    assert accept(promised, None, ballot(2, ALICE), (LUNCH,)) == Barred(ballot(2, BOB), Cause.SLOT)


def test_a2_accepting_raises_the_promise() -> None:
    """Trap: without this an older proposer still gets its promise, or its accept, after a newer one was accepted."""
    vote = voted(ballot(5, BOB))
    assert vote.promised == ballot(5, BOB)
    assert accept(vote, None, ballot(3, CAROL), (STANDUP,)) == Barred(ballot(5, BOB), Cause.SLOT)
    assert prepare(vote, None, ballot(3, CAROL)) == Barred(ballot(5, BOB), Cause.SLOT)


def test_a2_a_repeat_of_what_was_accepted_changes_nothing() -> None:
    vote = voted(ballot(5, BOB))
    assert accept(vote, None, ballot(5, BOB), (LUNCH,)) is vote


def test_a2_another_entry_at_the_accepted_ballot_is_a_broken_proposer() -> None:
    with pytest.raises(BrokenRule, match="lunch at noon") as broken:
        accept(voted(ballot(5, BOB)), None, ballot(5, BOB), (STANDUP,))
    assert broken.value.rule == "A2"
    assert "standup at 10" in broken.value.evidence


def test_b2_ballot_0_is_accepted_like_any_other_where_nothing_higher_is_promised() -> None:
    zero = ballot(0, ALICE)
    assert voted(zero) == Vote(zero, zero, (LUNCH,))
    promised = taken(prepare(NO_VOTE, None, ballot(1, ALICE)))
    assert accept(promised, None, zero, (LUNCH,)) == Barred(ballot(1, ALICE), Cause.SLOT)


def test_a3_the_higher_of_the_slots_promise_and_the_ranges_holds() -> None:
    promised = taken(prepare(NO_VOTE, None, ballot(2, BOB)))
    assert prepare(promised, ballot(5, CAROL), ballot(3, BOB)) == Barred(ballot(5, CAROL), Cause.RANGE)
    assert accept(promised, ballot(5, CAROL), ballot(3, BOB), (LUNCH,)) == Barred(ballot(5, CAROL), Cause.RANGE)
    assert prepare(promised, ballot(1, CAROL), ballot(1, ALICE)) == Barred(ballot(2, BOB), Cause.SLOT)
    assert isinstance(accept(promised, ballot(5, CAROL), ballot(5, CAROL), (LUNCH,)), Vote)


STEPS = st.lists(st.tuples(st.sampled_from(["prepare", "accept"]), ballots), max_size=12)


@given(STEPS, st.none() | ballots)
def test_a1_a2_no_promise_is_ever_broken(steps: list[tuple[str, Ballot]], ranged: Ballot | None) -> None:
    """Whatever comes, in whatever order: what was promised or accepted once bars all lower ballots for good."""
    vote = NO_VOTE
    floor = ranged
    for kind, number in steps:
        entry = tweet(number.site, number.round + 1)  # one entry a ballot: this proposer is not broken
        after = prepare(vote, ranged, number) if kind == "prepare" else accept(vote, ranged, number, (entry,))
        barred = floor is not None and number < floor
        assert isinstance(after, Barred) == barred
        if isinstance(after, Barred):
            assert after.ballot == floor
            continue
        vote, floor = after, number
        assert vote.promised == number
        assert (vote.accepted == number and vote.entry == entry) or kind == "prepare"
