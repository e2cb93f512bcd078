"""What is held: by which patterns, and how it is let go.

Rules that hold here:
- The last `hold` or `release` that a datagram matches says whether it is held.
- What is let go arrives 1 ms later, in the order in which it was sent.
"""

from __future__ import annotations

from typing import assert_never

from engine.core.explained import describe
from engine.core.messages import Message
from engine.sim.scenario.onlookers import Onlookers
from engine.sim.scenario.patterns import Pattern, Which, is_upkeep
from engine.sim.world.network import Datagram
from engine.sim.world.world import World


class Holding:
    def __init__(self, world: World, onlookers: Onlookers) -> None:
        self._world = world
        self._network = world.network
        self._onlookers = onlookers
        self._rules: list[tuple[bool, Pattern]] = []

    def hold(self, pattern: Pattern) -> None:
        self._rules.append((True, pattern))
        self._network.hold = self._holds

    def release(self, pattern: Pattern) -> None:
        self._rules.append((False, pattern))
        self._let_go(self.found(pattern), keep=False)

    def deliver(self, pattern: Pattern) -> str | None:
        """What is wrong, in words, if anything is."""
        found = self.found(pattern)
        self._let_go(found, keep=False)
        return None if found else self._nothing()

    def duplicate(self, pattern: Pattern) -> str | None:
        """As `deliver`, and holds each once more."""
        found = self.found(pattern)
        self._let_go(found, keep=True)
        return None if found else self._nothing()

    def drop(self, pattern: Pattern) -> str | None:
        found = self.found(pattern)
        for datagram in found:
            self._network.drop(datagram.number)
            self._onlookers.sent(self._world.now, datagram, lost=True)
        return None if found else self._nothing()

    def found(self, pattern: Pattern) -> list[Datagram]:
        """Those held that match, in the order in which they were sent."""
        found = [datagram for datagram in self._network.held.values() if self._matches(pattern, datagram)]
        match pattern.which:
            case Which.ALL:
                return found
            case Which.FIRST:
                return found[:1]
            case Which.LAST:
                return found[-1:]
            case _:
                assert_never(pattern.which)

    def in_words(self) -> str:
        """All that is held."""
        names = self._world.names
        held = [f"{words(d.messages)} from {names[d.sender]} to {names[d.to]}" for d in self._network.held.values()]
        return "; ".join(held) or "nothing"

    def _let_go(self, found: list[Datagram], *, keep: bool) -> None:
        world = self._world
        for datagram in found:
            world.at(world.now + 1, lambda number: self._network.release(number, keep=keep), datagram.number)
        world.run(world.now + 1)

    def _holds(self, datagram: Datagram) -> bool:
        said = (holds for holds, pattern in reversed(self._rules) if self._matches(pattern, datagram))
        return next(said, False)

    def _matches(self, pattern: Pattern, datagram: Datagram) -> bool:
        names = self._world.names
        return pattern.matches(names[datagram.sender], names[datagram.to], datagram.messages)

    def _nothing(self) -> str:
        return f"nothing that is held matches; held: {self.in_words()}"


def words(messages: tuple[Message, ...]) -> str:
    """Each message as its type, slot and ballot."""
    lines = [describe.message(message) for message in messages if not is_upkeep(message)] or [
        describe.message(message) for message in messages
    ]
    return ", ".join(" ".join(str(word) for word in (line.type, line.slot, line.ballot) if word) for line in lines)
