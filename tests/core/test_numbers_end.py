"""M6: a site that gave out all the numbers it may, none of which took effect, goes on once a majority is back."""

from __future__ import annotations

import pytest

from engine.core.effects import Effects, SawNumbered, SawOutcome
from engine.core.entry import Entry, Stamped, Withdrawal, encode
from engine.core.ids import EventId
from engine.core.log import members
from engine.core.messages import Accept, HandOn, Prepare
from engine.core.settings import Leadership, Settings
from engine.core.storage import EventState, WriteEvents
from engine.sim.proving.swarm import draw
from engine.sim.scenario.play import Play
from engine.sim.truth import replay
from tests.core.led import beat_of, led
from tests.core.stage import ALICE, BOB, MINUTE, SITES, Stage, ballot, chosen, promise, sent, told, written

THREE = ballot(3, BOB)
GAP = 3
END = 2 * GAP
"""No number above it, while none is in effect."""

ALL = tuple(f"event {number}" for number in range(1, END + 1))
WITHDRAWAL = Entry(ALICE, END, 0, encode(Stamped(Withdrawal(), 1_000)))


@pytest.fixture(autouse=True)
def _small_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "NUMBERS_GAP", GAP)
    monkeypatch.setattr(replay, "MILLION", GAP)


def without_a_majority(leadership: Leadership) -> Stage:
    """All numbers were given out, to events that never left."""
    stage = Stage(settings=Settings(ALICE, SITES[:3], leadership)).ready()
    stage.submit_many(1, *ALL)
    outcomes = told(stage.wait(MINUTE), SawOutcome)
    assert {(saw.outcome, saw.id) for saw in outcomes} == {(EventState.NOT_CREATED, EventId(ALICE, 1))}
    return stage


def leaves(stage: Stage, effects: Effects, leadership: Leadership) -> list[Entry]:
    """The entries of this site that leave, once a majority is back."""
    if leadership is Leadership.ELECTED:
        effects.extend(stage.hear(BOB, beat_of(stage, leads=THREE)))
        effects.extend(stage.wait(2_000))
        return [entry for _, message in sent(effects, HandOn) for entry in message.entries]
    slot, number = [(message.first, message.ballot) for _, message in sent(effects, Prepare)][-1]
    accepts = sent(stage.hear(BOB, promise(number, slot)), Accept)
    return [entry for _, message in accepts for entry in message.run.entries]


@pytest.mark.parametrize("leadership", Leadership)
def test_m6_the_last_number_is_withdrawn_and_what_waits_is_numbered_above_it(leadership: Leadership) -> None:
    stage = without_a_majority(leadership)
    effects = stage.submit(2, "at last")
    assert not told(effects, SawNumbered)
    assert set(leaves(stage, effects, leadership)) == {WITHDRAWAL}
    effects = stage.hear(BOB, chosen(1, WITHDRAWAL))
    effects.extend(stage.tick())
    assert told(effects, SawNumbered) == [SawNumbered(2, EventId(ALICE, END + 1))]
    assert not told(effects, SawOutcome), "of the number nobody is told, and no event has it"
    assert all(write.events.first > END for write in written(effects, WriteEvents))


@pytest.mark.parametrize("leadership", Leadership)
def test_m6_after_a_restart_the_last_number_of_the_block_is_withdrawn(leadership: Leadership) -> None:
    again = without_a_majority(leadership).restarted().ready()
    assert set(leaves(again, again.submit(2, "at last"), leadership)) == {WITHDRAWAL}


def test_m6_what_is_more_than_is_left_waits_for_more_numbers() -> None:
    stage = Stage().ready()
    stage.submit_many(1, *ALL[:-1])
    stage.wait(MINUTE)
    withdrawn = leaves(stage, stage.submit_many(2, "two", "together"), Leadership.NONE)[0]
    assert withdrawn == Entry(ALICE, END - 1, 0, WITHDRAWAL.body)
    effects = stage.hear(BOB, chosen(1, withdrawn))
    effects.extend(stage.tick())
    assert told(effects, SawNumbered) == [SawNumbered(2, EventId(ALICE, END))]


def test_m6_the_last_number_alone_is_not_withdrawn_while_events_are_open() -> None:
    """They may have left, and still take effect in their order: each is withdrawn for itself."""
    stage = led(THREE)
    stage.submit_many(1, *ALL)
    stage.wait(MINUTE)
    handed = leaves(stage, stage.submit(2, "waits"), Leadership.ELECTED)
    assert Entry(ALICE, END, END - 1, WITHDRAWAL.body) in handed
    assert WITHDRAWAL not in handed


def test_m6_the_truth_holds_where_numbers_run_out_again_and_again() -> None:
    """In worlds of all settings, with all faults."""
    went_on: set[Leadership] = set()
    for seed in (1, 3, 7, 11, 13, 18, 60, 76, 96):
        play = Play(draw(seed))
        play.complete()
        events = play.world.truth.outcomes.by_id.values()
        if any(event.withdrawn and event.token < 0 for event in events):
            went_on.update(play.schedule.setup.leadership)
    assert went_on == set(Leadership)
