"""The simulated world: production replicas on faulty disks and links, under one seed and a virtual clock.

Rules that hold here:
- One heap of (time, sequence number, call) orders everything that happens, one random generator decides everything
  that is left to chance. The same setup and the same calls give the same run, byte for byte: `digest` tells.
- The world is stepped one event at a time, or run up to a time. What it does to itself, it does by the same methods
  that somebody who drives it by hand calls: `submit`, `crash`, `start`, `pause`, `cut`, `wipe`, ...; what
  `network.hold` picks arrives only when it is let go.
- A world is forked by making it anew and doing the same again up to the fork.
- Truth is checked at every step; Violated ends the run.
- A step is one atomic thing: an input handed to a site, a tick, a commit, a datagram sent or lost, an observation told,
  the end or the start of a process, a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from itertools import chain, count
from random import Random
from typing import Any, Final, Protocol, TypeVar
from zlib import crc32

from engine.core.effects import Observation, SawLearned
from engine.core.entry import Operation, encode, stamped
from engine.core.events.submissions import Submission
from engine.core.ids import SiteId, StoreId, Tick, quorum_size
from engine.core.messages import How, Message
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.core.storage import LogReader, Stored
from engine.sim.image import Image
from engine.sim.sometimes import CrashPoint, Reached
from engine.sim.truth.truth import Truth
from engine.sim.violation import Judge, violate
from engine.sim.world.disk import SimDisk
from engine.sim.world.inputs import Fill, GiveUp, Read
from engine.sim.world.marks import Mark, Marks
from engine.sim.world.network import Datagram, Network
from engine.sim.world.setup import Setup
from engine.sim.world.site import SimSite
from engine.sim.world.surroundings import Fuse

_T = TypeVar("_T")

COMING_MAX: Final = 5_000
"""So many events are to come at the most, ten times what the busiest worlds have: a message that makes sites say two
more would keep a world busy for ever."""

MakeReplica = Callable[[Settings, Stored, LogReader, Random], Replica]


class Watcher(Protocol):
    """Somebody who looks on: a trace, a diagram, a screen. `now` is the world's time."""

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        """A datagram left; `lost`: it will not arrive."""

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        """A datagram arrived, before it is handled; not `taken`: nobody was there."""

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        """A site says what it concluded."""

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        """A process started or ended, a fault began or ended."""


class World:
    def __init__(self, setup: Setup, make_replica: MakeReplica = Replica, watcher: Watcher | None = None) -> None:
        self.setup = setup
        self.names = setup.names
        self.index = {name: index for index, name in enumerate(setup.names)}
        self.now = 0
        self.stepped = 0
        """How many events were stepped to, one at a time."""
        self.random = Random(setup.seed)
        self.reached = Reached()
        self.watcher = watcher
        self.make_replica = make_replica
        self.on_stopped: Callable[[int], None] = _stays_down
        """Called with each site that stopped itself; whoever drives the world may have it started again."""
        self.network = Network(setup.links, self.random, self.at, self._arrive)
        disks = [SimDisk(name, self._new_life()) for name in setup.names]
        self._heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._sequence = 0
        self._tokens = 0
        self._stamped = 0
        self._stamps = dict(setup.stamps)
        self._marks = Marks()
        self.mark = self._marks.add
        """Called with `(what was done, now, a number)`: see `Mark`."""
        timings = {name: replace(setup.timings, heartbeat=every) for name, every in setup.heartbeats}
        settings = [
            Settings(
                name,
                tuple(each for each in setup.names if each not in setup.later),
                leadership,
                timings.get(name, setup.timings),
                setup.page_bytes,
                change_lag=setup.change_lag,
                contacts=tuple(each for each in setup.names if each != name),
            )
            for name, leadership in zip(setup.names, setup.leadership, strict=True)
        ]
        self._settings = settings
        self.judge = Judge()
        self.truth = Truth(settings, disks, self.reached, self.judge)
        self.sites = [SimSite(self, index, each, disks[index]) for index, each in enumerate(settings)]
        for site in self.sites:
            site.disk_ms = setup.disk_ms[site.index]
            site.tick_late_ms = setup.tick_late_ms
            site.chosen_waits_ms = setup.chosen_waits_ms

    # Time

    def at(self, when: int, call: Callable[[_T], None], argument: _T) -> None:
        """Has `call(argument)` made at the world's time `when`; calls of the same time are made in this order."""
        self._sequence = sequence = self._sequence + 1
        heappush(self._heap, (when, sequence, call, argument))

    @property
    def next_at(self) -> int | None:
        """The world's time of the next event; None where there is none."""
        return self._heap[0][0] if self._heap else None

    def next_look(self, every_ms: int) -> int:
        """For whoever looks so often whether something is so: when it may be, as nothing happens before."""
        idle_ms = 0 if self.next_at is None else max(0, self.next_at - self.now - 1)
        return self.now + (1 + idle_ms // every_ms) * every_ms

    def step(self) -> bool:
        """The next event; False where there is none."""
        if not self._heap:
            return False
        self.stepped += 1
        self.now, _, call, argument = heappop(self._heap)
        call(argument)
        self._marks.fold()
        return True

    def run(self, until: int) -> None:
        """All events up to the world's time `until`, which is then the time."""
        heap, fold = self._heap, self._marks.fold
        while heap and heap[0][0] <= until:
            self.now, _, call, argument = heappop(heap)
            call(argument)
            fold()
        self.now = max(self.now, until)

    def running(self, until: int) -> Iterator[None]:
        """As `run`, and comes back after each event."""
        while self._heap and self._heap[0][0] <= until:
            self.step()
            yield
        self.now = max(self.now, until)

    def in_flight(self) -> list[Datagram]:
        """The datagrams that will arrive by themselves, in that order, then those that are held."""
        return [datagram for _, datagram in self.on_their_way()] + list(self.network.held.values())

    def on_their_way(self) -> list[tuple[int, Datagram]]:
        """The datagrams that will arrive by themselves, each with its time, in that order."""
        flying = [event for event in self._heap if isinstance(event[3], Datagram)]
        return [(when, datagram) for when, _, _, datagram in sorted(flying, key=_when)]

    def take_back(self, number: int) -> Datagram | None:
        """The datagram of this number, which does not arrive by itself any more; of several copies the first to come.
        None where none is on its way."""
        flying = (event for event in self._heap if isinstance(event[3], Datagram) and event[3].number == number)
        event = min(flying, key=_when, default=None)
        if event is None:
            return None
        self._heap.remove(event)
        heapify(self._heap)
        datagram: Datagram = event[3]
        return datagram

    # What users do

    def submit(self, site: int, operations: Sequence[Operation], timeout: Tick, *, retry: bool) -> int | None:
        """Submits events together at a site that is up; returns the token that their outcomes will carry, None where
        nobody is there."""
        if not self.sites[site].up:
            return None
        self._tokens = token = self._tokens + 1
        bodies: list[str] = []
        for operation in operations:
            bodies.append(self._body(site, operation, bodies))
        if len(bodies) > 1:
            self.reached("several events submitted together")
        self.truth.submitted(site, token, bodies)
        self.sites[site].take(Submission(token, tuple(bodies), timeout, retry))
        return token

    def _body(self, site: int, operation: Operation, beside: Sequence[str]) -> str:
        """Stamped as at the door (W5). An event that is spelt like an earlier one is stamped with another time."""
        self._stamped = number = self._stamped + 1
        said = self._stamps.get(self.names[site])
        first = number if said is None else said[number % len(said)]
        bodies = (encode(stamped(operation, at_ms)) for at_ms in chain((first,), count(number)))
        known = self.truth.outcomes.by_body
        return next(body for body in bodies if body not in known and body not in beside)

    def give_up(self, site: int, token: int) -> None:
        self.sites[site].take(GiveUp(token))

    def present_store(self, site: int, of: SiteId) -> StoreId | None:
        """The store that a site knows another one, or itself, to run on now; None where it does not run, or knows
        none."""
        replica = self.sites[site].replica
        return None if replica is None else replica.present_store(of)

    def read(self, site: int, timeout: Tick) -> int | None:
        """A linearizable read (R5) at a site that is up; returns its token, None where nobody is there."""
        if not self.sites[site].up:
            return None
        self._tokens = token = self._tokens + 1
        self.sites[site].take(Read(token, timeout))
        return token

    def fill(self, site: int) -> None:
        """All holes that the site knows of (R3)."""
        self.sites[site].take(Fill(None))

    # What happens to processes

    def start(self, site: int) -> None:
        """Begins a process where none runs and the store is not refused."""
        if not self.sites[site].up and self.sites[site].refused is None:
            self.sites[site].start()

    def crash(self, site: int, kept: float = 0.0) -> None:
        """Ends the process, if one runs, between two passes or while it syncs."""
        if self.sites[site].up:
            self.reached(CrashPoint.IDLE.value)
            self.sites[site].end("crash", kept)

    def light(self, site: int, fuse: Fuse) -> None:
        """The process will end at a crash point to come."""
        if self.sites[site].up:
            self.sites[site].fuse = fuse

    def crashed(self, index: int, point: CrashPoint, fuse: Fuse) -> None:
        """A fuse has burnt down."""
        self.reached(point.value)
        self.sites[index].end(point.value, fuse.kept)
        if fuse.down_ms is not None:
            self.at(self.now + fuse.down_ms, self.start, index)

    def stopped(self, index: int, why: str) -> None:
        """A site stopped itself, for its store failed (D2)."""
        self.reached("store failed")
        self.sites[index].end(why, self.random.random())
        self.on_stopped(index)

    def pause(self, site: int, for_ms: int) -> None:
        if self.sites[site].up:
            self.sites[site].pause()
            self.note(site, "pause", f"{for_ms} ms")
            self.at(self.now + for_ms, self._resume, (site, self.sites[site].process))

    def _resume(self, who: tuple[int, int]) -> None:
        site, process = who
        if process == self.sites[site].process:
            self.sites[site].resume()

    def leap(self, site: int, by_ms: int) -> None:
        """The process's clock leaps ahead."""
        if self.sites[site].up:
            self.note(site, "clock", f"leaps {by_ms} ms ahead")
            self.sites[site].leap(by_ms)

    # What happens to stores; their processes have ended before

    def wipe(self, site: int) -> None:
        """The store is gone, and another one is in its place (D5)."""
        self.replace(site, Image(self._new_life()))

    def copy(self, site: int) -> Image:
        """The durable state of a store, as it is now."""
        return self.sites[site].disk.image.duplicate()

    def replace(self, site: int, image: Image) -> None:
        assert not self.sites[site].up
        self.sites[site].disk.replace(image)
        self.truth.replaced(site, image)
        self.note(site, "replaced", f"the store is {image.life} at commit {image.commit}")

    def clear(self) -> None:
        """All sites begin anew together, on empty stores. What was true before is forgotten with them."""
        self.note(None, "cleared", "all sites begin anew together")
        for site in self.sites:
            self.crash(site.index)
            site.disk.replace(Image(self._new_life()))
        self._heap[:] = [event for event in self._heap if not isinstance(event[3], Datagram)]
        heapify(self._heap)
        self.network.forget()
        self.truth = Truth(self._settings, [site.disk for site in self.sites], self.reached, self.judge)
        for site in self.sites:
            site.clear()
            self.start(site.index)

    # What happens to links

    def cut(self, links: Iterable[tuple[int, int]], shape: str) -> None:
        """These links carry nothing until `network.mend`."""
        self.network.cut(links)
        self.note(None, "cut", shape)

    def calm(self) -> None:
        """Nothing is bad any more, but for what is lost: links, disks and processes are well, all sites are up."""
        self.note(None, "calm", "")
        self.network.calm()
        for site in self.sites:
            site.fuse = None
            site.disk.heal()
            while site.paused:
                site.resume()
            self.start(site.index)

    # What sites do

    def send(self, index: int, to: SiteId, payload: bytes, messages: tuple[Message, ...]) -> None:
        datagram, arrives = self.network.send(Tick(self.now), index, self.index[to], payload, messages)
        self.mark((Mark.SEND, self.now, crc32(payload, datagram.number)))
        if len(self._heap) > COMING_MAX:
            violate("liveness", f"what is said makes ever more be said: {COMING_MAX} events are to come", site=to)
        if self.watcher is not None:
            self.watcher.sent(self.now, datagram, lost=not arrives)

    def _arrive(self, datagram: Datagram) -> None:
        site = self.sites[datagram.to]
        if self.watcher is not None:
            self.watcher.arrived(self.now, datagram, taken=site.up)
        if not site.take(datagram):
            self.mark((Mark.NOBODY, self.now, datagram.number))

    def replica(self, settings: Settings, stored: Stored, disk: SimDisk) -> Replica:
        """For a new process, with chance of its own."""
        return self.make_replica(settings, stored, disk, Random(self.random.getrandbits(64)))

    def told(self, index: int, saw: Observation) -> None:
        self.mark((Mark.TELL, self.now, index))
        self.reached.observed(saw)
        if type(saw) is SawLearned and saw.how is How.VOTES and self._just_a_quorum():
            self.reached("quorum that just sufficed")
        if self.watcher is not None:
            self.watcher.told(self.now, self.names[index], saw)

    def note(self, index: int | None, what: str, why: str) -> None:
        """A fault, or the start or end of a process."""
        number = crc32(what.encode(), len(self.names) if index is None else index)
        self.mark((Mark.EVENT, self.now, number))
        if self.watcher is not None:
            self.watcher.happened(self.now, None if index is None else self.names[index], what, why)

    def _just_a_quorum(self) -> bool:
        """One site less that runs, and nothing more can be chosen."""
        return sum(site.up and not site.stalled for site in self.sites) == quorum_size(len(self.sites))

    # The digest

    @property
    def steps(self) -> int:
        return self._marks.steps

    def digest(self) -> str:
        """Names everything that happened so far: equal digests, equal runs."""
        return self._marks.digest()

    def _new_life(self) -> StoreId:
        return StoreId(f"{self.random.getrandbits(64):016x}")


def _stays_down(_: int) -> None:
    pass


def _when(event: tuple[int, int, Callable[[Any], None], Any]) -> tuple[int, int]:
    return event[0], event[1]
