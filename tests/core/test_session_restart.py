"""What became of the events that were open when a site stopped (E1, E2), read from its store alone."""

from __future__ import annotations

from engine.core.effects import Effects, SawOutcome
from engine.core.entry import NOOP
from engine.core.ids import EventId, Slot
from engine.core.messages import Accept, Prepare
from engine.core.storage import EventState
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    Stage,
    accepted,
    ballot,
    chosen,
    prepare,
    promise,
    sent,
    told,
    tweet,
)

HELLO = tweet(ALICE, 1, text="hello")


def outcome(effects: Effects) -> SawOutcome:
    (saw,) = told(effects, SawOutcome)
    return saw


def stopped_after_the_accept_left() -> Stage:
    stage = Stage(3).ready()
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    assert sent(stage.hear(BOB, promise(number, 1)), Accept)
    return stage


def voting_again(stage: Stage) -> Stage:
    """The others answer that they know of nothing that is used: what this site left open is its own to settle."""
    again = stage.restarted().vote()
    again.answer_scan(again.tick())
    return again


def settle_as_filler(stage: Stage) -> Effects:
    """Lets time pass until the filler competes, then bob answers it as one who has accepted nothing."""
    number = sent(stage.wait(15_000), Prepare)[-1][1].ballot
    stage.hear(BOB, promise(number, 1))
    return stage.hear(BOB, accepted(number, 1))


def test_e2_an_event_that_had_not_left_is_not_created() -> None:
    stage = Stage(3).ready()
    stage.submit(1)
    again = stage.restarted()
    saw = outcome(again.start())
    assert (saw.token, saw.id, saw.outcome) == (None, EventId(ALICE, 1), EventState.NOT_CREATED)
    assert saw.reason == "the engine stopped before the event was proposed"
    assert again.store.events[1].state is EventState.NOT_CREATED
    assert not told(stage.restarted().start(), SawOutcome), "told once, over all restarts"


def test_e2_an_event_whose_accept_had_left_is_unknown() -> None:
    again = stopped_after_the_accept_left().restarted()
    saw = outcome(again.start())
    assert (saw.id, saw.outcome, saw.slot) == (EventId(ALICE, 1), EventState.UNKNOWN, 1)
    assert saw.reason == "the engine stopped after the event was proposed; it may still be chosen at slot 1"
    third = again.restarted()
    assert not told(third.start(), SawOutcome)
    assert third.replica.view(0).unknown == 1


def test_e2_an_unknown_event_is_settled_without_being_asked_and_the_next_waits_for_it() -> None:
    """This site's own acceptor had taken it: the filler completes it."""
    again = voting_again(stopped_after_the_accept_left())
    assert not sent(again.submit(2), Prepare)
    effects = settle_as_filler(again)
    saw = outcome(effects)
    assert (saw.token, saw.id, saw.outcome) == (None, EventId(ALICE, 1), EventState.CREATED)
    assert again.store.log == {1: HELLO}
    effects.extend(again.wait(500))
    (following,) = {message.first for _, message in sent(effects, Prepare)}
    assert following == 2


def test_e2_an_unknown_event_that_nobody_had_accepted_is_lost_to_a_no_op() -> None:
    """Its own acceptor had promised carol more and refused it: still its slot is settled after the restart."""
    stage = Stage(3).ready()
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    stage.hear(CAROL, prepare(ballot(5, CAROL), 1))
    assert sent(stage.hear(BOB, promise(number, 1)), Accept)
    again = voting_again(stage)
    assert again.replica.view(0).holes == (1,)
    saw = outcome(settle_as_filler(again))
    assert (saw.outcome, saw.to_kind) == (EventState.LOST, "noop")
    assert again.store.log == {1: NOOP}


def test_e4_an_event_learned_above_a_hole_before_the_restart_is_created_when_the_hole_is_closed() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    stage.hear(BOB, promise(number, 3))
    stage.hear(BOB, accepted(number, 3))
    again = stage.restarted()
    saw = outcome(again.start())
    said = "the engine stopped after the event was proposed; chosen at slot 3; takes effect once slot 1 is settled"
    assert (saw.outcome, saw.slot, saw.waits_for, saw.reason) == (EventState.UNKNOWN, 3, 1, said)
    again.vote()
    saw = outcome(again.hear(BOB, chosen(1, tweet(BOB, 1))))
    assert (saw.outcome, saw.slot) == (EventState.CREATED, 3)


def test_e2_outcomes_that_were_told_stay() -> None:
    stage = Stage(3).ready()
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    stage.hear(BOB, promise(number, 1))
    stage.hear(BOB, accepted(number, 1))
    stage.submit(2)
    stage.hear(BOB, chosen(2, tweet(BOB, 1)))
    before = dict(stage.store.events)
    assert [row.state for row in before.values()] == [EventState.CREATED, EventState.LOST]
    again = stage.restarted()
    assert not told(again.start(), SawOutcome)
    again.ready()
    assert again.store.events == before


def test_e5_numbers_and_what_they_follow_go_on_after_a_restart() -> None:
    stage = Stage(3).ready()
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    stage.hear(BOB, promise(number, 1))
    stage.hear(BOB, accepted(number, 1))
    stage.submit(2)
    reserved = stage.store.number_max
    again = stage.restarted().vote()
    again.answer_scan(again.tick(), used_max=1)
    number = sent(again.submit(3, "three"), Prepare)[0][1].ballot
    effects = again.hear(BOB, promise(number, 2))
    ((slot, entry),) = {(message.run.first, *message.run.entries) for _, message in sent(effects, Accept)}
    assert (slot, entry) == (Slot(2), tweet(ALICE, reserved + 1, follows=1, text="three"))
