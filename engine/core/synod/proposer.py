"""The proposer: full synods, one attempt a slot.

Rules that hold here:
- B1: every attempt takes a new round from one durable counter, written before its prepare leaves; never resumed.
- B2 (P2c): it proposes the entry of the highest accepted ballot among a majority's promises, its own only where all
  are empty. Ballot 0 counts as accepted: "none" is None, never a falsy ballot.
- B3: votes are sets of sites, for exactly this ballot and slot; a repeat counts once, a late one not at all.
- B4: after a defeat it waits a freshly drawn random time that grows with each defeat, at most BACKOFF_MAX.

`promised`, `to_propose`, `accepted`, `is_chosen` and `told` are the whole truth about one ballot, `may_skip_prepare`
about ballot 0; the class runs attempts over time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from engine.core.effects import SawAttempt
from engine.core.entry import Entry, kind_of
from engine.core.ids import NEVER, Ballot, Round, SiteId, Slot, Tick, named
from engine.core.messages import Accept, Accepted, Chosen, Prepare, Promise, Refused
from engine.core.run import AcceptedRun, run_of
from engine.core.settings import BACKOFF_MAX, ROUND_LEAP_MAX, Settings
from engine.core.step import Step
from engine.core.storage import NO_VOTE, Vote, WriteRound
from engine.core.value import Value
from engine.core.views import AttemptPhase, AttemptView

BACKOFF_FIRST: Final = Tick(20)
RESEND_MAX: Final = Tick(2_000)


class Preparing(Value):
    """Phase 1 of one ballot: who promised, and the highest accepted ballot that any of them reported."""

    ballot: Ballot
    promised: frozenset[SiteId] = frozenset()
    found: AcceptedRun | None = None
    found_at: SiteId | None = None


class Accepting(Value):
    """Phase 2 of one ballot, at one slot or at several that stand alike: the entries that this ballot carries, one a
    slot, and who accepted them."""

    ballot: Ballot
    entries: tuple[Entry, ...]
    accepted: frozenset[SiteId] = frozenset()

    @property
    def entry(self) -> Entry:
        """Of one slot."""
        return self.entries[0]


class Waiting(Value):
    """Between two ballots (B4)."""

    until: Tick


def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedRun | None) -> Preparing:
    """B2, B3: the phase after `site` promised `ballot`, reporting `found` (None: it accepted nothing there). Unchanged
    by what does not count: a repeat, or the promise of another ballot."""
    if ballot != phase.ballot or site in phase.promised:
        return phase
    higher = found is not None and (phase.found is None or found.ballot > phase.found.ballot)
    by = phase.promised | {site}
    return Preparing(ballot, by, found, site) if higher else Preparing(ballot, by, phase.found, phase.found_at)


def to_propose(phase: Preparing, own: Entry, quorum: int) -> Accepting | None:
    """B2: what this ballot may carry once a majority promised; None before."""
    if len(phase.promised) < quorum:
        return None
    return Accepting(phase.ballot, (own,) if phase.found is None else phase.found.entries)


def accepted(phase: Accepting, site: SiteId, ballot: Ballot) -> Accepting:
    """B3: the phase after `site` accepted at `ballot`. Unchanged by a repeat, or where it is another ballot."""
    if ballot != phase.ballot or site in phase.accepted:
        return phase
    return Accepting(ballot, phase.entries, phase.accepted | {site})


def is_chosen(phase: Accepting, quorum: int) -> bool:
    """A majority accepted this ballot: what it carries is chosen, for ever."""
    return len(phase.accepted) >= quorum


def told(peer: SiteId, first: Slot, phase: Accepting) -> Chosen:
    """R0: what a peer is told of a choice: who accepted it has the entries, and needs the ballot alone."""
    last = Slot(first + len(phase.entries) - 1)
    return Chosen(first, last, phase.ballot, () if peer in phase.accepted else phase.entries)


def may_skip_prepare(site: SiteId, before: Entry | None, vote: Vote) -> bool:
    """L2: `site` may send an accept at its ballot 0 where it learned its own entry at the slot before, and has promised
    and accepted nothing at this one. A second accept at ballot 0 might carry another entry; so its own acceptor votes
    in the commit with which the first one leaves, and finds that vote here ever after, over restarts too."""
    return before is not None and before.author == site and vote == NO_VOTE


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
    """One slot's synod over several ballots. `own` is proposed where nothing else must be."""

    slot: Slot
    own: Entry
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
        adopts = isinstance(self.phase, Accepting) and self.phase.entry != self.own
        return AttemptPhase.ADOPTING if adopts else AttemptPhase.ACCEPTING

    @property
    def at_zero(self) -> bool:
        """It skipped the prepare (L2)."""
        return isinstance(self.phase, Accepting) and self.phase.ballot.round == 0


class Proposer:
    """All attempts of this site, one a slot at most.

    `on_accepting(step, slot, entry)` is called in the step that first sends an accept of `entry`, before it leaves;
    `on_chosen(step, slot, accepting)` when a majority accepted.
    """

    def __init__(
        self,
        settings: Settings,
        rounds: Rounds,
        random: Random,
        on_accepting: Callable[[Step, Slot, Entry], None],
        on_chosen: Callable[[Step, Slot, Accepting], None],
    ) -> None:
        self._settings = settings
        self._rounds = rounds
        self._random = random
        self._on_accepting = on_accepting
        self._on_chosen = on_chosen
        self._attempts: dict[Slot, Attempt] = {}

    def attempt(self, slot: Slot) -> Attempt | None:
        return self._attempts.get(slot)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(self._attempts)

    def start(self, step: Step, slot: Slot, own: Entry) -> None:
        """Begins an attempt at a slot that has none."""
        self._prepare(step, self._begin(step, slot, own))

    def start_at_zero(self, step: Step, slot: Slot, own: Entry) -> None:
        """L2: begins with accept at ballot 0, without a prepare; the caller knows that this site may, and only once."""
        attempt = self._begin(step, slot, own)
        attempt.why = "wrote the slot before: accept at ballot 0, without a prepare (L2)"
        self._accept(step, attempt, Accepting(Ballot(Round(0), self._settings.site), (own,)))

    def end(self, step: Step, slot: Slot, why: str) -> None:
        """Stops pushing at this slot: it is learned, or its purpose is gone. What was sent stays sent."""
        if self._attempts.pop(slot, None) is not None:
            step.tell(SawAttempt(slot, AttemptPhase.ENDED, None, why))

    def on_promise(self, step: Step, sender: SiteId, message: Promise) -> None:
        """A promise of one slot. (Promises of ranges belong to a leader's range ballot.)"""
        attempt = self._attempts.get(message.first)
        if attempt is None or not isinstance(attempt.phase, Preparing):
            return
        if message.last != message.first or message.learned or message.left_out:
            return
        found = next((item for item in message.accepted if item.first == item.last == attempt.slot), None)
        phase = promised(attempt.phase, sender, message.ballot, found)
        if phase is attempt.phase:
            return
        attempt.phase = phase
        if found is not None:
            self._rounds.saw(found.ballot)
        attempt.refusals.pop(sender, None)
        proposal = to_propose(attempt.phase, attempt.own, self._settings.quorum)
        if proposal is not None:
            attempt.why = _why(attempt.phase, attempt.own, proposal.entry)
            self._accept(step, attempt, proposal)

    def on_accepted(self, step: Step, sender: SiteId, message: Accepted) -> None:
        for slot in [slot for slot in self._attempts if message.covers(slot, slot)]:
            attempt = self._attempts[slot]
            if not isinstance(attempt.phase, Accepting):
                continue
            attempt.phase = phase = accepted(attempt.phase, sender, message.ballot)
            if is_chosen(phase, self._settings.quorum):
                del self._attempts[slot]
                self._on_chosen(step, slot, phase)

    def on_refused(self, step: Step, sender: SiteId, message: Refused) -> None:
        """A5: remembers who refused and why; the attempt is defeated when no majority is left for its ballot."""
        for span in message.spans:
            self._rounds.saw(span.ballot)
            attempt = self._attempts.get(span.first)  # a synod asks for one slot
            if attempt is None or isinstance(attempt.phase, Waiting) or attempt.phase.ballot != message.ballot:
                continue
            if (message.phase == "prepare") != isinstance(attempt.phase, Preparing):
                continue
            if span.ballot is None:
                continue  # a site that does not vote, or is far behind, is no rival: it is missing
            attempt.refusals[sender] = span.ballot
            if attempt.at_zero:
                self._fall_back(step, attempt, f"{sender} refused ballot 0, it promised {span.ballot}")
            elif len(self._settings.sites) - len(attempt.refusals) < self._settings.quorum:
                self._defeat(step, attempt)

    def tick(self, step: Step) -> None:
        for attempt in list(self._attempts.values()):
            if isinstance(attempt.phase, Waiting):
                if step.now >= attempt.phase.until:
                    self._prepare(step, attempt)
            elif step.now >= attempt.resend_at:
                self._resend(step, attempt)

    def deadline(self) -> Tick:
        due = NEVER
        for attempt in self._attempts.values():
            at = attempt.phase.until if isinstance(attempt.phase, Waiting) else attempt.resend_at
            due = min(due, at)
        return due

    def view(self, slot: Slot) -> AttemptView | None:
        attempt = self._attempts.get(slot)
        if attempt is None:
            return None
        sites, needed = self._settings.sites, self._settings.quorum
        ballot: Ballot | None = None
        votes: frozenset[SiteId] = frozenset()
        entry, why = attempt.own, attempt.why
        match attempt.phase:
            case Preparing(ballot, votes, found, at):
                phase = AttemptPhase.PREPARING
                if found is not None:
                    entry = found.entries[0]
                    whose = f"{_whose(entry)}, accepted by {at} at {found.ballot}"
                    why = f"asks for promises of {ballot}; so far they bring {whose}"
            case Accepting(ballot, entries, votes):
                phase, entry = attempt.accepting, entries[0]
            case Waiting():
                phase = AttemptPhase.WAITING
        return AttemptView(slot, phase, ballot, tuple(sorted(votes)), sites, needed, entry, why, attempt.since)

    def _begin(self, step: Step, slot: Slot, own: Entry) -> Attempt:
        assert slot not in self._attempts, f"two attempts at slot {slot} (B1)"
        attempt = Attempt(slot, own, step.now, Waiting(step.now), step.now, self._settings.timings.retransmit)
        self._attempts[slot] = attempt
        return attempt

    def _enter(self, step: Step, attempt: Attempt, phase: Preparing | Accepting) -> None:
        attempt.phase = phase
        attempt.refusals.clear()
        attempt.resends = 0
        attempt.resend_every = self._settings.timings.retransmit
        attempt.resend_at = Tick(step.now + attempt.resend_every)

    def _prepare(self, step: Step, attempt: Attempt) -> None:
        ballot = self._rounds.take(step)
        attempt.why = f"asks for promises of {ballot}, for {_wanted(attempt.own)}"
        step.tell(SawAttempt(attempt.slot, AttemptPhase.PREPARING, ballot, attempt.why))
        self._ask(step, attempt, ballot)

    def _ask(self, step: Step, attempt: Attempt, ballot: Ballot) -> None:
        self._enter(step, attempt, Preparing(ballot))
        step.cast(self._settings.sites, Prepare(ballot, attempt.slot, attempt.slot))

    def _accept(self, step: Step, attempt: Attempt, phase: Accepting) -> None:
        self._enter(step, attempt, phase)
        step.tell(SawAttempt(attempt.slot, attempt.accepting, phase.ballot, attempt.why))
        self._on_accepting(step, attempt.slot, phase.entry)
        step.cast(self._settings.sites, Accept(phase.ballot, run_of(attempt.slot, phase.entry)))

    def _resend(self, step: Step, attempt: Attempt) -> None:
        """Asks again those who have not answered; a ballot that somebody refused and that stays short is given up."""
        if attempt.at_zero:
            self._fall_back(step, attempt, "no majority took ballot 0")
            return
        if attempt.refusals:
            self._defeat(step, attempt)
            return
        attempt.resends += 1
        attempt.resend_every = Tick(min(RESEND_MAX, attempt.resend_every * 2))
        attempt.resend_at = Tick(step.now + attempt.resend_every)
        match attempt.phase:
            case Preparing(ballot, voters):
                missing = [site for site in self._settings.sites if site not in voters]
                step.cast(missing, Prepare(ballot, attempt.slot, attempt.slot))
            case Accepting(ballot, entries, voters):
                missing = [site for site in self._settings.sites if site not in voters]
                step.cast(missing, Accept(ballot, run_of(attempt.slot, entries[0])))
            case Waiting():
                pass

    def _fall_back(self, step: Step, attempt: Attempt, because: str) -> None:
        """L2: ballot 0 did not do; the same entry goes on by the full synod."""
        ballot = self._rounds.take(step)
        attempt.why = f"{because}: goes on with {ballot}"
        step.tell(SawAttempt(attempt.slot, AttemptPhase.FALLBACK, ballot, attempt.why))
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
        step.tell(SawAttempt(attempt.slot, AttemptPhase.WAITING, None, attempt.why, until))


def _why(phase: Preparing, own: Entry, entry: Entry) -> str:
    """Why this entry is proposed (B2), in one sentence."""
    if phase.found is None or phase.found_at is None:
        return f"a majority promised {phase.ballot} and had accepted nothing: proposes {_named(own)}"
    if entry == own:
        what = "its own entry" if own.author else "the no-op"
        return f"proposes {what} again: {phase.found_at} had accepted it at {phase.found.ballot}"
    return why_adopted(phase.found, phase.found_at)


def why_adopted(found: AcceptedRun, at: SiteId) -> str:
    """`adopts bob's entry: carol had accepted it at 3.alice`"""
    return f"adopts {_whose(found.entries[0])}: {at} had accepted it at {found.ballot}"


def _whose(entry: Entry) -> str:
    return "the no-op" if entry.author is None else f"{entry.author}'s entry"


def _named(own: Entry) -> str:
    return "a no-op" if own.author is None else f"its own {kind_of(own)}"


def _wanted(own: Entry) -> str:
    """What an attempt is for: what is proposed in the end, the promises say (B2)."""
    return f"{_named(own)} unless they bring an entry" if own.author is None else _named(own)
