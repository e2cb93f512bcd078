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
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.run import Run, slots_of, spans_of
from engine.core.settings import Leadership, Settings
from engine.core.spans import Part, Spans
from engine.core.storage import (
    RangePromise,
    Vote,
    Voted,
    Write,
    WriteApplied,
    WriteLearned,
    WriteRanges,
    WriteVote,
    cut_vote,
)
from engine.core.synod.acceptor import Acceptor
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.invariants import Proposal, Witness
from engine.sim.violation import violate

SLOT_MAX: Final = Slot(2)
"""Small clusters have slots 1 and 2."""

_ITSELF: Final = Settings(SiteId("acceptor"), (SiteId("acceptor"),), Leadership.NONE)

PAGE_BYTES: Final = _ITSELF.page_bytes


Counted = frozenset[tuple[Ballot, type[Message], Slot | None]]
"""What is counted somewhere: votes of a ballot, of a kind, for a slot; None: for all slots from one on."""


@dataclass(frozen=True, slots=True)
class Promises:
    """What it promised and accepted in unlearned slots."""

    votes: tuple[Voted, ...] = ()
    ranges: tuple[RangePromise, ...] = ()

    def spans(self) -> Spans[Vote]:
        return Spans(cut_vote, (Part(voted.first, voted.last, voted.vote) for voted in self.votes))

    def acceptor(self) -> Acceptor:
        return Acceptor(self.spans(), self.ranges, PAGE_BYTES)


_NO_PROMISES: Final = Promises()


@dataclass(frozen=True, slots=True)
class AcceptorState:
    """`memory` is None while it is what the disk says. A promise says no more than fits into `page_bytes`."""

    disk: Promises = _NO_PROMISES
    memory: Promises | None = None
    learned: logs.Log = frozenset()
    sent: frozenset[Message] = frozenset()
    accepted: frozenset[Proposal] = frozenset()
    page_bytes: int = PAGE_BYTES

    def acceptor(self) -> Acceptor:
        """The running one."""
        return (self.memory or self.disk).acceptor()

    def witness(self) -> Witness:
        return Witness(accepted=self.accepted, learned=self.learned)


def take(state: AcceptorState, message: Prepare | Accept | Chosen) -> AcceptorState:
    """The acceptor takes a message, commits, and answers. Raises Violated."""
    held = state.memory or state.disk
    settings = replace(_ITSELF, page_bytes=state.page_bytes)
    consensus = logs.consensus(settings, state.learned, votes=held.votes, ranges=held.ranges)
    step = logs.step(_ITSELF.site)
    try:
        consensus.take(step, logs.SAID.source, message)
    except BrokenRule as broken:
        violate(broken.rule, broken.evidence)
    acceptor = consensus.acceptor
    after = _committed(state, step.effects.writes, acceptor)
    _never_back(state, after)
    memory = Promises(_voted(acceptor.votes), acceptor.ranges)
    return replace(
        after,
        memory=None if memory == after.disk else memory,
        sent=state.sent.union(send.message for send in step.effects.sends if _is_vote(message, send.message)),
    )


def restart(state: AcceptorState) -> AcceptorState:
    """It crashes, and comes back with its disk."""
    return replace(state, memory=None)


def forget(state: AcceptorState, counted: Counted) -> AcceptorState:
    """Without the votes that nobody will count."""
    votes = (vote for vote in state.sent if isinstance(vote, Promise | Accepted))
    return replace(state, sent=frozenset(part for vote in votes for part in open_part(vote, counted)))


def open_part(vote: Promise | Accepted, counted: Counted) -> Iterator[Message]:
    """What of a vote is counted. Of promises, all that is said at a ballot: it has one purpose (B1)."""
    match vote:
        case Promise():
            slots = [slot for ballot, kind, slot in counted if (ballot, kind) == (vote.ballot, Promise)]
            if any(slot is None or vote.covers(slot, slot) for slot in slots):
                yield vote
        case Accepted():
            accepted = (slot for span in vote.spans for slot in slots_of(*span))
            spans = spans_of(slot for slot in accepted if (vote.ballot, Accepted, slot) in counted)
            if spans:
                yield structs.replace(vote, spans=spans)


def _committed(state: AcceptorState, writes: Iterable[Write], acceptor: Acceptor) -> AcceptorState:
    votes, ranges = state.disk.spans(), state.disk.ranges
    learned = state.learned
    for write in writes:
        match write:
            case WriteVote(first, last, vote):
                votes.put(first, last, vote)
            case WriteRanges():
                ranges = write.ranges
            case WriteLearned(run):
                votes.remove(run.first, run.last)
                learned = learned.union(run)
            case WriteApplied():
                pass
            case _:
                raise AssertionError(f"an acceptor does not write {write}")
    accepted = state.accepted.union(
        (slot, vote.accepted, entry)
        for first, _, vote in (*votes, *acceptor.votes)
        if vote.accepted is not None and vote.entries
        for slot, entry in Run(first, vote.entries)
    )
    return replace(state, disk=Promises(_voted(votes), ranges), learned=learned, accepted=accepted)


def _voted(votes: Spans[Vote]) -> tuple[Voted, ...]:
    return tuple(Voted(*part) for part in votes)


def _is_vote(asked: Message, answer: Message) -> bool:
    is_of_one_learned_slot = isinstance(answer, Promise) and bool(answer.learned) and _is_of_one_slot(asked)
    return isinstance(answer, Accepted | Promise) and not is_of_one_learned_slot


def _is_of_one_slot(asked: Message) -> bool:
    return isinstance(asked, Prepare) and asked.first == asked.last


def _never_back(before: AcceptorState, after: AcceptorState) -> None:
    """Of the slots of this cluster, and of all beyond."""
    was, now = before.disk.acceptor(), after.disk.acceptor()
    for number in range(1, SLOT_MAX + 2):
        slot = Slot(number)
        if logs.at(after.learned, slot) is not None:
            continue
        old, new = was.vote(slot), now.vote(slot)
        if old.promised is not None and (new.promised is None or new.promised < old.promised):
            violate("A1", f"a promise went back from {old.promised} to {new.promised}", slot=slot)
        if old.accepted is not None and (new.accepted is None or new.accepted < old.accepted):
            violate("A2", f"an accepted ballot went back from {old.accepted} to {new.accepted}", slot=slot)
