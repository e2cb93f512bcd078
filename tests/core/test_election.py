"""The election's times (L3): what a site hears of a leader, how long it waits, and what it says meanwhile."""

from __future__ import annotations

from random import Random
from typing import Final

from engine.core.election import TIMEOUT_BEATS
from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import Heartbeat, Prepare, Promise
from engine.core.peers import LEADING_BEATS
from engine.core.settings import Leadership, Settings
from tests.core.stage import ALICE, BOB, CAROL, SITES, Stage, ballot, sent_to

BEAT: Final = 500
TIMEOUT: Final = TIMEOUT_BEATS * BEAT
BOBS: Final = ballot(7, BOB)


def _stage(size: int = 3) -> Stage:
    """Votes and is ready, of a cluster with an elected leader; nobody leads yet."""
    stage = Stage(settings=Settings(ALICE, SITES[:size], Leadership.ELECTED), random=Random(1))
    stage.ready()
    return stage


def _says(stage: Stage, peer: SiteId, *, leads: bool = False, reaches: bool = True, hears: bool = False) -> None:
    """The peer's heartbeat, which echoes this site's newest."""
    claim = (BOBS if leads else None, reaches, BOBS if hears else None)
    stage.hear(peer, Heartbeat("elected", True, Slot(0), Slot(0), stage.now, Tick(stage.now), 0, *claim))


def _stood(stage: Stage, ticks: int) -> list[Prepare]:
    """The range prepares that left for Bob in this time."""
    return sent_to(stage.wait(ticks), BOB, Prepare)


def test_who_hears_a_leader_leaves_it_alone() -> None:
    stage = _stage()
    for _ in range(8):
        _says(stage, BOB, leads=True)
        _says(stage, CAROL)
        assert not _stood(stage, BEAT)


def test_who_hears_a_peer_that_hears_the_leader_leaves_it_alone() -> None:
    stage = _stage()
    for _ in range(8):
        _says(stage, CAROL, hears=True)
        assert not _stood(stage, BEAT)
    assert stage.replica.view(0).leader == BOB


def test_a_silent_leader_is_replaced_within_two_election_timeouts() -> None:
    stage = _stage()
    _says(stage, BOB, leads=True)
    _says(stage, CAROL)
    assert not _stood(stage, TIMEOUT)
    _says(stage, CAROL)
    assert _stood(stage, BEAT + 1)


def test_a_leader_that_does_not_reach_a_majority_is_replaced() -> None:
    """Quorum loss: it is heard, and says itself that it cannot decide."""
    stage = _stage()
    _says(stage, BOB, leads=True, reaches=False)
    _says(stage, CAROL)
    assert _stood(stage, 2 * BEAT)


def test_who_reaches_no_majority_does_not_stand() -> None:
    """It would disturb a leader that others hear, and could not decide anything."""
    stage = _stage(5)
    for _ in range(8):
        _says(stage, BOB)
        assert not _stood(stage, BEAT)


def test_who_ceases_to_hear_the_leader_says_so_at_once() -> None:
    """Others may follow through it: they should not wait for its next beat."""
    stage = _stage()
    _says(stage, BOB, leads=True)
    _says(stage, CAROL)
    before = sent_to(stage.wait(TIMEOUT), CAROL, Heartbeat)
    assert {beat.hears for beat in before} == {BOBS}
    [said] = sent_to(stage.wait(1), CAROL, Heartbeat)
    assert said.hears is None


def test_a_leader_beats_twice_as_often() -> None:
    stage = _stage()
    _says(stage, BOB)
    _says(stage, CAROL)
    [asked, *_] = _stood(stage, 2 * BEAT)
    _says(stage, BOB)
    stage.hear(BOB, Promise(asked.ballot, Slot(1), None, (), (), ()))
    assert stage.replica.view(0).leader == ALICE
    stage.wait(1)
    beats = sent_to(stage.wait(2 * BEAT), BOB, Heartbeat)
    assert len(beats) == 2 * LEADING_BEATS
    assert {beat.leads for beat in beats} == {asked.ballot}
