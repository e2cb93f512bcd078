"""An acceptor as a value: the production `Consensus` makes every step of it.

Rules that hold here:
- D1: a restart leaves what was written. While everything is written before it is answered for, memory and disk are the
  same after each step.
- The votes that it sent stay sent: `sent` grows only. Refusals are left out, and so is the entry that it answers with
  once it has learned it: that is in the message which it learned it from.
- `accepted` is the past, which no rule reads: the truth is judged by it.
- A1, A2: what is on its disk never goes back.
- R0: told the ballot alone, it learns its own accepted entry if that has exactly this ballot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from msgspec import structs

from engine.core.broken import BrokenRule
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import Accept, Accepted, Chosen, LearnedSlot, Message, Prepare, Promise
from engine.core.settings import Leadership, Settings
from engine.core.storage import RangePromise, Vote, Write, WriteApplied, WriteLearned, WriteRanges, WriteVote
from engine.core.synod.acceptor import Acceptor
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.invariants import Proposal, Witness
from engine.sim.violation import violate

SLOT_MAX: Final = Slot(2)
"""Small clusters have slots 1 and 2."""

_ITSELF: Final = Settings(SiteId("acceptor"), (SiteId("acceptor"),), Leadership.NONE)


Counted = frozenset[tuple[Ballot, type[Message], Slot | None]]
"""What is counted somewhere: votes of a ballot, of a kind, for a slot; None: for all slots from one on."""


@dataclass(frozen=True, slots=True)
class Promises:
    """What it promised and accepted in unlearned slots."""

    votes: frozenset[tuple[Slot, Vote]] = frozenset()
    ranges: tuple[RangePromise, ...] = ()

    def acceptor(self) -> Acceptor:
        return Acceptor(dict(self.votes), self.ranges, _ITSELF.page_bytes)


_NO_PROMISES: Final = Promises()


@dataclass(frozen=True, slots=True)
class AcceptorState:
    """`memory` is None while it is what the disk says."""

    disk: Promises = _NO_PROMISES
    memory: Promises | None = None
    learned: logs.Log = frozenset()
    sent: frozenset[Message] = frozenset()
    accepted: frozenset[Proposal] = frozenset()

    def acceptor(self) -> Acceptor:
        """The running one."""
        return (self.memory or self.disk).acceptor()

    def witness(self) -> Witness:
        return Witness(accepted=self.accepted, learned=self.learned)


def take(state: AcceptorState, message: Prepare | Accept | Chosen) -> AcceptorState:
    """The acceptor takes a message, commits, and answers. Raises Violated."""
    held = state.memory or state.disk
    consensus = logs.consensus(_ITSELF, state.learned, votes=dict(held.votes), ranges=held.ranges)
    step = logs.step(_ITSELF.site)
    try:
        consensus.take(step, logs.SAID.source, message)
    except BrokenRule as broken:
        violate(broken.rule, broken.evidence)
    acceptor = consensus.acceptor
    after = _committed(state, step.effects.writes, acceptor)
    _never_back(state, after)
    memory = Promises(frozenset(acceptor.votes.items()), acceptor.ranges)
    return replace(
        after,
        memory=None if memory == after.disk else memory,
        sent=state.sent.union(send.message for send in step.effects.sends if _is_vote(send.message)),
    )


def restart(state: AcceptorState) -> AcceptorState:
    """It crashes, and comes back with its disk."""
    return replace(state, memory=None)


def forget(state: AcceptorState, counted: Counted) -> AcceptorState:
    """Without the votes that nobody will count."""
    votes = (vote for vote in state.sent if isinstance(vote, Promise | Accepted))
    return replace(state, sent=frozenset(part for vote in votes for part in _open_part(vote, counted)))


def _open_part(vote: Promise | Accepted, counted: Counted) -> Iterator[Message]:
    match vote:
        case Promise():
            slot = vote.first if vote.first == vote.last else None
            if (vote.ballot, Promise, slot) in counted:
                yield vote
        case Accepted():
            slots = tuple(slot for slot in vote.slots if (vote.ballot, Accepted, slot) in counted)
            if slots:
                yield structs.replace(vote, slots=slots)


def _committed(state: AcceptorState, writes: Iterable[Write], acceptor: Acceptor) -> AcceptorState:
    votes, ranges = dict(state.disk.votes), state.disk.ranges
    learned = set(state.learned)
    for write in writes:
        match write:
            case WriteVote(slot, vote):
                votes[slot] = vote
            case WriteRanges():
                ranges = write.ranges
            case WriteLearned(slot, entry, _):
                votes.pop(slot, None)
                learned.add(LearnedSlot(slot, entry))
            case WriteApplied():
                pass
            case _:
                raise AssertionError(f"an acceptor does not write {write}")
    accepted = state.accepted.union(
        (slot, vote.accepted, vote.entry)
        for slot, vote in (*votes.items(), *acceptor.votes.items())
        if vote.accepted is not None and vote.entry is not None
    )
    disk = Promises(frozenset(votes.items()), ranges)
    return replace(state, disk=disk, learned=frozenset(learned), accepted=accepted)


def _is_vote(answer: Message) -> bool:
    is_of_one_learned_slot = isinstance(answer, Promise) and answer.first == answer.last and bool(answer.learned)
    return isinstance(answer, Accepted | Promise) and not is_of_one_learned_slot


def _never_back(before: AcceptorState, after: AcceptorState) -> None:
    """Of the slots of this cluster, and of all beyond."""
    was, now = before.disk.acceptor(), after.disk.acceptor()
    for number in range(1, SLOT_MAX + 2):
        slot = Slot(number)
        if logs.entry(after.learned, slot) is not None:
            continue
        old, new = was.vote(slot), now.vote(slot)
        if old.promised is not None and (new.promised is None or new.promised < old.promised):
            violate("A1", f"a promise went back from {old.promised} to {new.promised}", slot=slot)
        if old.accepted is not None and (new.accepted is None or new.accepted < old.accepted):
            violate("A2", f"an accepted ballot went back from {old.accepted} to {new.accepted}", slot=slot)
