"""A leader as a value: the production `Consensus`, its acceptor unused: acceptors are on sites of their own.

Rules that hold here:
- L3: it may stand for election, be handed events, look for gaps and be refused at any time. Whatever it did
  before, a crash may have ended: only its log and its rounds are left.
- A refusal may come whether it is deserved or not: it is no vote, so that what a leader does then must be safe anyway.
- Between two steps nothing is half counted: of what acceptors said, a majority is counted in one step, of one slot or
  of all slots from one on.
- Who is who is forgotten: two acceptors, whose votes make a majority, have the same two names each time. So nothing
  that is half counted stays in a state, not even what such a promise says is chosen: later the same acceptor would come
  by the other name, and its promise would count twice (B3).
- Slots above SLOT_MAX, and rounds that the cast does not give it, are beyond the search: no step leads there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import product
from typing import Final

from msgspec import structs

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.entry import Entry, in_words
from engine.core.ids import Ballot, Round, SiteId, Slot, Tick
from engine.core.messages import (
    Accept,
    Accepted,
    Cause,
    Chosen,
    LearnedSlot,
    Message,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
)
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from engine.core.storage import WriteLearned, WriteRound
from engine.core.synod.proposer import Accepting, Preparing
from engine.sim.proving.exhaustive import invariants, logs
from engine.sim.proving.exhaustive.acceptors import SLOT_MAX, Counted
from engine.sim.proving.exhaustive.casts import Choice
from engine.sim.proving.exhaustive.invariants import Witness
from engine.sim.proving.exhaustive.proposers import QUORUM, VOTERS, Mail
from engine.sim.proving.exhaustive.snapshot import frozen
from engine.sim.violation import violate

_SLOTS: Final = tuple(Slot(number) for number in range(1, SLOT_MAX + 1))
_NO_ROUND: Final = Round(0)
_Vote = Promise | Accepted
_PATIENCE: Final = Tick(1)


@dataclass(frozen=True, slots=True)
class LeaderState:
    """`consensus` is what it has in memory, and `memory` the value of that; `taken` are the ballots of its attempts."""

    consensus: Consensus = field(compare=False)
    memory: Hashable
    disk_round: Round
    taken: frozenset[Ballot] = frozenset()
    learned: logs.Log = frozenset()
    sent: frozenset[Message] = frozenset()

    @property
    def leads(self) -> bool:
        return self.consensus.leader.ballot is not None

    @property
    def awaited(self) -> tuple[type[Message], ...]:
        """The votes that it counts at present."""
        leader, attempts = self.consensus.leader, self.consensus.proposer.slots
        kinds: dict[type[Message], bool] = {
            Promise: (leader.busy and leader.ballot is None) or bool(attempts),
            Accepted: leader.ballot is not None or bool(attempts),
        }
        return tuple(kind for kind, counted in kinds.items() if counted)

    @property
    def open(self) -> Counted:
        leader, attempts = self.consensus.leader, map(self.consensus.proposer.attempt, self.consensus.proposer.slots)
        counted: set[tuple[Ballot, type[Message], Slot | None]] = set()
        for ballot in self.taken:
            if leader.owns(ballot) and leader.ballot is None:
                counted.add((ballot, Promise, None))
            elif leader.owns(ballot):
                counted.update((ballot, Accepted, slot) for slot in _SLOTS if leader.view(slot) is not None)
        for attempt in attempts:
            if attempt is not None and isinstance(attempt.phase, Preparing | Accepting):
                kind = Promise if isinstance(attempt.phase, Preparing) else Accepted
                counted.add((attempt.phase.ballot, kind, attempt.slot))
        return frozenset(counted)

    def witness(self) -> Witness:
        return Witness(proposed=invariants.proposed(self.sent), learned=self.learned)


@dataclass(frozen=True, slots=True)
class Leads:
    """May stand for election with `rounds`, and run synods with `slot_rounds`. Each of `handed` are events of one
    author, that are handed to it together, at any time, and again."""

    site: SiteId
    rounds: tuple[Round, ...]
    slot_rounds: tuple[Round, ...] = ()
    handed: tuple[tuple[Entry, ...], ...] = ()
    listens: bool = field(default=True, init=False)

    def start(self, settled: logs.Log) -> LeaderState:
        consensus = logs.consensus(_settings(self.site), settled)
        return LeaderState(consensus, frozen(consensus), _NO_ROUND, learned=settled)

    def attempts(self, state: LeaderState) -> Iterator[Choice]:
        for before in (state, self._crashed(state)):
            for number in self.rounds:
                what = f"stands for election in round {number}"
                yield from self._try(before, what, partial(_stand, Round(number - 1)))
        for number, slot in product(self.slot_rounds, _SLOTS):
            what = f"is refused slot {slot}, and settles it in round {number}"
            yield from self._try(state, what, partial(_refused, Round(number - 1), slot))
        for events in self.handed:
            what = f"is handed {' and '.join(map(in_words, events))}"
            yield from self._try(state, what, partial(_offer, events))
        yield from self._try(state, "looks for gaps", _look)

    def hear(self, state: LeaderState, mail: Mail) -> Iterator[Choice]:
        """Of one kind and one slot at a time, or of all slots."""
        for counted in _COUNTED:
            yield from self._count(state, [(sender, part) for sender, message in mail for part in counted(message)])

    def listen(self, state: LeaderState, said: Chosen) -> Iterator[Choice]:
        (item,) = said.slots
        if item.entry is not None:
            what = f"is told that slot {item.slot} holds {in_words(item.entry)}"
            yield from self._try(state, what, lambda consensus, step: consensus.take(step, VOTERS[0], said))

    def _count(self, state: LeaderState, mail: list[tuple[SiteId, _Vote]]) -> Iterator[Choice]:
        half_counted, known = [state], {state}
        for before in half_counted:
            for sender, message in mail:
                after = self._after(before, partial(_take, sender, message))
                if after is None or after in known:
                    continue
                known.add(after)
                what = _news(state, after)
                if what is None or (_of_ranges(message) and not after.leads):
                    half_counted.append(after)  # with what the promise says is chosen, which others may say too
                else:
                    yield Choice(what, after)

    def _try(self, state: LeaderState, what: str, begin: Callable[[Consensus, Step], None]) -> Iterator[Choice]:
        after = self._after(state, begin)
        if after is not None and after != state:
            yield Choice(what, after)

    def _after(self, state: LeaderState, act: Callable[[Consensus, Step], None]) -> LeaderState | None:
        """None where that leads out of what is searched. Raises Violated."""
        consensus, step = _copied(state.consensus, self.site), logs.step(self.site)
        try:
            act(consensus, step)
        except BrokenRule as broken:
            violate(broken.rule, broken.evidence, site=self.site)
        sent = frozenset(send.message for send in step.effects.sends)
        if not all(map(self._is_within, sent)):
            return None
        disk_round, taken, learned = state.disk_round, state.taken, state.learned
        for write in step.effects.writes:
            match write:
                case WriteRound():
                    disk_round = write.round
                    ballot = Ballot(disk_round, self.site)
                    if ballot in taken:
                        violate("B1", f"{ballot} is taken for a second attempt", site=self.site)
                    taken |= {ballot}
                case WriteLearned():
                    learned |= {LearnedSlot(write.slot, write.entry)}
                case _:
                    pass
        return LeaderState(consensus, frozen(consensus), disk_round, taken, learned, state.sent | sent)

    def _crashed(self, state: LeaderState) -> LeaderState:
        consensus = logs.consensus(_settings(self.site), state.learned, used=state.disk_round)
        return replace(state, consensus=consensus, memory=frozen(consensus))

    def _is_within(self, message: Message) -> bool:
        match message:
            case Prepare():
                return message.ballot.round in (self.rounds if message.last is None else self.slot_rounds)
            case Accept():
                return all(item.slot <= SLOT_MAX for item in message.entries)
            case _:
                return True


@cache
def _settings(site: SiteId) -> Settings:
    return Settings(site, VOTERS, Leadership.ELECTED)


def _copied(consensus: Consensus, site: SiteId) -> Consensus:
    return deepcopy(consensus, {id(shared): shared for shared in (_settings(site), consensus.onlooker, logs.CHANCE)})


def _news(before: LeaderState, after: LeaderState) -> str | None:
    """What came of counting votes, in words: something is learned, led or said. None where nothing is yet, for more of
    them have to be counted: that is no state of its own (see the package)."""
    if after.learned != before.learned:
        items = sorted(after.learned - before.learned, key=logs.slot_of)
        return "learns " + ", ".join(f"that slot {item.slot} holds {in_words(item.entry)}" for item in items)
    ballot = after.consensus.leader.ballot
    proposed = sorted(invariants.proposed(after.sent) - invariants.proposed(before.sent), key=lambda each: each[:2])
    said = ", ".join(f"proposes {in_words(entry)} at slot {slot} with {number}" for slot, number, entry in proposed)
    if ballot != before.consensus.leader.ballot:
        return f"leads with {ballot}" + (f", {said}" if said else "")
    return None if after.sent == before.sent else said or "asks on"


def _of_ranges(message: Message) -> tuple[_Vote, ...]:
    return (message,) if isinstance(message, Promise) and message.first != message.last else ()


def _of_slot(kind: type[Promise] | type[Accepted], slot: Slot, message: Message) -> tuple[_Vote, ...]:
    """The vote, cut to this slot alone: what it says of others is as good as said later, for votes may come again."""
    match message:
        case Promise(first=first, last=last) if kind is Promise and first == last == slot:
            return (message,)
        case Accepted(slots=slots) if kind is Accepted and slot in slots:
            return (structs.replace(message, slots=(slot,)),)
        case _:
            return ()


_COUNTED: Final[tuple[Callable[[Message], tuple[_Vote, ...]], ...]] = (
    _of_ranges,
    *(partial(_of_slot, Promise, slot) for slot in _SLOTS),
    *(partial(_of_slot, Accepted, slot) for slot in _SLOTS),
)
"""What is counted in one step."""


# What a leader may do


def _stand(seen: Round, consensus: Consensus, step: Step) -> None:
    consensus.leader.step_down(step, "it is defeated")
    consensus.rounds.saw(Ballot(seen, step.site))
    consensus.leader.stand(step, _PATIENCE)


def _refused(seen: Round, slot: Slot, consensus: Consensus, step: Step) -> None:
    ballot = consensus.leader.ballot
    if ballot is not None:
        barred = RefusedSpan(slot, slot, Ballot(seen, step.site), Cause.SLOT)
        for voter in VOTERS[:QUORUM]:
            consensus.take(step, voter, Refused(ballot, "accept", (barred,)))


def _offer(events: tuple[Entry, ...], consensus: Consensus, step: Step) -> None:
    consensus.leader.offer(step, events)


def _look(consensus: Consensus, step: Step) -> None:
    consensus.leader.tick(step)


def _take(sender: SiteId, message: _Vote, consensus: Consensus, step: Step) -> None:
    consensus.take(step, sender, message)
