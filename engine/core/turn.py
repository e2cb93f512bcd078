"""A turn: what one pass of a site leaves to be done, item by item, in the one order there is (D1).

Rules that hold here:
- D1: the commit comes first, then messages leave, then it is told what was seen. Nothing after the commit is handed
  out before `committed` was called. A crash falls between two items, or into one of them.
- L3: what claims nothing of this commit, an elected leader's accepts alone, leaves before it, so that others sync
  meanwhile.
- What is chosen is durable at a majority. A turn that writes nothing but that commits nothing: the next turns owe it,
  until one commits anyway, or is told to settle. Whoever waits at this site for what was chosen is told first.
- D2: a commit that failed is never reported, so nothing after it is done.
- A site that ends (A2, R1) commits its evidence and says why; nothing leaves, nothing is told.
- Messages to one address leave together, in the order in which the first of them came up. A greeting leaves alone, and
  before them: it addresses another life than the rest may (D5, W1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

from engine.core.effects import (
    Effects,
    Observation,
    SawBiography,
    SawOutcome,
    SawReadConfirmed,
    SawReadUnconfirmed,
    Send,
)
from engine.core.ids import SiteId
from engine.core.messages import GREETINGS, Message, Welcome
from engine.core.replica import Replica
from engine.core.storage import Write
from engine.core.value import Value

Address = TypeVar("Address")
"""Where a datagram came from, whatever the driver has for that."""


class Commit(Value):
    """To be made durable, all or nothing; then `Turn.committed` is called."""

    writes: list[Write]


class Leave(Value, Generic[Address]):
    """To be sent to a site: to `address`, or where it usually is."""

    to: SiteId
    messages: list[Message]
    address: Address | None


class Tell(Value):
    """What was seen, for all who wait for it or watch. It may be empty. The last item, or the first of a turn without a
    commit."""

    observations: list[Observation]


class End(Value):
    """The site ends, for this reason. The last item."""

    why: str


Item = Commit | Leave[Address] | Tell | End


_READ_FROM_THE_STORE: Final[frozenset[type]] = frozenset({SawReadConfirmed, SawReadUnconfirmed, SawBiography})


class Turn(Generic[Address]):
    """Collects the effects of a pass with `take`, then hands out what is to be done, once. Then comes `next`."""

    __slots__ = ("_effects", "_is_durable", "_replica", "_welcomes")

    def __init__(self, replica: Replica, effects: Effects | None = None) -> None:
        self._replica = replica
        self._effects = effects or Effects()
        self._welcomes: list[tuple[Send, Address]] = []
        self._is_durable = False

    @property
    def sends(self) -> list[Send]:
        """All that is to leave."""
        return self._effects.sends

    @property
    def ends(self) -> bool:
        """The site ends with this turn: its replica is not stepped again."""
        return self._effects.stop is not None

    @property
    def shows(self) -> bool:
        """Some of what is to be told is told by reading the store for somebody."""
        return any(type(saw) in _READ_FROM_THE_STORE for saw in self._effects.observations)

    @property
    def owes(self) -> bool:
        """There is something to be made durable."""
        return bool(self._effects.writes)

    @property
    def commits(self) -> bool:
        """It has a commit; whatever it owes is in it."""
        effects = self._effects
        return bool(effects.writes) and (effects.claims or effects.stop is not None)

    def settle(self) -> None:
        """Whatever this turn owes is durable before anything of it leaves or is told."""
        self._effects.claims = True

    def next(self) -> Turn[Address]:
        """The turn after this one, whose items were all done. It owes what this one did not commit."""
        owed = [] if self.commits else self._effects.writes
        return Turn(self._replica, Effects(writes=owed))

    def take(self, effects: Effects, source: Address | None = None) -> None:
        """`source`: where the packet came from that had these effects. A greeting's answer goes there and nothing else
        does, for that the sender is there is not proved yet (W1)."""
        self._effects.extend(effects)
        if source is not None:
            self._welcomes += [(send, source) for send in effects.sends if type(send.message) is Welcome]

    def items(self) -> Iterator[Item[Address]]:
        """Each is to be done before the next one is asked for."""
        effects = self._effects
        after = effects.sends
        self._is_durable = not self.commits
        if self.commits:
            if effects.stop is None and any(send.beside for send in after):
                yield from self._leaving(send for send in after if send.beside)
                after = [send for send in after if not send.beside]
            yield Commit(effects.writes)
        assert self._is_durable, "nothing leaves, and nothing is told, before the commit (D1)"
        if effects.stop is not None:
            yield End(effects.stop)
            return
        if not self.commits and any(type(saw) is SawOutcome for saw in effects.observations):
            yield Tell(effects.observations)
            yield from self._leaving(after)
            return
        if after:
            yield from self._leaving(after)
        yield Tell(effects.observations)

    def _leaving(self, sends: Iterable[Send]) -> Iterator[Leave[Address]]:
        together: dict[SiteId, list[Message]] = {}
        for send in sends:
            message, to = send.message, send.to
            if type(message) in GREETINGS:
                yield Leave(to, [message], self._source(send))
            elif to in together:
                together[to].append(message)
            else:
                together[to] = [message]
        for to, messages in together.items():
            yield Leave(to, messages, None)

    def committed(self, commit: int) -> None:
        """The commit is durable, and this is the store's number of it."""
        self._replica.committed(commit)
        self._is_durable = True

    def _source(self, greeting: Send) -> Address | None:
        return next((source for welcome, source in self._welcomes if welcome is greeting), None)
