"""Draws who belongs to the cluster: readmissions, and sites that come, go and come back (M1 to M6).

Rules that hold here:
- All of it is drawn apart from all else: a seed without is the run that it is where nobody's place ever changes.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Final

from engine.core.entry import Kind
from engine.core.ids import SiteId, Tick
from engine.core.settings import CHANGE_LAG
from engine.sim.proving.drawn import NAMES, Timed, a_crash, a_moment, a_site, down_ms, tweets
from engine.sim.scenario.acts import CrashAll, Cut, MembersChange, Readmission, Wipe
from engine.sim.world.setup import Setup

_CHANGES: Final = (Kind.ADD, Kind.ADD, Kind.ADD_LEARNER, Kind.PROMOTE, Kind.REMOVE, Kind.REMOVE, Kind.MOVE)


def readmissions(random: Random, sites: int, calm_at: Tick) -> tuple[int, list[Timed]]:
    """Disks are lost and their sites readmitted, soon or late, by one site or by several at once; some of them are lost
    again."""
    acts: list[Timed] = []
    if sites == 1 or random.random() >= 0.15:
        return CHANGE_LAG, acts
    if random.random() < 0.4:
        acts += _replaced_in_turn(random, sites, calm_at)
    for _ in range(random.choice((1, 2, 3))):
        at, member, away_ms = a_moment(random, calm_at), a_site(random, sites), int(10 * 300 ** random.random())
        if random.random() < 0.8:
            acts.append((at, Wipe(member, away_ms)))
        for _ in range(random.choice((1, 2, 4))):
            asked = Tick(at + away_ms + int(10 * 1_000 ** random.random()))
            acts.append((asked, Readmission(a_site(random, sites), member)))
            if random.random() < 0.3:
                acts.append((asked, Readmission(a_site(random, sites), a_site(random, sites))))
            if random.random() < 0.3:
                acts.append((Tick(asked + random.randint(0, 300)), a_crash(random, sites)))
    return random.choice((1, 2, 5, 16, 64)), [(at, act) for at, act in acts if at < calm_at]


def _replaced_in_turn(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """All start again while one of them is cut off, so that the others alone make the first majority. One of these
    loses its disk and is readmitted, and soon has something to say; then the next one."""
    acts: list[Timed] = []
    names = NAMES[:sites]
    at = a_moment(random, calm_at)
    for _ in range(random.choice((1, 2, 3))):
        away, member, *others = random.sample(names, sites)
        links = tuple((a, b) for a in names for b in names if a != b and away in (a, b))
        cut_ms, wiped = random.randint(500, 6_000), Tick(at + random.randint(1_000, 6_000))
        acts.append((at, Cut(links, cut_ms, "alone")))
        acts.append((at, CrashAll(1.0, random.randint(1, 50))))
        acts += [(Tick(wiped - random.randint(1, 500)), tweets(random.choice(names), random.randint(1, 3)))]
        acts.append((wiped, Wipe(member, random.randint(1, 200))))
        asked = Tick(wiped + random.randint(300, 3_000))
        acts += [(Tick(asked + 200 * nth), Readmission(by, member)) for nth, by in enumerate((*others, away))]
        for _ in range(6):
            acts.append((Tick(asked + random.randint(1, 3_000)), tweets(random.choice((member, *names)), 1)))
        at = Tick(asked + random.randint(500, 6_000))
    return acts


def members_change(random: Random, setup: Setup, calm_at: Tick) -> tuple[Setup, list[Timed]]:
    """Sites are added, promoted, removed and moved, while some of those who ask or are asked for end, are cut off or
    lose their disks."""
    acts: list[Timed] = []
    founders, more = len(setup.names), random.choice((0, 1, 1, 2, 3))
    if random.random() >= 0.15 or founders + more > len(NAMES):
        return setup, acts
    names = NAMES[: founders + more]
    setup = _with_later(random, setup, names, random.choice((1, 2, 5, 16, 64)))
    if founders == 1:
        setup = replace(
            setup, disk_ms=(random.choice((0, 5, 20)),) * len(names), change_lag=random.choice((1, 1, 2, 16))
        )
    at = a_moment(random, calm_at)
    if more and random.random() < 0.5:
        acts += _one_after_another(random, names, founders, at)
    if more and random.random() < 0.4:
        acts += _promoted_while_busy(random, names, founders, at)
    for _ in range(random.choice((1, 2, 4, 8))):
        at = a_moment(random, calm_at)
        acts += _asked(random, names, at, random.choice(_CHANGES), random.choice(names))
        if random.random() < 0.4:
            acts.append((Tick(at + random.randint(0, 300)), a_crash(random, len(names))))
        if random.random() < 0.2:
            alone = random.choice(names)
            links = tuple((a, b) for a in names for b in names if a != b and alone in (a, b))
            acts.append((at, Cut(links, random.randint(100, 5_000), "alone")))
        if random.random() < 0.2:
            acts.append((Tick(at + random.randint(0, 3_000)), Wipe(random.choice(names), down_ms(random))))
        acts += [(a_moment(random, calm_at), tweets(random.choice(names), random.randint(1, 3))) for _ in range(3)]
    return setup, [(at, act) for at, act in acts if at < calm_at]


def _one_after_another(random: Random, names: tuple[SiteId, ...], founders: int, at: Tick) -> list[Timed]:
    """Who was there is replaced by who was not; and perhaps comes back, on the store that it had."""
    acts: list[Timed] = []
    for new, old in zip(names[founders:], random.sample(names[:founders], founders), strict=False):
        acts += _asked(random, names, at, Kind.ADD, new)
        at = Tick(at + random.randint(1_000, 8_000))
        acts += _asked(random, names, at, Kind.REMOVE, old)
        acts += [(Tick(at + int(500 ** random.random())), tweets(old, random.randint(1, 3))) for _ in range(4)]
        at = Tick(at + random.randint(500, 4_000))
        if random.random() < 0.4:
            acts += _asked(random, names, at, Kind.ADD, old)
        acts.append((at, tweets(random.choice((old, new)), 2)))
    return acts


def _promoted_while_busy(random: Random, names: tuple[SiteId, ...], founders: int, at: Tick) -> list[Timed]:
    """By who has much to say at that moment."""
    by, new = random.choice(names[:founders]), random.choice(names[founders:])
    then = Tick(at + random.randint(2_000, 8_000))
    first, more = tweets(by, random.randint(1, 2)), tweets(by, random.randint(1, 4))
    asked = MembersChange(by, Kind.ADD_LEARNER, new), MembersChange(by, Kind.PROMOTE, new)
    return [(at, asked[0]), (then, first), (then, asked[1]), (then, more)]


def _asked(random: Random, names: tuple[SiteId, ...], at: Tick, kind: Kind, member: SiteId) -> list[Timed]:
    """By one site, or by several, one after the other or at once."""
    times = [Tick(at + random.choice((0, 0, 20, 500, 3_000))) for _ in range(random.choice((1, 1, 2, 4)))]
    return [(each, MembersChange(random.choice(names), kind, member)) for each in times]


def _with_later(random: Random, setup: Setup, names: tuple[SiteId, ...], lag: int) -> Setup:
    """The same world with more sites, which stand as one that there is."""
    founders = len(setup.names)
    like = [index if index < founders else random.randrange(founders) for index in range(len(names))]
    return replace(
        setup,
        names=names,
        later=names[len(setup.names) :],
        leadership=tuple(setup.leadership[index] for index in like),
        links=tuple(tuple(setup.links[a][b] for b in like) for a in like),
        disk_ms=tuple(setup.disk_ms[index] for index in like),
        change_lag=min(lag, setup.change_lag),
    )
