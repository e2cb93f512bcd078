"""Who proposes what in a small cluster, and with which ballots.

Rules that hold here:
- An attempt may begin at any time: after a defeat with the counter in memory, after a crash with the one on disk, and
  after any round of others was heard of. Which rounds its cast gives a site bounds the search: another is not taken.
- E1, E3: an author goes on to the next event once it has learned what became of the one before; tried again, it is the
  same event.
- L2: whether the prepare may be skipped, the production rule says, from the site's own log and its own acceptor's vote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from msgspec import structs

from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Chosen, Message
from engine.core.run import run_of
from engine.core.synod import phases
from engine.core.synod.phases import Accepting
from engine.sim.proving.exhaustive import acceptors, logs, proposers
from engine.sim.proving.exhaustive.acceptors import AcceptorState, Counted
from engine.sim.proving.exhaustive.invariants import Witness
from engine.sim.proving.exhaustive.proposers import Mail, ProposerState


class ActorState(Protocol):
    """What one of the cast comes to; a value."""

    def __hash__(self) -> int: ...

    @property
    def sent(self) -> frozenset[Message]: ...

    @property
    def awaited(self) -> tuple[type[Message], ...]:
        """The votes that it counts at present."""

    @property
    def open(self) -> Counted:
        """What of that is not counted to the end: no other vote comes to anything any more (B3)."""

    def witness(self) -> Witness: ...


class Choice(NamedTuple):
    """What may happen to one of the cast, in words, and the state that it is in then."""

    what: str
    state: Any


class ChoiceAtHome(NamedTuple):
    """The same, where the acceptor on its site takes part in it."""

    what: str
    state: ProposerState
    home: AcceptorState


class Actor(Protocol):
    """One of the cast. Its states are of its own kind, an ActorState."""

    @property
    def site(self) -> SiteId: ...

    @property
    def listens(self) -> bool:
        """Whether it takes `chosen` of others."""

    def start(self, settled: logs.Log) -> ActorState:
        """`settled` was learned before the search begins."""

    def attempts(self, state: Any) -> Iterator[Choice]:
        """What it may begin by itself. Raises Violated."""

    def hear(self, state: Any, mail: Mail) -> Iterator[Choice]:
        """What it may come to by counting votes, of as many acceptors as make a majority. Raises Violated."""

    def listen(self, state: Any, said: Chosen) -> Iterator[Choice]:
        """What it comes to by being told what is chosen. Raises Violated."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Proposes an entry at a slot by the full synod, with these rounds, in ascending order."""

    site: SiteId
    aim: logs.Placed
    rounds: tuple[Round, ...]
    listens: bool = field(default=False, init=False)

    def start(self, settled: logs.Log) -> ProposerState:
        return ProposerState(learned=settled)

    def rounds_at(self, slot: Slot) -> tuple[Round, ...]:
        """Those of its rounds that it may take for an attempt at a slot."""
        return self.rounds if slot == self.aim[0] else ()

    def aims(self, state: ProposerState) -> tuple[logs.Placed, ...]:
        """What it may begin an attempt for."""
        return (self.aim,) if logs.at(state.learned, self.aim[0]) is None else ()

    def attempts(self, state: ProposerState) -> Iterator[Choice]:
        for aim in self.aims(state):
            slot, _ = aim
            rounds = self.rounds_at(slot)
            begun: dict[ProposerState, None] = {}
            for used in (state.round, state.disk_round):
                for number in rounds:
                    heard_of = Ballot(Round(number - 1), self.site)
                    begun[proposers.begin(self.site, state, used, heard_of, aim)] = None
            for after in begun:
                assert after.phase is not None
                if after.phase.ballot.round in rounds:
                    yield Choice(f"asks for promises of {after.phase.ballot} at slot {slot}", after)

    def hear(self, state: ProposerState, mail: Mail) -> Iterator[Choice]:
        return (Choice(what, after) for what, after in proposers.hear(state, mail))

    def listen(self, state: ProposerState, said: Chosen) -> Iterator[Choice]:
        return (Choice(what, after) for what, after in proposers.listen(state, said))


@dataclass(frozen=True, slots=True)
class Author(Contender):
    """Goes on to the slot after the one that it aims at, once it has learned that: with the same event, if the slot was
    lost and it is to be tried again, else with the next one (E1, E3)."""

    rounds_next: tuple[Round, ...] = ()
    listens: bool = field(default=True, init=False)

    def rounds_at(self, slot: Slot) -> tuple[Round, ...]:
        return self.rounds if slot == self.aim[0] else self.rounds_next

    def aims(self, state: ProposerState) -> tuple[logs.Placed, ...]:
        first, event = self.aim
        learned = logs.at(state.learned, first)
        if learned is None:
            return (self.aim,)
        slot = Slot(first + 1)
        if logs.at(state.learned, slot) is not None:
            return ()
        if learned == event:
            return ((slot, structs.replace(event, number=event.number + 1, follows=event.number)),)
        return ((slot, event), (slot, structs.replace(event, number=event.number + 1)))


@dataclass(frozen=True, slots=True)
class LastAuthor(Author):
    """Skips the prepare where it may (L2). It is on one site with an acceptor: its home. Once it has begun an attempt
    at a slot and started again, it may have another event to propose there."""

    def aims(self, state: ProposerState) -> tuple[logs.Placed, ...]:
        aims = Author.aims(self, state)
        if state.aim is None or not aims:
            return aims
        (slot, event), (_, newest) = aims[0], aims[-1]
        if slot != state.aim[0] or slot == self.aim[0]:
            return aims
        return (*aims, (slot, structs.replace(event, number=newest.number + 1)))

    def at_zero(self, state: ProposerState, home: AcceptorState) -> Iterator[ChoiceAtHome]:
        """With its own acceptor's vote in the same commit; it may crash before the accept leaves."""
        for aim in self.aims(state):
            slot, event = aim
            before = logs.at(state.learned, Slot(slot - 1))
            if not phases.may_skip_prepare(self.site, before, home.acceptor().vote(slot)):
                continue
            ballot = Ballot(Round(0), self.site)
            accept = Accept(ballot, run_of(slot, event))
            voted = acceptors.take(home, accept)
            after = replace(state, aim=aim, phase=Accepting(ballot, (event,)), sent=state.sent | {accept})
            what = f"skips the prepare at slot {slot}, with {ballot} for {event.id}"
            yield ChoiceAtHome(what, after, voted)
            crashed = replace(state, aim=aim, phase=None, round=state.disk_round)
            yield ChoiceAtHome(f"{what}, and crashes before that leaves", crashed, acceptors.restart(voted))
