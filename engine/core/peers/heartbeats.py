"""Peers: who is heard, how far away and how far along each is.

Rules that hold here:
- A heartbeat is never answered; round trips are read off its echo. One that is nearly due leaves when another site's
  comes, so that sites fall into one beat, and an idle site wakes once a beat instead of once a peer.
- What a peer claims (its prefix, its highest used slot) makes this site ask, never believe (R6).
- Only voters count as reachable (D5).
- It beats for its company, whoever that is by the log (M1); for another site, while it is heard: who was removed, or is
  not known here yet, is told that way how far the log goes (M5).
- A silence is judged by the longer of both heartbeat intervals, this site's and the one that the peer told.
- L4: a peer of another leadership setting or heartbeat interval is safe, and shown as a mismatch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from engine.core.effects import SawPeer
from engine.core.ids import Ballot, SiteId, Slot, Tick
from engine.core.messages import Heartbeat
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.value import Value
from engine.core.views import PeerView

UP_BEATS: Final = 4
"""A peer is up while it was heard within so many heartbeats, the slower one's."""

LEADING_BEATS: Final = 2
"""How many times as often a leader beats: the others wait for it (L3), and nobody else's silence is that urgent."""

LEADER_SPARED_SLOTS: Final = 4_096


@dataclass(slots=True)
class _Peer:
    site: SiteId
    up: bool = False
    heard: Tick | None = None
    voting: bool | None = None
    rtt_ms: int | None = None
    prefix: Slot | None = None
    used_max: Slot = Slot(0)
    echoed: Tick | None = None  # our clock, when we sent the newest of our heartbeats that it heard
    leadership: str | None = None
    leads: bool = False
    every: Tick | None = None  # the heartbeat interval that it told
    sent: Tick | None = None  # its clock, when it sent the newest heartbeat that came ...
    sent_heard: Tick = Tick(0)  # ... and ours then


class Claim(Value):
    """What a heartbeat says of leadership (L3): the range ballot its sender leads with, whether it reaches a majority
    of voters both ways, and the ballot of the live leader that it hears itself."""

    leads: Ballot | None
    reaches: bool
    hears: Ballot | None


NO_CLAIM: Final = Claim(None, False, None)


class Peers:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._peers: dict[SiteId, _Peer] = {}
        self._company: frozenset[SiteId] = frozenset()
        self._beat_at = Tick(0)
        self.follow(settings.peers)

    def follow(self, company: Iterable[SiteId]) -> None:
        """These are the peers of this site now."""
        self._company = frozenset(company)
        for site in sorted(self._company - self._peers.keys()):
            self._peers[site] = _Peer(site)
        self._peers = dict(sorted(self._peers.items()))

    def heard(self, step: Step, site: SiteId) -> None:
        peer = self._peers.get(site)
        if peer is None:
            peer = self._peers[site] = _Peer(site)
        peer.heard = step.now
        if not peer.up:
            peer.up = True
            step.tell(SawPeer(site, True))

    def on_heartbeat(self, step: Step, site: SiteId, message: Heartbeat) -> None:
        peer = self._peers[site]
        peer.voting = message.voting
        peer.leadership = message.leadership
        peer.leads = message.leads is not None
        peer.every = message.every_ms
        self.claims(site, message.prefix, message.used_max)
        peer.sent = message.sent
        peer.sent_heard = step.now
        if self._beat_at - step.now <= self._settings.timings.heartbeat // 4:
            self._beat_at = min(self._beat_at, step.now)
        if message.echo is not None and message.echo <= step.now:
            peer.echoed = message.echo
        if (rtt_ms := message.round_trip(step.now)) is not None:
            peer.rtt_ms = rtt_ms

    def begins_anew(self, site: SiteId) -> None:
        """It runs on another store, which has said nothing of itself yet (D5)."""
        peer = self._peers.get(site)
        if peer is not None:
            self._peers[site] = _Peer(site, peer.up, peer.heard)

    def claims(self, site: SiteId, prefix: Slot, used_max: Slot) -> None:
        """The peer says how far along it is; a reason to ask it, no more."""
        peer = self._peers.get(site)
        if peer is not None:
            peer.prefix = prefix
            peer.used_max = used_max

    def every(self, site: SiteId) -> Tick:
        """The longer of both heartbeat intervals: a peer of a longer one cannot be heard as often as this site beats,
        and hears this site no more often than it answers."""
        return self._every(self._peers[site])

    def linked(self, now: Tick) -> frozenset[SiteId]:
        """The voters that are heard and hear this site, both within the time for which a peer is up."""
        return frozenset(
            p.site
            for p in self._peers.values()
            if p.up and p.voting is True and p.echoed is not None and now - p.echoed <= UP_BEATS * self._every(p)
        )

    @property
    def voters_up(self) -> frozenset[SiteId]:
        """Those that are heard."""
        return frozenset(peer.site for peer in self._peers.values() if peer.up and peer.voting is True)

    def reached(self, slot: Slot) -> frozenset[SiteId]:
        """Who said that its prefix has come to this slot."""
        return frozenset(p.site for p in self._peers.values() if p.prefix is not None and p.prefix >= slot)

    def tick(self, step: Step, prefix: Slot, used_max: Slot, claims: Callable[[Step], Claim]) -> list[SiteId]:
        """Sends the heartbeats that are due, with what `claims(step)` says of leadership; returns the peers that are
        not heard any more, at each beat."""
        if step.now < self._beat_at:
            return []
        claim, every = claims(step), self._settings.timings.heartbeat
        self._beat_at = Tick(step.now + (every if claim.leads is None else every // LEADING_BEATS))
        silent: list[SiteId] = []
        for peer in list(self._peers.values()):
            if peer.heard is None or step.now - peer.heard > UP_BEATS * self._every(peer):
                silent.append(peer.site)
                if peer.up:
                    peer.up = False
                    step.tell(SawPeer(peer.site, False))
                if peer.site not in self._company:
                    del self._peers[peer.site]
                    continue
            held_ms = 0 if peer.sent is None else step.now - peer.sent_heard
            leadership = self._settings.leadership
            step.send(
                peer.site,
                Heartbeat(
                    leadership,
                    step.voting,
                    prefix,
                    used_max,
                    step.now,
                    peer.sent,
                    held_ms,
                    every,
                    claim.leads,
                    claim.reaches,
                    claim.hears,
                ),
            )
        return silent

    def beat_now(self, now: Tick) -> None:
        """Something changed that the others should hear at once."""
        self._beat_at = now

    def deadline(self) -> Tick:
        return self._beat_at

    @property
    def up(self) -> tuple[SiteId, ...]:
        return tuple(peer.site for peer in self._peers.values() if peer.up)

    def ahead_of(self, prefix: Slot) -> list[SiteId]:
        """The peers that are up and claim a longer prefix, the longest first; who leads, for it has most to do, comes
        after those that have nearly as much."""
        ahead = [
            (LEADER_SPARED_SLOTS * peer.leads - peer.prefix, peer.site)
            for peer in self._peers.values()
            if peer.up and peer.prefix is not None and peer.prefix > prefix
        ]
        return [site for _, site in sorted(ahead)]

    def used_above(self, slot: Slot) -> bool:
        """A peer that is up claims that a higher slot than this is used."""
        return any(peer.up and peer.used_max > slot for peer in self._peers.values())

    @property
    def mismatch(self) -> str | None:
        """L4: which peers run another leadership setting or heartbeat interval than this site, in words."""
        mine, every = self._settings.leadership, self._settings.timings.heartbeat
        said: list[str] = []
        if others := [p for p in self._peers.values() if p.leadership not in (None, mine)]:
            theirs = ", ".join(f"{p.site} runs {p.leadership}" for p in others)
            said.append(
                f"this site runs leadership {mine}, but {theirs}: safe, but slower; write the same setting in every"
                " sites file"
            )
        if others := [p for p in self._peers.values() if p.every not in (None, every)]:
            theirs = ", ".join(f"{p.site}'s is {p.every}" for p in others)
            said.append(
                f"this site's heartbeat_ms is {every}, but {theirs}: safe, but a site that stops is noticed later;"
                " write the same heartbeat_ms in every sites file"
            )
        return "; also, ".join(said) or None

    def _every(self, peer: _Peer) -> Tick:
        mine = self._settings.timings.heartbeat
        return mine if peer.every is None else max(mine, peer.every)

    def views(self) -> tuple[PeerView, ...]:
        return tuple(PeerView(p.site, p.up, p.voting, p.rtt_ms, p.heard, p.prefix) for p in self._peers.values())
