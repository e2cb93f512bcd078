"""A run is worth what its slots are one by one: whatever is said of many slots together, each counts for itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.effects import Effects, SawApplied, SawLearned
from engine.core.entry import Entry
from engine.core.ids import Ballot, Nonce, SiteId, Slot
from engine.core.log.pages import cost_bytes
from engine.core.messages import (
    Accept,
    Accepted,
    Ask,
    Cause,
    Chosen,
    Known,
    Message,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
)
from engine.core.run import AcceptedRun, Run, slots_of
from engine.core.settings import WINDOW_SLOTS, Leadership, Settings
from engine.core.storage import WriteEvidence, WriteLearned, WriteVote
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    SITES,
    Stage,
    accept,
    accepted,
    ballot,
    chosen,
    chosen_at,
    prepare,
    sent_to,
    shorter,
    told,
    tweet,
    written,
)

THREE: Final = Settings(ALICE, SITES[:3], Leadership.NONE, page_bytes=50_000)
TOP: Final = 12
FIVE_BOB, SIX_CAROL, NINE_CAROL = ballot(5, BOB), ballot(6, CAROL), ballot(9, CAROL)


def entries(count: int, author: SiteId = BOB) -> list[Entry]:
    return [tweet(author, number) for number in range(1, count + 1)]


def refused_slots(effects: Effects, to: SiteId) -> dict[int, tuple[Ballot | None, str]]:
    """What was in the way, slot by slot."""
    spans = [span for refused in sent_to(effects, to, Refused) for span in refused.spans]
    slots = [(slot, span) for span in spans for slot in slots_of(span.first, span.last or span.first)]
    assert len({slot for slot, _ in slots}) == len(slots), "each is named once"
    return {slot: (span.ballot, span.cause.value) for slot, span in slots}


# An accept of many slots


def test_a2_a5_of_an_accept_that_is_partly_refused_each_answer_names_exactly_its_slots() -> None:
    """Slot 1 is learned, 3 is another's, 5 and 6 are under another's range, and the rest is accepted."""
    stage = Stage().vote()
    stage.hear(BOB, chosen(1, tweet(CAROL, 7)))
    stage.hear(CAROL, prepare(NINE_CAROL, 3), Prepare(SIX_CAROL, Slot(5), Slot(6)))
    effects = stage.hear(BOB, accept(FIVE_BOB, 1, *entries(8)))
    assert sent_to(effects, BOB, Accepted) == [accepted(FIVE_BOB, 2, 4, 7, 8)]
    assert refused_slots(effects, BOB) == {3: (NINE_CAROL, "slot"), 5: (SIX_CAROL, "range"), 6: (SIX_CAROL, "range")}
    assert sent_to(effects, BOB, Chosen) == [chosen(1, tweet(CAROL, 7))]
    assert sorted(stage.store.votes) == [2, 3, 4, 7, 8]
    assert stage.store.votes[Slot(3)].accepted is None


def test_a2_an_accept_that_comes_again_is_answered_as_before_and_costs_no_disk_write() -> None:
    """Whole, in part, and with what was not in it before: what is new alone is written."""
    stage = Stage().vote()
    stage.hear(BOB, accept(FIVE_BOB, 1, *entries(6)))
    for first, last in ((1, 6), (3, 4)):
        again = stage.hear(BOB, accept(FIVE_BOB, first, *entries(6)[first - 1 : last]))
        assert sent_to(again, BOB, Accepted) == [accepted(FIVE_BOB, *range(first, last + 1))]
        assert not again.writes
    more = stage.hear(BOB, accept(FIVE_BOB, 5, *entries(8)[4:]))
    assert sent_to(more, BOB, Accepted) == [accepted(FIVE_BOB, 5, 6, 7, 8)]
    assert [(write.first, write.last) for write in written(more, WriteVote)] == [(7, 8)]


def test_d1_what_is_accepted_together_is_one_vote() -> None:
    stage = Stage().vote()
    stage.hear(BOB, prepare(FIVE_BOB, 2), accept(ballot(1, CAROL), 3, *entries(2, CAROL)))
    (vote,) = written(stage.hear(BOB, accept(FIVE_BOB, 1, *entries(5))), WriteVote)
    assert (vote.first, vote.last, vote.vote.entries) == (1, 5, tuple(entries(5)))


def test_r6_of_a_run_that_reaches_beyond_the_window_what_is_within_is_accepted() -> None:
    stage = Stage().vote()
    effects = stage.hear(BOB, accept(FIVE_BOB, WINDOW_SLOTS - 1, *entries(4)))
    assert sent_to(effects, BOB, Accepted) == [accepted(FIVE_BOB, WINDOW_SLOTS - 1, WINDOW_SLOTS)]
    assert refused_slots(effects, BOB) == {WINDOW_SLOTS + 1: (None, "far"), WINDOW_SLOTS + 2: (None, "far")}


# A promise in the midst of a run


def test_a4_a_promise_of_one_slot_splits_the_run_and_the_rest_stands() -> None:
    stage = Stage().vote()
    stage.hear(BOB, accept(FIVE_BOB, 1, *entries(5)))
    (promise,) = sent_to(stage.hear(CAROL, prepare(NINE_CAROL, 3)), CAROL, Promise)
    assert promise.accepted == (AcceptedRun(Slot(3), FIVE_BOB, (tweet(BOB, 3),)),)
    for now in (stage, stage.restarted().vote()):
        votes = [now.replica.vote(Slot(slot)) for slot in range(1, 6)]
        assert [vote.entry for vote in votes] == entries(5)
        assert {vote.accepted for vote in votes} == {FIVE_BOB}
        assert [vote.promised for vote in votes] == [FIVE_BOB, FIVE_BOB, NINE_CAROL, FIVE_BOB, FIVE_BOB]
        again = now.hear(BOB, accept(FIVE_BOB, 1, *entries(5)))
        assert sent_to(again, BOB, Accepted) == [accepted(FIVE_BOB, 1, 2, 4, 5)]
        assert refused_slots(again, BOB) == {3: (NINE_CAROL, "slot")}


def test_a3_a_range_promise_over_part_of_a_run_bars_that_part_alone() -> None:
    stage = Stage().vote()
    stage.hear(BOB, accept(FIVE_BOB, 1, *entries(6)))
    effects = stage.hear(CAROL, Prepare(NINE_CAROL, Slot(3), Slot(4)))
    (promise,) = sent_to(effects, CAROL, Promise)
    assert promise.accepted == (AcceptedRun(Slot(3), FIVE_BOB, tuple(entries(4)[2:])),)
    assert not written(effects, WriteVote), "the range says it"
    for now in (stage, stage.restarted().vote()):
        refused = now.hear(BOB, accept(ballot(7, BOB), 1, *entries(6)))
        assert sent_to(refused, BOB, Accepted) == [accepted(ballot(7, BOB), 1, 2, 5, 6)]
        assert refused_slots(refused, BOB) == {3: (NINE_CAROL, "range"), 4: (NINE_CAROL, "range")}
        assert now.replica.vote(Slot(3)).accepted == FIVE_BOB
        assert now.replica.vote(Slot(5)).accepted == ballot(7, BOB)


def test_a3_a4_slots_of_a_run_that_another_was_promised_are_left_out_as_one_span() -> None:
    stage = Stage().vote()
    stage.hear(CAROL, accept(NINE_CAROL, 4, *entries(3, CAROL)))
    (promise,) = sent_to(stage.hear(BOB, Prepare(FIVE_BOB, Slot(2), None)), BOB, Promise)
    assert promise.left_out == (RefusedSpan(Slot(4), Slot(6), NINE_CAROL, Cause.SLOT),)
    assert promise.accepted == ()


@pytest.mark.parametrize("cuts", [[(4, 6)], [(4, 4), (5, 6)], [(5, 6), (4, 4)]])
def test_a3_a5_however_it_was_accepted_what_is_in_the_way_is_told_alike(cuts: list[tuple[int, int]]) -> None:
    stage = Stage().vote()
    for first, last in cuts:
        stage.hear(CAROL, accept(NINE_CAROL, first, *entries(6, CAROL)[first - 1 : last]))
    spans = (RefusedSpan(Slot(4), Slot(6), NINE_CAROL, Cause.SLOT),)
    (promise,) = sent_to(stage.hear(BOB, Prepare(FIVE_BOB, Slot(2), None)), BOB, Promise)
    assert promise.left_out == spans
    assert sent_to(stage.hear(BOB, Prepare(FIVE_BOB, Slot(4), Slot(6))), BOB, Refused) == [
        Refused(FIVE_BOB, "prepare", spans)
    ]


# Learning


def test_r1_r2_a_run_that_is_learned_in_parts_and_out_of_order_is_applied_in_slot_order() -> None:
    stage = Stage().vote()
    entry = entries(8)
    cuts = (4, 5), (3, 7), (7, 8), (1, 8)
    parts = [stage.hear(BOB, chosen(first, *entry[first - 1 : last])) for first, last in cuts]
    assert [[(write.run.first, write.run.last) for write in written(part, WriteLearned)] for part in parts] == [
        [(4, 5)],
        [(3, 3), (6, 7)],
        [(8, 8)],
        [(1, 2)],
    ], "what is learned already is not learned again"
    assert [slot for part in parts for slot in applied(part)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [stage.store.log[Slot(slot)] for slot in range(1, 9)] == entry


@pytest.mark.parametrize("applies", [True, False], ids=["in the prefix", "above it"])
@pytest.mark.parametrize("slot", [3, 4, 5])
def test_r1_a_learned_run_that_says_otherwise_of_one_slot_stops_the_site_and_nothing_of_it_is_kept(
    slot: int, applies: bool
) -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(3, *entries(5)[2:]))
    if applies:
        stage.hear(BOB, chosen(1, *entries(2)))
    before = dict(stage.store.log)
    said = entries(8)
    said[slot - 1] = tweet(CAROL, 1)
    effects = stage.hear(CAROL, Known(Nonce(1), Slot(2), Slot(8), (Run(Slot(2), tuple(said[1:])),)))
    assert effects.stop is not None
    assert f"slot {slot} " in effects.stop
    assert [type(write) for write in effects.writes] == [WriteEvidence]
    assert stage.store.log == before


def test_r0_by_the_ballot_alone_it_learns_the_part_that_it_accepted_at_exactly_that_ballot() -> None:
    """Slots 3 and 4 it accepted at another one, 7 not at all: these it has missed, and asks for."""
    stage = Stage().vote()
    stage.hear(BOB, accept(FIVE_BOB, 1, *entries(6)))
    stage.hear(CAROL, accept(SIX_CAROL, 3, *entries(2, CAROL)))
    stage.hear(BOB, prepare(NINE_CAROL, 2))
    effects = stage.hear(BOB, chosen_at(FIVE_BOB, 1, 7))
    learned = [(slot, entry) for saw in told(effects, SawLearned) for slot, entry in saw.run]
    assert learned == [(slot, tweet(BOB, slot)) for slot in (1, 2, 5, 6)]
    view = stage.replica.view(0)
    assert (view.prefix, view.holes) == (2, (3, 4, 7))
    assert stage.replica.vote(Slot(3)).accepted == SIX_CAROL
    assert {slot for ask in sent_to(effects, BOB, Ask) for span in ask.spans for slot in slots_of(*span)} == {3, 4, 7}


def test_r0_by_the_ballot_alone_it_learns_the_slots_that_are_named_and_no_other_that_it_accepted_with_them() -> None:
    stage = Stage().vote()
    stage.hear(BOB, accept(FIVE_BOB, 1, *entries(6)))
    effects = stage.hear(BOB, chosen_at(FIVE_BOB, 3, 4))
    assert learned_of(effects) == [(3, tweet(BOB, 3)), (4, tweet(BOB, 4))]
    assert sorted(stage.store.log) == [3, 4]


# One by one


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    first = draw(st.integers(1, TOP))
    return first, draw(st.integers(first, TOP))


NUMBERS: Final = st.builds(ballot, st.integers(0, 4), st.sampled_from([BOB, CAROL]))


def proposed(number: Ballot, slot: int) -> Entry:
    """One entry a ballot and slot: nobody is broken."""
    return tweet(number.site, 10 * slot + number.round, follows=0)


def settled(slot: int) -> Entry:
    return proposed(ballot(3, BOB), slot)


def said(number: Ballot, span: tuple[int, int]) -> Iterator[Entry]:
    return (proposed(number, slot) for slot in range(span[0], span[1] + 1))


MESSAGES: Final[st.SearchStrategy[Message]] = st.one_of(
    st.builds(lambda number, span: accept(number, span[0], *said(number, span)), NUMBERS, spans()),
    st.builds(prepare, NUMBERS, st.integers(1, TOP)),
    st.builds(lambda number, span: Prepare(number, Slot(span[0]), Slot(span[1])), NUMBERS, spans()),
    st.builds(lambda number, first: Prepare(number, Slot(first), None), NUMBERS, st.integers(1, TOP)),
    st.builds(lambda span: chosen(span[0], *map(settled, range(span[0], span[1] + 1))), spans()),
    st.builds(lambda span: chosen_at(ballot(3, BOB), *span), spans()),
)


def one_by_one(message: Message) -> Iterator[Message]:
    """The same, said of each slot by itself. (A promise of a range is one of its own: it binds all slots at once.)"""
    match message:
        case Prepare():
            yield message
        case Chosen(first, last, number, ()):
            assert number is not None
            yield from (chosen_at(number, slot) for slot in range(first, last + 1))
        case Chosen(first, _, _, chosen_entries):
            yield from (chosen(slot, entry) for slot, entry in enumerate(chosen_entries, first))
        case _:
            yield from (accept(message.ballot or FIVE_BOB, slot, entry) for slot, entry in items(message))


def items(message: Message) -> Iterable[tuple[int, Entry]]:
    first = message.slot
    assert first is not None
    return enumerate(message.carried(), first)


def answers(effects: Effects) -> list[tuple[str, int, object]]:
    """What bob is told of each slot."""
    told_bob: list[tuple[str, int, object]] = []
    for send in effects.sends:
        match send.message:
            case Accepted(number, named):
                told_bob += [("accept", slot, number) for span in named for slot in slots_of(*span)]
            case Chosen(first, _, number, told_entries):
                told_bob += [("accept", slot, (number, entry)) for slot, entry in enumerate(told_entries, first)]
            case Promise(number, first, last, reports, learned, left_out):
                told_bob += [("promise", first, (number, last))]
                told_bob += [("found", slot, (part.ballot, entry)) for part in reports for slot, entry in part.run]
                told_bob += [("learned", slot, entry) for part in learned for slot, entry in part]
                told_bob += [("left out", slot, why) for slot, why in each(left_out)]
            case Refused(_, phase, refused):
                told_bob += [(phase, slot, why) for slot, why in each(refused)]
            case _:
                pass
    return told_bob


def each(refused: Iterable[RefusedSpan]) -> Iterator[tuple[int, object]]:
    for span in refused:
        for slot in slots_of(span.first, span.last or Slot(TOP + 1)):
            yield slot, (span.ballot, span.cause)


def applied(effects: Effects) -> list[Slot]:
    return [slot for saw in told(effects, SawApplied) for slot, _ in saw.run]


def learned_of(effects: Effects) -> list[tuple[Slot, Entry]]:
    return [item for saw in told(effects, SawLearned) for item in saw.run]


@given(st.lists(MESSAGES, max_size=14), st.integers(0, 14))
@settings(max_examples=150)
def test_a_run_is_answered_kept_and_learned_as_its_slots_are_one_by_one(heard: list[Message], restart: int) -> None:
    whole, apart = (Stage(settings=THREE).vote() for _ in range(2))
    for at, message in enumerate(heard):
        if at == restart:
            whole, apart = whole.restarted().vote(), apart.restarted().vote()
        together = whole.hear(BOB, message)
        singles = Effects()
        for single in one_by_one(message):
            singles.extend(apart.hear(BOB, single))
        assert (together.stop is None) == (singles.stop is None)
        if together.stop is not None:
            return
        assert sorted(answers(together), key=repr) == sorted(answers(singles), key=repr)
        of_accept = [slot for what, slot, _ in answers(together) if what == "accept"]
        assert sorted(of_accept) == ([slot for slot, _ in items(message)] if isinstance(message, Accept) else [])
        assert sorted(learned_of(together)) == sorted(learned_of(singles))
        assert applied(together) == applied(singles)
        assert whole.store.votes == apart.store.votes
        assert whole.store.log == apart.store.log
        assert whole.store.ranges == apart.store.ranges
        assert (whole.replica.prefix, whole.replica.used_max) == (apart.replica.prefix, apart.replica.used_max)
        for slot in slots_of(Slot(1), Slot(TOP + 1)):
            assert whole.replica.vote(slot) == apart.replica.vote(slot)


# In pages


@given(st.lists(MESSAGES, max_size=14), NUMBERS, st.integers(1, TOP), st.integers(150, 900))
@example(
    [
        Prepare(ballot(1, BOB), Slot(1), Slot(2)),
        Prepare(ballot(0, CAROL), Slot(1), None),
        chosen(1, *map(settled, (1, 2, 3))),
    ],
    ballot(0, BOB),
    1,
    150,
)
@settings(max_examples=150)
def test_a4_w4_pages_that_are_cut_in_the_midst_of_a_run_say_together_what_one_would(
    heard: list[Message], number: Ballot, first: int, page_bytes: int
) -> None:
    whole = Stage(settings=THREE).vote()
    if whole.hear(BOB, *heard).stop is not None:
        return
    short = Stage(settings=shorter(THREE, page_bytes), store=deepcopy(whole.store)).vote()
    one = answers(whole.hear(BOB, Prepare(number, Slot(first), None)))
    told_in_pages: list[tuple[str, int, object]] = []
    asked = Slot(first)
    while True:
        effects = short.hear(BOB, Prepare(number, asked, None))
        (page,) = [send.message for send in effects.sends if isinstance(send.message, Promise | Refused)]
        if isinstance(page, Refused):
            break  # all that is left is left out
        assert page.first == asked
        assert page.last is None or page.last >= asked
        carried = [*page.carried()]
        assert cost_bytes(carried[:-1]) <= page_bytes, "one entry more at the most, at a slot that is left out too"
        told_in_pages += answers(effects)
        asked = Slot(TOP + 2 if page.last is None else page.last + 1)
        if page.last is None:
            break
    if {what for what, _, _ in one} == {"prepare"}:  # refused as a whole: too many promises in the way for a short page
        # What is chosen needs no promise, so a page of nothing but that is none that is refused.
        learned = {slot: entry for what, slot, entry in told_in_pages if what == "learned"}
        assert all(entry == whole.replica.learned(Slot(slot)) for slot, entry in learned.items())
        left_out = {slot for what, slot, _ in told_in_pages if what == "left out"}
        assert left_out | learned.keys() >= set(range(first, asked))
        return
    assert asked > first
    assert meaning(told_in_pages, asked) == meaning(one, asked)


def meaning(claims: list[tuple[str, int, object]], below: Slot) -> dict[int, set[str]]:
    """What is told of slots: that one is chosen, else what is in the way of a promise, else what was accepted."""
    of_slots: dict[int, set[str]] = {}
    for kind in ({"found"}, {"left out", "prepare"}, {"learned"}):
        said_of = {slot for what, slot, _ in claims if what in kind and slot < below}
        of_slots |= {slot: {repr(told) for what, at, told in claims if what in kind and at == slot} for slot in said_of}
    return of_slots
