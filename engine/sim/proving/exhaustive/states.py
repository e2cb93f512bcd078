"""A small cluster: its cast, three acceptors, and all messages that were ever sent.

Rules that hold here:
- A state is the number of the state of each of the cast, then of each acceptor; numbers are given as states are found.
- Acceptors on a site of their own stand in the order of their numbers: who is who is all that this forgets.
- Each question is put to the production functions once; the answers are kept, as numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from engine.core.explained import describe
from engine.core.ids import SiteId
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.sim.proving.exhaustive import acceptors, invariants, logs
from engine.sim.proving.exhaustive.acceptors import AcceptorState, Counted
from engine.sim.proving.exhaustive.casts import Actor, ActorState, LastAuthor
from engine.sim.proving.exhaustive.electors import Store
from engine.sim.proving.exhaustive.invariants import Witness
from engine.sim.proving.exhaustive.numbers import Answers, Numbers
from engine.sim.proving.exhaustive.proposers import QUORUM, VOTERS, ProposerState
from engine.sim.proving.exhaustive.search import Move, State

_Choices = tuple[tuple[str, int], ...]
"""What may happen to one component, in words, and the number of its state then."""

_Kinds = tuple[type[Message], ...]


class _Listener(NamedTuple):
    """One of the cast that waits for something: its place, the kinds of vote that it counts, and what others tell it,
    as a number of `mails`."""

    place: int
    site: SiteId
    awaited: _Kinds
    told: int


class _Cast(NamedTuple):
    """What follows from the states of all of the cast: what they sent to acceptors, as a number of `mails`; what they
    may begin; who listens; what they are witnesses of."""

    mail: int
    begun: tuple[tuple[SiteId, str, State], ...]
    listening: tuple[_Listener, ...]
    witnesses: State


class ClusterStates:
    """`takes`: the messages that acceptors take. `settled`: what everybody learned before the search begins, when each
    acceptor is in the state `initial`. Who is on one site with an acceptor stands first in the cast, its acceptor at
    the same place among acceptors."""

    def __init__(
        self,
        cast: tuple[Actor, ...],
        takes: tuple[type[Message], ...],
        settled: logs.Log,
        initial: AcceptorState,
    ) -> None:
        self._cast = cast
        self._takes = takes
        self._homes = tuple(each for each in cast if isinstance(each, LastAuthor))
        assert self._homes == cast[: len(self._homes)], "who is at home with an acceptor stands first"
        self._names = (*(each.site for each in self._homes), *VOTERS)[: len(VOTERS)]
        self._actors = Numbers[ActorState]()
        self._acceptors = Numbers[AcceptorState]()
        self._mails = Numbers[tuple[Message, ...]]()
        self._witnesses = Numbers[Witness]()
        self._said = Answers(self._votes_of)
        self._testimony = Answers(self._testimony_of)
        self._together = Answers(self._cast_of)
        self._begun = Answers(self._begin)
        self._taken = Answers(self._take)
        self._heard = Answers(self._hear)
        self._counted = Answers(self._count)
        self._listened = Answers(self._listen)
        self._begun_at_zero = Answers(self._begin_at_zero)
        self._true: set[State] = set()
        self.initial: State = (
            *(self._actors(each.start(settled)) for each in cast),
            *(self._acceptors(initial) for _ in VOTERS),
        )

    def kept(self, state: State) -> State:
        return state

    def canonical(self, state: State) -> State:
        fixed = len(self._cast) + len(self._homes)
        return state[:fixed] + tuple(sorted(state[fixed:]))

    def moves(self, state: State) -> Iterator[Move]:
        count = len(self._cast)
        actors, voters = state[:count], state[count:]
        cast = self._together[actors]
        for index, voter in enumerate(voters):
            for what, after in self._taken[voter, cast.mail]:
                yield self._names[index], what, (*actors, *voters[:index], after, *voters[index + 1 :])
        for site, what, afterwards in cast.begun:
            yield site, what, afterwards + voters
        for place, site, awaited, told in cast.listening:
            said = sorted([self._said[site, awaited, voter] for voter in voters])
            for what, after in self._heard[place, actors[place], told, *said]:
                yield site, what, (*actors[:place], after, *actors[place + 1 :], *voters)
        for index, home in enumerate(self._homes):
            for what, after, voted in self._begun_at_zero[index, actors[index], voters[index]]:
                moved = (*actors[:index], after, *actors[index + 1 :])
                yield home.site, what, (*moved, *voters[:index], voted, *voters[index + 1 :])

    def check(self, state: State) -> None:
        """Many states have the same witnesses, who are heard once."""
        count = len(self._cast)
        cast = self._together[state[:count]].witnesses
        voters = tuple(sorted([self._testimony[voter] for voter in state[count:]]))
        if cast + voters not in self._true:
            heard = self._witnesses.values
            invariants.check([heard[number] for number in cast], [heard[number] for number in voters])
            self._true.add(cast + voters)

    # The questions

    def _votes_of(self, question: tuple[SiteId, _Kinds, int]) -> int:
        """The votes of these kinds that an acceptor sent to a site."""
        site, awaited, voter = question
        sent = self._acceptors.values[voter].sent
        votes = (vote for vote in sent if isinstance(vote, Promise | Accepted) and isinstance(vote, awaited))
        return self._mails(_sorted(vote for vote in votes if vote.ballot.site == site))

    def _testimony_of(self, voter: int) -> int:
        return self._witnesses(self._acceptors.values[voter].witness())

    def _cast_of(self, numbers: State) -> _Cast:
        states = [self._actors.values[number] for number in numbers]
        sent = _sorted(message for state in states for message in state.sent)
        nothing, chosen = self._mails(()), self._mails(tuple(each for each in sent if isinstance(each, Chosen)))
        begun = tuple(
            (each.site, what, (*numbers[:index], after, *numbers[index + 1 :]))
            for index, each in enumerate(self._cast)
            for what, after in self._begun[index, numbers[index]]
        )
        return _Cast(
            mail=self._mails(tuple(message for message in sent if isinstance(message, self._takes))),
            begun=begun,
            listening=tuple(
                _Listener(index, each.site, state.awaited, chosen if each.listens else nothing)
                for index, (each, state) in enumerate(zip(self._cast, states, strict=True))
            ),
            witnesses=tuple(self._witnesses(state.witness()) for state in states),
        )

    def _begin(self, question: tuple[int, int]) -> _Choices:
        """What one of the cast may begin. Asked: its place, and its state."""
        place, actor = question
        begun = self._cast[place].attempts(self._actors.values[actor])
        return tuple((what, self._actors(after)) for what, after in begun)

    def _take(self, voter_and_mail: tuple[int, int]) -> _Choices:
        """What an acceptor comes to."""
        voter, mail = voter_and_mail
        before = self._acceptors.values[voter]
        found = {self._acceptors(acceptors.restart(before)): "starts again"}
        for message in self._mails.values[mail]:
            assert isinstance(message, Prepare | Accept | Chosen)
            found.setdefault(self._acceptors(acceptors.take(before, message)), f"takes {_in_words(message)}")
        return tuple((what, after) for after, what in found.items() if after != voter)

    def _hear(self, question: State) -> _Choices:
        """What one of the cast comes to by counting votes, and by what others tell it. Asked: its place, its state,
        what others tell it, and what the acceptors said, in any order."""
        place, actor, told, *said = question
        found: dict[int, str] = {}
        for majority in combinations(said, QUORUM):
            for what, after in self._counted[place, actor, *majority]:
                found.setdefault(after, what)
        for what, after in self._listened[place, actor, told]:
            found.setdefault(after, what)
        return tuple((what, after) for after, what in found.items() if after != actor)

    def _count(self, question: State) -> _Choices:
        """What one of the cast comes to by counting the votes of a majority, whoever that is."""
        place, actor, *said = question
        mail = [
            (Store(site), message)
            for site, votes in zip(VOTERS, said, strict=False)
            for message in self._mails.values[votes]
        ]
        counted = self._cast[place].hear(self._actors.values[actor], mail)
        return tuple((what, self._actors(after)) for what, after in counted)

    def _listen(self, question: tuple[int, int, int]) -> _Choices:
        """What one of the cast comes to by being told what is chosen."""
        place, actor, told = question
        each, state = self._cast[place], self._actors.values[actor]
        said = (message for message in self._mails.values[told] if isinstance(message, Chosen))
        return tuple((what, self._actors(after)) for message in said for what, after in each.listen(state, message))

    def _begin_at_zero(self, question: tuple[int, int, int]) -> tuple[tuple[str, int, int], ...]:
        """How one that is at home with an acceptor may skip the prepare. Asked: its place, and both their states."""
        index, actor, voter = question
        state = self._actors.values[actor]
        assert isinstance(state, ProposerState)
        begun = self._homes[index].at_zero(state, self._acceptors.values[voter])
        return tuple((what, self._actors(after), self._acceptors(voted)) for what, after, voted in begun)


class ForgetfulStates(ClusterStates):
    """The same, where a state does not hold the votes that nobody counts any more.

    B3 says that they come to nothing, which is for ClusterStates to show. An acceptor may send again what is forgotten.
    The states are those of ClusterStates, less these votes: the tests search some clusters both ways."""

    def __init__(
        self,
        cast: tuple[Actor, ...],
        takes: tuple[type[Message], ...],
        settled: logs.Log,
        initial: AcceptorState,
    ) -> None:
        super().__init__(cast, takes, settled, initial)
        self._open = Answers(self._open_of)
        self._kept = Answers(self._keep)
        self._counted_sets = Numbers[Counted]()

    def kept(self, state: State) -> State:
        count = len(self._cast)
        actors = state[:count]
        counted, kept = self._open[actors], self._kept
        return actors + tuple([kept[counted, voter] for voter in state[count:]])

    def canonical(self, state: State) -> State:
        """As that of what is kept, in one: most of a search is here."""
        count = len(self._cast)
        actors = state[:count]
        counted, kept = self._open[actors], self._kept
        voters = [kept[counted, voter] for voter in state[count:]]
        homes = len(self._homes)
        return (*actors, *voters[:homes], *sorted(voters[homes:]))

    def _open_of(self, actors: State) -> int:
        return self._counted_sets(frozenset().union(*(self._actors.values[number].open for number in actors)))

    def _keep(self, question: tuple[int, int]) -> int:
        counted, voter = question
        return self._acceptors(acceptors.forget(self._acceptors.values[voter], self._counted_sets.values[counted]))


def _sorted(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Each once, in an order that is the same in every run."""
    return tuple(sorted(set(messages), key=repr))


def _in_words(message: Message) -> str:
    line = describe.message(message)
    where = "" if line.slot is None else f"at slot {line.slot}"
    return " ".join(str(part) for part in (line.type, line.ballot, where, line.note) if part)
