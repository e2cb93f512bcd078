"""The ladder: what an event costs under each leadership setting, on one workload, in the simulated world.

Rules that hold here:
- Sites, messages and their sizes are the production's; clock, links and disks are the world's, under one seed: the same
  table every time.
- Counted is what all sites together send and sync, from the first submission until every site has learned every event.
  Not counted is what flows without any event too (`Housekeeping`).
- Links take ONE_WAY_MS, syncs SYNC_MS and nothing else takes time, so that the time from submission to outcome is so
  many round trips and so many syncs, and both can be read off where nothing is lost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Final

from engine.core.entry import Tweet
from engine.core.ids import SiteId, Tick
from engine.core.replica import Replica
from engine.core.settings import CHOSEN_WAITS_MAX, Leadership, Timings
from engine.sim.scenario.ready import ready
from engine.sim.scenario.schedule import Schedule
from engine.sim.world.meter import Meter
from engine.sim.world.setup import Setup, Weather
from engine.sim.world.world import World
from engine.template import DEFAULT_NAMES

ONE_WAY_MS: Final = 70
SYNC_MS: Final = 1
SIZES: Final = (3, 5)
AT_ONCE: Final = 100
ONE_BY_ONE: Final = 50
"""How many events."""
PAUSE_MS: Final = 300
"""Between an outcome and the next event, where they come one by one: time for all sites to learn it."""

LOSS: Final = 0.1
_AUTHOR: Final = SiteId("alice")
_TIMEOUT: Final = Tick(600_000)
_SETTLE_MS: Final = 60_000
_LOOK_MS: Final = 20


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to get the author's events into the log; `leader`: who is elected."""

    words: str
    leadership: Leadership
    leader: SiteId | None


RUNGS: Final = (
    Rung("none", Leadership.NONE, None),
    Rung("last-author", Leadership.LAST_AUTHOR, None),
    Rung("elected, another site", Leadership.ELECTED, SiteId("bob")),
    Rung("elected, the leader", Leadership.ELECTED, _AUTHOR),
)


@dataclass(frozen=True, slots=True)
class Workload:
    """`at_once`: all events are submitted together, else each after the outcome of the one before."""

    sites: int
    loss: float
    at_once: bool
    events: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one event: what all sites sent and synced for it, on the average, and the times from its submission to its
    outcome at its author, in milliseconds: each event's, and until the last one of all."""

    messages: float
    datagrams: float
    bytes: float
    syncs: float
    waits_ms: tuple[int, ...]
    in_all_ms: int

    @property
    def round_trips(self) -> float:
        """An event's time in round trips, on the average; repeats of what was lost are waited for."""
        return _round_trips(mean(self.waits_ms))

    @property
    def round_trips_in_all(self) -> float:
        return _round_trips(self.in_all_ms)

    @property
    def syncs_in_turn(self) -> int:
        """The syncs that an outcome waits for one after the other: what is left of the time of most events."""
        return int(median(self.waits_ms)) % ONE_WAY_MS // SYNC_MS


def _round_trips(ms: float) -> float:
    return ms / (2 * ONE_WAY_MS)


def measure(rung: Rung, load: Workload) -> Cost:
    """Runs the workload once."""
    world = ready(Schedule(_setup(rung, load), (), leader=rung.leader, file=rung.words), Replica)
    meter = world.watcher = Meter(world)
    for number in range(load.events):
        token = world.submit(world.index[_AUTHOR], (Tweet(f"event {number}"),), _TIMEOUT, retry=True)
        assert token is not None
        meter.submitted_at[token] = world.now
        if not load.at_once:
            while token not in meter.created_at:
                world.step()
            world.run(world.now + PAUSE_MS)
    _settle(world, load.events)
    waits_ms = tuple(meter.created_at[token] - at for token, at in meter.submitted_at.items())
    in_all_ms = max(meter.created_at.values()) - min(meter.submitted_at.values())
    return Cost(
        meter.messages / load.events,
        meter.datagrams / load.events,
        meter.bytes / load.events,
        meter.syncs / load.events,
        waits_ms,
        in_all_ms,
    )


def _setup(rung: Rung, load: Workload) -> Setup:
    names = tuple(map(SiteId, DEFAULT_NAMES[: load.sites]))
    link = Weather(loss=load.loss, delay_min=ONE_WAY_MS, delay_spread=1)
    return Setup(
        seed=1,
        names=names,
        leadership=(rung.leadership,) * load.sites,
        timings=Timings(),
        page_bytes=1_100,
        links=((link,) * load.sites,) * load.sites,
        disk_ms=(SYNC_MS,) * load.sites,
        tick_late_ms=0,
        chosen_waits_ms=CHOSEN_WAITS_MAX,
    )


def _settle(world: World, events: int) -> None:
    """Until every site has learned every event."""
    latest = world.now + _SETTLE_MS
    while not _settled(world, events):
        assert world.now < latest, "a workload without faults but loss settles"
        world.run(world.now + _LOOK_MS)


def _settled(world: World, events: int) -> bool:
    prefixes = {site.replica.prefix for site in world.sites if site.replica is not None}
    used = {site.replica.used_max for site in world.sites if site.replica is not None}
    return prefixes == used and len(prefixes) == 1 and min(prefixes) >= events


def table(sites: int) -> Iterator[str]:
    """The ladder of a cluster of so many sites, line by line."""
    head = f"{'':<24}{'messages':>10}{'datagrams':>11}{'bytes':>8}{'syncs':>7}{'round trips':>13}"
    for loss, lost in ((0.0, "nothing lost"), (LOSS, f"{LOSS:.0%} of all datagrams lost")):
        yield f"{sites} sites, {ONE_BY_ONE} events of one site one by one, {lost}; an event:"
        yield head if loss else f"{head}{'syncs in turn':>15}"
        for rung in RUNGS:
            cost = measure(rung, Workload(sites, loss, at_once=False, events=ONE_BY_ONE))
            in_turn = "" if loss else f"{cost.syncs_in_turn:>15}"
            yield f"{rung.words:<24}{_counts(cost)}{cost.round_trips:>13.1f}{in_turn}"
        yield ""
        yield f"{sites} sites, {AT_ONCE} events of one site at once, {lost}; an event, and the round trips of all:"
        yield head
        for rung in RUNGS:
            cost = measure(rung, Workload(sites, loss, at_once=True, events=AT_ONCE))
            yield f"{rung.words:<24}{_counts(cost)}{cost.round_trips_in_all:>13.1f}"
        yield ""


def _counts(cost: Cost) -> str:
    return f"{cost.messages:>10.1f}{cost.datagrams:>11.1f}{cost.bytes:>8,.0f}{cost.syncs:>7.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engine.sim.proving.ladder",
        description="Prints what an event costs under each leadership setting, counted in a simulated world.",
        epilog="example: python -m engine.sim.proving.ladder --sites 3",
    )
    parser.add_argument(
        "--sites",
        type=int,
        choices=range(2, len(DEFAULT_NAMES) + 1),
        help="how many sites (default: a table of 3, one of 5)",
    )
    options = parser.parse_args(arguments)
    for sites in SIZES if options.sites is None else (options.sites,):
        for line in table(sites):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
