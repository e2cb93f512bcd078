"""One site's part of the protocol: the facade that the node, the simulator and the lab drive.

Rules that hold here:
- Every public step returns its effects and performs none; the caller commits, then sends, then tells (D1).
- A message to this site itself is handled within the step, so that its vote is in the same commit.
- A broken rule ends the site: the effects are the evidence and a `stop`, nothing is sent (A2, R1). Every later step
  does nothing but repeat the `stop`.
- D5: until it is a voter a site answers no prepare, accept or highest-slot question with a vote, and proposes nothing.
- R6: rounds far above any seen are refused, as slots are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from random import Random
from typing import assert_never

from engine.core.broken import BrokenRule
from engine.core.effects import Effects
from engine.core.entry import Entry
from engine.core.events.sessions import Sessions, Submission
from engine.core.events.situation import Situation
from engine.core.explained.biographer import Biographer
from engine.core.explained.hindrance import Hindrances, Meddling, nobody_meddles
from engine.core.explained.readings import Readings
from engine.core.ids import NEVER, Ballot, SiteId, Slot, Tick
from engine.core.leading.elected import Elected
from engine.core.leading.one_by_one import OneByOne
from engine.core.leading.policy import Parts, Policy
from engine.core.log.filler import Filler
from engine.core.log.fresh import FreshReads
from engine.core.log.learner import Learner, Origin, chosen_entry
from engine.core.log.microblog import Microblog
from engine.core.log.pages import answer
from engine.core.log.scanner import Scanner, highest
from engine.core.messages import (
    GREETINGS,
    Accept,
    Accepted,
    Ask,
    AskHighest,
    AskSlot,
    Cause,
    Chosen,
    ChosenSlot,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
    SlotState,
    Welcome,
)
from engine.core.peers.bundle import bundled
from engine.core.peers.heartbeats import Peers
from engine.core.peers.lives import Lives
from engine.core.settings import ROUND_LEAP_MAX, ROUND_MAX, Leadership, Settings
from engine.core.step import Step
from engine.core.storage import LogReader, Stored, Vote, WriteEvidence
from engine.core.synod.acceptor import Acceptor
from engine.core.synod.proposer import Accepting, Proposer, Rounds
from engine.core.views import AttemptView, ReplicaView


class Replica:
    """`meddling`: what fault rules of this site keep from their way, for the reasons that people are given."""

    def __init__(
        self, settings: Settings, stored: Stored, log: LogReader, random: Random, meddling: Meddling = nobody_meddles
    ) -> None:
        self._settings = settings
        self._lives = Lives(settings, stored, random)
        self._peers = Peers(settings)
        self._microblog = Microblog(stored.blocks, stored.last_in_effect)
        self._acceptor = Acceptor(stored.votes, stored.ranges, settings.page_bytes)
        self._learner = Learner(stored, log, self._microblog, self._acceptor.forget)
        self._rounds = Rounds(settings.site, stored.round)
        for ballot in (*(vote.promised for vote in stored.votes.values()), *(held.ballot for held in stored.ranges)):
            self._rounds.saw(ballot)
        self._sessions = Sessions(settings.site, stored.number_max, stored.open_events)
        for slot in self._sessions.open_slots:
            self._learner.used(slot)
        self._proposer = Proposer(settings, self._rounds, random, self._on_accepting, self._on_chosen)
        hindrances = Hindrances(self._peers, meddling)
        self._filler = Filler(
            settings, self._learner, self._proposer, self._peers, random, hindrances=hindrances, busy=self._proposing
        )
        self._scanner = Scanner(settings, self._learner, self._peers, random)
        self._reads = FreshReads(
            settings, self._learner, self._peers, self._scanner, self._filler, hindrances=hindrances, random=random
        )
        self._biographer = Biographer(settings, self._acceptor, self._learner, log, peers=self._peers, random=random)
        self._pushed: Slot | None = None
        self._stopped: str | None = None
        self._now = Tick(0)
        parts = Parts(
            settings,
            random,
            self._peers,
            self._microblog,
            self._acceptor,
            self._learner,
            self._rounds,
            self._sessions,
            self._proposer,
        )
        self._policy: Policy
        if settings.leadership is Leadership.ELECTED:
            self._policy = Elected(parts, self._on_chosen, self._ask_for_the_missing)
        else:
            self._policy = OneByOne(parts)
        self._readings = Readings(
            parts, self._lives, self._scanner, self._filler, self._reads, self._policy, hindrances
        )

    # Steps

    def start(self, now: Tick) -> Effects:
        """Call once, first."""
        step = self._step(now)
        self._sessions.start(step, self._readings.situation(now))
        self._lives.start(step)
        return self._finish(step)

    def receive(self, now: Tick, packet: Packet) -> Effects:
        """A packet that opened under the cluster's key and was addressed to this site."""
        step = self._step(now)
        if self._stopped is not None:
            return step.effects
        try:
            for message in packet.messages:
                if type(message) in GREETINGS:
                    if self._lives.greeted(step, packet, message):
                        self._peers.heard(step, packet.sender)
                elif self._lives.admits(step, packet):
                    self._peers.heard(step, packet.sender)
                    self._handle(step, packet.sender, message)
            return self._finish(step)
        except BrokenRule as broken:
            return self._stop(broken)

    def submit(self, now: Tick, submission: Submission) -> Effects:
        step = self._step(now)
        if self._stopped is not None:
            return step.effects
        self._sessions.submit(step, submission)
        return self._finish(step)

    def give_up(self, now: Tick, token: int) -> Effects:
        """As if the time of an event or a read had passed. An unknown token does nothing."""
        step = self._step(now)
        if self._stopped is not None:
            return step.effects
        self._sessions.give_up(step, token, self._readings.situation(now))
        self._reads.give_up(step, token, "given up by who asked")
        return self._finish(step)

    def confirm(self, now: Tick, token: int, timeout: Tick) -> Effects:
        """A certain read begins (R5); one SawFresh or SawUnconfirmed will name its token, which nothing open has."""
        return self._act(now, lambda step: self._reads.begin(step, token, timeout))

    def explain(self, now: Tick, token: int, slot: Slot, timeout: Tick) -> Effects:
        """What happened at a slot, with what the others answer within `timeout`: it ends in one SawBiography with this
        token, in these effects or in later ones. Nothing else comes of it."""
        return self._act(now, lambda step: self._biographer.ask(step, token, slot, timeout))

    def fill(self, now: Tick, slots: Iterable[Slot]) -> Effects:
        """On demand (R3). Each slot that is a hole ends in one SawFilled or more (one of UNSETTLED is not the end)."""
        return self._act(now, lambda step: self._filler.fill(step, slots))

    def tick(self, now: Tick) -> Effects:
        """Does what is due at `now`."""
        step = self._step(now)
        if self._stopped is not None:
            return step.effects
        try:
            self._lives.tick(step)
            self._scanner.tick(step)
            self._proposer.tick(step)
            self._policy.tick(step, self._scanner.ready and not self._scanner.copying)
            if not self._scanner.copying:
                self._filler.tick(step, self.fills)
            claim = self._policy.claim(step)
            for silent in self._peers.tick(step, self._learner.prefix, self._learner.used_max, claim):
                self._lives.greet(step, silent)
            self._sessions.tick(step, lambda: self._readings.situation(now))
            self._reads.tick(step)
            self._biographer.tick(step)
            return self._finish(step)
        except BrokenRule as broken:
            return self._stop(broken)

    def deadline(self) -> Tick:
        """When `tick` is next needed."""
        return min(
            self._peers.deadline(),
            self._lives.deadline(),
            self._scanner.deadline(),
            self._proposer.deadline(),
            NEVER if self._scanner.copying else self._filler.deadline(),
            self._sessions.deadline(),
            self._reads.deadline(),
            self._biographer.deadline(),
            self._policy.deadline(),
        )

    def committed(self, commit: int) -> None:
        """The store's commit number after the commit of the effects so far; packets tell it (D5)."""
        self._lives.commit = commit
        self._learner.committed()
        self._biographer.committed()

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
    def fills(self) -> bool:
        """This site settles holes itself (D5, L3); else it asks those that do."""
        return self._readings.fills(self._now)

    def view(self, attempts_max: int) -> ReplicaView:
        return self._readings.view(self._now, attempts_max)

    def attempt(self, slot: Slot) -> AttemptView | None:
        return self._readings.attempt(slot)

    def why_unsettled(self, slot: Slot) -> str:
        """Why a hole is not settled yet, in words and counts."""
        return self._readings.why_unsettled(self._now, slot)

    def hindered(self, slots: Collection[Slot]) -> dict[Slot, str]:
        """What fault rules here do to whatever would settle these unlearned slots, for those that one keeps."""
        return self._readings.hindered(self._now, slots)

    def situation(self) -> Situation:
        """Where this site's events stand, and what is in their way."""
        return self._readings.situation(self._now)

    def vote(self, slot: Slot) -> Vote:
        """The acceptor's state of an unlearned slot (range promises included); NO_VOTE where there is none."""
        return self._acceptor.vote(slot)

    def blocks(self) -> dict[tuple[SiteId, SiteId], Slot]:
        """(blocker, blocked) -> the slot since which it stands, of the prefix (R2)."""
        return dict(self._microblog.blocks)

    # Inside a step

    def _act(self, now: Tick, act: Callable[[Step], None]) -> Effects:
        step = self._step(now)
        if self._stopped is not None:
            return step.effects
        act(step)
        return self._finish(step)

    def _step(self, now: Tick) -> Step:
        self._now = now
        return Step(now, self._settings.site, self._lives.voting, Effects(stop=self._stopped))

    def _finish(self, step: Step) -> Effects:
        """Handles what the site said to itself, pushes the event whose turn it is, and keeps what was heard."""
        try:
            self._push(step)
            for message in step.looped:  # what they bring about may loop back too
                self._handle(step, self._settings.site, message)
                self._push(step)
        except BrokenRule as broken:
            return self._stop(broken)
        self._reads.reach(step)
        effects = step.effects
        if effects.writes or effects.observations:
            self._lives.remember(step)
            self._biographer.remember(step)
        if effects.sends:
            self._lives.hold_back(step)
        return effects

    def _push(self, step: Step) -> None:
        """Ends the attempt whose event is settled or given up, and sends what waits on its way, if this site votes."""
        if self._pushed is not None and self._policy.aim() != self._pushed:
            self._proposer.end(step, self._pushed, "its event is settled or given up")
        if step.voting:
            self._sessions.number(step)
            self._policy.push(step, self._scanner.ready)
        else:
            for slot in self._proposer.slots:
                self._proposer.end(step, slot, self._lives.why)
            if self._lives.lost:
                self._sessions.give_up_all(step, lambda: self._readings.situation(step.now))
                self._policy.withdraw(step)
        self._pushed = self._policy.aim()

    def _ask_for_the_missing(self, step: Step) -> None:
        """What this site waits for may be chosen, and the word of it lost: in a hole, or above all known to be used."""
        self._filler.fill_lowest(step)
        self._scanner.scan_now(step)

    def _proposing(self, slot: Slot) -> bool:
        return self._proposer.attempt(slot) is not None or self._policy.view(slot) is not None

    def _handle(self, step: Step, sender: SiteId, message: Message) -> None:
        """What a quiet cluster says is looked for first."""
        match message:
            case Heartbeat():
                self._peers.on_heartbeat(step, sender, message)
                self._policy.on_heartbeat(step, sender, message)
                if message.used_max > self._learner.used_max:
                    self._scanner.scan_soon(step.now)
            case AskHighest():
                if step.voting:
                    step.send(sender, highest(self._learner, message))
            case Highest():
                self._scanner.on_highest(step, sender, message)
                self._reads.on_highest(step, sender, message)
            case Prepare():
                self._on_prepare(step, sender, message)
            case Promise():
                for accepted in message.accepted:
                    self._learner.used(accepted.slot)
                for learned in message.learned:
                    self._learn(step, learned.slot, learned.entry, Origin("known", None, sender))
                self._policy.on_promise(step, sender, message)
            case Accept():
                self._on_accept(step, sender, message)
            case Accepted():
                for slot in message.slots:
                    self._learner.used(slot)
                self._policy.on_accepted(step, sender, message)
            case Refused():
                self._policy.on_refused(step, sender, message)
            case Chosen():
                self._on_chosen_message(step, sender, message)
            case Ask():
                self._policy.on_asked(message)
                for known in answer(self._learner, message, self._settings.page_bytes):
                    step.send(sender, known)
            case Known():
                for learned in message.learned:
                    self._learn(step, learned.slot, learned.entry, Origin("known", None, sender))
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

    def _on_prepare(self, step: Step, sender: SiteId, message: Prepare) -> None:
        cause = self._bars(step, message.ballot)
        if cause is not None:
            span = RefusedSpan(message.first, message.last, None, cause)
            step.send(sender, Refused(message.ballot, "prepare", (span,)))
            return
        self._rounds.saw(message.ballot)
        reply = self._acceptor.on_prepare(step, self._learner, message)
        step.send(sender, reply)
        if sender != self._settings.site:
            self._filler.saw_attempt(step, message.first)
            if isinstance(reply, Promise):
                self._policy.on_promised(step, reply)

    def _on_accept(self, step: Step, sender: SiteId, message: Accept) -> None:
        cause = self._bars(step, message.ballot)
        if cause is not None:
            spans = tuple(RefusedSpan(item.slot, item.slot, None, cause) for item in message.entries)
            step.send(sender, Refused(message.ballot, "accept", spans))
            return
        self._rounds.saw(message.ballot)
        step.send_all(sender, self._acceptor.on_accept(step, self._learner, message))
        if sender != self._settings.site:
            for item in message.entries:
                self._filler.saw_attempt(step, item.slot)

    def _bars(self, step: Step, ballot: Ballot) -> Cause | None:
        if not step.voting:
            return Cause.NOT_VOTING
        return Cause.FAR if ballot.round > min(ROUND_MAX, self._rounds.seen + ROUND_LEAP_MAX) else None

    def _on_chosen_message(self, step: Step, sender: SiteId, message: Chosen) -> None:
        missed: list[Slot] = []
        for item in message.slots:
            self._learner.used(item.slot)
            entry = chosen_entry(item, self._acceptor.vote(item.slot))
            if entry is not None:
                self._learn(step, item.slot, entry, Origin("chosen", item.ballot, sender))
            elif not self._learner.is_learned(item.slot):
                missed.append(item.slot)
        if missed:
            self._filler.fill(step, missed)

    def _on_accepting(self, step: Step, slot: Slot, entry: Entry) -> None:
        """From here on the slot may be used somewhere, even where this site's own acceptor refuses: it is a hole until
        it is learned, and the filler sees to it."""
        self._learner.used(slot)
        self._sessions.on_accepting(step, slot, entry)

    def _on_chosen(self, step: Step, slot: Slot, accepting: Accepting) -> None:
        """A majority accepted: those who did need the ballot alone, the others the entry (R0)."""
        ballot, entry = accepting.ballot, accepting.entry
        self._learn(step, slot, entry, Origin("votes", ballot, self._settings.site, accepting.accepted))
        for peer in self._settings.peers:
            told = None if peer in accepting.accepted else entry
            step.send(peer, Chosen((ChosenSlot(slot, ballot, told),)))

    def _learn(self, step: Step, slot: Slot, entry: Entry, origin: Origin) -> None:
        reached = self._learner.learn(step, slot, entry, origin)
        if reached is None:
            return
        self._proposer.end(step, slot, f"slot {slot} is learned")
        self._filler.on_learned(step, slot, entry, origin.how == "votes")
        self._sessions.on_learned(step, slot, entry)
        self._policy.on_learned(slot, entry)
        for applied in reached:
            self._sessions.on_applied(step, applied.slot, applied.entry, applied.void)
            self._policy.on_applied(applied.entry)
        if entry.author == self._settings.site and self._learner.prefix < slot:
            self._filler.fill_through(step, slot)  # E4

    def _stop(self, broken: BrokenRule) -> Effects:
        self._stopped = str(broken)
        return Effects(writes=[WriteEvidence(broken.rule, broken.evidence)], stop=self._stopped)
