"""The biographer: whom it asks, how long it waits, what it answers; and that nothing else comes of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.core.effects import Effects, SawBiography
from engine.core.explained.biography import Biography, Progress
from engine.core.explained.slot_history import LEARNED_MAX
from engine.core.ids import NUMBER_MAX, Nonce, SiteId, Slot
from engine.core.messages import Act, AskSlot, Deed, Heartbeat, How, Learning, Prepare, SlotState
from tests.core.bus import Bus
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    Stage,
    accept,
    accepted,
    ballot,
    chosen,
    chosen_at,
    prepare,
    promise,
    sent,
    sent_to,
    shorter,
    told,
    tweet,
)

HELLO = tweet(BOB, 1)
TWO, THREE = ballot(2, BOB), ballot(3, CAROL)


def answer(stage: Stage, slot: int) -> SlotState:
    """What bob is told when he asks."""
    (state,) = sent_to(stage.hear(BOB, AskSlot(Nonce(5), Slot(slot))), BOB, SlotState)
    assert (state.nonce, state.slot) == (5, slot)
    return state


def silence(nonce: int, slot: int) -> SlotState:
    return SlotState(Nonce(nonce), Slot(slot), True, None, None, None, None, False, None, ())


def asked(effects: Effects) -> tuple[int, list[SiteId]]:
    """The nonce of the question, and who got it."""
    questions = sent(effects, AskSlot)
    assert len({question.nonce for _, question in questions}) == 1
    return questions[0][1].nonce, [site for site, _ in questions]


def biography(effects: Effects, token: int = 1) -> Biography:
    (saw,) = told(effects, SawBiography)
    assert saw.token == token
    return saw.biography


# What it answers


def test_an_unused_slot() -> None:
    assert answer(Stage(3).ready(), 7) == SlotState(Nonce(5), Slot(7), True, None, None, None, None, False, None, ())


def test_votes_and_when_they_were_given() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, prepare(TWO, 1))
    stage.wait(30)
    stage.hear(BOB, accept(TWO, 1, HELLO))
    stage.wait(20)
    stage.hear(CAROL, prepare(THREE, 1))
    state = answer(stage, 1)
    assert (state.promised, state.accepted, state.digest, state.entry) == (THREE, TWO, HELLO.digest, HELLO)
    assert not state.learned
    assert state.deeds == (
        Deed(Act.PROMISED, TWO, 50),
        Deed(Act.ACCEPTED, TWO, 20),
        Deed(Act.PROMISED, THREE, 0),
    )


def test_a_range_promise_is_told_of_each_slot_that_it_covers() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, prepare(TWO, 1))
    stage.hear(CAROL, Prepare(THREE, Slot(1), None))
    stage.wait(10)
    assert answer(stage, 40).deeds == (Deed(Act.PROMISED, THREE, 10),)
    assert answer(stage, 40).promised == THREE
    assert [deed.ballot for deed in answer(stage, 1).deeds] == [TWO, THREE]


def test_how_a_learned_slot_was_learned_and_how_this_site_had_voted() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, accept(TWO, 1, HELLO))
    stage.hear(BOB, chosen_at(TWO, 1))
    stage.wait(70)
    state = answer(stage, 1)
    assert (state.promised, state.accepted, state.entry, state.learned) == (TWO, TWO, HELLO, True)
    assert state.learning == Learning(How.CHOSEN, TWO, BOB, (), 70)


def test_who_counted_the_votes_remembers_them() -> None:
    stage = Stage(3).ready()
    stage.submit(1)
    mine = ballot(1, ALICE)
    stage.hear(CAROL, promise(mine, 1))
    stage.hear(CAROL, accepted(mine, 1))
    assert answer(stage, 1).learning == Learning(How.VOTES, mine, ALICE, (ALICE, CAROL), 0)


def test_after_a_restart_rows_alone_are_known() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, accept(TWO, 1, HELLO))
    stage.hear(BOB, chosen_at(TWO, 1))
    stage.hear(BOB, accept(TWO, 2, tweet(BOB, 2)))
    again = stage.restarted().vote()
    assert (answer(again, 1).accepted, answer(again, 1).learned) == (TWO, True)
    assert (answer(again, 1).learning, answer(again, 1).deeds) == (None, ())
    assert (answer(again, 2).accepted, answer(again, 2).deeds) == (TWO, ())


def test_r6_what_is_remembered_is_bounded() -> None:
    stage = Stage(3).ready()
    for number in range(1, LEARNED_MAX + 10):
        stage.hear(BOB, chosen(number, tweet(BOB, number), at=TWO))
    assert answer(stage, 1).learning is None
    assert answer(stage, 1).learned
    assert answer(stage, LEARNED_MAX).learning is not None


def test_w3_one_question_has_one_answer_and_changes_nothing() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, prepare(TWO, 1))
    effects = stage.hear(CAROL, AskSlot(Nonce(9), Slot(NUMBER_MAX)))
    assert not effects.writes
    assert [send.to for send in effects.sends if not isinstance(send.message, Heartbeat)] == [CAROL]
    assert stage.replica.used_max == 0


def test_w4_an_answer_is_cut_to_the_page() -> None:
    stage = Stage(3, settings=shorter(Stage(3).settings, 60)).ready()
    stage.hear(BOB, accept(TWO, 1, tweet(BOB, 1, text="w" * 200)))
    state = answer(stage, 1)
    assert (state.accepted, state.entry) == (TWO, None)
    assert state.digest == tweet(BOB, 1, text="w" * 200).digest


# Whom it asks, and how long it waits


def test_it_asks_everybody_and_tells_when_all_answered() -> None:
    stage = Stage(3).ready()
    nonce, peers = asked(stage.explain(1, 7))
    assert peers == [BOB, CAROL]
    assert not told(stage.hear(BOB, silence(nonce, 7)), SawBiography)
    found = biography(stage.hear(CAROL, silence(nonce, 7)))
    assert (found.slot, found.progress, found.may_be_chosen) == (7, Progress.EMPTY, False)
    assert [site.answered for site in found.sites] == [True, True, True]


def test_w1_an_answer_counts_once_a_site_for_its_question() -> None:
    stage = Stage(5).ready()
    nonce, _ = asked(stage.explain(1, 7))
    vote = SlotState(Nonce(nonce), Slot(7), True, TWO, TWO, HELLO.digest, HELLO, False, None, ())
    for _ in range(4):
        assert not told(stage.hear(BOB, vote), SawBiography)
    elsewhere = replace(vote, slot=Slot(8)), replace(vote, nonce=Nonce(nonce + 1))
    assert not told(stage.hear(CAROL, *elsewhere), SawBiography)
    stage.hear(CAROL, silence(nonce, 7))
    stage.hear(BOB, silence(nonce, 7))
    stage.hear(DAVE, silence(nonce, 7))
    found = biography(stage.hear(ERIN, silence(nonce, 7)))
    assert [site.accepted for site in found.sites] == [None, TWO, None, None, None]
    assert not told(stage.hear(ERIN, silence(nonce, 7)), SawBiography), "it is over"


def test_who_does_not_answer_is_asked_again_and_left_blank_in_the_end() -> None:
    stage = Stage(3).ready()
    nonce, _ = asked(stage.explain(1, 7, timeout=1_000))
    stage.hear(BOB, silence(nonce, 7))
    effects = stage.wait(999)
    assert asked(effects) == (nonce, [CAROL, CAROL])
    assert not told(effects, SawBiography)
    found = biography(stage.wait(1))
    assert [site.answered for site in found.sites] == [True, True, False]


def test_a_site_that_is_not_heard_is_not_waited_for() -> None:
    stage = Stage(3).ready()
    stage.wait(60_000)
    stage.hear(BOB, silence(1, 1))
    nonce, _ = asked(stage.explain(1, 7, timeout=30_000))
    stage.hear(BOB, silence(nonce, 7))
    assert biography(stage.wait(600)).sites[2].answered is False


def test_a_cluster_of_one_site_asks_nobody() -> None:
    stage = Stage(1).ready()
    stage.submit(1)
    effects = stage.explain(1, 1)
    assert not sent(effects, AskSlot)
    assert biography(effects).progress is Progress.LEARNED


@pytest.mark.parametrize("rounds", [0, NUMBER_MAX])
def test_r6_what_is_answered_changes_nothing_here(rounds: int) -> None:
    stage = Stage(3).ready()
    nonce, _ = asked(stage.explain(1, 7))
    number = ballot(rounds, CAROL)
    absurd = SlotState(
        Nonce(nonce), Slot(7), True, number, number, HELLO.digest, HELLO, True,
        Learning(How.VOTES, number, CAROL, (BOB, CAROL), NUMBER_MAX), (Deed(Act.ACCEPTED, number, NUMBER_MAX),) * 20,
    )  # fmt: skip
    effects = stage.hear(CAROL, absurd)
    assert not effects.writes
    assert (stage.replica.used_max, stage.replica.prefix) == (0, 0)
    assert stage.replica.attempt(Slot(7)) is None
    assert biography(stage.wait(2_000)).progress is Progress.CHOSEN
    assert sent(stage.submit(1), Prepare)[0][1].ballot == ballot(1, ALICE), "no round was taken from it (B1)"


# Whole clusters


def told_by(bus: Bus, site: SiteId, slot: int) -> Biography:
    bus.explain(site, slot)
    bus.run(2_000)
    return bus.biographies[-1]


def test_a_slot_that_everybody_learned() -> None:
    bus = Bus(3)
    bus.submit(ALICE, "hello")
    bus.run(1_000)
    for site in (ALICE, BOB, CAROL):
        found = told_by(bus, site, 1)
        assert found.progress is Progress.LEARNED
        assert found.quorum is not None
        assert (found.quorum.counted_by, len(found.quorum.sites)) == (ALICE, 2)
        assert [account.learned for account in found.sites] == [True, True, True]
        assert [account.learned_from for account in found.sites] == [ALICE, ALICE, ALICE]


def test_what_dead_sites_knew_is_blank() -> None:
    bus = Bus(5)
    bus.submit(ALICE, "hello")
    bus.run(1_000)
    bus.crash(ALICE, BOB, CAROL)
    found = told_by(bus, DAVE, 1)
    assert found.progress is Progress.LEARNED
    assert [account.answered for account in found.sites] == [False, False, False, True, True]
    assert found.sites[0].learned is None
