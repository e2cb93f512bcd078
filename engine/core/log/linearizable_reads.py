"""Linearizable reads: the prefix lacks nothing that was chosen before the read began (R5).

Rules that hold here:
- R5: the bound of a read is R4's: the highest slot in which anything was accepted or learned, over a majority of voters
  that were asked after the read began. A majority shares a site with each that chose something before. The read is
  confirmed once the prefix covers its bound. No lease of a leader and no clock is trusted.
- M2: it is a majority of each list that holds above the prefix; where the prefix covers the bound, and the list has
  changed since it was counted, the read is asked for again (as `engine.core.log.scanner`).
- A question serves the reads that began before it was asked, and no other. Those that begin while one is out share the
  next: one question is out at a time, however many read.
- W1: every question carries a nonce; an answer counts once a site, for that nonce.
- D5: only voters answer. This site counts itself if it votes; a cluster of one site asks nobody.
- What a read waits for is copied or settled at once, as on demand (R3), and again after growing pauses.
- R6: an absurd bound is copied towards, never filled towards: its read ends unconfirmed when its time has passed, and
  costs a question now and then until it does.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from engine.core.consensus import Consensus
from engine.core.effects import SawReadConfirmed, SawReadUnconfirmed
from engine.core.explained.hindrance import Hindrances
from engine.core.ids import NEVER, Nonce, SiteId, Slot, StoreId, Tick, new_nonce
from engine.core.log.filler import FILLING_MAX, Filler
from engine.core.log.scanner import Scanner
from engine.core.messages import AskHighest, Highest
from engine.core.peers.heartbeats import Peers
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.value import Value


@dataclass(slots=True)
class _Question:
    """How far does the log go? Asked at `asked` for `reads`, all of which began before. `answers`: one a site."""

    nonce: Nonce
    asked: Tick
    reads: set[int]
    resend_at: Tick
    resend_every: Tick
    answers: dict[SiteId, Slot] = field(default_factory=dict)
    stores: dict[SiteId, StoreId | None] = field(default_factory=dict)  # on which each that answered runs


class _Stuck(Value):
    """Why a read is not confirmed: as a SawReadUnconfirmed has it, and in words and counts."""

    said: str
    bound: Slot | None
    answered: int | None
    missing: Slot | None


@dataclass(slots=True)
class _Waiting:
    """Reads that wait for the prefix to cover their bound, of which `voters` made the majority, by lists of which the
    newest begins at `counted`."""

    bound: Slot
    asked: Tick
    voters: tuple[SiteId, ...]
    reads: set[int]
    counted: Slot


class LinearizableReads:
    """Each read has a token of its caller's; it ends in one SawReadConfirmed or SawReadUnconfirmed that names it."""

    def __init__(
        self,
        settings: Settings,
        consensus: Consensus,
        peers: Peers,
        scanner: Scanner,
        filler: Filler,
        *,
        hindrances: Hindrances,
        random: Random,
    ) -> None:
        self._settings = settings
        self._consensus = consensus
        self._learner = consensus.learner
        self._peers = peers
        self._scanner = scanner
        self._filler = filler
        self._hindrances = hindrances
        self._random = random
        self._next: set[int] = set()  # reads that began after the question that is out was asked
        self._question: _Question | None = None
        self._waiting: list[_Waiting] = []  # by bound
        self._push_at = NEVER
        self._push_every = settings.timings.retransmit
        self._open: set[int] = set()
        self._alarms: list[tuple[Tick, int]] = []
        self._confirmed_at: Tick | None = None

    @property
    def confirmed_at(self) -> Tick | None:
        """All that was chosen before this moment is in the prefix: when the newest confirmed question was asked."""
        return self._confirmed_at

    def begin(self, step: Step, token: int, timeout: Tick) -> None:
        """A read begins. It is asked for at once, or together with others when the question that is out ends."""
        self._open.add(token)
        heappush(self._alarms, (Tick(step.now + timeout), token))
        self._next.add(token)
        question = self._question
        if question is None:
            self._ask(step)
        else:
            question.resend_every = self._settings.timings.retransmit
            question.resend_at = min(question.resend_at, Tick(step.now + question.resend_every))

    def give_up(self, step: Step, token: int, why: str | None = None) -> None:
        """Ends a read unconfirmed; an unknown token does nothing. `why` goes before what it waited for."""
        if token not in self._open:
            return
        self._open.discard(token)
        stuck = self._leave(step, token)
        hindrances, now = self._hindrances, step.now
        hindered = hindrances.of_question(now) if stuck.missing is None else hindrances.of_slot(now, stuck.missing)
        reason = "; ".join(part for part in (hindered, why, stuck.said) if part)
        step.tell(SawReadUnconfirmed(token, stuck.bound, reason, stuck.answered, stuck.missing))
        if self._question is not None and not self._question.reads:
            self._question = None
            if self._next:
                self._ask(step)

    def on_highest(self, step: Step, sender: SiteId, message: Highest, life: StoreId | None) -> None:
        question = self._question
        if question is None or message.nonce != question.nonce or sender in question.answers:
            return
        self._peers.claims(sender, message.prefix, message.used_max)
        question.answers[sender] = message.used_max
        question.stores[sender] = life
        self._conclude(step)

    def reach(self, step: Step) -> None:
        """Ends the reads whose bound the prefix covers."""
        waiting = self._waiting
        while waiting and waiting[0].bound <= self._learner.prefix:
            done = waiting.pop(0)
            if done.counted != self._consensus.members.newest.first:
                self._next |= done.reads
                if self._question is None:
                    self._ask(step)
                continue
            self._confirmed_at = max(done.asked, self._confirmed_at or done.asked)
            for token in sorted(done.reads):
                self._open.discard(token)
                step.tell(SawReadConfirmed(token, done.bound, done.asked, Tick(step.now - done.asked), done.voters))
        if not waiting:
            self._push_at = NEVER

    def tick(self, step: Step) -> None:
        while self._alarms and self._alarms[0][0] <= step.now:
            _, token = heappop(self._alarms)
            self.give_up(step, token)
        question = self._question
        if question is not None and step.now >= question.resend_at:
            question.resend_every = self._longer(question.resend_every)
            question.resend_at = Tick(step.now + question.resend_every)
            missing = [peer for peer in self._consensus.voters() if peer not in question.answers]
            step.cast(missing, AskHighest(question.nonce))
            self._conclude(step)
        if step.now >= self._push_at:
            self._push_every = self._longer(self._push_every)
            self._push(step)

    def deadline(self) -> Tick:
        if not self._open:
            return NEVER
        while self._alarms and self._alarms[0][1] not in self._open:
            heappop(self._alarms)
        due = min(self._push_at, self._alarms[0][0] if self._alarms else NEVER)
        return due if self._question is None else min(due, self._question.resend_at)

    def _ask(self, step: Step) -> None:
        """A new question, for all reads that none was asked for yet."""
        every = self._settings.timings.retransmit
        nonce = new_nonce(self._random)
        self._question = _Question(nonce, step.now, self._next, Tick(step.now + every), every)
        self._next = set()
        step.cast(self._consensus.voters(), AskHighest(nonce))
        self._conclude(step)

    def _conclude(self, step: Step) -> None:
        """R4: a majority of voters, this site included if it votes, bounds what was chosen before the question."""
        question = self._question
        if question is None or not self._consensus.is_majority(step, question.stores):
            return
        self._question = None
        used = dict(question.answers)
        if step.voting:
            used[self._settings.site] = self._learner.used_max
        bound = max(used.values())
        counted = self._consensus.members.newest.first
        insort(self._waiting, _Waiting(bound, question.asked, tuple(sorted(used)), question.reads, counted), key=_bound)
        if bound > self._learner.prefix:
            self._push_every = self._settings.timings.retransmit
            self._push(step)
        if self._next:
            self._ask(step)

    def _push(self, step: Step) -> None:
        """Much is copied from a peer that has it; a little, and what nobody has, is the filler's (R3)."""
        self._push_at = Tick(step.now + self._push_every)
        bound = self._waiting[-1].bound
        self._learner.used(bound)
        if bound > self._learner.prefix + FILLING_MAX:
            self._scanner.catch_up(step, bound)
        if not self._scanner.copying:
            self._filler.fill_through(step, bound)

    def _leave(self, step: Step, token: int) -> _Stuck:
        """Takes a read out of where it is."""
        question = self._question
        if question is not None and token in question.reads:
            question.reads.discard(token)
            return self._asking(step, question, "")
        if question is not None and token in self._next:
            self._next.discard(token)
            return self._asking(step, question, "it waits behind an earlier read, which is still asking; ")
        waiting = next(each for each in self._waiting if token in each.reads)
        waiting.reads.discard(token)
        if not waiting.reads:
            self._waiting.remove(waiting)
            self._push_at = self._push_at if self._waiting else NEVER
        missing = Slot(self._learner.prefix + 1)
        said = f"slot {missing} is not settled yet, and the log goes up to slot {waiting.bound}"
        return _Stuck(said, waiting.bound, None, missing)

    def _asking(self, step: Step, question: _Question, first: str) -> _Stuck:
        answered, counted = len(question.answers) + step.voting, self._consensus.quorum(step.voting, question.answers)
        said = f"{first}{answered} of {counted.size} answered, {counted.needed} needed"
        return _Stuck(said, None, answered, None)

    def _longer(self, every: Tick) -> Tick:
        timings = self._settings.timings
        return Tick(min(2 * every, max(timings.retransmit, timings.fill_every)))


def _bound(waiting: _Waiting) -> Slot:
    return waiting.bound
