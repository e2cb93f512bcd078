"""The bad network that a person asked for: rules that are on, messages under way, messages held.

Rules that hold here:
- It works on single messages: before sealing on the way out, after opening on the way in. Never saved.
- While nothing is on and nothing is under way, `idle` is true and the node goes around this layer.
- No task and no timer of its own: `deadline` is part of the node's, and `due` hands over what has waited long enough.
- What it keeps is bounded: beyond HELD_MAX the oldest held message is dropped, beyond UNDER_WAY_MAX a delayed one is.
- A rule that goes away (cleared, removed, expired, or its client is gone) releases what it holds; switched off, it
  keeps it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from engine.contract.answers import Direction
from engine.core.explained.hindrance import Taken, Verb
from engine.core.ids import NEVER, SiteId, Tick
from engine.core.messages import Message, Packet
from engine.runtime.fault_rules import UNTOUCHED, BadRule, Fate, Rule, judge, parse
from engine.runtime.peer_addresses import Address
from engine.runtime.taken import TakenMessages

HELD_MAX: Final = 10_000
UNDER_WAY_MAX: Final = 100_000
RULES_MAX: Final = 100
_SEEDS: Final = 2**32


class NoSuchNumber(LookupError):
    """A rule or a held message that is not there. The message names those that are."""


@dataclass(frozen=True, slots=True)
class Transit:
    """One message on its way. `address`: where it came from, or where it must go if not to the peer's usual address.

    `flight`, and `header` of the datagram it came in, name it for whoever records; they are empty while nobody does.
    """

    direction: Direction
    peer: SiteId
    packet: Packet  # with exactly one message
    address: Address | None
    flight: int | None = None
    header: bytes = b""

    @property
    def message(self) -> Message:
        return self.packet.messages[0]


def _tells_nobody(_: Transit) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Held:
    number: int
    at_ms: int
    transit: Transit
    copies: int
    rule: int


class Owner(Protocol):
    """Whose connection a rule may be bound to."""

    @property
    def closed(self) -> bool: ...


@dataclass(slots=True)
class RuleState:
    """`owner` None: the rule stays whoever goes."""

    rule: Rule
    on: bool
    hits: int
    expires: Tick | None
    owner: Owner | None

    def is_over(self, now: Tick) -> bool:
        return (self.expires is not None and self.expires <= now) or (self.owner is not None and self.owner.closed)


@dataclass(slots=True)
class FaultCounts:
    dropped: int = 0
    delayed: int = 0
    duplicated: int = 0
    held: int = 0
    overflowed: int = 0


@dataclass(slots=True)
class FaultLayer:
    site: SiteId
    sites: tuple[SiteId, ...]
    seed: int
    counts: FaultCounts = field(default_factory=FaultCounts)
    changes: int = 0
    """Grows whenever rules, hits or held messages change."""
    lost: Callable[[Transit], None] = _tells_nobody
    """Called with what was held or delayed, and will not go on."""
    rules: dict[int, RuleState] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)
    _random: Random = field(init=False)
    _under_way: list[tuple[Tick, int, Transit]] = field(default_factory=list)
    _on: list[Rule] = field(default_factory=list)
    _taken: TakenMessages = field(default_factory=TakenMessages)
    _rule_number: int = 0
    _held_number: int = 0
    _order: int = 0

    def __post_init__(self) -> None:
        self.seed %= _SEEDS
        self._random = Random(self.seed)

    @property
    def idle(self) -> bool:
        """True while every message passes untouched."""
        return not self._on

    @property
    def rules_on(self) -> int:
        return len(self._on)

    # What a person does

    def add(self, text: str, expires: Tick | None, owner: Owner | None = None) -> RuleState:
        """Puts a rule on, until `expires` or `owner` has gone, if those are given. Raises BadRule."""
        if len(self.rules) >= RULES_MAX:
            raise BadRule(f"there are already {RULES_MAX} rules: remove some, or clear all")
        rule = parse(self._rule_number + 1, text, self.site, self.sites)
        self._rule_number += 1
        state = self.rules[rule.number] = RuleState(rule, True, 0, expires, owner)
        self._refresh()
        return state

    def switch(self, number: int, on: bool) -> RuleState:
        """Puts a rule on or off; it keeps what it holds. Raises NoSuchNumber."""
        state = self._state(number)
        state.on = on
        self._refresh()
        return state

    def remove(self, now: Tick, number: int) -> None:
        """Raises NoSuchNumber."""
        self._state(number)
        self._forget(now, [number])

    def clear(self, now: Tick) -> int:
        """Removes all rules and returns how many there were."""
        count = len(self.rules)
        self._forget(now, list(self.rules))
        self.release(now, None)
        return count

    def release(self, now: Tick, numbers: Collection[int] | None) -> int:
        """Lets held messages go on (None: all), in the order in which they came. Raises NoSuchNumber."""
        released = self._let_go(numbers)
        self._send_on(now, released)
        return len(released)

    def release_a_copy(self, now: Tick, numbers: Collection[int] | None) -> int:
        """As `release`, and holds each once more, under its number. Raises NoSuchNumber."""
        copied = self._found(numbers)
        self._send_on(now, copied)
        return len(copied)

    def _send_on(self, now: Tick, released: list[Held]) -> None:
        for held in released:
            for _ in range(held.copies):
                self._put_under_way(now, held.transit)

    def drop(self, numbers: Collection[int] | None) -> int:
        """Drops held messages (None: all). Raises NoSuchNumber."""
        dropped = self._let_go(numbers)
        self.counts.dropped += len(dropped)
        for held in dropped:
            self.lost(held.transit)
        return len(dropped)

    # What happens to messages

    def judge(self, direction: Direction, peer: SiteId, message: Message) -> Fate:
        """What the rules that are on do to this message; counts their hits."""
        if not self._on:
            return UNTOUCHED
        sender, to = (self.site, peer) if direction is Direction.OUT else (peer, self.site)
        fate = judge(self._on, sender, to, message, self._random)
        for number in fate.acted:
            self.rules[number].hits += 1
            self.changes += 1
        if not fate.delays:
            self.counts.dropped += 1
        self.counts.duplicated += max(0, len(fate.delays) - 1)
        return fate

    def carry(self, now: Tick, at_ms: int, transit: Transit, fate: Fate) -> int:
        """Takes a judged message over, and returns how many copies of it go on at once."""
        if fate.held_by is not None and fate.delays:
            self._hold(at_ms, transit, len(fate.delays), fate.held_by)
            self._taken.held(_taken(transit, fate.held_by, Verb.HOLD), NEVER, self._held_number)
            return 0
        if not fate.delays:
            self._taken.dropped(now, _taken(transit, fate.acted[0], Verb.DROP))
        elif fate.late_by is not None and min(fate.delays) > 0:
            self._taken.delayed(_taken(transit, fate.late_by, Verb.DELAY), Tick(now + min(fate.delays)))
        at_once = 0
        for delay in fate.delays:
            if delay == 0:
                at_once += 1
            else:
                self.counts.delayed += 1
                self._put_under_way(Tick(now + delay), transit)
        return at_once

    def taken(self, now: Tick) -> Iterator[Taken]:
        """The messages that rules keep from their way at present."""
        return self._taken.still(now, {rule.number for rule in self._on}, self.held)

    def due(self, now: Tick) -> Iterator[Transit]:
        """Messages whose delay is over, in the order of their times; also ends rules whose time is over."""
        if self.rules and (over := [number for number, state in self.rules.items() if state.is_over(now)]):
            self._forget(now, over)
        while self._under_way and self._under_way[0][0] <= now:
            yield heapq.heappop(self._under_way)[2]

    def deadline(self) -> Tick | None:
        """When `due` is next needed."""
        if not self.rules and not self._under_way:
            return None
        times = [state.expires for state in self.rules.values() if state.expires is not None]
        if self._under_way:
            times.append(self._under_way[0][0])
        return min(times, default=None)

    def _state(self, number: int) -> RuleState:
        state = self.rules.get(number)
        if state is None:
            raise NoSuchNumber(f"there is no rule {number}: {_there_are(self.rules)}")
        return state

    def _refresh(self) -> None:
        self.changes += 1
        self._on = [state.rule for state in self.rules.values() if state.on]

    def _forget(self, now: Tick, numbers: list[int]) -> None:
        for number in numbers:
            del self.rules[number]
        self._refresh()
        self.release(now, [held.number for held in self.held.values() if held.rule in numbers])

    def _let_go(self, numbers: Collection[int] | None) -> list[Held]:
        found = self._found(numbers)
        self.changes += 1
        for held in found:
            del self.held[held.number]
        return found

    def _found(self, numbers: Collection[int] | None) -> list[Held]:
        wanted = list(self.held) if numbers is None else sorted(set(numbers))
        for number in wanted:
            if number not in self.held:
                raise NoSuchNumber(f"no message {number} is held: {_there_are(self.held)}")
        return [self.held[number] for number in wanted]

    def _hold(self, at_ms: int, transit: Transit, copies: int, rule: int) -> None:
        self._held_number += 1
        self.counts.held += 1
        self.held[self._held_number] = Held(self._held_number, at_ms, transit, copies, rule)
        if len(self.held) > HELD_MAX:
            self.lost(self.held.pop(next(iter(self.held))).transit)
            self.counts.overflowed += 1

    def _put_under_way(self, due: Tick, transit: Transit) -> None:
        if len(self._under_way) >= UNDER_WAY_MAX:
            self.lost(transit)
            self.counts.overflowed += 1
            return
        self._order += 1
        heapq.heappush(self._under_way, (due, self._order, transit))


def _taken(transit: Transit, rule: int, verb: Verb) -> Taken:
    return Taken(rule, verb, transit.direction is Direction.OUT, transit.peer, transit.message)


def _there_are(numbers: Collection[int]) -> str:
    if not numbers:
        return "there is none"
    first = list(numbers)[:10]
    return f"there are {', '.join(map(str, first))}{', ...' if len(numbers) > len(first) else ''}"
