"""The recovery scanner: how far the log goes, and catching up with it.

Rules that hold here:
- R4: it asks for the highest slot in which anything was accepted or learned; the maximum over a majority of voters,
  this site included, bounds everything chosen before it asked, and there it stops. One peer's word is no bound.
- M2: it is a majority of each list that holds above the prefix. Where others vote later, the entry that says so
  was used by those that were counted, so the prefix comes to it: the list has changed then, and it asks again.
- Learned slots are copied in bulk from a peer that has them, paced by the answers: two questions are out at the most,
  so that the peer reads ahead while this site learns. What no peer has learned is left to the hole filler (R3).
- Where many slots were copied the log has gone on meanwhile, above what this site can keep until it comes to it. So it
  asks again at once, and has ever less to copy.
- A prefix that stands still while a peer claims a longer one lacks what was lost on its way: that is copied too.
- A source answers in turn. So what a page skips is lost, and what was asked earlier than a question that is answered.
- R6: a bound beyond the window is copied towards, never filled towards. It is given up only when every peer that claims
  to be ahead has answered that it lacks what comes next; silence disproves nothing.
- W1: every question carries a nonce; an answer counts once a site, for that nonce.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, assert_never

from msgspec.structs import replace

from engine.core.consensus import Consensus
from engine.core.effects import RecoveryPhase, SawRecovery
from engine.core.ids import Nonce, SiteId, Slot, StoreId, Tick, new_nonce
from engine.core.log.learner import Learner
from engine.core.log.pages import PAGES_PER_ANSWER
from engine.core.messages import Ask, AskHighest, Highest, Known
from engine.core.peers.heartbeats import Peers
from engine.core.settings import WINDOW_SLOTS, Settings
from engine.core.step import Step
from engine.core.value import Value

QUESTION_SLOTS: Final = 256
QUESTION_SLOTS_MAX: Final = 4_096
"""How many slots one question of the copying covers: at first, and at the most. It doubles while half an answer is
enough, and is halved where an answer is cut, or is more than may be in flight at a time (`flight_bytes`)."""

QUESTIONS_MAX: Final = 2

_OUT_MAX: Final = QUESTIONS_MAX * PAGES_PER_ANSWER
"""So many are out at the most, with those of what was lost: no more pages can be, of two answers (R6)."""


# Each phase says when `tick` is `due`: what it does then is the phase's.


class Idle(Value):
    due: Tick


class Asking(Value):
    """Which is the highest used slot? `answers` are of this nonce, one a site."""

    nonce: Nonce
    answers: tuple[Highest, ...]
    answered: frozenset[SiteId]
    stores: tuple[tuple[SiteId, StoreId | None], ...]  # on which each that answered runs
    due: Tick
    resend_every: Tick


class Trailing(Value):
    """Since the prefix came to this slot peers have claimed more. If it is still there when that is `due` it is copied;
    then again, ever more rarely: who cannot be asked may be heard all the same, and a site that copies does not stand
    for election (L3)."""

    prefix: Slot
    due: Tick
    every: Tick


class Question(Value):
    """Which slots has the source learned? `number`: later ones have higher ones. `pages` of the answer have come, which
    reach to the slot `through`."""

    nonce: Nonce
    number: int
    first: Slot
    last: Slot
    through: Slot
    pages: int = 0


class Copying(Value):
    """Pages up to `bound` are asked of `source`. `questions` are those out, in the order of their slots.

    Since the prefix moved last, `tried` were asked, and `lacking` answered that they lack the slot after it.
    """

    bound: Slot
    source: SiteId
    questions: tuple[Question, ...]
    prefix_asked: Slot
    due: Tick
    tried: frozenset[SiteId]
    lacking: frozenset[SiteId]


class Scanner:
    def __init__(self, settings: Settings, consensus: Consensus, peers: Peers, random: Random) -> None:
        self._settings = settings
        self._consensus = consensus
        self._learner = consensus.learner
        self._peers = peers
        self._random = random
        self._phase: Idle | Asking | Copying = Idle(Tick(0))
        self._bound: Slot | None = None
        self._counted = Slot(1)  # where the newest list begins by which the bound was counted
        self._copied_from = consensus.learner.prefix  # the prefix when the bound was found
        self._trailing: Trailing | None = None
        self.ready = False
        """The first scan since the start is done: this site knows how far the log went."""
        self._told_done = False
        self._question_slots = QUESTION_SLOTS
        self._asked = 0
        self._pages_max = max(1, min(PAGES_PER_ANSWER, settings.flight_bytes // settings.page_bytes))

    @property
    def copying(self) -> bool:
        return type(self._phase) is Copying

    @property
    def caught_up(self) -> bool:
        """This site knows how far the log goes, and is not copying it."""
        return self.ready and not self.copying

    @property
    def recovering(self) -> bool:
        """The log is known, or may be, to go further than the prefix."""
        return not self.ready or (self._bound is not None and self._learner.prefix < self._bound)

    def scan_soon(self, now: Tick) -> None:
        """A peer claims more than this site knows."""
        if isinstance(self._phase, Idle) and self._phase.due > now + self._settings.timings.fill_every:
            self._phase = Idle(Tick(now + self._settings.timings.fill_every))

    def scan_now(self, step: Step) -> None:
        """This site waits for something, and a peer claims slots above all that is known here to be used."""
        if isinstance(self._phase, Idle) and self._peers.used_above(self._learner.used_max):
            self._ask(step)

    def trails(self, step: Step, claimed: Slot) -> None:
        """A peer says that its prefix has come to here, and this site's has not. Where it comes no further for longer
        than an answer takes, the word of something chosen was lost: it is copied, as the log may go on much faster than
        holes are filled."""
        prefix, timings, seen = self._learner.prefix, self._settings.timings, self._trailing
        if seen is None or seen.prefix != prefix:
            self._trailing = Trailing(prefix, Tick(step.now + timings.retransmit), timings.retransmit)
        elif step.now > seen.due:
            every = Tick(min(2 * seen.every, timings.scan_every))
            self._trailing = Trailing(prefix, Tick(step.now + every), every)
            if self.ready:
                self.catch_up(step, claimed)

    def catch_up(self, step: Step, bound: Slot) -> None:
        """A bound that somebody waits for (R5), or that a peer claims: what peers have learned of it is copied now."""
        if isinstance(self._phase, Idle) and self._peers.ahead_of(self._learner.prefix):
            self._bound = max(bound, self._bound or bound)
            self._counted = self._consensus.members.newest.first
            self._copied_from = self._learner.prefix
            self._told_done = False
            self._copy(step, self._bound, frozenset(), frozenset())

    def met(self, step: Step, site: SiteId) -> None:
        """One of both knows the other's store only now (D5): what was asked before, it did not take, or not answer."""
        phase = self._phase
        if isinstance(phase, Asking) and site not in phase.answered and site in self._consensus.voters():
            step.send(site, AskHighest(phase.nonce))

    def on_highest(self, step: Step, sender: SiteId, message: Highest, life: StoreId | None) -> None:
        phase = self._phase
        if not isinstance(phase, Asking) or message.nonce != phase.nonce or sender in phase.answered:
            return
        self._peers.claims(sender, message.prefix, message.used_max)
        answered, stores = phase.answered | {sender}, (*phase.stores, (sender, life))
        self._phase = replace(phase, answers=(*phase.answers, message), answered=answered, stores=stores)
        self._conclude(step)

    def on_known(self, step: Step, sender: SiteId, message: Known) -> None:
        """A page of an answer came; what it holds is learned already."""
        phase, prefix = self._phase, self._learner.prefix
        if not isinstance(phase, Copying) or sender != phase.source:
            return
        asked = next((question for question in phase.questions if question.nonce == message.nonce), None)
        if asked is None:
            return
        questions = tuple(self._after(step, phase, asked, message))
        lacks = message.first <= prefix + 1 <= message.last
        lacking = phase.lacking | {phase.source} if lacks else phase.lacking
        due = Tick(step.now + self._patience())
        phase = self._phase = replace(phase, questions=questions, due=due, lacking=lacking)
        if lacks or prefix >= phase.bound:
            self._turn_page(step, phase)
        elif prefix >= questions[0].last:
            self._ask_on(step, phase)

    def _after(self, step: Step, phase: Copying, asked: Question, page: Known) -> Iterator[Question]:
        """What is out after this page. What it skips is lost on its way, and so is the rest of what was asked earlier
        than this, for the source answers in turn: that is asked anew at once."""
        has_room = len(phase.questions) < _OUT_MAX
        for question in phase.questions:
            due = Slot(question.through + 1)
            if question is asked:
                skips = due < page.first <= question.last
                if skips and has_room:
                    yield self._question(step, phase.source, due, Slot(page.first - 1))
                through = min(max(question.through, page.last), question.last)
                answered = replace(question, through=through, pages=question.pages + 1 + skips)
                yield self._left(step, phase.source, answered, page)
            elif question.number < asked.number and due <= question.last:
                yield self._question(step, phase.source, due, question.last)
            else:
                yield question

    def _left(self, step: Step, source: SiteId, question: Question, page: Known) -> Question:
        """What is still asked of its question. Where the answer ends before that, the rest is asked anew. The next
        questions are made to fit."""
        slots = question.last - question.first + 1
        if page.last < question.last and question.pages == PAGES_PER_ANSWER:
            self._question_slots = max(PAGES_PER_ANSWER, slots // 2)
            return self._question(step, source, Slot(page.last + 1), question.last)
        if page.last == question.last:
            if question.pages <= self._pages_max // 2:
                self._question_slots = min(QUESTION_SLOTS_MAX, max(self._question_slots, 2 * slots))
            elif question.pages > self._pages_max:
                self._question_slots = max(PAGES_PER_ANSWER, slots // 2)
        return question

    def tick(self, step: Step) -> None:
        if step.now >= self._phase.due:
            self._go_on(step)
        if self._bound is not None and self._learner.prefix >= self._bound:
            self._reach(step)

    def deadline(self) -> Tick:
        return self._phase.due

    def _go_on(self, step: Step) -> None:
        match self._phase:
            case Idle():
                self._ask(step)
            case Asking() as phase:
                every = Tick(min(self._settings.timings.fill_every, phase.resend_every * 2))
                due = Tick(step.now + every)
                self._phase = replace(phase, due=due, resend_every=every)
                missing = [peer for peer in self._consensus.voters() if peer not in phase.answered]
                step.cast(missing, AskHighest(phase.nonce))
                self._conclude(step)
                if self._phase.due == due:
                    self._copy_of_others(step, phase)
            case Copying() as phase:
                self._turn_page(step, phase)
            case _:
                assert_never(self._phase)

    def _ask(self, step: Step) -> None:
        every = self._settings.timings.retransmit
        nonce = new_nonce(self._random)
        self._phase = Asking(nonce, (), frozenset(), (), Tick(step.now + every), every)
        if not self.ready:
            step.tell(SawRecovery(RecoveryPhase.SCANNING, None, self._learner.prefix, None))
        step.cast(self._consensus.voters(), AskHighest(nonce))
        self._conclude(step)

    def _copy_of_others(self, step: Step, phase: Asking) -> None:
        """Those who vote by the lists that are known here may be gone by now, or never answer who is in none of theirs.
        So who does not vote, or hears of others, copies what is learned anywhere, and so does a voter that has asked
        for long: too few may be left of its lists. What is learned says who is to be asked. It is no bound."""
        voters = self._consensus.voters()
        anybody = not step.voting or phase.resend_every == self._settings.timings.fill_every
        ahead = [site for site in self._peers.ahead_of(self._learner.prefix) if anybody or site not in voters]
        if ahead:
            self._counted = Slot(0)
            self._copied_from = self._learner.prefix
            self._bound = max(peer.prefix or Slot(0) for peer in self._peers.views() if peer.site in ahead)
            self._copy(step, self._bound, frozenset(), frozenset())

    def _conclude(self, step: Step) -> None:
        """R4: a majority of voters, this site included if it votes, bounds the log."""
        phase = self._phase
        if not isinstance(phase, Asking) or not self._consensus.is_majority(step, dict(phase.stores)):
            return
        self._counted = self._consensus.members.newest.first
        self._copied_from = self._learner.prefix
        bound = max((answer.used_max for answer in phase.answers), default=Slot(0))
        self._bound = Slot(max(bound, self._learner.used_max))
        if self._bound <= self._learner.prefix + WINDOW_SLOTS:
            self._learner.used(self._bound)
        if self._learner.prefix >= self._bound:
            self._reach(step)
        else:
            self._told_done = False
            self._copy(step, self._bound, frozenset(), frozenset())

    def _copy(self, step: Step, bound: Slot, tried: frozenset[SiteId], lacking: frozenset[SiteId]) -> None:
        prefix = self._learner.prefix
        source = next((site for site in self._peers.ahead_of(prefix) if site not in tried), None)
        if source is None:
            claiming = {peer.site for peer in self._peers.views() if peer.prefix is not None and peer.prefix > prefix}
            if bound > prefix + WINDOW_SLOTS and claiming <= lacking:
                self._bound = self._learner.used_max  # nobody has what would lie between: not believed (R6)
            self._rest(step)
            return
        due = Tick(step.now + self._patience())
        self._ask_on(step, Copying(bound, source, (), prefix, due, tried, lacking))

    def _ask_on(self, step: Step, phase: Copying) -> None:
        """Asks the source for what comes next."""
        prefix = self._learner.prefix
        step.tell(SawRecovery(RecoveryPhase.COPYING, phase.bound, prefix, phase.source))
        out = [question for question in phase.questions if question.last > prefix]
        asked = out[-1].last if out else prefix
        while len(out) < QUESTIONS_MAX and asked < phase.bound:
            first, asked = Slot(asked + 1), Slot(min(phase.bound, asked + self._question_slots))
            out.append(self._question(step, phase.source, first, asked))
        self._phase = replace(phase, questions=tuple(out))

    def _question(self, step: Step, source: SiteId, first: Slot, last: Slot) -> Question:
        nonce = new_nonce(self._random)
        self._asked += 1
        step.send(source, Ask(nonce, ((first, last),)))
        return Question(nonce, self._asked, first, last, Slot(first - 1))

    def _turn_page(self, step: Step, phase: Copying) -> None:
        if self._learner.prefix >= phase.bound:
            self._rest(step)
            return
        if self._learner.prefix > phase.prefix_asked:
            self._copy(step, phase.bound, frozenset(), frozenset())
        else:
            self._copy(step, phase.bound, phase.tried | {phase.source}, phase.lacking)

    def _rest(self, step: Step) -> None:
        """What remains is for the hole filler; the next scan comes in its time, sooner while this site is behind."""
        assert self._bound is not None
        timings = self._settings.timings
        behind = self._learner.prefix < self._bound
        self._phase = Idle(Tick(step.now + (timings.fill_every if behind else timings.scan_every)))
        if not behind:
            self._reach(step)

    def _reach(self, step: Step) -> None:
        """The prefix covers the bound: this site knows all that was chosen before it asked."""
        if self._counted != self._consensus.members.newest.first:
            self._bound = None
            self._ask(step)
            return
        self.ready = True
        if self._learner.prefix - self._copied_from > QUESTION_SLOTS:
            self._bound = None
            self._ask(step)
            return
        if isinstance(self._phase, Asking | Copying):
            self._phase = Idle(Tick(step.now + self._settings.timings.scan_every))
        if not self._told_done:
            self._told_done = True
            step.tell(SawRecovery(RecoveryPhase.DONE, self._bound, self._learner.prefix, None))
        self._bound = None

    def _patience(self) -> Tick:
        return Tick(2 * self._settings.timings.retransmit)


def highest(learner: Learner, message: AskHighest) -> Highest:
    """This voter's answer."""
    return Highest(message.nonce, learner.used_max, learner.prefix)
