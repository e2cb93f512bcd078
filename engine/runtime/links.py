"""Messages on their way between the replica and the socket: sealed, traced, and mistreated where fault rules say so.

Rules that hold here:
- `take` and `due` are what came; `send` is where messages leave, and a turn asks for it after its commit (D1). What a
  rule delayed or held on its way out left its turn after that commit too: it goes when its time has come.
- While no fault rule is on, what leaves together goes in one packet. Otherwise each message has a datagram of its own,
  so that the fate of one is not that of another.
- A bad datagram is counted by its reason, and gets no answer (W2, W3).
- A message that is longer than a datagram may be goes and comes in parts (W4, `engine.parts`). How long that is, a peer
  is asked (`engine.runtime.sizes`); who asks is answered at its usual address, a bounded number of times a pass (W3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from engine.contract.answers import Direction
from engine.contract.notifications import RecordFate
from engine.core.ids import SiteId, Tick
from engine.core.messages import Message, Packet
from engine.core.replica import Replica
from engine.core.turn import Leave
from engine.core.value import Value
from engine.datagram import Reason, Rejected, TooLong
from engine.runtime.clock import Clock
from engine.runtime.clocks import Clocks
from engine.runtime.counters import NodeCounts
from engine.runtime.fault_rules import UNTOUCHED, Fate, unsent
from engine.runtime.faults import FaultLayer, Transit
from engine.runtime.keys_heard import KeysHeard
from engine.runtime.peer_addresses import Address, PeerAddresses
from engine.runtime.recording import Recording
from engine.runtime.rest import Rest
from engine.runtime.sizes import Sizes
from engine.runtime.trace import Trace
from engine.runtime.udp import Datagram, UdpSocket
from engine.seal import HEADER_BYTES, OpenedUnder
from engine.senders import PerSender
from engine.wire import AskClock, AskFounders, Echo, Founders, Opened, Sounding, WallClock

ECHOES_PER_PASS: Final = 16
"""So many questions about lengths of one peer are answered in one pass; a round of them has fewer."""


class Sealer(Protocol):
    """`engine.wire.Wire`, as the node uses it."""

    def seal(self, to: SiteId, packet: Packet, datagram_bytes_max: int) -> list[bytes]: ...

    def sound(self, to: SiteId, challenge: bytes, datagram_bytes: int) -> bytes: ...

    def echo(self, to: SiteId, challenge: bytes) -> bytes: ...

    def ask_clock(self, to: SiteId, challenge: bytes) -> bytes: ...

    def tell_clock(self, to: SiteId, challenge: bytes, wall_ms: int) -> bytes: ...

    def tell_founders(self, to: SiteId, challenge: bytes, sites: Iterable[SiteId]) -> bytes: ...

    def open(self, datagram: bytes) -> Opened | None: ...

    @property
    def given_up(self) -> int: ...

    @property
    def opened_under(self) -> PerSender[OpenedUnder]: ...


class Arrival(Value):
    """What came, and from where."""

    packet: Packet
    source: Address


class Links:
    def __init__(
        self,
        *,
        founders: Sequence[SiteId],
        replica: Replica,
        wire: Sealer,
        sizes: Sizes,
        clocks: Clocks,
        keys_heard: KeysHeard,
        udp: UdpSocket,
        peer_addresses: PeerAddresses,
        faults: FaultLayer,
        trace: Trace,
        recording: Recording,
        counts: NodeCounts,
        clock: Clock,
    ) -> None:
        self._founders = founders
        self._replica = replica
        self._wire = wire
        self._sizes = sizes
        self._clocks = clocks
        self._keys_heard = keys_heard
        self._udp = udp
        self._peer_addresses = peer_addresses
        self._faults = faults
        self._trace = trace
        self._recording = recording
        self._counts = counts
        self._clock = clock
        self._echoes: dict[SiteId, list[bytes]] = {}
        self._asked_founders: list[tuple[AskFounders, Address]] = []
        self._asked_clock: dict[SiteId, bytes] = {}
        """The newest question of each."""
        self._rest = Rest()
        faults.lost = self._lost

    async def readable(self) -> None:
        """Until something waits at the socket; a moment longer where nobody minds."""
        await self._rest.over()
        await self._udp.readable()

    def rests(self) -> bool:
        """It listens only a moment later."""
        return self._rest.under_way

    def take(self, now: Tick, datagram: Datagram) -> list[Arrival]:
        """What a datagram brings at this moment: nothing, if it is bad, if other parts of its packet are missing, or
        if a rule drops, delays or holds it."""
        try:
            opened = self._wire.open(datagram.data)
        except Rejected as rejected:
            self._counts.rejected[rejected.reason.value] += 1
            if rejected.claimed is not None:
                self._keys_heard.unopened(now, rejected.claimed)
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
            case AskFounders():
                if len(self._asked_founders) < ECHOES_PER_PASS:
                    self._asked_founders.append((opened, datagram.source))
            case Founders():
                pass  # this site asked before it had a store, and has one
            case AskClock(sender, challenge):
                self._asked_clock[sender] = challenge
            case WallClock(sender, challenge, wall_ms):
                self._clocks.answered(now, sender, challenge, wall_ms, self._clock.wall_ms_of(now))
            case None:
                self._count_given_up()
        return []

    def _take_packet(self, now: Tick, packet: Packet, datagram: Datagram) -> list[Arrival]:
        self._counts.messages_in += len(packet.messages)
        self._counts.costs.took(packet.messages, len(datagram.data))
        self._rest.heard(now, packet.messages)
        at_ms = self._clock.wall_ms()
        if self._faults.idle:
            for message in packet.messages:
                self._trace.message(at_ms, Direction.IN, packet.sender, message, UNTOUCHED)
            if self._recording.on:
                self._recording.came(at_ms, packet.sender, packet.messages, datagram.data)
            return [Arrival(packet, datagram.source)]
        header = datagram.data[:HEADER_BYTES] if self._recording.on else b""
        arrivals = []
        for message in packet.messages:
            alone = Packet(packet.sender, packet.life, packet.commit, packet.to_life, (message,))
            fate = self._faults.judge(Direction.IN, packet.sender, message)
            self._trace.message(at_ms, Direction.IN, packet.sender, message, fate)
            transit = Transit(Direction.IN, packet.sender, alone, datagram.source, self._flight(fate), header)
            self._record_judged(at_ms, transit, fate)
            at_once = self._faults.carry(now, at_ms, transit, fate)
            arrivals += [self._arrival(at_ms, transit) for _ in range(at_once)]
        return arrivals

    def _arrival(self, at_ms: int, transit: Transit) -> Arrival:
        """What a rule let come, or has let go now."""
        assert transit.address is not None, "what came in came from somewhere"
        if self._recording.on and transit.header:
            packet = transit.packet
            self._recording.came(at_ms, packet.sender, packet.messages, transit.header, transit.flight)
        return Arrival(transit.packet, transit.address)

    def _flight(self, fate: Fate) -> int | None:
        return None if fate is UNTOUCHED else self._recording.flight()

    def _record_judged(self, at_ms: int, transit: Transit, fate: Fate) -> None:
        if self._recording.on and fate.in_a_word is not None:
            self._recording.kept_back(at_ms, transit, RecordFate(fate.in_a_word), fate.note)

    def _lost(self, transit: Transit) -> None:
        """What a rule held, or delayed, and will not go on."""
        if self._recording.on and transit.flight is not None:
            at_ms = self._clock.wall_ms()
            self._recording.kept_back(at_ms, transit, RecordFate.DROPPED, "DROP (while it was held)")

    def due(self, now: Tick) -> Iterator[Arrival]:
        """Lets go what a rule delayed or held until now: what was on its way in is what came."""
        for transit in self._faults.due(now):
            if transit.direction is Direction.OUT:
                self._send_packet(now, transit.peer, transit.packet, transit.address, transit.flight)
            else:
                yield self._arrival(self._clock.wall_ms(), transit)

    def send(self, now: Tick, leave: Leave[Address]) -> None:
        """Sends what may leave: the commit that it depends on is done."""
        at_ms = self._clock.wall_ms()
        if not self._faults.idle:
            for message in leave.messages:
                self._send_judged(now, at_ms, leave, message)
            return
        packet = self._replica.packet(leave.to, tuple(leave.messages))
        fate = self._send_packet(now, leave.to, packet, leave.address)
        self._rest.said(now, packet.messages)
        for message in packet.messages:
            self._trace.message(at_ms, Direction.OUT, leave.to, message, fate)

    def answer_bare(self) -> None:
        """Answers those who asked how long datagrams may be (W4), what this site's clock says, and with whom the
        cluster began (M1): of one that has not begun, nobody knows whether its sites agree on that."""
        if not (self._asked_founders or self._echoes or self._asked_clock):
            return
        if self._asked_founders and (self._replica.prefix > 0 or self._replica.voting):
            for asked, source in self._asked_founders:
                self._udp.send(self._wire.tell_founders(asked.sender, asked.challenge, self._founders), source)
        self._asked_founders.clear()
        for peer, challenges in self._echoes.items():
            for challenge in challenges:
                self._send_bare(peer, self._wire.echo(peer, challenge))
        self._echoes.clear()
        for peer, challenge in self._asked_clock.items():
            self._send_bare(peer, self._wire.tell_clock(peer, challenge, self._clock.wall_ms()))
        self._asked_clock.clear()

    def ask_bare(self, now: Tick) -> None:
        """Asks the peers that are due how long datagrams may be (W4), and what their clocks say."""
        for peer, challenge in self._clocks.due(now):
            self._send_bare(peer, self._wire.ask_clock(peer, challenge))
        for question in self._sizes.due(now):
            self._send_bare(question.peer, self._wire.sound(question.peer, question.challenge, question.bytes))

    def _send_bare(self, to: SiteId, datagram: bytes) -> None:
        destination = self._peer_addresses.of(to)
        if destination is not None:
            self._udp.send(datagram, destination)

    def _send_judged(self, now: Tick, at_ms: int, leave: Leave[Address], message: Message) -> None:
        to, destination = leave.to, leave.address
        packet = self._replica.packet(to, (message,))
        fate = self._faults.judge(Direction.OUT, to, message)
        if fate is UNTOUCHED:
            fate = self._send_packet(now, to, packet, destination)
        else:
            transit = Transit(Direction.OUT, to, packet, destination, self._flight(fate))
            self._record_judged(at_ms, transit, fate)
            for _ in range(self._faults.carry(now, at_ms, transit, fate)):
                self._send_packet(now, to, packet, destination, transit.flight)
        self._trace.message(at_ms, Direction.OUT, to, message, fate)

    def _send_packet(
        self, now: Tick, to: SiteId, packet: Packet, address: Address | None, flight: int | None = None
    ) -> Fate:
        """Returns what became of it: untouched, or not sent. `flight` names it for whoever records."""
        fate, datagrams = self._sealed_and_sent(now, to, packet, address)
        if self._recording.on:
            self._recording.left(self._clock.wall_ms(), to, packet.messages, datagrams, flight=flight, unsent=fate.note)
        return fate

    def _sealed_and_sent(
        self, now: Tick, to: SiteId, packet: Packet, address: Address | None
    ) -> tuple[Fate, Sequence[bytes]]:
        destination = address or self._peer_addresses.of(to)
        if destination is None:
            self._udp.counts.send_errors["no-address"] += 1
            return unsent(f"the host name of {to} has no address"), ()
        try:
            datagrams = self._wire.seal(to, packet, self._sizes.of(to))
        except TooLong as too_long:
            self._udp.counts.send_errors["too-long"] += 1
            return unsent(f"longer than any datagram: {too_long}"), ()
        self._counts.messages_out += len(packet.messages)
        failed: str | None = None
        for datagram in datagrams:
            failed = self._udp.send(datagram, destination) or failed
        sizes_bytes = list(map(len, datagrams))
        self._counts.costs.sent(packet.messages, sizes_bytes)
        self._sizes.sent(now, to, max(sizes_bytes, default=0))
        if address is None:
            self._peer_addresses.sent(to, failed)
        return UNTOUCHED if failed is None else unsent(failed), datagrams

    def _count_given_up(self) -> None:
        given_up = self._wire.given_up
        if given_up:
            self._counts.rejected[Reason.INCOMPLETE.value] = given_up
