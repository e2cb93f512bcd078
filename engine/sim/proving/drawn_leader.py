"""Draws a leader that lasts, while sites beside it leave and come back (M2, M4).

Rules that hold here:
- What a store promised in an earlier term matters to a leader alone that was elected then, and leads on when that store
  votes again. Beside other faults leaders do not last so long: so there are few, and such a run is nothing but this.
- It is drawn apart from all else: a seed that is not among these is the run that it is where none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Final

from engine.core.entry import Kind
from engine.core.ids import SiteId, Tick
from engine.core.settings import Leadership
from engine.sim.proving.drawn import NAMES, Timed, tweets
from engine.sim.scenario.acts import CrashAll, Cut, MembersChange, Readmission, Wipe
from engine.sim.world.setup import Setup, Weather

_SHARE: Final = 0.08
_HEARTBEAT: Final = Tick(500)
_IN_EFFECT_MS: Final = 150
"""A change is chosen soon, and mostly in effect somewhat later: its leader fills the log at its next heartbeat."""


def beside_a_leader(random: Random, setup: Setup) -> tuple[Setup, list[Timed], Tick] | None:
    """The setup, what is done, and when it is calm; None at most seeds."""
    if random.random() >= _SHARE:
        return None
    names = NAMES[: random.choice((3, 4, 4, 4, 5))]
    weather = Weather(random.choice((0.0, 0.0, 0.02)), delay_min=1, delay_spread=random.choice((1, 5, 40)))
    setup = replace(
        setup,
        names=names,
        leadership=(Leadership.ELECTED,) * len(names),
        timings=replace(setup.timings, heartbeat=_HEARTBEAT),
        links=((weather,) * len(names),) * len(names),
        disk_ms=(random.choice((0, 0, 1, 5)),) * len(names),
        chosen_waits_ms=random.choice((0, 3)),
        stamps=(),
        later=(),
        change_lag=random.choice((2, 5, 16, 64)),
    )
    acts: list[Timed] = []
    at, voters = Tick(random.randint(1_500, 4_000)), list(names)
    for _ in range(random.choice((3, 4, 5))):
        away = random.choice(voters)
        others = [site for site in voters if site != away]
        goes = _loses_its_disk if random.random() < 0.3 else _leaves_and_returns
        at = goes(random, acts, at, away, others)
        if len(voters) > 3 and random.random() < 0.4:
            left = random.choice(others)
            voters.remove(left)
            acts.append((at, MembersChange(away, Kind.REMOVE, left)))
            at = Tick(at + random.randint(500, 2_000))
        acts.append((at, tweets(random.choice(voters), random.randint(1, 3))))
    return setup, acts, Tick(at + 1_000)


def _leaves_and_returns(random: Random, acts: list[Timed], at: Tick, away: SiteId, others: Sequence[SiteId]) -> Tick:
    """It is removed, then added again on the store that it has. Before the removal is in effect another leader is
    elected, perhaps: who hears a promise that ends where it is. Until when."""
    acts.append((at, MembersChange(random.choice(others), Kind.REMOVE, away)))
    if random.random() < 0.6:
        back = _elected_anew(random, acts, Tick(at + random.randint(5, _IN_EFFECT_MS)), away, others)
    else:
        back = Tick(at + random.randint(300, 2_000))
    acts.append((back, MembersChange(random.choice(others), Kind.ADD, away)))
    return Tick(back + random.randint(3_000, 6_000))


def _loses_its_disk(random: Random, acts: list[Timed], at: Tick, away: SiteId, others: Sequence[SiteId]) -> Tick:
    """Its new store is readmitted, while a leader leads that was elected by the one before, perhaps. Until when."""
    lost = _elected_anew(random, acts, at, away, others) if random.random() < 0.7 else at
    asked = Tick(lost + random.randint(500, 1_500))
    acts += [(lost, Wipe(away, 10)), (asked, Readmission(random.choice(others), away))]
    return Tick(asked + random.randint(500, 3_000))


def _elected_anew(random: Random, acts: list[Timed], at: Tick, away: SiteId, others: Sequence[SiteId]) -> Tick:
    """All start again, and one of the others is not there when the next leader is elected: it promises nothing. Until
    when."""
    acts.append((at, CrashAll(1.0, random.randint(1, 50))))
    until = Tick(at + random.randint(2_000, 3_500))
    if random.random() < 0.7:
        alone = random.choice(others)
        links = tuple(link for site in (away, *others) if site != alone for link in ((alone, site), (site, alone)))
        acts.append((at, Cut(links, until - at, "alone")))
    return Tick(until + random.randint(100, 1_000))
