"""Linearizable reads (R5): what was chosen before a read began is in what it shows, or it is said to be unconfirmed."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from engine.core.effects import Effects, SawAttempt, SawReadConfirmed, SawReadUnconfirmed
from engine.core.ids import NUMBER_MAX, Nonce, Slot
from engine.core.log.filler import FILLING_MAX
from engine.core.messages import Ask, AskHighest, Highest, Known, Prepare, Promise
from engine.core.settings import Leadership, Settings
from tests.core.bus import Bus
from tests.core.led import beat_of
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    MINUTE,
    SITES,
    Stage,
    accept,
    ballot,
    beat,
    chosen,
    new_store,
    sent,
    sent_to,
    told,
    tweet,
)

RETRANSMIT = 200


def question(effects: Effects) -> Nonce:
    """The nonce of the one question how far the log goes."""
    (nonce,) = {message.nonce for _, message in sent(effects, AskHighest)}
    return nonce


def highest(nonce: Nonce, used_max: int, prefix: int | None = None) -> Highest:
    return Highest(nonce, Slot(used_max), Slot(used_max if prefix is None else prefix))


def confirmed(effects: Effects) -> list[int]:
    return [saw.token for saw in told(effects, SawReadConfirmed)]


def reason(effects: Effects) -> str:
    (saw,) = told(effects, SawReadUnconfirmed)
    return saw.reason


# The bound


def test_r5_a_read_asks_all_a_question_of_its_own() -> None:
    stage = Stage(5).ready()
    first = stage.read(1)
    assert {site for site, _ in sent(first, AskHighest)} == {BOB, CAROL, DAVE, ERIN}
    for peer in (BOB, CAROL):
        stage.hear(peer, highest(question(first), 0))
    assert question(stage.read(2)) != question(first)


def test_r5_the_bound_is_that_of_a_majority_and_a_repeat_counts_once() -> None:
    """Bob alone is no majority with alice, however often he says it."""
    stage = Stage(5).ready()
    nonce = question(stage.read(1))
    for _ in range(3):
        assert not confirmed(stage.hear(BOB, highest(nonce, 0)))
    (saw,) = told(stage.hear(CAROL, highest(nonce, 0)), SawReadConfirmed)
    assert (saw.token, saw.bound, saw.voters) == (1, 0, (ALICE, BOB, CAROL))


def test_r5_the_bound_is_the_highest_that_the_majority_says() -> None:
    stage = Stage(5).ready()
    nonce = question(stage.read(1))
    stage.hear(BOB, highest(nonce, 2))
    assert not confirmed(stage.hear(CAROL, highest(nonce, 0)))
    assert not confirmed(stage.hear(BOB, chosen(1, tweet(BOB, 1))))
    (saw,) = told(stage.hear(BOB, chosen(2, tweet(BOB, 2))), SawReadConfirmed)
    assert saw.bound == 2


def test_r5_what_this_site_accepted_itself_bounds_too() -> None:
    """Carol and alice may have chosen it; bob, with whom alice is a majority, has not heard of it."""
    stage = Stage(3).ready()
    stage.hear(CAROL, accept(ballot(1, CAROL), 1, tweet(CAROL, 1)))
    nonce = question(stage.read(1))
    assert not confirmed(stage.hear(BOB, highest(nonce, 0)))
    assert confirmed(stage.hear(CAROL, chosen(1, tweet(CAROL, 1)))) == [1]


def test_w1_an_answer_to_a_question_of_before_does_not_count() -> None:
    """The scanner's question at the start was answered before the read began: what came since is not in it."""
    stage = Stage(3).vote()
    scan = question(stage.tick())
    nonce = question(stage.read(1))
    assert not confirmed(stage.hear(BOB, highest(scan, 0)))
    assert not confirmed(stage.hear(CAROL, highest(scan, 0)))
    assert confirmed(stage.hear(BOB, highest(nonce, 0))) == [1]


def test_d5_a_site_that_does_not_vote_yet_reads_and_does_not_count_itself() -> None:
    stage = Stage(3, store=new_store(ALICE))
    stage.welcome([BOB], stage.start())
    nonce = question(stage.read(1, timeout=1_000))
    stage.hear(BOB, highest(nonce, 0))
    assert reason(stage.wait(1_000)) == "1 of 3 answered, 2 needed"


def test_d5_a_site_counts_itself_once_it_votes() -> None:
    stage = Stage(3, store=new_store(ALICE))
    stage.welcome([BOB], stage.start())
    nonce = question(stage.read(1))
    stage.hear(BOB, highest(nonce, 0))
    assert not stage.replica.view(0).voting
    stage.welcome([CAROL], stage.wait(RETRANSMIT))
    assert stage.replica.view(0).voting
    assert confirmed(stage.wait(4 * RETRANSMIT)) == [1]


def test_d5_a_site_that_does_not_vote_answers_no_read() -> None:
    stage = Stage(3, store=new_store(ALICE))
    stage.welcome([BOB], stage.start())
    assert not sent(stage.hear(BOB, AskHighest(Nonce(7))), Highest)


def test_r5_a_cluster_of_one_site_asks_nobody() -> None:
    stage = Stage(1)
    stage.start()
    effects = stage.read(1)
    assert confirmed(effects) == [1]
    assert not effects.sends


def test_r5_a_leader_has_no_lease_and_asks_as_the_others_do() -> None:
    stage = Stage(settings=Settings(ALICE, SITES[:3], Leadership.ELECTED)).ready()
    effects = Effects()
    while not (asked := sent_to(effects, BOB, Prepare)):
        for peer in (BOB, CAROL):
            stage.hear(peer, beat_of(stage, reaches=False))
        effects = stage.wait(100)
    ballot_of_all, first = asked[0].ballot, asked[0].first
    leads = told(stage.hear(BOB, Promise(ballot_of_all, first, None, (), (), ())), SawAttempt)
    assert [saw.phase for saw in leads] == ["leads"]
    assert stage.replica.view(0).leader == ALICE
    nonce = question(stage.read(1))
    assert confirmed(stage.hear(BOB, highest(nonce, 0))) == [1]


# Several reads


def test_r5_a_read_does_not_share_a_question_that_was_asked_before_it_began() -> None:
    stage = Stage(3).ready()
    first = question(stage.read(1))
    assert not sent(stage.read(2), AskHighest), "one question at a time"
    effects = stage.hear(BOB, highest(first, 0))
    assert confirmed(effects) == [1]
    second = question(effects)
    assert not confirmed(stage.hear(CAROL, highest(first, 0)))
    assert confirmed(stage.hear(CAROL, highest(second, 0))) == [2]


def test_r5_reads_share_a_question_that_is_asked_later() -> None:
    """However many begin while a question is out, the next one is for all of them."""
    stage = Stage(3).ready()
    first = question(stage.read(1))
    for token in range(2, 100):
        assert not stage.read(token).sends
    second = question(stage.hear(BOB, highest(first, 0)))
    effects = stage.hear(BOB, highest(second, 0))
    assert confirmed(effects) == list(range(2, 100))
    assert not sent(effects, AskHighest)


def test_r5_a_question_whose_reads_were_given_up_makes_room_for_the_next() -> None:
    stage = Stage(3).ready()
    stage.read(1)
    stage.read(2)
    effects = stage.give_up(1)
    assert reason(effects) == "given up by the client that asked; 1 of 3 answered, 2 needed"
    assert confirmed(stage.hear(BOB, highest(question(effects), 0))) == [2]


def test_r5_those_who_have_not_answered_are_asked_again_less_and_less_often() -> None:
    stage = Stage(5).ready()
    nonce = question(stage.read(1))
    stage.hear(BOB, highest(nonce, 0))
    times = []
    while stage.now < 30_000:
        asked = [(site, message) for site, message in sent(stage.wait(10), AskHighest) if message.nonce == nonce]
        if asked:
            assert {site for site, _ in asked} == {CAROL, DAVE, ERIN}
            times.append(stage.now)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == stage.settings.timings.fill_every


def test_r5_a_read_that_begins_has_the_open_question_repeated_soon() -> None:
    stage = Stage(3).ready()
    nonce = question(stage.read(1))
    stage.wait(20_000)
    stage.read(2)
    assert nonce in {message.nonce for _, message in sent(stage.wait(RETRANSMIT), AskHighest)}


# What a read waits for


def test_r3_what_a_read_waits_for_is_asked_for_at_once() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, beat())
    nonce = question(stage.read(1))
    effects = stage.hear(BOB, highest(nonce, 3, prefix=0))
    assert [(site, message.spans) for site, message in sent(effects, Ask) if site == BOB] == [(BOB, ((1, 3),))]
    (asked,) = sent_to(effects, BOB, Ask)
    known = Known(asked.nonce, Slot(1), Slot(3), ())
    effects = stage.hear(BOB, known)
    for peer in (BOB, CAROL):
        effects.extend(stage.hear(peer, known))
    effects.extend(stage.wait(6 * RETRANSMIT))
    assert sent(effects, Prepare), "what nobody knows is settled long before the filler's next look"


def test_r5_much_is_copied_at_once() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, beat())
    nonce = question(stage.read(1))
    through = FILLING_MAX + 10
    effects = stage.hear(BOB, highest(nonce, through))
    assert [(site, message.spans) for site, message in sent(effects, Ask)] == [(BOB, ((1, through),))]
    for slot in range(1, through + 1):
        effects = stage.hear(BOB, chosen(slot, tweet(BOB, slot)))
    assert confirmed(effects) == [1]


def test_r5_reads_with_one_bound_ask_for_it_once() -> None:
    """A storm of reads is no storm of questions about the same holes."""
    stage = Stage(3).ready()
    stage.hear(BOB, beat())
    for token in range(1, 50):
        nonce = question(stage.read(token))
        effects = stage.hear(BOB, highest(nonce, 3, prefix=0))
        assert bool(sent(effects, Ask)) == (token == 1)
    assert confirmed(stage.hear(BOB, *(chosen(slot, tweet(BOB, slot)) for slot in (1, 2, 3)))) == list(range(1, 50))


def test_r5_what_was_copied_is_not_all_until_it_covers_the_bound() -> None:
    """The source has half of it: the rest is asked for again, while the read waits."""
    stage = Stage(3).ready()
    stage.hear(BOB, beat())
    nonce = question(stage.read(1))
    stage.hear(BOB, highest(nonce, 200, prefix=100))
    for slot in range(1, 101):
        stage.hear(BOB, chosen(slot, tweet(BOB, slot)))
    effects = stage.wait(4 * RETRANSMIT)
    assert {first for _, message in sent(effects, Ask) for first, _ in message.spans} & {101}
    assert not confirmed(effects)


def test_r5_the_moment_of_a_confirmation_is_when_its_question_was_asked() -> None:
    stage = Stage(3).ready()
    assert stage.replica.view(0).fresh_at is None
    stage.wait(70)
    nonce = question(stage.read(1))
    asked = stage.now
    stage.wait(150)
    (saw,) = told(stage.hear(BOB, highest(nonce, 0)), SawReadConfirmed)
    assert (saw.asked, saw.took_ms) == (asked, 150)
    assert stage.replica.view(0).fresh_at == asked


# Reads that end unconfirmed


def test_r5_without_a_majority_a_read_ends_when_its_time_has_passed_and_says_the_counts() -> None:
    stage = Stage(5).ready()
    nonce = question(stage.read(1, timeout=1_000))
    stage.hear(BOB, highest(nonce, 0))
    assert not told(stage.wait(999), SawReadUnconfirmed)
    (saw,) = told(stage.wait(1), SawReadUnconfirmed)
    assert (saw.token, saw.bound, saw.reason) == (1, None, "2 of 5 answered, 3 needed")
    assert not confirmed(stage.hear(CAROL, highest(nonce, 0)))
    assert stage.replica.view(0).fresh_at is None


def test_r5_a_read_that_is_over_asks_nothing_more() -> None:
    stage = Stage(3).ready()
    stage.read(1, timeout=500)
    stage.wait(500)
    assert not sent(stage.wait(5_000), AskHighest)
    stage.read(2, timeout=500)
    stage.give_up(2)
    assert not sent(stage.wait(5_000), AskHighest)


def test_r5_a_prefix_that_does_not_come_is_named() -> None:
    stage = Stage(3).ready()
    nonce = question(stage.read(1, timeout=300))
    stage.hear(BOB, highest(nonce, 3, prefix=0), chosen(1, tweet(BOB, 1)))
    (saw,) = told(stage.wait(300), SawReadUnconfirmed)
    assert (saw.bound, saw.reason) == (3, "slot 2 is not settled yet, and the log goes up to slot 3")
    assert (saw.answered, saw.missing) == (None, 2)


def test_r5_a_read_behind_an_open_question_says_so() -> None:
    stage = Stage(5).ready()
    stage.read(1)
    stage.read(2, timeout=100)
    assert (
        reason(stage.wait(100)) == "it waits behind an earlier read, which is still asking; 1 of 5 answered, 3 needed"
    )


def test_r6_an_absurd_bound_costs_a_question_now_and_then_and_no_hole() -> None:
    stage = Stage(3).ready()
    nonce = question(stage.read(1))
    stage.hear(BOB, highest(nonce, NUMBER_MAX))
    asked = 0
    while stage.now < 50_000:
        effects = stage.wait(100)
        for site, ask in sent(effects, Ask):
            stage.hear(site, Known(ask.nonce, *ask.spans[0], ()))
            asked += 1
    assert stage.replica.view(0).holes_count == 0
    assert asked < 100
    assert reason(stage.wait(MINUTE)) == f"slot 1 is not settled yet, and the log goes up to slot {NUMBER_MAX}"


# On a bus


@pytest.mark.parametrize("seed", range(8))
def test_r5_a_read_shows_what_was_acknowledged_anywhere_before_it_began(seed: int) -> None:
    """Packets twice and in any order; sites of a minority crash and come back in between."""
    bus = Bus(5, seed, copies=2)
    random = Random(seed)
    acknowledged: dict[int, Slot] = {}
    for number in range(40):
        bus.submit(random.choice(bus.up), f"event {number}", retry=True)
        for _ in range(random.randrange(200)):
            bus.deliver()
            if random.random() < 0.1:
                acknowledged[bus.read(random.choice(bus.up))] = bus.created_max
        if random.random() < 0.2:
            bus.restart(*sorted(bus.down))
            bus.crash(*random.sample(SITES, random.randrange(3)))
    bus.restart(*sorted(bus.down))
    bus.run(2 * MINUTE)
    assert len(bus.shown) > 100, "the others ended with the process that was asked"
    for token, prefix in bus.shown.items():
        assert prefix >= acknowledged[token]
