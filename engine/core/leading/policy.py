"""Who proposes what, and when: the one thing in which the leadership settings differ.

Rules that hold here:
- L4: whatever the policy, acceptors and learners are the same; sites of different settings stay safe together.
- A policy decides where the events of this site go, when it stands for election, and whether it settles holes itself
  (L3). What it says nothing of is as where nobody leads: each site settles what it misses, and knows no leader.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from engine.core.consensus import Consensus
from engine.core.events.sessions import Sessions
from engine.core.ids import NEVER, SiteId, Tick
from engine.core.log.scanner import Scanner
from engine.core.messages import Ask, HandOn, Heartbeat, Prepare
from engine.core.peers.heartbeats import NO_CLAIM, Claim, Peers
from engine.core.settings import Settings
from engine.core.step import Step


@dataclass(frozen=True, slots=True)
class Parts:
    """What a replica is made of, as far as policies work with it."""

    settings: Settings
    random: Random
    peers: Peers
    sessions: Sessions
    consensus: Consensus
    scanner: Scanner

    @property
    def last_in_effect(self) -> int:
        """This site's own last number in effect (E5)."""
        return self.consensus.microblog.last_in_effect(self.settings.site)


class Policy:
    """This one proposes nothing, follows nobody, and settles holes itself."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def push(self, step: Step) -> None:
        """Sends the events of this voter on their way."""

    def settled(self, step: Step) -> None:
        """Within a step: events of this site may have come to their end."""

    def hold(self) -> None:
        """This site may propose nothing for now: nothing of its events is due until they are pushed again."""

    def withdraw(self, step: Step) -> None:
        """This site is a learner (D5), and all its events are given up: has withdrawn what may have left (E5)."""

    def stuck(self, now: Tick) -> str | None:
        """Why events of this site do not get on, if the policy knows."""

    def tick(self, step: Step) -> None:
        """Does what is due."""

    def deadline(self) -> Tick:
        return NEVER

    def on_heartbeat(self, step: Step, sender: SiteId, message: Heartbeat) -> None:
        """A peer lives, and says what it knows of leaders."""

    def on_hand_on(self, step: Step, message: HandOn) -> None:
        """Who leads nothing leaves events to their author, who hands them on elsewhere (L4)."""

    def on_asked(self, sender: SiteId, message: Ask) -> None:
        """A peer misses these slots. One that does not vote cannot settle them (R3), and may be alone in knowing that
        they are used."""
        if sender not in self._parts.peers.voters_up:
            self._take_for_used(message)

    def _take_for_used(self, message: Ask) -> None:
        """From here on they are holes here too."""
        for _, last in message.spans:
            self._parts.consensus.learner.used(last)

    def on_promised(self, step: Step, prepare: Prepare) -> None:
        """This site promised a ballot of another. (Duels are waited out by the proposer, B4.)"""

    def claim(self, _step: Step) -> Claim:
        """What this site's heartbeats say of leadership."""
        return NO_CLAIM

    def fills(self, _now: Tick) -> bool:
        """This voter settles holes itself."""
        return True

    def leader(self, now: Tick) -> SiteId | None:
        """The leader that this site follows, itself included."""
