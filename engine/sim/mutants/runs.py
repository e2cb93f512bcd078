"""Mutants of runs: what is so of a part of a run is taken to be so of another part, or of all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec.structs import replace

import engine.core.consensus
import engine.core.leading.reign
import engine.core.synod.acceptor
import engine.core.synod.phases
import engine.core.synod.proposer
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.leading.leader import Leader
from engine.core.log.learner import Learned, Learner, Origin
from engine.core.log.microblog import Applied, Microblog
from engine.core.messages import Accept, Accepted, Message
from engine.core.run import AcceptedRun, Run
from engine.core.spans import Part
from engine.core.step import Step
from engine.core.storage import NO_VOTE, Vote, Write, WriteApplied, WriteLearned
from engine.core.synod.acceptor import Acceptor
from engine.core.synod.phases import Accepting, Preparing
from engine.sim.mutants.mutant import Mutant, Patch

# Votes


def _its_first_slot_tells(original: Callable[..., Iterator[tuple[Part[Vote], Ballot | None]]]) -> Any:
    def parts(self: Acceptor, first: Slot, last: Slot) -> Iterator[tuple[Part[Vote], Ballot | None]]:
        for part, ranged in original(self, first, last):
            alone = part.last == last
            yield (
                (part, ranged) if alone else (Part(first, last, replace(NO_VOTE, promised=part.value.promised)), ranged)
            )
            return

    return parts


def _all_is_accepted(original: Callable[..., list[Message]]) -> Any:
    def on_accept(self: Acceptor, step: Step, log: Any, message: Accept) -> list[Message]:
        whole = ((message.run.first, message.run.last),)
        answers = original(self, step, log, message)
        return [replace(answer, spans=whole) if isinstance(answer, Accepted) else answer for answer in answers]

    return on_accept


def _the_first_is_reported(original: Callable[..., tuple[AcceptedRun, ...]]) -> Any:
    def report(first: Slot, vote: Vote) -> tuple[AcceptedRun, ...]:
        return tuple(run.cut(first, first) for run in original(first, vote))

    return report


def _counts_for_what_it_leaves_out(_: Any) -> Any:
    return lambda promise, last: [(promise.first, last)]


def _found_at_the_first_slot(original: Callable[..., Accepting | None]) -> Any:
    def to_propose(phase: Preparing, own: Run, quorum: int) -> Accepting | None:
        moved = [replace(each, accepted=replace(each.accepted, first=own.first)) for each in phase.found]
        return original(replace(phase, found=tuple(moved)), own, quorum)

    return to_propose


def _a_part_counts_for_all(original: Any) -> Any:
    def on_accepted(self: Leader, step: Step, sender: SiteId, message: Accepted) -> None:
        flights = () if self._reign is None else self._reign.flights
        whole = [(part.first, part.last) for part in flights if message.covers(part.first, part.last)]
        original(self, step, sender, replace(message, spans=tuple(whole)) if whole else message)

    return on_accepted


# Cut


def _one_slot_off(original: Any) -> Any:
    """For `cut(value, skip, count)`: it takes those beside."""
    return lambda value, skip, count: original(value, skip - 1 if skip else 1, count)


def _entries_one_slot_off(_: Any) -> Any:
    """For `run.cut(first, last)`: it takes those beside."""

    def cut(self: Any, first: Slot, last: Slot) -> Any:
        count = last - first + 1
        if count == len(self.entries):
            return self
        skip = first - self.first - 1 if first > self.first else 1
        return replace(self, first=first, entries=self.entries[skip : skip + count])

    return cut


# Learned


def _written_in_part(shortened: Callable[[Write], Write]) -> Callable[[Any], Any]:
    def broken(original: Callable[..., Learned]) -> Any:
        def learn(self: Learner, step: Step, run: Run, origin: Origin) -> Learned:
            learned = original(self, step, run, origin)
            step.effects.writes = list(map(shortened, step.effects.writes))
            return learned

        return learn

    return broken


def _first_of_what_is_learned(write: Write) -> Write:
    match write:
        case WriteLearned(run):
            return WriteLearned(run.cut(run.first, run.first))
        case _:
            return write


def _first_of_what_is_applied(write: Write) -> Write:
    match write:
        case WriteApplied():
            return replace(write, last=write.first)
        case _:
            return write


def _applied_in_part(original: Callable[..., Applied]) -> Any:
    def apply(self: Microblog, run: Run) -> Applied:
        return original(self, run.cut(run.first, run.first))

    return apply


_acceptor = engine.core.synod.acceptor
_phases = engine.core.synod.phases
_proposer = engine.core.synod.proposer

MUTANTS: Final = (
    Mutant("A2", "accepts a run where its first slot may be", (Patch(Acceptor, "_parts", _its_first_slot_tells),)),
    Mutant("B3", "says that it accepted all of a run", (Patch(Acceptor, "on_accept", _all_is_accepted),)),
    Mutant(
        "A4", "reports the first slot of an accepted run alone", (Patch(_acceptor, "_report", _the_first_is_reported),)
    ),
    Mutant(
        "B3", "counts a promise for what it leaves out", (Patch(_proposer, "_covered", _counts_for_what_it_leaves_out),)
    ),
    Mutant(
        "B2",
        "proposes at the first slot what was found at another",
        (Patch(_phases, "to_propose", _found_at_the_first_slot),),
    ),
    Mutant(
        "B3", "a vote for a part of a run counts for all of it", (Patch(Leader, "on_accepted", _a_part_counts_for_all),)
    ),
    Mutant(
        "A4", "votes are one slot off where they are cut", (Patch(engine.core.consensus, "cut_vote", _one_slot_off),)
    ),
    Mutant("B2", "what was found is one slot off where it is cut", (Patch(AcceptedRun, "cut", _entries_one_slot_off),)),
    Mutant(
        "B2",
        "what is in flight is one slot off where it is cut",
        (Patch(engine.core.leading.reign, "cut_flight", _one_slot_off),),
    ),
    Mutant("B1", "a run is one slot off where it is cut", (Patch(Run, "cut", _entries_one_slot_off),)),
    Mutant(
        "D1",
        "a learned run is written in part",
        (Patch(Learner, "learn", _written_in_part(_first_of_what_is_learned)),),
    ),
    Mutant(
        "R2",
        "what was applied is written in part",
        (Patch(Learner, "learn", _written_in_part(_first_of_what_is_applied)),),
    ),
    Mutant("R2", "a run is applied in part", (Patch(Microblog, "apply", _applied_in_part),)),
)
