"""Who proposes what, and when: the one thing in which the leadership settings differ.

Rules that hold here:
- L4: whatever the policy, acceptors and learners are the same; sites of different settings stay safe together.
- A policy decides where the events of this site go, which answers belong to which of its ballots, and whether this site
  settles holes itself (L3).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

from engine.core.entry import Entry
from engine.core.events.sessions import Sessions
from engine.core.ids import SiteId, Slot, Tick
from engine.core.log.learner import Learner
from engine.core.log.microblog import Microblog
from engine.core.messages import Accepted, Ask, HandOn, Heartbeat, Promise, Refused
from engine.core.peers.heartbeats import Claim, Peers
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.synod.acceptor import Acceptor
from engine.core.synod.proposer import Proposer, Rounds
from engine.core.views import AttemptView


@dataclass(frozen=True, slots=True)
class Parts:
    """What a replica is made of, as far as policies work with it."""

    settings: Settings
    random: Random
    peers: Peers
    microblog: Microblog
    acceptor: Acceptor
    learner: Learner
    rounds: Rounds
    sessions: Sessions
    proposer: Proposer

    @property
    def last_in_effect(self) -> int:
        """This site's own last number in effect (E5)."""
        return self.microblog.last_in_effect(self.settings.site)


class Policy(Protocol):
    def tick(self, step: Step, caught_up: bool) -> None:
        """Does what is due. `caught_up`: this site knows how far the log goes, and is not copying it."""

    def push(self, step: Step, ready: bool) -> None:
        """Sends the events of this voter on their way. `ready`: the first scan since the start is done."""

    def withdraw(self, step: Step) -> None:
        """This site never votes again (D5), and all its events are given up: has withdrawn what may have left (E5)."""

    def deadline(self) -> Tick: ...

    def on_promise(self, step: Step, sender: SiteId, message: Promise) -> None: ...

    def on_accepted(self, step: Step, sender: SiteId, message: Accepted) -> None: ...

    def on_refused(self, step: Step, sender: SiteId, message: Refused) -> None: ...

    def on_heartbeat(self, step: Step, sender: SiteId, message: Heartbeat) -> None: ...

    def on_hand_on(self, step: Step, message: HandOn) -> None: ...

    def on_asked(self, message: Ask) -> None:
        """A peer misses these slots."""

    def on_promised(self, step: Step, message: Promise) -> None:
        """This site promised a ballot of another."""

    def on_learned(self, slot: Slot, entry: Entry) -> None: ...

    def on_applied(self, entry: Entry) -> None: ...

    def claim(self, step: Step) -> Claim:
        """What this site's heartbeats say of leadership."""

    def fills(self, now: Tick) -> bool:
        """This voter settles holes itself."""

    def leader(self, now: Tick) -> SiteId | None:
        """The leader that this site follows, itself included."""

    def view(self, slot: Slot) -> AttemptView | None:
        """What it does about a slot, beside the proposer's own attempts."""

    def aim(self) -> Slot | None:
        """The slot at which the event whose turn it is is being pushed."""

    def stuck(self, now: Tick) -> str | None:
        """Why events of this site do not get on, if the policy knows."""
