"""Messages on their way between the replica and the socket: sealed, traced, and mistreated where fault rules say so.

Rules that hold here:
- `take` and `due_in` are what came; `send` is the only place where anything leaves, and the node calls it after the
  commit (D1). Messages that a rule delays or holds left the replica after their commit too.
- While no fault rule is on, messages to one place go in one packet. Otherwise each has a datagram of its own, so that
  the fate of one is not that of another.
- A greeting has a packet of its own: it addresses another life than the rest may (D5, W1).
- A bad datagram is counted by its reason, and gets no answer (W2, W3).
- A message that is longer than a datagram may be goes and comes in parts (W4, `engine.parts`). How long that is, a peer
  is asked (`engine.runtime.sizes`); who asks is answered at its usual place, a bounded number of times a pass (W3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from engine.core.ids import SiteId, Tick
from engine.core.messages import Hello, Message, Packet, Welcome
from engine.core.replica import Replica
from engine.datagram import Reason, Rejected, TooLong
from engine.runtime.clock import Clock
from engine.runtime.counters import NodeCounts
from engine.runtime.fault_rules import UNTOUCHED, Direction
from engine.runtime.faults import FaultLayer, Flight
from engine.runtime.paths import Address, Paths
from engine.runtime.sizes import Sizes
from engine.runtime.trace import Trace
from engine.runtime.udp import Datagram, UdpSocket
from engine.wire import Echo, Opened, Sounding

ECHOES_PER_PASS: Final = 16
"""So many questions about lengths of one peer are answered in one pass; a round of them has fewer."""


class Sealer(Protocol):
    """`engine.wire.Wire`, as the node uses it."""

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]: ...

    def sound(self, to: SiteId, challenge: bytes, datagram_bytes: int) -> bytes: ...

    def echo(self, to: SiteId, challenge: bytes) -> bytes: ...

    def open(self, datagram: bytes) -> Opened | None: ...

    @property
    def given_up(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came, and from where."""

    packet: Packet
    source: Address


@dataclass(frozen=True, slots=True)
class Departure:
    """What is to leave; `address` is None for the peer's usual place."""

    to: SiteId
    message: Message
    address: Address | None


class Links:
    def __init__(
        self,
        *,
        replica: Replica,
        wire: Sealer,
        sizes: Sizes,
        udp: UdpSocket,
        paths: Paths,
        faults: FaultLayer,
        trace: Trace,
        counts: NodeCounts,
        clock: Clock,
    ) -> None:
        self._replica = replica
        self._wire = wire
        self._sizes = sizes
        self._udp = udp
        self._paths = paths
        self._faults = faults
        self._trace = trace
        self._counts = counts
        self._clock = clock
        self._flights_out: list[Flight] = []
        self._echoes: dict[SiteId, list[bytes]] = {}

    def take(self, now: Tick, datagram: Datagram) -> list[Arrival]:
        """What a datagram brings at this moment: nothing, if it is bad, if other parts of its packet are missing, or
        if a rule drops, delays or holds it."""
        try:
            opened = self._wire.open(datagram.data)
        except Rejected as rejected:
            self._counts.rejected[rejected.reason.value] += 1
            return []
        match opened:
            case Packet():
                return self._take_packet(now, opened, datagram)
            case Sounding(sender, challenge):
                waiting = self._echoes.setdefault(sender, [])
                if len(waiting) < ECHOES_PER_PASS:
                    waiting.append(challenge)
            case Echo(sender, challenge):
                self._sizes.answered(now, sender, challenge)
            case None:
                self._count_given_up()
        return []

    def _take_packet(self, now: Tick, packet: Packet, datagram: Datagram) -> list[Arrival]:
        self._counts.messages_in += len(packet.messages)
        self._counts.costs.took(packet.messages, len(datagram.data))
        at_ms = self._clock.wall_ms()
        if self._faults.idle:
            for message in packet.messages:
                self._trace.message(at_ms, Direction.IN, packet.sender, message, None)
            return [Arrival(packet, datagram.source)]
        arrivals = []
        for message in packet.messages:
            alone = Packet(packet.sender, packet.life, packet.commit, packet.to_life, (message,))
            fate = self._faults.judge(Direction.IN, packet.sender, message)
            self._trace.message(at_ms, Direction.IN, packet.sender, message, fate.note)
            flight = Flight(Direction.IN, packet.sender, alone, datagram.source)
            arrivals += [Arrival(alone, datagram.source)] * self._faults.carry(now, at_ms, flight, fate)
        return arrivals

    def due_in(self, now: Tick) -> Iterator[Arrival]:
        """What a rule delayed or held on its way in and lets go now; what it held on its way out goes with `send`."""
        for flight in self._faults.due(now):
            if flight.direction is Direction.OUT:
                self._flights_out.append(flight)
            else:
                assert flight.address is not None, "what came in came from somewhere"
                yield Arrival(flight.packet, flight.address)

    def send(self, now: Tick, departures: Iterable[Departure]) -> None:
        """Sends everything that may leave. The commit that it depends on is done."""
        for flight in self._flights_out:
            self._send_packet(now, flight.peer, flight.packet, flight.address)
        self._flights_out.clear()
        for peer, challenges in self._echoes.items():
            for challenge in challenges:
                self._send_bare(peer, self._wire.echo(peer, challenge))
        self._echoes.clear()
        at_ms = self._clock.wall_ms()
        if not self._faults.idle:
            for departure in departures:
                self._send_judged(now, at_ms, departure)
            return
        bundles: dict[tuple[SiteId, Address | None], list[Message]] = {}
        for departure in departures:
            if isinstance(departure.message, Hello | Welcome):
                self._send_together(now, at_ms, departure.to, [departure.message], departure.address)
            else:
                bundles.setdefault((departure.to, departure.address), []).append(departure.message)
        for (to, address), messages in bundles.items():
            self._send_together(now, at_ms, to, messages, address)

    def ask_sizes(self, now: Tick) -> None:
        """Asks the peers that are due how long datagrams may be (W4)."""
        for question in self._sizes.due(now):
            self._send_bare(question.peer, self._wire.sound(question.peer, question.challenge, question.bytes))

    def _send_bare(self, to: SiteId, datagram: bytes) -> None:
        place = self._paths.of(to)
        if place is not None:
            self._udp.send(datagram, place)

    def _send_together(
        self, now: Tick, at_ms: int, to: SiteId, messages: list[Message], address: Address | None
    ) -> None:
        packet = self._replica.packet(to, tuple(messages))
        failed = self._send_packet(now, to, packet, address)
        for message in packet.messages:
            self._trace.message(at_ms, Direction.OUT, to, message, failed)

    def _send_judged(self, now: Tick, at_ms: int, departure: Departure) -> None:
        to, message = departure.to, departure.message
        packet = self._replica.packet(to, (message,))
        fate = self._faults.judge(Direction.OUT, to, message)
        note = fate.note
        if fate is UNTOUCHED:
            note = self._send_packet(now, to, packet, departure.address)
        else:
            flight = Flight(Direction.OUT, to, packet, departure.address)
            for _ in range(self._faults.carry(now, at_ms, flight, fate)):
                self._send_packet(now, to, packet, departure.address)
        self._trace.message(at_ms, Direction.OUT, to, message, note)

    def _send_packet(self, now: Tick, to: SiteId, packet: Packet, address: Address | None) -> str | None:
        """Returns what went wrong, in words, or None."""
        place = address or self._paths.of(to)
        if place is None:
            self._udp.counts.send_errors["no-address"] += 1
            return f"NOT SENT (the host name of {to} has no address)"
        try:
            datagrams = self._wire.seal(to, packet, self._sizes.of(to))
        except TooLong as too_long:
            self._udp.counts.send_errors["too-long"] += 1
            return f"NOT SENT (longer than any datagram: {too_long})"
        self._counts.messages_out += len(packet.messages)
        self._counts.costs.sent(packet.messages, [len(datagram) for datagram in datagrams])
        self._sizes.sent(now, to, max(map(len, datagrams), default=0))
        failed = [error for datagram in datagrams if (error := self._udp.send(datagram, place)) is not None]
        if address is None:
            self._paths.sent(to, failed[0] if failed else None)
        return f"NOT SENT ({failed[0]})" if failed else None

    def _count_given_up(self) -> None:
        given_up = self._wire.given_up
        if given_up:
            self._counts.rejected[Reason.INCOMPLETE.value] = given_up
