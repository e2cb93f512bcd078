"""Lives: which store a site runs on, and whether it may vote.

Rules that hold here:
- D5: a store has a random id (its life) and a commit number; peers record durably the newest they heard of both. Until
  it is a voter a site does not vote, propose, number events or count. Whoever remembers another life, or a later
  commit, answers `lost-disk`: the site is a learner from then on, durably.
- W1: a packet names both lives; another life's is dropped. A life is taken over only from a peer that answered a nonce
  of ours (a welcome to our hello, or a hello with our challenge as proof): a replay proves nothing.
- A hello is judged against what was remembered when its challenge was given out: later commits may overtake it. Each
  hello has a challenge of its own: one that an old duplicate brought out proves nothing of a store that came later.
- A peer that has not recorded this store since the start is told the commit number of the start: an old copy that has
  learned since what it lacked is as old as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from engine.core.effects import RejectedFor, SawProof, SawRejected, SawStanding, Send
from engine.core.ids import NEVER, Nonce, SiteId, StoreId, Tick, named, new_nonce
from engine.core.messages import GREETINGS, VOTES, Hello, Message, Packet, Verdict, Welcome
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.storage import PeerMemory, Standing, Stored, WritePeer, WriteStanding
from engine.core.value import Value

HELLO_EVERY_MAX: Final = Tick(4_000)
_NONCES_KEPT: Final = 8


class _Challenge(Value):
    """What a hello has to come back with; `commit` is what was remembered of the peer when it was given out."""

    proof: Nonce
    commit: int


@dataclass(slots=True)
class _Peer:
    """`life` is whom we talk to; `memory` is what we recorded durably: they differ once a peer lost its disk."""

    site: SiteId
    life: StoreId | None
    memory: PeerMemory | None
    said_life: StoreId | None = None  # of its last hello, proven or not: whom a welcome answers
    verdict: Verdict | None = None  # the peer's, to our last hello
    recorded: bool = False  # the peer recorded our life, on this start of ours
    nonces: list[Nonce] = field(default_factory=list)
    proof: Nonce | None = None  # the peer's challenge, for our next hello
    challenges: dict[Nonce, _Challenge] = field(default_factory=dict)  # ours, by the nonce of the peer's hello
    dirty: bool = False
    hello_at: Tick = Tick(0)
    hello_every: Tick = Tick(0)


class Lives:
    def __init__(self, settings: Settings, stored: Stored, random: Random) -> None:
        self._settings = settings
        self._random = random
        self.life = stored.life
        self.commit = stored.commit
        self._commit_at_start = stored.commit
        self._standing = stored.standing
        self._why = stored.standing_why
        self._confirmed = False
        self._peers = {
            site: _Peer(site, memory.life if memory else None, memory)
            for site in settings.peers
            for memory in [stored.peers.get(site)]
        }
        self._unanswered = list(self._peers.values())
        self._strangers = {peer.site for peer in self._peers.values() if peer.life is None}
        """The peers with no life yet to talk to."""
        self._unrecorded = {peer.site for peer in self._peers.values()}
        """The peers that have not recorded this store since the start: they are told the commit number of the start."""

    @property
    def voting(self) -> bool:
        """This process may vote: its store is admitted, and enough others confirmed it since the start (D5)."""
        return self._confirmed and self._standing is Standing.ADMITTED

    @property
    def why(self) -> str:
        """Why this site votes, or does not, in words."""
        if self._standing is Standing.LEARNER:
            return self._why
        if self.voting:
            return "voter"
        needed, answered = self._needed(), self._answers()
        if self._standing is Standing.NEW:
            said = f"new store: recorded by {_sites(answered)}, {needed} needed before it votes"
            if not self._strangers:
                return said
            unheard = f"{named(self._strangers)} {'was' if len(self._strangers) == 1 else 'were'} never heard"
            return f"{said}; {unheard}: each site has to be started once"
        return f"starting: {_sites(answered)} confirmed this store, {needed} needed before it votes"

    @property
    def lost(self) -> bool:
        """This site is a learner for good."""
        return self._standing is Standing.LEARNER

    def start(self, step: Step) -> None:
        for peer in self._peers.values():
            self._hello(step, peer)
        self._judge(step)

    def tick(self, step: Step) -> None:
        for peer in self._unanswered:
            if step.now >= peer.hello_at:
                self._hello(step, peer)

    def greet(self, step: Step, site: SiteId) -> None:
        """The peer is not heard. Perhaps one of us has another life than the other thinks, so that packets are dropped
        (W1): a hello finds out."""
        peer = self._peers[site]
        if peer.verdict is not None:
            self._judged(peer, None)
            peer.hello_every = Tick(0)
            self._hello(step, peer)

    def deadline(self) -> Tick:
        due = NEVER
        for peer in self._unanswered:
            due = min(due, peer.hello_at)
        return due

    def commit_for(self, to: SiteId) -> int:
        """The commit number that a packet to this peer tells."""
        return self._commit_at_start if to in self._unrecorded else self.commit

    def to_life(self, to: SiteId, messages: tuple[Message, ...]) -> StoreId | None:
        """Whom a packet addresses: a welcome answers the life that said hello, a first hello anybody."""
        peer = self._peers[to]
        for message in messages:
            if type(message) in GREETINGS:
                if isinstance(message, Welcome):
                    return peer.said_life
                if isinstance(message, Hello) and message.proof is None:
                    return None
        return peer.life

    def admits(self, step: Step, packet: Packet) -> bool:
        """W1: both lives are right. Keeps the newest commit number heard. (Hellos and welcomes are not asked this.)"""
        peer = self._peers[packet.sender]
        if packet.to_life != self.life or packet.life != peer.life:
            step.tell(SawRejected(RejectedFor.OTHER_LIFE, packet.sender))
            return False
        if peer.memory is not None and peer.memory.life == packet.life and peer.memory.commit < packet.commit:
            peer.memory = PeerMemory(peer.site, packet.life, packet.commit)
            peer.dirty = True
        return True

    def greeted(self, step: Step, packet: Packet, message: Message) -> bool:
        """Takes one of the GREETINGS; True where it proves that its sender is there now."""
        match message:
            case Hello():
                return self.on_hello(step, packet, message)
            case Welcome():
                return self.on_welcome(step, packet, message)
            case _:
                raise AssertionError(f"a {type(message).__name__} greets nobody")

    def on_hello(self, step: Step, packet: Packet, message: Hello) -> bool:
        """Answers with what is remembered; True where the hello proves that it is fresh."""
        peer = self._peers[packet.sender]
        peer.said_life = packet.life
        challenge = next((given for given in peer.challenges.values() if given.proof == message.proof), None)
        if challenge is None:
            step.send(peer.site, Welcome(message.nonce, Verdict.UNPROVEN, self._challenge(peer, message.nonce), ""))
            return False
        peer.challenges.clear()
        self._meet(step, peer, packet.life)
        me, memory = self._settings.site, peer.memory
        if memory is not None and memory.life != packet.life:
            reason = f"{me} remembers another store of {peer.site}: its disk was lost or replaced"
            step.send(peer.site, Welcome(message.nonce, Verdict.LOST_DISK, None, reason))
        elif memory is not None and challenge.commit > packet.commit:
            reason = (
                f"{me} heard commit {challenge.commit} of {peer.site}'s store, which is now at {packet.commit}:"
                " an old copy was put back"
            )
            step.send(peer.site, Welcome(message.nonce, Verdict.LOST_DISK, None, reason))
        else:
            if memory is None or memory.commit < packet.commit:
                peer.memory = PeerMemory(peer.site, packet.life, packet.commit)
                peer.dirty = False
                step.write(WritePeer(peer.memory))
            step.send(peer.site, Welcome(message.nonce, Verdict.RECORDED, None, ""))
        return True

    def on_welcome(self, step: Step, packet: Packet, message: Welcome) -> bool:
        """Takes the verdict; True where the welcome answers a hello of ours."""
        peer = self._peers[packet.sender]
        if packet.to_life != self.life or message.nonce not in peer.nonces:
            step.tell(SawRejected(RejectedFor.STALE_ANSWER, packet.sender))
            return False
        peer.nonces.clear()
        self._meet(step, peer, packet.life)
        peer.proof = message.challenge
        if message.verdict is Verdict.UNPROVEN:
            peer.hello_every = Tick(0)
            self._hello(step, peer)
            return True
        self._judged(peer, message.verdict)
        if message.verdict is Verdict.RECORDED:
            peer.recorded = True
            self._unrecorded.discard(peer.site)
            self._judge(step)
        elif self._standing is not Standing.LEARNER:
            self._standing = Standing.LEARNER
            self._why = f"lost-disk: {message.reason}. This site learns and serves, and never votes again"
            step.voting = self.voting
            step.write(WriteStanding(self._standing, self._why))
            step.tell(SawStanding(False, self._why))
        return True

    def remember(self, step: Step) -> None:
        """Writes the newest commit numbers heard beside whatever this step writes anyway."""
        if not step.effects.writes:
            return
        for peer in self._peers.values():
            if peer.dirty and peer.memory is not None:
                peer.dirty = False
                step.write_along(WritePeer(peer.memory))

    def hold_back(self, step: Step) -> None:
        """To a peer with no life yet to talk to goes nothing but greetings. To one that has not recorded this store
        since the start goes no vote: it would count it, and not know with which commit it came (D5). It asks again."""
        if not self._unrecorded or not step.effects.sends:
            return
        kept: list[Send] = []
        waiting: set[SiteId] = set()
        for send in step.effects.sends:
            if type(send.message) in GREETINGS:
                kept.append(send)
            elif send.to in self._unrecorded and type(send.message) in VOTES:
                waiting.add(send.to)
            elif send.to not in self._strangers:
                kept.append(send)
        step.effects.sends = kept
        for peer in self._unanswered:
            if peer.site in waiting:
                self._hello_soon(step, peer)

    def _needed(self) -> int:
        others = len(self._settings.peers)
        if self._standing is Standing.NEW:
            return (others + others // 2 + 1) // 2  # ceil((N-1+f)/2), f = floor((N-1)/2)
        return (others + 1) // 2  # floor(N/2)

    def _answers(self) -> int:
        return sum(peer.recorded for peer in self._peers.values())

    def _judge(self, step: Step) -> None:
        if self._confirmed or self._standing is Standing.LEARNER or self._answers() < self._needed():
            return
        self._confirmed = True
        step.voting = True
        if self._standing is Standing.NEW:
            self._standing = Standing.ADMITTED
            self._why = ""
            step.write(WriteStanding(self._standing, self._why))
        step.tell(SawStanding(True, self.why))

    def _hello(self, step: Step, peer: _Peer) -> None:
        nonce = new_nonce(self._random)
        peer.nonces = [*peer.nonces[-_NONCES_KEPT + 1 :], nonce]
        peer.hello_every = Tick(min(HELLO_EVERY_MAX, max(self._settings.timings.retransmit, peer.hello_every * 2)))
        peer.hello_at = Tick(step.now + peer.hello_every)
        step.send(peer.site, Hello(nonce, peer.proof))

    def _hello_soon(self, step: Step, peer: _Peer) -> None:
        """Hellos grow rarer while nobody answers. But this peer is there, and a vote for it is held back until it has
        answered: so the next hello leaves as soon as the first ones did."""
        said_at = peer.hello_at - peer.hello_every
        peer.hello_every = self._settings.timings.retransmit
        peer.hello_at = Tick(said_at + peer.hello_every)
        if step.now >= peer.hello_at:
            peer.hello_every = Tick(0)
            self._hello(step, peer)

    def _judged(self, peer: _Peer, verdict: Verdict | None) -> None:
        """This is the peer's verdict to our last hello, None: there is none yet, and we go on saying hello."""
        peer.verdict = verdict
        self._unanswered = [peer for peer in self._peers.values() if peer.verdict is None]

    def _meet(self, step: Step, peer: _Peer, life: StoreId) -> None:
        """The peer proved that this is its life."""
        peer.life = life
        self._strangers.discard(peer.site)
        step.tell(SawProof(peer.site))

    def _challenge(self, peer: _Peer, hello: Nonce) -> Nonce:
        if hello not in peer.challenges:
            while len(peer.challenges) >= _NONCES_KEPT:
                del peer.challenges[next(iter(peer.challenges))]
            peer.challenges[hello] = _Challenge(
                new_nonce(self._random), 0 if peer.memory is None else peer.memory.commit
            )
        return peer.challenges[hello].proof


def _sites(count: int) -> str:
    return "1 other site" if count == 1 else f"{count} other sites"
