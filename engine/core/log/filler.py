"""The hole filler: no slot stays unlearned for long.

Rules that hold here:
- R3: a hole is first asked for; what nobody knows is settled by the full synod proposing the no-op (B2 completes what
  was accepted). After asking it waits a random part of `fill_every` (on demand: of 4 retransmits), then as long as
  messages of another attempt there keep arriving, at most YIELD_MAX a slot; then it competes. A site that does not
  compete (D5, L3) asks again instead, of all its holes together: who does takes them for used then (`leading.policy`).
- W1: every question carries a nonce; an answer counts once a site, for that nonce.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final

from engine.core.consensus import Consensus
from engine.core.effects import FillResult, SawFilled, SawHoles
from engine.core.entry import NOOP, kind_of
from engine.core.explained.hindrance import Hindrances
from engine.core.ids import NEVER, Nonce, SiteId, Slot, Tick, new_nonce
from engine.core.log.pages import PAGES_PER_ANSWER
from engine.core.messages import Ask, Known
from engine.core.peers.heartbeats import Peers
from engine.core.run import Run, run_of, spans_of
from engine.core.settings import YIELD_MAX, Settings
from engine.core.step import Step
from engine.core.value import Value
from engine.core.views import AttemptPhase, AttemptView

FILLING_MAX: Final = 64
"""How many holes a site works on at a time (R6)."""

WANTED_MAX: Final = 1_000
"""How many slots may wait to be filled on demand."""

COMPETE_RESENDS_MAX: Final = 5
"""After so many unanswered repeats an attempt at a hole ends as `no-quorum` or `fault-rule`, until the next look."""


class Asking(Value):
    """Peers are asked whether the slot is chosen."""

    until: Tick
    unanswered: frozenset[SiteId]


class Yielding(Value):
    """Nobody knew: another attempt, if there is one, goes first."""

    until: Tick
    latest: Tick


class Competing(Value):
    """The proposer runs a synod for the no-op."""


@dataclass(slots=True)
class _Fill:
    slot: Slot
    since: Tick
    patience: Tick
    phase: Asking | Yielding | Competing


class _Question(Value):
    """One `ask` of several slots, and whom it went to."""

    slots: frozenset[Slot]
    asked: frozenset[SiteId]


class Filler:
    def __init__(
        self, settings: Settings, consensus: Consensus, peers: Peers, random: Random, hindrances: Hindrances
    ) -> None:
        self._hindrances = hindrances
        self._settings = settings
        self._consensus = consensus
        self._learner = learner = consensus.learner
        self._proposer = consensus.proposer
        self._busy = consensus.is_proposing
        self._proposes_through = consensus.proposes_through
        self._peers = peers
        self._random = random
        self._fills: dict[Slot, _Fill] = {}
        self._questions: dict[Nonce, _Question] = {}
        self._wanted: dict[Slot, None] = {}
        self._soon = Tick(4 * settings.timings.retransmit)
        self._look_at = Tick(0)
        self._seen = learner.used_max  # at the last look: what is above was used since
        self._competes = True
        self._again_at = Tick(0)  # who does not compete asks again then, of all that was not settled meanwhile
        self._due = Slot(0)  # holes up to here are worked on until none is left

    def next_look(self) -> Tick | None:
        """When it works on the lowest hole at the latest; None while there are none."""
        lowest = next(iter(self._learner.holes(1)), None)
        if lowest is None:
            return None
        return self._look_at if lowest <= self._seen else Tick(self._look_at + self._between_looks)

    def seen_before(self, hole: Slot) -> bool:
        """It was used at the last look already, and still nobody told what it holds: so it is a hole, and no entry that
        is just on its way."""
        return hole <= self._seen

    def fill(self, step: Step, slots: Iterable[Slot]) -> None:
        """On demand: those of `slots` that are holes and not yet worked on, without waiting for the next look."""
        for slot in slots:
            if len(self._wanted) < WANTED_MAX and slot <= self._learner.used_max and not self._learner.is_learned(slot):
                self._wanted[slot] = None
        self._work_on(step)

    def fill_lowest(self, step: Step) -> None:
        """On demand: the holes that hold up the prefix."""
        self.fill(step, self._learner.holes(FILLING_MAX))

    def fill_through(self, step: Step, last: Slot) -> None:
        """On demand: the holes up to `last`."""
        self.fill(step, [hole for hole in self._learner.holes(WANTED_MAX) if hole <= last])

    def on_known(self, step: Step, sender: SiteId, message: Known) -> None:
        """A peer's answer, after what it knows was learned: the rest of what it covers it does not know."""
        question = self._questions.get(message.nonce)
        if question is None or sender not in question.asked:
            return
        covered = {slot for slot in question.slots if message.first <= slot <= message.last}
        for fill in [self._fills[slot] for slot in covered if slot in self._fills]:
            if isinstance(fill.phase, Asking):
                fill.phase = Asking(fill.phase.until, fill.phase.unanswered - {sender})
                if not fill.phase.unanswered:
                    self._yield(step, fill)

    def saw_attempt(self, step: Step, first: Slot, last: Slot) -> None:
        """A message of another site's attempt at these slots arrived: go on yielding (R3)."""
        for fill in self._between(first, last):
            if isinstance(fill.phase, Yielding):
                longer = step.now + self._random.randint(1, 4 * self._settings.timings.retransmit)
                fill.phase = Yielding(Tick(min(fill.phase.latest, max(fill.phase.until, longer))), fill.phase.latest)

    def on_learned(self, step: Step, run: Run, by_votes: bool) -> None:
        for slot in [slot for slot in self._wanted if run.first <= slot <= run.last] if self._wanted else ():
            del self._wanted[slot]
        for fill in self._between(run.first, run.last):
            del self._fills[fill.slot]
            entry = run.entry(fill.slot)
            result = FillResult.LEARNED
            if by_votes:
                result = FillResult.NOOP if entry == NOOP else FillResult.RECOVERED
            step.tell(SawFilled(fill.slot, result, kind_of(entry)))

    def _between(self, first: Slot, last: Slot) -> list[_Fill]:
        """What it works on there: few, whatever the span."""
        return [fill for slot, fill in self._fills.items() if first <= slot <= last] if self._fills else []

    def tick(self, step: Step, competes: bool) -> None:
        """`competes`: this site may propose a no-op itself (D5, L3); else it asks again."""
        self._competes = competes
        again: list[_Fill] = []
        for fill in list(self._fills.values()):
            match fill.phase:
                case Asking(until, _) if step.now >= until:
                    self._yield(step, fill)
                case Yielding(until, _) if step.now >= until and competes:
                    self._compete(step, fill)
                case Yielding(until, _) if step.now >= until:
                    again.append(fill)
                case Competing():
                    self._watch(step, fill)
                case _:
                    pass
        if again:
            self._ask(step, again)
        if self._questions:
            self._questions = {
                nonce: question
                for nonce, question in self._questions.items()
                if any(slot in self._fills and isinstance(self._fills[slot].phase, Asking) for slot in question.slots)
            }
        self._work_on(step)

    def deadline(self) -> Tick:
        due = self._look_at if self._learner.holes_count else NEVER
        for fill in self._fills.values():
            if not isinstance(fill.phase, Competing) and fill.phase.until < due:
                due = fill.phase.until
        return due

    def view(self, slot: Slot) -> AttemptView | None:
        fill = self._fills.get(slot)
        if fill is None or isinstance(fill.phase, Competing):
            return None
        peers = self._consensus.company()
        match fill.phase:
            case Asking(_, unanswered):
                phase, why = AttemptPhase.ASKING, "asks the others whether it is chosen"
                votes = tuple(peer for peer in peers if peer not in unanswered)
            case Yielding():
                phase, votes = AttemptPhase.YIELDING, ()
                then = "asks again, until another site has settled it"
                if self._competes:
                    then = "completes what was accepted, or proposes a no-op"
                why = f"no answer settled it; lets other attempts go first, then {then}"
        return AttemptView(slot, phase, None, votes, peers, len(peers), NOOP, why, fill.since)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(self._fills)

    def _work_on(self, step: Step) -> None:
        """Begins what is wanted on demand, and then the lowest holes.

        A slot that was just used is most often learned soon: its entry is on its way. So nobody is asked for it before
        two looks, half a `fill_every` apart, found it unlearned. At each look, and whenever all that was begun is done,
        the lowest of those that are due are begun, until none of them is left."""
        if self._wanted:
            self._begin(step, list(self._wanted), self._soon)
        if not self._learner.holes_count:
            self._seen = self._learner.used_max
            self._look_at = Tick(step.now + self._between_looks)
            return
        looks = step.now >= self._look_at
        if looks:
            self._due, self._seen = self._seen, self._learner.used_max
            self._look_at = Tick(step.now + self._between_looks)
        if self._learner.prefix < self._due and (looks or not self._fills):
            holes = self._learner.holes(2 * FILLING_MAX)
            self._begin(step, [hole for hole in holes if hole <= self._due], self._settings.timings.fill_every)

    @property
    def _between_looks(self) -> Tick:
        return Tick(self._settings.timings.fill_every // 2)

    def _begin(self, step: Step, holes: list[Slot], patience: Tick) -> None:
        for fill in [self._fills[slot] for slot in holes if slot in self._fills]:
            if fill.patience > patience:
                fill.patience = patience
                if isinstance(fill.phase, Yielding):
                    sooner = Tick(step.now + self._random.randint(0, patience))
                    fill.phase = Yielding(min(fill.phase.until, sooner), fill.phase.latest)
        free = max(0, FILLING_MAX - len(self._fills))
        new = list(islice((slot for slot in holes if slot not in self._fills and not self._busy(slot)), free))
        if not new:
            return
        step.tell(SawHoles(tuple(new), self._learner.holes_count))
        for slot in new:
            self._fills[slot] = _Fill(slot, step.now, patience, Competing())
        self._ask(step, [self._fills[slot] for slot in new])

    def _ask(self, step: Step, fills: list[_Fill]) -> None:
        asked = self._peers.up
        until = Tick(step.now + 2 * self._settings.timings.retransmit)
        for fill in fills:
            fill.phase = Asking(until, frozenset(asked))
            if not asked:
                self._yield(step, fill)
        if not asked:
            return
        # One answer has room for so many slots at the least: more in one question would stay unanswered (W3).
        for start in range(0, len(fills), PAGES_PER_ANSWER):
            slots = [fill.slot for fill in fills[start : start + PAGES_PER_ANSWER]]
            nonce = new_nonce(self._random)
            self._questions[nonce] = _Question(frozenset(slots), frozenset(asked))
            step.cast(asked, Ask(nonce, spans_of(slots)))

    def _yield(self, step: Step, fill: _Fill) -> None:
        if self._competes or self._again_at <= step.now:
            alone = not self._consensus.company()
            self._again_at = Tick(step.now + (0 if alone else self._random.randint(0, fill.patience)))
        until = min(self._again_at, Tick(step.now + fill.patience))
        fill.phase = Yielding(until, Tick(step.now + YIELD_MAX))

    def _compete(self, step: Step, fill: _Fill) -> None:
        if not self._busy(fill.slot) and fill.slot <= self._proposes_through():
            fill.phase = Competing()
            self._proposer.start(step, run_of(fill.slot, NOOP))
        else:
            del self._fills[fill.slot]

    def _watch(self, step: Step, fill: _Fill) -> None:
        attempt = self._proposer.attempt(fill.slot)
        if attempt is None:
            self._fills.pop(fill.slot, None)
        elif attempt.resends > COMPETE_RESENDS_MAX:
            del self._fills[fill.slot]
            self._wanted.pop(fill.slot, None)
            hindered = self._hindrances.of_slot(step.now, fill.slot)
            why = "no majority answers" if hindered is None else hindered
            self._proposer.end(step, fill.slot, fill.slot, f"{why}; it will be tried again")
            step.tell(SawFilled(fill.slot, FillResult.NO_QUORUM if hindered is None else FillResult.HINDERED, None))
