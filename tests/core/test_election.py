"""The election's times (L3): how soon a leader's silence is noticed, and how long an election may take."""

from __future__ import annotations

from engine.core.ids import Tick
from engine.core.leading.election import TIMEOUT_BEATS
from engine.core.messages import Heartbeat
from engine.core.peers.heartbeats import LEADING_BEATS, UP_BEATS
from tests.core.led import (
    BEAT,
    LINK,
    TIMEOUT,
    among,
    among_all,
    beat_of,
    elected,
    leading,
    phases,
    range_prepares,
    range_promise,
    standing,
)
from tests.core.stage import BOB, CAROL, ballot, sent_to, tweet

SEVEN = ballot(7, BOB)


def test_a_silent_leader_is_replaced_within_two_election_timeouts() -> None:
    stage = elected()
    stage.hear(BOB, beat_of(stage, leads=SEVEN))
    stage.hear(CAROL, beat_of(stage))
    assert not range_prepares(stage.wait(TIMEOUT))
    stage.hear(CAROL, beat_of(stage))
    assert range_prepares(stage.wait(BEAT + 1))


def test_who_ceases_to_hear_the_leader_says_so_at_once() -> None:
    """Others may follow through it: they should not wait for its next beat."""
    stage = elected()
    stage.hear(BOB, beat_of(stage, leads=SEVEN))
    stage.hear(CAROL, beat_of(stage))
    before = sent_to(stage.wait(TIMEOUT), CAROL, Heartbeat)
    assert {beat.hears for beat in before} == {SEVEN}
    [said] = sent_to(stage.wait(1), CAROL, Heartbeat)
    assert said.hears is None


def test_l4_a_leader_that_beats_less_often_is_given_its_own_election_timeout() -> None:
    slow = Tick(10 * BEAT)
    stage = elected()
    stage.hear(BOB, beat_of(stage, leads=SEVEN, every=slow))
    among_carol = [(CAROL, beat_of(stage, hears=None))]
    effects = among(stage, lambda: among_carol, TIMEOUT_BEATS * slow)
    assert not range_prepares(effects)
    assert {beat.hears for beat in sent_to(effects, CAROL, Heartbeat)} == {SEVEN}
    assert range_prepares(among_all(stage, 3 * TIMEOUT)), "its silence is not borne for ever"


def test_l4_a_leader_goes_on_among_sites_that_beat_less_often() -> None:
    """They answer no more often than they beat, and are reached nevertheless."""
    stage, number = leading()
    slow = Tick(2 * LINK)
    for _ in range(3):
        for peer in (BOB, CAROL):
            stage.hear(peer, beat_of(stage, hears=number, every=slow))
        assert "steps down" not in phases(stage.wait(slow))
    assert "steps down" in phases(stage.wait(UP_BEATS * slow))


def test_a_leader_beats_twice_as_often() -> None:
    stage, number = leading()
    stage.wait(1)
    beats = sent_to(stage.wait(2 * BEAT), BOB, Heartbeat)
    assert len(beats) == 2 * LEADING_BEATS
    assert {beat.leads for beat in beats} == {number}


def test_an_election_goes_on_while_pages_come() -> None:
    """A dead leader may have left more in flight than is told in one election timeout (A4)."""
    stage = elected()
    number, first = standing(stage)
    for slot in range(first, first + 8):
        found = (slot, ballot(0, BOB), tweet(BOB, slot))
        assert "steps down" not in phases(among_all(stage, TIMEOUT // 2))
        stage.hear(BOB, range_promise(number, slot, slot, found=[found]))
    assert "steps down" not in phases(among_all(stage, TIMEOUT // 2))
    assert phases(stage.hear(BOB, range_promise(number, first + 8)))[0] == "leads"


def test_an_election_whose_pages_cease_is_given_up() -> None:
    stage = elected()
    number, first = standing(stage)
    stage.hear(BOB, range_promise(number, first, first, found=[(first, ballot(0, BOB), tweet(BOB, 1))]))
    assert "steps down" in phases(among_all(stage, TIMEOUT))


def test_b4_after_a_defeat_a_candidate_waits_for_promises_for_longer() -> None:
    """Nobody answers: each attempt goes on for twice as long as the one before, up to a bound."""
    stage = elected()
    lasted: list[int] = []
    while len(lasted) < 6:
        standing(stage)
        stood_at = stage.now
        while "steps down" not in phases(among_all(stage, BEAT // 2)):
            pass
        lasted.append(stage.now - stood_at)
    assert all(TIMEOUT * 2**count <= each + BEAT for count, each in enumerate(lasted[:4]))
    assert max(lasted) <= TIMEOUT * 8 + BEAT
