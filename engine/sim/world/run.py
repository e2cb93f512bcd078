"""A run: a plan carried out, then calm, then everything must settle.

Rules that hold here:
- Acts are asked for, and done where the model allows them: at most f = floor((N-1)/2) sites lose their disk in a run
  (wiped, damaged, or an old copy put back), and an old copy is put back only where enough peers can contradict it, that
  is, fewer than floor(N/2) others cannot (D5; the rest is outside of the model). No other disk is lost before the site
  with the old copy knows.
- From `calm_at` on all links are whole and fast, all processes run but those whose store is refused. If enough voters
  can be had, everything settles within SETTLE_MS of the world's time: one prefix everywhere that reaches every used
  slot, no recovery and no attempt going on, an outcome for every event. Then each site has a read confirmed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, assert_never

from engine.core.ids import Tick, quorum_size
from engine.core.replica import Replica
from engine.core.storage import Standing
from engine.sim.image import Image
from engine.sim.violation import OutOfModel, violate
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
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.world.surroundings import Fuse
from engine.sim.world.world import MakeReplica, Watcher, World

SETTLE_MS: Final = 120_000
READ_MS: Final = Tick(10_000)
_LOOK_MS: Final = 250
_READ_LOOK_MS: Final = 10


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `settled_ms`: how long after calm, None where too few voters were left to settle anything."""

    virtual_ms: int
    steps: int
    settled_ms: int | None
    slots: int
    acts: Counter[str]
    reached: Counter[str]
    digest: str


class Run:
    def __init__(self, plan: Plan, make_replica: MakeReplica = Replica, watcher: Watcher | None = None) -> None:
        self.plan = plan
        self.world = World(plan.setup, make_replica, watcher)
        self.world.on_stopped = self._stopped
        self.acts: Counter[str] = Counter()
        self._lost: set[int] = set()
        self._put_back: set[int] = set()
        self._copies: dict[int, Image] = {}
        self._down_ms: dict[int, int] = {}
        self._refused_in_time = 0
        for site in self.world.sites:
            self.world.at(0, self.world.start, site.index)
        for act in plan.acts:
            self.world.at(act.at, self._do, act)

    def complete(self) -> Report:
        """Raises Violated."""
        world = self.world
        try:
            world.run(self.plan.calm_at)
            self._refused_in_time = self._refused()
            world.calm()
            settled_ms = self._settle() if self._can_settle() else None
        except OutOfModel:
            world.reached("out of the model")
            settled_ms = None
        acts = self.acts + Counter({
            "datagram lost": world.network.lost,
            "datagram repeated": world.network.repeated,
            "datagram late": world.network.late,
            "datagram of before": world.network.stale,
        })  # fmt: skip
        world.reached.counts["datagram of before comes again"] += world.network.stale
        slots = len(world.truth.replay.applied)
        return Report(world.now, world.steps, settled_ms, slots, acts, world.reached.counts, world.digest())

    # Acts

    def _do(self, act: Act) -> None:
        if self._done(act):
            self.acts[type(act).__name__] += 1

    def _done(self, act: Act) -> bool:
        """Does it where the model allows it; tells whether."""
        world = self.world
        match act:
            case Submit():
                token = world.submit(act.site, act.operation, act.timeout, retry=act.retry)
                if token is not None and act.give_up_ms is not None:
                    world.at(world.now + act.give_up_ms, self._give_up, (act.site, token))
            case FillHoles(site=site):
                world.fill(site)
            case Read(site=site, timeout=timeout):
                world.read(site, timeout)
            case Crash(site=site, points=points, only=only, kept=kept, down_ms=down_ms):
                if points:
                    world.light(site, Fuse(points, kept, down_ms, only))
                else:
                    world.crash(site, kept)
                    world.at(world.now + down_ms, world.start, site)
            case CrashAll(kept=kept, down_ms=down_ms):
                for site in range(len(world.sites)):
                    world.crash(site, kept)
                    world.at(world.now + down_ms, world.start, site)
            case Pause(site=site, for_ms=for_ms):
                world.pause(site, for_ms)
            case ClockJump(site=site, by_ms=by_ms):
                world.leap(site, by_ms)
            case Cut(links=links, for_ms=for_ms, shape=shape):
                world.cut(links, for_ms, shape)
            case FailSync(site=site, down_ms=down_ms):
                world.sites[site].disk.sync_fails = True
                self._down_ms[site] = down_ms
            case FillDisk(site=site, down_ms=down_ms):
                world.sites[site].disk.full = True
                self._down_ms[site] = down_ms
            case FlipBit(site=site, where=where):
                return self._lose(site) and self._flip(site, where)
            case Wipe(site=site, down_ms=down_ms):
                if not self._lose(site):
                    return False
                world.crash(site)
                world.wipe(site)
                world.at(world.now + down_ms, world.start, site)
            case TakeCopy(site=site):
                self._copies[site] = world.copy(site)
            case PutBack(site=site, down_ms=down_ms):
                return self._puts_back(site, down_ms)
            case _:
                assert_never(act)
        return True

    def _give_up(self, what: tuple[int, int]) -> None:
        self.world.give_up(*what)

    def _stopped(self, site: int) -> None:
        """A site whose store failed is started again by its operator."""
        self.world.at(self.world.now + self._down_ms.get(site, 1_000), self.world.start, site)

    # Lost disks

    def _lose(self, site: int) -> bool:
        """Counts a lost disk, if one more may be lost."""
        unaware = [each for each in self._put_back if self._standing(each) is not Standing.LEARNER]
        if site in self._lost or unaware or len(self._lost) >= (len(self.world.sites) - 1) // 2:
            return False
        self._lost.add(site)
        return True

    def _standing(self, site: int) -> Standing:
        return self.world.sites[site].disk.image.standing

    def _flip(self, site: int, where: float | None) -> bool:
        disk = self.world.sites[site].disk
        rows = sorted([*range(1, disk.image.prefix + 1), *disk.image.ahead, *disk.image.votes])
        disk.damage(rows[int(where * len(rows))] if where is not None and rows else None)
        return True

    def _puts_back(self, site: int, down_ms: int) -> bool:
        world = self.world
        copy, name = self._copies.pop(site, None), world.names[site]
        if copy is None or site in self._lost:
            return False
        contradicting = world.truth.contradicting(name, copy.life, copy.commit)
        believers = len(world.sites) - 1 - len(contradicting) + len(self._lost - {site})
        if believers >= len(world.sites) // 2 or not self._lose(site):
            return False
        world.crash(site)
        world.replace(site, copy)
        self._put_back.add(site)
        world.at(world.now + down_ms, world.start, site)
        return True

    # Calm

    def _can_settle(self) -> bool:
        """Enough of the sites that run can be voters (D5)."""
        world = self.world
        running = [site for site in world.sites if site.up]
        others = len(world.sites) - 1
        admit, confirm = (others + others // 2 + 1) // 2, (others + 1) // 2
        voters = 0
        for site in running:
            image = site.disk.image
            memories = [peer.disk.image.peers.get(site.name) for peer in running if peer is not site]
            recording = sum(memory is None or memory.life == image.life for memory in memories)
            if site.index in self._put_back or world.truth.barred(site.index):
                continue
            match image.standing:
                case Standing.ADMITTED:
                    voters += recording >= confirm
                case Standing.NEW:
                    voters += recording >= admit
                case Standing.LEARNER:
                    pass
        return voters >= quorum_size(len(world.sites))

    def _settle(self) -> int | None:
        """How long it takes; None where too few are left for it."""
        world = self.world
        while (left := self._unsettled()) is not None:
            if world.now >= self.plan.calm_at + SETTLE_MS:
                if self._too_few_are_left():
                    return None
                violate("liveness", f"{SETTLE_MS} ms after all faults ended: {left}")
            world.run(world.now + _LOOK_MS)
        settled_ms = world.now - self.plan.calm_at
        self._read()
        return settled_ms

    def _refused(self) -> int:
        """How many stores are refused by now."""
        return sum(site.refused is not None for site in self.world.sites)

    def _too_few_are_left(self) -> bool:
        """A damaged row was met only in the calm (D3), and without that site too few can be voters."""
        return self._refused() > self._refused_in_time and not self._can_settle()

    def _read(self) -> None:
        """R5: a read at each site that runs is confirmed. One whose time passes is not, so that it comes too late."""
        world = self.world
        began = world.now
        running = [site for site in world.sites if site.up]
        for site in running:
            world.read(site.index, READ_MS)
        while any(site.awaited for site in running):
            if world.now >= began + READ_MS // 2:
                if self._too_few_are_left():
                    return
                violate("liveness", f"a read is not confirmed {READ_MS // 2} ms after it began in a settled world")
            world.run(world.now + _READ_LOOK_MS)

    def _unsettled(self) -> str | None:
        """What is still going on, in words."""
        running = [site for site in self.world.sites if site.up]
        prefix = self.world.truth.replay.next - 1
        for site in running:
            replica = site.replica
            assert replica is not None
            if replica.prefix != prefix or replica.used_max != prefix:
                return f"{site.name} learned to {replica.prefix}, used to {replica.used_max}; chosen to {prefix}"
            if site.awaited or site.disk.image.open_events:
                return f"{site.name} has events without an outcome: {list(site.disk.image.open_events.values())}"
            if not site.stalled:  # while it syncs, it is ahead of its disk
                self.world.truth.shows(site.index, replica.blocks())
            view = replica.view(1)
            if view.recovering or view.attempts:
                return f"{site.name} goes on: recovering {view.recovering}, {view.attempts}"
        return None
