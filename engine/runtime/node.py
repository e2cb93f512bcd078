"""The node: owns the replica and drives it, in one pass after the other.

Rules that hold here:
- D1: a pass takes all that waits, steps the replica through it, drives the turn that comes of it (`engine.core.turn`),
  then answers questions. What tells or answers shows nothing that is not durable.
- D2: a failed store ends the site: nothing of the pass, or after it, is sent. A broken rule ends it too.
- What was chosen is committed, and the others are told, with what this site says next, or CHOSEN_WAITS_MAX later:
  nobody waits for that, and what comes next would. It is durable before anything is shown that is read from the store.
- A pass is bounded, so that what is ready to leave does not wait for a flood to end.
- Between passes it sleeps until something comes or the earliest deadline. There is no other timer.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from engine.contract.answers import Stopping, Subscribed, Topic
from engine.contract.errors import ErrorCode
from engine.contract.metrics import Metrics
from engine.contract.requests import Action, FaultAction, Query, Stop, Submitting, Subscribe
from engine.contract.status import Status
from engine.core.effects import (
    Observation,
    SawApplied,
    SawAttempt,
    SawMembers,
    SawNumbered,
    SawOutcome,
    SawPeer,
    SawProof,
    SawReadConfirmed,
    SawReadUnconfirmed,
    SawRecovery,
    SawRejected,
    SawRemoved,
    SawStanding,
)
from engine.core.explained import describe
from engine.core.ids import NEVER, Tick
from engine.core.messages import Heartbeat
from engine.core.replica import Replica
from engine.core.settings import CHOSEN_WAITS_MAX
from engine.core.storage import Storage, StoreError, Write, WriteBlock
from engine.core.turn import Commit, End, Leave, Tell, Turn
from engine.core.views import ElectionPhase
from engine.runtime.changed import slots_changed
from engine.runtime.clock import Clock
from engine.runtime.clocks import Clocks
from engine.runtime.counters import NodeCounts
from engine.runtime.ending import Ending, EndStatus, store_ending
from engine.runtime.fault_calls import FaultCalls
from engine.runtime.faults import FaultLayer
from engine.runtime.inbox import Asked, Inbox
from engine.runtime.jsonrpc import CallFailed, CallRefused
from engine.runtime.links import Arrival, Links
from engine.runtime.log import RECOVERY
from engine.runtime.peer_addresses import Address, PeerAddresses
from engine.runtime.pending_calls import PendingCalls
from engine.runtime.queries import Queries
from engine.runtime.recording import SLOTS_AT_FIRST_MAX, Recording
from engine.runtime.roll import Following
from engine.runtime.scrub import Scrub
from engine.runtime.shapes import outcome_of
from engine.runtime.sizes import Sizes
from engine.runtime.subscriptions import Subscriptions
from engine.runtime.trace import Trace
from engine.runtime.udp import Datagram, UdpSocket

DATAGRAMS_PER_PASS: Final = 512
REQUESTS_PER_PASS: Final = 1_024
EVENTS_PER_PASS: Final = 4_096
"""A pass takes no further requests once it has so many events to submit."""

REQUESTS_TAKEN_MAX: Final = Tick(50)
"""How long a pass takes requests in: heartbeats leave only at its end, and others wait for them (L3). Datagrams have no
such bound, for what waits there may be the heartbeat without which the tick would find a leader silent."""

_REQUESTS_AT_ONCE: Final = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeParts:
    """What serves together as a node; all of it is this node's alone."""

    replica: Replica
    storage: Storage
    clock: Clock
    inbox: Inbox
    udp: UdpSocket
    peer_addresses: PeerAddresses
    sizes: Sizes
    clocks: Clocks
    links: Links
    pending: PendingCalls
    queries: Queries
    faults: FaultLayer
    subscriptions: Subscriptions
    trace: Trace
    recording: Recording
    counts: NodeCounts
    following: Following


class Node:
    def __init__(self, parts: NodeParts) -> None:
        self._parts = parts
        self._replica = parts.replica
        self._fault_calls = FaultCalls(parts.faults, parts.clock)
        self._turn: Turn[Address] = Turn(parts.replica)
        self._questions: deque[tuple[Asked, Query]] = deque()
        self._ending: Ending | None = None
        self._settle_at = NEVER  # by when what was chosen is committed, and told
        self._faults_shown = 0
        self._scrub = Scrub(parts.storage)
        self._tick_at = Tick(0)
        self._due = Tick(0)  # of the next pass

    def start(self) -> None:
        """The first pass: what the replica does at start. Raises StoreError."""
        now = self._parts.clock.now()
        if self._parts.recording.on:
            self._record_votes()
        self._turn.take(self._replica.start(now))
        self._perform(now)

    async def run(self) -> Ending:
        """Passes until something ends the site."""
        parts = self._parts
        try:
            due_s = parts.clock.trio_time_s(self._due)
            await parts.inbox.follow(parts.links.readable, due_s, self._woken, parts.links.rests)
            assert self._ending is not None
            if self._ending.status is EndStatus.CLEAN:
                self._turn.settle()
                self._perform(parts.clock.now())
                parts.subscriptions.finish(parts.clock.now(), parts.queries)
        except StoreError as error:
            return store_ending(error)
        return self._ending

    def status(self) -> Status:
        return self._parts.queries.status()

    def metrics(self) -> Metrics:
        return self._parts.queries.metrics()

    def abandon(self, code: ErrorCode, message: str) -> None:
        """Tells everybody who waits for an answer that there will be none."""
        self._parts.pending.abandon(code, message)
        unanswered = [asked for asked, _ in self._questions] + self._parts.inbox.take(sys.maxsize)
        for asked in unanswered:
            asked.client.fail(CallFailed(code, message, asked.call_id))

    # One pass

    def _woken(self) -> float | None:
        """When the next pass is due, on trio's clock; None where the site ends."""
        stop_reason = self._parts.inbox.stop_reason
        if stop_reason is not None:
            self._ending = Ending(stop_reason, EndStatus.CLEAN, ErrorCode.STOPPING)
        else:
            self._passes()
        return None if self._ending is not None else self._parts.clock.trio_time_s(self._due)

    def _passes(self) -> None:
        """One; and a second where something came while the first one committed: mostly what others say to that."""
        udp, counts = self._parts.udp, self._parts.counts
        commits = counts.commits
        now = self._pass(udp.receive(DATAGRAMS_PER_PASS))
        if counts.commits > commits and self._ending is None and (came := udp.receive(DATAGRAMS_PER_PASS)):
            now = self._pass(came)
        if self._ending is None:
            self._go_to_sleep(now)

    def _pass(self, datagrams: Sequence[Datagram]) -> Tick:
        """Returns when it began."""
        parts = self._parts
        now = parts.clock.now()
        parts.counts.passes += 1
        for arrival in self._arrivals(now, datagrams):
            self._receive(now, arrival)
            if self._turn.ends:
                break  # A broken replica is not stepped again.
        else:
            if parts.inbox.waits:
                self._take_requests(now)
            if self._tick_at <= now:
                self._tick_at = NEVER  # until it is known anew, before the next sleep
                self._turn.take(self._replica.tick(now))
        self._perform(now)
        return now

    def _go_to_sleep(self, now: Tick) -> None:
        """Does what is due beside the protocol, and finds out when the next pass is."""
        parts = self._parts
        if self._faults_shown != parts.faults.changes:
            self._faults_shown = parts.faults.changes
            parts.subscriptions.faults()
        parts.subscriptions.status()
        self._ending = parts.following.ending(watched=parts.subscriptions.watched)
        parts.links.answer_bare()
        chores_at = self._chores_at()
        if chores_at <= now:
            parts.pending.tick(now)
            parts.links.ask_bare(now)
            for peer in parts.peer_addresses.to_resolve(now):
                parts.following.resolve(peer)
            self._scrub.tick(now)
            parts.subscriptions.flush(now, parts.queries)
            chores_at = self._chores_at()
        self._tick_at = self._replica.deadline()
        self._due = min(self._tick_at, chores_at, self._settle_at)

    def _arrivals(self, now: Tick, datagrams: Sequence[Datagram]) -> Iterator[Arrival]:
        """What a fault rule let come only now, then what came: what was held is not overtaken by what is newer."""
        yield from self._parts.links.due(now)
        for datagram in datagrams:
            yield from self._parts.links.take(now, datagram)

    def _take_requests(self, now: Tick) -> None:
        """Some of them in any pass, however many datagrams came; the others wait for the next one."""
        parts = self._parts
        for _ in range(0, REQUESTS_PER_PASS, _REQUESTS_AT_ONCE):
            requests = parts.inbox.take(_REQUESTS_AT_ONCE)
            at_ms = parts.clock.wall_ms()
            for asked in requests:
                self._request(now, at_ms, asked)
            if (
                len(requests) < _REQUESTS_AT_ONCE
                or parts.pending.collected >= EVENTS_PER_PASS
                or parts.clock.now() > now + REQUESTS_TAKEN_MAX
            ):
                break
        self._turn.take(parts.pending.push(now))

    def _chores_at(self) -> Tick:
        """When something is due that is no part of the protocol. What a rule holds back is due in a pass."""
        parts = self._parts
        times = (
            parts.pending.deadline(),
            parts.faults.deadline(),
            parts.subscriptions.deadline(),
            parts.peer_addresses.deadline(),
            parts.sizes.deadline(),
            parts.clocks.deadline(),
            self._scrub.deadline(),
        )
        return min([time for time in times if time is not None])

    def _receive(self, now: Tick, arrival: Arrival) -> None:
        effects = self._replica.receive(now, arrival.packet)
        peer = arrival.packet.sender
        self._parts.counts.measures.came(now, arrival.packet)
        if SawProof in map(type, effects.observations) and self._parts.peer_addresses.prove(peer, arrival.source):
            self._parts.sizes.moved(now, peer)
        if Heartbeat in map(type, arrival.packet.messages):
            self._tick_at = min(self._tick_at, self._replica.beats_at)  # this site beats along, if it would soon
        self._turn.take(effects, arrival.source)

    def _perform(self, now: Tick) -> None:
        """Does what the pass leaves to be done, then answers."""
        parts, turn = self._parts, self._turn
        if turn.owes and self._shows(now, turn):
            turn.settle()
        written: Sequence[Write] = ()
        for item in turn.items():
            match item:
                case Commit(writes):
                    began_s = time.perf_counter()
                    turn.committed(parts.storage.commit(writes))
                    parts.counts.measures.commits.observe(time.perf_counter() - began_s)
                    if parts.recording.on:
                        parts.recording.kept(parts.clock.wall_ms(), writes)
                    parts.counts.commits += 1
                    parts.counts.writes += len(writes)
                    parts.counts.costs.committed(writes)
                    written = writes
                case Leave():
                    parts.links.send(now, item)
                case Tell(observations):
                    self._tell(written, observations)
                    parts.inbox.flush()
                case End(why):
                    self._ending = Ending(why, EndStatus.BROKEN_RULE, ErrorCode.STOPPING)
                    return
        self._settle_at = turn.owed_by(self._settle_at, Tick(now + CHOSEN_WAITS_MAX)) or NEVER
        self._turn = turn.next()
        while self._questions:
            self._answer(*self._questions.popleft())
        parts.inbox.flush()

    def _shows(self, now: Tick, turn: Turn[Address]) -> bool:
        """Something is about to be read from the store for somebody, or what is owed has waited long enough."""
        told = self._parts.subscriptions.deadline()
        return bool(self._questions) or self._settle_at <= now or (told is not None and told <= now) or turn.shows

    # What is told

    def _tell(self, written: Sequence[Write], observations: Sequence[Observation]) -> None:
        parts = self._parts
        parts.pending.observe(observations)
        at_ms = parts.clock.wall_ms()
        for saw in observations:
            parts.trace.observation(at_ms, saw)
            if parts.recording.on:
                parts.recording.concluded(at_ms, saw)
            self._note(saw)
        parts.subscriptions.log(slots_changed(written, observations))
        if WriteBlock in map(type, written):
            parts.subscriptions.blocks()

    def _note(self, saw: Observation) -> None:
        parts = self._parts
        match saw:
            case SawNumbered():
                parts.pending.numbered(saw)
            case SawOutcome():
                parts.counts.events[saw.outcome.value] += saw.count
                parts.counts.measures.settled(saw)
                winner = parts.queries.entry_at(saw.slot) if saw.to_kind is not None else None
                outcome = outcome_of(saw, winner)
                parts.pending.outcome(saw, outcome)
                parts.subscriptions.outcomes(saw, outcome)
            case SawReadConfirmed() | SawReadUnconfirmed():
                parts.pending.read(saw)
            case SawPeer(peer, up):
                if up:
                    parts.peer_addresses.heard(peer)
                    parts.sizes.heard(parts.clock.now(), peer)
                    parts.clocks.heard(parts.clock.now(), peer)
                    _log.info("%s is heard", peer)
                else:
                    parts.peer_addresses.lost(peer)
                    parts.sizes.lost(peer)
                    parts.clocks.lost(peer)
                    _log.info("%s is not heard any more", peer)
            case SawStanding(voting, why):
                _log.info("this site %s: %s", "votes" if voting else "does not vote", why)
            case SawMembers(lists):
                parts.following.follow(lists)
            case SawRemoved(removed):
                parts.following.leave(removed)
            case SawRecovery():
                logging.getLogger(f"{RECOVERY}.{saw.phase}").info("recovery: %s", describe.recovery(saw).note)
            case SawRejected(reason, _):
                parts.counts.rejected[reason.value] += 1
            case SawApplied():
                parts.counts.costs.applied(saw)
            case SawAttempt(phase=ElectionPhase() as phase):
                parts.counts.measures.elections[phase.value] += 1

    # Requests

    def _request(self, now: Tick, at_ms: int, asked: Asked) -> None:
        parts, request = self._parts, asked.request
        try:
            if isinstance(request, Submitting):
                parts.pending.collect(asked, request, at_ms)
            elif isinstance(request, Action):
                self._turn.take(parts.pending.act(now, asked, request))
            elif isinstance(request, FaultAction):
                asked.client.answer(asked.call_id, self._fault_calls.act(now, asked.client, request))
            elif isinstance(request, Query):
                self._questions.append((asked, request))
            elif isinstance(request, Subscribe):
                parts.subscriptions.subscribe(asked.client, request.topics)
                if Topic.RECORD in request.topics:
                    self._record_votes()
                asked.client.answer(asked.call_id, Subscribed(tuple(sorted(request.topics))))
            elif isinstance(request, Stop):
                asked.client.answer(asked.call_id, Stopping(True))
                self._ending = Ending("asked to stop by a client", EndStatus.CLEAN, ErrorCode.STOPPING)
            else:
                assert_never(request)
        except CallRefused as refused:
            asked.client.fail(CallFailed(ErrorCode.REFUSED, str(refused), asked.call_id))

    def _answer(self, asked: Asked, query: Query) -> None:
        try:
            asked.client.answer(asked.call_id, self._parts.queries.answer(query))
        except CallRefused as refused:
            asked.client.fail(CallFailed(ErrorCode.REFUSED, str(refused), asked.call_id))
        except StoreError as error:
            asked.client.fail(CallFailed(ErrorCode.STORE, str(error), asked.call_id))
            raise

    def _record_votes(self) -> None:
        """A recording begins with what there is; what of it is not durable yet is so before anybody is told (D1)."""
        self._parts.recording.kept(self._parts.clock.wall_ms(), self._replica.votes(SLOTS_AT_FIRST_MAX))
