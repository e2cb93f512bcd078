"""A synod of several slots that are begun together: one ballot, and each slot's own end (B1 to B4, A4)."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.effects import Effects, SawAttempt
from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import Accept, Cause, Chosen, Phase, Prepare, Promise, Refused, RefusedSpan
from engine.core.run import AcceptedRun, slots_of
from engine.core.settings import BACKOFF_MAX
from engine.core.storage import WriteRound
from engine.core.synod.phases import Preparing, promised, to_propose
from tests.core.led import proposed
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    SITES,
    Stage,
    accepted,
    accepted_run,
    ballot,
    chosen,
    chosen_at,
    run,
    sent,
    sent_to,
    told,
    tweet,
    written,
)

TEXTS: Final = ("one", "two", "three", "four")
MINE: Final = [tweet(ALICE, number, text=text) for number, text in enumerate(TEXTS, 1)]
ONE: Final = ballot(1, ALICE)
TOP: Final = len(TEXTS)


def begun(size: int = 3) -> Stage:
    """Alice asks for promises of four slots at once."""
    stage = Stage(size).ready()
    effects = stage.submit_many(1, *TEXTS)
    assert {message for _, message in sent(effects, Prepare)} == {Prepare(ONE, Slot(1), Slot(4))}
    return stage


def promise(first: int, last: int, *found: AcceptedRun, number: Ballot = ONE) -> Promise:
    return Promise(number, Slot(first), Slot(last), found, (), ())


def refuse(first: int, last: int, by: Ballot, phase: Phase = "prepare", number: Ballot = ONE) -> Refused:
    return Refused(number, phase, (RefusedSpan(Slot(first), Slot(last), by, Cause.SLOT),))


def carried(effects: Effects, to: SiteId = BOB) -> dict[int, Entry]:
    return {slot: entry for _, slot, entry in proposed(effects, to)}


def asked(effects: Effects) -> list[Prepare]:
    return sent_to(effects, BOB, Prepare)


# Phase 1


def test_b1_all_slots_share_one_round_and_one_message() -> None:
    effects = Stage().ready().submit_many(1, *TEXTS)
    assert len(written(effects, WriteRound)) == 1
    assert asked(effects) == [Prepare(ONE, Slot(1), Slot(4))]


def test_b2_in_each_slot_it_proposes_what_was_found_there_and_its_own_where_nothing_was() -> None:
    stage = begun(5)
    stage.hear(BOB, promise(1, 4, accepted_run(2, ballot(0, BOB), tweet(BOB, 1), tweet(BOB, 2))))
    effects = stage.hear(CAROL, promise(1, 4, accepted_run(3, ballot(0, CAROL), tweet(CAROL, 1))))
    assert carried(effects) == {1: MINE[0], 2: tweet(BOB, 1), 3: tweet(CAROL, 1), 4: MINE[3]}


def test_a4_a_promise_of_the_first_slots_counts_for_these_and_the_rest_is_asked_for() -> None:
    """The own promise is of all: with bob's, of three, slots 1 and 2 go on while 3 and 4 wait."""
    stage = begun()
    effects = stage.hear(BOB, promise(1, 2, accepted_run(2, ballot(0, BOB), tweet(BOB, 1))))
    assert carried(effects) == {1: MINE[0], 2: tweet(BOB, 1)}
    assert asked(effects) == [Prepare(ONE, Slot(3), Slot(4))]
    effects = stage.hear(BOB, promise(3, 4))
    assert carried(effects) == {3: MINE[2], 4: MINE[3]}


def test_a4_what_a_promise_leaves_out_is_not_promised() -> None:
    stage = begun()
    left_out = RefusedSpan(Slot(2), Slot(3), ballot(9, CAROL), Cause.RANGE)
    effects = stage.hear(BOB, Promise(ONE, Slot(1), Slot(4), (), (), (left_out,)))
    assert carried(effects) == {1: MINE[0], 4: MINE[3]}
    effects = stage.hear(CAROL, promise(1, 4))
    assert carried(effects, CAROL) == {2: MINE[1], 3: MINE[2]}, "a majority without bob"


def test_b3_a_promise_that_comes_in_parts_counts_once_in_each_slot() -> None:
    stage = begun(5)
    for _ in range(3):
        effects = stage.hear(BOB, promise(1, 4), promise(2, 3), promise(4, 4))
    assert not sent(effects, Accept)
    effects = stage.hear(CAROL, promise(2, 3))
    assert carried(effects) == {2: MINE[1], 3: MINE[2]}


def test_a_promise_that_says_chosen_of_some_ends_these_and_the_rest_goes_on() -> None:
    stage = begun()
    effects = stage.hear(BOB, Promise(ONE, Slot(1), Slot(4), (), (run(2, tweet(BOB, 1)),), ()))
    assert stage.store.log == {2: tweet(BOB, 1)}
    assert set(carried(effects)) == {1, 3, 4}
    assert stage.replica.attempt(Slot(2)) is None


# B4, A5


def test_b4_the_slots_that_were_refused_wait_and_the_others_go_on() -> None:
    stage = begun()
    stage.hear(BOB, refuse(2, 3, ballot(7, BOB)))
    effects = stage.hear(CAROL, refuse(3, 4, ballot(8, CAROL)))
    waiting = [saw for saw in told(effects, SawAttempt) if saw.phase == "waiting"]
    assert [(saw.slot, saw.last) for saw in waiting] == [(3, 3)], "both refused that slot alone"
    effects = stage.hear(BOB, promise(1, 1), promise(4, 4))
    assert set(carried(effects)) == {1, 4}
    effects = stage.hear(CAROL, promise(2, 2))
    assert set(carried(effects)) == {2}
    again = asked(stage.wait(BACKOFF_MAX))
    assert {(message.first, message.last) for message in again if message.ballot.round > 8} == {(3, 3)}


def test_b1_parts_that_were_defeated_apart_take_a_round_each() -> None:
    stage = begun()
    for peer in (BOB, CAROL):
        stage.hear(peer, refuse(1, 1, ballot(7, BOB)))
        stage.hear(peer, refuse(3, 4, ballot(7, BOB)))
    effects = Effects()
    effects.extend(stage.wait(BACKOFF_MAX))
    prepares = [message for message in asked(effects) if message.ballot.round > 7]
    spans = {message.ballot: (message.first, message.last) for message in prepares}
    assert sorted(spans.values()) == [(1, 1), (3, 4)]
    assert len(spans) == 2


# Phase 2


def test_b3_of_what_was_proposed_together_each_slot_is_chosen_by_its_own_majority() -> None:
    stage = begun(5)
    for peer in (BOB, CAROL):
        stage.hear(peer, promise(1, 4))
    stage.hear(BOB, accepted(ONE, 1, 2))
    stage.hear(CAROL, accepted(ONE, 2, 3))
    assert stage.store.log == {2: MINE[1]}
    effects = stage.hear(DAVE, accepted(ONE, 1, 3))
    assert stage.store.log == {1: MINE[0], 2: MINE[1], 3: MINE[2]}
    assert sent_to(effects, CAROL, Chosen) == [chosen(1, MINE[0], at=ONE), chosen_at(ONE, 3)], "R0"
    assert sent_to(effects, ERIN, Chosen) == [chosen(1, MINE[0], at=ONE), chosen(3, MINE[2], at=ONE)]


def test_only_what_is_not_answered_is_said_again() -> None:
    stage = begun(5)
    for peer in (BOB, CAROL):
        stage.hear(peer, promise(1, 4))
    stage.hear(BOB, accepted(ONE, 1, 2))
    effects = stage.wait(stage.settings.timings.retransmit)
    assert set(carried(effects)) == {3, 4}
    assert set(carried(effects, DAVE)) == {1, 2, 3, 4}


# Of each slot by itself


@st.composite
def reports(draw: st.DrawFn) -> tuple[AcceptedRun, ...]:
    """What one site had accepted: of each slot at most once."""
    runs: list[AcceptedRun] = []
    due = 1
    while due <= TOP and draw(st.booleans()):
        first = draw(st.integers(due, TOP))
        last = draw(st.integers(first, TOP))
        number = draw(st.builds(ballot, st.integers(0, 3), st.sampled_from(SITES)))
        entries = [tweet(number.site, 10 * slot + number.round) for slot in range(first, last + 1)]
        runs.append(accepted_run(first, number, *entries))
        due = last + 1
    return tuple(runs)


@given(st.lists(st.tuples(st.sampled_from(SITES), reports()), max_size=8))
@settings(max_examples=150)
def test_b2_p2c_over_any_promises_of_several_slots_is_what_it_is_over_those_of_each(
    heard: list[tuple[SiteId, tuple[AcceptedRun, ...]]],
) -> None:
    nine = ballot(9, ALICE)
    whole = Preparing(nine)
    alone = {slot: Preparing(nine) for slot in slots_of(Slot(1), Slot(TOP))}
    for site, found in heard:
        whole = promised(whole, site, nine, found)
        for slot, phase in alone.items():
            of_slot = [part.cut(slot, slot) for part in found if part.first <= slot <= part.last]
            alone[slot] = promised(phase, site, nine, of_slot)
    together = to_propose(whole, run(1, *MINE), quorum=3)
    singles = [to_propose(phase, run(slot, MINE[slot - 1]), quorum=3) for slot, phase in alone.items()]
    if together is None:
        assert singles == [None] * TOP
    else:
        assert list(together.entries) == [single.entry for single in singles if single is not None]


def test_a_slot_of_it_is_seen_as_an_attempt_of_its_own() -> None:
    stage = begun()
    stage.hear(BOB, promise(1, 2))
    seen = [stage.replica.attempt(Slot(slot)) for slot in range(1, 6)]
    assert [attempt and attempt.phase for attempt in seen] == ["accepting", "accepting", "preparing", "preparing", None]
    assert [attempt and attempt.entry for attempt in seen[:4]] == MINE
