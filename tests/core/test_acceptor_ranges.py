"""The acceptor over many slots: ranges (A3), what a promise covers and reports (A4), reasons (A5), its memory (A2)."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.core.entry import NOOP
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.log.pages import cost_bytes
from engine.core.messages import (
    Accepted,
    Cause,
    Chosen,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
)
from engine.core.run import slots_of
from engine.core.settings import Leadership, Settings
from engine.core.storage import NO_VOTE, RangePromise, Vote, WriteRanges, WriteVote
from engine.core.synod.acceptor import raised
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    SITES,
    Stage,
    accept,
    accepted,
    accepted_run,
    ballot,
    chosen,
    prepare,
    run,
    sent_to,
    shorter,
    tweet,
    written,
)

THREE = Settings(ALICE, SITES[:3], Leadership.NONE)


def prepare_range(number: Ballot, first: int, last: int | None) -> Prepare:
    return Prepare(number, Slot(first), None if last is None else Slot(last))


def promise_of(stage: Stage, sender: SiteId, message: Prepare) -> Promise:
    """The one answer to a prepare, which is a promise."""
    (answer,) = stage.hear(sender, message).sends
    assert isinstance(answer.message, Promise), f"refused: {answer.message}"
    assert answer.to == sender
    return answer.message


# One slot, over the facade


def test_a4_a_promise_reports_the_accepted_ballot_not_the_promised_one() -> None:
    """Trap: reported as accepted at 4.carol, alice's old entry would beat one that was chosen at 3.bob."""
    stage = Stage().vote()
    stage.hear(BOB, accept(ballot(1, BOB), 1, tweet(BOB, 1)))
    stage.hear(CAROL, prepare(ballot(4, CAROL), 1))
    answer = promise_of(stage, BOB, prepare(ballot(6, BOB), 1))
    assert answer.accepted == (accepted_run(1, ballot(1, BOB), tweet(BOB, 1)),)


def test_a4_an_acceptance_at_ballot_0_is_reported() -> None:
    """Trap: a zero that is read as none."""
    stage = Stage().vote()
    stage.hear(BOB, accept(ballot(0, BOB), 1, tweet(BOB, 1)))
    answer = promise_of(stage, CAROL, prepare(ballot(1, CAROL), 1))
    assert answer.accepted == (accepted_run(1, ballot(0, BOB), tweet(BOB, 1)),)


def test_a4_a_learned_slot_is_answered_as_chosen_whatever_the_ballot() -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    answer = promise_of(stage, CAROL, prepare(ballot(0, CAROL), 1))
    assert answer.learned == (run(1, tweet(BOB, 1)),)


def test_a2_an_accept_for_a_learned_slot_is_answered_with_what_was_chosen() -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    effects = stage.hear(CAROL, accept(ballot(9, CAROL), 1, tweet(CAROL, 1)))
    assert sent_to(effects, CAROL, Chosen) == [chosen(1, tweet(BOB, 1))]
    assert not written(effects, WriteVote)


def test_a5_a_refusal_names_the_ballot_in_the_way_and_that_one_slot_caused_it() -> None:
    stage = Stage().vote()
    stage.hear(CAROL, prepare(ballot(4, CAROL), 1))
    slot_span = RefusedSpan(Slot(1), Slot(1), ballot(4, CAROL), Cause.SLOT)
    effects = stage.hear(BOB, prepare(ballot(3, BOB), 1))
    assert sent_to(effects, BOB, Refused) == [Refused(ballot(3, BOB), "prepare", (slot_span,))]
    effects = stage.hear(BOB, accept(ballot(3, BOB), 1, tweet(BOB, 1)))
    assert sent_to(effects, BOB, Refused) == [Refused(ballot(3, BOB), "accept", (slot_span,))]
    assert not effects.writes


def test_b3_an_acknowledgement_names_exactly_the_slots_accepted() -> None:
    """Of three slots in one accept, one is accepted, one is barred, one was learned: each is in its own answer."""
    stage = Stage().vote()
    stage.hear(CAROL, prepare(ballot(4, CAROL), 3))
    stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    effects = stage.hear(BOB, accept(ballot(2, BOB), 1, *(tweet(BOB, slot) for slot in (1, 2, 3))))
    assert sent_to(effects, BOB, Accepted) == [accepted(ballot(2, BOB), 2)]
    assert [span.first for refused in sent_to(effects, BOB, Refused) for span in refused.spans] == [3]
    assert [(said.first, said.last) for said in sent_to(effects, BOB, Chosen)] == [(1, 1)]


# The acceptor's memory


def test_a2_the_state_of_an_unlearned_slot_is_never_pruned() -> None:
    """Trap: everything around slot 2 is learned, far beyond it; what was promised and accepted there still stands."""
    stage = Stage().vote()
    stage.hear(BOB, accept(ballot(3, BOB), 2, tweet(BOB, 1)))
    stage.hear(CAROL, prepare(ballot(7, CAROL), 3))
    stage.hear(BOB, *(chosen(slot, tweet(BOB, slot)) for slot in (1, *range(4, 2_100))))
    for now in (stage, stage.restarted().vote()):
        assert now.replica.vote(Slot(2)) == Vote(ballot(3, BOB), ballot(3, BOB), (tweet(BOB, 1),))
        assert now.replica.vote(Slot(3)) == Vote(ballot(7, CAROL), None, ())
        refused = now.hear(BOB, accept(ballot(2, BOB), 2, tweet(BOB, 9)), prepare(ballot(6, BOB), 3))
        assert len(sent_to(refused, BOB, Refused)) == 2


def test_d1_a_vote_is_in_the_effects_of_the_step_that_answers() -> None:
    stage = Stage().vote()
    promised = stage.hear(BOB, prepare(ballot(1, BOB), 1))
    assert written(promised, WriteVote) == [WriteVote(Slot(1), Slot(1), Vote(ballot(1, BOB), None, ()))]
    then = stage.hear(BOB, accept(ballot(1, BOB), 1, tweet(BOB, 1)))
    assert written(then, WriteVote) == [
        WriteVote(Slot(1), Slot(1), Vote(ballot(1, BOB), ballot(1, BOB), (tweet(BOB, 1),)))
    ]
    again = stage.hear(BOB, accept(ballot(1, BOB), 1, tweet(BOB, 1)))
    assert sent_to(again, BOB, Accepted) == [accepted(ballot(1, BOB), 1)]
    assert not again.writes, "a duplicate costs no disk write"


# Ranges


def test_a3_a_range_promise_holds_for_every_slot_from_its_first_on_and_survives_a_restart() -> None:
    stage = Stage().vote()
    effects = stage.hear(BOB, prepare_range(ballot(5, BOB), 3, None))
    assert sent_to(effects, BOB, Promise) == [Promise(ballot(5, BOB), Slot(3), None, (), (), ())]
    assert written(effects, WriteRanges) == [WriteRanges((RangePromise(Slot(3), None, ballot(5, BOB)),))]
    for now in (stage, stage.restarted().vote()):
        for slot in (3, 4, 40_000):
            (refused,) = sent_to(now.hear(CAROL, prepare(ballot(4, CAROL), slot)), CAROL, Refused)
            assert refused.spans == (RefusedSpan(Slot(slot), Slot(slot), ballot(5, BOB), Cause.RANGE),)
            assert now.replica.vote(Slot(slot)).promised == ballot(5, BOB)
        assert now.replica.vote(Slot(2)) == NO_VOTE
    assert promise_of(stage, CAROL, prepare(ballot(1, CAROL), 2))


def test_a3_slots_with_a_higher_promise_are_left_out_by_name() -> None:
    stage = Stage().vote()
    stage.hear(CAROL, prepare(ballot(9, CAROL), 4))
    answer = promise_of(stage, BOB, prepare_range(ballot(5, BOB), 3, None))
    assert answer.left_out == (RefusedSpan(Slot(4), Slot(4), ballot(9, CAROL), Cause.SLOT),)
    assert stage.replica.vote(Slot(4)).promised == ballot(9, CAROL)
    assert stage.replica.vote(Slot(5)).promised == ballot(5, BOB)


def test_a3_a_part_under_a_higher_range_is_left_out_and_the_rest_promised() -> None:
    stage = Stage().vote()
    promise_of(stage, CAROL, prepare_range(ballot(9, CAROL), 6, 8))
    answer = promise_of(stage, BOB, prepare_range(ballot(5, BOB), 3, None))
    assert answer.left_out == (RefusedSpan(Slot(6), Slot(8), ballot(9, CAROL), Cause.RANGE),)
    promised = [stage.replica.vote(Slot(slot)).promised for slot in (3, 5, 6, 8, 9)]
    assert promised == [ballot(5, BOB), ballot(5, BOB), ballot(9, CAROL), ballot(9, CAROL), ballot(5, BOB)]


def test_a5_a_range_under_a_higher_range_is_refused_as_caused_by_a_range() -> None:
    stage = Stage().vote()
    promise_of(stage, CAROL, prepare_range(ballot(9, CAROL), 1, None))
    effects = stage.hear(BOB, prepare_range(ballot(5, BOB), 3, None))
    (refused,) = sent_to(effects, BOB, Refused)
    assert refused.spans == (RefusedSpan(Slot(3), None, ballot(9, CAROL), Cause.RANGE),)
    assert not effects.writes


def test_a5_a_range_of_which_nothing_is_left_is_refused_however_many_promises_it_takes() -> None:
    stage = Stage().vote()
    stage.hear(CAROL, prepare(ballot(9, CAROL), 3), prepare_range(ballot(7, CAROL), 4, 6))
    effects = stage.hear(BOB, prepare_range(ballot(5, BOB), 3, 5))
    (refused,) = sent_to(effects, BOB, Refused)
    assert refused.spans == (
        RefusedSpan(Slot(3), Slot(3), ballot(9, CAROL), Cause.SLOT),
        RefusedSpan(Slot(4), Slot(6), ballot(7, CAROL), Cause.RANGE),
    )
    assert not effects.writes
    promise_of(stage, BOB, prepare_range(ballot(5, BOB), 2, 5))


def test_a4_a_range_promise_carries_everything_accepted_or_learned_in_it() -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(1, tweet(BOB, 1)), chosen(4, tweet(BOB, 2)))
    stage.hear(CAROL, accept(ballot(2, CAROL), 3, tweet(CAROL, 1)), prepare(ballot(4, CAROL), 5))
    answer = promise_of(stage, BOB, prepare_range(ballot(5, BOB), 1, None))
    assert answer.learned == (run(1, tweet(BOB, 1)), run(4, tweet(BOB, 2)))
    assert answer.accepted == (accepted_run(3, ballot(2, CAROL), tweet(CAROL, 1)),)
    assert (answer.first, answer.last) == (1, None)


def test_a4_a_promise_that_does_not_fit_says_how_far_it_covers_and_the_rest_can_be_asked_for() -> None:
    """Trap: cut short silently, slots 4 and on would look empty, and their accepted entries be overwritten."""
    stage = Stage(settings=shorter(THREE, page_bytes=300)).vote()
    for slot in range(1, 10):
        stage.hear(CAROL, accept(ballot(1, CAROL), slot, tweet(CAROL, slot)))
    reported: list[Slot] = []
    first: int | None = 1
    promises = 0
    while first is not None:
        answer = promise_of(stage, BOB, prepare_range(ballot(5, BOB), first, None))
        slots = [slot for report in answer.accepted for slot, _ in report.run]
        covered = range(first, 10) if answer.last is None else range(first, answer.last + 1)
        assert slots == list(covered), "every covered slot that has an accepted entry is reported"
        reported += slots
        promises += 1
        first = None if answer.last is None else answer.last + 1
    assert reported == list(range(1, 10))
    assert promises > 2


SMALL = st.integers(1, 12)


@st.composite
def range_promises(draw: st.DrawFn) -> RangePromise:
    first = draw(SMALL)
    last = draw(st.none() | st.integers(first, 12))
    site = draw(st.sampled_from(SITES[:3]))
    return RangePromise(Slot(first), None if last is None else Slot(last), Ballot(Round(draw(st.integers(0, 4))), site))


def held(ranges: tuple[RangePromise, ...], slot: int) -> list[Ballot]:
    return [r.ballot for r in ranges if r.first <= slot and (r.last is None or slot <= r.last)]


def test_a4_what_a_promise_leaves_out_is_cut_to_a_datagram_too_and_never_lost() -> None:
    """Many single slots are promised to another: the pages together leave out each of them, and none is silent."""
    stage = Stage(settings=THREE).vote()
    barred = list(range(2, 202, 2))
    for slot in barred:
        stage.hear(CAROL, prepare(ballot(9, CAROL), slot))
    left_out: list[int] = []
    first: int | None = 1
    pages = 0
    while first is not None:
        page = promise_of(stage, BOB, prepare_range(ballot(5, BOB), first, None))
        assert page.first == first
        assert len(page.left_out) <= THREE.page_bytes // 48
        left_out += [slot for span in page.left_out for slot in slots_of(span.first, span.last or span.first)]
        first = None if page.last is None else page.last + 1
        pages += 1
    assert pages > 1
    assert left_out == barred


def test_w4_a_refusal_of_a_range_names_what_covers_it_and_is_bounded() -> None:
    """Other promises in the way may be more than any message holds; the one that covers it all is enough (A5)."""
    stage = Stage(settings=THREE).vote()
    for slot in range(1, 101):
        stage.hear(CAROL, prepare(ballot(9 + slot % 2, CAROL), slot))
    stage.hear(CAROL, prepare_range(ballot(7, CAROL), 1, None))
    [refused] = sent_to(stage.hear(BOB, prepare_range(ballot(5, BOB), 1, None)), BOB, Refused)
    assert refused.spans == (RefusedSpan(Slot(1), None, ballot(7, CAROL), Cause.RANGE),)


def test_w4_many_short_entries_are_answered_with_as_many_long_ones_in_pages() -> None:
    """What is chosen in these slots is longer than the no-ops that were proposed there: none is lost for its length."""
    stage = Stage(settings=THREE).vote()
    entries = {slot: tweet(BOB, slot, text="\N{GRINNING FACE}" * 100) for slot in range(1, 41)}
    stage.hear(BOB, *(chosen(slot, entry) for slot, entry in entries.items()))
    no_ops = accept(ballot(9, CAROL), 1, *[NOOP] * len(entries))
    pages = sent_to(stage.hear(CAROL, no_ops), CAROL, Chosen)
    assert {slot: entry for page in pages for slot, entry in run(page.first, *page.entries)} == entries
    assert all(cost_bytes(page.entries) <= THREE.page_bytes or len(page.entries) == 1 for page in pages)


@given(st.lists(range_promises(), max_size=6), st.integers(0, 5))
def test_a3_ranges_are_at_every_slot_the_highest_of_all_that_were_promised(
    promised: list[RangePromise], prefix: int
) -> None:
    ranges: tuple[RangePromise, ...] = ()
    for new in promised:
        ranges = raised(ranges, new, Slot(prefix))
    for slot in range(prefix + 1, 20):
        highest = max(held(tuple(promised), slot), default=None)
        assert held(ranges, slot) == ([] if highest is None else [highest])
    assert all(r.first > prefix for r in ranges)
    for one, following in pairwise(ranges):
        assert one.last is not None
        assert one.last < following.first
        assert one.last + 1 < following.first or one.ballot != following.ballot, "neighbours of one ballot are one span"
