"""The recordings of several sites, merged into one course of events.

Rules that hold here:
- The order is that of causes, and of nothing else: each site's own lines in their order, and what was received after it
  was sent. No clock is read for it.
- What came to a site that is no line of its own (a heartbeat) orders all the same: the counter of a datagram tells
  which lines its sender had written by then (W1).
- Of what does not depend on each other, the shorter chain of causes goes first, then the order of the sites. So the
  same files give the same course, in whatever order they are named.
- A step is what a site did at once: a datagram that came, with what the site made of it, until the next one comes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush
from typing import Final

from engine.contract.notifications import DatagramName
from engine.core.ids import SiteId
from tui.counted import plural
from tui.lab.recording import BadRecording, Began, Came, Left, Recorded, Recording
from tui.lab.recording_sites import names, of_one_cluster
from tui.recording import End, Gap

UNDER_WAY_MAX: Final = 100
"""So many of one way may be under way when all ends; what so many more have followed is on no way any more."""

_BEYOND: Final = 2**64
"""Above every counter."""


class Arrival(Enum):
    """Whether a datagram that left arrives, as far as the files tell."""

    ARRIVES = "arrives"
    LOST = "lost"  # later ones of the same way arrived
    UNDER_WAY = "under way"  # when the recording ended
    NOT_TOLD = "not told"  # its addressee is not recorded, or was not then


@dataclass(frozen=True, slots=True)
class Place:
    """A line: `index` among those of its site."""

    site: SiteId
    index: int


@dataclass(frozen=True, slots=True)
class Step:
    """The lines `first` to before `beyond` of a site."""

    site: SiteId
    first: int
    beyond: int


@dataclass(frozen=True, slots=True)
class Course:
    """`names` are all sites of the cluster, `sent_at` says where what came was sent, `arrivals` what becomes of what
    was sent; `findings` are sentences about what the files lack."""

    cluster: str
    names: tuple[SiteId, ...]
    recordings: Mapping[SiteId, Recording]
    steps: tuple[Step, ...]
    sent_at: Mapping[Place, Place]
    arrivals: Mapping[Place, Arrival]
    findings: tuple[str, ...]


def merge(recordings: Iterable[Recording]) -> Course:
    """Raises BadRecording: they are not of one run."""
    files = sorted(recordings, key=lambda each: (each.site, each.name, each.process))
    by_site = of_one_cluster(files)
    sent = {site: _Sent(each.lines) for site, each in by_site.items()}
    steps = {site: tuple(_steps(site, each.lines)) for site, each in by_site.items()}
    came = list(_came(by_site))
    sent_at: dict[Place, Place] = {}
    for place, event in came:
        index = sent[event.sender].of(event.name) if event.sender in sent else None
        if index is not None:
            sent_at[place] = Place(event.sender, index)
    ordered = _Order(by_site, steps, sent, sent_at).steps()
    (header, *_) = (each.header for each in by_site.values())
    return Course(
        cluster=header.cluster,
        names=tuple(SiteId(name) for name in header.sites),
        recordings=by_site,
        steps=tuple(ordered),
        sent_at=sent_at,
        arrivals=_arrivals(by_site, set(sent_at.values())),
        findings=(*_lacking(files), *_unsent(by_site, sent, [each for each in came if each[0] not in sent_at])),
    )


def _steps(site: SiteId, lines: Sequence[Recorded]) -> Iterator[Step]:
    first = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or _begins(lines[index - 1], lines[index]):
            yield Step(site, first, index)
            first = index


def _begins(before: Recorded, line: Recorded) -> bool:
    alone = (Gap, End, Began)
    return isinstance(line.event, (Came, *alone)) or isinstance(before.event, alone) or before.turn != line.turn


def _came(by_site: Mapping[SiteId, Recording]) -> Iterator[tuple[Place, Came]]:
    for site, recording in by_site.items():
        for index, line in enumerate(recording.lines):
            if isinstance(line.event, Came):
                yield Place(site, index), line.event


@dataclass(slots=True)
class _Salt:
    """The datagrams under one salt: their counters ascend with the lines."""

    firsts: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)


class _Sent:
    """Which line of a site a datagram left in."""

    def __init__(self, lines: Sequence[Recorded]) -> None:
        self._salts: dict[str, _Salt] = {}
        for index, line in enumerate(lines):
            if isinstance(line.event, Left) and line.event.first is not None and line.event.last is not None:
                self._add(index, line.event.first, line.event.last)

    def of(self, name: DatagramName) -> int | None:
        salt = self._salts.get(name.salt)
        place = 0 if salt is None else bisect_right(salt.firsts, name.number)
        if salt is None or not place or salt.lasts[place - 1] < name.number:
            return None
        return salt.indexes[place - 1]

    def before(self, name: DatagramName) -> int | None:
        """The last line that was written when this datagram left; None where that is not told."""
        salt = self._salts.get(name.salt)
        place = 0 if salt is None else bisect_right(salt.firsts, name.number)
        return None if salt is None or not place else salt.indexes[place - 1]

    def why_not(self, name: DatagramName) -> str:
        """Why the files may lack this datagram, to end a sentence; empty where nothing tells."""
        salt = self._salts.get(name.salt)
        if salt is None:
            return ": another process of it did, which is not recorded"
        return ": the recording of its sender began later" if name.number < salt.firsts[0] else ""

    def _add(self, index: int, first: DatagramName, last: DatagramName) -> None:
        if first.salt == last.salt:
            self._append(first.salt, index, first.number, last.number)
        else:  # the sender took a new salt in the midst of a packet
            self._append(first.salt, index, first.number, _BEYOND)
            self._append(last.salt, index, 0, last.number)

    def _append(self, name: str, index: int, first: int, last: int) -> None:
        salt = self._salts.setdefault(name, _Salt())
        salt.firsts.append(first)
        salt.lasts.append(last)
        salt.indexes.append(index)


class _Order:
    """The steps of all sites, causes first."""

    def __init__(
        self,
        by_site: Mapping[SiteId, Recording],
        steps: Mapping[SiteId, Sequence[Step]],
        sent: Mapping[SiteId, _Sent],
        sent_at: Mapping[Place, Place],
    ) -> None:
        self._by_site = by_site
        self._steps = steps
        self._rank = {site: rank for rank, site in enumerate(by_site)}
        self._sent = sent
        self._sent_at = sent_at
        self._step_of = {
            site: [number for number, step in enumerate(mine) for _ in range(step.first, step.beyond)]
            for site, mine in steps.items()
        }

    def steps(self) -> Iterator[Step]:
        """Raises BadRecording where something would have to happen before its own cause."""
        waits: dict[Place, int] = {}
        follow: dict[Place, list[Place]] = {}
        depth: dict[Place, int] = {}
        ready: list[tuple[int, int, int]] = []
        sites = list(self._by_site)
        for site, mine in self._steps.items():
            for number, step in enumerate(mine):
                at = Place(site, number)
                causes = self._causes(step, number)
                waits[at] = len(causes)
                for cause in causes:
                    follow.setdefault(cause, []).append(at)
                if not causes:
                    heappush(ready, (0, self._rank[site], number))
        while ready:
            deep, rank, number = heappop(ready)
            done = Place(sites[rank], number)
            del waits[done]
            yield self._steps[done.site][number]
            for at in follow.get(done, ()):
                waits[at] -= 1
                depth[at] = max(depth.get(at, 0), deep + 1)
                if not waits[at]:
                    heappush(ready, (depth[at], self._rank[at.site], at.index))
        if waits:
            raise BadRecording(self._circle(waits))

    def _causes(self, step: Step, number: int) -> set[Place]:
        """The steps that came directly before this one: the site's last, and where what it knows was sent."""
        causes = {Place(step.site, number - 1)} if number else set()
        lines = self._by_site[step.site].lines
        for index in range(step.first, step.beyond):
            at = self._sent_at.get(Place(step.site, index))
            if at is not None:
                causes.add(Place(at.site, self._step_of[at.site][at.index]))
            for site, name in lines[index].heard:
                before = self._sent[site].before(name) if site in self._sent and site != step.site else None
                if before is not None:
                    causes.add(Place(site, self._step_of[site][before]))
        return causes

    def _circle(self, waits: Mapping[Place, int]) -> str:
        """Steps that wait for each other, in words."""
        path: list[Place] = []
        at = next(iter(waits))
        while at not in path:
            path.append(at)
            at = min((each for each in self._causes(self._step(at), at.index) if each in waits), key=_in_order)
        circle = [*path[path.index(at) :], at]
        said = ", which needs ".join(self._line(each) for each in circle)
        return f"these files do not make one run: {said}. A file was changed, or is from another run"

    def _step(self, at: Place) -> Step:
        return self._steps[at.site][at.index]

    def _line(self, at: Place) -> str:
        return _where(self._by_site[at.site].lines[self._step(at).first])


def _where(line: Recorded) -> str:
    return f"{line.file} line {line.number}"


def _in_order(place: Place) -> tuple[str, int]:
    return place.site, place.index


@dataclass(slots=True)
class _Way:
    """What arrived of one sender under one salt: the lowest and the highest counter, and the highest before anything
    was left out of the recording."""

    lowest: int
    highest: int
    highest_before_gap: int


def _arrivals(by_site: Mapping[SiteId, Recording], taken: set[Place]) -> dict[Place, Arrival]:
    ways = {site: _ways(recording) for site, recording in by_site.items()}
    arrivals: dict[Place, Arrival] = {}
    for site, recording in by_site.items():
        flying: dict[SiteId, list[Place]] = {}
        for index, line in enumerate(recording.lines):
            if isinstance(line.event, Left):
                place = Place(site, index)
                way = _way(ways, site, line.event)
                arrivals[place] = Arrival.ARRIVES if place in taken else _not_taken(line.event, way)
                if arrivals[place] is Arrival.UNDER_WAY:
                    flying.setdefault(line.event.to, []).append(place)
        for places in flying.values():
            arrivals.update(dict.fromkeys(places[:-UNDER_WAY_MAX], Arrival.NOT_TOLD))
    return arrivals


def _way(ways: Mapping[SiteId, Mapping[tuple[SiteId, str], _Way]], sender: SiteId, left: Left) -> _Way | None:
    return None if left.last is None or left.to not in ways else ways[left.to].get((sender, left.last.salt))


def _not_taken(left: Left, way: _Way | None) -> Arrival:
    if left.last is None or way is None or left.last.number < way.lowest:
        return Arrival.NOT_TOLD
    if left.last.number < way.highest_before_gap:
        return Arrival.LOST
    return Arrival.UNDER_WAY if left.last.number > way.highest else Arrival.NOT_TOLD


def _ways(recording: Recording) -> dict[tuple[SiteId, str], _Way]:
    ways: dict[tuple[SiteId, str], _Way] = {}
    has_gap = False
    for line in recording.lines:
        has_gap = has_gap or isinstance(line.event, Gap)
        for sender, name in names(line):
            way = ways.setdefault((sender, name.salt), _Way(name.number, name.number, -1))
            way.lowest = min(way.lowest, name.number)
            way.highest = max(way.highest, name.number)
            if not has_gap:
                way.highest_before_gap = way.highest
    return ways


def _lacking(files: Sequence[Recording]) -> Iterator[str]:
    """What is not in the files, as far as they tell."""
    missing = [name for name in files[0].header.sites if name not in {each.site for each in files}]
    if missing:
        yield f"not recorded: {', '.join(missing)}; their messages are drawn where they arrived"
    for recording in files:
        yield from _lacks(recording)


def _unsent(
    by_site: Mapping[SiteId, Recording], sent: Mapping[SiteId, _Sent], orphans: Sequence[tuple[Place, Came]]
) -> Iterator[str]:
    counted = Counter((place.site, event.sender) for place, event in orphans if event.sender in sent)
    for (site, sender), count in counted.items():
        place, event = next((p, e) for p, e in orphans if (p.site, e.sender) == (site, sender))
        what = plural(count, "datagram")
        first = _where(by_site[site].lines[place.index])
        word = event.lines[0].type if event.lines else "nothing"
        why = sent[sender].why_not(event.name)
        yield f"{site} took {what} from {sender} that nobody in the files sent, first in {first} ({word}){why}"


def _lacks(recording: Recording) -> Iterator[str]:
    for line in recording.lines:
        if isinstance(line.event, Gap):
            where = f"before line {line.number + 1}"
            yield f"{line.file} lacks {line.event.gap} lines {where}: its recorder was too slow"
    if recording.cut_off:
        yield f"{recording.name} ends within a line, which is left out: its recorder was killed, or its disk was full"
    elif not recording.lines or not isinstance(recording.lines[-1].event, End):
        yield f"{recording.name} has no end: its recorder was killed, or is still recording"
