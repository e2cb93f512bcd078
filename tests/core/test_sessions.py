"""Events and their outcomes (E1 to E5), without a leader: each event is this site's own to propose."""

from __future__ import annotations

import pytest

from engine.core.effects import Effects, SawNumbered, SawOutcome
from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, EventId, Slot, Tick
from engine.core.messages import Accept, Ask, Known, Prepare, Promise
from engine.core.run import run_of
from engine.core.storage import EventState, WriteEvents, WriteLearned
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    MINUTE,
    Stage,
    accept,
    accepted,
    ballot,
    beat,
    chosen,
    new_store,
    prepare,
    promise,
    sent,
    told,
    tweet,
    written,
)

HELLO = tweet(ALICE, 1, text="hello")
THEIRS = tweet(BOB, 1)


def aimed(effects: Effects) -> tuple[Ballot, Slot]:
    """The ballot and slot of the one prepare in `effects`."""
    ((number, slot),) = {(message.ballot, message.first) for _, message in sent(effects, Prepare)}
    return number, slot


def carried(effects: Effects) -> Entry:
    """The entry of the one accept in `effects`."""
    ((entry,),) = {message.run.entries for _, message in sent(effects, Accept)}
    return entry


def outcome(effects: Effects) -> SawOutcome:
    (saw,) = told(effects, SawOutcome)
    return saw


def proposed(stage: Stage, token: int = 1, timeout: int = MINUTE, *, retry: bool = False) -> tuple[Ballot, Slot]:
    """Submits an event to a site of three, and brings it to where its accept has left."""
    number, slot = aimed(stage.submit(token, timeout=timeout, retry=retry))
    assert sent(stage.hear(BOB, promise(number, slot)), Accept)
    return number, slot


# E1


def test_e1_an_events_id_is_durable_in_the_step_that_first_proposes_it() -> None:
    effects = Stage(3).ready().submit(1)
    assert sent(effects, Prepare)
    assert [(write.events.first, write.events.state) for write in written(effects, WriteEvents)] == [
        (1, EventState.QUEUED)
    ]


def test_e1_who_submits_is_told_the_id_in_the_step_that_makes_it_durable() -> None:
    stage = Stage(3).ready()
    stage.submit(7)
    effects = stage.submit(8)
    assert told(effects, SawNumbered) == [SawNumbered(8, EventId(ALICE, 2))]
    assert [write.events.first for write in written(effects, WriteEvents)] == [2]


def test_e1_an_id_is_never_given_out_twice_over_restarts() -> None:
    """Not even that of an event of which nothing ever left this site: somebody may have been told its outcome."""
    stage = Stage(3).ready()
    stage.submit(1)
    stage.submit(2)
    reserved = stage.store.number_max
    again = stage.restarted().ready()
    again.submit(1)
    assert sorted(again.store.events) == [1, 2, reserved + 1]
    assert again.store.number_max > reserved


def test_e1_a_retried_event_keeps_its_id_and_is_in_the_log_once() -> None:
    stage = Stage(3).ready()
    _, slot = proposed(stage, retry=True)
    effects = stage.hear(BOB, chosen(slot, THEIRS))
    assert not told(effects, SawOutcome)
    assert stage.store.events[1].state is EventState.QUEUED
    number, slot = aimed(effects)
    entry = carried(stage.hear(BOB, promise(number, slot)))
    assert (entry.id, slot) == (EventId(ALICE, 1), 2)
    saw = outcome(stage.hear(BOB, accepted(number, slot)))
    assert (saw.token, saw.id, saw.outcome, saw.slot) == (1, EventId(ALICE, 1), EventState.CREATED, 2)


# E2


def test_e2_created_is_said_of_a_learned_slot_alone_and_is_durable_with_it() -> None:
    stage = Stage(5).ready()
    number, slot = aimed(stage.submit(1))
    effects = Effects()
    for peer in (BOB, CAROL):
        effects.extend(stage.hear(peer, promise(number, slot)))
    effects.extend(stage.hear(BOB, accepted(number, slot)))
    assert not told(effects, SawOutcome), "accepted by two of five"
    effects = stage.hear(CAROL, accepted(number, slot))
    assert outcome(effects) == SawOutcome(
        1, EventId(ALICE, 1), EventState.CREATED, slot, None, None, None, None, Tick(0)
    )
    assert written(effects, WriteLearned)
    assert written(effects, WriteEvents)[-1].events.state is EventState.CREATED


def test_e2_created_is_said_too_where_another_site_completed_it() -> None:
    stage = Stage(3).ready()
    _, slot = proposed(stage)
    assert outcome(stage.hear(BOB, chosen(slot, HELLO))).outcome is EventState.CREATED


@pytest.mark.parametrize(("winner", "author", "kind"), [(THEIRS, BOB, "tweet"), (NOOP, None, "noop")])
def test_e2_lost_says_to_what(winner: Entry, author: str | None, kind: str) -> None:
    stage = Stage(3).ready()
    _, slot = proposed(stage)
    effects = stage.hear(BOB, chosen(slot, winner))
    saw = outcome(effects)
    assert (saw.outcome, saw.slot, saw.to_author, saw.to_kind) == (EventState.LOST, slot, author, kind)
    (row,) = [write.events for write in written(effects, WriteEvents)]
    assert (row.state, row.to_author, row.to_kind) == (EventState.LOST, author, kind), "durable before it is told"


def test_e2_given_up_before_anything_left_it_is_not_created_and_nothing_leaves_later() -> None:
    stage = Stage(3).ready()
    number, slot = aimed(stage.submit(1))
    saw = outcome(stage.give_up(1))
    assert (saw.outcome, saw.id, saw.slot) == (EventState.NOT_CREATED, EventId(ALICE, 1), None)
    assert stage.store.events[1].state is EventState.NOT_CREATED
    effects = stage.hear(BOB, promise(number, slot))
    effects.extend(stage.hear(CAROL, promise(number, slot)))
    effects.extend(stage.wait(30_000))
    assert not sent(effects, Accept)
    assert not told(effects, SawOutcome)


def test_e2_what_may_still_be_chosen_is_unknown_and_never_called_failed() -> None:
    """Trap: its accept has left; that the time is over says nothing. It is chosen later, and that is told."""
    stage = Stage(3).ready()
    _, slot = proposed(stage, timeout=5_000)
    saw = outcome(stage.wait(5_000))
    assert (saw.token, saw.outcome, saw.slot) == (1, EventState.UNKNOWN, slot)
    assert saw.reason is not None
    assert saw.reason.endswith("it may still be chosen at slot 1")
    assert stage.store.events[1].state is EventState.UNKNOWN
    assert stage.replica.view(0).unknown == 1
    saw = outcome(stage.hear(BOB, chosen(slot, HELLO)))
    assert (saw.token, saw.outcome) == (1, EventState.CREATED)
    assert stage.replica.view(0).unknown == 0


def test_e2_an_unknown_event_is_lost_once_its_slot_holds_something_else() -> None:
    stage = Stage(3).ready()
    _, slot = proposed(stage)
    assert outcome(stage.give_up(1)).outcome is EventState.UNKNOWN
    assert outcome(stage.hear(BOB, chosen(slot, THEIRS))).outcome is EventState.LOST


def test_e2_an_unknown_event_is_not_pushed_any_more_but_its_slot_is_settled() -> None:
    """The hole filler, like any site's, completes what it finds accepted; this event is found at this very site."""
    stage = Stage(3).ready()
    first, slot = proposed(stage, retry=True)
    stage.give_up(1)
    assert not sent(stage.hear(CAROL, promise(first, slot)), Accept)
    effects = stage.wait(15_000)
    assert not {message for _, message in sent(effects, Accept)}
    number, slot = aimed_last(effects)
    assert carried(stage.hear(CAROL, promise(number, slot))) == HELLO
    assert outcome(stage.hear(CAROL, accepted(number, slot))).outcome is EventState.CREATED


def aimed_last(effects: Effects) -> tuple[Ballot, Slot]:
    message = sent(effects, Prepare)[-1][1]
    return message.ballot, message.first


def test_e2_under_retry_a_loss_after_it_was_given_up_is_final() -> None:
    stage = Stage(3).ready()
    _, slot = proposed(stage, retry=True)
    stage.give_up(1)
    effects = stage.hear(BOB, chosen(slot, THEIRS))
    assert outcome(effects).outcome is EventState.LOST
    assert not sent(effects, Prepare)


def test_e2_what_is_used_by_an_accept_that_left_is_seen_to_even_where_this_site_refused_it_itself() -> None:
    """Alice promised carol a higher ballot before bob's promise made her majority: her own acceptor refuses her accept,
    and if bob's answer is lost she has nothing that says that slot 1 is used. She sent the accept: it may be."""
    stage = Stage(3).ready()
    number, slot = aimed(stage.submit(1, retry=True))
    stage.hear(CAROL, prepare(ballot(9, CAROL), slot))
    assert carried(stage.hear(BOB, promise(number, slot))) == HELLO
    assert outcome(stage.give_up(1)).outcome is EventState.UNKNOWN
    assert stage.replica.view(0).holes == (1,)
    effects = stage.submit(2)
    assert not sent(effects, Prepare), "it waits until the first is settled"
    number, slot = aimed_last(stage.wait(15_000))
    assert slot == 1
    assert carried(stage.hear(BOB, promise(number, slot))) == NOOP
    effects = stage.hear(BOB, accepted(number, slot))
    assert outcome(effects).outcome is EventState.LOST
    assert aimed(effects)[1] == 2


def test_e2_adopting_anothers_entry_sends_nothing_of_its_own() -> None:
    stage = Stage(3).ready()
    number, slot = aimed(stage.submit(1))
    assert carried(stage.hear(BOB, promise(number, slot, (ballot(0, BOB), THEIRS)))) == THEIRS
    saw = outcome(stage.give_up(1))
    assert saw.outcome is EventState.NOT_CREATED, "nothing that carries it ever left"


def test_e2_each_outcome_is_told_once() -> None:
    stage = Stage(3).ready()
    _, slot = proposed(stage)
    assert outcome(stage.give_up(1)).outcome is EventState.UNKNOWN
    assert not stage.give_up(1).observations
    assert not told(stage.wait(2 * MINUTE), SawOutcome)
    assert outcome(stage.hear(BOB, chosen(slot, HELLO))).outcome is EventState.CREATED
    effects = stage.hear(CAROL, chosen(slot, HELLO))
    effects.extend(stage.give_up(1))
    assert not told(effects, SawOutcome)


def test_e2_giving_up_what_nobody_submitted_does_nothing() -> None:
    effects = Stage(3).ready().give_up(99)
    assert (effects.writes, effects.sends, effects.observations) == ([], [], [])


# Reasons, in words and counts


def test_the_reason_of_a_timeout_counts_who_is_reachable() -> None:
    stage = Stage(5).ready()
    stage.hear(BOB, beat())
    stage.submit(1, timeout=1_000)
    saw = outcome(stage.wait(1_000))
    assert (saw.outcome, saw.reason) == (EventState.NOT_CREATED, "no quorum: 2 of 5 reachable, 3 needed")


def test_the_reason_names_what_it_waits_for() -> None:
    stage = Stage(3).ready()
    proposed(stage)
    stage.give_up(1)
    stage.submit(2)
    saw = outcome(stage.give_up(2))
    assert saw.outcome is EventState.NOT_CREATED
    assert saw.reason is not None
    assert saw.reason.startswith("waits for alice/1, whose outcome is not known yet; ")


def test_d5_submitted_to_a_site_that_does_not_vote_it_waits_and_then_is_not_created_without_an_id() -> None:
    stage = Stage(3, store=new_store(ALICE))
    stage.start()
    assert not stage.submit(1, timeout=1_000).observations
    saw = outcome(stage.wait(1_000))
    assert (saw.token, saw.id, saw.outcome) == (1, None, EventState.NOT_CREATED)
    assert saw.reason is not None
    assert saw.reason.startswith("alice does not vote: new store: recorded by 0 other sites, 2 needed")
    assert not stage.store.events


# Time


def test_an_events_time_begins_anew_when_one_before_it_is_settled() -> None:
    """The third of a queue that moves does not run out of time because it stood behind two others."""
    stage = Stage(3).ready()
    number, slot = proposed(stage, token=1, timeout=1_000)
    stage.submit(2, timeout=1_000)
    stage.wait(900)
    number, slot = aimed(stage.hear(BOB, accepted(number, slot)))
    assert not told(stage.wait(900), SawOutcome)
    assert outcome(stage.wait(100)).token == 2


def test_a_submission_that_is_given_up_makes_room_for_the_next() -> None:
    stage = Stage(3).ready()
    first = aimed(stage.submit(1))
    stage.submit(2)
    second = aimed(stage.give_up(1))
    assert second[1] == first[1] == 1
    assert second[0] > first[0], "another attempt, another round (B1)"


def test_what_waits_in_the_queue_can_be_given_up() -> None:
    stage = Stage(3).ready()
    number, slot = proposed(stage)
    stage.submit(2)
    stage.submit(3)
    saw = outcome(stage.give_up(2))
    assert (saw.token, saw.outcome) == (2, EventState.NOT_CREATED)
    effects = stage.hear(BOB, accepted(number, slot))
    number, slot = aimed(effects)
    entry = carried(stage.hear(BOB, promise(number, slot)))
    assert (entry.number, entry.follows) == (3, 1)


# E3


def test_e3_events_keep_the_order_of_submission_whatever_is_lost_and_retried() -> None:
    stage = Stage(3).ready()
    effects = stage.submit(1, "one", retry=True)
    stage.submit(2, "two", retry=True)
    stage.submit(3, "three", retry=True)
    rivals = 0
    while len(created := [row for row in stage.store.events.values() if row.state is EventState.CREATED]) < 3:
        assert rivals < 10, "nothing comes of it"
        lot = sent(effects, Prepare)[-1][1]
        assert lot.last is not None
        effects = stage.hear(BOB, Promise(lot.ballot, lot.first, lot.last, (), (), ()))
        slots = list(range(lot.first, lot.last + 1))
        if rivals <= len(created):
            rivals += 1
            effects.extend(stage.hear(BOB, chosen(slots.pop(0), tweet(BOB, rivals))))
        if slots:
            effects.extend(stage.hear(BOB, accepted(lot.ballot, *slots)))
    assert rivals == 3
    mine = [entry for _, entry in sorted(stage.store.log.items()) if entry.author == ALICE]
    in_effect = [entry for entry in mine if stage.store.log[created_at(stage, entry.number)] is entry]
    assert [entry.number for entry in in_effect] == [1, 2, 3]
    assert [entry.body.split()[-1] for entry in in_effect] == ["one", "two", "three"]


def created_at(stage: Stage, number: int) -> Slot:
    slot = stage.store.events[number].slot
    assert slot is not None
    return slot


# E4


def test_e4_created_waits_until_the_prefix_through_its_slot_is_learned() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    number, slot = proposed(stage)
    assert slot == 3
    effects = stage.hear(BOB, accepted(number, slot))
    assert slot in stage.store.log
    assert not told(effects, SawOutcome)
    effects = stage.hear(BOB, chosen(1, THEIRS))
    assert outcome(effects).outcome is EventState.CREATED


def test_e4_what_lies_below_is_settled_at_once() -> None:
    """Not at the filler's next look: somebody waits for the outcome."""
    stage = Stage(3).ready()
    stage.hear(BOB, chosen(2, tweet(BOB, 2)), chosen(5, tweet(BOB, 3)))
    number, slot = proposed(stage)
    stage.hear(BOB, accept(ballot(1, BOB), 9, tweet(BOB, 4)))
    effects = stage.hear(BOB, accepted(number, slot))
    questions = {message for _, message in sent(effects, Ask)}
    asked = {at for message in questions for first, last in message.spans for at in range(first, last + 1)}
    assert asked == {1, 3, 4}, "and not the slots above it"
    nonce = next(iter(questions)).nonce
    runs = tuple(run_of(Slot(at), tweet(CAROL, at)) for at in (1, 3, 4))
    assert outcome(stage.hear(BOB, Known(nonce, Slot(1), Slot(4), runs))).outcome is EventState.CREATED


def test_e4_the_next_event_waits_for_it_too() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    number, slot = proposed(stage)
    effects = stage.submit(2)
    effects.extend(stage.hear(BOB, accepted(number, slot)))
    assert not sent(effects, Prepare)
    assert aimed(stage.hear(BOB, chosen(1, THEIRS)))[1] == 4


# E5


def test_e5_an_entry_follows_the_last_number_of_its_author_in_effect() -> None:
    stage = Stage(3).ready()
    _, slot = proposed(stage, token=1)
    effects = stage.submit(2, "two")
    effects = stage.hear(BOB, chosen(slot, THEIRS))
    assert outcome(effects).outcome is EventState.LOST
    number, slot = aimed(effects)
    assert carried(stage.hear(BOB, promise(number, slot))) == tweet(ALICE, 2, follows=0, text="two")
    stage.hear(BOB, accepted(number, slot))
    number, slot = aimed(stage.submit(3, "three"))
    assert carried(stage.hear(BOB, promise(number, slot))) == tweet(ALICE, 3, follows=2, text="three")
