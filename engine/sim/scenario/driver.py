"""Does acts to a world: the one place that says what each of them means.

Rules that hold here:
- An act that finds nothing to act on does nothing, but for what it has put down for later, and says so in words.
- What ends by itself is put down in the world's own calendar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from engine.core.entry import Add, AddLearner, Kind, Move, Operation, Promote, Readmit, Remove
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.run import slots_of
from engine.sim.image import Image
from engine.sim.scenario.acts import (
    Act,
    Clear,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    GiveUp,
    Links,
    MembersChange,
    Mend,
    Narrow,
    Pause,
    PutBack,
    Read,
    Readmission,
    Restart,
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.world.surroundings import Fuse
from engine.sim.world.world import World

_PORT: Final = 7_001

READMISSION_MS: Final = Tick(10_000)
"""How long somebody waits for a readmission."""


class Driver:
    def __init__(self, world: World) -> None:
        self.failed: set[SiteId] = set()
        """The sites that stopped because their store failed."""
        self.newest_read: dict[SiteId, int] = {}
        """The token of each site's newest linearizable read."""
        self.copies: dict[SiteId, Image] = {}
        self._world = world
        self._index = world.index
        self._down_ms: dict[SiteId, int | None] = {}
        self._cuts: list[tuple[tuple[int, int], ...]] = []
        world.on_stopped = self._stopped

    def do(self, act: Act) -> str | None:
        """What keeps it from being done, in words; None where it is done."""
        world, index = self._world, self._index
        match act:
            case Submit():
                return self._submit(act)
            case GiveUp(event):
                return self._give_up(event)
            case FillHoles(site):
                return self._at(site, lambda: world.fill(index[site]))
            case Read(site, timeout):
                return self._read(site, timeout)
            case Readmission(site, member):
                return self._readmit(site, member)
            case MembersChange(site, kind, member):
                return self._change(site, kind, member)
            case Cut():
                self._cut(act)
            case Narrow(links, packet_bytes_max):
                world.network.narrow(self._pairs(links), packet_bytes_max)
                shown = ", ".join(f"{a} > {b}" for a, b in links)
                world.note(None, "limit", f"{packet_bytes_max} bytes: {shown}")
            case Mend():
                self._mend_all()
            case Crash(site, 0, _, kept, down_ms):
                return self._at(site, lambda: self._crash(site, kept, down_ms))
            case Crash(site, points, only, kept, down_ms):
                return self._at(site, lambda: world.light(index[site], Fuse(points, kept, down_ms, only)))
            case CrashAll(kept, down_ms):
                for site in world.names:
                    self._crash(site, kept, down_ms)
            case Restart(sites):
                return self._restart(sites)
            case Pause(site, for_ms):
                return self._at(site, lambda: world.pause(index[site], for_ms))
            case ClockJump(site, by_ms):
                return self._at(site, lambda: world.leap(index[site], by_ms))
            case FailSync(site, down_ms):
                world.sites[index[site]].disk.sync_fails = True
                self._down_ms[site] = down_ms
            case FillDisk(site, down_ms):
                world.sites[index[site]].disk.full = True
                self._down_ms[site] = down_ms
            case FlipBit(site, where):
                disk = world.sites[index[site]].disk
                disk.damage(_row(disk.image, where))
            case Wipe(site, down_ms):
                self._crash(site, 0.0, None)
                world.wipe(index[site])
                self._start_after(site, down_ms)
            case Clear():
                self.copies.clear()
                world.clear()
            case TakeCopy(site):
                self.copies[site] = world.copy(index[site])
            case PutBack(site, down_ms):
                if site not in self.copies:
                    return f"there is no copy of {site}'s store: write copy {site} above"
                self._crash(site, 0.0, None)
                world.replace(index[site], self.copies[site].duplicate())
                self._start_after(site, down_ms)
            case _:
                assert_never(act)
        return None

    def _at(self, site: SiteId, do: Callable[[], None]) -> str | None:
        """Says so where nobody is there to be done to."""
        was_up = self._world.sites[self._index[site]].up
        do()
        return None if was_up else _does_not_run(site)

    # Users

    def _submit(self, act: Submit) -> str | None:
        world, index = self._world, self._index[act.site]
        token = world.submit(index, act.operations, act.timeout, retry=act.retry)
        if token is None:
            return _does_not_run(act.site)
        if act.give_up_ms is not None:
            world.at(world.now + act.give_up_ms, lambda each: world.give_up(index, each), token)
        return None

    def _read(self, site: SiteId, timeout: Tick) -> str | None:
        token = self._world.read(self._index[site], timeout)
        if token is None:
            return _does_not_run(site)
        self.newest_read[site] = token
        return None

    def _readmit(self, site: SiteId, member: SiteId) -> str | None:
        world = self._world
        life = world.present_store(self._index[site], member)
        if life is None:
            return f"{site} does not know a store of {member} now"
        return self._submit(Submit(site, (Readmit(member, life),), READMISSION_MS, retry=True, give_up_ms=None))

    def _change(self, site: SiteId, kind: Kind, member: SiteId) -> str | None:
        operation = self._operation(site, kind, member)
        if operation is None:
            return f"{site} does not know a store of {member} now"
        return self._submit(Submit(site, (operation,), READMISSION_MS, retry=True, give_up_ms=None))

    def _operation(self, site: SiteId, kind: Kind, member: SiteId) -> Operation | None:
        address = f"{member}:{_PORT + self._index[member]}"
        match kind:
            case Kind.ADD:
                return Add(member, address)
            case Kind.ADD_LEARNER:
                return AddLearner(member, address)
            case Kind.REMOVE:
                return Remove(member)
            case Kind.MOVE:
                return Move(member, address)
            case _:
                life = self._world.present_store(self._index[site], member)
                return None if life is None else Promote(member, life)

    def _give_up(self, id_: EventId) -> str | None:
        author, event = id_.author, self._world.truth.outcomes.by_id.get(id_)
        if event is None:
            return f"there is no event {id_}"
        return self._at(author, lambda: self._world.give_up(self._index[author], event.token))

    # Links

    def _pairs(self, links: Links) -> tuple[tuple[int, int], ...]:
        return tuple((self._index[a], self._index[b]) for a, b in links)

    def _cut(self, act: Cut) -> None:
        world, pairs = self._world, self._pairs(act.links)
        self._cuts.append(pairs)
        world.cut(pairs, act.shape)
        if act.for_ms is not None:
            world.at(world.now + act.for_ms, self._mend, pairs)

    def _mend(self, pairs: tuple[tuple[int, int], ...]) -> None:
        """Ends a cut, unless it was ended before."""
        if any(each is pairs for each in self._cuts):
            self._cuts = [each for each in self._cuts if each is not pairs]
            self._world.network.mend(pairs)

    def _mend_all(self) -> None:
        for row in self._world.network.links:
            for link in row:
                link.packet_bytes_max = None
        for pairs in self._cuts:
            self._world.network.mend(pairs)
        self._cuts.clear()
        self._world.note(None, "mend", "")

    # Processes

    def _crash(self, site: SiteId, kept: float, down_ms: int | None) -> None:
        self._world.crash(self._index[site], kept)
        self._start_after(site, down_ms)

    def _start_after(self, site: SiteId, down_ms: int | None) -> None:
        if down_ms is not None:
            self._world.at(self._world.now + down_ms, self._world.start, self._index[site])

    def _restart(self, sites: tuple[SiteId, ...]) -> str | None:
        world = self._world
        for site in sites:
            if world.sites[self._index[site]].up:
                return f"{site} runs already"
        for site in sites or world.names:
            world.start(self._index[site])
        return None

    def _stopped(self, index: int) -> None:
        """A site stopped itself, for its store failed (D2): its operator starts it again."""
        site = self._world.names[index]
        self.failed.add(site)
        self._start_after(site, self._down_ms.get(site))


def _row(image: Image, where: Slot | float | None) -> Slot | None:
    if not isinstance(where, float):
        return where
    above = [slot for part in (*image.ahead, *image.votes) for slot in slots_of(part.first, part.last)]
    rows = [*slots_of(Slot(1), image.prefix), *sorted(above)]
    return rows[int(where * len(rows))] if rows else None


def _does_not_run(site: SiteId) -> str:
    return f"{site} does not run"
