"""A leader's flights are runs: each slot of one lands when a majority accepted exactly it, or goes its own way (L3, B2,
B3). They leave beside its commit."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.effects import Effects
from engine.core.entry import NOOP, Entry
from engine.core.ids import NUMBER_MAX, Ballot, SiteId, Slot
from engine.core.messages import Accept, Cause, Chosen, HandOn, Message, Prepare, Promise, Refused, RefusedSpan
from engine.core.run import AcceptedRun, slots_of
from engine.core.settings import CHANGE_LAG, WINDOW_SLOTS, Leadership, Settings
from engine.core.storage import EventState
from tests.core.led import among_all, elected, leading, led, phases, proposed, range_prepares, slot_prepares, standing
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    SITES,
    Stage,
    accept,
    accepted,
    accepted_run,
    ballot,
    chosen,
    chosen_at,
    prepare,
    promise,
    run,
    sent,
    sent_to,
    tweet,
)

TOP: Final = 7
PEERS: Final = (BOB, CAROL, DAVE, ERIN)


def flying(count: int = TOP) -> tuple[Stage, Ballot]:
    """One of five sites leads; so many entries of bob's are in flight, in one run from slot 1 on."""
    stage, number = leading(5)
    effects = stage.hear(BOB, HandOn(tuple(tweet(BOB, at) for at in range(1, count + 1)), False))
    assert [message.run for message in sent_to(effects, CAROL, Accept)] == [run(1, *bobs(1, count))]
    return stage, number


def bobs(first: int, last: int) -> list[Entry]:
    return [tweet(BOB, number) for number in range(first, last + 1)]


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    first = draw(st.integers(1, TOP))
    return first, draw(st.integers(first, TOP))


# Accept rounds


def test_b3_a_flight_that_different_sites_accept_in_parts_is_chosen_where_a_majority_accepted() -> None:
    """Of five, two others are needed: bob and carol have 3 in common, carol and dave 5 and 6."""
    stage, number = flying()
    stage.hear(BOB, accepted(number, 1, 2, 3))
    effects = stage.hear(CAROL, accepted(number, 3, 4, 5, 6))
    assert stage.store.log == {3: tweet(BOB, 3)}
    assert sent_to(effects, ERIN, Chosen) == [chosen(3, tweet(BOB, 3), at=number)]
    effects = stage.hear(DAVE, accepted(number, 5, 6, 7))
    assert sorted(stage.store.log) == [3, 5, 6]
    assert stage.replica.prefix == 0
    stage.hear(DAVE, accepted(number, 1, 2, 4))
    assert stage.replica.prefix == 6


@given(st.lists(st.tuples(st.sampled_from(PEERS), spans()), max_size=14))
@settings(max_examples=60)
def test_b3_whoever_accepts_what_in_whatever_order_each_slot_is_chosen_by_its_own_majority(
    heard: list[tuple[SiteId, tuple[int, int]]],
) -> None:
    stage, number = flying()
    by: dict[int, set[SiteId]] = defaultdict(lambda: {ALICE})
    for sender, (first, last) in heard:
        before = {slot for slot, sites in by.items() if len(sites) >= 3}
        effects = stage.hear(sender, accepted(number, *range(first, last + 1)))
        for slot in range(first, last + 1):
            if slot not in before:
                by[slot].add(sender)
        now = {slot for slot, sites in by.items() if len(sites) >= 3}
        assert stage.store.log == {slot: tweet(BOB, slot) for slot in now}
        for peer in PEERS:
            told = sent_to(effects, peer, Chosen)
            assert {slot for each in told for slot in slots_of(each.first, each.last)} == now - before
            for each in told:
                for slot in slots_of(each.first, each.last):
                    assert bool(each.entries) == (peer not in by[slot]), "R0: who accepted it needs the ballot alone"


def test_r0_a_run_that_is_chosen_is_told_as_one() -> None:
    stage, number = flying()
    stage.hear(BOB, accepted(number, *range(1, 8)))
    effects = stage.hear(CAROL, accepted(number, *range(1, 8)))
    for peer in (BOB, CAROL):
        assert sent_to(effects, peer, Chosen) == [chosen_at(number, 1, 7)]
    for peer in (DAVE, ERIN):
        assert sent_to(effects, peer, Chosen) == [chosen(1, *bobs(1, 7), at=number)]


def test_l3_what_of_a_flight_is_not_answered_is_said_again_to_those_who_did_not() -> None:
    stage, number = flying()
    stage.hear(BOB, accepted(number, 1, 2, 3))
    effects = stage.wait(stage.settings.timings.retransmit)
    assert [(slot, entry) for _, slot, entry in proposed(effects, BOB)] == list(enumerate(bobs(4, 7), 4))
    for peer in (CAROL, DAVE, ERIN):
        assert [(slot, entry) for _, slot, entry in proposed(effects, peer)] == list(enumerate(bobs(1, 7), 1))


def test_a5_of_a_flight_that_is_partly_refused_that_part_is_settled_by_synods_begun_together() -> None:
    """Two of five refuse slots 3 and 4 for another's promise there; a third ends their majority."""
    stage, number = flying()
    span = RefusedSpan(Slot(3), Slot(4), ballot(40, CAROL), Cause.SLOT)
    for peer in (BOB, CAROL):
        effects = stage.hear(peer, Refused(number, "accept", (span,)), accepted(number, 1, 2, 5, 6, 7))
        assert not slot_prepares(effects)
    assert sorted(stage.store.log) == [1, 2, 5, 6, 7]
    effects = stage.hear(DAVE, Refused(number, "accept", (span,)))
    again = ballot(41, ALICE)
    assert range_prepares(effects) == [Prepare(again, Slot(3), Slot(4))]
    assert "steps down" not in phases(effects)
    for peer in (BOB, DAVE):
        effects = stage.hear(peer, promise(again, 4))
    assert proposed(effects) == [(again, 4, tweet(BOB, 4))], "what it had in flight there"


def test_a5_of_a_flight_that_several_refuse_in_parts_what_too_few_may_accept_alone_is_settled_by_synods() -> None:
    """Slot 4 alone is refused by three of five."""
    stage, number = flying()
    for peer, first, last in ((BOB, 1, 4), (CAROL, 3, 5), (DAVE, 4, 7)):
        span = RefusedSpan(Slot(first), Slot(last), ballot(40, CAROL), Cause.SLOT)
        effects = stage.hear(peer, Refused(number, "accept", (span,)))
    assert slot_prepares(effects) == [prepare(ballot(41, ALICE), 4)]
    assert [slot for slot in range(1, 8) if stage.replica.attempt(Slot(slot))] == [1, 2, 3, 4, 5, 6, 7]


# Taking over


def test_b2_of_runs_that_overlap_each_slot_goes_on_with_the_entry_of_its_highest_ballot() -> None:
    stage = elected(5)
    stage.hear(DAVE, prepare(ballot(30, DAVE), 99))  # its rounds are above these
    number, _ = standing(stage)
    low, high = ballot(4, BOB), ballot(5, CAROL)
    carols = [tweet(CAROL, at) for at in (1, 2)]
    stage.hear(BOB, Promise(number, Slot(1), None, (accepted_run(1, low, *bobs(1, 5)),), (), ()))
    effects = stage.hear(CAROL, Promise(number, Slot(1), None, (accepted_run(3, high, *carols),), (), ()))
    whole = [tweet(BOB, 1), tweet(BOB, 2), *carols, tweet(BOB, 5)]
    assert [(slot, entry) for _, slot, entry in proposed(effects)] == list(enumerate(whole, 1))


RUNS: Final = st.builds(
    lambda span, number: AcceptedRun(
        Slot(span[0]),
        number,
        tuple(tweet(number.site, 10 * slot + number.round) for slot in range(span[0], span[1] + 1)),
    ),
    spans(),
    st.builds(ballot, st.integers(0, 3), st.sampled_from(SITES[:3])),
)


@given(st.dictionaries(st.sampled_from([BOB, CAROL]), st.lists(RUNS, max_size=4), min_size=2))
@settings(max_examples=60)
def test_b2_l3_whatever_the_promises_hold_no_accepted_entry_is_lost_and_gaps_become_no_ops(
    held: dict[SiteId, list[AcceptedRun]],
) -> None:
    stage = elected(5)
    stage.hear(DAVE, prepare(ballot(30, DAVE), 99))
    number, _ = standing(stage)
    highest: dict[int, tuple[Ballot, Entry]] = {}
    for site in (BOB, CAROL):
        reports = []  # a site accepted one entry in a slot: of what overlaps, the first
        taken: set[int] = set()
        for report in held[site]:
            slots = set(slots_of(report.first, report.last))
            if taken.isdisjoint(slots):
                reports.append(report)
                taken |= slots
        for report in reports:
            for slot, entry in report.run:
                if slot not in highest or report.ballot > highest[slot][0]:
                    highest[slot] = (report.ballot, entry)
        reports.sort(key=lambda report: report.first)
        effects = stage.hear(site, Promise(number, Slot(1), None, tuple(reports), (), ()))
    expected = {slot: highest[slot][1] if slot in highest else NOOP for slot in range(1, max(highest, default=0) + 1)}
    assert {slot: entry for _, slot, entry in proposed(effects)} == expected


def test_a4_slots_that_a_promise_leaves_out_have_synods_begun_together_where_too_few_promised() -> None:
    stage = elected()
    number, _ = standing(stage)
    out = RefusedSpan(Slot(2), Slot(3), ballot(40, CAROL), Cause.SLOT)
    effects = stage.hear(
        BOB, Promise(number, Slot(1), None, (accepted_run(1, ballot(1, BOB), *bobs(1, 4)),), (), (out,))
    )
    assert phases(effects)[0] == "leads"
    assert [slot for _, slot, _ in proposed(effects)] == [1, 4]
    assert [(message.first, message.last) for message in range_prepares(effects)] == [(2, 3)]


def test_a4_m4_a_whole_window_that_too_few_promised_costs_one_prepare_and_is_settled() -> None:
    """Bob votes only after it (M4), so alice lacks a majority there until carol speaks."""
    stage = elected()
    number, _ = standing(stage)
    last = Slot(CHANGE_LAG - 1)
    out = RefusedSpan(Slot(1), last, None, Cause.NOT_VOTING)
    stage.hear(BOB, Promise(number, Slot(1), None, (), (), (out,)))
    stage.hear(CAROL, accepted(ballot(0, CAROL), last))
    effects = among_all(stage, stage.settings.timings.retransmit)
    asked = sent_to(effects, CAROL, Prepare)
    assert {(message.first, message.last) for message in asked} == {(1, last)}
    synod = asked[0].ballot
    effects = stage.hear(CAROL, Promise(synod, Slot(1), last, (), (), ()))
    assert sum(len(message.run.entries) for message in sent_to(effects, CAROL, Accept)) == last
    stage.hear(CAROL, accepted(synod, *range(1, CHANGE_LAG)))
    assert stage.replica.prefix == last


@pytest.mark.parametrize("last", [None, NUMBER_MAX, WINDOW_SLOTS + 1])
def test_r6_slots_absurdly_far_in_a_promise_cost_nothing_and_no_majority(last: int | None) -> None:
    """Nobody votes there, so the promise is none."""
    absurd = None if last is None else Slot(last)
    stage = elected()
    number, _ = standing(stage)
    out = RefusedSpan(Slot(2), absurd, ballot(40, CAROL), Cause.SLOT)
    assert not stage.hear(BOB, Promise(number, Slot(1), None, (), (), (out,))).sends
    far = accepted_run(last or NUMBER_MAX, ballot(1, BOB), tweet(BOB, 1))
    assert not stage.hear(CAROL, Promise(number, Slot(1), None, (far,), (), ())).sends
    assert stage.replica.view(0).leader is None
    assert phases(stage.hear(CAROL, Promise(number, Slot(1), None, (), (), ()))) == ["leads"]


def test_l3_a_run_in_flight_that_is_learned_otherwise_in_the_midst_goes_on_around_that() -> None:
    stage, number = flying()
    stage.hear(CAROL, chosen(3, NOOP, NOOP))
    stage.hear(BOB, accepted(number, *range(1, 8)))
    effects = stage.hear(CAROL, accepted(number, *range(1, 8)))
    assert sent(effects, Chosen)
    learned = stage.store.log
    assert [learned[Slot(slot)] for slot in range(1, 8)] == [*bobs(1, 2), NOOP, NOOP, *bobs(5, 7)]
    assert stage.store.last_in_effect == {BOB: 2}, "what follows the lost ones is void (E5)"


def test_l3_a_site_that_follows_takes_part_of_a_run_that_it_has_already() -> None:
    """An accept of a dead leader's and one of a new leader's overlap, and both are answered slot by slot."""
    stage = Stage(3).vote()
    stage.hear(BOB, accept(ballot(3, BOB), 1, *bobs(1, 6)))
    stage.hear(CAROL, Prepare(ballot(4, CAROL), Slot(4), None))
    effects = stage.hear(CAROL, accept(ballot(4, CAROL), 4, *bobs(4, 6), NOOP))
    assert sent(effects, Chosen) == []
    assert [stage.replica.vote(Slot(slot)).accepted for slot in (3, 4, 7)] == [
        ballot(3, BOB), ballot(4, CAROL), ballot(4, CAROL)
    ]  # fmt: skip


# Beside the commit


def beside(effects: Effects) -> list[Message]:
    return [send.message for send in effects.sends if send.beside]


def test_l3_what_promises_held_is_proposed_beside_the_commit_too() -> None:
    stage = elected()
    number, _ = standing(stage)
    effects = stage.hear(BOB, Promise(number, Slot(1), None, (accepted_run(2, ballot(1, BOB), *bobs(1, 3)),), (), ()))
    assert [message for _, message in sent(effects, Accept)] == beside(effects) != []


def test_l3_e2_an_event_that_the_disk_calls_queued_waits_for_the_commit_that_says_otherwise() -> None:
    """A crash between the two would leave it queued there, and it would be said to be not created."""
    stage = elected()
    stage.submit(1, "while nobody leads")
    assert stage.store.events[1].state is EventState.QUEUED
    number, first = standing(stage)
    effects = stage.hear(BOB, Promise(number, first, None, (), (), ()))
    assert [message.run.entries[0].author for _, message in sent(effects, Accept)] == [ALICE, ALICE]
    assert not beside(effects)
    assert len(beside(stage.submit(2, "then"))) == 2


def test_l3_a_synods_messages_an_acceptors_and_what_is_handed_on_wait_for_the_commit() -> None:
    """Ballot 0 as well: whatever it says, this commit makes true."""
    synod = Stage().ready()
    effects = synod.submit(1)
    effects.extend(synod.hear(BOB, promise(ballot(1, ALICE), 1)))
    effects.extend(synod.hear(BOB, accepted(ballot(1, ALICE), 1), prepare(ballot(7, BOB), 2)))
    effects.extend(synod.hear(BOB, accept(ballot(7, BOB), 2, tweet(BOB, 1))))
    author = Stage(settings=Settings(ALICE, SITES[:3], Leadership.LAST_AUTHOR)).ready()
    author.hear(BOB, chosen(1, tweet(ALICE, 1)))
    at_zero = author.submit(1)
    assert {message.ballot for _, message in sent(at_zero, Accept)} == {ballot(0, ALICE)}
    follower = led(ballot(3, BOB)).submit(1)
    assert sent(follower, HandOn)
    for each in (effects, at_zero, follower):
        assert each.sends
        assert not beside(each)
