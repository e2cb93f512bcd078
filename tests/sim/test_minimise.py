"""The minimiser: a failing plan becomes small, stays failing by the same rule, and is a file that anybody can run."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import pytest
from msgspec import structs

from engine.core.ids import Round, Tick
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.core.storage import LogReader, Stored
from engine.sim.proving.minimise import Failure, Minimised, failure_of, minimise, save
from engine.sim.proving.swarm import draw
from engine.sim.scenario.parse import parse, read
from engine.sim.scenario.schedule import Schedule
from engine.sim.scenario.write import write
from engine.sim.world.world import MakeReplica

LINES_MAX: Final = 30
RUNS_MAX: Final = 60
ACTS: Final = range(8, 40)
SITES_MAX: Final = 4
"""Of the plans that are made small: what runs a hundred times and more is quick."""
SEEDS: Final = range(253, 753)
"""From where plans that fail come soon."""


def forgets_its_votes(settings: Settings, stored: Stored, log: LogReader, random: Random) -> Replica:
    """A restart loses what was promised and accepted (A1, A2)."""
    return Replica(settings, structs.replace(stored, votes={}), log, random)


def forgets_its_rounds(settings: Settings, stored: Stored, log: LogReader, random: Random) -> Replica:
    """A restart begins with round 1 again (B1)."""
    return Replica(settings, structs.replace(stored, round=Round(0)), log, random)


@cache
def _failing(make_replica: MakeReplica) -> tuple[Schedule, Failure]:
    """The first of the seeds with a plan of some acts, for few sites, that fails."""
    for seed in SEEDS:
        plan = draw(seed)
        if len(plan.lines) in ACTS and len(plan.setup.names) <= SITES_MAX:
            failure = failure_of(plan, make_replica)
            if failure is not None:
                return plan, failure
    raise AssertionError("no seed fails: this breakage is not seen any more")


@cache
def _minimised(make_replica: MakeReplica) -> Minimised:
    return minimise(_failing(make_replica)[0], make_replica, RUNS_MAX)


@pytest.mark.parametrize("make_replica", [forgets_its_votes, forgets_its_rounds])
def test_a_failing_plan_becomes_small_and_fails_by_the_same_rule(make_replica: MakeReplica, tmp_path: Path) -> None:
    plan, failure = _failing(make_replica)
    minimised = _minimised(make_replica)
    path = tmp_path / "found.scenario"
    printed = save(minimised, path, make_replica)

    assert len(minimised.schedule.lines) < len(plan.lines)
    assert minimised.failure.rule == failure.rule
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX
    assert str(path) in printed[0]
    end = next(line for line in reversed(printed) if not line.startswith(" "))  # a long one goes on, indented
    assert end.lstrip("─ ").startswith(f"violates {failure.rule} "), "the diagram ends with what was broken"

    again = read(path)
    assert again == minimised.schedule
    assert failure_of(again, make_replica) == minimised.failure
    assert failure_of(again) is None, "the replica as it should be keeps the rule on the same schedule"


def test_minimising_is_deterministic() -> None:
    plan, _ = _failing(forgets_its_rounds)
    assert minimise(plan, forgets_its_rounds, RUNS_MAX) == _minimised(forgets_its_rounds)


def test_a_plan_that_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fail"):
        minimise(next(plan for plan in map(draw, SEEDS) if failure_of(plan) is None))


def test_a_plan_is_read_back_as_it_was_written() -> None:
    """Every kind of act and of weather: what the swarm draws, to the last digit; and a site of its own heartbeat."""
    for seed in range(100):
        plan = draw(seed)
        slow = ((plan.setup.names[-1], Tick(501 + seed)),)
        plan = replace(plan, setup=replace(plan.setup, heartbeats=slow))
        again = parse(write(plan, f"seed {seed}"), "some.scenario")
        assert again.lines == plan.lines
        assert again.calm_at == plan.calm_at
        assert replace(again.setup, links=()) == replace(plan.setup, links=())
        between = [(i, j) for i in range(len(plan.setup.names)) for j in range(len(plan.setup.names)) if i != j]
        assert all(again.setup.links[i][j] == plan.setup.links[i][j] for i, j in between)
