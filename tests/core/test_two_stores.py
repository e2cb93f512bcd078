"""Two stores of a name run at once: the one that was lost is back from the repair shop, and another was readmitted.

Rules that hold here:
- The simulated world has one disk a site; so this is tried here, with packets that are lost, repeated and late, and
  with sites that come, go, stop and start. R1: nobody learns what another did not; E1: no number is given out twice.
- A run is a function of its seed.
"""

from __future__ import annotations

from random import Random

import pytest

from engine.core.effects import Effects, SawNumbered
from engine.core.entry import AddLearner, Entry, Membership, Operation, Promote, Readmit, Remove, Tweet
from engine.core.ids import EventId, SiteId, Slot, StoreId, Tick
from engine.core.messages import Packet
from engine.core.settings import Leadership, Settings, Timings
from tests.core.stage import ALICE, BOB, CAROL, SITES, Stage, life_of, new_store, told

DAVE = SITES[3]
NEW = StoreId("2" * 16)
FOUNDERS = SITES[:3]
QUICK = Timings(Tick(100), Tick(30), Tick(300), Tick(500))
CHANGES: tuple[Membership, ...] = (
    Readmit(CAROL, NEW),
    AddLearner(DAVE, "x:1"),
    Promote(DAVE, life_of(DAVE)),
    Remove(DAVE),
    Remove(CAROL),
    AddLearner(CAROL, "x:1"),
    Promote(CAROL, NEW),
)


class Crowd:
    """Sites are told apart by their stores. carol begins with one, and has another from the middle on."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.lag = self.random.choice((1, 2, 4, 8))
        self.leadership = self.random.choice(list(Leadership))
        self.loss = 0.0
        self.now = Tick(0)
        self.tokens = 0
        self.stages: dict[StoreId, Stage] = {}
        self.down: set[StoreId] = set()
        self.cut_off: set[StoreId] = set()
        self.moving: list[tuple[StoreId, StoreId, Packet]] = []
        self.log: dict[Slot, Entry] = {}
        self.numbered: dict[EventId, StoreId] = {}
        for site in FOUNDERS:
            self.begin(site, life_of(site))
        self.run(1_500)
        self.loss = self.random.choice((0.0, 0.05, 0.2))
        self.begin(CAROL, NEW)
        self.begin(DAVE, life_of(DAVE))

    def begin(self, site: SiteId, life: StoreId) -> None:
        contacts = () if site in FOUNDERS else (ALICE, BOB)
        settings = Settings(site, FOUNDERS, self.leadership, QUICK, change_lag=self.lag, contacts=contacts)
        self.stages[life] = Stage(store=new_store(site, life), random=Random(self.random.random()), settings=settings)
        self.start(life)

    def start(self, life: StoreId) -> None:
        self.stages[life].now = self.now
        self.take(life, self.stages[life].start())

    def take(self, life: StoreId, effects: Effects) -> None:
        assert effects.stop is None, effects.stop
        stage = self.stages[life]
        for send in effects.sends:
            packet = stage.replica.packet(send.to, (send.message,))
            for other in (other for other, each in self.stages.items() if each.site == send.to):
                copies = self.random.choices((0, 1, 2), (self.loss, 0.95 - self.loss, 0.05))[0]
                self.moving += [(life, other, packet)] * copies
        for slot, entry in stage.store.log.items():
            assert self.log.setdefault(slot, entry) == entry, f"slot {slot} (R1)"
        for saw in told(effects, SawNumbered):
            assert self.numbered.setdefault(saw.first, life) == life, f"two stores gave out {saw.first} (E1)"

    def run(self, ticks: int) -> None:
        until = self.now + ticks
        while self.now < until:
            del self.moving[:-2_000]
            if self.moving and self.random.random() < 0.97:
                sender, to, packet = self.moving.pop(self.random.randrange(min(len(self.moving), 40)))
                if to not in self.down and (sender in self.cut_off) == (to in self.cut_off):
                    self.stages[to].now = self.now
                    self.take(to, self.stages[to].hear_packet(packet))
                continue
            self.now = Tick(self.now + self.random.randint(1, 20))
            for life in (life for life in self.stages if life not in self.down):
                self.stages[life].now = self.now
                if self.stages[life].replica.deadline() <= self.now:
                    self.take(life, self.stages[life].tick())

    def act(self) -> None:
        random, life = self.random, self.random.choice(list(self.stages))
        what = random.random()
        if life in self.down:
            self.down.discard(life)
            self.stages[life] = self.stages[life].restarted()
            self.start(life)
        elif what < 0.45:
            self.submit(life, *(Tweet(f"says {number}") for number in range(random.randint(1, 4))))
        elif what < 0.8:
            self.submit(life, random.choice(CHANGES))
        elif what < 0.9:
            self.down.add(life)
        else:
            self.cut_off = self.cut_off ^ {life} if what < 0.95 else set()

    def submit(self, life: StoreId, *operations: Operation) -> None:
        self.tokens += 1
        timeout, retry = self.random.choice((300, 3_000)), self.random.random() < 0.5
        self.take(life, self.stages[life].submit_all(self.tokens, operations, timeout, retry=retry))


@pytest.mark.parametrize("seed", [9, 20])
def test_r1_e1_nothing_is_learned_otherwise_and_no_number_is_given_out_twice(seed: int) -> None:
    crowd = Crowd(seed)
    for _ in range(60):
        crowd.act()
        crowd.run(crowd.random.choice((20, 100, 400)))
