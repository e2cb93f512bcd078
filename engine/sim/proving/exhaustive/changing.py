"""Small clusters in which the log changes who votes: x, y and others alike, and the stores that z has, one by one.

Rules that hold here:
- All stores of z are there from the start, and any message may reach any of them, at any time or never: so one may be
  lost at any moment, and be back from the repair shop at any other. What one of them answers, its life is said with.
- What is settled, and what a proposer has learned below the last slot, is told to proposers and to z, in slot order:
  each hears of it at any time, or never.
- Who votes is of `voters`. Who proposes, one slot at a time, is of `synods`; who leads, of `candidates`. Each counts as
  in the other clusters: all that is counted of one ballot in one step, or it is not begun.
- Votes that nobody counts any more are forgotten, as in `ForgetfulStates`.
- Of x, y and others alike it does not matter who is who. That they hear what is chosen changes nowhere who votes: it is
  left out. At the slots that are settled they have accepted what is chosen there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from engine.core.entry import Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.storage import Vote, Voted
from engine.sim.proving.exhaustive import logs, voters
from engine.sim.proving.exhaustive.acceptors import Counted, Promises, open_part
from engine.sim.proving.exhaustive.candidates import Candidate
from engine.sim.proving.exhaustive.casts import Actor, ActorState, Choice
from engine.sim.proving.exhaustive.electors import Electors, Store, X, Z
from engine.sim.proving.exhaustive.invariants import Proposal, Witness
from engine.sim.proving.exhaustive.numbers import Answers, Numbers
from engine.sim.proving.exhaustive.proposers import Mail
from engine.sim.proving.exhaustive.search import Move, Searched, State
from engine.sim.proving.exhaustive.synods import Aim, Synods
from engine.sim.proving.exhaustive.voters import NO_ROUND, Ground, VoterState, is_too_early

_Choices = tuple[tuple[str, int], ...]
"""What may happen to one component, in words, and the number of its state then."""


_NOTHING: Final = Slot(0)


class Role(Protocol):
    """Who proposes, before it is said in which cluster."""

    @property
    def store(self) -> Store: ...

    @property
    def last(self) -> Slot:
        """Up to here it proposes."""

    @property
    def learned(self) -> Slot:
        """So much of what is settled it has learned before the search begins."""

    def on(self, ground: Ground) -> Actor: ...


class Proposer(NamedTuple):
    """`store`: what it proposes as."""

    store: Store
    aims: tuple[Aim, ...]
    learned: Slot = _NOTHING

    @property
    def last(self) -> Slot:
        return max(aim.slot for aim in self.aims)

    def on(self, ground: Ground) -> Actor:
        return Synods(ground, self.store, self.aims)


class Heir(NamedTuple):
    """`store`: what it leads as, up to the slot `last`, with these rounds. Each of `handed` are events that are handed
    to it together."""

    store: Store
    last: Slot
    rounds: tuple[Round, ...]
    handed: tuple[tuple[Entry, ...], ...] = ()
    learned: Slot = _NOTHING

    def on(self, ground: Ground) -> Actor:
        return Candidate(self.store.site, self.rounds, handed=self.handed, ground=ground, store=self.store)


class Left(NamedTuple):
    """What a proposer that is gone left at the last slot: these stores accepted its entry, at its ballot. One that
    the log has to admit knows who votes there."""

    ballot: Ballot
    entry: Entry
    stores: tuple[Store, ...]


@dataclass(frozen=True, slots=True)
class ChangingCluster:
    """`lag` is w. `settled`: what is chosen from slot 1 on before the search begins. `stores`: those of z; `founders`:
    with whom the cluster began."""

    name: str
    about: str
    lag: int
    proposers: tuple[Role, ...]
    stores: tuple[Store, ...]
    founders: tuple[SiteId, ...]
    pinned: Searched
    settled: tuple[Entry, ...] = ()
    left: Left | None = None

    def states(self) -> ChangingStates:
        return ChangingStates(self)


class _Together(NamedTuple):
    """What follows from the states of all proposers, as numbers: what is sent to x and who is alike, and to z; what is
    told to proposers; and what each of them counts, which is all that counts at all. Who counts promises of a range is
    `told_between`."""

    asked: int
    asked_and_told: int
    told: int
    told_between: tuple[int, ...]
    counting: tuple[int | None, ...]
    open: int


class ChangingStates:
    """A state is the numbers of the proposers' states, then those of x and who is alike, and of the stores of z."""

    def __init__(self, cluster: ChangingCluster) -> None:
        twins = tuple(Store(site) for site in cluster.founders if site != Z)
        self._twins = len(twins)
        self._stores = (*twins, *cluster.stores)
        last = max(role.last for role in cluster.proposers)
        self._last, self._left = last, cluster.left
        self._settled = frozenset((Slot(slot), entry) for slot, entry in enumerate(cluster.settled, 1))
        self._electors = Electors(cluster.founders, cluster.lag, self._stores)
        self._ground = Ground(cluster.founders, cluster.lag, self._settled, last, self._electors)
        self._names = tuple(role.store.name for role in cluster.proposers)
        self._actors = tuple(role.on(self._ground) for role in cluster.proposers)
        self._actor_states = Numbers[ActorState]()
        self._store_states = Numbers[VoterState]()
        self._mails = Numbers[tuple[Message, ...]]()
        self._counted_sets = Numbers[Counted]()
        self._witnesses = Numbers[Witness]()
        self._together = Answers(self._together_of)
        self._taken = Answers(self._take)
        self._begun = Answers(self._begin)
        self._heard = Answers(self._hear)
        self._said = Answers(self._say)
        self._counted = Answers(self._count)
        self._kept = Answers(self._keep)
        self._actor_testimony = Answers(self._testimony_of_actor)
        self._store_testimony = Answers(self._testimony_of_store)
        self._true = set[State]()
        self.initial: State = (
            *(
                self._actor_states(each.start(frozenset(self._through(role.learned))))
                for role, each in zip(cluster.proposers, self._actors, strict=True)
            ),
            *(self._store_states(self._before(store)) for store in self._stores),
        )

    def kept(self, state: State) -> State:
        count = len(self._actors)
        actors = state[:count]
        counted, kept = self._together[actors].open, self._kept
        return actors + tuple([kept[counted, store] for store in state[count:]])

    def canonical(self, state: State) -> State:
        kept = self.kept(state)
        count = len(self._actors)
        others = count + self._twins
        return (*kept[:count], *sorted(kept[count:others]), *kept[others:])

    def moves(self, state: State) -> Iterator[Move]:
        count = len(self._actors)
        actors, stores = state[:count], state[count:]
        together = self._together[actors]
        for at, number in enumerate(stores):
            mail = together.asked if at < self._twins else together.asked_and_told
            for what, after in self._taken[at, number, mail]:
                yield self._stores[at].name, what, _with(state, count + at, after)
        for at, number in enumerate(actors):
            begun, told = self._begun[at, number], self._heard[at, number, together.told]
            counted: _Choices = ()
            if (counting := together.counting[at]) is not None:
                said = [self._said[counting, store] for store in stores]
                between = together.told_between[at]
                counted = self._counted[at, number, between, *sorted(said[: self._twins]), *said[self._twins :]]
            for what, after in (*begun, *told, *counted):
                yield self._names[at], what, _with(state, at, after)

    def check(self, state: State) -> None:
        """Many states have the same witnesses, who are heard once. Raises Violated."""
        count = len(self._actors)
        actors = tuple([self._actor_testimony[number] for number in state[:count]])
        stores = tuple([self._store_testimony[number] for number in state[count:]])
        if actors + stores not in self._true:
            heard = self._witnesses.values
            self._electors.check([heard[number] for number in actors], [heard[number] for number in stores])
            self._true.add(actors + stores)

    def _before(self, store: Store) -> VoterState:
        """A store when the search begins: all but z have accepted what is settled."""
        number, accepted = Ballot(NO_ROUND, X), [] if store.site == Z else logs.in_order(self._settled)
        proposals: list[Proposal] = [(slot, number, entry) for slot, entry in accepted]
        learned = frozenset[logs.Placed]()
        if self._left is not None and store in self._left.stores:
            proposals.append((self._last, self._left.ballot, self._left.entry))
            learned = frozenset(() if store.is_first else self._through(Slot(self._last - self._ground.lag)))
        votes = (Voted(slot, slot, Vote(ballot, ballot, (entry,))) for slot, ballot, entry in proposals)
        return VoterState(Promises(tuple(votes)), learned, frozenset(proposals))

    def _through(self, last: Slot) -> Iterator[logs.Placed]:
        return ((slot, entry) for slot, entry in self._settled if slot <= last)

    # The questions

    def _together_of(self, numbers: State) -> _Together:
        states = [self._actor_states.values[number] for number in numbers]
        asked = frozenset(each for state in states for each in state.sent if isinstance(each, Prepare | Accept))
        learned = self._settled.union(*(state.witness().learned for state in states))
        told = {Chosen(slot, slot, None, (entry,)) for slot, entry in learned if slot < self._last}
        counting = [state.open for state in states]
        nothing, all_told = self._mails(()), self._mails(_sorted(told))
        return _Together(
            asked=self._mails(_sorted(asked)),
            asked_and_told=self._mails(_sorted(asked | told)),
            told=all_told,
            told_between=tuple(
                all_told if any(slot is None for _, _, slot in counted) else nothing for counted in counting
            ),
            counting=tuple(self._counted_sets(counted) if counted else None for counted in counting),
            open=self._counted_sets(frozenset[tuple[Ballot, type[Message], Slot | None]]().union(*counting)),
        )

    def _testimony_of_actor(self, number: int) -> int:
        return self._witnesses(self._actor_states.values[number].witness())

    def _testimony_of_store(self, number: int) -> int:
        return self._witnesses(self._store_states.values[number].witness())

    def _keep(self, question: tuple[int, int]) -> int:
        """A store's state without the votes that nobody will count (B3)."""
        counted, number = question
        state = self._store_states.values[number]
        return self._store_states(state._replace(sent=frozenset(self._open(counted, number))))

    def _say(self, question: tuple[int, int]) -> int:
        """What a store said that is counted so."""
        return self._mails(_sorted(self._open(*question)))

    def _open(self, counted: int, number: int) -> Iterator[Message]:
        for vote in self._store_states.values[number].sent:
            assert isinstance(vote, Promise | Accepted)
            yield from open_part(vote, self._counted_sets.values[counted])

    def _take(self, question: tuple[int, int, int]) -> _Choices:
        """What a store comes to by a message."""
        at, number, mail = question
        before = self._store_states.values[number]
        found = dict[int, str]()
        for message in self._mails.values[mail]:
            if not is_too_early(message, before.learned):
                after = self._store_states(voters.take(self._ground, self._stores[at], before, message))
                found.setdefault(after, f"takes {message.word()} {message.note()}")
        return tuple((what, after) for after, what in found.items() if after != number)

    def _begin(self, question: tuple[int, int]) -> _Choices:
        """What a proposer may begin by itself."""
        at, number = question
        return self._others(number, self._actors[at].attempts(self._actor_states.values[number]))

    def _hear(self, question: tuple[int, int, int]) -> _Choices:
        """What a proposer comes to by being told what is chosen."""
        at, number, told = question
        each, before = self._actors[at], self._actor_states.values[number]
        said = (message for message in self._mails.values[told] if not is_too_early(message, before.witness().learned))
        heard = (each.listen(before, message) for message in said if isinstance(message, Chosen))
        return self._others(number, (choice for choices in heard for choice in choices))

    def _count(self, question: State) -> _Choices:
        """What a proposer comes to by counting some votes, and by what it is told between."""
        at, number, between, *said = question
        mail: Mail = [(self._stores[0], message) for message in self._mails.values[between]]
        for voter, votes in zip(self._stores, said, strict=True):
            mail += ((voter, message) for message in self._mails.values[votes])
        return self._others(number, self._actors[at].hear(self._actor_states.values[number], mail))

    def _others(self, number: int, choices: Iterable[Choice]) -> _Choices:
        found = dict[int, str]()
        for what, after in choices:
            found.setdefault(self._actor_states(after), what)
        return tuple((what, after) for after, what in found.items() if after != number)


def _sorted(messages: Iterable[Message]) -> tuple[Message, ...]:
    """In an order that is the same in every run."""
    return tuple(sorted(messages, key=repr))


def _with(state: State, at: int, number: int) -> State:
    return (*state[:at], number, *state[at + 1 :])
