"""What a replica shows of itself, put together from its parts: its view, its attempts, and what is in the way.

Rules that hold here:
- Looking changes nothing.
- Why events do not get on, and why holes stay holes, is said in words and counts: it is the reason that `not-created`,
  `unknown` and an unsettled `fill` give (E2, R3). Of several reasons the first is told, after what this site's own
  fault rules do.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from engine.core.filler import Filler
from engine.core.fresh import FreshReads
from engine.core.hindrance import Hindrances
from engine.core.ids import SiteId, Slot, Tick, named
from engine.core.learner import Learner
from engine.core.lives import Lives
from engine.core.peers import Peers
from engine.core.policy import Policy
from engine.core.proposer import Proposer
from engine.core.scanner import Scanner
from engine.core.sessions import Sessions
from engine.core.views import AttemptView, ReplicaView

HOLES_SHOWN_MAX: Final = 1_000
WAITS_FROM: Final = Tick(1_000)
"""An event that is younger is on its way, and waits for nothing."""


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
    hindrances: Hindrances

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
            hindered=self._hindered_at_all(now),
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

    def hindered(self, now: Tick, slots: Collection[Slot]) -> dict[Slot, str]:
        """What fault rules here do to whatever would settle these unlearned slots, for those that one keeps."""
        of_voters = self.hindrances.of_voters(now) if self._lacks_voters() else None
        return self.hindrances.of_slots(now, slots) if of_voters is None else dict.fromkeys(slots, of_voters)

    def why_stuck(self, now: Tick) -> str:
        """What is in the way of this site's events."""
        return _after(self._events_hindered(now), self._why_stuck(now))

    def _why_stuck(self, now: Tick) -> str:
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
        hindered, barred = self.hindered(now, (slot,)).get(slot), self._barred()
        if barred is not None or hindered is not None:
            return _after(hindered, barred or self._counts())
        if self.policy.fills(now):
            attempt = self.attempt(slot)
            return f"{'its turn did not come' if attempt is None else attempt.why}; {self._counts()}"
        have = self.hindrances.have(slot)
        if have:
            has = "has" if len(have) == 1 else "have"
            return f"{named(have)} {has} it, and it has not come from there yet; {self._counts()}"
        leader = self.policy.leader(now)
        if leader is not None:
            return f"{leader} leads, and has not settled it yet; {self._counts()}"
        later = f"the next one settles it, or {self.site} itself after some time without one"
        return f"no leader is heard; {later}; {self._counts()}"

    def _events_hindered(self, now: Tick) -> str | None:
        if self._lacks_voters():
            return self.hindrances.of_voters(now)
        if not self.scanner.ready:
            return self.hindrances.of_question(now)
        return self.hindrances.of_events(now, self.learner.prefix)

    def _hindered_at_all(self, now: Tick) -> str | None:
        """What this site's own fault rules keep from it, if it waits for anything: voters, a hole, an event."""
        hole = next(iter(self.learner.holes(1)), None)
        if hole is not None and self.filler.seen_before(hole) and (said := self.hindered(now, (hole,)).get(hole)):
            return f"slot {hole}: {said}"
        if self._lacks_voters():
            return self.hindrances.of_voters(now)
        since = self.sessions.waits_since
        return None if since is None or now < since + WAITS_FROM else self._events_hindered(now)

    def _lacks_voters(self) -> bool:
        quorum = self.peers.quorum(self.lives.voting)
        return quorum.reachable < quorum.needed

    def _barred(self) -> str | None:
        """What keeps the site from settling anything at all."""
        if not self.lives.voting:
            return f"{self.site} does not vote: {self.lives.why}"
        return f"no quorum: {self._counts()}" if self._lacks_voters() else None

    def _counts(self) -> str:
        quorum = self.peers.quorum(self.lives.voting)
        return f"{quorum.reachable} of {quorum.size} reachable, {quorum.needed} needed"


def _after(first: str | None, reason: str) -> str:
    return reason if first is None else f"{first}; {reason}"
