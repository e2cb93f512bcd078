"""The hole filler (R3): it asks, yields, and then settles the slot by the full synod."""

from __future__ import annotations

from random import Random

import pytest

from engine.core.effects import Effects, FillResult, SawFilled, SawHoles, SawLearned
from engine.core.entry import NOOP, Kind
from engine.core.ids import Nonce, SiteId, Slot
from engine.core.log.filler import FILLING_MAX
from engine.core.messages import Accept, Ask, How, Known, Prepare
from engine.core.settings import YIELD_MAX
from engine.core.storage import Vote
from engine.core.views import AttemptPhase
from tests.core.led import TIMEOUT, led
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    Stage,
    accept,
    accepted,
    ballot,
    beat,
    chosen,
    prepare,
    promise,
    run,
    sent,
    sent_to,
    told,
    tweet,
)

THEIRS = tweet(BOB, 1)


class Longest(Random):
    """Draws the longest wait each time."""

    def randint(self, a: int, b: int) -> int:
        del a
        return b


def with_hole(size: int = 3, random: Random | None = None) -> Stage:
    """Slot 2 is learned, slot 1 is not."""
    stage = Stage(size, random=random).ready()
    stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    assert stage.replica.view(0).holes == (1,)
    return stage


def asked(effects: Effects) -> tuple[Nonce, set[SiteId], list[int]]:
    """The question in `effects`: its nonce, whom it went to, which slots."""
    questions = sent(effects, Ask)
    (question,) = {message for _, message in questions}
    slots = [slot for first, last in question.spans for slot in range(first, last + 1)]
    return question.nonce, {site for site, _ in questions}, slots


def nobody_knows(stage: Stage, effects: Effects) -> Effects:
    """All who are asked answer that they have not learned it."""
    nonce, peers, slots = asked(effects)
    answers = Effects()
    for peer in sorted(peers):
        answers.extend(stage.hear(peer, Known(nonce, Slot(slots[0]), Slot(slots[-1]), ())))
    return answers


def phase(stage: Stage, slot: int = 1) -> str | None:
    attempt = stage.replica.attempt(Slot(slot))
    return None if attempt is None else attempt.phase


def flow(stage: Stage, first: int, ticks: int) -> Effects:
    """Bob's events come in a stream: each slot is used before the one below it is learned."""
    effects = Effects()
    slot, until = first, stage.now + ticks
    stage.hear(BOB, accept(ballot(1, BOB), slot, tweet(BOB, slot)))
    while stage.now < until:
        stage.hear(BOB, accept(ballot(1, BOB), slot + 1, tweet(BOB, slot + 1)))
        stage.hear(BOB, chosen(slot, tweet(BOB, slot)))
        effects.extend(stage.live(100))
        slot += 1
    return effects


# Asking


def test_r3_on_demand_the_others_are_asked_at_once_whether_it_is_chosen() -> None:
    stage = with_hole()
    effects = stage.fill(1)
    assert asked(effects)[1:] == ({BOB, CAROL}, [1])
    assert told(effects, SawHoles) == [SawHoles((Slot(1),), 1)]
    assert not sent(effects, Prepare)


def test_r3_what_a_peer_knows_is_learned_from_it() -> None:
    stage = with_hole()
    nonce, _, _ = asked(stage.fill(1))
    effects = stage.hear(CAROL, Known(nonce, Slot(1), Slot(1), (run(1, THEIRS),)))
    assert told(effects, SawLearned) == [SawLearned(run(1, THEIRS), How.KNOWN, None, CAROL)]
    assert told(effects, SawFilled) == [SawFilled(Slot(1), FillResult.LEARNED, Kind.TWEET)]
    assert not sent(stage.wait(5_000), Prepare)


def test_r3_without_being_asked_a_hole_is_asked_for_in_its_time() -> None:
    """A lost commit left a hole: the periodic look finds it."""
    stage = with_hole()
    effects = stage.live(stage.settings.timings.fill_every + 100)
    nonce, peers, slots = asked(effects)
    assert (peers, slots) == ({BOB, CAROL}, [1])
    stage.hear(BOB, Known(nonce, Slot(1), Slot(1), (run(1, THEIRS),)))
    assert stage.replica.prefix == 2


def test_r3_what_is_used_and_learned_in_a_stream_is_no_hole() -> None:
    """There is an unlearned slot at every look, and never the same one: nobody is asked, nothing is competed for."""
    stage = Stage(3).ready()
    effects = flow(stage, 1, 4 * stage.settings.timings.fill_every)
    assert stage.replica.view(0).holes
    assert not sent(effects, Ask)
    assert not sent(effects, Prepare)


def test_r3_a_hole_in_a_stream_is_asked_for_in_its_time() -> None:
    stage = Stage(3).ready()
    flow(stage, 1, stage.settings.timings.fill_every)
    lost = stage.replica.used_max
    effects = flow(stage, lost + 1, stage.settings.timings.fill_every + 500)
    assert asked(effects)[2] == [lost]


def test_r3_a_log_without_holes_asks_nobody_anything() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, chosen(1, THEIRS))
    effects = stage.live(2 * stage.settings.timings.fill_every)
    assert not sent(effects, Ask)
    assert not sent(effects, Prepare)


@pytest.mark.parametrize("slot", [2, 3, 9])
def test_r3_only_holes_are_filled(slot: int) -> None:
    """Slot 2 is learned; nothing is known to be used above it."""
    assert not with_hole().fill(slot).sends


def test_w1_an_answer_counts_once_a_site_and_for_its_own_nonce_only() -> None:
    stage = with_hole()
    nonce, _, _ = asked(stage.fill(1))
    unknown = Known(nonce, Slot(1), Slot(1), ())
    for stray in (Known(Nonce(nonce + 1), Slot(1), Slot(1), ()), Known(nonce, Slot(2), Slot(3), ()), unknown, unknown):
        stage.hear(BOB, stray)
        assert phase(stage) == "asking", "carol has not answered"
    stage.hear(CAROL, unknown)
    assert phase(stage) == "yielding"


def test_r3_who_does_not_answer_is_not_waited_for() -> None:
    stage = with_hole()
    stage.fill(1)
    stage.wait(2 * stage.settings.timings.retransmit)
    assert phase(stage) in ("yielding", "preparing")


def test_r6_so_many_holes_are_worked_on_at_a_time_and_then_the_others() -> None:
    stage = Stage(3).ready()
    holes = 2 * FILLING_MAX + 5
    stage.hear(BOB, chosen(holes + 1, tweet(BOB, 9)))
    effects = stage.fill(*range(1, holes + 1))
    learned = 0
    for _ in range(10):
        questions = {message for _, message in sent(effects, Ask)}
        assert sum(last - first + 1 for message in questions for first, last in message.spans) <= FILLING_MAX
        effects = Effects()
        for message in questions:
            for first, last in message.spans:
                items = run(first, *(tweet(BOB, slot) for slot in range(first, last + 1)))
                effects.extend(stage.hear(BOB, Known(message.nonce, first, last, (items,))))
                learned += len(items.entries)
        effects.extend(stage.wait(500))
    assert learned == holes
    assert stage.replica.prefix == holes + 1


def test_r3_what_a_peer_knows_of_many_scattered_holes_is_learned_and_not_fought_for() -> None:
    """Another replica answers, within its bound of messages an answer (W3): the questions must keep to it."""
    alice, bob = Stage(3).ready(), Stage(3, site=BOB).vote()
    for slot in range(1, 81):
        bob.hear(ALICE, chosen(slot, tweet(CAROL, slot)))
        if slot % 2 == 0:
            alice.hear(BOB, chosen(slot, tweet(CAROL, slot)))
    effects = alice.fill(*range(1, 80, 2))
    for question in sent_to(effects, BOB, Ask):
        for known in sent_to(bob.hear(ALICE, question), ALICE, Known):
            alice.hear(BOB, known)
    assert alice.replica.prefix == 80


# Settling


def test_r3_what_nobody_knows_is_settled_as_a_no_op() -> None:
    stage = with_hole()
    nobody_knows(stage, stage.fill(1))
    number = sent(stage.wait(4 * stage.settings.timings.retransmit), Prepare)[0][1].ballot
    effects = stage.hear(BOB, promise(number, 1))
    assert {message.run for _, message in sent(effects, Accept)} == {run(1, NOOP)}
    effects = stage.hear(BOB, accepted(number, 1))
    assert told(effects, SawFilled) == [SawFilled(Slot(1), FillResult.NOOP, Kind.NOOP)]
    assert stage.replica.prefix == 2


def test_r3_an_accepted_entry_that_is_found_is_completed_and_not_replaced() -> None:
    """B2 holds for the filler as for anybody: bob's entry may be chosen already."""
    stage = with_hole(5)
    nobody_knows(stage, stage.fill(1))
    number = sent(stage.wait(800), Prepare)[0][1].ballot
    stage.hear(CAROL, promise(number, 1))
    stage.hear(BOB, promise(number, 1, (ballot(0, BOB), THEIRS)))
    for site in (BOB, CAROL):
        effects = stage.hear(site, accepted(number, 1))
    assert told(effects, SawFilled) == [SawFilled(Slot(1), FillResult.RECOVERED, Kind.TWEET)]
    assert stage.store.log[Slot(1)] == THEIRS


def test_r3_what_an_attempt_proposes_is_not_said_before_the_promises_tell() -> None:
    """It may be bob's entry: a no-op is proposed only where no promise brings one (B2)."""

    def why() -> str:
        attempt = stage.replica.attempt(Slot(1))
        assert attempt is not None
        return attempt.why

    stage = with_hole(5)
    nobody_knows(stage, stage.fill(1))
    assert why().endswith(", then completes what was accepted, or proposes a no-op")
    number = sent(stage.wait(800), Prepare)[0][1].ballot
    assert why() == f"asks for promises of {number}, to propose a no-op unless they report an entry"
    stage.hear(BOB, promise(number, 1, (ballot(0, BOB), THEIRS)))
    assert why() == f"asks for promises of {number}; so far they report bob's entry, accepted by bob at 0.bob"


def test_r3_a_slot_accepted_here_whose_author_went_away_is_settled() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, accept(ballot(3, BOB), 1, THEIRS))
    effects = Effects()
    for _ in range(20):
        stage.hear(CAROL, beat())
        effects.extend(stage.wait(500))
        for question in sent_to(effects, CAROL, Ask):
            stage.hear(CAROL, Known(question.nonce, Slot(1), Slot(1), ()))
    number = sent_to(effects, CAROL, Prepare)[0].ballot
    assert number > ballot(3, BOB)
    stage.hear(CAROL, promise(number, 1))
    stage.hear(CAROL, accepted(number, 1))
    assert stage.store.log == {1: THEIRS}


def test_r3_an_attempt_without_a_majority_ends_for_now_and_is_begun_again() -> None:
    stage = with_hole()
    stage.fill(1)
    effects = stage.wait(15_000)
    assert told(effects, SawFilled)[0] == SawFilled(Slot(1), FillResult.NO_QUORUM, None)
    rounds = {message.ballot.round for _, message in sent(stage.wait(20_000), Prepare)}
    assert rounds, "it does not give the hole up"


def test_b1_the_filler_and_an_event_never_work_on_one_slot_side_by_side() -> None:
    """An event is being proposed at slot 1, which bob's accept makes a hole: `fill` leaves it to the attempt there."""
    stage = Stage(3).ready()
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    stage.hear(BOB, accept(ballot(number.round, BOB), 1, THEIRS))
    effects = stage.fill(1)
    assert not sent(effects, Ask)
    assert phase(stage) == "preparing"


# Yielding


def test_r3_it_waits_a_random_part_of_its_patience_before_it_competes() -> None:
    """On demand: of four retransmits; by itself: of `fill_every`."""
    waits: set[int] = set()
    for seed in range(12):
        stage = with_hole(random=Random(seed))
        nobody_knows(stage, stage.fill(1))
        assert phase(stage) == "yielding"
        start = stage.now
        while phase(stage) == "yielding":
            stage.wait(10)
        waits.add(stage.now - start)
    assert max(waits) <= 4 * stage.settings.timings.retransmit
    assert len(waits) > 6


def test_r3_it_goes_on_yielding_while_messages_of_another_attempt_arrive() -> None:
    stage = with_hole(random=Longest())
    nobody_knows(stage, stage.fill(1))
    yielded_until = stage.now + YIELD_MAX
    round_ = 1
    while phase(stage) == "yielding":
        assert stage.now < yielded_until, "ten seconds a slot, and then it competes: it is not starved"
        round_ += 1
        stage.hear(CAROL, prepare(ballot(round_, CAROL), 1))
        stage.wait(100)
    assert stage.now == yielded_until
    assert phase(stage) == "preparing"


def test_r3_it_yields_to_attempts_at_that_slot_and_to_no_others() -> None:
    stage = with_hole(random=Longest())
    nobody_knows(stage, stage.fill(1))
    for round_ in range(1, 90):
        stage.hear(CAROL, prepare(ballot(round_, CAROL), 7))
        stage.wait(10)
    assert phase(stage) == "preparing"


def test_r3_who_does_not_compete_asks_again_of_all_holes_together() -> None:
    """It hurries nobody: many holes that no leader fills are one question each time, and not one each."""
    stage = led(ballot(1, BOB))
    stage.hear(BOB, chosen(4, tweet(BOB, 4)))
    for slot in (1, 3):
        nobody_knows(stage, stage.fill(slot))
        stage.wait(1)
    again = next(effects for effects in iter(lambda: stage.wait(1), None) if sent(effects, Ask))
    assert asked(again)[1:] == ({BOB, CAROL}, [1, 3])
    assert stage.now < TIMEOUT, "it follows bob still"
    nobody_knows(stage, again)
    assert (phase(stage, 1), phase(stage, 3)) == (AttemptPhase.YIELDING, AttemptPhase.YIELDING)


def test_r3_what_a_site_asks_for_that_does_not_vote_is_settled_by_who_is_asked() -> None:
    """It may be alone in knowing that the slot is used: an old copy of the store that proposed there (D5)."""
    stage = Stage().ready()
    stage.hear(BOB, beat(voting=False))
    stage.hear(BOB, Ask(Nonce(7), ((Slot(1), Slot(1)),)))
    effects = stage.wait(3 * stage.settings.timings.fill_every)
    assert {message.first for _, message in sent(effects, Prepare)} == {1}


def test_r3_what_a_voter_asks_for_it_settles_itself() -> None:
    stage = Stage().ready()
    stage.hear(BOB, beat(voting=True))
    stage.hear(BOB, Ask(Nonce(7), ((Slot(1), Slot(1)),)))
    assert not sent(stage.wait(3 * stage.settings.timings.fill_every), Prepare)
    assert stage.replica.used_max == 0


def test_r3_on_demand_a_hole_that_is_yielded_already_waits_no_longer_than_the_demand_allows() -> None:
    stage = with_hole(random=Longest())
    effects = stage.live(stage.settings.timings.fill_every + 100)
    nobody_knows(stage, effects)
    assert phase(stage) == "yielding"
    stage.fill(1)
    stage.wait(4 * stage.settings.timings.retransmit)
    assert phase(stage) == "preparing"


def test_r3_what_others_settle_meanwhile_is_not_competed_for() -> None:
    stage = with_hole()
    nobody_knows(stage, stage.fill(1))
    effects = stage.hear(CAROL, chosen(1, THEIRS))
    assert told(effects, SawFilled) == [SawFilled(Slot(1), FillResult.LEARNED, Kind.TWEET)]
    assert not sent(stage.wait(15_000), Prepare)


def test_r3_what_others_settle_while_it_competes_ends_its_attempt() -> None:
    stage = with_hole()
    nobody_knows(stage, stage.fill(1))
    number = sent(stage.wait(4 * stage.settings.timings.retransmit), Prepare)[0][1].ballot
    assert told(stage.hear(CAROL, chosen(1, THEIRS)), SawFilled) == [SawFilled(Slot(1), FillResult.LEARNED, Kind.TWEET)]
    assert not sent(stage.hear(BOB, promise(number, 1)), Accept)
    assert phase(stage) is None


def test_a_cluster_of_one_fills_alone() -> None:
    """What its own acceptor took before a crash is completed; there is nobody to ask or to yield to."""
    stage = Stage(1)
    stage.store.votes[Slot(1)] = Vote(ballot(1, ALICE), ballot(1, ALICE), (tweet(ALICE, 1),))
    again = stage.restarted()
    again.start()
    again.wait(2 * stage.settings.timings.fill_every)
    assert again.store.log == {1: tweet(ALICE, 1)}
