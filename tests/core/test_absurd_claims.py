"""What a peer claims costs nothing unbounded (R6), a question no unbounded answer (W3), and nothing is a crash (W2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.core.explained import describe
from engine.core.ids import NUMBER_MAX, Nonce, SiteId, Slot
from engine.core.log.pages import PAGES_PER_ANSWER
from engine.core.messages import (
    Accepted,
    Ask,
    AskHighest,
    Cause,
    Highest,
    Known,
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
)
from engine.core.settings import ROUND_LEAP_MAX, WINDOW_SLOTS, Leadership, Settings
from engine.core.storage import NO_VOTE
from tests.core.led import elected, leading, standing
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    MINUTE,
    SITES,
    Stage,
    accept,
    accepted,
    accepted_run,
    ballot,
    beat,
    chosen,
    chosen_at,
    life_of,
    prepare,
    run,
    sent,
    sent_to,
    tweet,
)
from tests.strategies import messages

ABSURD = NUMBER_MAX
THEIRS = tweet(BOB, 1)


def refused(stage: Stage, message: Message) -> RefusedSpan:
    effects = stage.hear(BOB, message)
    assert not effects.writes
    (answer,) = sent_to(effects, BOB, Refused)
    (span,) = answer.spans
    return span


# Slots


def test_r6_a_slot_beyond_the_window_is_neither_promised_nor_accepted() -> None:
    stage = Stage(3).vote()
    for slot in (WINDOW_SLOTS + 1, ABSURD):
        for message in (prepare(ballot(1, BOB), slot), accept(ballot(1, BOB), slot, THEIRS)):
            span = refused(stage, message)
            assert (span.first, span.last, span.ballot, span.cause) == (slot, slot, None, Cause.FAR)
        assert stage.replica.vote(Slot(slot)) == NO_VOTE
    span = refused(stage, Prepare(ballot(1, BOB), Slot(ABSURD), None))
    assert (span.first, span.last, span.cause) == (ABSURD, None, Cause.FAR)


def test_r6_the_window_goes_along_with_the_prefix() -> None:
    stage = Stage(3).vote()
    edge = WINDOW_SLOTS + 1
    assert refused(stage, prepare(ballot(1, BOB), edge)).cause is Cause.FAR
    stage.hear(BOB, chosen(1, THEIRS))
    assert stage.hear(BOB, prepare(ballot(1, BOB), edge)).writes


@pytest.mark.parametrize(
    "claim",
    [
        chosen(ABSURD, THEIRS),
        chosen_at(ballot(1, BOB), 1, ABSURD),
        accepted(ballot(1, ALICE), ABSURD),
        Accepted(ballot(1, ALICE), ((Slot(1), Slot(ABSURD)),)),
        Promise(
            ballot(1, ALICE),
            Slot(ABSURD - 1),
            Slot(ABSURD),
            (accepted_run(ABSURD - 1, ballot(0, BOB), THEIRS),),
            (run(ABSURD, THEIRS),),
            (),
        ),
        Known(Nonce(1), Slot(1), Slot(ABSURD), (run(ABSURD, THEIRS),)),
        Highest(Nonce(1), Slot(ABSURD), Slot(ABSURD)),
        beat(used_max=ABSURD),
    ],
    ids=lambda message: f"{message.word()} {message.slot}",
)
def test_r6_an_absurd_slot_makes_no_holes_and_is_not_kept(claim: Message) -> None:
    stage = Stage(3).ready()
    assert not stage.hear(BOB, claim).writes
    view = stage.replica.view(0)
    assert (view.holes_count, view.used_max, view.next) == (0, 0, 1)


def test_r6_a_claim_to_be_absurdly_far_ahead_costs_a_few_questions() -> None:
    """Heard again and again, for a minute: it is asked how far the log goes, and no one slot is filled."""
    stage = Stage(3).ready()
    asked = 0
    for _ in range(120):
        effects = stage.hear(BOB, beat(used_max=ABSURD))
        effects.extend(stage.wait(500))
        asked += len(sent_to(effects, CAROL, AskHighest))
        assert not sent(effects, Prepare)
        assert not effects.writes
        for question in sent_to(effects, CAROL, AskHighest):
            stage.hear(CAROL, Highest(question.nonce, Slot(0), Slot(0)))
    assert asked <= MINUTE / stage.settings.timings.fill_every + 1


# Rounds


def test_r6_a_round_absurdly_above_all_others_is_refused_and_forgotten() -> None:
    stage = Stage(3).ready()
    for number in (ballot(ROUND_LEAP_MAX + 1, BOB), ballot(ABSURD, BOB)):
        for message in (prepare(number, 1), Prepare(number, Slot(1), None), accept(number, 1, THEIRS)):
            assert refused(stage, message).cause is Cause.FAR
    assert sent(stage.submit(1), Prepare)[0][1] == prepare(ballot(1, ALICE), 1)


def test_r6_a_leap_within_bounds_is_followed() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, prepare(ballot(ROUND_LEAP_MAX, BOB), 1))
    assert sent(stage.submit(1), Prepare)[0][1].ballot == ballot(ROUND_LEAP_MAX + 1, ALICE)


# Anything


def _stands() -> Stage:
    stage = elected()
    standing(stage)
    return stage


BEGUN: Final[dict[str, Callable[[], Stage]]] = {
    "none": lambda: Stage(3).ready(),
    "last-author": lambda: Stage(settings=Settings(ALICE, SITES[:3], Leadership.LAST_AUTHOR)).ready(),
    "elected, follows nobody": elected,
    "elected, stands": _stands,
    "elected, leads": lambda: leading()[0],
}
"""Each setting has answers of its own to what comes."""


@pytest.mark.parametrize("begin", BEGUN.values(), ids=BEGUN)
@given(st.lists(st.tuples(st.sampled_from([BOB, CAROL]), messages), max_size=12), st.integers(0, 9))
@example(
    [
        *[(BOB, AskHighest(Nonce(1)))] * 4,
        (BOB, accept(ballot(1, ALICE), 2, tweet(ALICE, 1))),
    ],
    9,
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_w2_w3_whatever_the_wire_lets_through_is_no_crash_and_has_a_bounded_answer(
    begin: Callable[[], Stage], heard: list[tuple[SiteId, Message]], wait_every: int
) -> None:
    """A contradiction ends the site in an orderly way (A2, R1); nothing raises, or is answered without bound."""
    stage = begin()
    stage.submit(1)
    for index, (sender, message) in enumerate(heard):
        describe.message(message)
        effects = stage.hear(sender, message)
        replies = [send for send in effects.sends if send.to == sender]
        assert len(replies) <= PAGES_PER_ANSWER + 8
        if index == wait_every and effects.stop is None:
            effects.extend(stage.wait(4_000))
        for saw in effects.observations:
            describe.observation(saw)
        if effects.stop is not None:
            assert stage.store.evidence
            return
        assert stage.replica.view(9).holes_count <= WINDOW_SLOTS
    stage.wait(4_000)


def test_w3_one_prepare_has_one_answer() -> None:
    stage = Stage(3).vote()
    for message in (prepare(ballot(1, BOB), 1), Prepare(ballot(2, BOB), Slot(1), None), prepare(ballot(1, BOB), 2)):
        assert len(stage.hear(BOB, message).sends) == 1


def test_w3_a_packet_of_many_questions_is_answered_within_the_bound_of_each() -> None:
    stage = Stage(3).vote()
    stage.hear(BOB, *(chosen(slot, tweet(BOB, slot)) for slot in range(1, 500)))
    questions = tuple(Ask(Nonce(nonce), ((Slot(1), Slot(ABSURD)),)) for nonce in range(3))
    effects = stage.hear_packet(Packet(BOB, life_of(BOB), 1, stage.store.life, questions))
    assert len(effects.sends) <= 3 * PAGES_PER_ANSWER
