"""A leader as a value: the production `Leader`, `Proposer`, `Rounds` and `Learner`, wired as in a replica.

Rules that hold here:
- L3: it may stand for election, be handed events, look for gaps and be refused at any time. Whatever it did
  before, a crash may have ended: only its log and its rounds are left.
- A refusal may come whether it is deserved or not: it is no vote, so that what a leader does then must be safe anyway.
- Between two steps nothing is half counted: of what acceptors said, a majority is counted in one step, of one slot or
  of all slots from one on.
- Who is who is forgotten: two acceptors, whose votes make a majority, have the same two names each time. So nothing
  that is half counted stays in a state, not even what such a promise says is chosen: later the same acceptor would come
  by the other name, and its promise would count twice (B3).
- Slots above SLOT_MAX, and rounds that the cast does not give it, are beyond the world: no step leads there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from random import Random
from typing import Final

from msgspec import structs

from engine.core.broken import BrokenRule
from engine.core.entry import Entry
from engine.core.explained.describe import entry as in_words
from engine.core.ids import Ballot, Round, SiteId, Slot, Tick
from engine.core.leading.leader import Leader
from engine.core.log.microblog import Microblog
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
from engine.core.synod.proposer import Accepting, Preparing, Proposer, Rounds
from engine.sim.violation import violate
from engine.sim.worlds import logs, truth
from engine.sim.worlds.acceptors import SLOT_MAX, Counted
from engine.sim.worlds.casts import Choice
from engine.sim.worlds.proposers import QUORUM, VOTERS, Mail, told
from engine.sim.worlds.snapshot import frozen
from engine.sim.worlds.truth import Witness

_SLOTS: Final = tuple(Slot(number) for number in range(1, SLOT_MAX + 1))
_NO_ROUND: Final = Round(0)
_PATIENCE: Final = Tick(1)
_CHANCE: Final = Random(0)
"""Nothing is drawn from it: only waiting is a matter of chance."""


class Desk:
    """The parts of a replica that leads, and how they are wired."""

    def __init__(self, settings: Settings, used: Round, log: logs.Log) -> None:
        self.settings = settings
        self.microblog = Microblog({}, {})
        self.learner = logs.learner(log, self.microblog)
        self.rounds = Rounds(settings.site, used)
        self.proposer = Proposer(settings, self.rounds, _CHANCE, self._on_accepting, self._on_chosen)
        self.leader = Leader(
            settings,
            self.rounds,
            self.learner,
            self.proposer,
            last_in_effect=self.microblog.last_in_effect,
            on_chosen=self._on_chosen,
        )

    def copy(self) -> Desk:
        return deepcopy(self, {id(shared): shared for shared in (self.settings, _CHANCE)})

    def take(self, step: Step, sender: SiteId, message: Message) -> None:
        """An answer to the range ballot is the leader's, another one the proposer's."""
        match message:
            case Promise():
                for found in message.accepted:
                    self.learner.used(found.slot)
                self._learn(step, message.learned)
                (self.leader if self.leader.owns(message.ballot) else self.proposer).on_promise(step, sender, message)
            case Accepted():
                for slot in message.slots:
                    self.learner.used(slot)
                (self.leader if self.leader.owns(message.ballot) else self.proposer).on_accepted(step, sender, message)
            case Chosen():
                said = (LearnedSlot(item.slot, item.entry) for item in message.slots if item.entry is not None)
                self._learn(step, said)
            case _:
                raise AssertionError(f"a leader is not sent {message}")

    def _learn(self, step: Step, items: Iterable[LearnedSlot]) -> None:
        for item in items:
            reached = self.learner.learn(step, item.slot, item.entry, logs.SAID)
            if reached is not None:
                self.proposer.end(step, item.slot, "it is learned")
                self.leader.on_learned(item.slot, item.entry)
                for applied in reached:
                    self.leader.on_applied(applied.entry)

    def _on_accepting(self, _step: Step, slot: Slot, _entry: Entry) -> None:
        self.learner.used(slot)

    def _on_chosen(self, step: Step, slot: Slot, accepting: Accepting) -> None:
        self._learn(step, (LearnedSlot(slot, accepting.entry),))
        step.send_all(VOTERS[0], told(slot, accepting.ballot, accepting.entry))


@dataclass(frozen=True, slots=True)
class LeaderState:
    """`desk` is what it has in memory, and `memory` the value of that; `taken` are the ballots of all its attempts."""

    desk: Desk = field(compare=False)
    memory: Hashable
    disk_round: Round
    taken: frozenset[Ballot] = frozenset()
    learned: logs.Log = frozenset()
    sent: frozenset[Message] = frozenset()

    @property
    def leads(self) -> bool:
        return self.desk.leader.ballot is not None

    @property
    def awaited(self) -> tuple[type[Message], ...]:
        """The votes that it counts at present."""
        leader, attempts = self.desk.leader, self.desk.proposer.slots
        kinds: dict[type[Message], bool] = {
            Promise: (leader.busy and leader.ballot is None) or bool(attempts),
            Accepted: leader.ballot is not None or bool(attempts),
        }
        return tuple(kind for kind, counted in kinds.items() if counted)

    @property
    def open(self) -> Counted:
        leader, attempts = self.desk.leader, map(self.desk.proposer.attempt, self.desk.proposer.slots)
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
        return Witness(proposed=truth.proposed(self.sent), learned=self.learned)


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
        desk = Desk(Settings(self.site, VOTERS, Leadership.ELECTED), _NO_ROUND, settled)
        return LeaderState(desk, frozen(desk), _NO_ROUND, learned=settled)

    def attempts(self, state: LeaderState) -> Iterator[Choice]:
        for before in (state, _crashed(state)):
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
            yield from self._try(state, what, lambda desk, step: desk.take(step, VOTERS[0], said))

    def _count(self, state: LeaderState, mail: Mail) -> Iterator[Choice]:
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

    def _try(self, state: LeaderState, what: str, begin: Callable[[Desk, Step], None]) -> Iterator[Choice]:
        after = self._after(state, begin)
        if after is not None and after != state:
            yield Choice(what, after)

    def _after(self, state: LeaderState, act: Callable[[Desk, Step], None]) -> LeaderState | None:
        """None where that leads out of the world. Raises Violated."""
        desk, step = state.desk.copy(), logs.step(self.site)
        try:
            act(desk, step)
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
        return LeaderState(desk, frozen(desk), disk_round, taken, learned, state.sent | sent)

    def _is_within(self, message: Message) -> bool:
        match message:
            case Prepare():
                return message.ballot.round in (self.rounds if message.last is None else self.slot_rounds)
            case Accept():
                return all(item.slot <= SLOT_MAX for item in message.entries)
            case _:
                return True


def _crashed(state: LeaderState) -> LeaderState:
    desk = Desk(state.desk.settings, state.disk_round, state.learned)
    return replace(state, desk=desk, memory=frozen(desk))


def _news(before: LeaderState, after: LeaderState) -> str | None:
    """What others could notice, or only the leader; None where something is half counted."""
    if after.learned != before.learned:
        items = sorted(after.learned - before.learned, key=logs.slot_of)
        return "learns " + ", ".join(f"that slot {item.slot} holds {in_words(item.entry)}" for item in items)
    ballot = after.desk.leader.ballot
    proposed = sorted(truth.proposed(after.sent) - truth.proposed(before.sent), key=lambda each: each[:2])
    said = ", ".join(f"proposes {in_words(entry)} at slot {slot} with {number}" for slot, number, entry in proposed)
    if ballot != before.desk.leader.ballot:
        return f"leads with {ballot}" + (f", {said}" if said else "")
    return None if after.sent == before.sent else said or "asks on"


def _of_ranges(message: Message) -> tuple[Message, ...]:
    return (message,) if isinstance(message, Promise) and message.first != message.last else ()


def _of_slot(kind: type[Promise] | type[Accepted], slot: Slot, message: Message) -> tuple[Message, ...]:
    """What a vote of this kind says of this slot alone: the rest may be said again later."""
    match message:
        case Promise(first=first, last=last) if kind is Promise and first == last == slot:
            return (message,)
        case Accepted(slots=slots) if kind is Accepted and slot in slots:
            return (structs.replace(message, slots=(slot,)),)
        case _:
            return ()


_COUNTED: Final[tuple[Callable[[Message], tuple[Message, ...]], ...]] = (
    _of_ranges,
    *(partial(_of_slot, Promise, slot) for slot in _SLOTS),
    *(partial(_of_slot, Accepted, slot) for slot in _SLOTS),
)
"""What is counted in one step."""


# What a leader may do


def _stand(seen: Round, desk: Desk, step: Step) -> None:
    desk.leader.step_down(step, "it is defeated")
    desk.rounds.saw(Ballot(seen, step.site))
    desk.leader.stand(step, _PATIENCE)


def _refused(seen: Round, slot: Slot, desk: Desk, step: Step) -> None:
    ballot = desk.leader.ballot
    if ballot is not None:
        barred = RefusedSpan(slot, slot, Ballot(seen, step.site), Cause.SLOT)
        for voter in VOTERS[:QUORUM]:
            desk.leader.on_refused(step, voter, Refused(ballot, "accept", (barred,)))


def _offer(events: tuple[Entry, ...], desk: Desk, step: Step) -> None:
    desk.leader.offer(step, events)


def _look(desk: Desk, step: Step) -> None:
    desk.leader.tick(step)


def _take(sender: SiteId, message: Message, desk: Desk, step: Step) -> None:
    desk.take(step, sender, message)
