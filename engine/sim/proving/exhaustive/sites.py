"""A site as a value: the production `Consensus`, its acceptor unused: acceptors are on sites of their own.

Rules that hold here:
- Whatever it did before, a crash may have ended: only its log and its rounds are left.
- Between two steps nothing is half counted: of what acceptors said, a majority is counted in one step, of one slot, of
  slots together, or of all slots from one on. Of a promise that comes in pages, what is asked for next stays sent; all
  its pages are counted in one step.
- Who is who is forgotten: two acceptors, whose votes make a majority, have the same two names each time. So nothing
  that is half counted stays in a state, not even what such a promise says is chosen: later the same acceptor would come
  by the other name, and its promise would count twice (B3).
- Slots above SLOT_MAX, and rounds that the cast does not give it, are beyond the search: no step leads there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Final, TypeVar

from msgspec import structs

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.entry import in_words
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.run import AcceptedRun, Run
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from engine.core.storage import WriteLearned, WriteRound
from engine.core.synod.phases import Accepting, Preparing
from engine.sim.proving.exhaustive import invariants, logs
from engine.sim.proving.exhaustive.acceptors import SLOT_MAX, Counted
from engine.sim.proving.exhaustive.casts import Choice
from engine.sim.proving.exhaustive.electors import Store
from engine.sim.proving.exhaustive.invariants import Witness
from engine.sim.proving.exhaustive.numbers import Numbers
from engine.sim.proving.exhaustive.proposers import VOTERS, Mail
from engine.sim.proving.exhaustive.snapshot import frozen
from engine.sim.violation import violate

Runs = TypeVar("Runs", Run, AcceptedRun)

SLOTS: Final = tuple(Slot(number) for number in range(1, SLOT_MAX + 1))

_NO_ROUND: Final = Round(0)

_ANYBODY: Final = Store(VOTERS[0])
"""Nobody asks who said that something is chosen."""


@dataclass(frozen=True, slots=True)
class SiteState:
    """`consensus` is what it has in memory, and `memory` whose that is and the number of its value, as `memories` gives
    them; `taken` are the ballots of its attempts. All states of a site in a search have the same `memories`, the same
    `votes`, what a vote brought a state to, and the same `slots`, those that are searched."""

    consensus: Consensus = field(compare=False)
    votes: dict[tuple[SiteState, Store, Message], SiteState | None] = field(compare=False, repr=False)
    slots: tuple[Slot, ...] = field(compare=False)
    memories: Numbers[Hashable] = field(compare=False, repr=False)
    memory: tuple[str, int]
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
        leader, attempts = self.consensus.leader, self.consensus.proposer.attempted(self.slots[0], self.slots[-1])
        kinds: dict[type[Message], bool] = {
            Promise: (leader.busy and leader.ballot is None) or bool(attempts),
            Accepted: leader.ballot is not None or bool(attempts),
        }
        return tuple(kind for kind, counted in kinds.items() if counted)

    @property
    def open(self) -> Counted:
        leader, proposer = self.consensus.leader, self.consensus.proposer
        counted: set[tuple[Ballot, type[Message], Slot | None]] = set()
        for ballot in self.taken:
            if leader.owns(ballot) and leader.ballot is None:
                counted.add((ballot, Promise, None))
            elif leader.owns(ballot):
                counted.update((ballot, Accepted, slot) for slot in self.slots if leader.is_proposing(slot))
        for slot in self.slots:
            attempt = proposer.attempt(slot)
            if attempt is not None and isinstance(attempt.phase, Preparing | Accepting):
                kind = Promise if isinstance(attempt.phase, Preparing) else Accepted
                counted.add((attempt.phase.ballot, kind, slot))
        return frozenset(counted)

    @property
    def half_counted(self) -> bool:
        """Some vote is counted where no majority is yet."""
        leader, proposer = self.consensus.leader, self.consensus.proposer
        views = (leader.view(slot) or proposer.view(slot) for slot in self.slots)
        return any(view is not None and view.votes for view in views)

    def witness(self) -> Witness:
        return Witness(proposed=invariants.proposed(self.sent), learned=self.learned)


@dataclass(frozen=True, slots=True)
class Site:
    """Runs synods with `slot_rounds`, and leads with `rounds`."""

    site: SiteId
    rounds: tuple[Round, ...] = ()
    slot_rounds: tuple[Round, ...] = ()
    listens: bool = field(default=True, init=False)

    @property
    def name(self) -> str:
        return self.site

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Those that are searched."""
        return SLOTS

    def made(self, learned: logs.Log, used: Round) -> Consensus:
        """As it comes up with this log and this round."""
        return logs.consensus(_settings(self.site), learned, used=used)

    def said(self, _after: SiteState, messages: frozenset[Message]) -> frozenset[Message]:
        """What of these messages of a step is sent. Raises Violated."""
        return messages

    def start(self, settled: logs.Log) -> SiteState:
        consensus = self.made(settled, _NO_ROUND)
        memories = Numbers[Hashable]()
        return SiteState(
            consensus, {}, self.slots, memories, (self.name, memories(frozen(consensus))), _NO_ROUND, learned=settled
        )

    def crashed(self, state: SiteState) -> SiteState:
        consensus = self.made(state.learned, state.disk_round)
        return replace(state, consensus=consensus, memory=(self.name, state.memories(frozen(consensus))))

    def attempt(self, state: SiteState, what: str, begin: Callable[[Consensus, Step], None]) -> Iterator[Choice]:
        after = self._after(state, begin)
        if after is not None and after != state:
            yield Choice(what, after)

    def hear(self, state: SiteState, mail: Mail) -> Iterator[Choice]:
        """Of promises of all slots from one on; of what is said of one slot; or of what is said of several together."""
        for sender, message in mail:
            yield from self._ask_on(state, sender, message)
        ranges = [(sender, message) for sender, message in mail if self.is_of_range(message)]
        yield from self._count(state, ranges)
        others = [(sender, _without_refusals(message)) for sender, message in mail if not self.is_of_range(message)]
        for slot in self.slots:
            yield from self._count(state, [(sender, part) for sender, said in others for part in _of_slot(slot, said)])
        yield from self._count(state, others)

    def listen(self, state: SiteState, said: Chosen) -> Iterator[Choice]:
        if said.entries:
            what = f"is told {logs.holds(Run(said.first, said.entries))}"
            yield from self.attempt(state, what, partial(_take, _ANYBODY, said))

    def _ask_on(self, state: SiteState, sender: Store, message: Message) -> Iterator[Choice]:
        """What a promise had no room for is asked for."""
        if isinstance(message, Promise) and message.last is not None:
            after = self.heard(state, sender, message)
            asked = set[Message]() if after is None else _prepares(after, message.ballot)
            if not asked <= state.sent:
                yield Choice("asks for the next page", replace(state, sent=state.sent | asked))

    def _count(self, state: SiteState, mail: Mail) -> Iterator[Choice]:
        half_counted, known = [state], {state}
        for before in half_counted:
            for sender, message in mail:
                after = self.heard(before, sender, message)
                if after is None:
                    continue
                if isinstance(message, Promise):
                    asked = _prepares(after, message.ballot) - state.sent
                    after = replace(after, sent=after.sent - asked)
                if after in known:
                    continue
                known.add(after)
                what = _news(state, after)
                standing = self.is_of_range(message) and not after.leads
                if what is None or standing or after.half_counted:
                    half_counted.append(after)  # with what the promise says is chosen, which others may say too
                else:
                    yield Choice(what, after)

    def heard(self, state: SiteState, sender: Store, message: Message) -> SiteState | None:
        """As `_after`; the same votes are counted again and again, together with ever other ones."""
        vote = state, sender, message
        if vote not in state.votes:
            state.votes[vote] = self._after(state, partial(_take, sender, message))
        return state.votes[vote]

    def _after(self, state: SiteState, act: Callable[[Consensus, Step], None]) -> SiteState | None:
        """None where that leads out of what is searched. Raises Violated."""
        consensus, step = _copied(state.consensus), logs.step(self.site)
        try:
            act(consensus, step)
        except BrokenRule as broken:
            violate(broken.rule, broken.evidence, site=self.site)
        messages = frozenset((*(send.message for send in step.effects.sends), *step.looped))
        if not all(map(self._is_within, messages)):
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
                    learned = learned.union(write.run)
                case _:
                    pass
        after = replace(
            state,
            consensus=consensus,
            memory=(self.name, state.memories(frozen(consensus))),
            disk_round=disk_round,
            taken=taken,
            learned=learned,
        )
        return replace(after, sent=state.sent | self.said(after, messages))

    def is_of_range(self, message: Message) -> bool:
        """A promise of all slots from one on, or a page of it: a ballot has one purpose (B1)."""
        return isinstance(message, Promise) and message.ballot.round in self.rounds

    def _is_within(self, message: Message) -> bool:
        match message:
            case Prepare():
                return message.ballot.round in (self.rounds if message.last is None else self.slot_rounds)
            case Accept():
                return message.run.last <= self.slots[-1]
            case _:
                return True


@cache
def _settings(site: SiteId) -> Settings:
    return Settings(site, VOTERS, Leadership.ELECTED)


def _copied(consensus: Consensus) -> Consensus:
    shared = consensus._settings, consensus.onlooker, logs.CHANCE
    return deepcopy(consensus, {id(each): each for each in shared})


def _news(before: SiteState, after: SiteState) -> str | None:
    """What came of counting votes, in words: something is learned, led or said. None where nothing is yet, for more of
    them have to be counted: that is no state of its own (see the package)."""
    if after.learned != before.learned:
        return f"learns {logs.holds(logs.in_order(after.learned - before.learned))}"
    ballot = after.consensus.leader.ballot
    proposed = sorted(invariants.proposed(after.sent) - invariants.proposed(before.sent), key=lambda each: each[:2])
    said = ", ".join(f"proposes {in_words(entry)} at slot {slot} with {number}" for slot, number, entry in proposed)
    if ballot != before.consensus.leader.ballot:
        return f"leads with {ballot}" + (f", {said}" if said else "")
    return None if after.sent == before.sent else said or "asks on"


def _prepares(state: SiteState, ballot: Ballot) -> set[Message]:
    return {message for message in state.sent if isinstance(message, Prepare) and message.ballot == ballot}


def _of_slot(slot: Slot, message: Message) -> tuple[Message, ...]:
    """The vote, cut to this slot alone: what it says of others is as good as said later, for votes may come again."""
    match message:
        case Accepted() if message.covers(slot, slot):
            return (structs.replace(message, spans=((slot, slot),)),)
        case Promise() if message.covers(slot, slot):
            accepted, learned = tuple(_cut(message.accepted, slot)), tuple(_cut(message.learned, slot))
            left_out = tuple(out for out in message.left_out if out.first <= slot <= (out.last or slot))
            return (Promise(message.ballot, slot, slot, accepted, learned, left_out),)
        case _:
            return ()


def _cut(runs: Iterable[Runs], slot: Slot) -> Iterator[Runs]:
    return (run.cut(slot, slot) for run in runs if run.first <= slot <= run.last)


def _without_refusals(message: Message) -> Message:
    """What a promise leaves out it does not cover; that it also refuses it is no vote."""
    if not isinstance(message, Promise):
        return message
    return structs.replace(message, left_out=tuple(structs.replace(out, ballot=None) for out in message.left_out))


def _take(sender: Store, message: Message, consensus: Consensus, step: Step) -> None:
    assert isinstance(message, Promise | Accepted | Chosen)
    consensus.take(step, sender.site, message, sender.life)
