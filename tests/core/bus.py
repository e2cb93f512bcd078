"""Several replicas on one bus: everything that is sent arrives, at sites that are up, without taking time.

Rules that hold here:
- A run is a function of its arguments. Without a seed packets arrive in the order in which they were sent; with one, in
  any order, each `copies` times.
- Links, loss and faults of disks belong to the simulator; here a site is up or down, and keeps its store.
"""

from __future__ import annotations

from random import Random

from engine.core.effects import Effects, SawBiography, SawOutcome, SawReadConfirmed
from engine.core.explained.biography import Biography
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.messages import Packet
from engine.core.settings import Leadership, Settings
from engine.core.storage import EventState
from tests.core.stage import MINUTE, SITES, Stage, new_store, told


class Bus:
    def __init__(self, size: int, seed: int | None = None, copies: int = 1) -> None:
        self.now = Tick(0)
        self.outcomes: dict[SiteId, list[SawOutcome]] = {site: [] for site in SITES[:size]}
        self.order: list[EventId] = []
        """The events that were created, in the order in which that was told."""
        self.created_max = Slot(0)
        """The highest slot of them."""
        self.shown: dict[int, Slot] = {}
        """By the token of a confirmed read, the prefix that it showed."""
        self.biographies: list[Biography] = []
        """As they were told."""
        self._random = None if seed is None else Random(seed)
        self._copies = copies
        self._moving: list[tuple[SiteId, Packet]] = []
        self.stages: dict[SiteId, Stage] = {}
        self.down: set[SiteId] = set()
        self._tokens = 0
        for number, site in enumerate(SITES[:size]):
            settings = Settings(site, SITES[:size], Leadership.NONE)
            self.stages[site] = Stage(store=new_store(site), random=Random(number), settings=settings)
        for site in self.stages:
            self._take(site, self.stages[site].start())
        self.run(1_000)

    def submit(self, site: SiteId, text: str, timeout: int = MINUTE, *, retry: bool = False) -> int:
        """Returns the event's token."""
        self._tokens += 1
        self._take(site, self.stages[site].submit(self._tokens, text, timeout, retry=retry))
        return self._tokens

    def read(self, site: SiteId, timeout: int = MINUTE) -> int:
        """A linearizable read begins (R5); returns its token."""
        self._tokens += 1
        self._take(site, self.stages[site].read(self._tokens, timeout))
        return self._tokens

    def explain(self, site: SiteId, slot: int) -> None:
        """Somebody asks `site` what happened at a slot."""
        self._take(site, self.stages[site].explain(1, slot))

    def run(self, ticks: int) -> None:
        """Delivers what moves and does what is due, for so long."""
        until = self.now + ticks
        while True:
            while self.deliver():
                pass
            due = min((self.stages[site].replica.deadline() for site in self.up), default=until)
            if due > until:
                break
            self.now = Tick(max(self.now, due))
            for site in self.up:
                self._take(site, self.stages[site].tick(self.now))
        self.now = Tick(until)
        for site in self.up:
            self.stages[site].now = self.now

    def deliver(self) -> bool:
        """One packet arrives, or is gone because nobody is up to take it; False if none moves."""
        if not self._moving:
            return False
        index = 0 if self._random is None else self._random.randrange(len(self._moving))
        to, packet = self._moving.pop(index)
        if to not in self.down:
            self.stages[to].now = self.now
            self._take(to, self.stages[to].hear_packet(packet))
        return True

    def crash(self, *sites: SiteId) -> None:
        """They stop between two steps. What they sent is on its way."""
        self.down.update(sites)

    def restart(self, *sites: SiteId) -> None:
        for site in sites:
            self.down.discard(site)
            self.stages[site] = self.stages[site].restarted()
            self.stages[site].now = self.now
            self._take(site, self.stages[site].start())

    @property
    def up(self) -> list[SiteId]:
        return [site for site in self.stages if site not in self.down]

    def outcome(self, token: int) -> SawOutcome:
        """The last that was told of an event."""
        return [saw for told_here in self.outcomes.values() for saw in told_here if saw.token == token][-1]

    def _take(self, site: SiteId, effects: Effects) -> None:
        assert effects.stop is None, effects.stop
        for send in effects.sends:
            packet = self.stages[site].replica.packet(send.to, (send.message,))
            self._moving += [(send.to, packet)] * self._copies
        for saw in told(effects, SawOutcome):
            self.outcomes[site].append(saw)
            if saw.outcome is EventState.CREATED and saw.id is not None:
                self.order.append(saw.id)
                self.created_max = max(self.created_max, saw.slot or Slot(0))
        self.biographies += [saw.biography for saw in told(effects, SawBiography)]
        for read in told(effects, SawReadConfirmed):
            self.shown[read.token] = self.stages[site].store.load().prefix
