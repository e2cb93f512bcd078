"""Small clusters in which the log changes who votes: x, y and others alike, and the stores that z has, one by one.

Rules that hold here:
- All stores of z are there from the start, and any message may reach any of them, at any time or never: so one may be
  lost at any moment, and be back from the repair shop at any other. What one of them answers, its life is said with.
- What is settled, and what a proposer has learned below the last slot, is told to proposers and to z, in slot order:
  each hears of it at any time, or never. A store that the log admits votes once it has learned the entry that does
  (M4), as `engine.core.peers.lives` has it. The rest is the production `Consensus`, made anew for each step of what is
  durable, and an attempt that is under way: so each site may crash at every point.
- Proposers count as in the other clusters: all that is counted of one ballot in one step, or it is not begun.
- Votes that nobody counts any more are forgotten, as in `ForgetfulStates`.
- Of x, y and others alike it does not matter who is who. That they hear what is chosen changes nowhere who votes: it is
  left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.entry import Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.run import run_of
from engine.core.settings import Leadership, Settings
from engine.core.spans import Part, Spans
from engine.core.step import Step
from engine.core.storage import Standing, Voted, WriteLearned, WriteVote, cut_vote
from engine.core.synod.phases import Accepting, Preparing
from engine.core.synod.proposer import Attempt
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.electors import Electors, Store, X, Z
from engine.sim.proving.exhaustive.invariants import Proposal, Witness, proposed
from engine.sim.proving.exhaustive.numbers import Answers, Numbers
from engine.sim.proving.exhaustive.search import Move, Searched, State
from engine.sim.violation import violate

_NO_ROUND: Final = Round(0)

_Choices = tuple[tuple[str, int], ...]
"""What may happen to one component, in words, and the number of its state then."""


class Aim(NamedTuple):
    """What a proposer would have at a slot, and with which rounds it may try."""

    slot: Slot
    entry: Entry
    rounds: tuple[Round, ...]


class Proposer(NamedTuple):
    """`store`: what it proposes as."""

    store: Store
    aims: tuple[Aim, ...]


@dataclass(frozen=True, slots=True)
class ChangingCluster:
    """`lag` is w. `settled`: what is chosen from slot 1 on before the search begins. `stores`: those of z; `founders`:
    with whom the cluster began."""

    name: str
    about: str
    lag: int
    proposers: tuple[Proposer, ...]
    stores: tuple[Store, ...]
    founders: tuple[SiteId, ...]
    pinned: Searched
    settled: tuple[Entry, ...] = ()

    def states(self) -> ChangingStates:
        return ChangingStates(self)


class _StoreState(NamedTuple):
    """What is durable on one store, what it ever accepted, and the votes that it sent."""

    votes: tuple[Voted, ...] = ()
    learned: logs.Log = frozenset()
    accepted: frozenset[Proposal] = frozenset()
    sent: frozenset[Message] = frozenset()


class _Counting(NamedTuple):
    """What a proposer counts: the votes of this kind, for this ballot and slot."""

    ballot: Ballot
    kind: type[Promise | Accepted]
    slot: Slot

    def counts(self, message: Message) -> bool:
        return isinstance(message, self.kind) and message.ballot == self.ballot and message.covers(self.slot, self.slot)


class _Attempt(NamedTuple):
    slot: Slot
    own: Entry
    phase: Preparing | Accepting

    @property
    def counting(self) -> _Counting:
        return _Counting(self.phase.ballot, Promise if isinstance(self.phase, Preparing) else Accepted, self.slot)


class _ProposerState(NamedTuple):
    """`taken`: the rounds of its attempts."""

    learned: logs.Log = frozenset()
    attempt: _Attempt | None = None
    taken: frozenset[Round] = frozenset()
    sent: frozenset[Message] = frozenset()


class _Together(NamedTuple):
    """What follows from the states of all proposers, as numbers: what is sent to x and who is alike, and to z; what is
    told to proposers; and what each of them counts, which is all that counts at all."""

    asked: int
    asked_and_told: int
    told: int
    counting: tuple[int | None, ...]
    open: int


class ChangingStates:
    """A state is the numbers of the proposers' states, then those of x and who is alike, and of the stores of z."""

    def __init__(self, cluster: ChangingCluster) -> None:
        self._cluster = cluster
        self._proposers = cluster.proposers
        twins = tuple(Store(site) for site in cluster.founders if site != Z)
        self._twins = len(twins)
        self._stores = (*twins, *cluster.stores)
        self._told_through = max(aim.slot for proposer in cluster.proposers for aim in proposer.aims) - 1
        self._settled = frozenset((Slot(slot), entry) for slot, entry in enumerate(cluster.settled, 1))
        self._electors = Electors(cluster.founders, cluster.lag, self._stores)
        self._proposer_states = Numbers[_ProposerState]()
        self._store_states = Numbers[_StoreState]()
        self._mails = Numbers[tuple[Message, ...]]()
        self._countings = Numbers[_Counting]()
        self._open_sets = Numbers[frozenset[_Counting]]()
        self._witnesses = Numbers[Witness]()
        self._together = Answers(self._together_of)
        self._taken = Answers(self._take)
        self._begun = Answers(self._begin)
        self._heard = Answers(self._hear)
        self._said = Answers(self._say)
        self._counted = Answers(self._count)
        self._kept = Answers(self._keep)
        self._proposer_testimony = Answers(self._testimony_of_proposer)
        self._store_testimony = Answers(self._testimony_of_store)
        self._true = set[State]()
        by_all = frozenset((slot, Ballot(_NO_ROUND, X), entry) for slot, entry in self._settled)
        first, empty = (self._store_states(_StoreState(accepted=accepted)) for accepted in (by_all, frozenset()))
        beginning = self._proposer_states(_ProposerState())
        self.initial: State = (
            *(beginning for _ in self._proposers),
            *(first for _ in twins),
            *(empty for _ in cluster.stores),
        )

    def kept(self, state: State) -> State:
        count = len(self._proposers)
        proposers = state[:count]
        counted, kept = self._together[proposers].open, self._kept
        return proposers + tuple([kept[counted, store] for store in state[count:]])

    def canonical(self, state: State) -> State:
        kept = self.kept(state)
        count = len(self._proposers)
        others = count + self._twins
        return (*kept[:count], *sorted(kept[count:others]), *kept[others:])

    def moves(self, state: State) -> Iterator[Move]:
        count = len(self._proposers)
        proposers, stores = state[:count], state[count:]
        together = self._together[proposers]
        for at, number in enumerate(stores):
            mail = together.asked if at < self._twins else together.asked_and_told
            for what, after in self._taken[at, number, mail]:
                yield self._stores[at].name, what, _with(state, count + at, after)
        for at, number in enumerate(proposers):
            begun, told = self._begun[at, number], self._heard[at, number, together.told]
            counted: _Choices = ()
            if (counting := together.counting[at]) is not None:
                said = [self._said[counting, store] for store in stores]
                counted = self._counted[at, number, *sorted(said[: self._twins]), *said[self._twins :]]
            for what, after in (*begun, *told, *counted):
                yield self._proposers[at].store.name, what, _with(state, at, after)

    def check(self, state: State) -> None:
        """Many states have the same witnesses, who are heard once. Raises Violated."""
        count = len(self._proposers)
        proposers = tuple([self._proposer_testimony[number] for number in state[:count]])
        stores = tuple([self._store_testimony[number] for number in state[count:]])
        if proposers + stores not in self._true:
            heard = self._witnesses.values
            self._electors.check([heard[number] for number in proposers], [heard[number] for number in stores])
            self._true.add(proposers + stores)

    # The questions

    def _together_of(self, numbers: State) -> _Together:
        states = [self._proposer_states.values[number] for number in numbers]
        asked = frozenset[Message]().union(*(state.sent for state in states))
        learned = self._settled.union(*(state.learned for state in states))
        told = {Chosen(slot, slot, None, (entry,)) for slot, entry in learned if slot <= self._told_through}
        counting = [None if state.attempt is None else state.attempt.counting for state in states]
        return _Together(
            asked=self._mails(_sorted(asked)),
            asked_and_told=self._mails(_sorted(asked | told)),
            told=self._mails(_sorted(told)),
            counting=tuple(None if each is None else self._countings(each) for each in counting),
            open=self._open_sets(frozenset(each for each in counting if each is not None)),
        )

    def _testimony_of_proposer(self, number: int) -> int:
        state = self._proposer_states.values[number]
        return self._witnesses(Witness(proposed=proposed(state.sent), learned=state.learned))

    def _testimony_of_store(self, number: int) -> int:
        state = self._store_states.values[number]
        return self._witnesses(Witness(accepted=state.accepted, learned=state.learned))

    def _keep(self, question: tuple[int, int]) -> int:
        """A store's state without the votes that nobody will count (B3)."""
        counted, number = question
        state, open_now = self._store_states.values[number], self._open_sets.values[counted]
        sent = frozenset(vote for vote in state.sent if any(each.counts(vote) for each in open_now))
        return self._store_states(state._replace(sent=sent))

    def _say(self, question: tuple[int, int]) -> int:
        """What a store said that is counted so."""
        counting, number = question
        sent, counts = self._store_states.values[number].sent, self._countings.values[counting].counts
        return self._mails(_sorted(vote for vote in sent if counts(vote)))

    # Stores

    def _take(self, question: tuple[int, int, int]) -> _Choices:
        at, number, mail = question
        before = self._store_states.values[number]
        found = dict[int, str]()
        for message in self._mails.values[mail]:
            if not _is_too_early(message, before.learned):
                after = self._store_states(self._taken_by(self._stores[at], before, message))
                found.setdefault(after, f"takes {message.word()} {message.note()}")
        return tuple((what, after) for after, what in found.items() if after != number)

    def _taken_by(self, store: Store, before: _StoreState, message: Message) -> _StoreState:
        consensus = self._consensus(store, before.learned, votes=before.votes)
        step = Step(logs.NOW, store.site, voting=_is_admitted(store, consensus))
        assert isinstance(message, Prepare | Accept | Chosen)
        try:
            consensus.take(step, SiteId("p"), message)
        except BrokenRule as broken:
            violate(broken.rule, broken.evidence, site=store.site)
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
        self._electors.judge(store, learned, votes, sent)
        self._electors.judge_prefix(learned, consensus.microblog.last_in_effect)
        return _StoreState(tuple(Voted(*part) for part in votes), learned, accepted, before.sent | sent)

    # Proposers

    def _begin(self, question: tuple[int, int]) -> _Choices:
        at, number = question
        store, aims = self._proposers[at]
        before = self._proposer_states.values[number]
        return tuple(
            (f"asks for promises of {tried}.{store.site} at slot {aim.slot}", self._proposer_states(after))
            for aim in aims
            for tried in aim.rounds
            if tried not in before.taken and (after := self._attempted(store, before, aim, tried)) is not None
        )

    def _attempted(self, store: Store, before: _ProposerState, aim: Aim, number: Round) -> _ProposerState | None:
        """An attempt in this round, whatever became of the one before; None where it may not, or would take another."""
        consensus = self._consensus(store, before.learned, used=max(before.taken, default=_NO_ROUND))
        if not _is_admitted(store, consensus):
            return None
        if aim.slot > consensus.proposes_through() or logs.at(before.learned, aim.slot) is not None:
            return None
        consensus.rounds.saw(Ballot(Round(number - 1), store.site))
        step = logs.step(store.site)
        consensus.proposer.start(step, run_of(aim.slot, aim.entry))
        after = self._after(store, before, consensus, step, aim.slot)
        taken = None if after.attempt is None else after.attempt.phase.ballot.round
        return after._replace(taken=before.taken | {number}) if taken == number else None

    def _hear(self, question: tuple[int, int, int]) -> _Choices:
        at, number, told = question
        store, before = self._proposers[at].store, self._proposer_states.values[number]
        found = dict[int, str]()
        for message in self._mails.values[told]:
            if not _is_too_early(message, before.learned):
                heard = self._listened(store, before, (self._stores[0], message))
                found.setdefault(self._proposer_states(heard), f"is told {message.note()}")
        return tuple((what, after) for after, what in found.items() if after != number)

    def _count(self, question: State) -> _Choices:
        """What comes of counting some votes, in any order, and again; if that is nothing to say or learn, it is not
        begun."""
        at, number, *said = question
        store, before = self._proposers[at].store, self._proposer_states.values[number]
        votes = [
            (voter, message)
            for voter, mail in zip(self._stores, said, strict=True)
            for message in self._mails.values[mail]
        ]
        half_counted, known = [before], {before}
        found = dict[int, str]()
        for state in half_counted:
            for vote in votes:
                after = self._listened(store, state, vote)
                if after.learned != before.learned or after.sent != before.sent:
                    found.setdefault(self._proposer_states(after), "counts a majority")
                elif after not in known:
                    known.add(after)
                    half_counted.append(after)
        return tuple((what, after) for after, what in found.items())

    def _listened(self, store: Store, before: _ProposerState, said: tuple[Store, Message]) -> _ProposerState:
        consensus = self._consensus(store, before.learned, used=max(before.taken, default=_NO_ROUND))
        step = logs.step(store.site)
        slot = None
        if before.attempt is not None:
            slot, own, phase = before.attempt
            under_way = Attempt(run_of(slot, own), logs.NOW, phase, logs.NOW, logs.NOW)
            consensus.proposer._attempts.put(slot, slot, under_way)
        sender, message = said
        assert isinstance(message, Promise | Accepted | Chosen)
        try:
            consensus.take(step, sender.site, message, sender.life)
        except BrokenRule as broken:
            violate(broken.rule, broken.evidence, site=store.site)
        return self._after(store, before, consensus, step, slot)

    def _after(
        self, store: Store, before: _ProposerState, consensus: Consensus, step: Step, slot: Slot | None
    ) -> _ProposerState:
        """`slot`: where it has an attempt, or had one before this step."""
        writes = (write for write in step.effects.writes if isinstance(write, WriteLearned))
        learned = before.learned.union(*(write.run for write in writes))
        kept = None if slot is None else consensus.proposer.attempt(slot)
        attempt = None
        if slot is not None and kept is not None:
            assert isinstance(kept.phase, Preparing | Accepting)
            attempt = _Attempt(slot, kept.own.entries[0], kept.phase)
        sent = {send.message for send in step.effects.sends if isinstance(send.message, Prepare | Accept)}
        self._electors.judge(store, learned, None, sent - before.sent)
        self._electors.judge_prefix(learned, consensus.microblog.last_in_effect)
        return _ProposerState(learned, attempt, before.taken, before.sent | sent)

    def _consensus(
        self, store: Store, learned: logs.Log, *, used: Round = _NO_ROUND, votes: tuple[Voted, ...] = ()
    ) -> Consensus:
        settings = replace(Settings(store.site, self._cluster.founders, Leadership.NONE), change_lag=self._cluster.lag)
        standing = Standing.ADMITTED if store.is_first else Standing.READMITTED
        return logs.consensus(settings, learned, used=used, votes=votes, life=store.life, standing=standing)


def _is_admitted(store: Store, consensus: Consensus) -> bool:
    return store.is_first or consensus.members.admits(store.site, store.life)


def _is_too_early(message: Message, learned: logs.Log) -> bool:
    """What is chosen is told in slot order."""
    return isinstance(message, Chosen) and any(logs.at(learned, Slot(slot)) is None for slot in range(1, message.first))


def _sorted(messages: Iterable[Message]) -> tuple[Message, ...]:
    """In an order that is the same in every run."""
    return tuple(sorted(messages, key=repr))


def _with(state: State, at: int, number: int) -> State:
    return (*state[:at], number, *state[at + 1 :])
