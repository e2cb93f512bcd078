"""Company: whom a site has met, and who of them belongs to the lists of the log (M1).

Rules that hold here:
- D5: what is remembered of a peer's store is kept for whoever comes back, also where no list has him any more.
- Strangers, who said hello and are in no list that is known here, are few, and forgotten with the process.
- D5: a new store of the first list is confirmed by others of that list; a known one by those who vote with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.core.ids import LEARNERS_MAX, SITES_MAX, Nonce, SiteId, Slot, StoreId, Tick
from engine.core.log.members import Members
from engine.core.messages import Verdict
from engine.core.peers.doubles import Doubles
from engine.core.settings import Settings
from engine.core.storage import PeerMemory, Standing
from engine.core.value import Value

STRANGERS_MAX: Final = SITES_MAX + LEARNERS_MAX
NONCES_KEPT: Final = 8
"""Of the hellos to a peer, and of its hellos to this site."""


class Challenge(Value):
    """What a hello has to come back with; `commit` is what was remembered of the peer when it was given out."""

    proof: Nonce
    commit: int


@dataclass(slots=True)
class Peer:
    """`life` is whom we talk to; `memory` is what we recorded durably: they differ once a peer lost its disk."""

    site: SiteId
    life: StoreId | None
    memory: PeerMemory | None
    said_life: StoreId | None = None  # of its last hello, proven or not: whom a welcome answers
    verdict: Verdict | None = None  # the peer's, to our last hello
    recorded: bool = False  # the peer recorded our life, on this start of ours ...
    noted: bool = False  # ... and cannot know whether there was another before
    recorded_on: StoreId | None = None  # the store on which it recorded ours
    nonces: list[Nonce] = field(default_factory=list)
    proof: Nonce | None = None  # the peer's challenge, for our next hello
    challenges: dict[Nonce, Challenge] = field(default_factory=dict)  # ours, by the nonce of the peer's hello
    dirty: bool = False
    hello_at: Tick = Tick(0)
    hello_every: Tick = Tick(0)
    is_old_copy: bool = False  # a later commit of its store is remembered


class Company:
    """`names`: those of the lists. `unmet`: the peers with no life yet to talk to. `unrecorded`: those that have not
    recorded this site's store since it started."""

    def __init__(self, settings: Settings, memories: Mapping[SiteId, PeerMemory]) -> None:
        self._site = settings.site
        self._memories = memories
        self.doubles = Doubles(settings.site, settings.timings.heartbeat)
        self._peers: dict[SiteId, Peer] = {}
        self.names: frozenset[SiteId] = frozenset()
        self._listed = set[SiteId]()  # who belongs to the lists, or did since the start
        self.unmet = set[SiteId]()
        self.unrecorded = set[SiteId]()
        self.follow(settings.peers)

    def follow(self, names: Iterable[SiteId]) -> None:
        """These belong to the lists now."""
        self.names = frozenset(names)
        self._listed |= self.names
        for site in sorted(self.names):
            self.met(site)

    def get(self, site: SiteId) -> Peer | None:
        return self._peers.get(site)

    def met(self, site: SiteId) -> Peer:
        """The peer of this name, which may be met only now."""
        peer = self._peers.get(site)
        if peer is None:
            memory = self._memories.get(site)
            peer = self._peers[site] = Peer(site, memory.life if memory else None, memory)
            self.unrecorded.add(site)
            if peer.life is None:
                self.unmet.add(site)
        return peer

    def has_room_for(self, site: SiteId) -> bool:
        """Who left the lists takes no stranger's room."""
        return site in self._peers or len(self._peers.keys() - self._listed) < STRANGERS_MAX

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def present(self) -> list[Peer]:
        """Those of the lists."""
        return [peer for peer in self._peers.values() if peer.site in self.names]

    def without_verdict(self) -> list[Peer]:
        """Those of the lists that have not judged this site's store."""
        return [peer for peer in self._peers.values() if peer.verdict is None and peer.site in self.names]

    def talk_to(self, peer: Peer, life: StoreId, now: Tick) -> None:
        """It proved that this is its store."""
        self.doubles.proved(peer.site, peer.life, life, now)
        peer.is_old_copy = peer.is_old_copy and peer.life == life
        peer.life = life
        self.unmet.discard(peer.site)

    def replaced(self, members: Members, now: Tick) -> Iterator[SiteId]:
        """Who runs on another store than is remembered of it, which the log may admit."""
        for peer in self.present():
            is_other = peer.memory is not None and peer.life not in (None, peer.memory.life)
            if is_other and not (self._was_admitted(peer, members) or self.doubles.of(peer.site, now)):
                yield peer.site

    def outdated(self, members: Members) -> Iterator[SiteId]:
        """Who runs on a store that does not vote again: on an old copy, or one that the log replaced by another."""
        for peer in self.present():
            is_other = peer.memory is not None and peer.life != peer.memory.life
            if peer.is_old_copy or (is_other and self._was_admitted(peer, members)):
                yield peer.site

    @staticmethod
    def _was_admitted(peer: Peer, members: Members) -> bool:
        return peer.life is not None and members.admits(peer.site, peer.life)

    def lacking(self, members: Members, prefix: Slot, standing: Standing) -> tuple[int, int] | None:
        """How many others have to confirm this site's store and how many do, where that is too few; None where it is
        enough. A new one is admitted by those alone that were there before it; and never one of a site that the log
        added: the log does."""
        if standing is Standing.NEW:
            founders = members.founders
            others = len(founders) - (self._site in founders)
            needed = (others + others // 2 + 1) // 2  # ceil((N-1+f)/2), f = floor((N-1)/2)
            answered = sum(peer.recorded and not peer.noted for peer in self._of(founders))
            return (needed, answered) if answered < needed or self._site not in founders else None
        lists = [each.sites for each in members.above(prefix) if self._site in each.sites]
        counts = [(len(sites) // 2, sum(peer.recorded for peer in self._of(sites))) for sites in lists]  # floor(N/2)
        return next((lacking for lacking in counts if lacking[1] < lacking[0]), None) if counts else (1, 0)

    def _of(self, sites: Iterable[SiteId]) -> Iterator[Peer]:
        return (self._peers[site] for site in sites if site in self._peers)
