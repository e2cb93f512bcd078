"""Deliberate breakages of the rules: is the net tight?

Rules that hold here:
- A mutant replaces one named function of the core, for as long as it is in force, by a variant that breaks one rule.
  Nothing outside of the simulator imports this; production has no seam for it but the names of its functions.
- A mutant is caught when a run of the swarm raises: a violation of the truth, or an assertion of the core itself. One
  that is not caught within CPU_S_MAX means a missing check: the check is added, the mutant stays.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import engine.core.acceptor
import engine.core.leader
import engine.core.one_by_one
import engine.core.proposer
import engine.core.replica
from engine.core.acceptor import Acceptor, Barred
from engine.core.entry import NOOP, Entry
from engine.core.filler import Filler
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.leader import Campaign, Leader
from engine.core.learner import Learner
from engine.core.lives import Lives
from engine.core.messages import AcceptedSlot, AskHighest, Highest
from engine.core.microblog import Applied, Microblog
from engine.core.proposer import Accepting, Preparing, Rounds
from engine.core.sessions import Sessions, _Event
from engine.core.step import Step
from engine.core.storage import EventRow, EventState, Vote, WriteVote
from engine.datagram import Rejected
from engine.sim.run import Run
from engine.sim.swarm import draw
from engine.sim.violation import Violated

CPU_S_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """`broken` stands in the place of `owner.name`; it is made of what stood there."""

    rule: str
    what: str
    owner: Any
    name: str
    broken: Callable[[Any], Any]

    @contextmanager
    def in_force(self) -> Iterator[None]:
        original = self.owner.__dict__[self.name]
        setattr(self.owner, self.name, self.broken(original))
        try:
            yield
        finally:
            setattr(self.owner, self.name, original)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by`: the check that caught the mutant, None: it survived. `cpu_s` of one core, over `seeds` runs."""

    mutant: Mutant
    by: str | None
    seeds: int
    cpu_s: float

    @property
    def line(self) -> str:
        caught = "SURVIVED" if self.by is None else f"caught by {self.by}"
        return f"{self.mutant.rule:<4} {self.mutant.what:<62} {self.cpu_s:6.1f} s {self.seeds:>5} runs  {caught}"


def hunt(mutant: Mutant, cpu_s_max: float = CPU_S_MAX) -> Verdict:
    """Runs seed after seed with the mutant in force until something catches it."""
    began = time.process_time()
    with mutant.in_force():
        for seed in count():
            by = _caught(seed)
            cpu_s = time.process_time() - began
            if by is not None or cpu_s >= cpu_s_max:
                return Verdict(mutant, by, seed + 1, cpu_s)
    raise AssertionError("seeds do not end")


def _caught(seed: int) -> str | None:
    try:
        Run(draw(seed)).complete()
    except Violated as violated:
        return violated.violation.rule
    except Rejected:
        return "W2 (its peers reject what it says)"
    except (AssertionError, ValueError, KeyError, IndexError) as error:
        return f"an assertion of the core ({type(error).__name__})"
    return None


# The broken variants


def _promise_anything(_: Any) -> Any:
    def prepare(vote: Vote, _ranged: Ballot | None, ballot: Ballot) -> Vote | Barred:
        return replace(vote, promised=ballot)

    return prepare


def _accept_anything(_: Any) -> Any:
    def accept(_vote: Vote, _ranged: Ballot | None, ballot: Ballot, entry: Entry) -> Vote | Barred:
        return Vote(ballot, ballot, entry)

    return accept


def _accept_without_raising(original: Any) -> Any:
    def accept(vote: Vote, ranged: Ballot | None, ballot: Ballot, entry: Entry) -> Vote | Barred:
        after = original(vote, ranged, ballot, entry)
        return after if isinstance(after, Barred) else replace(after, promised=vote.promised)

    return accept


def _report_the_promise(_: Any) -> Any:
    def report(slot: Slot, vote: Vote) -> tuple[AcceptedSlot, ...]:
        return () if vote.promised is None or vote.entry is None else (AcceptedSlot(slot, vote.promised, vote.entry),)

    return report


def _report_nothing(_: Any) -> Any:
    return lambda _slot, _vote: ()


def _forget_votes(_: Any) -> Any:
    def keep(_self: Acceptor, step: Step, slot: Slot, before: Vote, after: Vote) -> None:
        if after is not before:
            step.write(WriteVote(slot, after))

    return keep


def _promise_in_memory(_: Any) -> Any:
    def keep(self: Acceptor, step: Step, slot: Slot, before: Vote, after: Vote) -> None:
        self.votes[slot] = after
        if after.accepted != before.accepted:
            step.write(WriteVote(slot, after))

    return keep


def _accept_in_memory(_: Any) -> Any:
    def keep(self: Acceptor, step: Step, slot: Slot, before: Vote, after: Vote) -> None:
        self.votes[slot] = after
        if after.accepted == before.accepted and after is not before:
            step.write(WriteVote(slot, after))

    return keep


def _rounds_in_memory(_: Any) -> Any:
    def take(self: Any, _step: Step) -> Ballot:
        self._used = self.seen = Round(max(self._used, self.seen) + 1)
        return Ballot(self._used, self._site)

    return take


def _rounds_from_0(original: Any) -> Any:
    def begin(self: Rounds, site: SiteId, _used: Round) -> None:
        original(self, site, Round(0))

    return begin


def _own_entry(_: Any) -> Any:
    def to_propose(phase: Preparing, own: Entry, quorum: int) -> Accepting | None:
        return None if len(phase.promised) < quorum else Accepting(phase.ballot, own)

    return to_propose


def _noop_over_accepted(original: Any) -> Any:
    def to_propose(phase: Preparing, own: Entry, quorum: int) -> Accepting | None:
        proposal: Accepting | None = original(phase, own, quorum)
        return proposal if proposal is None or own != NOOP else replace(proposal, entry=NOOP)

    return to_propose


def _too_few_promises(original: Any) -> Any:
    return lambda phase, own, quorum: original(phase, own, quorum - 1 or 1)


def _too_few_votes(original: Any) -> Any:
    return lambda phase, quorum: original(phase, quorum - 1 or 1)


def _first_found(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedSlot | None) -> Preparing:
        return original(phase, site, ballot, found if phase.found is None else None)  # type: ignore[no-any-return]

    return promised


def _lowest_found(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedSlot | None) -> Preparing:
        after: Preparing = original(phase, site, ballot, found)
        if phase.found is not None and found is not None and found.ballot < phase.found.ballot:
            return replace(after, found=found, found_at=site)
        return replace(after, found=phase.found, found_at=phase.found_at) if phase.found is not None else after

    return promised


def _zero_is_none(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedSlot | None) -> Preparing:
        seen = found if found is not None and found.ballot.round else None
        return original(phase, site, ballot, seen)  # type: ignore[no-any-return]

    return promised


def _promise_of_any_ballot(original: Any) -> Any:
    return lambda phase, site, _ballot, found: original(phase, site, phase.ballot, found)


def _vote_of_any_ballot(original: Any) -> Any:
    return lambda phase, site, _ballot: original(phase, site, phase.ballot)


def _vote_twice(original: Any) -> Any:
    def accepted(phase: Accepting, site: SiteId, ballot: Ballot) -> Accepting:
        after: Accepting = original(phase, site, ballot)
        return replace(after, accepted=after.accepted | {SiteId(f"{site}'")})

    return accepted


def _promise_twice(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedSlot | None) -> Preparing:
        after: Preparing = original(phase, site, ballot, found)
        return replace(after, promised=after.promised | {SiteId(f"{site}'")})

    return promised


def _zero_again(_: Any) -> Any:
    return lambda site, before, _vote: before is not None and before.author == site


def _zero_after_anybody(_: Any) -> Any:
    return lambda _site, before, _vote: before is not None


def _never_void(original: Any) -> Any:
    def apply(self: Microblog, slot: Slot, entry: Entry) -> Applied:
        if entry.author is not None:
            last = self.last_in_effect(entry.author)
            entry = replace(entry, follows=last, number=max(entry.number, last + 1))
        return original(self, slot, entry)  # type: ignore[no-any-return]

    return apply


def _never_compete(_: Any) -> Any:
    def compete(self: Filler, _step: Step, fill: Any) -> None:
        self._fills.pop(fill.slot, None)

    return compete


def _highest_is_the_prefix(_: Any) -> Any:
    def highest(learner: Learner, message: AskHighest) -> Highest:
        return Highest(message.nonce, learner.prefix, learner.prefix)

    return highest


def _proposed_in_memory(_: Any) -> Any:
    def on_accepting(self: Sessions, _step: Step, slot: Slot, entry: Entry) -> None:
        if slot == self._aim and not self._placed and self._queue and self._queue[0].row is not None:
            event = self._queue.popleft()
            assert event.row is not None
            event.row = replace(event.row, state=EventState.PROPOSED, slot=slot)
            self._placed[entry.number] = self._at[slot] = event

    return on_accepting


def _expired_is_not_created(_: Any) -> Any:
    def doubt(self: Sessions, step: Step, event: _Event, reason: str) -> None:
        assert event.row is not None
        self._settle(step, event, replace(event.row, state=EventState.NOT_CREATED, reason=reason))

    return doubt


def _again_after_a_told_loss(original: Any) -> Any:
    def settle(self: Sessions, step: Step, event: _Event, row: EventRow) -> None:
        original(self, step, event, row)
        if row.state is EventState.LOST:
            event.row = replace(row, state=EventState.QUEUED, slot=None)
            self._queue.appendleft(event)

    return settle


def _last_in_first_out(original: Any) -> Any:
    def number(self: Sessions, step: Step, voting: bool) -> None:
        before = len(self._queue)
        original(self, step, voting)
        if before and len(self._queue) > before:
            self._queue.rotate(1)

    return number


def _created_when_learned(original: Any) -> Any:
    def on_learned(self: Sessions, step: Step, slot: Slot, entry: Entry) -> None:
        original(self, step, slot, entry)
        self.on_applied(step, slot, entry, False)

    return on_learned


def _everybody_votes(_: Any) -> Any:
    return property(lambda _self: True)


def _nobody_remembers(original: Any) -> Any:
    def on_hello(self: Lives, step: Step, packet: Any, message: Any) -> bool:
        self._peers[packet.sender].memory = None
        return original(self, step, packet, message)  # type: ignore[no-any-return]

    return on_hello


def _no_range_promise(_: Any) -> Any:
    return lambda _self, _slot: None


def _forget_the_dead_leaders_flights(original: Any) -> Any:
    def take_over(self: Leader, step: Step, campaign: Campaign) -> None:
        campaign.found.clear()
        original(self, step, campaign)

    return take_over


_acceptor = engine.core.acceptor
_proposer = engine.core.proposer
_leader = engine.core.leader
_replica = engine.core.replica
_one_by_one = engine.core.one_by_one

MUTANTS: Final = (
    Mutant("A1", "promises any ballot", _acceptor, "prepare", _promise_anything),
    Mutant("A2", "accepts any ballot", _acceptor, "accept", _accept_anything),
    Mutant("A2", "accepting does not raise the promise", _acceptor, "accept", _accept_without_raising),
    Mutant("A2", "forgets the votes of unlearned slots", Acceptor, "_keep", _forget_votes),
    Mutant("A3", "range promises are not held", Acceptor, "_ranged", _no_range_promise),
    Mutant("A4", "reports the promised ballot, not the accepted one", _acceptor, "_report", _report_the_promise),
    Mutant("A4", "reports nothing accepted", _acceptor, "_report", _report_nothing),
    Mutant("B1", "rounds are not durable before they are used", Rounds, "take", _rounds_in_memory),
    Mutant("B1", "rounds begin anew at a start", Rounds, "__init__", _rounds_from_0),
    Mutant("B2", "proposes its own entry whatever was found", _proposer, "to_propose", _own_entry),
    Mutant("B2", "proposes what was found first", _proposer, "promised", _first_found),
    Mutant("B2", "proposes what was found at the lowest ballot", _proposer, "promised", _lowest_found),
    Mutant("B2", "takes ballot 0 for nothing", _proposer, "promised", _zero_is_none),
    Mutant("B2", "one promise short of a majority is enough", _proposer, "to_propose", _too_few_promises),
    Mutant("B3", "counts a promise twice", _proposer, "promised", _promise_twice),
    Mutant("B3", "counts promises of other ballots", _proposer, "promised", _promise_of_any_ballot),
    Mutant("B3", "counts a vote twice", _proposer, "accepted", _vote_twice),
    Mutant("B3", "counts votes of other ballots", _proposer, "accepted", _vote_of_any_ballot),
    Mutant("B3", "one vote short of a majority is enough", _proposer, "is_chosen", _too_few_votes),
    Mutant("L2", "uses ballot 0 at a slot it has voted in", _one_by_one, "may_skip_prepare", _zero_again),
    Mutant("L2", "uses ballot 0 after anybody's entry", _one_by_one, "may_skip_prepare", _zero_after_anybody),
    Mutant("L3", "forgets what a dead leader had in flight", Leader, "_take_over", _forget_the_dead_leaders_flights),
    Mutant("R3", "fills with a no-op what was accepted", _proposer, "to_propose", _noop_over_accepted),
    Mutant("R3", "the filler never competes", Filler, "_compete", _never_compete),
    Mutant("R4", "tells its prefix as the highest slot it used", _replica, "highest", _highest_is_the_prefix),
    Mutant("E1", "an event is not durably proposed before it leaves", Sessions, "on_accepting", _proposed_in_memory),
    Mutant("E2", "says not-created of an event that left", Sessions, "_doubt", _expired_is_not_created),
    Mutant("E2", "proposes an event again after its loss was told", Sessions, "_settle", _again_after_a_told_loss),
    Mutant("E3", "the newest event goes first", Sessions, "number", _last_in_first_out),
    Mutant("E4", "says created before the prefix is learned", Sessions, "on_learned", _created_when_learned),
    Mutant("E5", "nothing is ever void", Microblog, "apply", _never_void),
    Mutant("D1", "promises are not durable", Acceptor, "_keep", _promise_in_memory),
    Mutant("D1", "acceptances are not durable", Acceptor, "_keep", _accept_in_memory),
    Mutant("D5", "every store votes at once", Lives, "voting", _everybody_votes),
    Mutant("D5", "nobody remembers a store", Lives, "on_hello", _nobody_remembers),
)  # fmt: skip


def main() -> int:
    """Hunts every mutant, and prints what caught it; 1 where one survived."""
    survivors = 0
    for mutant in MUTANTS:
        verdict = hunt(mutant)
        survivors += verdict.by is None
        print(verdict.line, flush=True)
    print(f"{len(MUTANTS)} mutants, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
