"""The links between the sites: each loses, repeats, delays and reorders datagrams in its own way.

Rules that hold here:
- A packet travels as the bytes that the production codec makes of it.
- A cut link takes nothing in; what was on its way arrives. Cuts overlap: a link is whole when all of them have ended.
- A narrow link loses what is longer than its packets may be, sealed and with the headers of IPv6 and UDP (W4).
- A datagram may come again at any time later, also when its sender or addressee has another life by then (W1).
- Whoever drives the world by hand says what is held (`hold`), and lets go what is to arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final

from engine.core.ids import Tick
from engine.core.messages import Message
from engine.core.value import Value
from engine.datagram import HEADERS_BYTES, SEAL_BYTES
from engine.sim.world.setup import CLEAR, Weather

_LATE_MIN: Final = 50
_REMEMBERED_MAX: Final = 32
_REMEMBER: Final = 0.1


class Datagram(Value):
    """`messages` is what the sender meant, for people and for truth; the addressee reads `payload`."""

    number: int
    sent_at: Tick
    sender: int
    to: int
    payload: bytes
    messages: tuple[Message, ...]


class Link:
    """One direction between two sites."""

    __slots__ = ("cuts", "packet_bytes_max", "remembered", "weather")

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.cuts = 0
        self.packet_bytes_max: int | None = None
        self.remembered: list[Datagram] = []


class Network:
    """`schedule(at, call, datagram)` has `arrive` called at that time."""

    def __init__(
        self,
        links: tuple[tuple[Weather, ...], ...],
        random: Random,
        schedule: Callable[[int, Callable[[Datagram], None], Datagram], None],
        arrive: Callable[[Datagram], None],
    ) -> None:
        self.links = [[Link(weather) for weather in row] for row in links]
        self.hold: Callable[[Datagram], bool] | None = None
        """Which datagrams do not leave for their addressee by themselves; None: all do."""
        self.on_held: Callable[[int], None] = _nobody_looks
        """Called with the number of each datagram that begins or ceases to be held."""
        self.sent = 0
        self.lost = 0
        self.repeated = 0
        self.stale = 0
        self.late = 0
        self._held: dict[int, Datagram] = {}
        self._random = random.random
        self._schedule = schedule
        self._arrive = arrive

    @property
    def held(self) -> Mapping[int, Datagram]:
        return self._held

    def send(
        self, now: Tick, sender: int, to: int, payload: bytes, messages: tuple[Message, ...]
    ) -> tuple[Datagram, bool]:
        """Takes a datagram in; returns it, and whether it will arrive at least once."""
        self.sent = number = self.sent + 1
        datagram = Datagram(number, now, sender, to, payload, messages)
        link = self.links[sender][to]
        if self.hold is not None and not link.cuts and self.hold(datagram):
            self.hold_back(datagram)
            return datagram, True
        weather = link.weather
        random = self._random
        if weather.stale:
            self._recall(now, link, datagram)
        if link.cuts or _too_long(link, payload) or random() < weather.loss:
            self.lost += 1
            return datagram, False
        self._schedule(now + self._delay(weather), self._arrive, datagram)
        if weather.duplicate and random() < weather.duplicate:
            self.repeated += 1
            self._schedule(now + self._delay(weather) + self._delay(weather), self._arrive, datagram)
        return datagram, True

    def _delay(self, weather: Weather) -> int:
        random = self._random
        if weather.late and random() < weather.late:
            self.late += 1
            return int(_LATE_MIN * (weather.late_max / _LATE_MIN) ** random())
        return weather.delay_min + int(random() * weather.delay_spread)

    def _recall(self, now: Tick, link: Link, datagram: Datagram) -> None:
        """Remembers some datagrams of a link, and now and then sends one of them again."""
        remembered, random = link.remembered, self._random
        if remembered and random() < link.weather.stale and not link.cuts:
            self.stale += 1
            again = remembered[int(random() * len(remembered))]
            self._schedule(now + self._delay(link.weather), self._arrive, again)
        if random() < _REMEMBER:
            if len(remembered) < _REMEMBERED_MAX:
                remembered.append(datagram)
            else:
                remembered[int(random() * _REMEMBERED_MAX)] = datagram

    # By hand

    def release(self, number: int, *, keep: bool = False) -> None:
        """Lets a held datagram arrive; `keep` holds a duplicate of it. Raises KeyError where none is held."""
        self._arrive(self.held[number] if keep else self._let_go(number))

    def send_on(self, at: Tick, number: int, *, keep: bool) -> None:
        """A held datagram is on its way again, and arrives at that time; `keep` holds a duplicate of it."""
        self._schedule(at, self._arrive, self.held[number] if keep else self._let_go(number))

    def hold_back(self, datagram: Datagram) -> None:
        """What was on its way is held."""
        self._held[datagram.number] = datagram
        self.on_held(datagram.number)

    def drop(self, number: int) -> None:
        """A held datagram is lost. Raises KeyError where none is held."""
        self.lost += 1
        self._let_go(number)

    def _let_go(self, number: int) -> Datagram:
        datagram = self._held.pop(number)
        self.on_held(number)
        return datagram

    def forget(self) -> None:
        """What was held is gone, and nothing of before comes again."""
        for number in list(self._held):
            self._let_go(number)
        for row in self.links:
            for link in row:
                link.remembered.clear()

    # Faults

    def cut(self, links: Iterable[tuple[int, int]]) -> None:
        for sender, to in links:
            self.links[sender][to].cuts += 1

    def mend(self, links: Iterable[tuple[int, int]]) -> None:
        """Ends one cut of each of these links."""
        for sender, to in links:
            link = self.links[sender][to]
            link.cuts = max(0, link.cuts - 1)

    def narrow(self, links: Iterable[tuple[int, int]], packet_bytes_max: int | None) -> None:
        """So long may the packets of these links be from now on; None: as long as any."""
        for sender, to in links:
            self.links[sender][to].packet_bytes_max = packet_bytes_max

    def calm(self) -> None:
        """All links are whole and fast from now on; what was delayed arrives in its time."""
        for row in self.links:
            for link in row:
                link.weather = CLEAR
                link.cuts = 0
                link.packet_bytes_max = None


def _nobody_looks(_: int) -> None:
    pass


def _too_long(link: Link, payload: bytes) -> bool:
    most = link.packet_bytes_max
    return most is not None and len(payload) + SEAL_BYTES + HEADERS_BYTES > most
