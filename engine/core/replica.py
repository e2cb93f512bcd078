"""One site's part of the protocol: the facade that the node, the simulator and the lab drive.

Rules that hold here:
- Every public step returns its effects and performs none; the caller commits, then sends, then tells (D1).
- A message to this site itself is handled within the step, so that its vote is in the same commit.
- A broken rule ends the site: the effects are the evidence and a `stop`, nothing is sent (A2, R1). Every later step
  does nothing but repeat the `stop`.
- D5: until it is a voter a site answers no prepare, accept or highest-slot question with a vote, and proposes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from random import Random
from typing import TypeVarTuple, assert_never

from engine.core.around import Around
from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.effects import Effects, RejectedFor, SawRejected
from engine.core.entry import Entry, Membership
from engine.core.events.promotions import Promotions
from engine.core.events.sessions import Sessions
from engine.core.events.situation import Situation
from engine.core.events.submissions import Submission
from engine.core.explained.biographer import Biographer
from engine.core.explained.hindrance import Hindrances, Meddling, nobody_meddles
from engine.core.explained.readings import Readings
from engine.core.ids import NEVER, Ballot, SiteId, Slot, StoreId, Tick
from engine.core.leading.elected import Elected
from engine.core.leading.one_by_one import OneByOne
from engine.core.leading.policy import Parts
from engine.core.log.filler import Filler
from engine.core.log.learner import Origin
from engine.core.log.linearizable_reads import LinearizableReads
from engine.core.log.pages import answer
from engine.core.log.scanner import Scanner, highest
from engine.core.messages import (
    GREETINGS,
    Accept,
    Accepted,
    Ask,
    AskHighest,
    AskSlot,
    Chosen,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    How,
    Known,
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    SlotState,
    Verdict,
    Welcome,
)
from engine.core.peers.belonging import Belonging
from engine.core.peers.bundle import bundled
from engine.core.peers.heartbeats import Peers
from engine.core.peers.lives import Lives
from engine.core.roster import Roster
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from engine.core.storage import LogReader, Stored, Vote, Write, WriteEvidence, WriteRanges, WriteVote
from engine.core.views import AttemptView, ReplicaView

Said = TypeVarTuple("Said")


class Replica:
    """`meddling`: what fault rules of this site keep from their way, for the reasons that people are given."""

    def __init__(
        self, settings: Settings, stored: Stored, log: LogReader, random: Random, meddling: Meddling = nobody_meddles
    ) -> None:
        self._settings = settings
        self._peers = Peers(settings)
        self._consensus = consensus = Consensus(settings, stored, log, random)
        self._lives = Lives(settings, consensus.members, stored, random)
        self._belonging = Belonging(settings, consensus, self._peers, self._lives)
        self._learner = consensus.learner
        self._proposer = consensus.proposer
        self._sessions = Sessions(settings.site, stored.number_max, stored.open_events)
        for slot in self._sessions.open_slots:
            self._learner.used(slot)
        hindrances = Hindrances(self._peers, meddling)
        self._filler = Filler(settings, consensus, self._peers, random, hindrances)
        self._scanner = Scanner(settings, consensus, self._peers, random)
        self._reads = LinearizableReads(
            settings, consensus, self._peers, self._scanner, self._filler, hindrances=hindrances, random=random
        )
        self._biographer = Biographer(settings, consensus, log, self._peers, random)
        self._promotions = Promotions(settings, consensus, self._peers, self._lives, self._sessions)
        self._stopped: str | None = None
        self._now = Tick(0)
        parts = Parts(settings, random, self._peers, self._sessions, consensus, self._scanner)
        elected = settings.leadership is Leadership.ELECTED
        self._policy = Elected(parts, self._ask_for_the_missing) if elected else OneByOne(parts)
        consensus.onlooker = Around(
            settings.site, self._learner, self._filler, self._sessions, self._policy, self._lives, self._belonging
        )
        around = (self._lives, self._belonging, self._filler, self._reads, self._policy, hindrances)
        self._readings = Readings(parts, *around)

    # Steps

    def start(self, now: Tick) -> Effects:
        """Call once, first."""
        return self._act(now, self._start)

    def receive(self, now: Tick, packet: Packet) -> Effects:
        """A packet that opened under the cluster's key and was addressed to this site."""
        return self._act(now, self._receive, packet)

    def submit(self, now: Tick, submission: Submission) -> Effects:
        return self._act(now, self._sessions.submit, submission)

    def give_up(self, now: Tick, token: int, offset: int = 0, count: int | None = None) -> Effects:
        """Ends a read, or events of a submission (`count` from `offset` on, or all), as when the time has passed."""
        return self._act(now, self._give_up, token, offset, count)

    def read(self, now: Tick, token: int, timeout: Tick) -> Effects:
        """A linearizable read begins (R5). Its token, which no open read has, comes back with what became of it."""
        return self._act(now, self._reads.begin, token, timeout)

    def explain(self, now: Tick, token: int, slot: Slot, timeout: Tick) -> Effects:
        """What happened at a slot, with what others answer in time: it ends in one SawBiography with this token."""
        return self._act(now, self._biographer.ask, token, slot, timeout)

    def fill(self, now: Tick, slots: Iterable[Slot]) -> Effects:
        """On demand (R3). Each slot that is a hole ends in one SawFilled or more (one of UNSETTLED is not the end)."""
        return self._act(now, self._filler.fill, slots)

    def tick(self, now: Tick) -> Effects:
        """Does what is due; it is needed again at the `deadline`."""
        return self._act(now, self._tick)

    def deadline(self) -> Tick:
        return min(
            self._peers.deadline(),
            self._lives.hellos.deadline(),
            self._scanner.deadline(),
            self._proposer.deadline(),
            NEVER if self._scanner.copying else self._filler.deadline(),
            self._sessions.deadline(),
            self._reads.deadline(),
            self._biographer.deadline(),
            self._policy.deadline(),
        )

    @property
    def beats_at(self) -> Tick:
        """When its next heartbeats are due: a part of the `deadline`, and what another's heartbeat may change."""
        return self._peers.deadline()

    def committed(self, commit: int) -> None:
        """The store's commit number after the commit of the effects so far; packets tell it (D5)."""
        self._lives.commit = commit
        self._learner.committed()
        self._sessions.committed()

    def packet(self, to: SiteId, messages: tuple[Message, ...]) -> Packet:
        """Wraps messages for a peer, those that say the same of several slots as one. Call after `committed`."""
        lives, said = self._lives, bundled(messages, self._settings.page_bytes)
        return Packet(self._settings.site, lives.life, lives.commit_for(to), lives.to_life(to, said), said)

    # Readings

    @property
    def prefix(self) -> Slot:
        return self._learner.prefix

    @property
    def used_max(self) -> Slot:
        return self._learner.used_max

    @property
    def voting(self) -> bool:
        return self._lives.voting

    @property
    def recovering(self) -> bool:
        return self._scanner.recovering

    @property
    def leader(self) -> SiteId | None:
        """Whom this site follows; itself where it leads."""
        return self._policy.leader(self._now)

    @property
    def fills(self) -> bool:
        return self._readings.fills(self._now)

    def view(self, attempts_max: int) -> ReplicaView:
        return self._readings.view(self._now, attempts_max)

    def attempt(self, slot: Slot) -> AttemptView | None:
        return self._readings.attempt(slot)

    def why_unsettled(self, slot: Slot) -> str:
        return self._readings.why_unsettled(self._now, slot)

    def hindered(self, slots: Collection[Slot]) -> dict[Slot, str]:
        return self._readings.hindered(self._now, slots)

    def situation(self) -> Situation:
        return self._readings.situation(self._now)

    def learned(self, slot: Slot) -> Entry | None:
        """The entry that was learned there, durably or not yet. Raises StoreError."""
        return self._learner.entry(slot)

    def vote(self, slot: Slot) -> Vote:
        """The acceptor's state of an unlearned slot (range promises included); NO_VOTE where there is none."""
        return self._consensus.acceptor.vote(slot)

    def votes(self, slots_max: int) -> list[Write]:
        """What the acceptor has, as it would be written: of the highest slots, and all range promises."""
        acceptor = self._consensus.acceptor
        above = Slot(max(acceptor.votes.last or 0, slots_max) - slots_max + 1)
        return [*(WriteVote(*part) for part in acceptor.votes.over(above, None)), WriteRanges(acceptor.ranges)]

    def chosen_at(self, slot: Slot) -> Ballot | None:
        """None where this site does not remember one."""
        return self._biographer.chosen_at(slot)

    def present_store(self, site: SiteId) -> StoreId | None:
        """On which store a site runs, as it proved to this one last; None where it never did."""
        return self._lives.present(site)

    def members(self) -> tuple[Roster, ...]:
        """The lists that hold above the prefix: the present one, and one to come, if there is (M1)."""
        return self._consensus.lists()

    def members_after(self, operation: Membership) -> Roster | str:
        """The list that this change would make if it were chosen next; or why it does not fit (M3)."""
        return self._consensus.members.after(Slot(self._learner.used_max + 1), operation)

    def removed_at(self, site: SiteId) -> Slot | None:
        """The slot of the entry that removed a site; None where it belongs to the cluster, or never did."""
        return self._consensus.members.removed_at(site)

    def blocks(self) -> dict[tuple[SiteId, SiteId], Slot]:
        """(blocker, blocked) -> the slot since which it stands, of the prefix (R2)."""
        return dict(self._consensus.microblog.blocks)

    # Inside a step

    def _act(self, now: Tick, act: Callable[[Step, *Said], None], *said: *Said) -> Effects:
        """One step, `act(step, *said)`. What a site sends itself is handled within it. Then what waits is pushed, and
        commit numbers that were heard are kept with what is written anyway."""
        self._now = now
        step = Step(now, self._settings.site, self._lives.voting, Effects(stop=self._stopped))
        effects = step.effects
        if self._stopped is not None:
            return effects
        try:
            act(step, *said)
            self._push(step)
            for message in step.looped:  # what they bring about may loop back too
                self._handle(step, self._settings.site, message, self._lives.life)
                self._push(step)
        except BrokenRule as broken:
            self._stopped = str(broken)
            return Effects(writes=[WriteEvidence(broken.rule, broken.evidence)], stop=self._stopped)
        self._reads.reach(step)
        self._belonging.tell(step)
        if effects.writes or effects.observations:
            self._lives.remember(step)
            self._biographer.remember(step)
        if effects.sends:
            self._lives.hold_back(step)
        return effects

    def _start(self, step: Step) -> None:
        self._sessions.start(step, self._readings.situation(step.now))
        self._lives.start(step)
        self._belonging.start(step)

    def _receive(self, step: Step, packet: Packet) -> None:
        admitted = False
        for message in packet.messages:
            if type(message) in GREETINGS:
                admitted = False
                if self._belonging.greeted(step, packet, message):
                    self._peers.heard(step, packet.sender)
                    if not (isinstance(message, Welcome) and message.verdict is Verdict.UNPROVEN):
                        self._scanner.met(step, packet.sender)
            elif admitted or self._lives.admits(step, packet):
                if not admitted:
                    admitted = True  # and all that follow, up to the next greeting
                    self._peers.heard(step, packet.sender)
                if self._belonging.may_say(packet.sender, message):
                    self._handle(step, packet.sender, message, packet.life)
                else:
                    step.tell(SawRejected(RejectedFor.STRANGER, packet.sender))

    def _give_up(self, step: Step, token: int, offset: int, count: int | None) -> None:
        self._sessions.give_up(step, token, offset, count, self._readings.situation(step.now))
        self._reads.give_up(step, token, "given up by the client that asked")

    def _tick(self, step: Step) -> None:
        self._lives.hellos.tick(step)
        self._scanner.tick(step)
        self._proposer.tick(step)
        self._policy.tick(step)
        if not self._scanner.copying:
            self._filler.tick(step, self._proposes(step) and self._policy.fills(step.now))
        for silent in self._peers.tick(step, self._learner.prefix, self._learner.used_max, self._policy.claim):
            self._lives.hellos.greet(step, silent)
        if self._proposes(step):
            self._promotions.tick(step)
        self._sessions.tick(step, lambda: self._readings.situation(step.now))
        self._reads.tick(step)
        self._biographer.tick(step)

    def _push(self, step: Step) -> None:
        """Sends what waits on its way, if this site votes, and may propose at the slots to come (M4)."""
        if not self._proposes(step):
            self._hold(step)
            return
        consensus, members = self._consensus, self._consensus.members
        if not (members.changed and members.replaced(step.site, self._lives.life)):  # M6
            self._sessions.number(step, consensus.microblog.last_in_effect(step.site))
        self._policy.push(step)
        self._sessions.keep(step)

    def _hold(self, step: Step) -> None:
        """What waits stays here, and nothing is due of it; where this site only learns, it is given up (D5)."""
        if not step.voting:
            for first, last in self._proposer.attempted(Slot(1), None):
                self._proposer.end(step, first, last, self._lives.why)
            if self._lives.only_learns:
                self._sessions.give_up_all(step, lambda: self._readings.situation(step.now))
                self._policy.withdraw(step)
                return
        self._policy.hold()

    def _proposes(self, step: Step) -> bool:
        return step.voting and self._consensus.proposes_through() > self._learner.prefix

    def _ask_for_the_missing(self, step: Step) -> None:
        """What this site waits for may be chosen, and the word of it lost. It is in a hole, then, or above all that is
        known here to be used: so both are asked for."""
        self._filler.fill_lowest(step)
        self._scanner.scan_now(step)

    def _handle(self, step: Step, sender: SiteId, message: Message, life: StoreId) -> None:
        """Hands a message to the part that takes it; its sender runs on the store `life`. The cases that a quiet
        cluster sends come first: they are most."""
        match message:
            case Heartbeat():
                self._peers.on_heartbeat(step, sender, message)
                if self._lives.knows(sender):
                    self._policy.on_heartbeat(step, sender, message)
                if message.used_max > self._learner.used_max:
                    self._scanner.scan_soon(step.now)
                if message.prefix > self._learner.prefix:
                    self._scanner.trails(step, message.prefix)
            case AskHighest():
                if step.voting:
                    step.send(sender, highest(self._learner, message))
            case Highest():
                self._scanner.on_highest(step, sender, message, life)
                self._reads.on_highest(step, sender, message, life)
            case Prepare() | Promise() | Accept() | Accepted() | Refused() | Chosen():
                self._consensus.take(step, sender, message, life)
            case Ask():
                self._policy.on_asked(sender, message)
                for known in answer(self._learner, message, self._settings.page_bytes):
                    step.send(sender, known)
            case Known():
                for item in message.learned:
                    self._consensus.learn(step, item, Origin(How.KNOWN, None, sender))
                self._filler.on_known(step, sender, message)
                self._scanner.on_known(step, sender, message)
            case HandOn():
                self._policy.on_hand_on(step, message)
            case AskSlot():
                step.send(sender, self._biographer.answer(step, message))
            case SlotState():
                self._biographer.on_slot_state(step, sender, message)
            case Hello() | Welcome():
                raise AssertionError("a site does not greet itself")
            case _:
                assert_never(message)
