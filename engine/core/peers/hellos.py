"""Hellos: when a site asks the others what they remember of its store (D5).

Rules that hold here:
- A peer is asked until it has given its verdict: ever more rarely, and at once where it is seen to be there.
"""

from __future__ import annotations

from random import Random
from typing import Final

from engine.core.ids import NEVER, SiteId, Tick, new_nonce
from engine.core.messages import Hello, Verdict
from engine.core.peers.company import NONCES_KEPT, Company, Peer
from engine.core.settings import Settings
from engine.core.step import Step

HELLO_EVERY_MAX: Final = Tick(4_000)


class Hellos:
    """`unanswered`: the peers that have not given their verdict."""

    def __init__(self, settings: Settings, company: Company, random: Random) -> None:
        self._settings = settings
        self._company = company
        self._random = random
        self.unanswered = company.without_verdict()

    def follow(self) -> None:
        """The company is another one. To who is new in it hello is said when next it may."""
        self.unanswered = self._company.without_verdict()

    def start(self, step: Step) -> None:
        for peer in self._company.without_verdict():
            self.say(step, peer)

    def tick(self, step: Step) -> None:
        for peer in self.unanswered:
            if step.now >= peer.hello_at:
                self.say(step, peer)

    def deadline(self) -> Tick:
        return min([peer.hello_at for peer in self.unanswered]) if self.unanswered else NEVER

    def greet(self, step: Step, site: SiteId) -> None:
        """The peer is not heard. Perhaps one of us has another life than the other thinks, so that packets are dropped
        (W1): a hello finds out."""
        peer = self._company.get(site)
        if peer is not None and site in self._company.names and peer.verdict is not None:
            self.judged(peer, None)
            peer.hello_every = Tick(0)
            self.say(step, peer)

    def say(self, step: Step, peer: Peer) -> None:
        nonce = new_nonce(self._random)
        peer.nonces = [*peer.nonces[-NONCES_KEPT + 1 :], nonce]
        peer.hello_every = Tick(min(HELLO_EVERY_MAX, max(self._settings.timings.retransmit, peer.hello_every * 2)))
        peer.hello_at = Tick(step.now + peer.hello_every)
        step.send(peer.site, Hello(nonce, peer.proof, self._settings.founders))

    def say_soon(self, step: Step, peer: Peer) -> None:
        """Hellos grow rarer while nobody answers. But this peer is there, and a vote for it is held back until it has
        answered: so the next hello leaves as soon as the first ones did."""
        said_at = peer.hello_at - peer.hello_every
        peer.hello_every = self._settings.timings.retransmit
        peer.hello_at = Tick(said_at + peer.hello_every)
        if step.now >= peer.hello_at:
            peer.hello_every = Tick(0)
            self.say(step, peer)

    def ask_again(self, step: Step, peer: Peer) -> None:
        """The peer, or this site, is behind in the log; after a while it says hello again."""
        self.judged(peer, None)
        peer.hello_at = Tick(step.now + HELLO_EVERY_MAX // 4)

    def judged(self, peer: Peer, verdict: Verdict | None) -> None:
        """This is the peer's verdict to our last hello, None: there is none yet, and we go on saying hello."""
        peer.verdict = verdict
        self.unanswered = self._company.without_verdict()
