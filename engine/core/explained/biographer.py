"""The biographer: asks the others about one slot, waits for them, boundedly, and tells what came of it.

Rules that hold here:
- W1: every question carries a nonce; an answer counts once a site, for that nonce.
- Nobody's vote, promise or log changes by it, whatever the answers say: they are kept until they are told (R6).
- All are asked. It waits until all answered; for those that are not heard any more only until they were asked three
  times; for anybody until the time of who asked has passed.
- W3, W4: an answer is one message that fits a datagram: what does not fit of entry and memories is left out. An entry's
  digest is always told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from msgspec.structs import replace

from engine.core.consensus import Consensus
from engine.core.effects import SawBiography
from engine.core.explained.biography import Answer, tell
from engine.core.explained.slot_history import SlotHistory
from engine.core.ids import NEVER, Ballot, Nonce, SiteId, Slot, Tick, new_nonce
from engine.core.log.pages import cost_bytes
from engine.core.messages import AskSlot, Deed, Learning, SlotState
from engine.core.peers.heartbeats import Peers
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.storage import LogReader

INQUIRIES_MAX: Final = 64
"""How many questions may be out; the oldest is told with what it has when another one comes."""

ROOM_BYTES: Final = 25
"""What the envelope leaves an answer beyond a page, all numbers at their largest (W4)."""

REPEATS_FOR_SILENT: Final = 2
_COUNTED_BYTES: Final = 72  # a slot and a ballot, which the cost of an entry has, and the answer too
_DEED_BYTES: Final = 72  # with the longest name and the largest numbers, as those below
_LEARNING_BYTES: Final = 88
_NAME_BYTES: Final = 3  # around a name


@dataclass(slots=True)
class _Inquiry:
    token: int
    slot: Slot
    give_up_at: Tick
    resend_at: Tick
    resend_every: Tick
    repeats: int = 0
    answers: dict[SiteId, Answer] = field(default_factory=dict)


class Biographer:
    """Each question has a token of its caller's; it ends in one SawBiography that names it."""

    def __init__(
        self,
        settings: Settings,
        consensus: Consensus,
        log: LogReader,
        peers: Peers,
        random: Random,
    ) -> None:
        self._settings = settings
        self._consensus = consensus
        self._acceptor = consensus.acceptor
        self._learner = consensus.learner
        self._log = log
        self._history = SlotHistory()
        self._peers = peers
        self._random = random
        self._inquiries: dict[Nonce, _Inquiry] = {}

    def remember(self, step: Step) -> None:
        """The step is done: what it did is kept for people."""
        self._history.take(step.now, step.effects)

    def ask(self, step: Step, token: int, slot: Slot, timeout: Tick) -> None:
        while len(self._inquiries) >= INQUIRIES_MAX:
            self._tell(step, next(iter(self._inquiries)))
        nonce = new_nonce(self._random)
        every = self._settings.timings.retransmit
        inquiry = _Inquiry(token, slot, Tick(step.now + timeout), Tick(step.now + every), every)
        inquiry.answers[self._settings.site] = Answer(self._state(step, AskSlot(nonce, slot)), step.now)
        self._inquiries[nonce] = inquiry
        step.cast(self._consensus.company(), AskSlot(nonce, slot))
        self._conclude(step, nonce)

    def on_slot_state(self, step: Step, sender: SiteId, message: SlotState) -> None:
        inquiry = self._inquiries.get(message.nonce)
        if inquiry is None or message.slot != inquiry.slot or sender in inquiry.answers:
            return
        inquiry.answers[sender] = Answer(message, step.now)
        self._conclude(step, message.nonce)

    def tick(self, step: Step) -> None:
        for nonce, inquiry in list(self._inquiries.items()):
            due = step.now >= inquiry.resend_at
            if due:
                inquiry.repeats += 1
                inquiry.resend_every = Tick(2 * inquiry.resend_every)
                inquiry.resend_at = Tick(step.now + inquiry.resend_every)
            self._conclude(step, nonce)
            if due and nonce in self._inquiries:
                step.cast(self._missing(inquiry), AskSlot(nonce, inquiry.slot))

    def deadline(self) -> Tick:
        due = NEVER
        for inquiry in self._inquiries.values():
            due = min(due, inquiry.give_up_at, inquiry.resend_at)
        return due

    def chosen_at(self, slot: Slot) -> Ballot | None:
        """The ballot at which a majority accepted the slot's entry, as this site counted or was told; None where that
        is not remembered. (What its own acceptor accepted may be of another ballot.)"""
        past = self._history.learned(slot)
        return None if past is None else past.origin.ballot

    def answer(self, step: Step, question: AskSlot) -> SlotState:
        """What this site has of the slot, cut to a datagram."""
        return fitted(self._state(step, question), self._settings.page_bytes + ROOM_BYTES)

    def _state(self, step: Step, question: AskSlot) -> SlotState:
        slot = question.slot
        past = self._history.learned(slot)
        entry = self._learner.entry(slot) if self._learner.is_learned(slot) else None
        learning: Learning | None = None
        if past is not None:
            came, votes = past.origin, tuple(sorted(past.origin.votes))
            learning = Learning(came.how, came.ballot, came.source, votes, step.now - past.at)
        vote = self._acceptor.vote(slot) if entry is None else self._log.voted(slot)
        return SlotState(
            question.nonce,
            slot,
            step.voting,
            vote.promised,
            vote.accepted,
            None if vote.entry is None else vote.entry.digest,
            vote.entry if entry is None else entry,
            entry is not None,
            learning,
            tuple(Deed(each.act, each.ballot, step.now - each.at) for each in self._history.acts(slot)),
        )

    def _conclude(self, step: Step, nonce: Nonce) -> None:
        """Tells it if nobody is worth waiting for any more."""
        inquiry = self._inquiries[nonce]
        missing, heard = self._missing(inquiry), self._peers.up
        hopeless = inquiry.repeats >= REPEATS_FOR_SILENT and not any(peer in heard for peer in missing)
        if not missing or hopeless or step.now >= inquiry.give_up_at:
            self._tell(step, nonce)

    def _missing(self, inquiry: _Inquiry) -> list[SiteId]:
        return [peer for peer in self._consensus.company() if peer not in inquiry.answers]

    def _tell(self, step: Step, nonce: Nonce) -> None:
        inquiry = self._inquiries.pop(nonce)
        site = self._settings.site
        sites = tuple(sorted({site, *self._consensus.company(), *inquiry.answers}))
        voters = self._consensus.members.at(inquiry.slot).sites
        step.tell(SawBiography(inquiry.token, tell(inquiry.slot, site, sites, voters, inquiry.answers)))


def fitted(state: SlotState, room_bytes: int) -> SlotState:
    """`state` without what `room_bytes` do not hold (W4): the entry has the first claim, then the learning, then the
    newest deeds."""
    entry, learning = state.entry, state.learning
    left = room_bytes
    if entry is not None:
        cost = cost_bytes((entry,)) - _COUNTED_BYTES
        if cost <= left:
            left -= cost
        else:
            entry = None
    if learning is not None:
        cost = _LEARNING_BYTES + sum(len(site) + _NAME_BYTES for site in learning.votes)
        if cost <= left:
            left -= cost
        else:
            learning = None
    deeds = state.deeds[max(0, len(state.deeds) - left // _DEED_BYTES) :]
    return replace(state, entry=entry, learning=learning, deeds=deeds)
