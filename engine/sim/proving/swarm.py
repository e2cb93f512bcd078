"""A seed draws a plan: which faults are on, and how strong; how many sites; what the users do.

Rules that hold here:
- Swarm testing (Groce et al., 2012): each run leaves most kinds of faults out, so that those it has meet each other in
  strengths that an average of everything would never show.
- Plans are short: many small worlds find more than one long one.
"""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from random import Random
from typing import Final

from engine.core.entry import AT_MS_MAX, Block, Operation, Tweet, Unblock
from engine.core.ids import NUMBER_MAX, SiteId, Tick
from engine.core.settings import Leadership, Timings
from engine.sim.proving.drawn import NAMES, Timed, a_moment, a_site, down_ms, tweets
from engine.sim.proving.drawn_leader import beside_a_leader
from engine.sim.proving.drawn_members import members_change, readmissions
from engine.sim.scenario.acts import (
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    Links,
    Pause,
    PutBack,
    Read,
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.scenario.schedule import Line, Schedule
from engine.sim.sometimes import CrashPoint
from engine.sim.world.setup import Setup, Weather

_CRASH_POINTS: Final = tuple(point for point in CrashPoint if point is not CrashPoint.IDLE)

_WRONG_MS: Final = (-(2**62), -86_400_000, -1, AT_MS_MAX, AT_MS_MAX + 1, NUMBER_MAX, NUMBER_MAX + 1, 2**62)
"""What a wall clock may say of 1970 and long before, of the year 9999 and long after."""

_SIZES: Final = (1, 2, 3, 4, 5, 7)
_SIZE_WEIGHTS: Final = (3, 7, 42, 7, 35, 6)


def draw(seed: int) -> Schedule:
    random = Random(seed)
    sites = random.choices(_SIZES, _SIZE_WEIGHTS)[0]
    calm_at = Tick(int(4_000 * 12 ** random.random()))
    setup = Setup(
        seed=random.getrandbits(48),
        names=NAMES[:sites],
        leadership=_leadership(random, sites),
        timings=Timings(
            heartbeat=Tick(random.choice((500, 1_000, 1_000, 2_000))),
            retransmit=Tick(random.choice((50, 100, 200, 400))),
            fill_every=Tick(random.choice((500, 1_000, 3_000))),
            scan_every=Tick(random.choice((3_000, 15_000))),
        ),
        page_bytes=random.choice((1_100, 1_100, 300, 120)),
        links=_links(random, sites),
        disk_ms=tuple(_disk_ms(random) for _ in range(sites)),
        tick_late_ms=random.choice((0, 0, 1, 30)),
        stamps=_stamps(Random(f"stamps of {seed}"), sites),
        chosen_waits_ms=Random(f"chosen waits of {seed}").choice((0, 3, 3, 300)),
    )
    acts = [*_users(random, sites, calm_at), *_faults(random, sites, calm_at)]
    acts += _readers(random, sites, [at for at, act in acts if isinstance(act, Submit)])
    lag, readmitted = readmissions(Random(f"readmissions of {seed}"), sites, calm_at)
    setup, acts = replace(setup, change_lag=lag), acts + readmitted
    setup, changes = members_change(Random(f"members of {seed}"), setup, calm_at)
    acts += changes
    if (others := beside_a_leader(Random(f"a leader that lasts of {seed}"), setup)) is not None:
        setup, acts, calm_at = others
    acts.sort(key=itemgetter(0))
    return Schedule(setup, tuple(Line(act, at) for at, act in acts), calm_at)


def _leadership(random: Random, sites: int) -> tuple[Leadership, ...]:
    if random.random() < 0.1:
        return tuple(random.choice(tuple(Leadership)) for _ in range(sites))
    return (random.choice(tuple(Leadership)),) * sites


def _stamps(random: Random, sites: int) -> tuple[tuple[SiteId, tuple[int, ...]], ...]:
    """Drawn apart from all else: a seed without a wrong clock is the run that it is where no clock is ever wrong."""
    if random.random() >= 0.1:
        return ()
    return ((NAMES[random.randrange(sites)], tuple(random.sample(_WRONG_MS, random.randint(1, 3)))),)


# The links


def _links(random: Random, sites: int) -> tuple[tuple[Weather, ...], ...]:
    usual = _weather(random)
    odd = random.choice((0.0, 0.0, 0.2, 0.5))
    return tuple(
        tuple(_weather(random) if random.random() < odd else usual for _ in range(sites)) for _ in range(sites)
    )


def _weather(random: Random) -> Weather:
    return Weather(
        loss=random.choice((0.0, 0.0, 0.02, 0.1, 0.3, 0.5)),
        duplicate=random.choice((0.0, 0.0, 0.1, 0.3)),
        delay_min=random.choice((0, 1, 1, 20)),
        delay_spread=random.choice((1, 5, 40, 300)),
        late=random.choice((0.0, 0.0, 0.01, 0.1)),
        late_max=random.choice((1_000, 20_000, 180_000)),
        stale=random.choice((0.0, 0.0, 0.02, 0.1)),
    )


def _disk_ms(random: Random) -> int:
    return random.choice((0, 0, 0, 1, 5, 40))


# The users


def _users(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    count = int(2 * 20 ** random.random())
    busy = random.choice((1, sites, sites))  # how many sites have users
    first = Tick(random.choice((0, 1_000, 2_000)))
    last = Tick(first + int((calm_at - first) * random.choice((0.02, 0.3, 1.0))))
    acts: list[Timed] = [
        (
            Tick(random.randint(first, last)),
            Submit(
                site=a_site(random, busy),
                operations=tuple(_operation(random, sites) for _ in range(_together(random))),
                timeout=Tick(random.choice((200, 2_000, 10_000, 10_000))),
                retry=random.random() < 0.4,
                give_up_ms=random.randint(1, 3_000) if random.random() < 0.1 else None,
            ),
        )
        for _ in range(count)
    ]
    acts.extend((a_moment(random, calm_at), FillHoles(a_site(random, sites))) for _ in range(random.choice((0, 0, 2))))
    return acts


def _together(random: Random) -> int:
    """How many events are submitted together: mostly one, sometimes more than fit into a message."""
    return random.choice((1, 1, 1, 1, 1, 2, 3, random.randint(4, 24)))


def _readers(random: Random, sites: int, submitted: list[Tick]) -> list[Timed]:
    """They read soon after something was submitted, often several at one site in the same moment."""
    acts: list[Timed] = []
    for _ in range(random.choice((0, 1, 4, 16))):
        at, site = random.choice(submitted) + int(1_000 ** random.random()), a_site(random, sites)
        timeout = Tick(random.choice((200, 2_000, 10_000)))
        acts.extend((Tick(at + 3 * number), Read(site, timeout)) for number in range(random.choice((1, 1, 3))))
    return acts


def _operation(random: Random, sites: int) -> Operation:
    other = a_site(random, sites)
    return random.choice((Tweet("t"), Tweet("t"), Tweet("t" * random.randint(2, 280)), Block(other), Unblock(other)))


# The faults


def _faults(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    acts: list[Timed] = []
    for kind in _KINDS:
        if random.random() < 0.35:
            acts.extend(kind(random, sites, calm_at))
    return acts


def _count(random: Random) -> int:
    """Mostly few, sometimes many."""
    return int(12 ** random.random())


def _crashes(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    return [
        (
            a_moment(random, calm_at),
            Crash(
                site=a_site(random, sites),
                points=random.choice((0, random.randint(1, 3), random.randint(1, 20))),
                only=random.choice((None, None, None, *_CRASH_POINTS)),
                kept=random.random(),
                down_ms=down_ms(random),
            ),
        )
        for _ in range(2 * _count(random))
    ]


def _restarts_of_all(random: Random, _: int, calm_at: Tick) -> list[Timed]:
    return [(a_moment(random, calm_at), CrashAll(random.random(), down_ms(random)))]


def _pauses(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    return [
        (a_moment(random, calm_at), Pause(a_site(random, sites), int(20 * 1_000 ** random.random())))
        for _ in range(_count(random))
    ]


def _clock_jumps(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    return [
        (a_moment(random, calm_at), ClockJump(a_site(random, sites), int(10 * 10_000 ** random.random())))
        for _ in range(_count(random))
    ]


def _cuts(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    acts: list[Timed] = []
    for _ in range(_count(random)):
        shape = random.choice(("one-way", "alone", "split", "star", "chain", "bridge"))
        links = _shape(random, NAMES[:sites], shape)
        acts.append((a_moment(random, calm_at), Cut(links, int(50 * 400 ** random.random()), shape)))
    return acts


def _shape(random: Random, names: tuple[SiteId, ...], shape: str) -> Links:
    """The links to cut."""
    order = random.sample(names, len(names))
    place = {site: position for position, site in enumerate(order)}
    half = random.randint(1, max(1, len(names) - 1))
    pairs = [(a, b) for a in names for b in names if a != b]
    match shape:
        case "one-way":
            return tuple(random.sample(pairs, random.randint(1, len(pairs)))) if pairs else ()
        case "alone":
            return tuple((a, b) for a, b in pairs if order[0] in (a, b))
        case "star":  # all talk to one alone
            return tuple((a, b) for a, b in pairs if order[0] not in (a, b))
        case "chain":  # each talks to its neighbours alone
            return tuple((a, b) for a, b in pairs if abs(place[a] - place[b]) > 1)
        case "bridge":  # two halves, joined by one site that talks to all
            return tuple(
                (a, b) for a, b in pairs if order[0] not in (a, b) and (place[a] <= half) != (place[b] <= half)
            )
        case _:  # two halves
            return tuple((a, b) for a, b in pairs if (place[a] < half) != (place[b] < half))


def _failed_disks(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    acts: list[Timed] = []
    for _ in range(_count(random)):
        at, site, away_ms = a_moment(random, calm_at), a_site(random, sites), down_ms(random)
        acts.append((at, random.choice((FailSync(site, away_ms), FillDisk(site, away_ms)))))
    return acts


def _lost_disks(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    acts: list[Timed] = []
    for _ in range(random.randint(1, 3)):
        at, site, away_ms = a_moment(random, calm_at), a_site(random, sites), down_ms(random)
        match random.choice(("wipe", "copy", "copy", "bit")):
            case "wipe":
                acts.append((at, Wipe(site, away_ms)))
            case "copy":
                acts.append((Tick(random.randint(0, at)), TakeCopy(site)))
                acts.append((at, PutBack(site, away_ms)))
            case _:
                acts.append((at, FlipBit(site, random.choice((None, random.random(), random.random())))))
    return acts


def _abandoned(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """Slots in which only their author has accepted anything. It tells of them, to whoever asks how far the log goes,
    and goes away for long: the others settle the slot as a no-op, and go on."""
    acts: list[Timed] = []
    for _ in range(2 * _count(random) if sites > 1 else 0):
        at, (author, other) = a_moment(random, calm_at), random.sample(NAMES[:sites], 2)
        back = Tick(at + random.randint(10, 100))
        away = Tick(back + random.randint(150, 800))
        later = Tick(away + random.randint(1_000, 8_000))
        acts.append((at, tweets(author, 1)))
        acts.append((at, Crash(author, random.randint(1, 2), CrashPoint.AFTER_COMMIT, 0.0, back - at)))
        acts.append((back, Crash(other, 0, None, 0.0, random.randint(10, 100))))
        acts.append((away, Crash(author, 0, None, 0.0, random.randint(5_000, 20_000))))
        acts.append((later, tweets(other, 1)))
    return [(at, act) for at, act in acts if at < calm_at]


def _bursts(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """Many events at once at a site that goes mute in the middle, and away at the end: if it leads, there are gaps
    between what it had in flight."""
    acts: list[Timed] = []
    for _ in range(_count(random)):
        at, site, count = a_moment(random, calm_at), a_site(random, sites), random.randint(3, 8)
        links = tuple((site, other) for other in NAMES[:sites] if other != site)
        acts.extend((Tick(at + number), tweets(site, random.randint(1, 4))) for number in range(count))
        acts.append((Tick(at + random.randint(1, count - 1)), Cut(links, random.randint(1, 3), "one-way")))
        gone = Tick(at + count + random.randint(0, 20))
        acts.append((gone, Crash(site, 0, None, 0.0, random.randint(2_000, 20_000))))
    return [(at, act) for at, act in acts if at < calm_at]


def _torn_runs(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """Many events together, of which another site hears all but that they are chosen. It learns so in pages, and ends
    between two of them, once or again."""
    acts: list[Timed] = []
    for _ in range(2 * _count(random) if sites > 1 else 0):
        at, (author, other) = a_moment(random, calm_at), random.sample(NAMES[:sites], 2)
        deaf_ms = int(100 * 20 ** random.random())
        links = tuple((site, other) for site in NAMES[:sites] if site != other)
        acts.append((at, tweets(author, random.randint(4, 24))))
        acts.append((Tick(at + random.randint(1, 40)), Cut(links, deaf_ms, "one-way")))
        for _ in range(random.randint(1, 3)):
            ends = Tick(at + deaf_ms + random.randint(0, 1_000))
            acts.append((ends, Crash(other, random.randint(1, 12), None, random.random(), random.randint(10, 100))))
    return [(at, act) for at, act in acts if at < calm_at]


_KINDS: Final = (
    *(_crashes, _restarts_of_all, _pauses, _clock_jumps, _cuts, _failed_disks, _lost_disks, _abandoned, _bursts),
    _torn_runs,
)
