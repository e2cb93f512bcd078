"""The policy `elected`: election, leader and forwarder together (L3).

Rules that hold here:
- A leader that no longer reaches a majority, or hears one of a higher ballot, steps down. So does one whose proposal at
  a slot gets no majority for long while one is heard: what it says there may not arrive from where it is (W4).
- Only the leader fills slots of its range; others ask it, and fill themselves only where no leader was heard for long.
  An election settles all that a dead leader left at once; duels of all sites over each slot would only delay it.
- L4: nothing here is trusted by anybody: acceptors judge ballots alone, whatever the setting of their site.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.core.ids import Ballot, SiteId, Tick
from engine.core.leading.election import Election, Heard
from engine.core.leading.forwarder import Forwarder, relayed
from engine.core.leading.policy import Parts, Policy
from engine.core.messages import Ask, HandOn, Heartbeat, Prepare
from engine.core.peers.heartbeats import Claim
from engine.core.step import Step
from engine.core.synod.proposer import RESEND_MAX

FILLS_AFTER_TIMEOUTS: Final = 10
"""Without a leader for so many election timeouts, a site fills holes itself."""

GIVES_WAY_TIMEOUTS: Final = 8
"""For so many election timeouts a leader tries to settle a slot before it gives way; and long enough to have said it
again several times."""


class Elected(Policy):
    """`ask(step)` asks the others for what is missing here."""

    def __init__(self, parts: Parts, ask: Callable[[Step], None]) -> None:
        super().__init__(parts)
        self._site = parts.settings.site
        self._election = Election(parts.settings, parts.consensus, parts.peers, parts.random)
        self._leader = parts.consensus.leader
        self._forwarder = Forwarder(parts.settings, parts.sessions, self._leader.offer, ask)
        said_again = 2 * max(RESEND_MAX, 2 * parts.settings.timings.retransmit)
        self._patience = Tick(max(GIVES_WAY_TIMEOUTS * self._election.timeout, said_again))
        self._said: Ballot | None = None
        self._led_at = Tick(0)

    def tick(self, step: Step) -> None:
        leader, election = self._leader, self._election
        election.tick(step)
        if leader.ballot is not None:
            outranked = election.hears(step.now)
            if outranked is not None and outranked > leader.ballot:
                leader.step_down(step, f"hears {outranked.site}, who leads with {outranked}")
            elif not election.reaches(step):
                leader.step_down(step, "it no longer reaches a majority")
            elif (slot := leader.stuck(step.now, self._patience)) is not None:
                why = f"slot {slot} gets no majority although one is heard: another leader may get it"
                leader.step_down(step, why)
                election.give_way(step.now)
            elif (first := leader.outlived) is not None or not self._may_lead:
                since = "now" if first is None else f"from slot {first} on"
                leader.step_down(step, f"the log says that other sites vote {since}")
                if self._may_lead:
                    leader.stand(step, election.patience)
        elif leader.busy and not (step.voting and self._may_lead):
            leader.step_down(step, "it no longer votes")
        leader.tick(step)
        if self._follows(step.now) is not None:
            self._led_at = step.now
        # `stands` clears the moment that has come, so it is asked whatever else is so: a moment that stayed would be
        # this site's deadline for ever, and wake it again and again.
        leads, caught_up = leader.ballot is not None, self._parts.scanner.caught_up and self._may_lead
        if election.stands(step, caught_up=caught_up, leading=leads, standing=leader.busy and not leads):
            leader.stand(step, election.patience)

    @property
    def _may_lead(self) -> bool:
        """It may propose (M4)."""
        return self._parts.consensus.proposes_through() > self._parts.consensus.learner.prefix

    def push(self, step: Step) -> None:
        """Hands on what waits, if there is a leader; a change of this site's own leading is told at once."""
        self._forwarder.push(step, self._follows(step.now), self._parts.last_in_effect)
        if self._leader.ballot != self._said:
            self._said = self._leader.ballot
            self._parts.peers.beat_now(step.now)

    def hold(self) -> None:
        self._forwarder.hold()

    def withdraw(self, step: Step) -> None:
        """What was handed on may be proposed by any leader, and this site is a learner (D5). So withdrawals are
        handed on in its place: they give out no new number, and are void wherever the event or a later one took effect
        (E5)."""
        self._forwarder.push(step, self._follows(step.now), self._parts.last_in_effect)

    def deadline(self) -> Tick:
        return min(self._leader.deadline(), self._forwarder.deadline(), self._election.deadline())

    def on_heartbeat(self, step: Step, sender: SiteId, message: Heartbeat) -> None:
        self._election.on_heartbeat(step, sender, message)

    def on_hand_on(self, step: Step, message: HandOn) -> None:
        """A leader takes the events. Another site passes them to the leader that it hears, if they came from their
        author: an event has one hop, so that it cannot go in circles."""
        if self._leader.ballot is not None:
            self._leader.offer(step, message.entries)
            return
        heard = self._election.hears(step.now)
        if heard is not None:
            relayed(message, heard.site, step)

    def on_asked(self, _sender: SiteId, message: Ask) -> None:
        """L3: others do not fill, they ask the leader for what they miss, and it fills that."""
        if self._leader.ballot is not None:
            self._take_for_used(message)

    def on_promised(self, step: Step, prepare: Prepare) -> None:
        """An election of another is under way: it may take its time."""
        if prepare.last is None:
            self._election.promised(step.now)

    def claim(self, step: Step) -> Claim:
        return Claim(self._leader.ballot, self._election.reaches(step), self._election.hears(step.now))

    def fills(self, now: Tick) -> bool:
        leaderless = now - self._led_at
        return self._leader.ballot is not None or leaderless > FILLS_AFTER_TIMEOUTS * self._election.timeout

    def leader(self, now: Tick) -> SiteId | None:
        followed = self._follows(now)
        return None if followed is None else followed.ballot.site

    def stuck(self, now: Tick) -> str | None:
        followed = self._follows(now)
        if followed is None:
            return "no leader is heard"
        if self._parts.consensus.learner.holes_count:
            return None
        return f"{followed.ballot.site} leads, but it is not in the log yet"

    def _follows(self, now: Tick) -> Heard | None:
        """The leader to hand events to, itself included."""
        mine = self._leader.ballot
        return self._election.follows(now) if mine is None else Heard(mine, self._site)
