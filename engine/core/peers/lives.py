"""Lives: which store a site runs on, and whether it may vote.

Rules that hold here:
- D5: a store has a random id (its life) and a commit number; peers record durably the newest they heard of both. Until
  it is a voter a site does not vote, propose, number events or count. Whoever remembers another life, or a later
  commit, answers `lost-disk`: the site is a learner from then on, durably.
- W1: a packet names both lives; another life's is dropped. A life is taken over only from a peer that answered a nonce
  of ours (a welcome to our hello, or a hello with our challenge as proof): a replay proves nothing.
- A hello is judged against what was remembered when its challenge was given out: later commits may overtake it. Each
  hello has a challenge of its own: one that an old duplicate brought out proves nothing of a store that came later.
- M4: a store that the log admits becomes a voter with the entry that says so, once enough others confirm it, as at each
  start. That somebody calls it a lost disk is not the last word: he may be behind in the log. He is asked again.
- D5: an old copy stays a learner, also if the log names it as a voter: asked for by somebody who never heard of a later
  commit. What its store promised since is forgotten, and counted under the same id. (A store that stood back because
  the log replaced it by another has forgotten nothing, and may vote again.)
- A store that the log admitted remembers nothing of before, and of one that it admits nobody remembers what was there
  before: so that is only noted, which admits no new store.
- M1: its company is who belongs to the lists above its prefix. Of a stranger, who says hello and is in none of them,
  nothing is kept but until the next start, and it is told so: one of both is behind in the log. It asks again.
- M5: a store that the log removed is a learner from its last slot on; one of a site that the log added becomes a voter
  by its promotion alone, never by D5.
- A peer that has not recorded this store since the start is told the commit number of the start: an old copy that has
  learned since what it lacked is as old as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from engine.core.effects import RejectedFor, SawProof, SawRejected, SawStanding, Send
from engine.core.entry import Promote, Readmit, decode
from engine.core.ids import Nonce, SiteId, Slot, StoreId, Tick, named, new_nonce
from engine.core.log.members import Members
from engine.core.messages import GREETINGS, VOTES, Hello, Message, Packet, Verdict, Welcome
from engine.core.peers.company import NONCES_KEPT, Challenge, Company, Peer
from engine.core.peers.doubles import Doubles
from engine.core.peers.hellos import Hellos
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.storage import Change, Loss, PeerMemory, Standing, Stored, WritePeer, WriteStanding


class Lives:
    def __init__(self, settings: Settings, members: Members, stored: Stored, random: Random) -> None:
        self._settings = settings
        self._members = members
        self._random = random
        self.life = stored.life
        self.commit = stored.commit
        self._commit_at_start = stored.commit
        self._standing = stored.standing
        self._why = stored.standing_why
        self._loss = stored.loss
        self._confirmed = False
        self._prefix = stored.prefix
        self._company = Company(settings, stored.peers)
        self.hellos = Hellos(settings, self._company, random)
        self._anew = set[SiteId]()
        """The peers whose store the log has changed, or that judged before the log admitted this one: no vote goes to
        them before they record it."""

    def follow(self, company: Iterable[SiteId]) -> None:
        """These are the peers of this site now. To new ones it says hello when next it may."""
        self._company.follow(company)
        self.hellos.follow()

    def present(self, site: SiteId) -> StoreId | None:
        """The store that a site proved to run on last; None where it never did."""
        if site == self._settings.site:
            return self.life
        peer = self._company.get(site)
        return None if peer is None else peer.life

    def knows(self, site: SiteId) -> bool:
        return site in self._company.names

    def replaced(self, now: Tick) -> list[SiteId]:
        """Who runs on another store than is remembered of it, and waits to be readmitted."""
        mine = [self._settings.site] if self.lost and not self._is_outdated else []
        return [*self._company.replaced(self._members, now), *mine]

    def outdated(self) -> list[SiteId]:
        """Who runs on a store that has voted, and does not vote again."""
        mine = [self._settings.site] if self._is_outdated else []
        return [*self._company.outdated(self._members), *mine]

    @property
    def doubles(self) -> Doubles:
        return self._company.doubles

    @property
    def replaced_at(self) -> Slot | None:
        """The last slot at which this store votes, where the log put another one in its place (M4)."""
        return self._members.last_of(self._settings.site, self.life)

    @property
    def voting(self) -> bool:
        """This process may vote: its store is admitted, and enough others confirmed it since the start (D5)."""
        return self._confirmed and self._standing in (Standing.ADMITTED, Standing.READMITTED)

    @property
    def why(self) -> str:
        """Why this site votes, or does not, in words."""
        if self.voting:
            return "voter"
        learns = self._learns()
        if learns is not None or self._standing is Standing.LEARNER:
            return learns or self._why
        needed, answered = self._lacking() or (0, 0)
        if self._standing is Standing.NEW:
            said = f"new store: recorded by {_sites(answered)}, {needed} needed before it votes"
            if not (unmet := self._company.unmet & self._company.names):
                return said
            unheard = f"{named(unmet)} {'was' if len(unmet) == 1 else 'were'} never heard from"
            return f"{said}; {unheard}: each site must be started once"
        return f"starting: {_sites(answered)} confirmed this store, {needed} needed before it votes"

    @property
    def lost(self) -> bool:
        return self._standing is Standing.LEARNER

    @property
    def only_learns(self) -> bool:
        """Nothing that is under way makes it a voter: what is submitted here waits for nothing. (One that belongs to no
        list that is known here may be behind in the log, and waits.)"""
        member = self._members.newest.of(self._settings.site)
        return self.lost if member is None or member.votes else member.wanted_since is None

    @property
    def _is_outdated(self) -> bool:
        """No readmission lets it vote: it is an old copy, or the log has named it already (M3)."""
        is_named = self._members.admits(self._settings.site, self.life)
        return self._is_old_copy or (self._loss is Loss.OLD_STORE and is_named)

    def _learns(self) -> str | None:
        """Why it learns and no more, where that is no loss: the log has it as a learner, or has not heard of it."""
        me, member = self._settings.site, self._members.newest.of(self._settings.site)
        if member is not None and not member.votes:
            then = "is promoted" if member.wanted_since is None else "has the log and is promoted"
            return f"a learner, as the log says; it votes once it {then}"
        if member is None and not self._members.has_voted(me):
            return f"as far as {me} knows, it does not belong to the cluster yet: add it at a site that votes"
        return None

    def start(self, step: Step) -> None:
        self.hellos.start(step)
        self._judge(step)

    def commit_for(self, to: SiteId) -> int:
        """The commit number that a packet to this peer tells."""
        return self._commit_at_start if to in self._company.unrecorded else self.commit

    def to_life(self, to: SiteId, messages: tuple[Message, ...]) -> StoreId | None:
        """Whom a packet addresses: a welcome answers the life that said hello, a first hello anybody."""
        peer = self._company.met(to)
        for message in messages:
            if type(message) in GREETINGS:
                if isinstance(message, Welcome):
                    return peer.said_life
                if isinstance(message, Hello) and message.proof is None:
                    return None
        return peer.life

    def admits(self, step: Step, packet: Packet) -> bool:
        """W1: both lives are right. Keeps the newest commit number heard. (Hellos and welcomes are not asked this.)"""
        peer = self._company.get(packet.sender)
        if peer is None or packet.to_life != self.life or packet.life != peer.life:
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
        if not self._company.has_room_for(packet.sender):
            step.tell(SawRejected(RejectedFor.STRANGER, packet.sender))
            return False
        peer = self._company.met(packet.sender)
        peer.said_life = packet.life
        challenge = next((given for given in peer.challenges.values() if given.proof == message.proof), None)
        if challenge is None:
            warning, proof = self.doubles.warning(peer.site, step.now), self._challenge(peer, message.nonce)
            step.send(peer.site, Welcome(message.nonce, Verdict.UNPROVEN, proof, warning))
            return False
        peer.challenges.clear()
        self._meet(step, peer, packet.life)
        me, memory = self._settings.site, peer.memory
        if peer.site not in self._company.names:
            reason = f"{peer.site} is not in {me}'s list of sites"
            step.send(peer.site, Welcome(message.nonce, Verdict.STRANGER, None, reason))
        elif memory is not None and memory.life != packet.life:
            reason = f"{me} remembers another store of {peer.site}: its disk was lost or replaced"
            is_needed = self._members.of(peer.site, memory.life)[0] > self._prefix + 1  # until the other one votes (M4)
            verdict = Verdict.STRANGER if is_needed else Verdict.LOST_DISK
            step.send(peer.site, Welcome(message.nonce, verdict, None, reason))
        elif memory is not None and challenge.commit > packet.commit:
            reason = (
                f"{me} heard commit {challenge.commit} of {peer.site}'s store, which is now at {packet.commit}:"
                " an old copy was put back"
            )
            peer.is_old_copy = True
            named = self._members.admits(peer.site, packet.life)
            verdict = Verdict.OLD_COPY if named else Verdict.LOST_DISK
            step.send(peer.site, Welcome(message.nonce, verdict, None, reason))
        else:
            peer.is_old_copy = False
            if memory is None or memory.commit < packet.commit:
                peer.memory = PeerMemory(peer.site, packet.life, packet.commit)
                peer.dirty = False
                step.write(WritePeer(peer.memory))
            verdict = Verdict.NOTED if self._can_only_note(peer, packet.life) else Verdict.RECORDED
            step.send(peer.site, Welcome(message.nonce, verdict, None, ""))
        return True

    def _can_only_note(self, peer: Peer, life: StoreId) -> bool:
        """It cannot know what was there before this life of the peer's."""
        came_later = self._settings.site not in self._members.founders
        return came_later or self._standing is Standing.READMITTED or self._members.admits(peer.site, life)

    def on_welcome(self, step: Step, packet: Packet, message: Welcome) -> bool:
        """Takes the verdict; True where the welcome answers a hello of ours."""
        peer = self._company.get(packet.sender)
        if peer is None or packet.to_life != self.life or message.nonce not in peer.nonces:
            step.tell(SawRejected(RejectedFor.STALE_ANSWER, packet.sender))
            return False
        peer.nonces.clear()
        self._meet(step, peer, packet.life)
        peer.proof = message.challenge
        if message.verdict is Verdict.UNPROVEN:
            self.doubles.told(peer.site, message.reason, step.now)
            peer.hello_every = Tick(0)
            self.hellos.say(step, peer)
            return True
        self.hellos.judged(peer, message.verdict)
        if message.verdict in (Verdict.RECORDED, Verdict.NOTED):
            peer.recorded, peer.noted, peer.recorded_on = True, message.verdict is Verdict.NOTED, packet.life
            self._company.unrecorded.discard(peer.site)
            self._anew.discard(peer.site)
            self._judge(step)
        elif message.verdict is Verdict.STRANGER or (message.verdict is Verdict.LOST_DISK and not self._is_of_d5()):
            self.hellos.ask_again(step, peer)
        elif self._standing is not Standing.LEARNER:
            self._learn_only(step, self._lost_as, message.reason)
        return True

    def on_change(self, step: Step, change: Change) -> bool:
        """The log says that a site votes with this store (M4); True where it is this site. From now on that is
        remembered; and whatever the site recorded of this one, another store of it did."""
        operation = decode(change.body).operation
        if not isinstance(operation, Readmit | Promote):
            return False
        site, life = operation.site, operation.life
        if site != self._settings.site:
            peer = self._company.met(site)
            if peer.memory is None or peer.memory.life != life:
                peer.memory = PeerMemory(site, life, 0)
                peer.challenges.clear()  # given out by what was remembered of another store
                step.write(WritePeer(peer.memory))
            if peer.recorded_on not in (None, peer.life):
                self._ask_anew(step, peer)
        elif life == self.life and not self._is_old_copy and self._is_named(operation):
            self._standing, self._why, self._loss, self._confirmed = Standing.READMITTED, "", None, False
            step.voting = False
            step.write(WriteStanding(self._standing, self._why))
            for peer in self._company.present():
                self._ask_anew(step, peer)
            self._judge(step)
        return site == self._settings.site

    def on_applied(self, step: Step, prefix: Slot) -> bool:
        """The prefix has come to here: where that is the last slot of this store, it votes no more (M4, M5). True where
        it was removed; perhaps it has been added again by now."""
        self._prefix = prefix
        if not self._confirmed:
            self._judge(step)
        last = self.replaced_at
        if last is None or prefix < last or self._standing is Standing.LEARNER:
            return False
        me, since = self._settings.site, f"from slot {last + 1} on"
        slot = self._members.removed_at(me)
        if slot is None and self._members.replaced(me, self.life):
            self._learn_only(step, self._lost_as, f"the log replaced this store of {me} by another, {since}")
            return False
        why = f"slot {slot} removed {me}, {since}" if slot else f"{me} was removed, {since}, and then added again"
        self._learn_only(step, Loss.REMOVED, why)
        return True

    def _ask_anew(self, step: Step, peer: Peer) -> None:
        """What the peer recorded counts no more until it says so again."""
        peer.recorded = peer.noted = False
        self._anew.add(peer.site)
        peer.nonces.clear()
        peer.hello_every = Tick(0)
        self.hellos.judged(peer, None)
        self.hellos.say(step, peer)

    def _is_named(self, operation: Readmit | Promote) -> bool:
        """From now on it votes as the log says, not as D5 did."""
        return isinstance(operation, Promote) or self._standing is not Standing.ADMITTED

    @property
    def _is_old_copy(self) -> bool:
        """It was told so: nothing else makes an old store of one that no other followed in the log."""
        return self._loss is Loss.OLD_STORE and not self._members.has_others(self._settings.site, self.life)

    @property
    def _lost_as(self) -> Loss:
        """A store that has voted is an old one; one that has not came in the place of a lost one."""
        return Loss.LOST_DISK if self._standing is Standing.NEW else Loss.OLD_STORE

    def _learn_only(self, step: Step, loss: Loss, why: str) -> None:
        self._standing, self._loss = Standing.LEARNER, loss
        said = why if loss is Loss.REMOVED else f"{loss}: {why}"
        self._why = f"{said}. This site learns and serves reads, but does not vote"
        step.voting = self.voting
        step.write(WriteStanding(self._standing, self._why, loss))
        step.tell(SawStanding(False, self._why))

    def remember(self, step: Step) -> None:
        """Writes the newest commit numbers heard beside whatever this step writes anyway."""
        if not step.effects.writes:
            return
        for peer in self._company:
            if peer.dirty and peer.memory is not None:
                peer.dirty = False
                step.write_along(WritePeer(peer.memory))

    def hold_back(self, step: Step) -> None:
        """To a peer with no life yet to talk to goes nothing but greetings. To one that has not recorded this store
        since the start goes no vote: it would count it, and not know with which commit it came (D5). It asks again."""
        held = self._company.unrecorded | self._anew if self._anew else self._company.unrecorded
        if not held or not step.effects.sends:
            return
        kept: list[Send] = []
        waiting: set[SiteId] = set()
        for send in step.effects.sends:
            if type(send.message) in GREETINGS:
                kept.append(send)
            elif send.to in held and type(send.message) in VOTES:
                waiting.add(send.to)
            elif send.to not in self._company.unmet:
                kept.append(send)
        step.effects.sends = kept
        for peer in self.hellos.unanswered:
            if peer.site in waiting:
                self.hellos.say_soon(step, peer)

    def _lacking(self) -> tuple[int, int] | None:
        return self._company.lacking(self._members, self._prefix, self._standing)

    def _is_of_d5(self) -> bool:
        """That this store was admitted, or can be, D5 alone says: the log does not name it."""
        me = self._settings.site
        return me in self._members.founders and not self._members.admits(me, self.life)

    def _judge(self, step: Step) -> None:
        if self._confirmed or self._standing is Standing.LEARNER or self._lacking() is not None:
            return
        self._confirmed = True
        step.voting = True
        if self._standing is Standing.NEW:
            self._standing, self._why = Standing.ADMITTED, ""
            step.write(WriteStanding(self._standing, self._why))
        step.tell(SawStanding(True, self.why))

    def _meet(self, step: Step, peer: Peer, life: StoreId) -> None:
        """The peer proved that this is its life. Votes of this site are for one that recorded it: where the log knows
        of replaced stores, another one of the peer's may count them."""
        self._company.talk_to(peer, life, step.now)
        if self._members.changed and peer.recorded_on not in (None, life):
            self._anew.add(peer.site)
            self.hellos.judged(peer, None)
            peer.hello_every, peer.hello_at = Tick(0), step.now
        step.tell(SawProof(peer.site))

    def _challenge(self, peer: Peer, hello: Nonce) -> Nonce:
        if hello not in peer.challenges:
            while len(peer.challenges) >= NONCES_KEPT:
                del peer.challenges[next(iter(peer.challenges))]
            peer.challenges[hello] = Challenge(
                new_nonce(self._random), 0 if peer.memory is None else peer.memory.commit
            )
        return peer.challenges[hello].proof


def _sites(count: int) -> str:
    return "1 other site" if count == 1 else f"{count} other sites"
