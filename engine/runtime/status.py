"""The status of a site: the object of docs/commands.md, and what docs/control.md adds for screens."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.contract.lines import iso
from engine.contract.metrics import Metrics
from engine.contract.status import MemberStanding, Peer, Quorum, Removed, Status
from engine.core.ids import SiteId, Tick
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.core.views import ElectionPhase, PeerView
from engine.runtime.clock import Clock
from engine.runtime.clocks import Clocks
from engine.runtime.counters import NodeCounts, counters_shape
from engine.runtime.faults import FaultLayer
from engine.runtime.keys_heard import KeysHeard
from engine.runtime.members import MembersBoard
from engine.runtime.peer_addresses import PeerAddresses
from engine.runtime.roll import Roll
from engine.runtime.shapes import at, attempt_shape
from engine.runtime.sizes import Sizes
from engine.runtime.udp import UdpSocket

ATTEMPTS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What stays the same while the process runs."""

    cluster: str
    udp: str
    data: Path
    pid: int
    version: str
    since_ms: int
    store_files: Mapping[str, Path]
    """What the store is made of, by what each is."""


class StatusBoard:
    def __init__(
        self,
        *,
        facts: ProcessFacts,
        settings: Settings,
        roll: Roll,
        replica: Replica,
        clock: Clock,
        counts: NodeCounts,
        udp: UdpSocket,
        peer_addresses: PeerAddresses,
        sizes: Sizes,
        clocks: Clocks,
        keys_heard: KeysHeard,
        fault_layer: FaultLayer,
    ) -> None:
        self.members = MembersBoard(settings, roll, replica, clock, peer_addresses)
        self._facts = facts
        self._settings = settings
        self._roll = roll
        self._replica = replica
        self._clock = clock
        self._counts = counts
        self._udp = udp
        self._peer_addresses = peer_addresses
        self._sizes = sizes
        self._clocks = clocks
        self._keys_heard = keys_heard
        self._fault_layer = fault_layer

    def status(self) -> Status:
        facts, settings, clock = self._facts, self._settings, self._clock
        now = clock.now()
        view = self._replica.view(ATTEMPTS_MAX)
        quorum, removed, standings = view.quorum, view.removed, self.members.standings(view)
        wanted_by = self.members.wanted_by(view)
        attempts = (attempt_shape(attempt, clock) for attempt in view.attempts)
        return Status(
            site=settings.site,
            cluster=facts.cluster,
            leadership=settings.leadership,
            leader=view.leader,
            quorum=Quorum(quorum.reachable, quorum.needed, quorum.size),
            chosen_through=view.prefix,
            chosen_max=view.learned_max,
            next=view.next,
            holes=view.holes,
            recovering=view.recovering,
            voting=view.voting,
            voting_why=view.voting_why,
            mismatch="; also, ".join(filter(None, (view.mismatch, self._keys_heard.mismatch(now, view.peers)))) or None,
            hindered=view.hindered,
            narrow=self._sizes.narrow,
            unsent=self._peer_addresses.unsent,
            sites_file=self._roll.differs,
            faults=self._fault_layer.rules_on,
            unknown=view.unknown,
            fresh_at=at(view.fresh_at, clock),
            key=self._keys_heard.told,
            peers={
                peer.site: self._peer(peer, now, standings.get(peer.site), wanted_by.get(peer.site))
                for peer in view.peers
            },
            counters=counters_shape(self._counts, self._udp.counts, self._fault_layer.counts, self._keys_heard.second),
            udp=facts.udp,
            pid=facts.pid,
            version=facts.version,
            since=iso(facts.since_ms),
            fill_in_s=None if view.fill_at is None else round(max(0, view.fill_at - now) / 1000, 1),
            data=str(facts.data),
            attempts=tuple(attempt for attempt in attempts if attempt is not None),
            standing=standings[settings.site],
            wanted_by=wanted_by.get(settings.site),
            coming=self.members.coming(view),
            removed=None if removed is None else Removed(removed.slot, removed.first, removed.needed),
        )

    def metrics(self) -> Metrics:
        measures = self._counts.measures
        return Metrics(
            status=self.status(),
            holes=self._replica.view(attempts_max=0).holes_count,
            elections={phase.value: measures.elections[phase.value] for phase in ElectionPhase},
            created=measures.created.told(),
            commits=measures.commits.told(),
            round_trips={peer: trips.told() for peer, trips in measures.round_trips.items()},
            store_bytes={name: _size_bytes(path) for name, path in self._facts.store_files.items()},
            disk_free_bytes=_free_bytes(self._facts.data),
        )

    def _peer(self, peer: PeerView, now: Tick, standing: MemberStanding | None, wanted_by: SiteId | None) -> Peer:
        return Peer(
            up=peer.up,
            rtt_ms=peer.rtt_ms,
            chosen_through=peer.prefix,
            heard_s=None if peer.heard is None else round((now - peer.heard) / 1000, 1),
            voting=peer.voting,
            address=self._peer_addresses.shown(peer.site),
            datagram_bytes=self._sizes.of(peer.site),
            key=self._keys_heard.of(peer.site),
            clock_ms=self._clocks.ahead_ms(peer.site),
            standing=standing or MemberStanding.STRANGER,
            file_address=self._roll.elsewhere(peer.site, self._peer_addresses.shown(peer.site)),
            wanted_by=wanted_by,
        )


def _size_bytes(path: Path) -> int:
    """0 where it is not there: the write-ahead log comes and goes."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
