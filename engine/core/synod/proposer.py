"""The proposer: full synods, of one slot or of several that are begun together.

Rules that hold here:
- B1: every attempt takes a new round from one durable counter, written before its prepare leaves; never resumed.
- B2, B3: what a ballot may carry, and whose answers count for it, is not decided here (`engine.core.synod.phases`).
- B4: after a defeat it waits a freshly drawn random time that grows with each defeat, at most BACKOFF_MAX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from engine.core.effects import SawAttempt
from engine.core.entry import Entry, kind_of
from engine.core.ids import NEVER, Ballot, Round, SiteId, Slot, Tick, named
from engine.core.log.members import Members
from engine.core.log.pages import run_pages
from engine.core.messages import Accept, Accepted, Prepare, Promise, Refused, RefusedSpan
from engine.core.run import Run
from engine.core.settings import BACKOFF_MAX, ROUND_LEAP_MAX, Settings
from engine.core.spans import Part, Spans
from engine.core.step import Step
from engine.core.storage import WriteRound
from engine.core.synod import phases
from engine.core.synod.phases import Accepting, Preparing, whose, why_adopted
from engine.core.value import Value
from engine.core.views import AttemptPhase, AttemptView

BACKOFF_FIRST: Final = Tick(20)
RESEND_MAX: Final = Tick(2_000)


class Waiting(Value):
    """Between two ballots (B4)."""

    until: Tick


class Rounds:
    """B1: the one counter that all ballots of this store come from; what others used is only a hint to jump above.

    A hint that is absurdly far is not followed: rounds would be used up for good (R6).
    """

    def __init__(self, site: SiteId, used: Round) -> None:
        self._site = site
        self._used = used
        self.seen = used

    def saw(self, ballot: Ballot | None) -> None:
        if ballot is not None and self.seen < ballot.round <= self.seen + ROUND_LEAP_MAX:
            self.seen = ballot.round

    def take(self, step: Step) -> Ballot:
        self._used = self.seen = Round(max(self._used, self.seen) + 1)
        step.write(WriteRound(self._used))
        return Ballot(self._used, self._site)


@dataclass(slots=True)
class Attempt:
    """The synods of slots that stand alike, over several ballots. `own` is proposed where nothing else must be."""

    own: Run
    since: Tick
    phase: Preparing | Accepting | Waiting
    resend_at: Tick
    resend_every: Tick
    resends: int = 0
    defeats: int = 0
    why: str = ""
    refusals: dict[SiteId, Ballot] = field(default_factory=dict)  # who refused, and the promise in the way

    @property
    def accepting(self) -> AttemptPhase:
        """How it is told that it accepts: its own entry, or another's."""
        adopts = isinstance(self.phase, Accepting) and self.phase.entries != self.own.entries
        return AttemptPhase.ADOPTING if adopts else AttemptPhase.ACCEPTING

    @property
    def at_zero(self) -> bool:
        """It skipped the prepare (L2)."""
        return isinstance(self.phase, Accepting) and self.phase.ballot.round == 0


def _cut_attempt(attempt: Attempt, skip: int, count: int) -> Attempt:
    first = Slot(attempt.own.first + skip)
    last = Slot(first + count - 1)
    phase = attempt.phase
    match phase:
        case Preparing(ballot, by, found):
            within = [each for each in found if each.accepted.first <= last and each.accepted.last >= first]
            cut = [each.cut(max(first, each.accepted.first), min(last, each.accepted.last)) for each in within]
            phase = Preparing(ballot, by, tuple(cut))
        case Accepting(ballot, entries, by):
            phase = Accepting(ballot, entries[skip : skip + count], by)
        case Waiting():
            pass
    return replace(attempt, own=attempt.own.cut(first, last), phase=phase, refusals=dict(attempt.refusals))


class Proposer:
    """All attempts of this site, one a slot at most. What is begun together shares its ballots until its slots come to
    different ends.

    `on_accepting(step, run)` is called in the step that first sends an accept of `run`, before it leaves;
    `on_chosen(step, first, accepting)` when a majority accepted.
    """

    def __init__(
        self,
        settings: Settings,
        members: Members,
        rounds: Rounds,
        random: Random,
        *,
        on_accepting: Callable[[Step, Run], None],
        on_chosen: Callable[[Step, Slot, Accepting], None],
    ) -> None:
        self._settings = settings
        self._members = members
        self._rounds = rounds
        self._random = random
        self._on_accepting = on_accepting
        self._on_chosen = on_chosen
        self._attempts: Spans[Attempt] = Spans(_cut_attempt)

    def attempt(self, slot: Slot) -> Attempt | None:
        """The one that this slot is part of."""
        part = self._attempts.at(slot)
        return None if part is None else part.value

    def attempted(self, first: Slot, last: Slot | None) -> list[tuple[Slot, Slot]]:
        """Where in these slots (None: and all after) it has attempts, ascending."""
        return [(part.first, part.last) for part in self._attempts.over(first, last)]

    def start(self, step: Step, own: Run) -> None:
        """Begins an attempt at slots that have none; one for each list that votes on them (M2)."""
        for part in self._members.cut(own):
            self._prepare(step, self._begin(step, part))

    def start_at_zero(self, step: Step, own: Run) -> None:
        """L2: begins with accept at ballot 0, without a prepare; the caller knows that this site may, and only once."""
        attempt = self._begin(step, own)
        attempt.why = "wrote the slot before: accept at ballot 0, without a prepare (L2)"
        self._accept(step, attempt, Accepting(Ballot(Round(0), self._settings.site), own.entries))

    def end(self, step: Step, first: Slot, last: Slot | None, why: str) -> None:
        """Stops pushing at these slots (None: all after too): they are learned, or the purpose is gone. What was sent
        stays sent."""
        for part in self._attempts.over(first, last):
            self._attempts.remove(part.first, part.last)
            step.tell(SawAttempt(part.first, AttemptPhase.ENDED, None, why, last=part.last))

    def on_promise(self, step: Step, sender: SiteId, message: Promise) -> None:
        """A promise of the slots of an attempt, or of as many of the first ones as it had room for (A4)."""
        if message.last is None:
            return  # of a range ballot that this site does not lead with any more
        for out in message.left_out:
            self._refused(step, sender, message.ballot, Preparing, out)
        for span in _covered(message, message.last):
            for part in self._attempts.over(*span):
                phase = part.value.phase
                if isinstance(phase, Preparing):
                    self._promised(step, sender, message, part, phase)
        self._ask_on(step, sender, message.ballot, Slot(message.last + 1))

    def on_accepted(self, step: Step, sender: SiteId, message: Accepted) -> None:
        for span in message.spans:
            for first, last, attempt in self._attempts.over(*span):
                if not isinstance(attempt.phase, Accepting):
                    continue
                attempt.phase = phase = phases.accepted(attempt.phase, sender, message.ballot)
                if phases.is_chosen(phase, self._members.at(first).quorum):
                    self._attempts.remove(first, last)
                    self._on_chosen(step, first, phase)
                else:
                    self._attempts.put(first, last, attempt)

    def on_refused(self, step: Step, sender: SiteId, message: Refused) -> None:
        """A5: remembers who refused and why; the attempt is defeated when no majority is left for its ballot."""
        for span in message.spans:
            self._refused(step, sender, message.ballot, Preparing if message.phase == "prepare" else Accepting, span)

    def tick(self, step: Step) -> None:
        for part in list(self._attempts):
            attempt = part.value
            if isinstance(attempt.phase, Waiting):
                if step.now >= attempt.phase.until:
                    self._prepare(step, attempt)
            elif step.now >= attempt.resend_at:
                self._resend(step, attempt)

    def deadline(self) -> Tick:
        due = NEVER
        if not self._attempts.slots_count:
            return due
        for _, _, attempt in self._attempts:
            at = attempt.phase.until if isinstance(attempt.phase, Waiting) else attempt.resend_at
            due = min(due, at)
        return due

    def view(self, slot: Slot) -> AttemptView | None:
        attempt = self._attempts.get(slot)
        if attempt is None:
            return None
        roster = self._members.at(slot)
        sites, needed = roster.sites, roster.quorum
        ballot: Ballot | None = None
        votes: frozenset[SiteId] = frozenset()
        entry, why = attempt.own.entries[0], attempt.why
        match attempt.phase:
            case Preparing(ballot, votes, found):
                phase = AttemptPhase.PREPARING
                if found:
                    entry = found[0].accepted.entries[0]
                    reported = f"{whose(entry)}, accepted by {found[0].at} at {found[0].accepted.ballot}"
                    why = f"asks for promises of {ballot}; so far they report {reported}"
            case Accepting(ballot, entries, votes):
                phase, entry = attempt.accepting, entries[0]
            case Waiting():
                phase = AttemptPhase.WAITING
        return AttemptView(slot, phase, ballot, tuple(sorted(votes)), sites, needed, entry, why, attempt.since)

    def _begin(self, step: Step, own: Run) -> Attempt:
        assert not self._attempts.over(own.first, own.last), f"two attempts at slot {own.first} (B1)"
        attempt = Attempt(own, step.now, Waiting(step.now), step.now, self._settings.timings.retransmit)
        self._attempts.put(own.first, own.last, attempt)
        return attempt

    def _enter(self, step: Step, attempt: Attempt, phase: Preparing | Accepting) -> None:
        attempt.phase = phase
        attempt.refusals.clear()
        attempt.resends = 0
        attempt.resend_every = self._settings.timings.retransmit
        attempt.resend_at = Tick(step.now + attempt.resend_every)

    def _prepare(self, step: Step, attempt: Attempt) -> None:
        ballot = self._rounds.take(step)
        attempt.why = f"asks for promises of {ballot}, to propose {_wanted(attempt.own)}"
        self._tell(step, attempt, AttemptPhase.PREPARING, ballot)
        self._ask(step, attempt, ballot)

    def _ask(self, step: Step, attempt: Attempt, ballot: Ballot) -> None:
        self._enter(step, attempt, Preparing(ballot))
        step.cast(self._voters(attempt), Prepare(ballot, attempt.own.first, attempt.own.last))

    def _promised(self, step: Step, sender: SiteId, message: Promise, part: Part[Attempt], before: Preparing) -> None:
        attempt = part.value
        within = [run for run in message.accepted if run.first <= part.last and run.last >= part.first]
        reported = [run.cut(max(run.first, part.first), min(run.last, part.last)) for run in within]
        phase = phases.promised(before, sender, message.ballot, reported)
        if phase is before:
            return
        attempt.phase = phase
        self._attempts.put(*part)
        for run in reported:
            self._rounds.saw(run.ballot)
        attempt.refusals.pop(sender, None)
        proposal = phases.to_propose(phase, attempt.own, self._members.at(part.first).quorum)
        if proposal is not None:
            attempt.why = _why(phase, attempt.own, proposal.entries)
            self._accept(step, attempt, proposal)

    def _ask_on(self, step: Step, sender: SiteId, ballot: Ballot, first: Slot) -> None:
        """A4: what a promise had no room for, it does not cover."""
        rest = self._attempts.at(first)
        phase = None if rest is None else rest.value.phase
        if (
            rest is not None
            and isinstance(phase, Preparing)
            and phase.ballot == ballot
            and sender not in phase.promised
        ):
            step.send(sender, Prepare(ballot, first, rest.last))

    def _accept(self, step: Step, attempt: Attempt, phase: Accepting) -> None:
        self._enter(step, attempt, phase)
        self._tell(step, attempt, attempt.accepting, phase.ballot)
        self._on_accepting(step, Run(attempt.own.first, phase.entries))
        self._say(step, self._voters(attempt), attempt, phase)

    def _voters(self, attempt: Attempt) -> tuple[SiteId, ...]:
        """M2: those of its slots, which are of one list."""
        return self._members.at(attempt.own.first).sites

    def _say(self, step: Step, sites: Iterable[SiteId], attempt: Attempt, phase: Accepting) -> None:
        for page in run_pages((Run(attempt.own.first, phase.entries),), self._settings.page_bytes):
            step.cast(sites, Accept(phase.ballot, page))

    def _refused(
        self, step: Step, sender: SiteId, ballot: Ballot, asked: type[Preparing | Accepting], span: RefusedSpan
    ) -> None:
        self._rounds.saw(span.ballot)
        if span.ballot is None:
            return  # a site that does not vote, or is far behind, is no rival: it is missing
        for first, last, attempt in self._attempts.over(span.first, span.last):
            if not isinstance(attempt.phase, asked) or attempt.phase.ballot != ballot:
                continue
            self._attempts.put(first, last, attempt)
            attempt.refusals[sender] = span.ballot
            if attempt.at_zero:
                self._fall_back(step, attempt, f"{sender} refused ballot 0, it promised {span.ballot}")
                continue
            roster = self._members.at(first)
            if len(roster.sites) - len(attempt.refusals) < roster.quorum:
                self._defeat(step, attempt)

    def _resend(self, step: Step, attempt: Attempt) -> None:
        """Asks again those who have not answered; a ballot that somebody refused and that stays short is given up."""
        if attempt.at_zero:
            self._fall_back(step, attempt, "no majority accepted ballot 0")
            return
        if attempt.refusals:
            self._defeat(step, attempt)
            return
        attempt.resends += 1
        attempt.resend_every = Tick(min(RESEND_MAX, attempt.resend_every * 2))
        attempt.resend_at = Tick(step.now + attempt.resend_every)
        match attempt.phase:
            case Preparing(ballot, voters):
                missing = [site for site in self._voters(attempt) if site not in voters]
                step.cast(missing, Prepare(ballot, attempt.own.first, attempt.own.last))
            case Accepting(accepted=voters) as phase:
                missing = [site for site in self._voters(attempt) if site not in voters]
                self._say(step, missing, attempt, phase)
            case Waiting():
                pass

    def _fall_back(self, step: Step, attempt: Attempt, because: str) -> None:
        """L2: ballot 0 did not do; the same entries go on by the full synod."""
        ballot = self._rounds.take(step)
        attempt.why = f"{because}: continues with {ballot}"
        self._tell(step, attempt, AttemptPhase.FALLBACK, ballot)
        self._ask(step, attempt, ballot)

    def _defeat(self, step: Step, attempt: Attempt) -> None:
        highest = max(attempt.refusals.values())
        refusing = named(site for site, ballot in attempt.refusals.items() if ballot == highest)
        attempt.defeats += 1
        longest = min(BACKOFF_MAX, BACKOFF_FIRST * 2**attempt.defeats)
        until = Tick(step.now + self._random.randint(1, longest))
        attempt.phase = Waiting(until)
        attempt.refusals.clear()
        attempt.why = f"refused: {refusing} promised {highest}; waits {until - step.now} ms before a higher ballot"
        self._tell(step, attempt, AttemptPhase.WAITING, None, until)

    def _tell(
        self, step: Step, attempt: Attempt, phase: AttemptPhase, ballot: Ballot | None, until: Tick | None = None
    ) -> None:
        step.tell(SawAttempt(attempt.own.first, phase, ballot, attempt.why, until, last=attempt.own.last))


def _covered(promise: Promise, last: Slot) -> Iterator[tuple[Slot, Slot]]:
    """What a promise up to `last` covers: all but what it leaves out."""
    due = promise.first
    for out in sorted(promise.left_out, key=lambda out: out.first):
        if due < out.first:
            yield due, Slot(out.first - 1)
        due = max(due, Slot((last if out.last is None else out.last) + 1))
    if due <= last:
        yield due, last


def _why(phase: Preparing, own: Run, entries: tuple[Entry, ...]) -> str:
    """Why this is proposed (B2), in one sentence; of several slots, why at the first where it is not its own."""
    if not phase.found:
        return f"a majority promised {phase.ballot} and had accepted nothing: proposes {_named(own)}"
    found = phase.found[0]
    if entries == own.entries:
        what = "its own entry" if own.entries[0].author else "the no-op"
        return f"proposes {what} again: {found.at} had accepted it at {found.accepted.ballot}"
    return why_adopted(found)


def _named(own: Run) -> str:
    first = own.entries[0]
    if first.author is None:
        return "a no-op"
    return f"its own {kind_of(first)}" if len(own.entries) == 1 else f"{len(own.entries)} entries of its own"


def _wanted(own: Run) -> str:
    """What an attempt is for: what is proposed in the end, the promises say (B2)."""
    return f"{_named(own)} unless they report an entry" if own.entries[0].author is None else _named(own)
