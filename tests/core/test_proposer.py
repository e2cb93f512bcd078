"""One ballot of the proposer, as pure functions: B2 (P2c) and B3."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, SiteId
from engine.core.run import AcceptedRun
from engine.core.storage import NO_VOTE, Vote
from engine.core.synod.phases import Accepting, Preparing, accepted, is_chosen, may_skip_prepare, promised, to_propose
from tests.core.stage import ALICE, BOB, CAROL, DAVE, ERIN, SITES, accepted_run, ballot, run, tweet

MINE = tweet(ALICE, 7)
OWN = run(1, MINE)
NINE = ballot(9, ALICE)
ZERO = ballot(0, ALICE)


def found(number: Ballot, entry: Entry) -> AcceptedRun:
    return accepted_run(1, number, entry)


def heard(*reports: tuple[SiteId, AcceptedRun | None]) -> Preparing:
    phase = Preparing(NINE)
    for site, report in reports:
        phase = promised(phase, site, NINE, () if report is None else (report,))
    return phase


def test_b2_nothing_is_proposed_before_a_majority_promised() -> None:
    assert to_propose(heard((ALICE, None), (BOB, None)), OWN, quorum=3) is None


def test_b2_its_own_entry_only_where_a_majority_had_accepted_nothing() -> None:
    assert to_propose(heard((ALICE, None), (BOB, None), (CAROL, None)), OWN, quorum=3) == Accepting(NINE, (MINE,))


def test_b2_one_accepted_entry_among_them_is_proposed_instead() -> None:
    phase = heard((ALICE, None), (BOB, found(ballot(1, BOB), tweet(BOB, 1))), (CAROL, None))
    assert to_propose(phase, OWN, quorum=3) == Accepting(NINE, (tweet(BOB, 1),))


@pytest.mark.parametrize("order", list(permutations([BOB, CAROL, DAVE])))
def test_b2_the_highest_accepted_ballot_wins_in_whatever_order_promises_come(order: tuple[SiteId, ...]) -> None:
    reports = {
        BOB: found(ballot(2, BOB), tweet(BOB, 1)),
        CAROL: found(ballot(10, ALICE), tweet(CAROL, 1)),
        DAVE: found(ballot(9, ERIN), tweet(DAVE, 1)),
    }
    phase = heard(*((site, reports[site]) for site in order))
    assert to_propose(phase, OWN, quorum=3) == Accepting(NINE, (tweet(CAROL, 1),))


def test_b2_an_entry_accepted_at_ballot_0_is_not_nothing() -> None:
    """Trap: `if accepted_round:` would take bob's ballot 0 for none, and overwrite what may be chosen."""
    zero = found(ballot(0, BOB), tweet(BOB, 1))
    for reports in permutations([(ALICE, None), (BOB, zero), (CAROL, None)]):
        assert to_propose(heard(*reports), OWN, quorum=3) == Accepting(NINE, (tweet(BOB, 1),))


def test_b2_an_accepted_no_op_is_an_entry_like_any_other() -> None:
    phase = heard((ALICE, found(ballot(1, BOB), NOOP)), (BOB, None), (CAROL, None))
    assert to_propose(phase, OWN, quorum=3) == Accepting(NINE, (NOOP,))


def test_b3_one_sites_promise_counts_once() -> None:
    """Trap: promises counted as messages, where they are sites."""
    assert to_propose(heard((ALICE, None), (BOB, None), (BOB, None), (BOB, None)), OWN, quorum=3) is None


def test_b3_one_sites_acceptance_counts_once() -> None:
    phase = Accepting(NINE, (MINE,))
    for site in (ALICE, BOB, BOB, BOB):
        phase = accepted(phase, site, NINE)
    assert phase.accepted == {ALICE, BOB}


@pytest.mark.parametrize("other", [ballot(8, ALICE), ballot(9, BOB), ballot(10, ALICE)])
def test_b3_votes_of_another_ballot_do_not_count(other: Ballot) -> None:
    """Trap: stale promises of an earlier ballot counted."""
    preparing, accepting = Preparing(NINE), Accepting(NINE, (MINE,))
    assert promised(preparing, BOB, other, (found(ballot(1, BOB), tweet(BOB, 1)),)) is preparing
    assert accepted(accepting, BOB, other) is accepting


def test_b3_a_majority_decides() -> None:
    assert not is_chosen(Accepting(NINE, (MINE,), frozenset({ALICE, BOB})), quorum=3)
    assert is_chosen(Accepting(NINE, (MINE,), frozenset({ALICE, BOB, CAROL})), quorum=3)


@pytest.mark.parametrize(
    ("before", "vote", "may"),
    [
        pytest.param(tweet(ALICE, 6), NO_VOTE, True, id="its own entry stands before"),
        pytest.param(tweet(BOB, 6), NO_VOTE, False, id="another's entry stands before"),
        pytest.param(NOOP, NO_VOTE, False, id="a no-op stands before"),
        pytest.param(None, NO_VOTE, False, id="the slot before is not learned"),
        pytest.param(tweet(ALICE, 6), Vote(ballot(1, BOB), None, ()), False, id="it promised here"),
        pytest.param(
            tweet(ALICE, 6), Vote(ballot(0, ALICE), ballot(0, ALICE), (MINE,)), False, id="it used ballot 0 here"
        ),
    ],
)
def test_l2_who_may_use_ballot_0(before: Entry | None, vote: Vote, may: bool) -> None:
    assert may_skip_prepare(ALICE, before, vote) is may


@given(
    st.lists(
        st.tuples(
            st.sampled_from(SITES),
            st.none() | st.builds(ballot, st.integers(0, 3), st.sampled_from(SITES)),
        ),
        max_size=10,
    )
)
def test_b2_p2c_over_any_promises(reports: list[tuple[SiteId, Ballot | None]]) -> None:
    """Of each site's first report: the entry of the highest ballot among a majority of sites, its own if none."""
    phase = Preparing(NINE)
    first: dict[SiteId, Ballot | None] = {}
    for site, number in reports:
        first.setdefault(site, number)
        report = () if number is None else (found(number, tweet(number.site, number.round + 1)),)
        phase = promised(phase, site, NINE, report)
    proposal = to_propose(phase, OWN, quorum=3)
    assert (proposal is not None) == (len(first) >= 3)
    if proposal is not None:
        highest = max((number for number in first.values() if number is not None), default=None)
        assert proposal.entry == (MINE if highest is None else tweet(highest.site, highest.round + 1))
