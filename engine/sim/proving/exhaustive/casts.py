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
from engine.core.messages import Accept, Chosen, LearnedSlot, Message
from engine.core.synod import proposer
from engine.core.synod.proposer import Accepting
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
    aim: LearnedSlot
    rounds: tuple[Round, ...]
    listens: bool = field(default=False, init=False)

    def start(self, settled: logs.Log) -> ProposerState:
        return ProposerState(learned=settled)

    def rounds_at(self, slot: Slot) -> tuple[Round, ...]:
        """Those of its rounds that it may take for an attempt at a slot."""
        return self.rounds if slot == self.aim.slot else ()

    def aims(self, state: ProposerState) -> tuple[LearnedSlot, ...]:
        """What it may begin an attempt for."""
        return (self.aim,) if logs.entry(state.learned, self.aim.slot) is None else ()

    def attempts(self, state: ProposerState) -> Iterator[Choice]:
        for aim in self.aims(state):
            rounds = self.rounds_at(aim.slot)
            begun: dict[ProposerState, None] = {}
            for used in (state.round, state.disk_round):
                for number in rounds:
                    heard_of = Ballot(Round(number - 1), self.site)
                    begun[proposers.begin(self.site, state, used, heard_of, aim)] = None
            for after in begun:
                assert after.phase is not None
                if after.phase.ballot.round in rounds:
                    yield Choice(f"asks for promises of {after.phase.ballot} at slot {aim.slot}", after)

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
        return self.rounds if slot == self.aim.slot else self.rounds_next

    def aims(self, state: ProposerState) -> tuple[LearnedSlot, ...]:
        first = self.aim
        learned = logs.entry(state.learned, first.slot)
        if learned is None:
            return (first,)
        slot = Slot(first.slot + 1)
        if logs.entry(state.learned, slot) is not None:
            return ()
        number = first.entry.number
        if learned == first.entry:
            return (LearnedSlot(slot, structs.replace(first.entry, number=number + 1, follows=number)),)
        return (LearnedSlot(slot, first.entry), LearnedSlot(slot, structs.replace(first.entry, number=number + 1)))


@dataclass(frozen=True, slots=True)
class LastAuthor(Author):
    """Skips the prepare where it may (L2). It is on one site with an acceptor: its home. Once it has begun an attempt
    at a slot and started again, it may have another event to propose there."""

    def aims(self, state: ProposerState) -> tuple[LearnedSlot, ...]:
        aims = Author.aims(self, state)
        if state.aim is None or not aims or state.aim.slot != aims[0].slot or aims[0].slot == self.aim.slot:
            return aims
        return (*aims, structs.replace(aims[0], entry=structs.replace(aims[0].entry, number=aims[-1].entry.number + 1)))

    def at_zero(self, state: ProposerState, home: AcceptorState) -> Iterator[ChoiceAtHome]:
        """With its own acceptor's vote in the same commit; it may crash before the accept leaves."""
        for aim in self.aims(state):
            before = logs.entry(state.learned, Slot(aim.slot - 1))
            if not proposer.may_skip_prepare(self.site, before, home.acceptor().vote(aim.slot)):
                continue
            ballot = Ballot(Round(0), self.site)
            accept = Accept(ballot, (aim,))
            voted = acceptors.take(home, accept)
            after = replace(state, aim=aim, phase=Accepting(ballot, aim.entry), sent=state.sent | {accept})
            what = f"skips the prepare at slot {aim.slot}, with {ballot} for {aim.entry.id}"
            yield ChoiceAtHome(what, after, voted)
            crashed = replace(state, aim=aim, phase=None, round=state.disk_round)
            yield ChoiceAtHome(f"{what}, and crashes before that leaves", crashed, acceptors.restart(voted))
