"""The truth about stores: which of them may vote (D5).

Rules that hold here:
- D5: only a store that enough peers recorded votes, proposes or counts; one that was wiped or put back never does, if
  it ever voted; nobody else is called a lost disk; and a peer's store that is remembered is not replaced by another.
- M4: a store that the log admitted may vote, whatever was there before it; whoever it is put in the place of may not.
  It is remembered in the place of that; and what it records itself admits no new store. Only one that D5 had admitted
  before the log named it knows what was there before.
- D1: who says that it recorded a store has its life on disk, or had: the log may have put another in its place by the
  same pass.
- An old copy that no asked peer can contradict is outside of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

from engine.core.ids import Nonce, SiteId, StoreId
from engine.core.messages import Verdict, Welcome
from engine.core.storage import PeerMemory, Standing, Stored, WriteStanding
from engine.sim.image import Disk, Image
from engine.sim.sometimes import Reached
from engine.sim.truth.replay import Lives, Replay
from engine.sim.violation import Judge, OutOfModel


@dataclass(slots=True)
class _Store:
    """What is known of one site's stores over all its lives."""

    name: SiteId
    disk: Disk
    process: int = 0
    commit_at_start: int = 0
    is_confirmed: bool = False
    confirmed: int = 0  # who recorded this store since the process began, as a mask
    remembers: dict[SiteId, StoreId] = field(default_factory=dict)
    recorded: set[StoreId] = field(default_factory=set)  # on its disk with the pass that is looked at, if not after it
    stood: set[Standing] = field(default_factory=set)  # as its disk said before, and in, the pass that is looked at
    ever_voted: bool = False
    replaced: bool = False  # wiped or put back, ever
    barred: bool = False  # ... after it had voted: never again (D5)
    contradicted_by: set[SiteId] = field(default_factory=set)  # who remembers another store than the process began on


class _Asked(NamedTuple):
    """Who sent a hello."""

    store: _Store
    life: StoreId
    process: int


class Stores:
    def __init__(
        self,
        names: tuple[SiteId, ...],
        disks: Sequence[Disk],
        replay: Replay,
        reached: Reached,
        judge: Judge,
    ) -> None:
        self._replay = replay
        self._stores = [_Store(name, disk) for name, disk in zip(names, disks, strict=True)]
        self._recorded: dict[StoreId, int] = {}  # life -> who ever recorded it durably, as a mask
        self._by_d5 = set[StoreId]()  # the stores that were admitted by those who recorded them
        self._hellos: dict[Nonce, _Asked] = {}
        self._reached = reached
        self._judge = judge
        founders = tuple(replay.lists[0][1])
        others = len(founders) - 1
        self._to_admit = (others + others // 2 + 1) // 2  # ceil((N-1+f)/2), f = floor((N-1)/2)
        self._founders = founders
        self._names = names

    def started(self, index: int, stored: Stored) -> None:
        store = self._stores[index]
        store.process += 1
        store.confirmed, store.commit_at_start = 0, stored.commit
        store.is_confirmed = False
        store.stood = {stored.standing}
        store.recorded.clear()
        store.contradicted_by = self.contradicting(store.name, stored.life, stored.commit)

    def replaced(self, index: int, image: Image) -> None:
        store = self._stores[index]
        store.replaced = True
        for other in self._stores:
            other.contradicted_by.discard(store.name)
        store.barred = store.barred or store.ever_voted
        store.remembers = {peer: memory.life for peer, memory in image.peers.items()}

    # Who may vote

    def was_replaced(self, index: int) -> bool:
        return self._stores[index].replaced

    def barred(self, index: int) -> bool:
        return self._is_barred(self._stores[index])

    def _is_barred(self, store: _Store) -> bool:
        return store.barred and store.disk.image.life not in self._replay.admitted

    def votes(self, index: int) -> bool:
        store = self._stores[index]
        return store.ever_voted and self._is_confirmed(store)

    def _is_confirmed(self, store: _Store) -> bool:
        """Since it started, by floor(N/2) others of a list by which it voted then."""
        if not store.is_confirmed:
            lists = [lives for lives in self._replay.about(store.disk.image.prefix) if store.name in lives]
            store.is_confirmed = any(self._confirmed_by(store, lives) >= len(lives) // 2 for lives in lists)
        return store.is_confirmed

    def _confirmed_by(self, store: _Store, lives: Lives) -> int:
        return sum(name in lives and store.confirmed >> index & 1 for index, name in enumerate(self._names))

    def may_vote(self, index: int, does: str) -> None:
        store = self._stores[index]
        if self._is_barred(store):
            self.may_not_be_barred(index, does)
        # A pass may learn that the disk is lost after it voted as a voter, or even became one.
        admitted = {Standing.ADMITTED, Standing.READMITTED} & store.stood
        if not admitted or not self._is_confirmed(store):
            told = f"{does}, but only {store.confirmed.bit_count()} peers confirmed its store since it started"
            self._judge.breaks("D5", told, site=store.name)

    def may_not_be_barred(self, index: int, does: str) -> None:
        store = self._stores[index]
        if not self._is_barred(store):
            return
        lists = [{*lives, store.name} for lives in self._replay.holding(store.disk.image.prefix)]
        if any(len(voters) - 1 - len(store.contradicted_by & voters) >= len(voters) // 2 for voters in lists):
            raise OutOfModel(f"{store.name} {does} on an old copy that enough peers cannot contradict any more")
        self._judge.breaks("D5", f"{does} on a store that is not the one it voted with", site=store.name)

    def contradicting(self, name: SiteId, life: StoreId, commit: int) -> set[SiteId]:
        """The other sites that durably remember another store of `name`, or a later commit of this one."""
        return {store.name for store in self._stores if store.disk.image.contradicts(name, life, commit)}

    # What becomes durable

    def remembered(self, index: int, memory: PeerMemory) -> None:
        store, peer, life = self._stores[index], memory.site, memory.life
        if life in self._replay.admitted:
            store.remembers[peer] = life
        if store.remembers.setdefault(peer, life) != life:
            told = f"remembers {peer}'s store as {life}, but knew another before: {store.remembers[peer]}"
            self._judge.breaks("D5", told, site=store.name)
        store.recorded.add(life)
        if self._knows_what_was_before(store.disk.image.life):
            self._recorded[life] = self._recorded.get(life, 0) | 1 << index

    def _knows_what_was_before(self, life: StoreId) -> bool:
        """D5 alone let the store in, and it belonged to the cluster ever since."""
        replay = self._replay
        return life not in replay.admitted or (life in self._by_d5 and life not in replay.promoted)

    def stands(self, index: int, write: WriteStanding) -> None:
        store = self._stores[index]
        store.stood.add(write.standing)
        match write.standing:
            case Standing.ADMITTED:
                by = self._recorded.get(store.disk.image.life, 0) & ~(1 << index)
                recorded = by & sum(1 << self._names.index(site) for site in self._founders)
                if recorded.bit_count() < self._to_admit or store.name not in self._founders:
                    told = (
                        f"its store is admitted, recorded by {recorded.bit_count()} peers; {self._to_admit} are needed"
                    )
                    self._judge.breaks("D5", told, site=store.name)
                self.may_not_be_barred(index, "is admitted")
                self._by_d5.add(store.disk.image.life)
                store.ever_voted = True
            case Standing.READMITTED:
                life, changes = store.disk.image.life, store.disk.image.changes
                if not any(change.body.endswith(f" {store.name} {life}") for change in changes):
                    told = f"its store {life} is readmitted, but its log says nothing of it"
                    self._judge.breaks("M4", told, site=store.name)
                store.ever_voted = True
            case Standing.LEARNER:
                self._reached("lost disk detected")
                if not store.replaced and not self._has_another(store):
                    self._judge.breaks("D5", f"its disk is called lost, but it is not: {write.why}", site=store.name)
            case Standing.NEW:
                self._judge.breaks("D5", "its store becomes new again", site=store.name)
            case _:
                assert_never(write.standing)

    def _has_another(self, store: _Store) -> bool:
        """The log has put another store in the place of this one, or removed the site."""
        lives = self._replay.lists[-1][1]
        named = lives.get(store.name)
        return store.name not in lives or (named is not None and named != store.disk.image.life)

    # What leaves

    def asks(self, index: int, nonce: Nonce) -> None:
        """A hello leaves."""
        store = self._stores[index]
        self._hellos[nonce] = _Asked(store, store.disk.image.life, store.process)

    def welcomes(self, index: int, message: Welcome) -> None:
        """The nonce tells which store is meant."""
        if message.verdict not in (Verdict.RECORDED, Verdict.NOTED):
            return
        store = self._stores[index]
        peer = (asked := self._hellos[message.nonce]).store
        memory = store.disk.image.peers.get(peer.name)
        known = memory if memory is not None and memory.life == asked.life else None
        if known is None and asked.life not in store.recorded:
            told = f"says that it recorded {peer.name}'s store {asked.life}, but its disk has {memory}"
            self._judge.breaks("D1", told, site=store.name)
        elif asked.process == peer.process and not peer.confirmed >> index & 1:
            peer.confirmed |= 1 << index
            self._is_confirmed(peer)
            if known is not None and known.commit > peer.commit_at_start:
                peer.contradicted_by.add(store.name)

    def passed(self, index: int) -> None:
        """All that a pass had to say, if anything, has left: from here on the site is held to the standing that is on
        its disk."""
        store = self._stores[index]
        store.stood = {store.disk.image.standing}
        store.recorded.clear()
