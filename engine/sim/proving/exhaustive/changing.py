"""Small clusters in which the log changes who votes: x, y, and two stores of z.

Rules that hold here:
- Where z is readmitted, both stores are there from the start, and any message may reach either, at any time or never:
  so the lost one may be lost at any moment, and be back from the repair shop at any other. What one of them answers,
  its life is said with. Where z is removed it has the first one, where it is added the second one alone.
- What was chosen first is told to the proposers and to z, whoever hears of it. The new store votes once it has learned
  the entry that admits it (M4), as `engine.core.peers.lives` has it; the rest is the production `Consensus`, made anew
  for each step of what is durable, and an attempt that is under way.
- Proposers count as in the other clusters: all that is counted of one ballot in one step, or it is not begun.
- The truth counts each slot by its own list (M1), whoever knows of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, NamedTuple

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.entry import Entry, in_words
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId, quorum_size
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.run import run_of
from engine.core.settings import Leadership, Settings
from engine.core.spans import Part, Spans
from engine.core.step import Step
from engine.core.storage import Standing, Voted, WriteLearned, WriteVote, cut_vote
from engine.core.synod.phases import Accepting, Preparing
from engine.core.synod.proposer import Attempt
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.search import Move, Searched, State
from engine.sim.truth.replay import Replay
from engine.sim.violation import violate

X, Y, Z = SITES = (SiteId("x"), SiteId("y"), SiteId("z"))
NEW_STORE: Final = StoreId("1" * 16)

Proposal = tuple[Slot, Ballot, Entry]


@dataclass(frozen=True, slots=True)
class Aims:
    """What a proposer would have at a slot, and with which rounds it may try."""

    slot: Slot
    entry: Entry
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True)
class ChangingCluster:
    """`lag` is w; `aims` are those of the proposers. `settled`: what is chosen from slot 1 on before the search
    begins."""

    name: str
    about: str
    lag: int
    aims: tuple[tuple[SiteId, tuple[Aims, ...]], ...]
    pinned: Searched
    settled: tuple[Entry, ...]
    founders: tuple[SiteId, ...] = SITES

    def states(self) -> ChangingStates:
        return ChangingStates(self)


class _Acceptor(NamedTuple):
    """What is durable on one store, what it ever accepted, and the votes that it sent."""

    votes: tuple[Voted, ...] = ()
    learned: logs.Log = frozenset()
    accepted: frozenset[Proposal] = frozenset()
    sent: frozenset[Message] = frozenset()


class _Proposer(NamedTuple):
    """`taken`: the rounds of its attempts."""

    learned: logs.Log = frozenset()
    attempt: tuple[Slot, Entry, Preparing | Accepting] | None = None
    taken: frozenset[Round] = frozenset()
    sent: frozenset[Message] = frozenset()


_Component = _Acceptor | _Proposer


class ChangingStates:
    """A state is the numbers of the proposers' states, then those of x, y, and the two stores of z."""

    def __init__(self, cluster: ChangingCluster) -> None:
        self._cluster = cluster
        self._names = (X, Y, Z, SiteId("z-new"))
        self._numbers: dict[_Component, int] = {}
        self._values: list[_Component] = []
        self._taken: dict[tuple[int, int, Message], int] = {}
        self._counted: dict[tuple[int, int, frozenset[tuple[int, Message]]], tuple[tuple[str, int], ...]] = {}
        self._heard: dict[tuple[int, int, Message], int] = {}
        self._true: set[State] = set()
        placed = tuple((Slot(slot), entry) for slot, entry in enumerate(cluster.settled, 1))
        first = _Acceptor(accepted=frozenset((slot, Ballot(Round(0), X), entry) for slot, entry in placed))
        self._said: frozenset[Message] = frozenset(Chosen(slot, slot, None, (entry,)) for slot, entry in placed)
        components: list[_Component] = [*(_Proposer() for _ in cluster.aims), first, first, _Acceptor(), _Acceptor()]
        self.initial: State = tuple([self._number(component) for component in components])

    def kept(self, state: State) -> State:
        return state

    def canonical(self, state: State) -> State:
        """Of x and y it does not matter which is which."""
        count = len(self._cluster.aims)
        return (*state[:count], *sorted(state[count : count + 2]), *state[count + 2 :])

    def moves(self, state: State) -> Iterator[Move]:
        count = len(self._cluster.aims)
        proposers = [self._proposer(number) for number in state[:count]]
        acceptors = [self._acceptor(number) for number in state[count:]]
        mail = sorted(self._said.union(*(proposer.sent for proposer in proposers)), key=repr)
        for at, name in enumerate(self._names):
            for message in mail:
                if at < 2 and isinstance(message, Chosen):
                    continue  # that x and y vote changes nowhere
                after = self._take(at, state[count + at], message)
                if after != state[count + at]:
                    yield name, f"takes {message.word()} {message.note()}", _with(state, count + at, after)
        for at, (name, aims) in enumerate(self._cluster.aims):
            for what, begun in self._begin(name, aims, proposers[at]):
                yield name, what, _with(state, at, self._number(begun))
            for message in mail:
                if isinstance(message, Chosen) and message.entries:
                    heard = self._hear(at, state[at], message)
                    if heard != state[at]:
                        yield name, f"is told {message.note()}", _with(state, at, heard)
            for what, number in self._count(at, state[at], proposers[at], acceptors):
                yield name, what, _with(state, at, number)

    def check(self, state: State) -> None:
        """Raises Violated."""
        count = len(self._cluster.aims)
        acceptors = [self._acceptor(number) for number in state[count:]]
        chosen = self._chosen(acceptors)
        for learned in (self._values[number].learned for number in state):
            for slot, entry in learned:
                if chosen.get(slot) != entry:
                    violate("R1", f"{in_words(entry)} is learned; chosen is {chosen.get(slot)}", slot=slot)

    def _chosen(self, acceptors: list[_Acceptor]) -> dict[Slot, Entry]:
        """By the list of each slot, as far as it can be known. Two entries that are chosen for one are a violation."""
        replay, chosen = Replay(self._cluster.founders, self._cluster.lag), dict[Slot, Entry]()
        for slot in sorted({slot for each in acceptors for slot, _, _ in each.accepted}):
            lives = replay.lives(slot)
            voters = [acceptors[3 if life == NEW_STORE else SITES.index(site)] for site, life in (lives or {}).items()]
            for proposal in {proposal for each in voters for proposal in each.accepted if proposal[0] == slot}:
                if sum(proposal in each.accepted for each in voters) < quorum_size(len(voters)):
                    continue
                if chosen.setdefault(slot, proposal[2]) != proposal[2]:
                    both = f"{in_words(chosen[slot])}, and {in_words(proposal[2])}"
                    violate("agreement", f"two entries are chosen: {both}", slot=slot)
            if slot == replay.next and slot in chosen:
                replay.apply(chosen[slot])
        return chosen

    # Acceptors

    def _take(self, at: int, number: int, message: Message) -> int:
        question = at, number, message
        if question not in self._taken:
            self._taken[question] = self._number(self._taken_by(at, self._acceptor(number), message))
        return self._taken[question]

    def _taken_by(self, at: int, before: _Acceptor, message: Message) -> _Acceptor:
        is_new = at == 3
        site = SITES[min(at, 2)]
        consensus = logs.consensus(
            self._settings(site),
            before.learned,
            votes=before.votes,
            life=NEW_STORE if is_new else logs.FIRST_STORE,
            standing=Standing.READMITTED if is_new else Standing.ADMITTED,
        )
        step = Step(logs.NOW, site, voting=not is_new or consensus.members.admits(site, NEW_STORE))
        assert isinstance(message, Prepare | Accept | Chosen)
        try:
            consensus.take(step, SiteId("p"), message)
        except BrokenRule as broken:
            violate(broken.rule, broken.evidence, site=site)
        votes = Spans(cut_vote, (Part(voted.first, voted.last, voted.vote) for voted in before.votes))
        learned, accepted = before.learned, before.accepted
        for write in step.effects.writes:
            match write:
                case WriteVote(first, last, vote):
                    votes.put(first, last, vote)
                    if vote.accepted is not None and vote.entry is not None:
                        accepted |= {(first, vote.accepted, vote.entry)}
                case WriteLearned(run):
                    votes.remove(run.first, run.last)
                    learned = learned.union(run)
                case _:
                    pass
        sent = {send.message for send in step.effects.sends if isinstance(send.message, Promise | Accepted)}
        return _Acceptor(tuple(Voted(*part) for part in votes), learned, accepted, before.sent | sent)

    # Proposers

    def _begin(self, name: SiteId, aims: tuple[Aims, ...], before: _Proposer) -> Iterator[tuple[str, _Proposer]]:
        consensus = self._consensus(name, before, None)
        for aim in aims:
            if aim.slot > consensus.proposes_through() or logs.at(before.learned, aim.slot) is not None:
                continue
            for number in aim.rounds:
                if number in before.taken:
                    continue
                fresh = self._consensus(name, before, None)
                fresh.rounds.saw(Ballot(Round(number - 1), name))
                step = logs.step(name)
                fresh.proposer.start(step, run_of(aim.slot, aim.entry))
                after = self._after(before, fresh, step, aim.slot)
                if after.taken - before.taken == {number}:
                    yield f"asks for promises of {number}.{name} at slot {aim.slot}", after

    def _hear(self, at: int, number: int, message: Message) -> int:
        question = at, number, message
        if question not in self._heard:
            before, name = self._proposer(number), self._cluster.aims[at][0]
            consensus, step = self._consensus(name, before, before.attempt), logs.step(name)
            self._tell(consensus, step, X, message, logs.FIRST_STORE)
            self._heard[question] = self._number(self._after(before, consensus, step, None))
        return self._heard[question]

    def _count(self, at: int, number: int, before: _Proposer, acceptors: list[_Acceptor]) -> Iterator[tuple[str, int]]:
        """What comes of counting the votes of some: where that is nothing to say or to learn, it is not begun."""
        if before.attempt is None:
            return
        slot, _, phase = before.attempt
        kind = Promise if isinstance(phase, Preparing) else Accepted
        votes = [
            (voter, message)
            for voter, acceptor in enumerate(acceptors)
            for message in acceptor.sent
            if isinstance(message, kind) and message.ballot == phase.ballot and message.covers(slot, slot)
        ]
        for some in range(2, len(votes) + 1):
            for counted in combinations(votes, some):
                question = at, number, frozenset(counted)
                if question not in self._counted:
                    self._counted[question] = tuple(self._counts(at, before, counted))
                yield from self._counted[question]

    def _counts(self, at: int, before: _Proposer, counted: Iterable[tuple[int, Message]]) -> Iterator[tuple[str, int]]:
        name = self._cluster.aims[at][0]
        consensus, step = self._consensus(name, before, before.attempt), logs.step(name)
        for voter, message in counted:
            life = NEW_STORE if voter == 3 else logs.FIRST_STORE
            self._tell(consensus, step, SITES[min(voter, 2)], message, life)
        after = self._after(before, consensus, step, None)
        if after.learned != before.learned or after.sent != before.sent:
            yield "counts a majority", self._number(after)

    def _tell(self, consensus: Consensus, step: Step, sender: SiteId, message: Message, life: StoreId) -> None:
        assert isinstance(message, Promise | Accepted | Chosen)
        try:
            consensus.take(step, sender, message, life)
        except BrokenRule as broken:
            violate(broken.rule, broken.evidence, site=step.site)

    def _consensus(
        self, name: SiteId, state: _Proposer, attempt: tuple[Slot, Entry, Preparing | Accepting] | None
    ) -> Consensus:
        used = max(state.taken, default=Round(0))
        made = logs.consensus(self._settings(name), state.learned, used=used)
        if attempt is not None:
            slot, own, phase = attempt
            under_way = Attempt(run_of(slot, own), logs.NOW, phase, logs.NOW, logs.NOW)
            made.proposer._attempts.put(slot, slot, under_way)
        return made

    def _after(self, before: _Proposer, consensus: Consensus, step: Step, begun: Slot | None) -> _Proposer:
        learned, taken = before.learned, before.taken
        for write in step.effects.writes:
            if isinstance(write, WriteLearned):
                learned = learned.union(write.run)
        slot = begun if begun is not None else None if before.attempt is None else before.attempt[0]
        kept = None if slot is None else consensus.proposer.attempt(slot)
        attempt = None
        if slot is not None and kept is not None:
            assert isinstance(kept.phase, Preparing | Accepting)
            attempt = (slot, kept.own.entries[0], kept.phase)
            if begun is not None:
                taken |= {kept.phase.ballot.round}
        said = (send.message for send in step.effects.sends)
        sent = before.sent.union(message for message in said if isinstance(message, Prepare | Accept))
        return _Proposer(learned, attempt, taken, sent)

    def _settings(self, site: SiteId) -> Settings:
        return replace(Settings(site, self._cluster.founders, Leadership.NONE), change_lag=self._cluster.lag)

    # Numbers

    def _number(self, value: _Component) -> int:
        number = self._numbers.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def _proposer(self, number: int) -> _Proposer:
        value = self._values[number]
        assert isinstance(value, _Proposer)
        return value

    def _acceptor(self, number: int) -> _Acceptor:
        value = self._values[number]
        assert isinstance(value, _Acceptor)
        return value


def _with(state: State, at: int, number: int) -> State:
    return (*state[:at], number, *state[at + 1 :])


P, Q = SiteId("p"), SiteId("q")


def _entry(number: int, body: str) -> Entry:
    return Entry(X, number, number - 1, body)


_REMOVE: Final = _entry(1, "remove 0 z")


def _aims(slot: int) -> tuple[tuple[SiteId, tuple[Aims, ...]], ...]:
    """What p and q would have there, each something of its own: p with round 1, q with round 2."""
    return tuple(
        (site, (Aims(Slot(slot), Entry(site, 1, 0, f"tweet 0 {site}"), (Round(number),)),))
        for number, site in enumerate((P, Q), 1)
    )


CHANGING: Final = (
    ChangingCluster(
        "removed",
        "slot 1 removes z, whoever knows of it; p and q want slot 2, with 1.p and 2.q; w = 1: x and y vote",
        1,
        _aims(2),
        Searched(states=18_080, steps=68_870, depth=28),
        (_REMOVE,),
    ),
)
