"""`leadership: elected` (L3): events go to the leader, in order, until they are settled; their outcomes are true."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from engine.core.effects import Effects, SawOutcome
from engine.core.entry import Entry, Stamped, Withdrawal, encode
from engine.core.ids import Slot
from engine.core.leading.forwarder import AGAIN_MAX
from engine.core.messages import Ask, AskHighest, HandOn, Hello, Prepare, Verdict, Welcome
from engine.core.storage import EventState, WriteEvents
from tests.core.led import (
    BEAT,
    among,
    beat_of,
    elected,
    handed,
    leading,
    led,
    outcomes,
    proposed,
    settle,
    slot_prepares,
)
from tests.core.stage import ALICE, BOB, CAROL, Stage, accept, ballot, chosen, sent, sent_to, told, tweet, written

THREE = ballot(3, BOB)
FOUR = ballot(4, CAROL)
ONE, TWO, THIRD = (tweet(ALICE, number, text=text) for number, text in enumerate(("one", "two", "three"), start=1))


def withdrawal(number: int, follows: int) -> Entry:
    return Entry(ALICE, number, follows, encode(Stamped(Withdrawal(), 1_000)))


def follows_bob(stage: Stage, ticks: int) -> Effects:
    """Time passes under bob, who leads."""
    return among(stage, lambda: [(BOB, beat_of(stage, leads=THREE)), (CAROL, beat_of(stage))], ticks)


def entries(effects: Effects) -> list[Entry]:
    """What was handed on, in the order in which it left."""
    return [entry for _, page in handed(effects) for entry in page]


# Handing on


def test_l3_events_go_to_the_leader_each_naming_the_one_before_it() -> None:
    stage = led(THREE)
    effects = stage.submit(1, "one")
    effects.extend(stage.submit(2, "two"))
    effects.extend(stage.submit(3, "three"))
    assert handed(effects) == [(BOB, [ONE]), (BOB, [TWO]), (BOB, [THIRD])]
    assert not sent(effects, Prepare)


def test_d1_an_event_is_durable_and_known_to_have_left_before_it_leaves() -> None:
    effects = led(THREE).submit(1, "one")
    assert handed(effects)
    row = written(effects, WriteEvents)[-1].events
    assert (row.first, row.state, row.slot) == (1, EventState.PROPOSED, None)


def test_l3_while_no_leader_is_heard_events_wait_and_then_all_leave_in_order() -> None:
    stage = elected()
    effects = stage.submit(1, "one")
    effects.extend(stage.submit(2, "two"))
    assert not entries(effects)
    assert entries(stage.hear(BOB, beat_of(stage, leads=THREE))) == [ONE, TWO]


def test_l3_a_leader_that_is_not_heard_is_reached_through_a_peer_that_hears_it() -> None:
    stage = elected()
    stage.submit(1, "one")
    assert handed(stage.hear(CAROL, beat_of(stage, hears=THREE))) == [(CAROL, [ONE])]
    assert handed(stage.hear(BOB, beat_of(stage, leads=THREE))) == [(BOB, [ONE])], "it is heard itself now"


def test_l3_what_a_peer_hands_on_is_passed_to_the_leader_one_hop_and_no_further() -> None:
    stage = led(THREE)
    first = HandOn((tweet(CAROL, 1),), False)
    ((to, message),) = sent(stage.hear(CAROL, first), HandOn)
    assert (to, message) == (BOB, HandOn((tweet(CAROL, 1),), True))
    assert not sent(stage.hear(CAROL, message), HandOn)


def test_l3_who_follows_through_a_peer_passes_nothing_on() -> None:
    stage = elected()
    stage.hear(CAROL, beat_of(stage, hears=THREE))
    assert not stage.hear(CAROL, HandOn((tweet(CAROL, 1),), False)).sends


def test_l3_what_is_not_settled_is_handed_on_again_from_the_start_after_growing_times() -> None:
    stage = led(THREE)
    stage.submit(1, "one", timeout=60_000)
    stage.submit(2, "two", timeout=60_000)
    left_at: list[int] = []
    while len(left_at) < 6:
        effects = follows_bob(stage, 20)
        if handed(effects):
            assert handed(effects) == [(BOB, [ONE, TWO])]
            left_at.append(stage.now)
    waits = [after - before for before, after in pairwise(left_at)]
    assert all(before <= after + 40 for before, after in pairwise(waits))
    assert waits[0] < waits[-1] <= 2_000 + 40


def test_l3_a_new_leader_is_handed_all_that_is_not_settled_at_once() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    stage.submit(2, "two")
    assert handed(stage.hear(CAROL, beat_of(stage, leads=FOUR))) == [(CAROL, [ONE, TWO])]


def test_e5_the_chain_begins_at_the_last_number_in_effect() -> None:
    """The first event took effect, the second is void as it was chosen out of turn: it is handed on anew."""
    stage = led(THREE)
    stage.submit(1, "one")
    stage.submit(2, "two")
    stage.hear(BOB, chosen(1, TWO))
    effects = stage.hear(BOB, chosen(2, ONE))
    assert outcomes(effects) == [(1, EventState.CREATED, 2)]
    assert entries(stage.hear(CAROL, beat_of(stage, leads=FOUR))) == [TWO]


def test_l3_so_many_are_handed_on_again_at_a_time() -> None:
    stage = led(THREE)
    for token in range(1, AGAIN_MAX + 50):
        stage.submit(token, "t")
    again: list[Entry] = []
    while not again:
        again = entries(follows_bob(stage, BEAT // 2))
    assert [entry.number for entry in again[:AGAIN_MAX]] == list(range(1, AGAIN_MAX + 1))
    assert len(again) <= AGAIN_MAX


def test_l3_who_waits_for_an_event_asks_how_far_the_log_goes_when_a_peer_claims_more() -> None:
    """Carol passes its events to a leader that it does not hear, and no word of what is chosen comes back."""
    stage = led(THREE)
    stage.submit(1, "one")
    nothing_used = among(stage, lambda: [(CAROL, beat_of(stage, hears=THREE))], 1_000)
    assert handed(nothing_used)
    assert not sent(nothing_used, AskHighest)
    accepted = replace(beat_of(stage, hears=THREE, used_max=1), prefix=Slot(0))
    effects = among(stage, lambda: [(CAROL, accepted)], 2_000)
    assert CAROL in {to for to, _ in sent(effects, AskHighest)}


def test_l3_an_event_that_is_settled_is_not_handed_on_again() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    assert outcomes(stage.hear(BOB, chosen(1, ONE))) == [(1, EventState.CREATED, 1)]
    assert not entries(follows_bob(stage, 10_000))
    assert not entries(stage.hear(CAROL, beat_of(stage, leads=FOUR)))


# Outcomes are as true as in `none` (E2)


def test_e2_created_waits_for_the_prefix() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    assert outcomes(stage.hear(BOB, chosen(2, ONE))) == []
    assert outcomes(stage.hear(BOB, chosen(1, tweet(BOB, 1)))) == [(1, EventState.CREATED, 2)]


def test_e2_an_event_that_never_left_is_not_created_and_says_why() -> None:
    stage = elected()
    stage.submit(1, "one", timeout=2_000)
    effects = among(stage, lambda: [(CAROL, beat_of(stage, deaf=True)), (BOB, beat_of(stage, deaf=True))], 2_500)
    (saw,) = told(effects, SawOutcome)
    assert saw.outcome is EventState.NOT_CREATED
    assert saw.reason == "no leader is heard; 3 of 3 reachable, 2 needed"
    assert not entries(stage.hear(BOB, beat_of(stage, leads=THREE))), "nothing of it leaves later"


def test_e2_an_event_that_may_have_left_is_unknown_and_its_withdrawal_goes_on_in_its_place() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    (saw,) = told(stage.give_up(1), SawOutcome)
    assert (saw.outcome, saw.reason is not None and saw.reason.endswith("is being withdrawn")) == (
        EventState.UNKNOWN,
        True,
    )
    assert set(entries(follows_bob(stage, 3_000))) == {withdrawal(1, 0)}
    assert stage.replica.view(0).unknown == 1
    effects = stage.hear(BOB, chosen(1, withdrawal(1, 0)))
    assert outcomes(effects) == [(1, EventState.NOT_CREATED, 1)]
    assert stage.replica.view(0).unknown == 0


def test_e4_an_event_that_is_chosen_above_a_gap_is_told_where_it_is_and_what_it_waits_for() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    stage.submit(2, "two")
    stage.hear(BOB, chosen(2, ONE), chosen(3, TWO))
    for token, slot in ((1, 2), (2, 3)):
        (saw,) = told(stage.give_up(token), SawOutcome)
        assert (saw.outcome, saw.slot, saw.waits_for) == (EventState.UNKNOWN, slot, 1)
        assert (
            saw.reason
            == f"given up by the client that submitted it; chosen at slot {slot}; takes effect once slot 1 is settled"
        )
    assert outcomes(stage.hear(BOB, chosen(1, tweet(BOB, 1)))) == [
        (1, EventState.CREATED, 2),
        (2, EventState.CREATED, 3),
    ]


def test_e4_where_time_passes_it_is_the_whole_reason() -> None:
    stage = led(THREE)
    stage.submit(1, "one", timeout=2_000)
    stage.hear(BOB, chosen(2, ONE))
    (saw,) = told(follows_bob(stage, 2_500), SawOutcome)
    assert saw.reason == "chosen at slot 2; takes effect once slot 1 is settled"


def test_e5_what_may_turn_out_void_is_not_said_to_take_effect() -> None:
    """Alice has learned her second event, and not whether the first, which it follows, stands below it."""
    stage = led(THREE)
    stage.submit(1, "one")
    stage.submit(2, "two")
    stage.hear(BOB, chosen(2, TWO))
    (saw,) = told(stage.give_up(2), SawOutcome)
    said = "chosen at slot 2; whether it takes effect is known once slot 1 is settled"
    assert saw.reason is not None
    assert saw.reason.endswith(said)


def test_e2_an_event_that_the_leader_proposes_is_told_at_which_slot() -> None:
    """Nobody has answered for slot 1, which is the leader's own; slot 2 waits for it too."""
    stage, _ = leading()
    stage.submit(1, "one", timeout=2_000)
    stage.submit(2, "two", timeout=2_000)
    first, second = told(among(stage, lambda: [(BOB, beat_of(stage)), (CAROL, beat_of(stage))], 2_500), SawOutcome)
    assert (first.outcome, first.slot, first.waits_for) == (EventState.UNKNOWN, 1, None)
    assert first.reason == "accepted at slot 1, not chosen yet; 3 of 3 reachable, 2 needed"
    assert (second.slot, second.reason) == (
        2,
        "waits for alice/1, whose outcome is not known yet; accepted at slot 2, not chosen yet;"
        " slot 1 before it is not settled yet; 3 of 3 reachable, 2 needed",
    )


def test_outcomes_tell_the_engines_own_time() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    stage.submit(2, "two")
    stage.wait(7)
    (created,) = told(stage.hear(BOB, chosen(1, ONE)), SawOutcome)
    assert created.took_ms == 7
    stage.wait(2)
    (given_up,) = told(stage.give_up(2), SawOutcome)
    assert (given_up.outcome, given_up.took_ms) == (EventState.UNKNOWN, 9)
    (settled,) = told(stage.hear(BOB, chosen(2, TWO)), SawOutcome)
    assert settled.took_ms == 9


def test_e2_a_withdrawn_event_that_took_effect_first_is_created() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    stage.give_up(1)
    assert outcomes(stage.hear(BOB, chosen(1, ONE))) == [(1, EventState.CREATED, 1)]
    assert outcomes(stage.hear(BOB, chosen(2, withdrawal(1, 0)))) == [], "void: the number is taken"


def test_e2_not_created_is_never_taken_back() -> None:
    """The event itself comes into the log after its withdrawal: void."""
    stage = led(THREE)
    stage.submit(1, "one")
    stage.give_up(1)
    stage.hear(BOB, chosen(1, withdrawal(1, 0)))
    effects = stage.hear(BOB, chosen(2, ONE))
    effects.extend(follows_bob(stage, 5_000))
    assert outcomes(effects) == []
    assert stage.store.events[1].state is EventState.NOT_CREATED


def test_e2_an_event_chosen_out_of_turn_is_not_said_to_be_anything_before_a_number_took_effect() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    stage.submit(2, "two")
    effects = stage.hear(BOB, chosen(1, TWO))
    assert outcomes(effects) == []
    assert stage.store.prefix == 1


def test_e2_a_later_number_in_effect_settles_those_before_it() -> None:
    """Event 1 was left out: it can never take effect any more."""
    stage = led(THREE)
    stage.submit(1, "one")
    stage.submit(2, "two")
    effects = stage.hear(BOB, chosen(1, tweet(ALICE, 2, follows=0, text="two")))
    assert outcomes(effects) == [(1, EventState.NOT_CREATED, 1), (2, EventState.CREATED, 1)]


def test_e2_after_a_restart_what_was_handed_on_is_unknown_withdrawn_and_settled_without_being_asked() -> None:
    stage = led(THREE)
    stage.submit(1, "one")
    again = stage.restarted()
    (saw,) = told(again.start(), SawOutcome)
    assert (saw.outcome, saw.token) == (EventState.UNKNOWN, None)
    two = tweet(ALICE, stage.store.number_max + 1, follows=1, text="two")
    again = stage.restarted().vote()
    again.answer_scan(again.tick())
    again.submit(2, "two")
    effects = again.hear(BOB, beat_of(again, leads=THREE))
    assert set(entries(effects)) == {withdrawal(1, 0), two}
    effects = again.hear(BOB, chosen(1, withdrawal(1, 0)), chosen(2, two))
    assert outcomes(effects) == [(None, EventState.NOT_CREATED, 1), (2, EventState.CREATED, 2)]


def test_e2_d5_who_lost_its_disk_has_what_it_handed_on_withdrawn_and_hands_on_nothing_else() -> None:
    """It never votes again, and gives out no number; the leader does the rest."""
    stage = led(THREE)
    stage.submit(1, "one")
    again = stage.restarted()
    hellos = again.start()
    (hello,) = sent_to(hellos, CAROL, Hello)
    again.welcome([BOB], hellos)
    lost = again.hear(CAROL, Welcome(hello.nonce, Verdict.LOST_DISK, None, "an old copy was put back"))
    assert not again.replica.view(0).voting
    lost.extend(again.submit(2, "two"))
    assert outcomes(lost) == [(2, EventState.NOT_CREATED, None)]
    effects = follows_bob(again, 3_000)
    assert set(entries(effects)) == {withdrawal(1, 0)}
    assert outcomes(again.hear(BOB, chosen(1, withdrawal(1, 0)))) == [(None, EventState.NOT_CREATED, 1)]
    assert not entries(follows_bob(again, 3_000))


def test_e2_d5_what_waits_when_the_disk_turns_out_to_be_lost_is_told_at_once() -> None:
    before = led(THREE)
    number = before.store.number_max + 1
    stage = before.restarted()
    greetings = stage.start()
    stage.welcome([BOB], greetings)
    stage.answer_scan(stage.tick())
    stage.hear(BOB, beat_of(stage, leads=THREE))
    assert entries(stage.submit(1, "one")) == [tweet(ALICE, number, follows=0, text="one")]
    (hello,) = sent_to(greetings, CAROL, Hello)
    effects = stage.hear(CAROL, Welcome(hello.nonce, Verdict.LOST_DISK, None, "an old copy was put back"))
    assert outcomes(effects) == [(1, EventState.UNKNOWN, None)]
    assert set(entries(follows_bob(stage, 3_000))) == {withdrawal(number, 0)}


@pytest.mark.parametrize("retry", [False, True])
def test_e1_a_retried_event_is_handed_on_under_its_one_number_and_takes_effect_once(retry: bool) -> None:
    stage = led(THREE)
    stage.submit(1, "one", retry=retry)
    effects = follows_bob(stage, 3_000)
    effects.extend(stage.hear(CAROL, beat_of(stage, leads=FOUR)))
    assert set(entries(effects)) == {ONE}
    effects = stage.hear(CAROL, chosen(1, ONE), chosen(2, ONE))
    assert outcomes(effects) == [(1, EventState.CREATED, 1)]
    assert stage.store.last_in_effect[ALICE] == 1


# At the leader


def test_e5_a_leader_proposes_what_continues_an_authors_chain_and_keeps_what_came_early() -> None:
    stage, number = leading()
    first, second, third = (tweet(BOB, n) for n in (1, 2, 3))
    assert proposed(stage.hear(BOB, HandOn((third,), False))) == []
    assert proposed(stage.hear(BOB, HandOn((second,), False))) == []
    effects = stage.hear(BOB, HandOn((first,), False))
    assert proposed(effects) == [(number, 1, first), (number, 2, second), (number, 3, third)]


def test_e1_what_is_handed_on_again_while_it_is_in_flight_is_not_proposed_again() -> None:
    stage, number = leading()
    chain = HandOn((tweet(BOB, 1), tweet(BOB, 2)), False)
    assert len(proposed(stage.hear(BOB, chain))) == 2
    assert not proposed(stage.hear(BOB, chain))
    assert not proposed(stage.hear(CAROL, HandOn(chain.entries, True)))
    settle(stage, number, 1, 2)
    assert not proposed(stage.hear(BOB, chain)), "nor after it took effect"


def test_l3_an_entry_that_lost_its_slot_is_proposed_again_when_its_author_hands_it_on_again() -> None:
    stage, number = leading()
    stage.hear(BOB, HandOn((tweet(BOB, 1),), False))
    stage.hear(CAROL, chosen(1, tweet(CAROL, 1)))
    assert proposed(stage.hear(BOB, HandOn((tweet(BOB, 1),), False))) == [(number, 2, tweet(BOB, 1))]


def test_l3_a_new_leader_goes_on_where_the_log_is_not_where_the_old_one_was() -> None:
    """Bob's first event took effect under another leader; his second continues it."""
    stage, number = leading()
    stage.hear(CAROL, chosen(1, tweet(BOB, 1)))
    assert proposed(stage.hear(BOB, HandOn((tweet(BOB, 1), tweet(BOB, 2)), False))) == [(number, 2, tweet(BOB, 2))]


# Filling


def with_a_hole(stage: Stage) -> Stage:
    """Slot 2 was accepted here, slot 1 is a hole."""
    stage.hear(CAROL, accept(ballot(1, CAROL), 2, tweet(CAROL, 1)))
    assert stage.replica.view(0).holes == (1, 2)
    return stage


def test_l3_while_a_leader_is_heard_others_ask_and_do_not_fill() -> None:
    stage = with_a_hole(led(THREE))
    effects = follows_bob(stage, 20_000)
    assert sent(effects, Ask)
    assert BOB in {to for to, _ in sent(effects, Ask)}, "the leader is asked"
    assert not sent(effects, Prepare)
    assert stage.replica.why_unsettled(Slot(1)) == ("bob leads and has not settled it yet; 3 of 3 reachable, 2 needed")


def test_l3_while_no_leader_is_heard_they_fill_themselves() -> None:
    effects = with_a_hole(elected()).live(20_000)
    assert {message.first for message in slot_prepares(effects)} == {Slot(1), Slot(2)}


def test_r3_what_keeps_a_hole_is_said() -> None:
    stage = with_a_hole(elected())
    assert stage.replica.why_unsettled(Slot(1)) == "no quorum: 1 of 3 reachable, 2 needed"
    among(stage, lambda: [(CAROL, beat_of(stage, deaf=True)), (BOB, beat_of(stage, deaf=True))], 2_000)
    assert stage.replica.why_unsettled(Slot(1)) == (
        "no leader is heard; the next leader settles it, or alice itself if none appears; 3 of 3 reachable, 2 needed"
    )
    stage.live(20_000)
    why = stage.replica.why_unsettled(Slot(1))
    assert why.startswith("asks for promises of ")
    assert why.endswith(".alice, to propose a no-op unless they report an entry; 3 of 3 reachable, 2 needed")
