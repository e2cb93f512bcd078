"""Brings the sites of a scenario up, until the first command can be done.

Rules that hold here:
- Ready: all sites run and vote (D5), know how far the log goes (R4), follow one leader where the setting has one (L3),
  and nothing but heartbeats is on its way.
- Which site is elected is left to chance: where a scenario names its leader, the first seed that makes it so is taken,
  from the scenario's own on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.core.ids import SiteId
from engine.core.settings import Leadership
from engine.sim.scenario.patterns import is_upkeep
from engine.sim.scenario.schedule import ScenarioError, Schedule
from engine.sim.world.setup import Setup
from engine.sim.world.world import MakeReplica, World

_READY_MAX_MS: Final = 30_000
_SEEDS_TRIED: Final = 64
_LOOK_MS: Final = 10


def ready(scenario: Schedule, make_replica: MakeReplica) -> World:
    """Raises ScenarioError where the sites do not come to be as the setup wants them."""
    setup = scenario.setup
    for seed in range(setup.seed, setup.seed + _SEEDS_TRIED):
        world = _started(scenario, replace(setup, seed=seed), make_replica)
        if scenario.leader is None or _leaders(world) == {scenario.leader}:
            return world
    what = f"{scenario.leader} never comes to lead; write: leadership elected, above leader {scenario.leader}"
    raise ScenarioError(scenario.file, 1, what)


def _started(scenario: Schedule, setup: Setup, make_replica: MakeReplica) -> World:
    world = World(setup, make_replica)
    for name, used in scenario.rounds:
        world.sites[world.index[name]].disk.image.round = used
    for site in world.sites:
        world.start(site.index)
    while not _is_ready(world):
        if world.now > _READY_MAX_MS:
            raise ScenarioError(scenario.file, 1, "the sites do not come up with these links: write better ones")
        world.run(world.next_look(_LOOK_MS))
    return world


def _is_ready(world: World) -> bool:
    """Looked at often: whoever is not ready is all that there is to know."""
    leaders: set[SiteId | None] = set()
    for site in world.sites:
        replica = site.replica
        if replica is None or site.name in world.setup.later:
            continue
        if not replica.voting or replica.recovering or replica.view(1).attempts:
            return False
        if site.settings.leadership is Leadership.ELECTED:
            leaders.add(replica.leader)
            if len(leaders) != 1 or None in leaders:
                return False
    return all(is_upkeep(message) for datagram in world.in_flight() for message in datagram.messages)


def _leaders(world: World) -> set[SiteId | None]:
    """Whom the sites that elect follow."""
    return {
        site.replica.leader
        for site in world.sites
        if site.replica is not None and site.settings.leadership is Leadership.ELECTED
    }
