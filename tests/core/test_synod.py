"""Full synods over time, driven through one replica: B1, B3, B4, and what the proposer does with A5's refusals."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from engine.core.effects import Effects, SawAttempt, SawLearned
from engine.core.ids import Ballot, Round, Slot, Tick
from engine.core.messages import (
    Accept,
    Cause,
    Chosen,
    How,
    Phase,
    Prepare,
    Refused,
    RefusedSpan,
)
from engine.core.settings import BACKOFF_MAX
from engine.core.storage import EventState, WriteEvents, WriteRound, WriteVote
from engine.core.synod.proposer import RESEND_MAX
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    Stage,
    accept,
    accepted,
    already_chosen,
    ballot,
    chosen,
    chosen_at,
    prepare,
    promise,
    run,
    sent,
    sent_to,
    told,
    tweet,
    written,
)

HELLO = tweet(ALICE, 1, text="hello")


class Longest(Random):
    """Draws the longest wait each time."""

    def randint(self, a: int, b: int) -> int:
        del a
        return b


def asked(effects: Effects) -> Ballot:
    """The one ballot of the prepares in `effects`."""
    (number,) = {message.ballot for _, message in sent(effects, Prepare)}
    return number


def refuse(
    number: Ballot, by: Ballot | None, phase: Phase = "prepare", cause: Cause = Cause.SLOT, slot: int = 1
) -> Refused:
    return Refused(number, phase, (RefusedSpan(Slot(slot), Slot(slot), by, cause),))


# B1


def test_b1_a_ballots_round_is_written_in_the_step_that_first_sends_it() -> None:
    effects = Stage(5).ready().submit(1)
    assert sent(effects, Prepare) == [(site, prepare(ballot(1, ALICE), 1)) for site in (BOB, CAROL, DAVE, ERIN)]
    assert written(effects, WriteRound) == [WriteRound(Round(1))]


def test_b1_each_attempt_takes_a_new_round() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    for site in (BOB, CAROL, DAVE):
        stage.hear(site, refuse(number, ballot(1, BOB)))
    again = stage.wait(BACKOFF_MAX)
    assert asked(again) == ballot(2, ALICE)
    assert written(again, WriteRound) == [WriteRound(Round(2))]


def test_b1_the_round_goes_above_every_ballot_seen() -> None:
    stage = Stage(5).ready()
    stage.hear(BOB, prepare(ballot(7, BOB), 1))
    assert asked(stage.submit(1)) == ballot(8, ALICE)


def test_b1_a_round_is_never_resumed_after_a_restart() -> None:
    """Not even where nothing but the counter tells of it: its slot is learned, and nobody promised anything since."""
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    again = stage.restarted().vote()
    again.answer_scan(again.tick(), used_max=1)
    assert asked(again.submit(2)) > number


def test_b1_one_attempt_a_slot_at_a_time() -> None:
    """`fill` of a slot at which this site's own event is being proposed starts no second attempt there."""
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    for site in (BOB, CAROL):
        stage.hear(site, promise(number, 1))
    assert not sent(stage.fill(1), Prepare)
    ballots = {message.ballot for _, message in sent(stage.wait(5_000), Prepare)}
    assert not ballots, "it repeats its accept, and takes no other ballot"


# B3 and phase 2


def test_b2_the_entry_goes_to_all_once_a_majority_promised_and_its_own_vote_is_in_the_same_step() -> None:
    """D1: the acceptance of this site is durable with the accept that leaves; so is that the event is proposed."""
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    assert not sent(stage.hear(BOB, promise(number, 1)), Accept)
    effects = stage.hear(CAROL, promise(number, 1))
    assert sent(effects, Accept) == [(site, accept(number, 1, HELLO)) for site in (BOB, CAROL, DAVE, ERIN)]
    (vote,) = written(effects, WriteVote)
    assert (vote.vote.accepted, vote.vote.entry) == (number, HELLO)
    (event,) = written(effects, WriteEvents)
    assert (event.events.state, event.events.slot) == (EventState.PROPOSED, 1)


def test_b3_a_repeated_promise_makes_no_majority() -> None:
    """Trap: one site's promise counted twice."""
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    effects = stage.hear(BOB, *[promise(number, 1)] * 5)
    assert not sent(effects, Accept)
    assert stage.replica.vote(Slot(1)).accepted is None


def test_b3_promises_of_an_earlier_ballot_are_not_counted() -> None:
    """Trap: that bob and carol promised the first ballot, before higher ones, says nothing of the second."""
    stage = Stage(5, random=Longest()).ready()
    first = asked(stage.submit(1))
    for site in (CAROL, DAVE, ERIN):
        stage.hear(site, refuse(first, ballot(1, ERIN)))
    second = asked(stage.wait(BACKOFF_MAX))
    assert second > first
    assert not sent(stage.hear(BOB, promise(first, 1)), Accept)
    assert not sent(stage.hear(CAROL, promise(first, 1)), Accept)
    assert not sent(stage.hear(DAVE, promise(second, 1)), Accept)
    assert sent(stage.hear(BOB, promise(second, 1)), Accept)


def test_b3_acknowledgements_count_for_exactly_their_ballot_and_slots() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    stage.hear(BOB, promise(number, 1))
    stage.hear(CAROL, promise(number, 1))
    for site in (BOB, CAROL, DAVE, ERIN):
        stage.hear(site, accepted(number, 2, 3), accepted(ballot(1, BOB), 1), accepted(ballot(0, ALICE), 1))
    stage.hear(BOB, accepted(number, 1), accepted(number, 1), accepted(number, 1))
    assert stage.replica.prefix == 0, "alice and bob are two of five"
    effects = stage.hear(CAROL, accepted(number, 1))
    assert told(effects, SawLearned) == [
        SawLearned(run(1, HELLO), How.VOTES, number, ALICE, frozenset({ALICE, BOB, CAROL}))
    ]


def test_r0_those_who_accepted_are_told_the_ballot_alone_the_others_the_entry() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    stage.hear(BOB, promise(number, 1))
    stage.hear(CAROL, promise(number, 1))
    stage.hear(DAVE, accepted(number, 1))
    effects = stage.hear(CAROL, accepted(number, 1))
    said = dict(sent(effects, Chosen))
    alone, whole = chosen_at(number, 1), chosen(1, HELLO, at=number)
    assert said == {BOB: whole, CAROL: alone, DAVE: alone, ERIN: whole}


def test_b2_a_found_entry_is_adopted_and_completed() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    theirs = tweet(ERIN, 1)
    stage.hear(BOB, promise(number, 1, (ballot(0, ERIN), theirs)))
    effects = stage.hear(CAROL, promise(number, 1))
    assert [message.run for _, message in sent(effects, Accept)] == [run(1, theirs)] * 4
    (attempt,) = told(effects, SawAttempt)
    assert (attempt.phase, attempt.why) == ("adopting", "adopts erin's entry: bob had accepted it at 0.erin")
    assert not written(effects, WriteEvents), "its own event has not left this site"


def test_a_promise_that_says_chosen_ends_the_attempt() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    effects = stage.hear(BOB, already_chosen(number, 1, tweet(ERIN, 1)))
    assert told(effects, SawLearned) == [SawLearned(run(1, tweet(ERIN, 1)), How.KNOWN, None, BOB)]
    assert stage.replica.attempt(Slot(1)) is None


def test_an_attempt_ends_when_the_slot_is_learned_otherwise() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    stage.hear(ERIN, chosen(1, tweet(ERIN, 1)))
    for site in (BOB, CAROL, DAVE):
        assert not sent(stage.hear(site, promise(number, 1)), Accept)


# Repeats


def test_only_those_who_have_not_answered_are_asked_again_ever_more_rarely() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    stage.hear(BOB, promise(number, 1))
    times: list[Tick] = []
    for _ in range(60_000 // 100):
        repeats = sent(stage.wait(100), Prepare)
        assert {site for site, _ in repeats} <= {CAROL, DAVE, ERIN}
        times += [stage.now] * bool(repeats)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == RESEND_MAX


# B4 and A5


def defeated(effects: Effects) -> SawAttempt:
    (waiting,) = [saw for saw in told(effects, SawAttempt) if saw.phase == "waiting"]
    return waiting


def defeat(stage: Stage, number: Ballot, slot: int = 1) -> SawAttempt:
    """Two of three refuse: no majority is left."""
    stage.hear(BOB, refuse(number, ballot(number.round, BOB), slot=slot))
    return defeated(stage.hear(CAROL, refuse(number, ballot(number.round, CAROL), slot=slot)))


def test_b4_each_wait_grows_with_each_defeat_up_to_two_seconds_and_is_reset_by_a_decision() -> None:
    stage = Stage(3, random=Longest()).ready()
    number = asked(stage.submit(1, timeout=10**9))
    stage.submit(2, timeout=10**9)
    waits: list[int] = []
    for _ in range(12):
        waiting = defeat(stage, number)
        assert waiting.until is not None
        waits.append(waiting.until - stage.now)
        number = asked(stage.tick(waiting.until))
    assert waits == sorted(waits)
    assert waits[1] > waits[0]
    assert waits[-1] == BACKOFF_MAX == 2_000
    following = stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    waiting = defeat(stage, asked(following), slot=2)
    assert waiting.until == stage.now + waits[0]


def test_b4_waits_are_drawn_afresh() -> None:
    waits: set[int] = set()
    for seed in range(20):
        stage = Stage(3, random=Random(seed)).ready()
        waiting = defeat(stage, asked(stage.submit(1)))
        assert waiting.until is not None
        waits.add(waiting.until - stage.now)
    assert len(waits) > 10


def test_a5_a_defeated_proposer_goes_above_the_ballot_that_it_was_told() -> None:
    stage = Stage(3).ready()
    number = asked(stage.submit(1))
    for site in (BOB, CAROL):
        effects = stage.hear(site, refuse(number, ballot(41, CAROL), cause=Cause.RANGE))
    assert defeated(effects).why.startswith("refused: bob and carol promised 41.carol; waits ")
    assert asked(stage.wait(BACKOFF_MAX)) == ballot(42, ALICE)


def test_b4_one_refusal_of_five_is_no_defeat_while_a_majority_may_still_answer() -> None:
    stage = Stage(5).ready()
    number = asked(stage.submit(1))
    assert not told(stage.hear(BOB, refuse(number, ballot(1, BOB))), SawAttempt)
    stage.hear(CAROL, promise(number, 1))
    assert sent(stage.hear(DAVE, promise(number, 1)), Accept)


def test_b4_a_refusal_and_silence_are_a_defeat_in_the_end() -> None:
    """Bob refused and the others are down: the ballot can do nothing more when it would be repeated."""
    stage = Stage(3).ready()
    number = asked(stage.submit(1))
    stage.hear(BOB, refuse(number, ballot(5, BOB)))
    assert defeated(stage.wait(stage.settings.timings.retransmit)).phase == "waiting"


def test_a5_a_site_that_does_not_vote_is_missing_and_no_rival() -> None:
    stage = Stage(3).ready()
    number = asked(stage.submit(1))
    for site in (BOB, CAROL):
        stage.hear(site, refuse(number, None, cause=Cause.NOT_VOTING))
    effects = stage.wait(1_000)
    assert not [saw for saw in told(effects, SawAttempt) if saw.phase == "waiting"]
    assert asked(effects) == number
    assert sent_to(effects, BOB, Prepare)


def test_b3_a_refusal_counts_for_its_own_ballot_and_phase_only() -> None:
    stage = Stage(3).ready()
    number = asked(stage.submit(1))
    stage.hear(BOB, promise(number, 1))
    for site in (BOB, CAROL):
        stage.hear(site, refuse(number, ballot(3, CAROL)), refuse(ballot(9, ALICE), ballot(10, CAROL), "accept"))
    attempt = stage.replica.attempt(Slot(1))
    assert attempt is not None
    assert (attempt.phase, attempt.ballot) == ("accepting", number)


def test_a_defeat_in_the_second_phase_asks_for_promises_again() -> None:
    stage = Stage(3).ready()
    number = asked(stage.submit(1))
    stage.hear(BOB, promise(number, 1))
    stage.hear(BOB, refuse(number, ballot(3, CAROL), "accept"))
    effects = stage.hear(CAROL, refuse(number, ballot(3, CAROL), "accept"))
    assert defeated(effects)
    second = asked(stage.wait(BACKOFF_MAX))
    assert second > ballot(3, CAROL)
    effects = stage.hear(CAROL, promise(second, 1, (ballot(3, CAROL), tweet(CAROL, 1))))
    (adopted,) = sent_to(effects, CAROL, Accept)
    assert adopted.run == run(1, tweet(CAROL, 1))


def test_w2_refusals_that_name_no_ballot_are_no_defeat_and_no_crash() -> None:
    stage = Stage(3).ready()
    number = asked(stage.submit(1))
    for site in (BOB, CAROL):
        effects = stage.hear(site, refuse(number, None))
        assert not told(effects, SawAttempt)
    assert asked(stage.wait(1_000)) == number


def test_r6_an_absurd_round_in_a_refusal_does_not_use_up_the_rounds() -> None:
    """One such claim, believed and written, would leave this site without a ballot that others accept, for good."""
    stage = Stage(3).ready()
    stage.hear(BOB, refuse(ballot(1, BOB), ballot(2**53, BOB)))
    number = asked(stage.submit(1))
    assert number.round < 1_000
    stage.hear(BOB, promise(number, 1, (ballot(2**53, BOB), tweet(BOB, 1))))
    stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert asked(stage.submit(2)).round < 1_000
