"""Mutants of the short cut of `last-author` (L2): who may use ballot 0, when, how often, and what it falls back to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import engine.core.leading.one_by_one
import engine.core.synod.acceptor
from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.leading.one_by_one import OneByOne
from engine.core.run import Run
from engine.core.step import Step
from engine.core.storage import NO_VOTE, EventRun, EventState, Vote
from engine.core.synod.acceptor import Acceptor, Barred
from engine.core.synod.phases import Accepting
from engine.core.synod.proposer import Attempt, Proposer
from engine.sim.mutants.mutant import Mutant, Patch


def _again(_: Any) -> Any:
    return lambda site, before, _vote: before is not None and before.author == site


def _below_the_own_promise(_: Any) -> Any:
    def may_skip(site: SiteId, before: Entry | None, vote: Vote) -> bool:
        return before is not None and before.author == site and vote.accepted is None

    return may_skip


def _after_anybody(_: Any) -> Any:
    return lambda _site, before, _vote: before is not None


def _after_a_noop(original: Any) -> Any:
    def may_skip(site: SiteId, before: Entry | None, vote: Vote) -> bool:
        return bool(original(site, before, vote)) or (before == NOOP and vote == NO_VOTE)

    return may_skip


def _after_what_is_not_learned(original: Any) -> Any:
    def push(self: OneByOne, step: Step) -> None:
        """Does not wait for the slot at which the event before is in doubt: the next one follows at ballot 0."""
        original(self, step)
        doubtful = _in_doubt(self) if self._parts.scanner.ready else None
        if doubtful is not None and doubtful.slot == self._parts.consensus.learner.used_max:
            _zero_at(self, step, Slot(doubtful.slot + 1), doubtful.first)

    return push


def _in_the_place_of_what_is_in_doubt(original: Any) -> Any:
    def push(self: OneByOne, step: Step) -> None:
        """The next event takes the slot at which the one before it is in doubt, at ballot 0 again, and at once."""
        original(self, step)
        doubtful = _in_doubt(self)
        if doubtful is not None and doubtful.slot is not None:
            self._parts.consensus.proposer.end(step, doubtful.slot, doubtful.slot, "")
            _zero_at(self, step, doubtful.slot, self._parts.last_in_effect)

    return push


def _in_doubt(policy: OneByOne) -> EventRun | None:
    """The event whose outcome is unknown, where another one waits for it."""
    sessions = policy._parts.sessions
    first = next(iter(sessions._placed), None)
    waits = policy._skips and not sessions.aims and sessions._queue
    return first.value.events if first and first.value.events.state is EventState.UNKNOWN and waits else None


def _zero_at(policy: OneByOne, step: Step, slot: Slot, follows: int) -> None:
    sessions = policy._parts.sessions
    next_one = next(next(iter(sessions._queue)).value.ones())
    sessions._aims[slot] = next_one.events.first
    policy._parts.consensus.proposer.start_at_zero(step, Run(slot, tuple(sessions._entries(next_one.events, follows))))


def _all_of_a_lot(original: Any) -> Any:
    def may_skip(self: OneByOne, lot: Run) -> bool:
        return bool(original(self, lot.cut(lot.first, lot.first)))

    return may_skip


def _only_in_memory(original: Any) -> Any:
    def keep(self: Acceptor, step: Step, first: Slot, last: Slot, after: Vote) -> None:
        if after.accepted is not None and after.accepted.round == 0:
            self.votes.put(first, last, after)
        else:
            original(self, step, first, last, after)

    return keep


def _taken_below_a_promise(original: Callable[..., Vote | Barred]) -> Any:
    def accept(vote: Vote, ranged: Ballot | None, ballot: Ballot, entries: tuple[Entry, ...]) -> Vote | Barred:
        if ballot.round == 0 and vote.accepted is None:
            return Vote(ballot, ballot, entries)
        return original(vote, ranged, ballot, entries)

    return accept


def _taken_below_a_range(original: Callable[..., Vote | Barred]) -> Any:
    def accept(vote: Vote, ranged: Ballot | None, ballot: Ballot, entries: tuple[Entry, ...]) -> Vote | Barred:
        return original(vote, ranged if ballot.round else None, ballot, entries)

    return accept


def _falls_back_to_round_0(_: Any) -> Any:
    def fall_back(self: Proposer, step: Step, attempt: Attempt, _because: str) -> None:
        self._ask(step, attempt, Ballot(Round(0), self._settings.site))

    return fall_back


def _falls_back_without_a_prepare(_: Any) -> Any:
    def fall_back(self: Proposer, step: Step, attempt: Attempt, _because: str) -> None:
        self._accept(step, attempt, Accepting(self._rounds.take(step), attempt.own.entries))

    return fall_back


def _falls_back_to_another_entry(_: Any) -> Any:
    def fall_back(self: Proposer, step: Step, attempt: Attempt, _because: str) -> None:
        self._accept(
            step, attempt, Accepting(Ballot(Round(0), self._settings.site), (NOOP,) * len(attempt.own.entries))
        )

    return fall_back


_skipping = (engine.core.leading.one_by_one, "may_skip_prepare")
_accepting = (engine.core.synod.acceptor, "accept")
_falling_back = (Proposer, "_fall_back")

MUTANTS: Final = (
    Mutant("L2", "uses ballot 0 at a slot it has voted in", (Patch(*_skipping, _again),)),
    Mutant("L2", "uses ballot 0 at a slot it has promised", (Patch(*_skipping, _below_the_own_promise),)),
    Mutant("L2", "uses ballot 0 after anybody's entry", (Patch(*_skipping, _after_anybody),)),
    Mutant("L2", "uses ballot 0 after a no-op", (Patch(*_skipping, _after_a_noop),)),
    Mutant("L2", "uses ballot 0 after its own unlearned entry", (Patch(OneByOne, "push", _after_what_is_not_learned),)),
    Mutant(
        "L2",
        "uses ballot 0 again, for the next event",
        (Patch(OneByOne, "push", _in_the_place_of_what_is_in_doubt),),
    ),
    Mutant("L2", "uses ballot 0 for all of a lot", (Patch(OneByOne, "_may_skip_prepare", _all_of_a_lot),)),
    Mutant("L2", "ballot 0 is not durable before it leaves", (Patch(Acceptor, "_keep", _only_in_memory),)),
    Mutant("L2", "takes ballot 0 below a promise", (Patch(*_accepting, _taken_below_a_promise),)),
    Mutant("L2", "takes ballot 0 below a range promise", (Patch(*_accepting, _taken_below_a_range),)),
    Mutant("L2", "falls back to round 0", (Patch(*_falling_back, _falls_back_to_round_0),)),
    Mutant("L2", "falls back without a prepare", (Patch(*_falling_back, _falls_back_without_a_prepare),)),
    Mutant("L2", "falls back to another entry at ballot 0", (Patch(*_falling_back, _falls_back_to_another_entry),)),
)
