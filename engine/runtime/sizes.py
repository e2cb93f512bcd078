"""How long the datagrams to each peer may be: found out by asking, never assumed (W4).

A question is a datagram of just the length that it asks about, with a challenge drawn for it and nothing else; the peer
sends the challenge back in a short one. An answer proves that datagrams of that length arrive there.

Rules that hold here:
- A peer begins with `first` bytes, and is asked about the longest length once it is heard; where that is not answered,
  about all of them, a bounded number of times. The longest that was answered holds.
- W1: only the challenge of a question that is out counts, and once: a replay proves nothing.
- What was proved is dropped when the peer is lost or its address changes. It is proved anew while long datagrams are
  used; where they are not answered any more, the longest that still is holds. Nothing is asked while none is sent.
- Where less than `first` arrives, and twice so, it is told (`narrow`): messages still get there, in more parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass, field
from typing import Final

from engine.core.ids import SiteId, Tick
from engine.datagram import DatagramSizes

ASK_EVERY: Final = Tick(500)
TRIES_MAX: Final = 4
"""How often one length is asked about; each round of questions ends after so many."""

PROVED_FOR: Final = Tick(2_000)
"""A long datagram that leaves later than that after the last proof has it proved anew."""

RETRY_AFTER: Final = Tick(600_000)
"""When to try the lengths again that did not arrive."""

RETRY_LACKING_AFTER: Final = Tick(60_000)
"""The same where less than the usual arrives, or nothing was answered."""

LACKING_ROUNDS: Final = 2
"""So many rounds in a row must have found less than the usual before it is told: one may be bad luck."""

LACKING_AGAIN_AFTER: Final = Tick(3_000)
"""How long after the one the next of these rounds begins."""


@dataclass(frozen=True, slots=True)
class Question:
    """To be sent as a datagram of `bytes` bytes."""

    peer: SiteId
    challenge: bytes
    bytes: int


@dataclass(slots=True)
class _Round:
    """Questions about some lengths, longest first; `answered` is the longest that was."""

    challenges: dict[bytes, int]
    due: Tick
    tries: int = 0
    answered: int | None = None


@dataclass(slots=True)
class _Peer:
    size: int
    up: bool = False
    round: _Round | None = None
    again_at: Tick | None = None
    proved_at: Tick = Tick(0)
    lacking_rounds: int = 0
    lacks: int | None = None


@dataclass(slots=True)
class Sizes:
    """`draw` makes a challenge that nobody can guess."""

    sizes: DatagramSizes
    peers: InitVar[Iterable[SiteId]]
    draw: Callable[[], bytes]
    _peers: dict[SiteId, _Peer] = field(default_factory=dict)

    def __post_init__(self, peers: Iterable[SiteId]) -> None:
        self.follow(peers)

    def follow(self, peers: Iterable[SiteId]) -> None:
        """From now on these are the peers: others are asked nothing, and get short datagrams."""
        self._peers = {peer: self._peers.get(peer) or _Peer(self.sizes.first) for peer in peers}

    def of(self, site: SiteId) -> int:
        """How long a datagram to this site may be."""
        peer = self._peers.get(site)
        return self.sizes.first if peer is None else peer.size

    @property
    def narrow(self) -> str | None:
        """To which peers the usual length does not arrive, and what to do, in words."""
        found = [(site, peer) for site, peer in self._peers.items() if peer.lacks is not None]
        if not found:
            return None
        told = ", ".join(f"{site} gets {peer.size} bytes" for site, peer in found)
        least = min(peer.size for _, peer in found)
        return (
            f"datagrams of {self.sizes.first} bytes do not arrive, shorter ones do: {told}; long messages go in more"
            f" parts. Have the network carry them (MTU, IP fragments), or write datagram_max_bytes: {least} in this"
            " site's sites file"
        )

    def heard(self, now: Tick, site: SiteId) -> None:
        """The peer is heard, and was not before."""
        peer = self._peers.get(site)
        if peer is not None:
            peer.up = True
            self._ask(peer, now, self.sizes.most)

    def lost(self, site: SiteId) -> None:
        if site in self._peers:
            self._peers[site] = _Peer(self.sizes.first)

    def moved(self, now: Tick, site: SiteId) -> None:
        """The peer is at another address: what was proved was proved of another path."""
        peer = self._peers.get(site)
        self.lost(site)
        if peer is not None and peer.up:
            self.heard(now, site)

    def sent(self, now: Tick, site: SiteId, length: int) -> None:
        """A datagram of this length left for the peer. Whatever is longer than the shortest may not arrive any more."""
        peer = self._peers.get(site)
        if peer is None or not peer.up or peer.round is not None or now - peer.proved_at <= PROVED_FOR:
            return
        if length > self.sizes.ladder[-1]:
            self._ask(peer, now, peer.size)

    def answered(self, now: Tick, site: SiteId, challenge: bytes) -> None:
        peer = self._peers.get(site)
        asked = None if peer is None else peer.round
        length = None if asked is None else asked.challenges.pop(challenge, None)
        if peer is None or asked is None or length is None:
            return
        asked.answered = max(length, asked.answered or 0)
        asked.challenges = {each: size for each, size in asked.challenges.items() if size > length}
        if not asked.challenges:
            self._conclude(peer, now, asked)

    def due(self, now: Tick) -> list[Question]:
        """The questions to be sent now."""
        questions: list[Question] = []
        for site, peer in self._peers.items():
            if peer.again_at is not None and peer.again_at <= now and peer.round is None:
                self._ask(peer, now, self.sizes.most)
            asked = peer.round
            if asked is None or asked.due > now:
                continue
            if asked.tries == TRIES_MAX:
                self._conclude(peer, now, asked)
                continue
            # A path that is as it should be costs one datagram: shorter ones follow when that is not answered.
            asked_about = list(asked.challenges.items())[: 1 if asked.tries == 0 else None]
            questions += [Question(site, challenge, size) for challenge, size in asked_about]
            asked.tries += 1
            asked.due = Tick(now + ASK_EVERY)
        return questions

    def deadline(self) -> Tick | None:
        """When `due` is next needed."""
        due: Tick | None = None
        for peer in self._peers.values():
            at = peer.again_at if peer.round is None else peer.round.due
            if at is not None and (due is None or at < due):
                due = at
        return due

    def _ask(self, peer: _Peer, now: Tick, longest: int) -> None:
        peer.again_at = None
        lengths = self.sizes.up_to(longest)
        if len(self.sizes.ladder) > 1:
            peer.round = _Round({self.draw(): size for size in lengths}, now)

    def _conclude(self, peer: _Peer, now: Tick, asked: _Round) -> None:
        """The longest that was answered holds. Where none was, nothing is known, and nothing is assumed."""
        peer.round = None
        peer.proved_at = now
        peer.size = asked.answered or min(peer.size, self.sizes.first)
        lacks = asked.answered is not None and asked.answered < self.sizes.first
        peer.lacking_rounds = peer.lacking_rounds + 1 if lacks else 0
        peer.lacks = self.sizes.first if peer.lacking_rounds >= LACKING_ROUNDS else None
        if lacks and peer.lacks is None:
            peer.again_at = Tick(now + LACKING_AGAIN_AFTER)
        elif lacks or asked.answered is None:
            peer.again_at = Tick(now + RETRY_LACKING_AFTER)
        elif peer.size < self.sizes.most:
            peer.again_at = Tick(now + RETRY_AFTER)
