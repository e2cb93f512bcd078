"""What a replica shows of itself, put together from its parts: its view, its attempts, and what is in the way.

Rules that hold here:
- Looking changes nothing.
- Why events do not get on, and why holes stay holes, is said in words and counts: it is the reason that `not-created`,
  `unknown` and an unsettled `fill` give (E2, R3). Of several reasons the first is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.filler import Filler
from engine.core.fresh import FreshReads
from engine.core.ids import SiteId, Slot, Tick
from engine.core.learner import Learner
from engine.core.lives import Lives
from engine.core.peers import Peers
from engine.core.policy import Policy
from engine.core.proposer import Proposer
from engine.core.scanner import Scanner
from engine.core.sessions import Sessions
from engine.core.views import AttemptView, ReplicaView

HOLES_SHOWN_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Readings:
    site: SiteId
    lives: Lives
    peers: Peers
    learner: Learner
    scanner: Scanner
    proposer: Proposer
    filler: Filler
    sessions: Sessions
    reads: FreshReads
    policy: Policy

    def view(self, now: Tick, attempts_max: int) -> ReplicaView:
        slots = sorted({*self.proposer.slots, *self.filler.slots})[:attempts_max]
        attempts = (self.attempt(slot) for slot in slots)
        learner, lives = self.learner, self.lives
        return ReplicaView(
            quorum=self.peers.quorum(lives.voting),
            leader=self.policy.leader(now),
            prefix=learner.prefix,
            learned_max=learner.learned_max,
            used_max=learner.used_max,
            next=Slot(learner.used_max + 1),
            holes=tuple(learner.holes(HOLES_SHOWN_MAX)),
            holes_count=learner.holes_count,
            recovering=self.scanner.recovering,
            voting=lives.voting,
            voting_why=lives.why,
            mismatch=self.peers.mismatch,
            unknown=self.sessions.unknown,
            fresh_at=self.reads.confirmed_at,
            fill_at=self.filler.next_look(),
            peers=self.peers.views(),
            attempts=tuple(attempt for attempt in attempts if attempt is not None),
        )

    def attempt(self, slot: Slot) -> AttemptView | None:
        return self.policy.view(slot) or self.proposer.view(slot) or self.filler.view(slot)

    def fills(self, now: Tick) -> bool:
        """This site settles holes itself (D5, L3); else it asks those that do."""
        return self.lives.voting and self.policy.fills(now)

    def why_stuck(self, now: Tick) -> str:
        """What is in the way of this site's events."""
        barred = self._barred()
        if barred is not None:
            return barred
        if not self.scanner.ready:
            return f"still finding out how far the log goes; {self._counts()}"
        stuck = self.policy.stuck(now)
        if stuck is not None:
            return f"{stuck}; {self._counts()}"
        hole = next(iter(self.learner.holes(1)), None)
        if hole is not None:
            return f"slot {hole} before it is not settled yet; {self._counts()}"
        return f"its turn did not come; {self._counts()}"

    def why_unsettled(self, now: Tick, slot: Slot) -> str:
        """What is in the way of settling a hole."""
        barred = self._barred()
        if barred is not None:
            return barred
        if self.policy.fills(now):
            attempt = self.attempt(slot)
            return f"{'its turn did not come' if attempt is None else attempt.why}; {self._counts()}"
        leader = self.policy.leader(now)
        if leader is not None:
            return f"{leader} leads, and has not settled it yet; {self._counts()}"
        later = f"the next one settles it, or {self.site} itself after some time without one"
        return f"no leader is heard; {later}; {self._counts()}"

    def _barred(self) -> str | None:
        """What keeps the site from settling anything at all."""
        if not self.lives.voting:
            return f"{self.site} does not vote: {self.lives.why}"
        quorum = self.peers.quorum(self.lives.voting)
        return f"no quorum: {self._counts()}" if quorum.reachable < quorum.needed else None

    def _counts(self) -> str:
        quorum = self.peers.quorum(self.lives.voting)
        return f"{quorum.reachable} of {quorum.size} reachable, {quorum.needed} needed"
