"""What is drawn again and again: a site, a moment, a crash, what somebody says."""

from __future__ import annotations

from random import Random
from typing import Final

from engine.core.entry import Tweet
from engine.core.ids import SiteId, Tick
from engine.sim.scenario.acts import Act, Crash, Submit

Timed = tuple[Tick, Act]

NAMES: Final = tuple(SiteId(name) for name in ("alice", "bob", "carol", "dave", "erin", "frank", "grace"))


def a_site(random: Random, sites: int) -> SiteId:
    return NAMES[random.randrange(sites)]


def a_moment(random: Random, calm_at: Tick) -> Tick:
    return Tick(random.randint(0, calm_at))


def down_ms(random: Random) -> int:
    return int(10 * 1_000 ** random.random())


def a_crash(random: Random, sites: int) -> Crash:
    return Crash(a_site(random, sites), random.randint(0, 4), None, random.random(), down_ms(random))


def tweets(site: SiteId, count: int) -> Submit:
    return Submit(site, (Tweet("t"),) * count, Tick(10_000), retry=False, give_up_ms=None)
