"""What is held: by which patterns, and how it is let go.

Rules that hold here:
- The last `hold` or `release` that a datagram matches says whether it is held.
- What is let go arrives 1 ms later, in the order in which it was sent: whoever drives the world lets that time pass.
- What is named by its number may be held or on its way. It arrives at once, and no time passes. Of several copies, the
  held one is meant, else the first to come.
"""

from __future__ import annotations

from typing import Final, assert_never

from engine.core.explained import describe
from engine.core.ids import Tick
from engine.core.messages import Message
from engine.sim.scenario.onlookers import Onlookers
from engine.sim.scenario.patterns import Pattern, is_upkeep
from engine.sim.scenario.schedule import Deliver, Drop, Duplicate, Hold, Release
from engine.sim.world.network import Datagram
from engine.sim.world.world import World

LETS_GO_MS: Final = 1

Handling = Hold | Release | Deliver | Drop | Duplicate


class Holding:
    def __init__(self, world: World, onlookers: Onlookers) -> None:
        self._world = world
        self._network = world.network
        self._onlookers = onlookers
        self._rules: list[tuple[bool, Pattern]] = []

    def do(self, handling: Handling) -> str | None:
        """What is wrong, in words, if anything is."""
        return self._by_number(handling) if handling.pattern.numbers else self._by_rule(handling)

    def found(self, pattern: Pattern) -> list[Datagram]:
        """Those held that match, in the order in which they were sent."""
        return pattern.which.of([each for each in self._network.held.values() if self._matches(pattern, each)])

    def in_words(self) -> str:
        """All that is held."""
        return "; ".join(self._named(datagram) for datagram in self._network.held.values()) or "nothing"

    def _by_rule(self, handling: Handling) -> str | None:
        found = self.found(handling.pattern)
        match handling:
            case Hold(pattern):
                self._rules.append((True, pattern))
                self._network.hold = self._holds
                return None
            case Release(pattern):
                self._rules.append((False, pattern))
                self._let_go(found, keep=False)
                return None
            case Deliver():
                self._let_go(found, keep=False)
            case Duplicate():
                self._let_go(found, keep=True)
            case Drop():
                for datagram in found:
                    self._network.drop(datagram.number)
                    self._onlookers.sent(self._world.now, datagram, lost=True)
            case _:
                assert_never(handling)
        return None if found else f"nothing that is held matches; held: {self.in_words()}"

    def _by_number(self, handling: Handling) -> str | None:
        world, network = self._world, self._network
        held = [] if isinstance(handling, Hold) else self.found(handling.pattern)
        flying = [] if isinstance(handling, Release) else self._flying(handling.pattern)
        found = handling.pattern.which.of([*held, *flying])
        for datagram in found:
            if datagram.number not in network.held:
                taken = world.take_back(datagram.number)
                assert taken is not None, "it is on its way"
                network.hold_back(taken)
            match handling:
                case Hold():
                    pass
                case Release():
                    self._let_go([datagram], keep=False)
                case Deliver():
                    network.release(datagram.number)
                case Duplicate():
                    network.release(datagram.number, keep=True)
                case Drop():
                    network.drop(datagram.number)
                    self._onlookers.sent(world.now, datagram, lost=True)
                case _:
                    assert_never(handling)
        return None if found else self._no_such_number(handling)

    def _flying(self, pattern: Pattern) -> list[Datagram]:
        """Those on their way that match and of which no copy is held, each once."""
        flying = {each.number: each for _, each in self._world.on_their_way() if self._matches(pattern, each)}
        return [each for number, each in flying.items() if number not in self._network.held]

    def _no_such_number(self, handling: Handling) -> str:
        if isinstance(handling, Release):
            return f"none of that number is held; held: {self.in_words()}"
        flying = [each for _, each in self._world.on_their_way() if self._onlookers.number(each) is not None]
        known = "; ".join(self._named(each) for each in (*flying, *self._network.held.values())) or "nothing"
        return f"none of that number is on its way; on its way or held: {known}"

    def _let_go(self, found: list[Datagram], *, keep: bool) -> None:
        for datagram in found:
            self._network.send_on(Tick(self._world.now + LETS_GO_MS), datagram.number, keep=keep)

    def _holds(self, datagram: Datagram) -> bool:
        said = (holds for holds, pattern in reversed(self._rules) if self._matches(pattern, datagram))
        return next(said, False)

    def _matches(self, pattern: Pattern, datagram: Datagram) -> bool:
        names, number = self._world.names, self._onlookers.number(datagram)
        return pattern.matches(number, names[datagram.sender], names[datagram.to], datagram.messages)

    def _named(self, datagram: Datagram) -> str:
        names, number = self._world.names, self._onlookers.number(datagram)
        said = f"{words(datagram.messages)} from {names[datagram.sender]} to {names[datagram.to]}"
        return said if number is None else f"#{number} {said}"


def words(messages: tuple[Message, ...]) -> str:
    """Each message as its type, slot and ballot."""
    lines = [describe.message(message) for message in messages if not is_upkeep(message)] or [
        describe.message(message) for message in messages
    ]
    return ", ".join(" ".join(str(word) for word in (line.type, line.slot, line.ballot) if word) for line in lines)
