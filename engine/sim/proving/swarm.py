"""A seed draws a plan: which faults are on, and how strong; how many sites; what the users do.

Rules that hold here:
- Swarm testing (Groce et al., 2012): each run leaves most kinds of faults out, so that those it has meet each other in
  strengths that an average of everything would never show.
- Plans are short: many small worlds find more than one long one.
"""

from __future__ import annotations

from random import Random
from typing import Final

from engine.core.entry import AT_MS_MAX, Block, Operation, Tweet, Unblock
from engine.core.ids import NUMBER_MAX, SiteId, Tick
from engine.core.settings import Leadership, Timings
from engine.sim.sometimes import CrashPoint
from engine.sim.world.plan import (
    Act,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    Pause,
    Plan,
    PutBack,
    Read,
    Setup,
    Submit,
    TakeCopy,
    Weather,
    Wipe,
)

NAMES: Final = tuple(SiteId(name) for name in ("alice", "bob", "carol", "dave", "erin", "frank", "grace"))

_CRASH_POINTS: Final = tuple(point for point in CrashPoint if point is not CrashPoint.IDLE)

_WRONG_MS: Final = (-(2**62), -86_400_000, -1, AT_MS_MAX, AT_MS_MAX + 1, NUMBER_MAX, NUMBER_MAX + 1, 2**62)
"""What a wall clock may say of 1970 and long before, of the year 9999 and long after."""

_SIZES: Final = (1, 2, 3, 4, 5, 7)
_SIZE_WEIGHTS: Final = (3, 7, 42, 7, 35, 6)


def draw(seed: int) -> Plan:
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
    )
    acts = [*_users(random, sites, calm_at), *_faults(random, sites, calm_at)]
    acts += _readers(random, sites, [act.at for act in acts if isinstance(act, Submit)])
    return Plan(setup, tuple(sorted(acts, key=lambda act: act.at)), calm_at)


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


def _users(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    count = int(2 * 20 ** random.random())
    busy = random.choice((1, sites, sites))  # how many sites have users
    first = Tick(random.choice((0, 1_000, 2_000)))
    last = Tick(first + int((calm_at - first) * random.choice((0.02, 0.3, 1.0))))
    acts: list[Act] = [
        Submit(
            at=Tick(random.randint(first, last)),
            site=random.randrange(busy),
            operation=_operation(random, sites),
            timeout=Tick(random.choice((200, 2_000, 10_000, 10_000))),
            retry=random.random() < 0.4,
            give_up_ms=random.randint(1, 3_000) if random.random() < 0.1 else None,
        )
        for _ in range(count)
    ]
    acts.extend(FillHoles(_moment(random, calm_at), random.randrange(sites)) for _ in range(random.choice((0, 0, 2))))
    return acts


def _readers(random: Random, sites: int, submitted: list[Tick]) -> list[Act]:
    """They read soon after something was submitted, often several at one site in the same moment."""
    acts: list[Act] = []
    for _ in range(random.choice((0, 1, 4, 16))):
        at, site = random.choice(submitted) + int(1_000 ** random.random()), random.randrange(sites)
        timeout = Tick(random.choice((200, 2_000, 10_000)))
        acts.extend(Read(Tick(at + 3 * number), site, timeout) for number in range(random.choice((1, 1, 3))))
    return acts


def _operation(random: Random, sites: int) -> Operation:
    other = NAMES[random.randrange(sites)]
    return random.choice((Tweet("t"), Tweet("t"), Tweet("t" * random.randint(2, 280)), Block(other), Unblock(other)))


def _moment(random: Random, calm_at: Tick) -> Tick:
    return Tick(random.randint(0, calm_at))


# The faults


def _faults(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    acts: list[Act] = []
    for kind in _KINDS:
        if random.random() < 0.35:
            acts.extend(kind(random, sites, calm_at))
    return acts


def _count(random: Random) -> int:
    """Mostly few, sometimes many."""
    return int(12 ** random.random())


def _down_ms(random: Random) -> int:
    return int(10 * 1_000 ** random.random())


def _crashes(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    return [
        Crash(
            at=_moment(random, calm_at),
            site=random.randrange(sites),
            points=random.choice((0, random.randint(1, 3), random.randint(1, 20))),
            only=random.choice((None, None, None, *_CRASH_POINTS)),
            kept=random.random(),
            down_ms=_down_ms(random),
        )
        for _ in range(2 * _count(random))
    ]


def _restarts_of_all(random: Random, _: int, calm_at: Tick) -> list[Act]:
    return [CrashAll(_moment(random, calm_at), random.random(), _down_ms(random))]


def _pauses(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    return [
        Pause(_moment(random, calm_at), random.randrange(sites), int(20 * 1_000 ** random.random()))
        for _ in range(_count(random))
    ]


def _clock_jumps(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    return [
        ClockJump(_moment(random, calm_at), random.randrange(sites), int(10 * 10_000 ** random.random()))
        for _ in range(_count(random))
    ]


def _cuts(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    acts: list[Act] = []
    for _ in range(_count(random)):
        shape = random.choice(("one-way", "alone", "split", "star", "chain", "bridge"))
        links = _shape(random, sites, shape)
        acts.append(Cut(_moment(random, calm_at), links, int(50 * 400 ** random.random()), shape))
    return acts


def _shape(random: Random, sites: int, shape: str) -> tuple[tuple[int, int], ...]:
    """The links to cut."""
    order = random.sample(range(sites), sites)
    place = {site: position for position, site in enumerate(order)}
    half = random.randint(1, max(1, sites - 1))
    pairs = [(a, b) for a in range(sites) for b in range(sites) if a != b]
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


def _failed_disks(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    acts: list[Act] = []
    for _ in range(_count(random)):
        at, site, down_ms = _moment(random, calm_at), random.randrange(sites), _down_ms(random)
        acts.append(random.choice((FailSync(at, site, random.random(), down_ms), FillDisk(at, site, down_ms))))
    return acts


def _lost_disks(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    acts: list[Act] = []
    for _ in range(random.randint(1, 3)):
        at, site, down_ms = _moment(random, calm_at), random.randrange(sites), _down_ms(random)
        match random.choice(("wipe", "copy", "copy", "bit")):
            case "wipe":
                acts.append(Wipe(at, site, down_ms))
            case "copy":
                acts.append(TakeCopy(Tick(random.randint(0, at)), site))
                acts.append(PutBack(at, site, down_ms))
            case _:
                acts.append(FlipBit(at, site, random.choice((None, random.random(), random.random()))))
    return acts


def _abandoned(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    """Slots in which only their author has accepted anything. It tells of them, to whoever asks how far the log goes,
    and goes away for long: the others settle the slot as a no-op, and go on."""
    acts: list[Act] = []
    for _ in range(2 * _count(random) if sites > 1 else 0):
        at, (author, other) = _moment(random, calm_at), random.sample(range(sites), 2)
        back = Tick(at + random.randint(10, 100))
        away = Tick(back + random.randint(150, 800))
        later = Tick(away + random.randint(1_000, 8_000))
        acts.append(_tweet(at, author))
        acts.append(Crash(at, author, random.randint(1, 2), CrashPoint.AFTER_COMMIT, 0.0, back - at))
        acts.append(Crash(back, other, 0, None, 0.0, random.randint(10, 100)))
        acts.append(Crash(away, author, 0, None, 0.0, random.randint(5_000, 20_000)))
        acts.append(_tweet(later, other))
    return [act for act in acts if act.at < calm_at]


def _bursts(random: Random, sites: int, calm_at: Tick) -> list[Act]:
    """Many events at once at a site that goes mute in the middle, and away at the end: if it leads, there are gaps
    between what it had in flight."""
    acts: list[Act] = []
    for _ in range(_count(random)):
        at, site, count = _moment(random, calm_at), random.randrange(sites), random.randint(3, 8)
        links = tuple((site, other) for other in range(sites) if other != site)
        acts.extend(_tweet(Tick(at + number), site) for number in range(count))
        acts.append(Cut(Tick(at + random.randint(1, count - 1)), links, random.randint(1, 3), "one-way"))
        acts.append(Crash(Tick(at + count + random.randint(0, 20)), site, 0, None, 0.0, random.randint(2_000, 20_000)))
    return [act for act in acts if act.at < calm_at]


def _tweet(at: Tick, site: int) -> Submit:
    return Submit(at, site, Tweet("t"), Tick(10_000), retry=False, give_up_ms=None)


_KINDS: Final = (
    *(_crashes, _restarts_of_all, _pauses, _clock_jumps, _cuts, _failed_disks, _lost_disks, _abandoned, _bursts),
)
