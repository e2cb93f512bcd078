"""What a site is made of, and the node that its parts make.

Rules that hold here:
- Nothing runs here: the store is open, the socket is bound, and whoever serves the site starts the node and closes all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import trio

from engine.core.ids import SiteId
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.core.storage import Storage
from engine.datagram import DatagramSizes
from engine.runtime.clock import Clock
from engine.runtime.clocks import Clocks
from engine.runtime.counters import NodeCounts
from engine.runtime.faults import FaultLayer
from engine.runtime.inbox import Inbox
from engine.runtime.keys_heard import KeysHeard
from engine.runtime.links import Links, Sealer
from engine.runtime.node import NodeParts
from engine.runtime.peer_addresses import HostPort, PeerAddresses, show
from engine.runtime.pending_calls import PendingCalls
from engine.runtime.queries import Queries
from engine.runtime.recording import Recording
from engine.runtime.roll import Following, Roll
from engine.runtime.searching import NoWords, Searching, WordIndex
from engine.runtime.sizes import Sizes
from engine.runtime.status import ProcessFacts, StatusBoard
from engine.runtime.subscriptions import Subscriptions
from engine.runtime.trace import Trace
from engine.runtime.udp import UdpSocket
from engine.wire import CHALLENGE_BYTES


@dataclass(frozen=True, slots=True)
class Site:
    """All that a site is made of. The store is open, and closed by whoever serves the site."""

    cluster: str
    settings: Settings
    addresses: Mapping[SiteId, HostPort]
    wire: Sealer
    datagram_sizes: DatagramSizes
    storage: Storage
    folder: Path
    control: Path
    version: str
    key_files: tuple[str, ...] = ()
    """Under which `wire` seals and opens, for people."""
    words: WordIndex = field(default_factory=NoWords)
    """What is indexed of the log for who searches it; closed by whoever serves the site."""
    recorded: bool = False
    """Whether all that happens from the start on is kept for the first who records it."""
    store_files: Mapping[str, Path] = field(default_factory=dict)
    """What `storage` is made of, by what each is, for who measures it."""
    metrics_at: HostPort | None = None
    """Where metrics are told over HTTP."""


async def assemble(site: Site, udp: UdpSocket, inbox: Inbox, nursery: trio.Nursery) -> NodeParts:
    """Puts a node together. Raises StoreError."""
    settings, storage = site.settings, site.storage
    clock, trace, counts = Clock(), Trace(), NodeCounts()
    recording = Recording(counts, awaited=site.recorded)
    faults = FaultLayer(settings.site, settings.sites, seed=Random().getrandbits(32))
    # Each start has chance of its own: nonces must not come again (W1), nor two sites draw the same waits (B4).
    stored = storage.load()
    replica = Replica(settings, stored, storage, Random(), faults.taken)
    roll = Roll(settings.site, site.addresses, replica.members())
    faults.sites = roll.names
    peer_addresses = PeerAddresses(udp.family, roll.places)
    await peer_addresses.resolve_literals()
    facts = ProcessFacts(
        site.cluster,
        show(udp.address),
        site.folder,
        os.getpid(),
        site.version,
        clock.wall_ms(),
        site.store_files,
    )
    sizes = Sizes(site.datagram_sizes, roll.peers, partial(os.urandom, CHALLENGE_BYTES))
    clocks = Clocks(partial(os.urandom, CHALLENGE_BYTES))
    keys_heard = KeysHeard(site.key_files, site.wire.opened_under, settings.timings.heartbeat)
    board = StatusBoard(
        facts=facts,
        settings=settings,
        roll=roll,
        replica=replica,
        clock=clock,
        counts=counts,
        udp=udp,
        peer_addresses=peer_addresses,
        sizes=sizes,
        clocks=clocks,
        keys_heard=keys_heard,
        fault_layer=faults,
    )
    links = Links(
        founders=settings.sites,
        replica=replica,
        wire=site.wire,
        sizes=sizes,
        clocks=clocks,
        keys_heard=keys_heard,
        udp=udp,
        peer_addresses=peer_addresses,
        faults=faults,
        trace=trace,
        recording=recording,
        counts=counts,
        clock=clock,
    )
    queries = Queries(
        settings=settings,
        replica=replica,
        storage=storage,
        searching=Searching(replica, storage, site.words, stored.life),
        trace=trace,
        fault_layer=faults,
        board=board,
        clock=clock,
    )

    def resolve(peer: SiteId) -> None:
        nursery.start_soon(peer_addresses.resolve, peer)

    return NodeParts(
        replica=replica,
        storage=storage,
        clock=clock,
        inbox=inbox,
        udp=udp,
        peer_addresses=peer_addresses,
        sizes=sizes,
        clocks=clocks,
        links=links,
        pending=PendingCalls(settings, replica, queries),
        queries=queries,
        faults=faults,
        subscriptions=Subscriptions(trace, recording),
        trace=trace,
        recording=recording,
        counts=counts,
        following=Following(roll, peer_addresses, sizes, faults, resolve),
    )
