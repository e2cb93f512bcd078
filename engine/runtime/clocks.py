"""How far the wall clocks of peers are from this site's: asked for people alone. Nothing is ordered by it.

A question is a short datagram with a challenge drawn for it; the answer brings that back, with what the peer's clock
said.

Rules that hold here:
- What is told is how far they are apart at least: half of the way there and back is taken off, for nobody knows on
  which half the time went.
- W1: only the challenge of the question that is out counts, and once.
- A peer that is heard is asked at once, and again about once a minute; one that does not answer less and less often.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.core.ids import SiteId, Tick

ASK_EVERY: Final = Tick(60_000)
ASK_AGAIN_AFTER: Final = Tick(2_000)
"""Where nothing was answered yet; twice as long each time, ASK_EVERY at the most."""


@dataclass(slots=True)
class _Peer:
    due: Tick
    again_after: Tick = ASK_AGAIN_AFTER
    challenge: bytes | None = None
    asked: Tick = Tick(0)
    ahead_ms: int | None = None


class Clocks:
    def __init__(self, draw: Callable[[], bytes]) -> None:
        """`draw` makes a challenge that nobody can guess."""
        self._draw = draw
        self._peers: dict[SiteId, _Peer] = {}
        """Those that are heard."""

    def ahead_ms(self, peer: SiteId) -> int | None:
        """How far its clock is ahead of this site's, at least; below 0: behind it. None while that is not known."""
        asked = self._peers.get(peer)
        return None if asked is None else asked.ahead_ms

    def heard(self, now: Tick, peer: SiteId) -> None:
        """The peer is heard, and was not before."""
        self._peers[peer] = _Peer(due=now)

    def lost(self, peer: SiteId) -> None:
        self._peers.pop(peer, None)

    def answered(self, now: Tick, peer: SiteId, challenge: bytes, theirs_ms: int, ours_ms: int) -> None:
        """`ours_ms`: what this site's wall clock says at `now`."""
        asked = self._peers.get(peer)
        if asked is None or asked.challenge != challenge:
            return
        unsure_ms = (now - asked.asked + 1) // 2
        apart_ms = theirs_ms + unsure_ms - ours_ms
        asked.ahead_ms = max(0, apart_ms - unsure_ms) if apart_ms >= 0 else min(0, apart_ms + unsure_ms)
        asked.challenge = None
        asked.again_after = ASK_AGAIN_AFTER
        asked.due = Tick(now + ASK_EVERY)

    def due(self, now: Tick) -> list[tuple[SiteId, bytes]]:
        """Whom to ask now, each with a challenge."""
        questions: list[tuple[SiteId, bytes]] = []
        for site, peer in self._peers.items():
            if peer.due <= now:
                peer.challenge, peer.asked = self._draw(), now
                peer.due = Tick(now + peer.again_after)
                peer.again_after = Tick(min(2 * peer.again_after, ASK_EVERY))
                questions.append((site, peer.challenge))
        return questions

    def deadline(self) -> Tick | None:
        """When `due` is next needed."""
        due: Tick | None = None
        for peer in self._peers.values():
            if due is None or peer.due < due:
                due = peer.due
        return due
