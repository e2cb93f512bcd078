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
from itertools import islice
from typing import Final

from engine.core.entry import Entry
from engine.core.events.situation import Situation
from engine.core.explained.hindrance import Hindrances
from engine.core.ids import NUMBER_MAX, Slot, Tick, named
from engine.core.leading.policy import Parts, Policy
from engine.core.log.filler import Filler
from engine.core.log.linearizable_reads import LinearizableReads
from engine.core.peers.belonging import Belonging
from engine.core.peers.lives import Lives
from engine.core.run import slots_of
from engine.core.views import AttemptView, QuorumView, ReplicaView

HOLES_SHOWN_MAX: Final = 1_000
WAITS_FROM: Final = Tick(1_000)
"""An event that is younger is on its way, and waits for nothing."""


@dataclass(frozen=True, slots=True)
class Readings:
    parts: Parts
    lives: Lives
    belonging: Belonging
    filler: Filler
    reads: LinearizableReads
    policy: Policy
    hindrances: Hindrances

    def view(self, now: Tick, attempts_max: int) -> ReplicaView:
        spans = self.parts.consensus.proposer.attempted(Slot(1), Slot(NUMBER_MAX))
        own = islice((slot for span in spans for slot in slots_of(*span)), attempts_max)
        slots = sorted({*own, *self.filler.slots})[:attempts_max]
        attempts = (self.attempt(slot) for slot in slots)
        learner, lives = self.parts.consensus.learner, self.lives
        return ReplicaView(
            quorum=self._quorum(),
            leader=self.policy.leader(now),
            prefix=learner.prefix,
            learned_max=learner.learned_max,
            used_max=learner.used_max,
            next=Slot(learner.used_max + 1),
            holes=tuple(learner.holes(HOLES_SHOWN_MAX)),
            holes_count=learner.holes_count,
            recovering=self.parts.scanner.recovering,
            voting=lives.voting,
            voting_why=lives.why,
            mismatch="; also, ".join(filter(None, (self.belonging.mismatch, *lives.doubles.sentences(now)))) or None,
            hindered=self._hindered_at_all(now),
            unknown=self.parts.sessions.unknown,
            fresh_at=self.reads.confirmed_at,
            fill_at=self.filler.next_look(),
            peers=self.parts.peers.views(),
            attempts=tuple(attempt for attempt in attempts if attempt is not None),
            members=self.parts.consensus.lists(),
            removed=self.belonging.removed(self.parts.settings.site),
            replaced=tuple(lives.replaced(now)),
            outdated=tuple(lives.outdated()),
            doubled=tuple(peer for peer in self.parts.consensus.company() if lives.doubles.of(peer, now)),
        )

    def _quorum(self) -> QuorumView:
        return self.parts.consensus.quorum(self.lives.voting, self.parts.peers.voters_up)

    def attempt(self, slot: Slot) -> AttemptView | None:
        return self.parts.consensus.view(slot) or self.filler.view(slot)

    def fills(self, now: Tick) -> bool:
        """This site settles holes itself (D5, L3); else it asks those that do."""
        return self.lives.voting and self.policy.fills(now)

    def hindered(self, now: Tick, slots: Collection[Slot]) -> dict[Slot, str]:
        """What fault rules here do to whatever would settle these unlearned slots, for those that one keeps."""
        of_voters = self.hindrances.of_voters(now) if self._lacks_voters() else None
        return self.hindrances.of_slots(now, slots) if of_voters is None else dict.fromkeys(slots, of_voters)

    def situation(self, now: Tick) -> Situation:
        """Where this site's events stand, and what is in their way."""
        learner, site = self.parts.consensus.learner, self.parts.settings.site
        chosen: dict[int, tuple[Slot, Entry]] = {}
        if learner.learned_max > learner.prefix:
            for run in learner.learned(Slot(learner.prefix + 1), learner.learned_max):
                for slot, entry in run:
                    if entry.author == site:
                        chosen.setdefault(entry.number, (slot, entry))
        own = {
            entry.number: slot
            for part in self.parts.consensus.acceptor.votes
            for slot, entry in zip(slots_of(part.first, part.last), part.value.entries, strict=False)
            if entry.author == site
        }
        missing = Slot(learner.prefix + 1)
        used = learner.holes_count > 0
        counts = self._counts()
        return Situation(
            self._events_hindered(now),
            self._blocked(now),
            counts,
            missing,
            used,
            chosen,
            own,
            self.parts.last_in_effect,
        )

    def _blocked(self, now: Tick) -> str | None:
        barred = self._barred()
        if barred is not None:
            return barred
        if not self.parts.scanner.ready:
            return f"still finding out how far the log goes; {self._counts()}"
        stuck = self.policy.stuck(now)
        return None if stuck is None else f"{stuck}; {self._counts()}"

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
            return f"{named(have)} {has} it, but it has not arrived from there yet; {self._counts()}"
        leader = self.policy.leader(now)
        if leader is not None:
            return f"{leader} leads and has not settled it yet; {self._counts()}"
        later = f"the next leader settles it, or {self.parts.settings.site} itself if none appears"
        return f"no leader is heard; {later}; {self._counts()}"

    def _events_hindered(self, now: Tick) -> str | None:
        if self._lacks_voters():
            return self.hindrances.of_voters(now)
        if not self.parts.scanner.ready:
            return self.hindrances.of_question(now)
        return self.hindrances.of_events(now, self.parts.consensus.learner.prefix)

    def _hindered_at_all(self, now: Tick) -> str | None:
        """What this site's own fault rules keep from it, if it waits for anything: voters, a hole, an event."""
        hole = next(iter(self.parts.consensus.learner.holes(1)), None)
        if hole is not None and self.filler.seen_before(hole) and (said := self.hindered(now, (hole,)).get(hole)):
            return f"slot {hole}: {said}"
        if self._lacks_voters():
            return self.hindrances.of_voters(now)
        since = self.parts.sessions.waits_since
        return None if since is None or now < since + WAITS_FROM else self._events_hindered(now)

    def _lacks_voters(self) -> bool:
        quorum = self._quorum()
        return quorum.reachable < quorum.needed

    def _barred(self) -> str | None:
        """What keeps the site from settling anything at all."""
        if not self.lives.voting:
            return f"{self.parts.settings.site} does not vote: {self.lives.why}"
        return f"no quorum: {self._counts()}" if self._lacks_voters() else None

    def _counts(self) -> str:
        quorum = self._quorum()
        return f"{quorum.reachable} of {quorum.size} reachable, {quorum.needed} needed"


def _after(first: str | None, reason: str) -> str:
    return reason if first is None else f"{first}; {reason}"
