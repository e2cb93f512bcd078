"""The policy `elected`: election, leader and courier together (L3).

Rules that hold here:
- A leader that no longer reaches a majority, or hears one of a higher ballot, steps down.
- Only the leader fills slots of its range; others ask it, and fill themselves only while no leader is heard.
- L4: nothing here is trusted by anybody: acceptors judge ballots alone, whatever the setting of their site.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from engine.core.courier import Courier, relayed
from engine.core.election import Election, Heard
from engine.core.entry import Entry
from engine.core.ids import SiteId, Slot, Tick
from engine.core.leader import Leader
from engine.core.learner import Learner
from engine.core.messages import HandOn, Heartbeat
from engine.core.microblog import Microblog
from engine.core.peers import Claim, Peers
from engine.core.proposer import Accepting, Proposer, Rounds
from engine.core.sessions import Sessions
from engine.core.settings import Settings
from engine.core.step import Step


class Elected:
    """`on_chosen(step, slot, accepting)` is called for each slot that a majority accepted at this leader's ballot."""

    def __init__(
        self,
        settings: Settings,
        *,
        rounds: Rounds,
        learner: Learner,
        proposer: Proposer,
        peers: Peers,
        sessions: Sessions,
        microblog: Microblog,
        random: Random,
        on_chosen: Callable[[Step, Slot, Accepting], None],
    ) -> None:
        self._settings = settings
        self._peers = peers
        self._microblog = microblog
        self._election = Election(settings, peers, random)
        self.leader = Leader(settings, rounds, learner, proposer, on_chosen)
        self._courier = Courier(settings, sessions, self._offer)

    def claim(self, now: Tick, voting: bool) -> Claim:
        """What this site's next heartbeats say."""
        election = self._election
        return Claim(self.leader.ballot, election.reaches(now, voting), election.hears(now))

    def follows(self, now: Tick) -> Heard | None:
        """The leader that this site gives its events to, itself included."""
        mine = self.leader.ballot
        return self._election.follows(now) if mine is None else Heard(mine, self._settings.site)

    def fills(self, now: Tick) -> bool:
        """This site settles holes itself."""
        return self.leader.ballot is not None or self._election.follows(now) is None

    def tick(self, step: Step, voting: bool, caught_up: bool) -> None:
        """`caught_up`: this site knows how far the log goes, and is not copying it."""
        leader, election = self.leader, self._election
        if leader.ballot is not None:
            outranked = election.hears(step.now)
            if outranked is not None and outranked > leader.ballot:
                leader.step_down(step, f"hears {outranked.site}, who leads with {outranked}")
            elif not election.reaches(step.now, voting):
                leader.step_down(step, "no majority hears it and is heard")
        leader.tick(step)
        if caught_up and election.stands(step.now, voting, leader.busy):
            leader.stand(step, Tick(step.now + election.timeout))

    def push(self, step: Step, voting: bool) -> None:
        """Hands on what waits, if there is a leader."""
        to = self.follows(step.now) if voting else None
        self._courier.push(step, to, self._microblog.last_in_effect(self._settings.site))

    def on_heartbeat(self, step: Step, sender: SiteId, message: Heartbeat) -> None:
        self._election.on_heartbeat(step, sender, message)

    def on_range_promised(self, step: Step) -> None:
        self._election.promised(step.now)

    def on_hand_on(self, step: Step, message: HandOn) -> None:
        """Events of a peer, or of the peer that could not reach the leader itself: one hop."""
        if self.leader.ballot is not None:
            for entry in message.entries:
                self._offer(step, entry)
            return
        heard = self._election.hears(step.now)
        if heard is not None:
            relayed(message, heard.site, step)

    def deadline(self) -> Tick:
        return min(self.leader.deadline(), self._courier.deadline(), self._election.deadline())

    def _offer(self, step: Step, entry: Entry) -> None:
        assert entry.author is not None
        self.leader.offer(step, entry, self._microblog.last_in_effect(entry.author))
