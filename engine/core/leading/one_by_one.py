"""The policies `none` and `last-author`: one event of this site at a time, by this site's own synods (L1, L2).

Rules that hold here:
- L1: an event is aimed at the slot after the highest one known to be used; the next waits until it is settled.
- L2: who wrote what it learned at the slot before may begin with accept at ballot 0, if its own acceptor has promised
  and accepted nothing at this slot. Its own vote is in the same commit: it is the durable mark that this was done once.
"""

from __future__ import annotations

from engine.core.entry import Entry
from engine.core.ids import NEVER, SiteId, Slot, Tick
from engine.core.leading.policy import Parts
from engine.core.messages import Accepted, Ask, HandOn, Heartbeat, Promise, Refused
from engine.core.peers.heartbeats import NO_CLAIM, Claim
from engine.core.settings import Leadership
from engine.core.step import Step
from engine.core.synod.proposer import may_skip_prepare
from engine.core.views import AttemptView


class OneByOne:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._skips = parts.settings.leadership is Leadership.LAST_AUTHOR

    def tick(self, step: Step, caught_up: bool) -> None:
        """Nothing of its own is due at any time."""

    def push(self, step: Step, ready: bool) -> None:
        parts = self._parts
        if not ready or not parts.sessions.waiting:
            return
        slot = Slot(parts.learner.used_max + 1)
        entry = parts.sessions.turn(slot, parts.last_in_effect)
        assert entry is not None
        if self._skips and self._may_skip_prepare(slot):
            parts.proposer.start_at_zero(step, slot, entry)
        else:
            parts.proposer.start(step, slot, entry)

    def _may_skip_prepare(self, slot: Slot) -> bool:
        parts = self._parts
        before = parts.learner.entry(Slot(slot - 1)) if slot > 1 else None
        return may_skip_prepare(parts.settings.site, before, parts.acceptor.vote(slot))

    def withdraw(self, step: Step) -> None:
        """Only this site would propose it: what stands at a slot is settled with that slot, whoever settles it."""
        self._parts.sessions.explain_void(step)

    def deadline(self) -> Tick:
        return NEVER

    def on_promise(self, step: Step, sender: SiteId, message: Promise) -> None:
        self._parts.proposer.on_promise(step, sender, message)

    def on_accepted(self, step: Step, sender: SiteId, message: Accepted) -> None:
        self._parts.proposer.on_accepted(step, sender, message)

    def on_refused(self, step: Step, sender: SiteId, message: Refused) -> None:
        self._parts.proposer.on_refused(step, sender, message)

    def on_heartbeat(self, step: Step, sender: SiteId, message: Heartbeat) -> None:
        """A leader elsewhere is nothing to this policy (L4)."""

    def on_hand_on(self, step: Step, message: HandOn) -> None:
        """This site leads nothing: the author keeps its events, and hands them on elsewhere (L4)."""

    def on_asked(self, message: Ask) -> None:
        """Whoever misses a slot settles it itself."""

    def on_promised(self, step: Step, message: Promise) -> None:
        """Duels are waited out by the proposer (B4)."""

    def on_learned(self, slot: Slot, entry: Entry) -> None:
        """The proposer and the sessions are told by themselves."""

    def on_applied(self, entry: Entry) -> None:
        """As above."""

    def claim(self, step: Step) -> Claim:
        return NO_CLAIM

    def fills(self, now: Tick) -> bool:
        return True

    def leader(self, now: Tick) -> SiteId | None:
        return None

    def view(self, slot: Slot) -> AttemptView | None:
        return None

    def aim(self) -> Slot | None:
        return self._parts.sessions.aim

    def stuck(self, now: Tick) -> str | None:
        aim = self._parts.sessions.aim
        attempt = None if aim is None else self._parts.proposer.view(aim)
        return None if attempt is None else f"no majority agreed on slot {aim} in time ({attempt.why})"
