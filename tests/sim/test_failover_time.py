"""How long a cluster stands still when its leader dies (L3), over many seeds in virtual time."""

from __future__ import annotations

import pytest

from engine.core.effects import Observation, SawOutcome
from engine.core.entry import Tweet
from engine.core.ids import SiteId, Tick
from engine.core.leading.election import TIMEOUT_BEATS
from engine.core.settings import Leadership, Timings
from engine.core.storage import EventState
from engine.sim.world.network import Datagram
from engine.sim.world.setup import Setup, Weather
from engine.sim.world.world import World

TIMINGS = Timings()
ELECTION_TIMEOUT = TIMEOUT_BEATS * TIMINGS.heartbeat
LINKS = Weather(delay_min=5, delay_spread=10)
"""As between hosts of one region: a tenth of a heartbeat for the rounds of an election."""

READY_MAX_MS = 30_000
SEEDS = 30


class Ears:
    """A watcher that keeps when events were created, and for whom."""

    def __init__(self) -> None:
        self.created: list[tuple[int, SiteId]] = []

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None: ...

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None: ...

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None: ...

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        if isinstance(saw, SawOutcome):
            assert saw.outcome is EventState.CREATED
            self.created.append((now, site))


def _led(sites: int, seed: int, ears: Ears) -> tuple[World, int]:
    """A world in which all follow one leader, at a moment of its beat that depends on the seed; and that leader."""
    names = tuple(map(SiteId, ("alice", "bob", "carol", "dave", "erin")[:sites]))
    setup = Setup(
        seed=seed,
        names=names,
        leadership=(Leadership.ELECTED,) * sites,
        timings=TIMINGS,
        page_bytes=1_100,
        links=((LINKS,) * sites,) * sites,
        disk_ms=(2,) * sites,
        tick_late_ms=2,
    )
    world = World(setup, watcher=ears)
    for site in world.sites:
        world.start(site.index)
    while True:
        world.run(world.next_look(10))
        assert world.now < READY_MAX_MS
        replicas = [site.replica for site in world.sites if site.replica is not None]
        leaders = {replica.leader for replica in replicas}
        if len(leaders) == 1 and None not in leaders and not any(replica.recovering for replica in replicas):
            break
    world.run(world.now + 4 * TIMINGS.heartbeat + world.random.randrange(TIMINGS.heartbeat))
    [leader] = leaders
    assert leader is not None
    return world, world.index[leader]


@pytest.mark.parametrize("sites", [3, 5])
def test_less_than_three_election_timeouts(sites: int) -> None:
    """From the end of a leader's process to the next created event, submitted at another site at once."""
    took_ms: list[int] = []
    for seed in range(SEEDS):
        ears = Ears()
        world, leader = _led(sites, seed, ears)
        world.crash(leader)
        crashed_at = world.now
        author = (leader + 1) % sites
        world.submit(author, (Tweet("t"),), Tick(10_000), retry=False)
        while not ears.created:
            assert world.step()
        [(created_at, by)] = ears.created
        assert by == world.names[author]
        took_ms.append(created_at - crashed_at)
    print(f"{sites} sites: {min(took_ms)} to {max(took_ms)} ms")
    assert max(took_ms) < 3 * ELECTION_TIMEOUT
