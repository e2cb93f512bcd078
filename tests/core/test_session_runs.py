"""Events that were submitted together: one run while they stand alike, split where they come to different ends (E1 to
E5)."""

from __future__ import annotations

from itertools import pairwise

from engine.core.effects import Effects, SawNumbered, SawOutcome
from engine.core.entry import Entry, Stamped, Tweet, Withdrawal, encode
from engine.core.events.submissions import BLOCK, Submission
from engine.core.ids import EventId, Slot
from engine.core.messages import Accept, Chosen, HandOn, Prepare, Promise
from engine.core.run import Run
from engine.core.storage import EventRun, EventState, WriteEvents, WriteNumbers
from tests.core.led import among, beat_of, elected, led
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    MINUTE,
    SITES,
    Stage,
    accepted,
    accepted_run,
    ballot,
    chosen,
    new_store,
    sent,
    told,
    tweet,
    written,
)

THREE = ballot(3, BOB)
FOUR = ballot(4, CAROL)
TEXTS = ("one", "two", "three", "four", "five")
ENTRIES = tuple(tweet(ALICE, number, text=text) for number, text in enumerate(TEXTS, start=1))
BODIES = tuple(entry.body for entry in ENTRIES)


def chosen_run(first: int, *entries: Entry) -> Chosen:
    return Chosen(Slot(first), Slot(first + len(entries) - 1), None, entries)


def withdrawal(number: int, follows: int) -> Entry:
    return Entry(ALICE, number, follows, encode(Stamped(Withdrawal(), 1_000)))


def handed(effects: Effects) -> list[Entry]:
    return [entry for _, message in sent(effects, HandOn) for entry in message.entries]


def outcomes(effects: Effects) -> list[tuple[int | None, int, int, EventState, Slot | None]]:
    """Token, offset, count, outcome and slot of each."""
    return [(saw.token, saw.offset, saw.count, saw.outcome, saw.slot) for saw in told(effects, SawOutcome)]


def handed_on() -> Stage:
    """Five events of one submission, on their way to bob, who leads."""
    stage = led(THREE)
    assert tuple(handed(stage.submit_many(7, *TEXTS))) == ENTRIES
    return stage


def stands(stage: Stage) -> list[EventState]:
    return [row.state for _, row in sorted(stage.store.events.items())]


# One run, all the way


def test_e1_events_submitted_together_have_consecutive_numbers_and_one_row() -> None:
    effects = led(THREE).submit_many(7, *TEXTS)
    assert told(effects, SawNumbered) == [SawNumbered(7, EventId(ALICE, 1))]
    assert [write.events for write in written(effects, WriteEvents)] == [EventRun(1, BODIES, EventState.PROPOSED)]


def test_what_waits_for_a_leader_is_durable_and_then_leaves_in_one_chain() -> None:
    stage = elected()
    effects = stage.submit_many(7, *TEXTS[:3])
    assert [write.events.state for write in written(effects, WriteEvents)] == [EventState.QUEUED]
    assert not handed(effects)
    stage.submit_many(8, *TEXTS[3:])
    effects = stage.hear(BOB, beat_of(stage, leads=THREE))
    assert tuple(handed(effects)) == ENTRIES
    assert [write.events.first for write in written(effects, WriteEvents)] == [1, 4]


def test_e4_a_run_that_takes_effect_is_told_and_kept_at_once() -> None:
    stage = handed_on()
    effects = stage.hear(BOB, chosen_run(1, *ENTRIES))
    assert outcomes(effects) == [(7, 0, 5, EventState.CREATED, 1)]
    (events,) = [write.events for write in written(effects, WriteEvents)]
    assert events == EventRun(1, BODIES, EventState.CREATED, Slot(1))


def test_events_of_two_submissions_are_told_to_each() -> None:
    stage = led(THREE)
    stage.submit_many(7, *TEXTS[:3])
    stage.submit_many(8, *TEXTS[3:])
    effects = stage.hear(BOB, chosen_run(1, *ENTRIES))
    assert outcomes(effects) == [(7, 0, 3, EventState.CREATED, 1), (8, 0, 2, EventState.CREATED, 4)]


# Different ends


def test_e4_what_the_prefix_reaches_in_parts_is_told_in_parts() -> None:
    stage = handed_on()
    effects = stage.hear(BOB, chosen_run(1, *ENTRIES[:2]))
    effects.extend(stage.hear(BOB, chosen_run(3, tweet(BOB, 1), *ENTRIES[2:])))
    assert outcomes(effects) == [(7, 0, 2, EventState.CREATED, 1), (7, 2, 3, EventState.CREATED, 4)]
    assert [row.slot for row in stage.store.events.values()] == [1, 2, 4, 5, 6]


def test_a_run_whose_entries_stand_apart_in_the_log_is_split_there() -> None:
    stage = handed_on()
    log = (*ENTRIES[:2], tweet(BOB, 1), *ENTRIES[2:])
    effects = stage.hear(BOB, chosen_run(1, *log))
    assert outcomes(effects) == [(7, 0, 2, EventState.CREATED, 1), (7, 2, 3, EventState.CREATED, 4)]


def test_e5_a_run_that_is_partly_void_is_created_up_to_there_and_goes_on_from_there() -> None:
    """Its third event was chosen before the first two: void. It, and what follows it, is handed on again."""
    stage = handed_on()
    effects = stage.hear(BOB, chosen_run(1, *ENTRIES[2:], *ENTRIES[:2]))
    assert outcomes(effects) == [(7, 0, 2, EventState.CREATED, 4)]
    assert tuple(handed(stage.hear(CAROL, beat_of(stage, leads=FOUR)))) == ENTRIES[2:]
    assert outcomes(stage.hear(CAROL, chosen_run(6, *ENTRIES[2:]))) == [(7, 2, 3, EventState.CREATED, 6)]


def test_e2_the_part_of_a_run_that_is_given_up_is_withdrawn_and_the_rest_goes_on() -> None:
    stage = handed_on()
    effects = stage.give_up(7, offset=1, count=2)
    assert outcomes(effects) == [(7, 1, 2, EventState.UNKNOWN, None)]
    assert stands(stage) == [*[EventState.PROPOSED], *[EventState.UNKNOWN] * 2, *[EventState.PROPOSED] * 2]
    effects = stage.hear(CAROL, beat_of(stage, leads=FOUR))
    log = (ENTRIES[0], withdrawal(2, 1), withdrawal(3, 2), *ENTRIES[3:])
    assert tuple(handed(effects)) == log
    effects = stage.hear(CAROL, chosen_run(1, *log))
    assert outcomes(effects) == [
        (7, 0, 1, EventState.CREATED, 1),
        (7, 1, 1, EventState.NOT_CREATED, 2),
        (7, 2, 1, EventState.NOT_CREATED, 3),
        (7, 3, 2, EventState.CREATED, 4),
    ]


def test_e2_of_withdrawals_and_events_under_the_same_numbers_the_log_tells_which_took_effect() -> None:
    """All are given up; the leader has the first two, and proposes the withdrawals of the others alone."""
    stage = handed_on()
    stage.give_up(7)
    log = (*ENTRIES[:2], *(withdrawal(number, number - 1) for number in (3, 4, 5)))
    effects = stage.hear(BOB, chosen_run(1, *log))
    assert outcomes(effects) == [
        (7, 0, 1, EventState.CREATED, 1),
        (7, 1, 1, EventState.CREATED, 2),
        *((7, place, 1, EventState.NOT_CREATED, place + 1) for place in (2, 3, 4)),
    ]


def test_e2_after_the_time_of_a_submission_what_left_is_unknown_and_what_did_not_is_not_created() -> None:
    stage = led(THREE)
    stage.submit_many(7, *TEXTS[:2], timeout=2_000)
    stage.hear(BOB, chosen(1, ENTRIES[0]))
    effects = among(stage, lambda: [(BOB, beat_of(stage, leads=THREE)), (CAROL, beat_of(stage))], 2_500)
    assert outcomes(effects) == [(7, 1, 1, EventState.UNKNOWN, None)]


def test_e2_of_many_that_never_left_one_outcome_is_told() -> None:
    stage = elected()
    stage.submit_many(7, *TEXTS)
    (saw,) = told(stage.give_up(7), SawOutcome)
    assert (saw.token, saw.offset, saw.count, saw.outcome) == (7, 0, 5, EventState.NOT_CREATED)
    assert saw.id == EventId(ALICE, 1)
    assert stands(stage) == [EventState.NOT_CREATED] * 5
    assert not handed(stage.hear(BOB, beat_of(stage, leads=THREE)))


def test_a_part_that_never_left_is_given_up_and_the_rest_leaves_without_it() -> None:
    stage = elected()
    stage.submit_many(7, *TEXTS)
    assert outcomes(stage.give_up(7, offset=2, count=1)) == [(7, 2, 1, EventState.NOT_CREATED, None)]
    entries = handed(stage.hear(BOB, beat_of(stage, leads=THREE)))
    assert [(entry.number, entry.follows) for entry in entries] == [(1, 0), (2, 1), (4, 2), (5, 4)]


def test_d5_a_part_that_has_no_numbers_is_given_up_and_the_rest_gets_the_numbers_of_its_places() -> None:
    stage = Stage(3, store=new_store(ALICE))
    hellos = stage.start()
    stage.submit_many(7, *TEXTS)
    (saw,) = told(stage.give_up(7, offset=2, count=1), SawOutcome)
    assert (saw.id, saw.offset, saw.count, saw.outcome) == (None, 2, 1, EventState.NOT_CREATED)
    effects = stage.welcome(SITES[1:3], hellos)
    effects.extend(stage.tick())
    assert told(effects, SawNumbered) == [SawNumbered(7, EventId(ALICE, 1))]
    assert sorted(stage.store.events) == [1, 2, 4, 5]


def test_e2_after_a_restart_each_is_told_once_and_withdrawn() -> None:
    stage = handed_on()
    again = stage.restarted()
    saw = told(again.start(), SawOutcome)
    assert {(each.token, each.outcome) for each in saw} == {(None, EventState.UNKNOWN)}
    assert [each.id for each in saw] == [EventId(ALICE, number) for number in range(1, 6)]
    assert not told(stage.restarted().start(), SawOutcome)


# By this site's own synods (L1)


def promised(stage: Stage, effects: Effects) -> tuple[Prepare, Effects]:
    """Bob promises what `effects` ask for last, and has accepted nothing there."""
    lot = sent(effects, Prepare)[-1][1]
    return lot, stage.hear(BOB, Promise(lot.ballot, lot.first, lot.last, (), (), ()))


def test_l1_what_waits_is_proposed_at_slots_that_follow_each_other_and_told_at_once() -> None:
    stage = Stage(3).ready()
    lot, effects = promised(stage, stage.submit_many(7, *TEXTS))
    assert {message.run for _, message in sent(effects, Accept)} == {Run(Slot(1), ENTRIES)}
    events = [write.events for write in written(effects, WriteEvents)]
    assert events == [EventRun(1, BODIES, EventState.PROPOSED, Slot(1))], "durable before it leaves (E2)"
    effects = stage.hear(BOB, accepted(lot.ballot, *range(1, 6)))
    assert outcomes(effects) == [(7, 0, 5, EventState.CREATED, 1)]


def test_l1_what_is_submitted_meanwhile_waits_until_all_of_that_is_settled() -> None:
    stage = Stage(3).ready()
    lot, _ = promised(stage, stage.submit_many(7, *TEXTS[:2]))
    assert not sent(stage.submit_many(8, *TEXTS[2:]), Prepare)
    assert not sent(stage.hear(BOB, accepted(lot.ballot, 1)), Prepare)
    effects = stage.hear(BOB, accepted(lot.ballot, 2))
    assert outcomes(effects) == [(7, 1, 1, EventState.CREATED, 2)]
    assert {(message.first, message.last) for _, message in sent(effects, Prepare)} == {(3, 5)}


def test_e2_a_loss_in_the_middle_is_told_of_that_event_and_the_others_are_created() -> None:
    """What follows the lost one at the slots after it is void there (E5), and is proposed again."""
    stage = Stage(3).ready()
    lot, _ = promised(stage, stage.submit_many(7, *TEXTS[:3]))
    assert outcomes(stage.hear(BOB, chosen(2, tweet(BOB, 1)))) == [(7, 1, 1, EventState.LOST, 2)]
    effects = stage.hear(BOB, accepted(lot.ballot, 1, 3))
    told_of = outcomes(effects)
    while stage.store.events[3].state is not EventState.CREATED:
        lot, effects = promised(stage, effects)
        assert lot.last is not None
        effects.extend(stage.hear(BOB, accepted(lot.ballot, *range(lot.first, lot.last + 1))))
        told_of += outcomes(effects)
    assert told_of == [(7, 0, 1, EventState.CREATED, 1), (7, 2, 1, EventState.CREATED, 4)]


def test_e2_what_is_proposed_beside_another_s_entry_is_durable_before_it_leaves() -> None:
    """Bob had accepted something in the middle: the events beside it are proposed, and the one in its place is not."""
    stage = Stage(3).ready()
    ((_, lot), *_) = sent(stage.submit_many(7, *TEXTS[:3]), Prepare)
    found = (accepted_run(2, ballot(0, BOB), tweet(BOB, 1)),)
    effects = stage.hear(BOB, Promise(lot.ballot, lot.first, lot.last, found, (), ()))
    assert {message.run.entries[1] for _, message in sent(effects, Accept)} == {tweet(BOB, 1)}
    events = [(write.events.bodies, write.events.slot) for write in written(effects, WriteEvents)]
    assert events == [((BODIES[0],), 1), ((BODIES[2],), 3)]


# Numbers


def test_e1_numbers_are_reserved_before_anything_waits_for_them_and_again_in_time() -> None:
    stage = led(THREE)
    assert stage.store.number_max == BLOCK, "since it votes"
    reserved: list[int] = []
    for token in range(BLOCK):
        effects = stage.submit(token, "hello")
        assert handed(effects), "nothing waits"
        reserved += [write.number_max for write in written(effects, WriteNumbers)]
    assert reserved == [BLOCK + BLOCK // 2 + 1, *reserved[1:]]
    assert all(after - before == BLOCK // 2 + 1 for before, after in pairwise(reserved))


def test_e1_what_needs_more_numbers_than_are_reserved_waits_for_the_commit_that_reserves_them() -> None:
    stage = led(THREE)
    effects = stage.submit_many(7, *(f"text {number}" for number in range(BLOCK + 1)))
    assert written(effects, WriteNumbers)
    assert not told(effects, SawNumbered)
    assert not handed(effects)
    assert stage.replica.deadline() <= stage.now, "and no longer"
    effects = stage.tick()
    assert told(effects, SawNumbered) == [SawNumbered(7, EventId(ALICE, 1))]
    assert len(handed(effects)) == BLOCK + 1


def test_e1_before_its_commit_a_reservation_gives_out_nothing() -> None:
    """Steps of one pass: the commit comes after all of them."""
    stage = led(THREE)
    body = encode(Stamped(Tweet("hello"), 1_000))
    effects = stage.replica.submit(stage.now, Submission(7, (body,) * (BLOCK + 1), MINUTE, False))
    assert written(effects, WriteNumbers)
    effects.extend(stage.replica.tick(stage.now))
    assert not told(effects, SawNumbered)
    assert not handed(effects)
