"""A proposer as a value: what it does to a ballot is done by the production step functions.

Rules that hold here:
- B1: an attempt's ballot comes from the production counter, as memory or as the disk has it; none is taken twice.
- One attempt at a time, and none at a slot that it has learned.
- Between two steps nothing is half counted: `phase` is None, or the beginning of a phase.
- What it sent stays sent: `sent` grows only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.core.entry import in_words
from engine.core.ids import Ballot, Round, SiteId, Slot, quorum_size
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.run import Run, run_of
from engine.core.storage import WriteRound
from engine.core.synod import phases
from engine.core.synod.phases import Accepting, Preparing
from engine.core.synod.proposer import Rounds
from engine.sim.proving.exhaustive import invariants, logs
from engine.sim.proving.exhaustive.acceptors import Counted
from engine.sim.proving.exhaustive.electors import Store
from engine.sim.proving.exhaustive.invariants import Witness
from engine.sim.violation import violate

VOTERS: Final = tuple(SiteId(name) for name in ("x", "y", "z"))
"""The acceptors, where they are on sites of their own."""

QUORUM: Final = quorum_size(len(VOTERS))

Mail = list[tuple[Store, Message]]
"""Messages with their senders."""

_NO_ROUND: Final = Round(0)


@dataclass(frozen=True, slots=True)
class ProposerState:
    """`aim` is what its last attempt would propose, and where; `taken` are the ballots of all its attempts."""

    aim: logs.Placed | None = None
    phase: Preparing | Accepting | None = None
    round: Round = _NO_ROUND
    disk_round: Round = _NO_ROUND
    taken: frozenset[Ballot] = frozenset()
    learned: logs.Log = frozenset()
    sent: frozenset[Message] = frozenset()

    @property
    def awaited(self) -> tuple[type[Message], ...]:
        """The votes that it counts at present."""
        match self.phase:
            case Preparing():
                return (Promise,)
            case Accepting():
                return (Accepted,)
            case None:
                return ()

    @property
    def open(self) -> Counted:
        if self.aim is None or self.phase is None:
            return frozenset()
        return frozenset({(self.phase.ballot, self.awaited[0], self.aim[0])})

    def witness(self) -> Witness:
        return Witness(proposed=invariants.proposed(self.sent), learned=self.learned)


def begin(site: SiteId, state: ProposerState, used: Round, heard_of: Ballot, aim: logs.Placed) -> ProposerState:
    """A new attempt, with the counter at `used`, after a ballot of another was seen. What was begun before ends: it may
    have been a defeat, or a crash. Raises Violated (B1)."""
    slot, _ = aim
    rounds = Rounds(site, used)
    rounds.saw(heard_of)
    step = logs.step(site)
    ballot = rounds.take(step)
    if ballot in state.taken:
        violate("B1", f"{ballot} is taken for a second attempt", slot=slot, site=site)
    disk_round = state.disk_round
    for write in step.effects.writes:
        assert isinstance(write, WriteRound), f"a counter does not write {write}"
        disk_round = write.round
    return replace(
        state,
        aim=aim,
        phase=Preparing(ballot),
        round=rounds.seen,
        disk_round=disk_round,
        taken=state.taken | {ballot},
        sent=state.sent | {Prepare(ballot, slot, slot)},
    )


def hear(state: ProposerState, mail: Mail) -> Iterator[tuple[str, ProposerState]]:
    """What it comes to by counting these votes, any of them, in any order, and again: each state in which it has
    something to say to others, or has learned something. Raises Violated (R1)."""
    half_counted = [state]
    known = {state}
    for before in half_counted:
        for sender, message in mail:
            after = _take(before, sender.site, message)
            if after in known:
                continue
            known.add(after)
            if after.learned != state.learned:
                yield f"learns {logs.holds(after.learned - state.learned)}", after
            elif after.sent != state.sent:
                assert isinstance(after.phase, Accepting)
                yield f"has a majority for {after.phase.ballot}, and proposes {in_words(after.phase.entry)}", after
            else:
                half_counted.append(after)


def listen(state: ProposerState, said: Chosen) -> Iterator[tuple[str, ProposerState]]:
    """What it comes to by being told an entry. Raises Violated (R1)."""
    if said.entries:
        run = Run(said.first, said.entries)
        yield f"is told {logs.holds(run)}", _learn(state, run)


def _take(state: ProposerState, sender: SiteId, message: Message) -> ProposerState:
    aim = state.aim
    match message:
        case Promise() if aim is not None and message.first == aim[0]:
            return _take_promise(state, aim, sender, message)
        case Accepted() if aim is not None and message.covers(aim[0], aim[0]):
            return _take_accepted(state, aim[0], sender, message)
        case _:
            return state


def _take_promise(state: ProposerState, aim: logs.Placed, sender: SiteId, message: Promise) -> ProposerState:
    if not isinstance(state.phase, Preparing):
        return state
    phase = phases.promised(state.phase, sender, message.ballot, message.accepted)
    slot, own = aim
    proposal = phases.to_propose(phase, run_of(slot, own), QUORUM)
    if proposal is None:
        return replace(state, phase=phase)
    accept = Accept(proposal.ballot, run_of(slot, proposal.entry))
    return replace(state, phase=proposal, sent=state.sent | {accept})


def _take_accepted(state: ProposerState, slot: Slot, sender: SiteId, message: Accepted) -> ProposerState:
    if not isinstance(state.phase, Accepting):
        return state
    phase = phases.accepted(state.phase, sender, message.ballot)
    if not phases.is_chosen(phase, QUORUM):
        return replace(state, phase=phase)
    learned = _learn(state, run_of(slot, phase.entry))
    return replace(learned, sent=learned.sent.union(phases.told(voter, slot, phase) for voter in VOTERS))


def _learn(state: ProposerState, run: Run) -> ProposerState:
    learned = logs.learn(state.learned, run)
    if learned is state.learned:
        return state
    ends = state.aim is not None and run.first <= state.aim[0] <= run.last
    return replace(state, phase=None if ends else state.phase, learned=learned)
