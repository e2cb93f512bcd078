"""The policies `none` and `last-author`: one event of this site at a time, by this site's own synods (L1, L2).

Rules that hold here:
- L1: an event is aimed at the slot after the highest one known to be used; the next waits until it is settled.
- L2: who wrote what it learned at the slot before may begin with accept at ballot 0, if its own acceptor has promised
  and accepted nothing at this slot. Its own vote is in the same commit: it is the durable mark that this was done once.
"""

from __future__ import annotations

from engine.core.ids import Slot, Tick
from engine.core.leading.policy import Parts, Policy
from engine.core.run import run_of
from engine.core.settings import Leadership
from engine.core.step import Step
from engine.core.synod.proposer import may_skip_prepare


class OneByOne(Policy):
    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._skips = parts.settings.leadership is Leadership.LAST_AUTHOR
        self._pushed: Slot | None = None  # the slot at which the event whose turn it is is being pushed

    def push(self, step: Step) -> None:
        sessions, proposer = self._parts.sessions, self._parts.consensus.proposer
        if self._pushed is not None and sessions.aim != self._pushed:
            proposer.end(step, self._pushed, self._pushed, "its event is settled or given up")
        if self._parts.scanner.ready and sessions.waiting:
            self._begin(step)
        self._pushed = sessions.aim

    def _begin(self, step: Step) -> None:
        parts = self._parts
        slot = Slot(parts.consensus.learner.used_max + 1)
        entry = parts.sessions.turn(slot, parts.last_in_effect)
        assert entry is not None
        if self._skips and self._may_skip_prepare(slot):
            parts.consensus.proposer.start_at_zero(step, run_of(slot, entry))
        else:
            parts.consensus.proposer.start(step, run_of(slot, entry))

    def _may_skip_prepare(self, slot: Slot) -> bool:
        consensus = self._parts.consensus
        before = consensus.learner.entry(Slot(slot - 1)) if slot > 1 else None
        return may_skip_prepare(self._parts.settings.site, before, consensus.acceptor.vote(slot))

    def withdraw(self, step: Step) -> None:
        """Nobody but this site proposes its events, and it never does again (D5): what may have left stands at its
        slot, and is settled when that is. So there is nothing to withdraw; only what is void already has to be told."""
        self._parts.sessions.explain_void(step)

    def stuck(self, _now: Tick) -> str | None:
        aim = self._parts.sessions.aim
        attempt = None if aim is None else self._parts.consensus.proposer.view(aim)
        return None if attempt is None else f"no majority agreed on slot {aim} in time ({attempt.why})"
