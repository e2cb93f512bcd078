"""Learning: R0, R1, R2, and what is read back from the store."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.effects import Effects, SawApplied, SawLearned
from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Nonce, Slot
from engine.core.log.learner import RECENT_SLOTS
from engine.core.messages import How, Known, Message, Promise
from engine.core.run import slots_of
from engine.core.storage import Vote, WriteApplied, WriteEvidence, WriteLearned
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    Stage,
    accept,
    already_chosen,
    ballot,
    chosen,
    chosen_at,
    prepare,
    run,
    sent_to,
    told,
    tweet,
    written,
)

THEIRS = tweet(BOB, 1)


def reached(effects: Effects) -> list[Slot]:
    """The slots that the prefix came to, in order: as they are written, and as they are told."""
    slots = [slot for write in written(effects, WriteApplied) for slot in slots_of(write.first, write.last)]
    assert slots == [slot for saw in told(effects, SawApplied) for slot, _ in saw.run]
    return slots


# R0


def test_r0_chosen_with_the_entry_is_learned() -> None:
    effects = Stage().vote().hear(BOB, chosen(1, THEIRS, at=ballot(3, CAROL)))
    assert told(effects, SawLearned) == [SawLearned(run(1, THEIRS), How.CHOSEN, ballot(3, CAROL), BOB)]
    assert written(effects, WriteLearned) == [WriteLearned(run(1, THEIRS))]


def test_r0_chosen_with_the_ballot_alone_is_learned_from_what_was_accepted_at_exactly_that_ballot() -> None:
    stage = Stage().vote()
    stage.hear(BOB, accept(ballot(3, BOB), 1, THEIRS))
    effects = stage.hear(BOB, chosen_at(ballot(3, BOB), 1))
    assert [saw.run for saw in told(effects, SawLearned)] == [run(1, THEIRS)]
    assert written(effects, WriteLearned) == [WriteLearned(run(1, THEIRS))]
    vote = Vote(ballot(3, BOB), ballot(3, BOB), (THEIRS,))
    assert stage.store.voted(Slot(1)) == vote, "kept for people to read"


@pytest.mark.parametrize("other", [ballot(2, BOB), ballot(4, BOB), ballot(3, CAROL), ballot(0, ALICE)])
def test_r0_an_entry_accepted_at_another_ballot_is_not_what_was_chosen(other: Ballot) -> None:
    stage = Stage().vote()
    stage.hear(BOB, accept(ballot(3, BOB), 1, THEIRS))
    effects = stage.hear(BOB, chosen_at(other, 1))
    assert not told(effects, SawLearned)
    assert stage.replica.view(0).holes == (1,), "it is known to be used, and asked for"


def test_r0_the_ballot_alone_of_a_slot_where_nothing_was_accepted_teaches_nothing() -> None:
    stage = Stage().vote()
    stage.hear(CAROL, prepare(ballot(3, BOB), 1))
    effects = stage.hear(BOB, chosen_at(ballot(3, BOB), 1))
    assert not told(effects, SawLearned)


# R1


def test_r1_hearing_the_same_again_changes_nothing() -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(1, THEIRS))
    effects = stage.hear(CAROL, chosen(1, THEIRS), chosen_at(ballot(9, CAROL), 1))
    assert effects.stop is None
    assert not effects.writes
    assert not told(effects, SawLearned)


@pytest.mark.parametrize(
    "contradiction",
    [
        pytest.param(chosen(2, NOOP), id="chosen"),
        pytest.param(Known(Nonce(1), Slot(2), Slot(2), (run(2, NOOP),)), id="known"),
        pytest.param(already_chosen(ballot(1, ALICE), 2, tweet(BOB, 2, text="another text")), id="promise"),
    ],
)
@pytest.mark.parametrize("applied", [True, False])
def test_r1_another_entry_for_a_learned_slot_stops_the_site_with_the_evidence(
    contradiction: Message, applied: bool
) -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    if applied:
        stage.hear(BOB, chosen(1, THEIRS))
    effects = stage.hear(CAROL, prepare(ballot(1, CAROL), 7), contradiction)
    assert effects.stop is not None
    assert not effects.sends
    (evidence,) = effects.writes
    assert isinstance(evidence, WriteEvidence)
    assert evidence.rule == "R1"
    assert "slot 2" in evidence.text
    assert "carol" in evidence.text
    assert stage.store.log[Slot(2)] == tweet(BOB, 2)


def test_r1_holds_for_slots_that_only_the_store_remembers() -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(1, THEIRS))
    again = stage.restarted().vote()
    assert again.hear(BOB, chosen(1, THEIRS)).stop is None
    assert again.hear(BOB, chosen(1, NOOP)).stop is not None


# R2


def test_r2_what_lies_above_a_hole_is_learned_and_not_applied() -> None:
    stage = Stage().vote()
    effects = stage.hear(BOB, chosen(3, tweet(BOB, 3)), chosen(2, tweet(BOB, 2)))
    assert [saw.run.first for saw in told(effects, SawLearned)] == [3, 2]
    assert not told(effects, SawApplied)
    assert not written(effects, WriteApplied)
    view = stage.replica.view(0)
    assert (view.prefix, view.learned_max, view.used_max, view.holes) == (0, 3, 3, (1,))


def test_r2_the_prefix_is_applied_in_slot_order_in_the_commit_that_closes_the_gap() -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(3, tweet(BOB, 3)), chosen(2, tweet(BOB, 2)))
    effects = stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert reached(effects) == [1, 2, 3]
    assert [write.run for write in written(effects, WriteLearned)] == [run(1, tweet(BOB, 1))]
    assert stage.replica.prefix == 3


def test_r2_a_restart_goes_on_where_it_was_without_replaying_the_log() -> None:
    stage = Stage().vote()
    stage.hear(BOB, chosen(1, tweet(BOB, 1)), chosen(3, tweet(BOB, 3)))
    again = stage.restarted().vote()
    assert (again.replica.prefix, again.replica.used_max, again.replica.view(0).holes) == (1, 3, (2,))
    effects = again.hear(BOB, chosen(2, tweet(BOB, 2)))
    assert reached(effects) == [2, 3]


@given(st.permutations(range(1, 9)), st.randoms(use_true_random=False))
def test_r2_whatever_the_order_of_learning_the_order_of_applying_is_the_slots(order: list[int], random: Random) -> None:
    entries: dict[int, Entry] = {slot: random.choice([NOOP, tweet(BOB, slot, follows=slot - 1)]) for slot in order}
    stage = Stage().vote()
    applied: list[int] = []
    for slot in order:
        applied += reached(stage.hear(BOB, chosen(slot, entries[slot])))
    assert applied == list(range(1, 9))
    assert stage.store.log == entries


# Memory and store


def test_entries_that_left_memory_are_read_from_the_store() -> None:
    stage = Stage().vote()
    slots = range(1, 2 * RECENT_SLOTS)
    stage.hear(BOB, *(chosen(slot, tweet(BOB, slot)) for slot in slots))
    for slot in (1, RECENT_SLOTS - 1, RECENT_SLOTS, 2 * RECENT_SLOTS - 1):
        (answer,) = sent_to(stage.hear(CAROL, prepare(ballot(1, CAROL), slot)), CAROL, Promise)
        assert answer.learned == (run(slot, tweet(BOB, slot)),)
    assert stage.store.reads == 2, "the newest ones are at hand, and memory does not grow with the log"
