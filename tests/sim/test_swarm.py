"""What seeds draw: every fault that a world has, in all its shapes, and no plan has them all (swarm testing)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, get_args

from engine.core.entry import AT_MS_MAX
from engine.core.settings import Leadership
from engine.sim.proving.swarm import draw
from engine.sim.scenario.acts import Act, Clear, Crash, Cut, FlipBit, GiveUp, MembersChange, Mend, Narrow, Restart
from engine.sim.scenario.parse_lines import CHANGES
from engine.sim.scenario.schedule import Schedule
from engine.sim.sometimes import CrashPoint
from engine.sim.world.setup import Weather

BY_HAND: Final = {GiveUp, Narrow, Mend, Restart, Clear}
"""Whoever drives a world by hand ends by them what in a plan has an end of its own; no plan has narrow links, and none
clears all sites, which no cluster bears."""

SHAPES: Final = {"one-way", "alone", "split", "star", "chain", "bridge"}


@cache
def plans() -> tuple[Schedule, ...]:
    return tuple(map(draw, range(400)))


def kinds(plan: Schedule) -> set[type]:
    return {type(line.command) for line in plan.lines}


def test_every_act_is_drawn_and_each_is_left_out_by_many_plans() -> None:
    for kind in set(get_args(Act)) - BY_HAND:
        having = sum(kind in kinds(plan) for plan in plans())
        assert having > 10, kind
        assert having < len(plans()) - 10 or kind.__name__ == "Submit", kind


def test_cuts_of_every_shape_crashes_of_every_phase_and_both_rows_of_a_disk_are_drawn() -> None:
    acts = [line.command for plan in plans() for line in plan.lines]
    assert {act.shape for act in acts if isinstance(act, Cut)} == SHAPES
    phases = {act.only for act in acts if isinstance(act, Crash)}
    assert phases == {None, *CrashPoint} - {CrashPoint.IDLE}
    assert any(act.points == 0 for act in acts if isinstance(act, Crash)), "a crash while idle"
    assert {act.where is None for act in acts if isinstance(act, FlipBit)} == {True, False}


def test_links_lose_repeat_reorder_delay_for_minutes_and_bring_back_what_is_old() -> None:
    every = [weather for plan in plans() for row in plan.setup.links for weather in row]
    bad: tuple[Callable[[Weather], bool], ...] = (
        lambda w: w.loss >= 0.5,
        lambda w: w.duplicate >= 0.3,
        lambda w: w.delay_spread >= 300,
        lambda w: w.late > 0 and w.late_max >= 120_000,
        lambda w: w.stale > 0,
    )
    for is_bad in bad:
        assert any(map(is_bad, every))
        assert any(not is_bad(weather) for weather in every)
    assert any(len({*map(_directed, _pairs(plan))}) > 1 for plan in plans()), "the two ways of a link differ"


def test_slow_disks_late_timers_sites_of_all_numbers_and_settings_are_drawn() -> None:
    setups = [plan.setup for plan in plans()]
    assert {len(setup.names) - len(setup.later) for setup in setups} == {1, 2, 3, 4, 5, 7}
    assert any(max(setup.disk_ms) > 0 for setup in setups)
    assert any(setup.tick_late_ms > 0 for setup in setups)
    assert {setup.leadership[0] for setup in setups} == set(Leadership)
    assert any(len(set(setup.leadership)) > 1 for setup in setups), "sites of different settings (L4)"


def test_members_come_and_go_at_some_seeds() -> None:
    changing = [plan for plan in plans() if any(isinstance(line.command, MembersChange) for line in plan.lines)]
    assert len(plans()) / 10 < len(changing) < len(plans()) / 4
    asked = {line.command.kind for plan in changing for line in plan.lines if isinstance(line.command, MembersChange)}
    assert asked == set(CHANGES)
    assert any(plan.setup.later for plan in changing)
    assert any(not plan.setup.later for plan in changing)


def test_wrong_clocks_are_drawn_of_before_1970_and_after_9999_and_seldom() -> None:
    wrong = [said for plan in plans() for _, said in plan.setup.stamps]
    assert 10 < len(wrong) < len(plans()) / 5
    assert any(at_ms < 0 for said in wrong for at_ms in said)
    assert any(at_ms > AT_MS_MAX for said in wrong for at_ms in said)
    assert any(len(said) > 1 for said in wrong), "a clock that jumps"


def _pairs(plan: Schedule) -> list[tuple[Weather, Weather]]:
    links = plan.setup.links
    return [(links[a][b], links[b][a]) for a in range(len(links)) for b in range(a)]


def _directed(pair: tuple[Weather, Weather]) -> bool:
    return pair[0] == pair[1]
