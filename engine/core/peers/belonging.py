"""Belonging: who speaks with whom, as the log says; and what a site is told that belongs to it no more.

Rules that hold here:
- M1: a site speaks with who belongs to the lists above its prefix.
- M2: who belongs to none of them may be ahead of this site in the log, or behind, or removed. It may ask, and tell what
  is learned; nothing else is believed of it. Who votes by none of them proposes nothing here.
- M5: who was removed is told so by its own prefix. The others need it for what lies before, until a majority of those
  who vote in its place has that.
"""

from __future__ import annotations

from typing import Final

from engine.core.consensus import Consensus
from engine.core.effects import SawMembers, SawRemoved
from engine.core.ids import SiteId, Slot
from engine.core.messages import FROM_ANYBODY, Accept, Hello, Message, Packet, Prepare
from engine.core.peers.founders import Founders
from engine.core.peers.heartbeats import Peers
from engine.core.peers.lives import Lives
from engine.core.roster import Removed
from engine.core.settings import Settings
from engine.core.step import Step

_PROPOSALS: Final = frozenset({Prepare, Accept})


class Belonging:
    def __init__(self, settings: Settings, consensus: Consensus, peers: Peers, lives: Lives) -> None:
        self._founders = Founders(settings)
        self._consensus = consensus
        self._peers = peers
        self._lives = lives
        self._lists = consensus.lists()
        self._voters = frozenset[SiteId]()
        self._told: Removed | None = None
        self._follow()

    def start(self, step: Step) -> None:
        if self._consensus.members.changed:
            step.tell(SawMembers(self._lists))

    def on_applied(self, step: Step) -> None:
        """The prefix moved: perhaps the lists above it are others."""
        last = self._lists[-1]
        lasts = len(self._lists) == 1 or self._consensus.learner.prefix + 1 < last.first
        if self._consensus.members.newest is last and lasts:
            return
        self._lists = self._consensus.lists()
        self._follow()
        step.tell(SawMembers(self._lists))

    def greeted(self, step: Step, packet: Packet, message: Message) -> bool:
        """Takes one of the GREETINGS, of a cluster that began alike; True where it proves that its sender is there."""
        if isinstance(message, Hello) and not self._founders.began_alike(step, packet.sender, message):
            return False
        before = self._lives.present(packet.sender)
        is_there = self._lives.greeted(step, packet, message)
        if before not in (None, self._lives.present(packet.sender)):
            self._peers.begins_anew(packet.sender)
        return is_there

    def may_say(self, sender: SiteId, message: Message) -> bool:
        if type(message) in _PROPOSALS:
            return sender in self._voters
        return type(message) in FROM_ANYBODY or self._lives.knows(sender)

    def removed(self, site: SiteId) -> Removed | None:
        """Where the log says that this site was removed, and whether the others need it, as far as they told."""
        members = self._consensus.members
        slot = members.removed_at(site)
        if slot is None:
            return None
        if self._told is not None and self._told.slot == slot and not self._told.needed:
            return self._told
        first, newest = Slot(slot + members.lag), members.newest
        have = self._peers.reached(Slot(first - 1)).intersection(newest.sites)
        needed = self._consensus.learner.prefix < first - 1 or len(have) < newest.quorum
        return Removed(slot, first, needed)

    @property
    def mismatch(self) -> str | None:
        """Which peers are set up differently, in words (L4, M1)."""
        return "; also, ".join(filter(None, (self._peers.mismatch, self._founders.mismatch))) or None

    def tell(self, step: Step) -> None:
        """At the end of a step."""
        if self._told is None and not self._consensus.members.changed:
            return
        removed = self.removed(step.site)
        if removed != self._told:
            self._told = removed
            if removed is not None:
                step.tell(SawRemoved(removed))

    def _follow(self) -> None:
        self._voters = frozenset(site for each in self._lists for site in each.sites)
        company = self._consensus.company()
        self._peers.follow(company)
        self._lives.follow(company)
