"""The policies `none` and `last-author`: this site's events by its own synods, a lot at a time (L1, L2).

Rules that hold here:
- L1: what waits is aimed at the slots after the highest one known to be used, an event a slot, in the order of
  submission; what comes after waits until all of that is settled. Each slot is decided for itself. A lot of which
  a slot went to another entry is followed by a single event: who meets rivals would only have the rest void (E5).
- L2: who wrote what it learned at the slot before may begin with accept at ballot 0, if its own acceptor has promised
  and accepted nothing at this slot. Its own vote is in the same commit: it is the durable mark that this was done once.
  A lot of several goes by the full synod: what its second slot would need is not learned, and if its first one went
  ahead alone, what is submitted upon that would have the next lot to itself.
"""

from __future__ import annotations

from typing import Final

from engine.core.entry import NOOP
from engine.core.ids import NEVER, Slot, Tick
from engine.core.leading.policy import Parts, Policy
from engine.core.run import Run
from engine.core.settings import Leadership
from engine.core.step import Step
from engine.core.synod.phases import may_skip_prepare

LOT_MAX: Final = 512
"""So many events of this site are proposed at a time, at slots that follow each other."""

_EVENT_BYTES: Final = 1_280
"""What an event takes on its way, at most."""


class OneByOne(Policy):
    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._skips = parts.settings.leadership is Leadership.LAST_AUTHOR
        self._lot_max = max(1, min(LOT_MAX, parts.settings.flight_bytes // _EVENT_BYTES))
        self._lot = self._lot_max  # how many events the next one may have
        self._setbacks = 0
        self._awaited = Slot(0)  # from where on the newest list holds, if it did not when it was last seen ...
        self._due_at = NEVER  # ... and when this site fills up to there, whoever had it chosen
        self._is_due = False
        self._patience = Tick(2 * parts.settings.timings.fill_every)
        self._pushed: tuple[Slot, ...] = ()  # where the events whose turn it is are being pushed

    def push(self, step: Step) -> None:
        self.settled(step)
        sessions, consensus = self._parts.sessions, self._parts.consensus
        if not sessions.idle and self._parts.scanner.ready and sessions.waiting(self._parts.last_in_effect):
            self._begin(step)
        elif consensus.members.changed:
            self._fill(step)
        self._pushed = tuple(sessions.aims)

    def settled(self, step: Step) -> None:
        """E2: what was begun for them does not go on, not even by what came in the same packet."""
        if not self._pushed:
            return
        aims, proposer = self._parts.sessions.aims, self._parts.consensus.proposer
        for slot in self._pushed:
            if slot not in aims:
                proposer.end(step, slot, slot, "its event is settled or given up")
        self._pushed = tuple(aims)

    def _fill(self, step: Step) -> None:
        """M3: a change that this site had chosen takes effect at once: what lies before becomes no-ops. Another's, if
        it did not come to that for long: who had it chosen may be gone."""
        consensus = self._parts.consensus
        newest, slot = consensus.members.newest, Slot(consensus.learner.used_max + 1)
        if newest.first <= slot:
            self._awaited, self._due_at, self._is_due = newest.first, NEVER, False
            return
        room = min(consensus.proposes_through(), newest.first - 1, slot + LOT_MAX - 1) - slot + 1
        if self._awaited != newest.first:
            self._awaited, self._due_at = newest.first, Tick(step.now + self._patience)
        if room < 1 or consensus.proposer.attempted(slot, None):
            return
        change = consensus.learner.entry(Slot(newest.first - consensus.members.lag))
        if self._is_due or (change is not None and change.author == step.site):
            self._is_due = False
            consensus.proposer.start(step, Run(slot, (NOOP,) * room))

    def tick(self, step: Step) -> None:
        if step.now >= self._due_at:
            self._due_at, self._is_due = Tick(step.now + self._patience), True

    def deadline(self) -> Tick:
        return self._due_at

    def _begin(self, step: Step) -> None:
        parts = self._parts
        slot = Slot(parts.consensus.learner.used_max + 1)
        room = parts.consensus.proposes_through() - slot + 1
        if room < 1 or (parts.consensus.members.changed and parts.consensus.proposer.attempted(slot, None)):
            return  # M2: it goes on as the prefix does; and after the no-ops that are under way
        setbacks, self._setbacks = self._setbacks, parts.sessions.setbacks
        self._lot = 1 if setbacks != self._setbacks else min(self._lot_max, 2 * self._lot)
        lot = Run(slot, parts.sessions.turn(slot, parts.last_in_effect, min(self._lot, room)))
        proposer = parts.consensus.proposer
        if self._skips and self._may_skip_prepare(lot):
            proposer.start_at_zero(step, lot)
        else:
            proposer.start(step, lot)

    def _may_skip_prepare(self, lot: Run) -> bool:
        consensus, slot = self._parts.consensus, lot.first
        if lot.last > slot:
            return False
        before = consensus.learner.entry(Slot(slot - 1)) if slot > 1 else None
        return may_skip_prepare(self._parts.settings.site, before, consensus.acceptor.vote(slot))

    def withdraw(self, step: Step) -> None:
        """Nobody but this site proposes its events, and it never does again (D5): what may have left stands at its
        slot, and is settled when that is. So there is nothing to withdraw; only what is void already has to be told."""
        self._parts.sessions.explain_void(step)

    def stuck(self, _now: Tick) -> str | None:
        aim = next(iter(self._parts.sessions.aims), None)
        attempt = None if aim is None else self._parts.consensus.proposer.view(aim)
        return None if attempt is None else f"no majority agreed on slot {aim} in time ({attempt.why})"
