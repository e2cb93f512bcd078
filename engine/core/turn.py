"""A turn: what one pass of a site leaves to be done, item by item, in the one order there is (D1).

Rules that hold here:
- D1: the commit comes first, then messages leave, then it is told what was seen. Nothing after the commit is handed
  out before `committed` was called. A crash falls between two items, or into one of them.
- L3: what claims nothing of this commit, an elected leader's accepts alone, leaves before it, so that others sync
  meanwhile.
- What is chosen is durable at a majority. A turn that writes nothing but that commits nothing: the next turns owe it,
  until one commits anyway, or is told to settle. Whoever waits at this site for what was chosen is told first.
- The word of it goes along: the next turns owe it, until something else leaves for that site, or one is told to settle.
  By then what it rests on is durable, so it may leave beside the next commit.
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
    SawMembers,
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
    commit; a turn that leaves nothing to be done has none."""

    observations: list[Observation]


class End(Value):
    """The site ends, for this reason. The last item."""

    why: str


Item = Commit | Leave[Address] | Tell | End


Moment = TypeVar("Moment", bound=int)
"""What the driver measures time in."""

_SETTLING: Final[frozenset[type]] = frozenset({SawReadConfirmed, SawReadUnconfirmed, SawBiography, SawMembers})
"""What is told by reading the store; and that the members changed: who was removed may have no address after that."""


class Turn(Generic[Address]):
    """Collects the effects of a pass with `take`, then hands out what is to be done, once. Then comes `next`."""

    __slots__ = ("_effects", "_is_durable", "_late", "_owed_writes", "_replica", "_settles", "_waiting", "_welcomes")

    def __init__(self, replica: Replica, effects: Effects | None = None) -> None:
        self._replica = replica
        self._effects = effects or Effects()
        self._owed_writes = bool(self._effects.writes)
        self._welcomes: list[tuple[Send, Address]] = []
        self._settles = self._is_durable = False
        self._late: list[Send] = []
        self._waiting: list[Send] = []

    @property
    def sends(self) -> list[Send]:
        """All that is to leave."""
        return self._effects.sends

    @property
    def late(self) -> list[Send]:
        """What leaves after the commit; known once the items have begun."""
        return self._late

    @property
    def ends(self) -> bool:
        """The site ends with this turn: its replica is not stepped again."""
        return self._effects.stop is not None

    @property
    def shows(self) -> bool:
        """Before some of what is to be told, all is done that is owed."""
        saw = self._effects.observations
        return bool(saw) and not _SETTLING.isdisjoint(map(type, saw))

    @property
    def owes(self) -> bool:
        """There is something to be made durable, or to be sent."""
        return bool(self._effects.writes or self._effects.sends)

    @property
    def commits(self) -> bool:
        """It has a commit; whatever it owes is in it."""
        effects = self._effects
        return bool(effects.writes) and (effects.claims or effects.stop is not None)

    def settle(self) -> None:
        """Whatever this turn owes is durable before anything of it leaves or is told, and all of it leaves."""
        self._effects.claims = self._settles = True

    def next(self) -> Turn[Address]:
        """The turn after this one, whose items were all done. It owes what this one did not commit and not send."""
        writes = self._effects.writes
        if writes and self.commits:
            writes = []
        if not writes and not self._waiting:
            return Turn(self._replica)
        sends = [Send(send.to, send.message, beside=True, along=True) for send in self._waiting]
        return Turn(self._replica, Effects(writes=writes, sends=sends))

    def owed_by(self, before: Moment | None, from_now: Moment) -> Moment | None:
        """By when what this turn still owes is to be done: `before`, if some of it was owed by then, else `from_now`;
        None where it owes nothing."""
        writes = bool(self._effects.writes) and not self.commits
        if not writes and not self._waiting:
            return None
        was_owed = (writes and self._owed_writes) or any(send.beside for send in self._waiting)
        return before if was_owed else from_now

    def take(self, effects: Effects, source: Address | None = None) -> None:
        """The effects are the turn's from now on. `source`: where the packet came from that had them. A greeting's
        answer goes there and nothing else does, for that the sender is there is not proved yet (W1)."""
        mine = self._effects
        if mine.writes or mine.sends or mine.observations or mine.claims or mine.stop is not None:
            mine.extend(effects)
        else:
            self._effects = effects
        if source is not None and effects.sends:
            self._welcomes += [(send, source) for send in effects.sends if type(send.message) is Welcome]

    def items(self) -> Iterator[Item[Address]]:
        """Each is to be done before the next one is asked for."""
        effects, commits = self._effects, self.commits
        if not (effects.sends or effects.observations or effects.writes or effects.stop is not None):
            return
        early = self._part(commits)
        self._is_durable = not commits
        if commits:
            if early:
                yield from self._leaving(early)
            yield Commit(effects.writes)
        assert self._is_durable, "nothing leaves, and nothing is told, before the commit (D1)"
        if effects.stop is not None:
            yield End(effects.stop)
            return
        if not commits and SawOutcome in map(type, effects.observations):
            yield Tell(effects.observations)
            yield from self._leaving(self._late)
            return
        if self._late:
            yield from self._leaving(self._late)
        yield Tell(effects.observations)

    def _part(self, commits: bool) -> list[Send]:
        """Finds out what leaves when; returns what leaves beside the commit."""
        sends, early = self._effects.sends, list[Send]()
        if not sends or self._effects.stop is not None:
            return early
        for send in sends:
            if send.beside or send.along:
                break
        else:
            self._late = sends
            return early
        beside = {send.to for send in sends if send.beside and not send.along} if commits else set[SiteId]()
        after = {send.to for send in sends if not send.along and not (commits and send.beside)}
        for send in sends:
            if send.beside and send.to in beside:
                early.append(send)
            elif self._settles or not send.along or send.to in after:
                self._late.append(send)
            else:
                self._waiting.append(send)
        return early

    def _leaving(self, sends: Iterable[Send]) -> list[Leave[Address]]:
        greetings: list[Leave[Address]] = []
        together: dict[SiteId, list[Message]] = {}
        for send in sends:
            message, to = send.message, send.to
            if type(message) in GREETINGS:
                greetings.append(Leave(to, [message], self._source(send)))
            elif to in together:
                together[to].append(message)
            else:
                together[to] = [message]
        return greetings + [Leave(to, messages, None) for to, messages in together.items()]

    def committed(self, commit: int) -> None:
        """The commit is durable, and this is the store's number of it."""
        self._replica.committed(commit)
        self._is_durable = True

    def _source(self, greeting: Send) -> Address | None:
        return next((source for welcome, source in self._welcomes if welcome is greeting), None)
