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

from engine.core.entry import AT_MS_MAX, Block, Kind, Operation, Tweet, Unblock
from engine.core.ids import NUMBER_MAX, SiteId, Tick
from engine.core.settings import CHANGE_LAG, Leadership, Timings
from engine.sim.scenario.acts import (
    Act,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    Links,
    MembersChange,
    Pause,
    PutBack,
    Read,
    Readmission,
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.scenario.schedule import Line, Schedule
from engine.sim.sometimes import CrashPoint
from engine.sim.world.setup import Setup, Weather

Timed = tuple[Tick, Act]

NAMES: Final = tuple(SiteId(name) for name in ("alice", "bob", "carol", "dave", "erin", "frank", "grace"))

_CRASH_POINTS: Final = tuple(point for point in CrashPoint if point is not CrashPoint.IDLE)

_WRONG_MS: Final = (-(2**62), -86_400_000, -1, AT_MS_MAX, AT_MS_MAX + 1, NUMBER_MAX, NUMBER_MAX + 1, 2**62)
"""What a wall clock may say of 1970 and long before, of the year 9999 and long after."""

_CHANGES: Final = (Kind.ADD, Kind.ADD, Kind.ADD_LEARNER, Kind.PROMOTE, Kind.REMOVE, Kind.REMOVE, Kind.MOVE)

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
    lag, readmissions = _readmissions(Random(f"readmissions of {seed}"), sites, calm_at)
    setup, acts = replace(setup, change_lag=lag), acts + readmissions
    setup, changes = _members_change(Random(f"members of {seed}"), setup, calm_at)
    acts += changes
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
                site=_site(random, busy),
                operations=tuple(_operation(random, sites) for _ in range(_together(random))),
                timeout=Tick(random.choice((200, 2_000, 10_000, 10_000))),
                retry=random.random() < 0.4,
                give_up_ms=random.randint(1, 3_000) if random.random() < 0.1 else None,
            ),
        )
        for _ in range(count)
    ]
    acts.extend((_moment(random, calm_at), FillHoles(_site(random, sites))) for _ in range(random.choice((0, 0, 2))))
    return acts


def _together(random: Random) -> int:
    """How many events are submitted together: mostly one, sometimes more than fit into a message."""
    return random.choice((1, 1, 1, 1, 1, 2, 3, random.randint(4, 24)))


def _readers(random: Random, sites: int, submitted: list[Tick]) -> list[Timed]:
    """They read soon after something was submitted, often several at one site in the same moment."""
    acts: list[Timed] = []
    for _ in range(random.choice((0, 1, 4, 16))):
        at, site = random.choice(submitted) + int(1_000 ** random.random()), _site(random, sites)
        timeout = Tick(random.choice((200, 2_000, 10_000)))
        acts.extend((Tick(at + 3 * number), Read(site, timeout)) for number in range(random.choice((1, 1, 3))))
    return acts


def _operation(random: Random, sites: int) -> Operation:
    other = _site(random, sites)
    return random.choice((Tweet("t"), Tweet("t"), Tweet("t" * random.randint(2, 280)), Block(other), Unblock(other)))


def _site(random: Random, sites: int) -> SiteId:
    return NAMES[random.randrange(sites)]


def _moment(random: Random, calm_at: Tick) -> Tick:
    return Tick(random.randint(0, calm_at))


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


def _down_ms(random: Random) -> int:
    return int(10 * 1_000 ** random.random())


def _crashes(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    return [
        (
            _moment(random, calm_at),
            Crash(
                site=_site(random, sites),
                points=random.choice((0, random.randint(1, 3), random.randint(1, 20))),
                only=random.choice((None, None, None, *_CRASH_POINTS)),
                kept=random.random(),
                down_ms=_down_ms(random),
            ),
        )
        for _ in range(2 * _count(random))
    ]


def _restarts_of_all(random: Random, _: int, calm_at: Tick) -> list[Timed]:
    return [(_moment(random, calm_at), CrashAll(random.random(), _down_ms(random)))]


def _pauses(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    return [
        (_moment(random, calm_at), Pause(_site(random, sites), int(20 * 1_000 ** random.random())))
        for _ in range(_count(random))
    ]


def _clock_jumps(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    return [
        (_moment(random, calm_at), ClockJump(_site(random, sites), int(10 * 10_000 ** random.random())))
        for _ in range(_count(random))
    ]


def _cuts(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    acts: list[Timed] = []
    for _ in range(_count(random)):
        shape = random.choice(("one-way", "alone", "split", "star", "chain", "bridge"))
        links = _shape(random, NAMES[:sites], shape)
        acts.append((_moment(random, calm_at), Cut(links, int(50 * 400 ** random.random()), shape)))
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
        at, site, down_ms = _moment(random, calm_at), _site(random, sites), _down_ms(random)
        acts.append((at, random.choice((FailSync(site, down_ms), FillDisk(site, down_ms)))))
    return acts


def _lost_disks(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    acts: list[Timed] = []
    for _ in range(random.randint(1, 3)):
        at, site, down_ms = _moment(random, calm_at), _site(random, sites), _down_ms(random)
        match random.choice(("wipe", "copy", "copy", "bit")):
            case "wipe":
                acts.append((at, Wipe(site, down_ms)))
            case "copy":
                acts.append((Tick(random.randint(0, at)), TakeCopy(site)))
                acts.append((at, PutBack(site, down_ms)))
            case _:
                acts.append((at, FlipBit(site, random.choice((None, random.random(), random.random())))))
    return acts


def _readmissions(random: Random, sites: int, calm_at: Tick) -> tuple[int, list[Timed]]:
    """Disks are lost and their sites readmitted, soon or late, by one site or by several at once; some of them are lost
    again. Drawn apart from all else: a seed without is the run that it is where nobody is ever readmitted."""
    acts: list[Timed] = []
    if sites == 1 or random.random() >= 0.15:
        return CHANGE_LAG, acts
    if random.random() < 0.4:
        acts += _replaced_in_turn(random, sites, calm_at)
    for _ in range(random.choice((1, 2, 3))):
        at, member, down_ms = _moment(random, calm_at), _site(random, sites), int(10 * 300 ** random.random())
        if random.random() < 0.8:
            acts.append((at, Wipe(member, down_ms)))
        for _ in range(random.choice((1, 2, 4))):
            asked = Tick(at + down_ms + int(10 * 1_000 ** random.random()))
            acts.append((asked, Readmission(_site(random, sites), member)))
            if random.random() < 0.3:
                acts.append((asked, Readmission(_site(random, sites), _site(random, sites))))
            if random.random() < 0.3:
                acts.append((Tick(asked + random.randint(0, 300)), _crash(random, sites)))
    return random.choice((1, 2, 5, 16, 64)), [(at, act) for at, act in acts if at < calm_at]


def _replaced_in_turn(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """All start again while one of them is cut off, so that the others alone make the first majority. One of these
    loses its disk and is readmitted, and soon has something to say; then the next one."""
    acts: list[Timed] = []
    names = NAMES[:sites]
    at = _moment(random, calm_at)
    for _ in range(random.choice((1, 2, 3))):
        away, member, *others = random.sample(names, sites)
        links = tuple((a, b) for a in names for b in names if a != b and away in (a, b))
        cut_ms, wiped = random.randint(500, 6_000), Tick(at + random.randint(1_000, 6_000))
        acts.append((at, Cut(links, cut_ms, "alone")))
        acts.append((at, CrashAll(1.0, random.randint(1, 50))))
        acts += [(Tick(wiped - random.randint(1, 500)), _tweets(random.choice(names), random.randint(1, 3)))]
        acts.append((wiped, Wipe(member, random.randint(1, 200))))
        asked = Tick(wiped + random.randint(300, 3_000))
        acts += [(Tick(asked + 200 * nth), Readmission(by, member)) for nth, by in enumerate((*others, away))]
        for _ in range(6):
            acts.append((Tick(asked + random.randint(1, 3_000)), _tweets(random.choice((member, *names)), 1)))
        at = Tick(asked + random.randint(500, 6_000))
    return acts


def _members_change(random: Random, setup: Setup, calm_at: Tick) -> tuple[Setup, list[Timed]]:
    """Sites are added, promoted, removed and moved, while some of those who ask or are asked for end, are cut off or
    lose their disks. Drawn apart from all else."""
    acts: list[Timed] = []
    founders, more = len(setup.names), random.choice((0, 1, 1, 2, 3))
    if random.random() >= 0.15 or founders + more > len(NAMES):
        return setup, acts
    names = NAMES[: founders + more]
    setup = _with_later(random, setup, names, random.choice((1, 2, 5, 16, 64)))
    at = _moment(random, calm_at)
    if more and random.random() < 0.5:
        acts += _one_after_another(random, names, founders, at)
    for _ in range(random.choice((1, 2, 4, 8))):
        at = _moment(random, calm_at)
        acts += _asked(random, names, at, random.choice(_CHANGES), random.choice(names))
        if random.random() < 0.4:
            acts.append((Tick(at + random.randint(0, 300)), _crash(random, len(names))))
        if random.random() < 0.2:
            alone = random.choice(names)
            links = tuple((a, b) for a in names for b in names if a != b and alone in (a, b))
            acts.append((at, Cut(links, random.randint(100, 5_000), "alone")))
        if random.random() < 0.2:
            acts.append((Tick(at + random.randint(0, 3_000)), Wipe(random.choice(names), _down_ms(random))))
        acts += [(_moment(random, calm_at), _tweets(random.choice(names), random.randint(1, 3))) for _ in range(3)]
    return setup, [(at, act) for at, act in acts if at < calm_at]


def _one_after_another(random: Random, names: tuple[SiteId, ...], founders: int, at: Tick) -> list[Timed]:
    """Who was there is replaced by who was not; and perhaps comes back, on the store that it had."""
    acts: list[Timed] = []
    for new, old in zip(names[founders:], random.sample(names[:founders], founders), strict=False):
        acts += _asked(random, names, at, Kind.ADD, new)
        at = Tick(at + random.randint(1_000, 8_000))
        acts += _asked(random, names, at, Kind.REMOVE, old)
        acts += [(Tick(at + int(500 ** random.random())), _tweets(old, random.randint(1, 3))) for _ in range(4)]
        at = Tick(at + random.randint(500, 4_000))
        if random.random() < 0.4:
            acts += _asked(random, names, at, Kind.ADD, old)
        acts.append((at, _tweets(random.choice((old, new)), 2)))
    return acts


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


def _crash(random: Random, sites: int) -> Crash:
    return Crash(_site(random, sites), random.randint(0, 4), None, random.random(), _down_ms(random))


def _abandoned(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """Slots in which only their author has accepted anything. It tells of them, to whoever asks how far the log goes,
    and goes away for long: the others settle the slot as a no-op, and go on."""
    acts: list[Timed] = []
    for _ in range(2 * _count(random) if sites > 1 else 0):
        at, (author, other) = _moment(random, calm_at), random.sample(NAMES[:sites], 2)
        back = Tick(at + random.randint(10, 100))
        away = Tick(back + random.randint(150, 800))
        later = Tick(away + random.randint(1_000, 8_000))
        acts.append((at, _tweets(author, 1)))
        acts.append((at, Crash(author, random.randint(1, 2), CrashPoint.AFTER_COMMIT, 0.0, back - at)))
        acts.append((back, Crash(other, 0, None, 0.0, random.randint(10, 100))))
        acts.append((away, Crash(author, 0, None, 0.0, random.randint(5_000, 20_000))))
        acts.append((later, _tweets(other, 1)))
    return [(at, act) for at, act in acts if at < calm_at]


def _bursts(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """Many events at once at a site that goes mute in the middle, and away at the end: if it leads, there are gaps
    between what it had in flight."""
    acts: list[Timed] = []
    for _ in range(_count(random)):
        at, site, count = _moment(random, calm_at), _site(random, sites), random.randint(3, 8)
        links = tuple((site, other) for other in NAMES[:sites] if other != site)
        acts.extend((Tick(at + number), _tweets(site, random.randint(1, 4))) for number in range(count))
        acts.append((Tick(at + random.randint(1, count - 1)), Cut(links, random.randint(1, 3), "one-way")))
        gone = Tick(at + count + random.randint(0, 20))
        acts.append((gone, Crash(site, 0, None, 0.0, random.randint(2_000, 20_000))))
    return [(at, act) for at, act in acts if at < calm_at]


def _torn_runs(random: Random, sites: int, calm_at: Tick) -> list[Timed]:
    """Many events together, of which another site hears all but that they are chosen. It learns so in pages, and ends
    between two of them, once or again."""
    acts: list[Timed] = []
    for _ in range(2 * _count(random) if sites > 1 else 0):
        at, (author, other) = _moment(random, calm_at), random.sample(NAMES[:sites], 2)
        deaf_ms = int(100 * 20 ** random.random())
        links = tuple((site, other) for site in NAMES[:sites] if site != other)
        acts.append((at, _tweets(author, random.randint(4, 24))))
        acts.append((Tick(at + random.randint(1, 40)), Cut(links, deaf_ms, "one-way")))
        for _ in range(random.randint(1, 3)):
            ends = Tick(at + deaf_ms + random.randint(0, 1_000))
            acts.append((ends, Crash(other, random.randint(1, 12), None, random.random(), random.randint(10, 100))))
    return [(at, act) for at, act in acts if at < calm_at]


def _tweets(site: SiteId, count: int) -> Submit:
    return Submit(site, (Tweet("t"),) * count, Tick(10_000), retry=False, give_up_ms=None)


_KINDS: Final = (
    *(_crashes, _restarts_of_all, _pauses, _clock_jumps, _cuts, _failed_disks, _lost_disks, _abandoned, _bursts),
    _torn_runs,
)
