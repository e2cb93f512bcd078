"""What goes wrong in a campaign, and when: drawn from one seed before it begins.

Rules that hold here:
- Pure: the same seed gives the same schedule. What the machine makes of it is another time's matter each time.
- A site has one trouble of its process at a time; troubles of the network overlap as they like. Whom a long pause hits
  is known only when it begins, so it may meet a site that is to be killed or frozen: then the pause stands.
- One site at most loses its disk, after the long pause: so the others can go on without it (D5).
- Every fault ends by itself, the last ones together with the schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import inf
from random import Random
from typing import Final

from engine.core.ids import quorum_size

Names = tuple[str, ...]

GAP_MAX_S: Final = 3.0
"""The longest time from one fault to the next."""

DEAD_MAX_S: Final = 6.0
"""The longest time for which no majority can talk: then nothing happens that could go wrong."""

BRIEF_S: Final = 0.3

LONG_PAUSE_S: Final = 60.0
"""How long a leader stands still once, in a schedule that has room for it."""

LONG_PAUSE_BEGINS_S: Final = (2.0, 6.0)
_ROOM_FOR_LONG_PAUSE_S: Final = 80.0

_AFTER_LOST_DISK_S: Final = 3.0
"""How much of a schedule is left at least when a site runs on what is no longer its store."""

_LASTS_MAX_S: Final = 12.0

_MESSAGES: Final = ("prepare", "promise", "accept", "accepted", "refused", "chosen", "known", "highest", "heartbeat")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the engines' own fault layer, at each of `sites`. `kind` is its name in the report."""

    kind: str
    sites: Names
    text: str


@dataclass(frozen=True, slots=True)
class Partition:
    """Sites of different groups do not hear each other."""

    groups: tuple[Names, ...]

    def side_of(self, site: str) -> int:
        return next(side for side, group in enumerate(self.groups) if site in group)


@dataclass(frozen=True, slots=True)
class Deafness:
    """What `site` sends never reaches `peer`; the other way it does."""

    site: str
    peer: str


@dataclass(frozen=True, slots=True)
class Unplugged:
    """A site whose network is gone. `locally`: its own interface is down, so that sending fails there."""

    site: str
    locally: bool


@dataclass(frozen=True, slots=True)
class Killed:
    """`kill -9`, all of them at once; they start again when the fault ends."""

    sites: Names


@dataclass(frozen=True, slots=True)
class Frozen:
    """SIGSTOP until the fault ends."""

    sites: Names


@dataclass(frozen=True, slots=True)
class Stopped:
    """SIGTERM, and a new start when the fault ends."""

    site: str


@dataclass(frozen=True, slots=True)
class LongPause:
    """SIGSTOP, until the fault ends, of the site that leads when it begins; of this one where none leads."""

    otherwise: str


@dataclass(frozen=True, slots=True)
class Wiped:
    """`kill -9`, and the store is gone; the site starts with a new one when the fault ends (D5)."""

    site: str


@dataclass(frozen=True, slots=True)
class PutBack:
    """A copy of the store is made when the fault begins, and takes the store's place when it ends (D5). In between the
    site goes on."""

    site: str


LostDisk = Wiped | PutBack
Trouble = LostDisk | Rule | Partition | Deafness | Unplugged | Killed | Frozen | Stopped | LongPause


@dataclass(frozen=True, slots=True)
class Fault:
    """Times are seconds since the schedule began."""

    begins_s: float
    ends_s: float
    trouble: Trouble


def draw(random: Random, names: Sequence[str], seconds: float) -> list[Fault]:
    """The faults of a campaign, in the order in which they begin."""
    faults: list[Fault] = []
    free_at = dict.fromkeys(names, 0.0)
    if seconds >= _ROOM_FOR_LONG_PAUSE_S:
        begins = random.uniform(*LONG_PAUSE_BEGINS_S)
        faults.append(Fault(begins, begins + LONG_PAUSE_S, LongPause(random.choice(names))))
    faults.append(_lost_disk(random, names, max((fault.ends_s for fault in faults), default=0.0), seconds))
    now = random.uniform(0.5, 1.5)
    while now < seconds - 1:
        lasts = min(random.choice((0.3, 1.0, 2.0, 4.0, 8.0)) * random.uniform(0.5, 1.5), seconds - now)
        away = _site_at_risk(faults, now)
        trouble = _trouble(random, [name for name in names if free_at[name] <= now and name != away], tuple(names))
        fault = _bearable(faults, (Fault(now, now + each, trouble) for each in (lasts, lasts / 4, BRIEF_S)), names)
        if fault is not None:
            faults.append(fault)
            if isinstance(trouble, Killed | Frozen | Stopped):
                free_at.update(dict.fromkeys(_sites_of(trouble), fault.ends_s))
        now += random.uniform(0.2, GAP_MAX_S)
    return sorted(faults, key=lambda fault: fault.begins_s)


def _lost_disk(random: Random, names: Sequence[str], after_s: float, seconds: float) -> Fault:
    """One, at some time after the first third."""
    kind = random.choice((Wiped, PutBack))
    lasts = min(random.uniform(0.5, 2.0) if kind is Wiped else random.uniform(3.0, 6.0), seconds / 3)
    ends = random.uniform(max(after_s, seconds / 3) + lasts, max(after_s + lasts, seconds - _AFTER_LOST_DISK_S))
    return Fault(ends - lasts, ends, kind(random.choice(names)))


def _site_at_risk(faults: Sequence[Fault], now_s: float) -> str | None:
    """Whose disk is about to be lost, so that nothing else may happen to its process."""
    for fault in faults:
        if isinstance(fault.trouble, LostDisk) and fault.begins_s - _LASTS_MAX_S <= now_s < fault.ends_s:
            return fault.trouble.site
    return None


def _bearable(faults: Sequence[Fault], candidates: Iterable[Fault], names: Sequence[str]) -> Fault | None:
    """The first candidate that leaves some majority whole often enough. `faults`: those drawn before."""
    for candidate in candidates:
        recent = [fault for fault in faults if _stands_until_s(fault) > candidate.begins_s - DEAD_MAX_S]
        whole = majority_spans([*recent, candidate], names)
        edges = [end for _, end in whole], [*(begin for begin, _ in whole[1:]), candidate.ends_s]
        if all(after - before <= DEAD_MAX_S for before, after in zip(*edges, strict=True)):
            return candidate
    return None


def majority_spans(faults: Sequence[Fault], names: Sequence[str]) -> list[tuple[float, float]]:
    """The times, in seconds since the schedule began, at which a majority runs and is not cut apart."""
    edges = sorted({0.0, *(edge for fault in faults for edge in (fault.begins_s, fault.ends_s))})
    spans: list[tuple[float, float]] = []
    for begin, end in pairwise(edges):
        standing = [fault.trouble for fault in faults if fault.begins_s <= begin < _stands_until_s(fault)]
        whole = [group for group in combinations(names, quorum_size(len(names))) if _is_whole(group, standing)]
        if any(isinstance(trouble, LongPause) for trouble in standing):
            sure = all(any(name not in group for group in whole) for name in names)
        else:
            sure = bool(whole)
        if sure:
            joins = bool(spans) and spans[-1][1] == begin
            spans[-1:] = [(spans[-1][0], end)] if joins else [*spans[-1:], (begin, end)]
    return spans


def _stands_until_s(fault: Fault) -> float:
    """A site that lost its disk never votes again (D5)."""
    return inf if isinstance(fault.trouble, LostDisk) else fault.ends_s


def _is_whole(group: Names, standing: Sequence[Trouble]) -> bool:
    members = set(group)
    for trouble in standing:
        match trouble:
            case Killed(sites) | Frozen(sites):
                broken = not members.isdisjoint(sites)
            case Stopped(site) | Unplugged(site) | Wiped(site) | PutBack(site):
                broken = site in members
            case Deafness(site, peer):
                broken = {site, peer} <= members
            case Partition():
                broken = len({trouble.side_of(site) for site in members}) > 1
            case Rule():
                broken = False  # it makes everything slow, no more
            case LongPause():
                broken = False  # whom it hits is not known here
        if broken:
            return False
    return True


def describe(fault: Fault) -> str:
    """What a person reads of it."""
    trouble = fault.trouble
    match trouble:
        case Rule(kind, sites):
            return f"{kind} at {', '.join(sites)}"
        case Partition(groups):
            return "partition " + " | ".join(",".join(group) for group in groups)
        case Deafness(site, peer):
            return f"{peer} deaf to {site}"
        case Unplugged(site):
            return f"{site} unplugged"
        case Killed(sites):
            return f"{', '.join(sites)} killed"
        case Frozen(sites):
            return f"{', '.join(sites)} frozen"
        case Stopped(site):
            return f"{site} stopped"
        case LongPause():
            return "a long pause"
        case Wiped(site):
            return f"{site} wiped"
        case PutBack(site):
            return f"an old copy of {site}'s store put back"


def _sites_of(trouble: Killed | Frozen | Stopped) -> Names:
    return (trouble.site,) if isinstance(trouble, Stopped) else trouble.sites


def _trouble(random: Random, free: Sequence[str], names: Names) -> Trouble:
    """`free`: the sites whose processes are well."""
    if free and random.random() < 0.4:
        return _process_trouble(random, free)
    site, peer = random.sample(names, 2)
    match random.randrange(9):
        case 0 | 1 | 2:
            return Partition(_groups(random, names))
        case 3:
            return Deafness(site, peer)
        case 4:
            return Unplugged(site, random.random() < 0.5)
        case 5:
            return Rule("loss", _some(random, names), f"from=* drop={random.choice((5, 20, 50))}%")
        case 6:
            return Rule("duplication", _some(random, names), f"to=* dup={random.choice((10, 50))}%")
        case 7:
            delay_ms = random.choice((20, 100, 400))
            return Rule("delay", _some(random, names), f"to=* delay={delay_ms}ms±{delay_ms}")
        case _:
            types = ",".join(random.sample(_MESSAGES, 2))
            action = random.choice(("drop", "hold"))
            return Rule(f"{action} of some types", (site,), f"to={peer} type={types} {action}")


def _process_trouble(random: Random, free: Sequence[str]) -> Trouble:
    match random.randrange(10):
        case 0:
            return Killed(tuple(free))
        case 1 | 2 | 3 | 4:
            return Killed(_some(random, free[: len(free) // 2 + 1]))
        case 5 | 6 | 7:
            return Frozen(_some(random, free))
        case _:
            return Stopped(random.choice(free))


def _some(random: Random, names: Sequence[str]) -> Names:
    """One site most of the time, sometimes several, sometimes all."""
    count = random.choice((1, 1, 1, 2, 3, len(names)))
    return tuple(sorted(random.sample(list(names), min(count, len(names)))))


def _groups(random: Random, names: Names) -> tuple[Names, ...]:
    """Two groups or three; none is empty."""
    shuffled = random.sample(names, len(names))
    cuts = sorted(random.sample(range(1, len(names)), random.choice((1, 1, min(2, len(names) - 1)))))
    edges = [0, *cuts, len(names)]
    return tuple(tuple(sorted(shuffled[a:b])) for a, b in pairwise(edges))
