"""After the calm of a plan: everything must settle.

Rules that hold here:
- Whoever drives the world is told up to when it must run next.
- All links are whole and fast, all processes run but those whose store is refused. If enough voters can be had,
  everything settles within SETTLE_MS of the world's time: one prefix everywhere that reaches every used slot, no
  recovery and no attempt going on, an outcome for every event. Then each site has a read confirmed.
- Where so many disks are lost that nobody can find out what was chosen at a slot, the run is outside of the model.
- D5: an old copy of a store that proposes for itself cannot know what became of events that were void at their slots.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.ids import Slot, Tick, quorum_size
from engine.core.replica import Replica
from engine.core.settings import Leadership
from engine.core.storage import EventRow, EventState, Standing
from engine.sim.scenario.model import Model
from engine.sim.truth.replay import Lives
from engine.sim.violation import OutOfModel, violate
from engine.sim.world.site import SimSite
from engine.sim.world.world import World

SETTLE_MS: Final = 120_000
READ_MS: Final = Tick(10_000)
_LOOK_MS: Final = 250
_READ_LOOK_MS: Final = 10


class Settling:
    """Begins with the calm."""

    def __init__(self, world: World, model: Model) -> None:
        self._world = world
        self._model = model
        self._calm_at = world.now
        self._refused_in_time = self._refused()
        self.settled_ms: int | None = None
        """How long it took; None before, and where too few voters are left to settle anything."""
        world.calm()

    def stages(self) -> Iterator[int]:
        """Up to when the world must run next, until all is settled or too few voters are left. Raises Violated,
        OutOfModel."""
        if self._can_settle(self._chosen):
            yield from self._settle()

    @property
    def _chosen(self) -> Slot:
        """All up to here is."""
        return Slot(self._world.truth.replay.next - 1)

    @property
    def _learned(self) -> Slot:
        """So far a site has learned all."""
        return max((site.replica.prefix for site in self._world.sites if site.replica is not None), default=Slot(0))

    def _can_settle(self, prefix: Slot) -> bool:
        """Enough of the sites that run can be voters of what comes after this slot (D5, M1)."""
        world = self._world
        running = [site for site in world.sites if site.up]
        replay = world.truth.replay
        others = len(replay.lists[0][1]) - 1
        admit = (others + others // 2 + 1) // 2
        return all(self._have_majority(running, lives, admit) for lives in replay.holding(prefix))

    def _have_majority(self, running: list[SimSite], lives: Lives, admit: int) -> bool:
        world, voters = self._world, 0
        members = [site for site in running if site.name in lives]
        for site in members:
            image = site.disk.image
            memories = [peer.disk.image.peers.get(site.name) for peer in members if peer is not site]
            recording = sum(memory is None or memory.life == image.life for memory in memories)
            confirm = len(lives) // 2
            if site.name in self._model.put_back or world.truth.barred(site.index):
                continue
            named = lives[site.name]
            match image.standing:
                case Standing.ADMITTED:
                    voters += recording >= confirm and named in (None, image.life)
                case Standing.READMITTED:
                    voters += recording >= confirm and named == image.life
                case Standing.NEW:
                    voters += recording >= admit and named is None
                case Standing.LEARNER:
                    pass
        return voters >= quorum_size(len(lives))

    def _settle(self) -> Iterator[int]:
        world = self._world
        while (left := self._unsettled()) is not None:
            if world.now >= self._calm_at + SETTLE_MS:
                if self._too_few_are_left():
                    return
                if not self._can_settle(self._learned):
                    raise OutOfModel("too few are left of those who could tell what was chosen")
                violate("liveness", f"{SETTLE_MS} ms after all faults ended: {left}")
            yield world.now + _LOOK_MS
        settled_ms = world.now - self._calm_at
        yield from self._read()
        self.settled_ms = settled_ms

    def _does_not_know(self, site: SimSite, replica: Replica) -> bool:
        """M5: who voted is told that it was removed, and when the others need it no more."""
        removed = replica.view(0).removed
        voted = site.name in self._world.truth.replay.ever_voted
        return voted and (removed is None or removed.needed)

    def _refused(self) -> int:
        """How many stores are refused by now."""
        return sum(site.refused is not None for site in self._world.sites)

    def _too_few_are_left(self) -> bool:
        """A damaged row was met only in the calm (D3), or others vote by now, and too few can be voters."""
        changed = len(self._world.truth.replay.lists) > 1
        return (changed or self._refused() > self._refused_in_time) and not self._can_settle(self._chosen)

    def _read(self) -> Iterator[int]:
        """R5: a read at each site that runs is confirmed. One whose time passes is not, so that it comes too late."""
        world = self._world
        began = world.now
        running = [site for site in world.sites if site.up and site.name in world.truth.replay.members()]
        for site in running:
            world.read(site.index, READ_MS)
        while any(site.awaited for site in running):
            if world.now >= began + READ_MS // 2:
                if self._too_few_are_left():
                    return
                violate("liveness", f"a read is not confirmed {READ_MS // 2} ms after it began in a settled world")
            yield world.now + _READ_LOOK_MS

    def _unsettled(self) -> str | None:
        """What is still going on, in words."""
        running = [site for site in self._world.sites if site.up]
        prefix = self._chosen
        for site in running:
            replica = site.replica
            assert replica is not None
            if site.name not in self._world.truth.replay.members():
                if self._does_not_know(site, replica):
                    return f"{site.name} was removed, and does not know it, or that nobody needs it"
                continue
            barred = not replica.voting and site.settings.leadership is not Leadership.ELECTED
            if replica.prefix != prefix or replica.used_max != prefix:
                return f"{site.name} learned to {replica.prefix}, used to {replica.used_max}; chosen to {prefix}"
            awaited = [row for row in site.disk.image.open_events.values() if not (barred and _is_void(row))]
            if site.awaited or awaited:
                return f"{site.name} has events without an outcome: {awaited}"
            if not site.ahead:
                self._world.truth.shows(site.index, replica.blocks())
            attempts = replica.view(1).attempts
            if replica.recovering or attempts:
                return f"{site.name} goes on: recovering {replica.recovering}, {attempts}"
        return None


def _is_void(event: EventRow) -> bool:
    """It was chosen where it is void (E5), and not proposed again."""
    return event.state is EventState.UNKNOWN and event.slot is None
