"""What this screen asks its site to do: events, fills; each ends in a sentence on the notice board.

Rules that hold here:
- An event's text is never lost: what is not in the log can be had back into the composer, after leaving too.
- An event is known by the id that the engine acknowledges it with. Of one that was not acknowledged when the connection
  broke, only that it is in no log can be certain: its words are no proof, for another may have said the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from engine.contract.answers import Attempt, LogState, Outcome, OutcomeWord
from engine.contract.errors import BadAnswer, EngineLost, ErrorCode, NoEngine, RequestFailed, RequestRefused
from engine.contract.requests import EventKind, Fill, Plan, Submit
from engine.core.effects import UNSETTLED
from engine.core.entry import Block, Operation, Tweet, Unblock
from engine.core.ids import Slot
from engine.core.views import AttemptPhase
from tui.counted import listed
from tui.rows import Role, Row, row
from tui.site import wording
from tui.site.doubts import Doubt, doubts, own_attempt
from tui.site.model import SiteModel
from tui.site.notices import FILL, SUBMIT, Mood, Notice, NoticeBoard, Offer
from tui.site.pending import LEFT, Pending
from tui.site.unsent import KEPT_MAX, Unsent, UnsentFile

TIMEOUT_S: Final = 10.0
FILL_TIMEOUT_S: Final = 10.0
EVENTS_READ: Final = 50
CREATED_KEPT: Final = 8
_OF_THE_FILLER: Final[frozenset[str]] = frozenset({AttemptPhase.ASKING, AttemptPhase.YIELDING})


class Submissions:
    def __init__(self, model: SiteModel, board: NoticeBoard, changed: Callable[[], None]) -> None:
        self.pending: list[Pending] = []
        self._model = model
        self._board = board
        self._changed = changed
        self._told: dict[str, Operation] = {}
        self._unknown: deque[Pending] = deque(maxlen=KEPT_MAX)
        """Those whose outcome was told to be unknown."""
        self._created: deque[tuple[str, int]] = deque(maxlen=CREATED_KEPT)
        """The newest tweets that are in the log, each with its slot: the timeline is read a moment later."""
        self._file = UnsentFile(model.hop.folder)
        self._reconciling = asyncio.Lock()
        model.on_outcome = self._heard
        for event in self._file.load():
            self._restore(event)

    async def submit(self, operation: Operation) -> None:
        """Sends an event and tells its outcome when there is one."""
        self._board.asked()
        engine = None if self._model.status is None else self._model.status.since
        pending = Pending(operation, self._number_max(), engine, time.monotonic(), self._idle(operation))
        self.pending.append(pending)
        self._board.begin(SUBMIT, self.words)
        words = wording.operation_words(operation, self._model.site)
        try:
            outcome = await self._model.link.submit(_submit(operation), partial(self._acknowledge, pending))
        except RequestRefused as refused:
            said = wording.kept_out("refused", str(refused), words)
            self._end(pending, Notice(said, Mood.BAD, _again(refused, operation), operation))
        except NoEngine as failed:
            said = wording.kept_out("not sent", str(failed), words)
            self._end(pending, Notice(said, Mood.BAD, _undone(operation), operation))
        except EngineLost:
            pending.orphaned = "the engine went away"
            self._changed()
        except BadAnswer as bad:
            await self._tell(pending, Outcome.unknown(str(bad), pending.id))
        else:
            await self._tell(pending, outcome)

    async def plan(self, slots: Sequence[int] | None, starts: str) -> Notice | None:
        """Tells what a fill would do, and which key `starts` it; returns that notice, None if nothing is to be done."""
        self._board.asked()
        try:
            lines = (await self._model.link.ask(Plan(slots=_slots(slots)))).lines
            if not lines:
                await self._model.read_status()
        except RequestFailed as failed:
            self._board.add(Notice(wording.refused(str(failed)), Mood.BAD, about=FILL, ends=frozenset({FILL})))
            return None
        if not lines:
            self.tell_no_hole()
            return None
        if all(line.state == LogState.CHOSEN for line in lines):
            learned = row(("· ", Role.NOTE), f"slot {lines[0].slot} is learned: nothing is left to fill there")
            self._board.report(Notice(learned, Mood.GOOD))
            return None
        awaits = frozenset(line.slot for line in lines)
        offers, slot = ((Offer.SETTLE,), lines[0].slot) if slots is not None else ((), None)
        told = Notice(wording.planned(lines, starts), Mood.GOOD, offers, slot=slot, awaits=awaits)
        self._board.add(told)  # not a remark: a long one is cut in the line, and `o` has all of it
        return told

    def tell_no_hole(self) -> None:
        """For as long as none is known, and as much is known of what others may have used."""
        model, lacks = self._model, self._model.may_lack_newest

        def holds() -> bool:
            return model.live and not model.holes and model.may_lack_newest == lacks

        said = row(("· ", Role.NOTE), wording.no_hole(model.status))
        self._board.report(Notice(said, Mood.GOOD, holds=holds))

    async def fill(self, slots: Sequence[int] | None) -> None:
        """Fills these slots, or all holes, and tells what became of them."""
        self._board.asked()
        filling = row(("… ", Role.NOTE), f"filling {'all holes' if slots is None else f'slot {listed(slots)}'}")
        self._board.begin(FILL, lambda: filling)
        try:
            told = await self._model.link.ask(Fill(slots=_slots(slots), timeout_s=FILL_TIMEOUT_S))
        except (RequestRefused, BadAnswer) as refused:
            notice = Notice(wording.refused(str(refused)), Mood.BAD, about=FILL, ends=frozenset({FILL}))
        except (EngineLost, NoEngine) as lost:
            said = row(("? ", Role.WARN), f"the fill was not answered: {lost}")
            notice = Notice(said, Mood.BAD, about=FILL, ends=frozenset({FILL}))
        else:
            unsettled = frozenset(line.slot for line in told.lines if line.result in UNSETTLED)
            mood = Mood.BAD if unsettled else Mood.GOOD
            notice = Notice(wording.filled(told), mood, ends=frozenset({FILL}), awaits=unsettled)
            self._board.settled({line.slot for line in told.lines}.__contains__)  # this is the newer word on them
        finally:
            self._board.end(FILL)
        self._board.add(notice)

    async def reconcile(self) -> None:
        """The connection is back: finds out what became of the events that were under way when it broke."""
        async with self._reconciling:
            for pending in [each for each in self.pending if each.orphaned]:
                try:
                    await self._tell(pending, await self._became(pending))
                except RequestFailed as failed:
                    self._model.complain(failed)
                    return

    def words(self) -> Row | None:
        """The sentence about the events that are under way; None when none is."""
        if not self.pending:
            return None
        first = self.pending[0]
        more = f" · {len(self.pending) - 1} more wait" if len(self.pending) > 1 else ""
        if first.orphaned:
            told = self._board.shown
            if told is not None and told.mood is Mood.BAD:
                return None  # nothing comes of it for as long as no engine is there
            return self._untold(self.pending)
        return row(("… ", Role.NOTE), self._doing(first), (f" · {first.elapsed_s:.1f} s{more}", Role.DIM))

    def each(self) -> list[Row]:
        """A sentence about each event that is under way, the oldest first; their texts end them."""
        site = self._model.site
        return [
            self._untold([one])
            if one.orphaned
            else row(
                ("… ", Role.NOTE), f"{self._doing(one)}: ", (wording.operation_words(one.operation, site), Role.DIM)
            )
            for one in self.pending
        ]

    def in_doubt(self) -> tuple[Doubt, ...]:
        """The tweets of this screen that the timeline may not show yet."""
        unknown = [each for each in self._unknown if self._is_unknown(each)]
        return doubts(self._created, unknown, self.pending, self._model.outcomes, self._working())

    def _untold(self, pending: Sequence[Pending]) -> Row:
        return wording.untold([(each.operation, each.orphaned) for each in pending], self._model.site)

    def _doing(self, pending: Pending) -> str:
        """What this site's own fault rules do comes first."""
        attempt, status = self._attempt_for(pending), self._model.status
        said = self._waits(pending) if attempt is None else f"#{attempt.slot} {wording.attempt_words(attempt)}"
        return said if status is None or status.hindered is None else f"{status.hindered}; {said}"

    def _waits(self, pending: Pending) -> str:
        """Where an event is while this site makes no attempt at a slot for it. The status is half a second old at most;
        that the event was handed on is told sooner, and stays so whoever leads next."""
        status, handed = self._model.status, self._model.handed
        if status is None:
            return "sent, waiting for its turn"
        if handed is not None and handed.ballot is not None and pending.was_sent_before(handed):
            to = handed.ballot.rpartition(".")[2]
            if status.leader == to:
                return f"handed to {to}, who leads"
            if status.leader is None:
                return f"handed to {to}, who is no longer heard as leader; the next leader gets it too"
            return f"handed to {to}"
        if not status.voting:
            return f"waits until {status.site} votes, at most {TIMEOUT_S:.0f} s"
        if status.lacks_leader:
            return "no leader is heard to hand it to"
        if status.leader not in (None, status.site):
            return f"sent; {status.leader} leads"
        return "sent, waiting for its turn"

    def _attempt_for(self, pending: Pending) -> Attempt | None:
        working = self._working()
        return own_attempt(pending, working) or next(iter(working), None)

    def _working(self) -> list[Attempt]:
        return [each for each in self._model.attempts.values() if each.phase not in _OF_THE_FILLER]

    async def _tell(self, pending: Pending, outcome: Outcome) -> None:
        if outcome.id is not None:
            self._told[outcome.id] = pending.operation
        self._model.known_outcome(outcome)
        words = wording.operation_words(pending.operation, self._model.site)
        match outcome.outcome:
            case OutcomeWord.CREATED:
                words += pending.idle
                self._note_created(pending.operation, outcome)
                said = wording.created(words, outcome, None)
                notice = self._end(pending, Notice(said, Mood.GOOD, (), pending.operation, outcome.slot))
                await self._name_votes(notice, words, outcome)
            case OutcomeWord.LOST:
                said = wording.lost(words, outcome)
                self._end(pending, Notice(said, Mood.BAD, _undone(pending.operation), pending.operation, outcome.slot))
            case OutcomeWord.NOT_CREATED:
                said = wording.not_created(words, outcome)
                self._end(pending, Notice(said, Mood.BAD, _undone(pending.operation), pending.operation))
            case _:
                said = wording.unknown(words, outcome)
                unsettled = outcome.slot if outcome.waits_for is None else outcome.waits_for
                offers = (Offer.SETTLE, Offer.WAIT)
                pending.id = outcome.id or pending.id
                self._unknown.append(pending)
                self._end(pending, Notice(said, Mood.BAD, offers, pending.operation, unsettled), outcome.id)

    async def _name_votes(self, told: Notice, words: str, outcome: Outcome) -> None:
        """Who chose it: the leader that counted the votes knows, and it may be another site."""
        if outcome.slot is None:
            return
        try:
            quorum = (await self._model.explain(outcome.slot)).quorum
        except RequestFailed:
            return  # the sentence is true without it
        if quorum is not None:
            better = replace(told, said=wording.created(words, outcome, quorum))
            self._board.amend(told, better)

    async def _became(self, pending: Pending) -> Outcome:
        """What the engine's own list of events tells of one that was under way when the connection broke."""
        if pending.id is not None:
            try:
                return await self._model.read_event(pending.id)
            except RequestRefused as refused:  # another store is there now
                return Outcome.unknown(str(refused), pending.id)
        await self._model.read_status()
        newer = [each for each in await self._model.read_events(EVENTS_READ) if _number(each) > pending.number_before]
        perhaps = [each for each in newer if each.id not in self._own()]
        if not perhaps and not self._keeps_it(pending):
            return Outcome.not_created("the engine ended before it took the event")
        if perhaps and all(each.outcome == OutcomeWord.NOT_CREATED for each in perhaps):
            return perhaps[-1]  # whichever of them it is
        listed = f"`{self._model.hop.command('events')}` lists this site's events"
        return Outcome.unknown(f"the engine ended before it told the id of this event; {listed}", None)

    def _own(self) -> set[str]:
        """The ids of the events that this screen sent, as far as it was told them."""
        return {*self._told, *(pending.id for pending in self.pending if pending.id is not None)}

    def _keeps_it(self, pending: Pending) -> bool:
        """Whether it may still wait for its number: at the same engine, whose site does not vote yet (D5), or that was
        left by this screen alone."""
        status = self._model.status
        waits = status is not None and (not status.voting or pending.orphaned == LEFT)
        return waits and status is not None and status.since == pending.engine

    def _heard(self, before: Outcome | None, now: Outcome) -> None:
        """An outcome that nobody here waits for: told where it settles what was unknown."""
        if before is None or before.outcome != OutcomeWord.UNKNOWN or now.outcome == OutcomeWord.UNKNOWN:
            return
        operation = self._told.get(now.id or "")
        words = "" if operation is None else wording.operation_words(operation, self._model.site)
        self._note_created(operation, now)
        mood = Mood.GOOD if now.outcome == OutcomeWord.CREATED else Mood.BAD
        offers = () if mood is Mood.GOOD or operation is None else _undone(operation)
        said = wording.settled(words, now)
        ends: frozenset[Hashable] = frozenset({now.id} if operation is None else {now.id, operation})
        self._board.add(Notice(said, mood, offers, operation, now.slot, about=operation, ends=ends))

    def _note_created(self, operation: Operation | None, outcome: Outcome) -> None:
        if outcome.outcome == OutcomeWord.CREATED and isinstance(operation, Tweet) and outcome.slot is not None:
            self._created.append((operation.text, outcome.slot))

    def _end(self, pending: Pending, notice: Notice, event: str | None = None) -> Notice:
        """Tells it; `event` is its id while its outcome is unknown. Two events of the same words are two: only what is
        certainly in no log is over when these words have been sent again."""
        self.pending.remove(pending)
        if not self.pending:
            self._board.end(SUBMIT)
        about = event or pending.operation
        told = replace(notice, about=about, ends=frozenset({about, pending.operation}))
        self._board.add(told)
        return told

    # What is kept when the screen is left.

    def keep(self) -> None:
        """Makes what is not known to be in the log durable, where that has changed."""
        try:
            self._file.save(tuple(self.unsent()))
        except OSError as failed:
            said = f"events without an outcome cannot be saved, so only this screen keeps them: {failed.strerror}"
            self._model.on_complaint(said)

    def unsent(self) -> Iterator[Unsent]:
        """What ended in no log and was not dismissed, then what may be in one."""
        for operation in self._board.offering(Offer.EDIT):
            yield Unsent.of(operation, in_no_log=True)
        for pending in (*filter(self._is_unknown, self._unknown), *self.pending):
            yield pending.kept()

    def _is_unknown(self, pending: Pending) -> bool:
        """One without an id is never told again: it is kept for as long as its reader has not dismissed it."""
        if pending.id is None:
            return pending.operation in self._board.offering(Offer.WAIT)
        known = self._model.outcomes.get(pending.id)
        return known is None or known.outcome == OutcomeWord.UNKNOWN

    def _restore(self, event: Unsent) -> None:
        operation = event.operation
        if event.in_no_log:
            said = wording.not_posted(wording.operation_words(operation, self._model.site))
            notice = Notice(said, Mood.BAD, _undone(operation), operation, about=operation)
            self._board.add(notice)
            return
        self.pending.append(Pending.restored(event))
        self._board.begin(SUBMIT, self.words)

    def _acknowledge(self, pending: Pending, id_: str) -> None:
        pending.id = id_
        self._changed()

    def _idle(self, operation: Operation) -> str:
        """Of an event that changes nothing, as far as this screen knows the table of blocks."""
        if self.pending or self._model.blocks is None or not isinstance(operation, Block | Unblock):
            return ""  # an event that is under way may change it before
        since = self._model.blocked_since(operation.target)
        if isinstance(operation, Block):
            return "" if since is None else f", who was blocked already, since #{since:,}"
        return ", who was not blocked" if since is None else ""

    def _number_max(self) -> int:
        return max((_number(outcome) for outcome in self._model.outcomes.values()), default=0)


def _submit(operation: Operation) -> Submit:
    match operation:
        case Tweet(text):
            return Submit(kind=EventKind.TWEET, text=text, timeout_s=TIMEOUT_S, acknowledge=True)
        case Block(target):
            return Submit(kind=EventKind.BLOCK, target=target, timeout_s=TIMEOUT_S, acknowledge=True)
        case Unblock(target):
            return Submit(kind=EventKind.UNBLOCK, target=target, timeout_s=TIMEOUT_S, acknowledge=True)
        case _:
            raise TypeError("a person submits tweets, blocks and unblocks")


def _slots(slots: Sequence[int] | None) -> tuple[Slot, ...] | None:
    return None if slots is None else tuple(map(Slot, slots))


def _undone(operation: Operation) -> tuple[Offer, ...]:
    """For an event that is in no log. Only a tweet has a text to edit."""
    return (Offer.RETRY, Offer.EDIT) if isinstance(operation, Tweet) else (Offer.RETRY,)


def _again(refused: RequestRefused, operation: Operation) -> tuple[Offer, ...]:
    """What the rules refuse can be edited only; what a stopping engine refuses can be tried again."""
    offers = _undone(operation)
    return offers if refused.code != ErrorCode.REFUSED else tuple(each for each in offers if each is not Offer.RETRY)


def _number(outcome: Outcome) -> int:
    return 0 if outcome.id is None else int(outcome.id.rpartition("/")[2])
