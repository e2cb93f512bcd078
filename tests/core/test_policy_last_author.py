"""`leadership: last-author` (L2): who wrote the slot before may begin with accept at ballot 0; all else as in `none`.

Bob and carol are the test; alice, the site on stage, is one of three.
"""

from __future__ import annotations

from random import Random

import pytest

from engine.core.effects import Effects, SawAttempt, SawOutcome
from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import Accept, Accepted, Cause, Chosen, Message, Prepare, Promise, Refused, RefusedSpan
from engine.core.settings import Leadership, Settings
from engine.core.storage import EventState, WriteEvents, WriteRound, WriteVote
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
    prepare,
    promise,
    run,
    sent,
    told,
    tweet,
    written,
)

ZERO = ballot(0, ALICE)
ONE = ballot(1, ALICE)
TWO = ballot(2, ALICE)
HELLO = tweet(ALICE, 1, text="hello")
AGAIN = tweet(ALICE, 2, text="again")


def stage() -> Stage:
    return Stage(settings=Settings(ALICE, SITES[:3], Leadership.LAST_AUTHOR), random=Random(1)).ready()


def author() -> Stage:
    """Alice, whose own `hello` was chosen at slot 1 by the full synod."""
    on_stage = stage()
    on_stage.submit(1, "hello")
    on_stage.hear(BOB, promise(ONE, 1))
    on_stage.hear(BOB, accepted(ONE, 1))
    assert on_stage.store.log == {1: HELLO}
    return on_stage


def restarted(before: Stage) -> Stage:
    """The same store under a new process, which heard how far the log goes elsewhere: to slot 1."""
    after = before.restarted().vote()
    after.answer_scan(after.tick(), used_max=1)
    return after


def filled(on_stage: Stage, slot: int) -> Ballot:
    """The ballot at which the hole filler asks for promises of a slot, as soon as it does."""
    for _ in range(20):
        for _, message in sent(on_stage.wait(1_000), Prepare):
            if message.first == slot:
                return message.ballot
    raise AssertionError(f"slot {slot} is left as it is")


def at_zero(effects: Effects) -> list[tuple[SiteId, Accept]]:
    return [(to, message) for to, message in sent(effects, Accept) if message.ballot.round == 0]


def proposals(effects: Effects) -> set[Message]:
    """The prepares and accepts that left, each once."""
    return {send.message for send in effects.sends if isinstance(send.message, Prepare | Accept)}


def refused(by: Ballot | None, cause: Cause = Cause.SLOT) -> Refused:
    """Of her accept at ballot 0, at slot 2."""
    return Refused(ZERO, "accept", (RefusedSpan(Slot(2), Slot(2), by, cause),))


# Who may


def test_l2_the_author_of_the_slot_before_begins_with_accept_at_ballot_0() -> None:
    alice = author()
    effects = alice.submit(2, "again")
    assert sent(effects, Accept) == [(BOB, accept(ZERO, 2, AGAIN)), (CAROL, accept(ZERO, 2, AGAIN))]
    assert not sent(effects, Prepare), "one round trip: nothing goes before it"
    (saw,) = told(alice.hear(BOB, accepted(ZERO, 2)), SawOutcome)
    assert (saw.token, saw.outcome, saw.slot) == (2, EventState.CREATED, 2)


def test_l2_it_costs_no_round() -> None:
    assert not written(author().submit(2, "again"), WriteRound)


def test_l2_the_chain_goes_on_as_long_as_each_entry_is_its_own() -> None:
    alice = author()
    for slot in (2, 3, 4):
        effects = alice.submit(slot, "again")
        assert proposals(effects) == {accept(ZERO, slot, tweet(ALICE, slot, text="again"))}
        alice.hear(CAROL, accepted(ZERO, slot))
    assert sorted(alice.store.log) == [1, 2, 3, 4]


def test_l2_several_that_wait_go_by_one_synod_and_are_settled_together() -> None:
    """The first of them could go at ballot 0. What is submitted once that is created would have the next lot to itself,
    and all others of the same user wait for it."""
    alice = author()
    (asked,) = proposals(alice.submit_many(2, "again", "and again"))
    assert asked == Prepare(TWO, Slot(2), Slot(3))
    own = run(2, AGAIN, tweet(ALICE, 3, text="and again"))
    (then,) = proposals(alice.hear(BOB, Promise(TWO, Slot(2), Slot(3), (), (), ())))
    assert then == Accept(TWO, own)
    effects = alice.hear(BOB, Accepted(TWO, ((Slot(2), Slot(3)),)))
    assert [(saw.token, saw.count, saw.outcome) for saw in told(effects, SawOutcome)] == [(2, 2, EventState.CREATED)]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param((), id="the first slot of the log"),
        pytest.param((tweet(BOB, 1),), id="another author's entry"),
        pytest.param((NOOP,), id="a no-op has no author"),
        pytest.param((tweet(ALICE, 1), NOOP), id="own entry, then a no-op"),
        pytest.param((tweet(ALICE, 1), tweet(BOB, 1)), id="own entry, then another's"),
    ],
)
def test_l2_everyone_else_uses_the_full_synod(before: tuple[Entry, ...]) -> None:
    alice = stage()
    for slot, entry in enumerate(before, start=1):
        alice.hear(BOB, chosen(slot, entry))
    assert proposals(alice.submit(1)) == {prepare(ONE, len(before) + 1)}


def test_l2_after_a_no_op_nobody_may_not_even_who_proposed_it() -> None:
    """Alice settles slot 2 with the no-op herself; that makes her no author."""
    alice = author()
    alice.hear(CAROL, accept(ballot(1, BOB), 3, tweet(BOB, 1)))  # slot 2 is a hole now
    number = filled(alice, 2)
    alice.hear(CAROL, promise(number, 2))
    alice.hear(CAROL, accepted(number, 2))
    assert alice.store.log[Slot(2)] == NOOP
    alice.hear(CAROL, chosen(3, NOOP))
    (asked,) = proposals(alice.submit(2, "again"))
    assert isinstance(asked, Prepare)
    assert asked.first == 4


def test_l2_it_must_have_learned_the_slot_before_not_merely_proposed_there() -> None:
    """Alice proposed `hello` at slot 1, and bob's entry was chosen there."""
    alice = stage()
    alice.submit(1, "hello")
    alice.hear(BOB, promise(ONE, 1))
    effects = alice.submit(2, "again")
    assert not proposals(effects), "slot 1 may be hers, and is not learned"
    (asked,) = proposals(alice.hear(BOB, chosen(1, tweet(BOB, 1))))
    assert asked == prepare(ballot(2, ALICE), 2)


def test_l2_what_was_proposed_before_a_crash_and_is_not_learned_gives_no_right() -> None:
    alice = stage()
    alice.submit(1, "hello")
    alice.hear(BOB, promise(ONE, 1))
    number = alice.store.number_max + 1
    again = restarted(alice)
    assert not proposals(again.submit(2, "again"))
    effects = again.hear(BOB, chosen(1, HELLO))
    effects.extend(again.wait(1_000))
    then = accept(ZERO, 2, tweet(ALICE, number, follows=1, text="again"))
    assert {message for _, message in at_zero(effects)} == {then}, "learned: now it has it"


# Once a slot, with one entry, over all restarts


def test_l2_that_it_was_used_and_with_what_is_durable_in_the_commit_it_leaves_with() -> None:
    alice = author()
    effects = alice.submit(2, "again")
    assert at_zero(effects)
    ((slot, vote),) = [(write.first, write.vote) for write in written(effects, WriteVote)]
    assert (slot, vote.promised, vote.accepted, vote.entry) == (2, ZERO, ZERO, AGAIN)
    assert [write.events.state for write in written(effects, WriteEvents)][-1] is EventState.PROPOSED


def test_l2_trap_after_a_restart_another_event_does_not_take_ballot_0_of_that_slot() -> None:
    alice = author()
    assert at_zero(alice.submit(2, "again"))
    again = restarted(alice)
    effects = again.submit(3, "another")
    effects.extend(again.wait(20_000))
    assert not at_zero(effects)
    asked = {message.first for message in proposals(effects) if isinstance(message, Prepare)}
    assert asked == {2}, "the slot is settled by the full synod, which finds what ballot 0 carried"


def test_l2_trap_what_ballot_0_carried_is_what_the_synod_after_the_restart_proposes() -> None:
    alice = author()
    alice.submit(2, "again")
    again = restarted(alice)
    number = filled(again, 2)
    assert proposals(again.hear(BOB, promise(number, 2))) == {accept(number, 2, AGAIN)}


def test_l2_a_repeat_of_ballot_0_never_leaves() -> None:
    """Not even unchanged: whoever does not answer is asked by the synod."""
    alice = author()
    alice.submit(2, "again")
    assert not at_zero(alice.live(30_000))


# What goes on with a round of 1 or more


def test_l2_where_acks_do_not_come_it_goes_on_with_a_round_of_1_or_more() -> None:
    alice = author()
    alice.submit(2, "again")
    effects = alice.wait(alice.settings.timings.retransmit)
    assert proposals(effects) == {prepare(TWO, 2)}
    assert [write.round for write in written(effects, WriteRound)] == [2], "a fresh round, durable (B1)"
    saw = next(saw for saw in told(effects, SawAttempt))
    assert (saw.phase, saw.ballot, saw.why) == (
        "fallback",
        TWO,
        "no majority accepted ballot 0: continues with 2.alice",
    )
    assert proposals(alice.hear(BOB, promise(TWO, 2))) == {accept(TWO, 2, AGAIN)}, "its own vote carries the entry"


def test_l2_where_something_higher_was_promised_it_goes_on_at_once_and_above() -> None:
    alice = author()
    alice.submit(2, "again")
    effects = alice.hear(BOB, refused(ballot(6, CAROL)))
    assert proposals(effects) == {prepare(ballot(7, ALICE), 2)}
    (saw,) = told(effects, SawAttempt)
    assert saw.phase == "fallback"
    assert saw.why == "bob refused ballot 0, it promised 6.carol: continues with 7.alice"


def test_l2_the_full_synod_adopts_what_was_accepted_there() -> None:
    """B2 rules over the wish of the last author: carol's entry may be chosen."""
    alice = author()
    alice.submit(2, "again")
    alice.hear(BOB, refused(ballot(6, CAROL)))
    effects = alice.hear(BOB, promise(ballot(7, ALICE), 2, (ballot(6, CAROL), tweet(CAROL, 1))))
    assert proposals(effects) == {accept(ballot(7, ALICE), 2, tweet(CAROL, 1))}


def test_l2_who_cannot_vote_is_missing_and_no_reason_to_go_on_at_once() -> None:
    alice = author()
    alice.submit(2, "again")
    assert not proposals(alice.hear(BOB, refused(None, Cause.NOT_VOTING)))


def test_b3_acks_of_ballot_0_count_for_nothing_once_it_went_on() -> None:
    alice = author()
    alice.submit(2, "again")
    alice.wait(alice.settings.timings.retransmit)
    effects = alice.hear(BOB, accepted(ZERO, 2))
    assert not sent(effects, Chosen)
    assert 2 not in alice.store.log


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(prepare(ballot(1, BOB), 2), id="promised here"),
        pytest.param(Prepare(ballot(1, BOB), Slot(2), None), id="promised here in a range"),
    ],
)
def test_l2_where_its_own_acceptor_promised_it_does_not_begin_with_ballot_0(there: Prepare) -> None:
    alice = author()
    assert sent(alice.hear(BOB, there), Promise)
    assert proposals(alice.submit(2, "again")) == {prepare(ballot(2, ALICE), 2)}


@pytest.mark.parametrize("there", [tweet(BOB, 1), HELLO], ids=["another's entry", "her own, void there"])
def test_l2_a_slot_before_that_was_accepted_here_and_is_not_learned_gives_no_right(there: Entry) -> None:
    """Slot 2 is used, and not hers to follow at slot 3: what is chosen there is not known, whoever wrote it."""
    alice = author()
    alice.hear(BOB, accept(ballot(1, BOB), 2, there))
    assert proposals(alice.submit(2, "again")) == {prepare(TWO, 3)}


# The acceptor


def test_l2_an_acceptor_takes_ballot_0_where_it_has_promised_nothing() -> None:
    alice = stage()
    effects = alice.hear(BOB, accept(ballot(0, BOB), 2, tweet(BOB, 2)))
    assert [message for _, message in sent(effects, type(accepted(ZERO, 2)))] == [accepted(ballot(0, BOB), 2)]


@pytest.mark.parametrize(
    ("before", "cause"),
    [(prepare(ballot(1, CAROL), 2), Cause.SLOT), (Prepare(ballot(1, CAROL), Slot(1), None), Cause.RANGE)],
)
def test_l2_an_acceptor_refuses_ballot_0_where_it_has_promised_more(before: Prepare, cause: Cause) -> None:
    alice = stage()
    alice.hear(CAROL, before)
    effects = alice.hear(BOB, accept(ballot(0, BOB), 2, tweet(BOB, 2)))
    ((_, answer),) = sent(effects, Refused)
    assert answer == Refused(ballot(0, BOB), "accept", (RefusedSpan(Slot(2), Slot(2), ballot(1, CAROL), cause),))
    assert alice.replica.vote(Slot(2)).accepted is None
