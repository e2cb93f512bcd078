"""Mutants of the proposer: its rounds (B1), what it proposes (B2, R3), what it counts (B3), how it waits (B4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec.structs import replace

import engine.core.synod.acceptor
import engine.core.synod.phases
from engine.core.effects import SawAttempt
from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Round, SiteId, Tick
from engine.core.messages import Cause
from engine.core.run import AcceptedRun, Run
from engine.core.step import Step
from engine.core.storage import Vote
from engine.core.synod.acceptor import Barred
from engine.core.synod.phases import Accepting, Found, Preparing
from engine.core.synod.proposer import Attempt, Proposer, Rounds, Waiting
from engine.sim.mutants.mutant import Mutant, Patch


def _rounds_in_memory(_: Any) -> Any:
    def take(self: Any, _step: Step) -> Ballot:
        self._used = self.seen = Round(max(self._used, self.seen) + 1)
        return Ballot(self._used, self._site)

    return take


def _rounds_from_0(original: Any) -> Any:
    def begin(self: Rounds, site: SiteId, _used: Round) -> None:
        original(self, site, Round(0))

    return begin


def _no_hint(_: Any) -> Any:
    return lambda _self, _ballot: None


def _unnoticed(original: Callable[..., Vote | Barred]) -> Any:
    def accept(vote: Vote, ranged: Ballot | None, ballot: Ballot, entries: tuple[Entry, ...]) -> Vote | Barred:
        """An acceptor that finds another entry at a ballot would stop, and show it."""
        if vote.accepted == ballot and vote.entries != entries:
            return Barred(vote.promised or ballot, Cause.SLOT)
        return original(vote, ranged, ballot, entries)

    return accept


def _own_entry(_: Any) -> Any:
    def to_propose(phase: Preparing, own: Run, quorum: int) -> Accepting | None:
        return None if len(phase.promised) < quorum else Accepting(phase.ballot, own.entries)

    return to_propose


def _noop_over_accepted(original: Any) -> Any:
    def to_propose(phase: Preparing, own: Run, quorum: int) -> Accepting | None:
        proposal: Accepting | None = original(phase, own, quorum)
        return proposal if proposal is None or NOOP not in own.entries else replace(proposal, entries=own.entries)

    return to_propose


def _too_few_promises(original: Any) -> Any:
    return lambda phase, own, quorum: original(phase, own, quorum - 1 or 1)


def _too_few_votes(original: Any) -> Any:
    return lambda phase, quorum: original(phase, quorum - 1 or 1)


def _first_found(original: Callable[..., Preparing]) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, reported: Sequence[AcceptedRun]) -> Preparing:
        return original(phase, site, ballot, () if phase.found else reported)

    return promised


def _lowest_found(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, reported: Sequence[AcceptedRun]) -> Preparing:
        after: Preparing = original(phase, site, ballot, reported)
        if not phase.found or not reported or min(reported, key=_ballot).ballot > phase.found[0].accepted.ballot:
            return replace(after, found=phase.found or after.found)
        return replace(after, found=tuple(Found(run, site) for run in reported))

    return promised


def _ballot(reported: AcceptedRun) -> Ballot:
    return reported.ballot


def _zero_is_none(original: Callable[..., Preparing]) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, reported: Sequence[AcceptedRun]) -> Preparing:
        return original(phase, site, ballot, [run for run in reported if run.ballot.round])

    return promised


def _promise_of_any_ballot(original: Any) -> Any:
    return lambda phase, site, _ballot, reported: original(phase, site, phase.ballot, reported)


def _vote_of_any_ballot(original: Any) -> Any:
    return lambda phase, site, _ballot: original(phase, site, phase.ballot)


def _vote_twice(original: Any) -> Any:
    def accepted(phase: Accepting, site: SiteId, ballot: Ballot) -> Accepting:
        after: Accepting = original(phase, site, ballot)
        return replace(after, accepted=after.accepted | {SiteId(f"{site}'")}) if site in phase.accepted else after

    return accepted


def _waits(for_ms: int) -> Callable[[Any], Any]:
    def broken(original: Any) -> Any:
        def defeat(self: Proposer, step: Step, attempt: Attempt) -> None:
            original(self, step, attempt)
            waiting = step.effects.observations.pop()
            assert isinstance(waiting, SawAttempt)
            until = Tick(step.now + for_ms)
            attempt.phase = Waiting(until)
            step.tell(replace(waiting, until=until))

        return defeat

    return broken


def _promise_twice(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, reported: Sequence[AcceptedRun]) -> Preparing:
        after: Preparing = original(phase, site, ballot, reported)
        repeats = site in phase.promised and ballot == phase.ballot
        return replace(after, promised=after.promised | {SiteId(f"{site}'")}) if repeats else after

    return promised


_phases = engine.core.synod.phases

MUTANTS: Final = (
    Mutant("B1", "rounds are not durable before they are used", (Patch(Rounds, "take", _rounds_in_memory),)),
    Mutant("B1", "rounds begin anew at a start", (Patch(Rounds, "__init__", _rounds_from_0),)),
    Mutant("B2", "proposes its own entry whatever was found", (Patch(_phases, "to_propose", _own_entry),)),
    Mutant("B2", "proposes what was found first", (Patch(_phases, "promised", _first_found),)),
    Mutant("B2", "proposes what was found at the lowest ballot", (Patch(_phases, "promised", _lowest_found),)),
    Mutant("B2", "takes ballot 0 for nothing", (Patch(_phases, "promised", _zero_is_none),)),
    Mutant("B2", "one promise short of a majority is enough", (Patch(_phases, "to_propose", _too_few_promises),)),
    Mutant("B3", "counts a promise twice", (Patch(_phases, "promised", _promise_twice),)),
    Mutant("B3", "counts promises of other ballots", (Patch(_phases, "promised", _promise_of_any_ballot),)),
    Mutant("B3", "counts a vote twice", (Patch(_phases, "accepted", _vote_twice),)),
    Mutant("B3", "counts votes of other ballots", (Patch(_phases, "accepted", _vote_of_any_ballot),)),
    Mutant("B3", "one vote short of a majority is enough", (Patch(_phases, "is_chosen", _too_few_votes),)),
    Mutant("B4", "tries again at once after a defeat", (Patch(Proposer, "_defeat", _waits(0)),)),
    Mutant("B4", "waits ten minutes after a defeat", (Patch(Proposer, "_defeat", _waits(600_000)),)),
    Mutant("R3", "fills with a no-op what was accepted", (Patch(_phases, "to_propose", _noop_over_accepted),)),
)

RARE: Final = (
    Mutant(
        "B1",
        "begins its rounds anew at a start, and nobody notices",
        (
            Patch(Rounds, "__init__", _rounds_from_0),
            Patch(Rounds, "saw", _no_hint),
            Patch(engine.core.synod.acceptor, "accept", _unnoticed),
        ),
    ),
)
