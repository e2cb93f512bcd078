"""Sessions: the events of this site, from submission to outcome.

Rules that hold here:
- E1: an event's number is durable before it is proposed, or told to who submitted it; its row goes with every change of
  its state.
- E2: `created` and `lost` are said of a learned slot alone, `not-created` only where nothing that carries the event
  left; else the outcome is `unknown`, kept durably, settled when its slot is learned, never pushed again.
- E3: events are proposed in the order of submission. L1: one at a time, the next waits until it is settled; or, handed
  on to a leader (L3), many in a chain: E5 keeps their order whatever is lost, repeated or reordered.
- E4: `created` is said when the prefix through its slot is learned here.
- E5: an entry follows the last number of this author in effect, or the one before it in the chain that is handed on. An
  event that may have left and is given up is withdrawn under its own number: one of both takes effect, once.
- D5: a site that does not vote gives out no numbers: submissions wait.
- The clock of an event starts when it is submitted, and anew whenever an event of this site before it is settled: one
  that waits its turn does not run out of time while the queue moves.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from msgspec.structs import replace

from engine.core.effects import SawNumbered, SawOutcome
from engine.core.entry import Entry, Stamped, Withdrawal, decode, encode, kind_of
from engine.core.events.situation import Doubt, Situation, together
from engine.core.ids import NEVER, EventId, SiteId, Slot, Tick
from engine.core.step import Step
from engine.core.storage import EventRow, EventState, WriteEvent
from engine.core.value import Value

STOPPED_BEFORE: Final = "the engine stopped before the event was proposed"
STOPPED_AFTER: Final = "the engine stopped after the event was proposed"
GIVEN_UP: Final = "given up by who submitted it"


class Submission(Value):
    """An event to be placed. `token` comes back with its number and its outcome; `body` is `entry.encode(...)`."""

    token: int
    body: str
    timeout: Tick
    retry: bool


@dataclass(slots=True)
class _Event:
    """An open event. `row` is None until it has a number; `submission` is None after a restart."""

    row: EventRow | None
    submission: Submission | None
    submitted: Tick
    void_at: Slot | None = None  # chosen there where it is void, and not proposed again since


class Sessions:
    """The queue is in the order of submission, after all that is `placed`: PROPOSED or UNKNOWN, at a slot of this
    site's own synod, or (slot None) handed on to a leader."""

    def __init__(self, site: SiteId, number_max: int, open_events: tuple[EventRow, ...]) -> None:
        self._site = site
        self._number_max = number_max
        self._unnumbered: deque[_Event] = deque()
        self._queue: deque[_Event] = deque()
        self._placed: dict[int, _Event] = {row.number: _Event(row, None, Tick(0)) for row in open_events}
        self._at: dict[Slot, _Event] = {
            event.row.slot: event
            for event in self._placed.values()
            if event.row is not None and event.row.slot is not None
        }
        self._by_token: dict[int, _Event] = {}
        self._alarms: list[tuple[Tick, int]] = []
        self._progress_at = Tick(0)
        self._aim: Slot | None = None

    @property
    def aim(self) -> Slot | None:
        """The slot at which the event whose turn it is is being pushed; None where none is."""
        return self._aim

    @property
    def unknown(self) -> int:
        return sum(event.row is not None and event.row.state is EventState.UNKNOWN for event in self._placed.values())

    @property
    def waits_since(self) -> Tick | None:
        """When the oldest of the events without an outcome was submitted; None where there is none."""
        oldest = (*itertools.islice(self._placed.values(), 1), *itertools.islice(self._queue, 1))
        waiting = (*oldest, *itertools.islice(self._unnumbered, 1))
        return min((event.submitted for event in waiting), default=None)

    @property
    def outstanding(self) -> bool:
        """Something that was handed on is not settled."""
        placed = self._placed  # mostly empty
        return bool(placed) and any(event.row is not None and event.row.slot is None for event in placed.values())

    @property
    def open_slots(self) -> list[Slot]:
        """The slots that open events were proposed at: used, whatever else is known of them."""
        return [
            event.row.slot for event in self._placed.values() if event.row is not None and event.row.slot is not None
        ]

    def start(self, step: Step, situation: Situation) -> None:
        """What was open when the site stopped is not pushed any more (E2)."""
        for event in list(self._placed.values()):
            assert event.row is not None
            if event.row.state is EventState.QUEUED:
                row = replace(event.row, state=EventState.NOT_CREATED, slot=None, reason=STOPPED_BEFORE)
                self._settle(step, event, row)
            elif event.row.state is EventState.PROPOSED:
                self._doubt(step, event, _after(STOPPED_AFTER, situation.left(event.row)))

    def submit(self, step: Step, submission: Submission) -> None:
        event = _Event(None, submission, step.now)
        self._by_token[submission.token] = event
        heappush(self._alarms, (Tick(step.now + submission.timeout), submission.token))
        self._unnumbered.append(event)
        self.number(step)

    def number(self, step: Step) -> None:
        """Gives every waiting submission its number, once this site votes (D5)."""
        while step.voting and self._unnumbered:
            event = self._unnumbered.popleft()
            assert event.submission is not None
            self._number_max += 1
            event.row = EventRow(self._number_max, event.submission.body, EventState.QUEUED)
            step.write(WriteEvent(event.row))
            step.tell(SawNumbered(event.submission.token, EventId(self._site, self._number_max)))
            self._queue.append(event)

    def turn(self, slot: Slot, follows: int) -> Entry | None:
        """The entry to propose next, now aimed at `slot`; None where none waits, or one before it is not settled."""
        if not self.waiting:
            return None
        self._aim = slot
        event = next(iter(self._placed.values()), None) or self._queue[0]
        event.void_at = None
        return self._entry(event, follows)

    @property
    def waiting(self) -> bool:
        """An event, or the withdrawal of one that was handed on, could be aimed at a slot now."""
        if self._aim is not None:
            return False
        if not self._placed:
            return bool(self._queue)
        first = next(iter(self._placed.values()))
        return first.row is not None and first.row.slot is None

    def hand(self, step: Step, last_in_effect: int, limit: int) -> list[Entry]:
        """The events that are handed on for the first time now, in a chain after all that are (L3, E5)."""
        entries: list[Entry] = []
        if not self._queue:
            return entries
        handed = (n for n, event in reversed(self._placed.items()) if event.row is not None and event.row.slot is None)
        follows = next(handed, last_in_effect)
        while self._queue and len(self._placed) < limit:
            event = self._queue.popleft()
            assert event.row is not None
            event.row = replace(event.row, state=EventState.PROPOSED, slot=None)
            step.write(WriteEvent(event.row))
            self._placed[event.row.number] = event
            entries.append(self._entry(event, follows))
            follows = event.row.number
        return entries

    def chain(self, last_in_effect: int, limit: int) -> list[Entry]:
        """What was handed on and is not settled, or its withdrawal: to be handed on again, the first `limit`."""
        entries: list[Entry] = []
        follows = last_in_effect
        for number, event in self._placed.items():
            if event.row is not None and event.row.slot is None:
                entries.append(self._entry(event, follows))
                follows = number
                if len(entries) == limit:
                    break
        return entries

    def on_accepting(self, step: Step, slot: Slot, entry: Entry) -> None:
        """An accept of `entry` is about to leave: if it is the aimed event's, that is durable first (E1, E2)."""
        if slot != self._aim or self._placed or not self._queue or entry.author != self._site:
            return
        event = self._queue[0]
        assert event.row is not None
        if event.row.number == entry.number:
            self._queue.popleft()
            event.row = replace(event.row, state=EventState.PROPOSED, slot=slot)
            self._placed[entry.number] = self._at[slot] = event
            step.write(WriteEvent(event.row))

    def on_learned(self, step: Step, slot: Slot, entry: Entry) -> None:
        """A slot is learned: whatever was aimed at it or proposed there, and is not `entry`, lost it (E2)."""
        event = self._at.pop(slot, None)
        if self._aim == slot:
            self._aim = None
            if event is None and not self._placed and self._queue:
                event = self._queue[0]
        if event is None:
            return
        row = event.row
        assert row is not None
        if entry.author == self._site and entry.number == row.number:
            return  # `created` waits for the prefix (E4)
        if row.state is not EventState.UNKNOWN and event.submission is not None and event.submission.retry:
            self._again(step, event, row)
        else:
            lost = replace(row, slot=slot, state=EventState.LOST, reason=None)
            self._settle(step, event, replace(lost, to_author=entry.author, to_kind=kind_of(entry)))

    def on_applied(self, step: Step, slot: Slot, entry: Entry, void: bool) -> None:
        """The prefix reached a slot (E4): a number of this site in effect settles it, and all before it (E2, E5)."""
        if entry.author != self._site:
            return
        if void:
            self._push_again(step, slot, entry)
            return
        while self._placed and next(iter(self._placed)) <= entry.number:
            event = next(iter(self._placed.values()))
            row = event.row
            assert row is not None
            if row.number == entry.number and row.body == entry.body:
                self._settle(step, event, replace(row, state=EventState.CREATED, slot=slot, reason=None))
                continue
            what = "its withdrawal" if row.number == entry.number else f"the later event {entry.id}"
            reason = f"{what} took effect at slot {slot}"
            self._settle(step, event, replace(row, state=EventState.NOT_CREATED, slot=slot, reason=reason))

    def give_up(self, step: Step, token: int, situation: Situation) -> None:
        event = self._by_token.get(token)
        if event is not None:
            self._expire(step, event, situation, GIVEN_UP)

    def give_up_all(self, step: Step, situation: Callable[[], Situation]) -> None:
        """This site proposes nothing any more (D5)."""
        if self._by_token:
            now = situation()
            for event in list(self._by_token.values()):
                self._expire(step, event, now, None)

    def tick(self, step: Step, situation: Callable[[], Situation]) -> None:
        """`situation()` says where events of this site stand at present, and why they do not get on."""
        now: Situation | None = None
        while self._alarms and self._alarms[0][0] <= step.now:
            _, token = heappop(self._alarms)
            event = self._by_token.get(token)
            if event is None or event.submission is None:
                continue
            due = Tick(max(event.submitted, self._progress_at) + event.submission.timeout)
            if due > step.now:
                heappush(self._alarms, (due, token))
            else:
                now = now or situation()
                self._expire(step, event, now, None)

    def deadline(self) -> Tick:
        return self._alarms[0][0] if self._alarms else NEVER

    def _entry(self, event: _Event, follows: int) -> Entry:
        """The event's entry, or its withdrawal where it was given up."""
        row = event.row
        assert row is not None
        body = row.body
        if row.state is EventState.UNKNOWN:
            body = encode(Stamped(Withdrawal(), decode(row.body).at_ms))
        return Entry(self._site, row.number, follows, body)

    def _again(self, step: Step, event: _Event, row: EventRow) -> None:
        """`--retry`: the loss is no outcome, the same event goes to the next slot (E1: this one can not hold it)."""
        if self._placed.pop(row.number, None) is not None:
            self._queue.appendleft(event)
        event.row = replace(row, state=EventState.QUEUED, slot=None)
        step.write(WriteEvent(event.row))

    def _push_again(self, step: Step, slot: Slot, entry: Entry) -> None:
        """E5: an event of this site's own synod was chosen, and is void there: neither created nor lost. From here on
        it is as one that was handed on: it, or its withdrawal, goes on until that or a later number takes effect."""
        event = self._placed.get(entry.number)
        if event is not None and event.row is not None and event.row.slot == slot:
            event.row = replace(event.row, slot=None)
            event.void_at = slot
            step.write(WriteEvent(event.row))

    def explain_void(self, step: Step) -> None:
        """D5: this store is an old copy, and proposes nothing any more. What it proposed and was chosen where it is
        void has no outcome (E2): the lost store may have seen the same, and proposed it again where nobody knows."""
        for event in self._placed.values():
            row = event.row
            if event.void_at is None or row is None or row.state is not EventState.UNKNOWN:
                continue
            reason = (
                f"chosen at slot {event.void_at}, where it is void (E5); this site runs on an old copy of its store,"
                " and cannot know whether the lost one proposed it again"
            )
            if row.reason != reason:
                event.row = replace(row, reason=reason)
                step.write(WriteEvent(event.row))

    def _expire(self, step: Step, event: _Event, situation: Situation, lead: str | None) -> None:
        """Its time has passed: certainly nowhere if nothing left, in doubt otherwise (E2)."""
        row = event.row
        doubtful = next((e.row for e in self._placed.values() if e.row and e.row.state is EventState.UNKNOWN), None)
        earlier = None
        if doubtful is not None:
            earlier = f"waits for {EventId(self._site, doubtful.number)}, whose outcome is not known yet"
        reason = situation.reason(lead, earlier)
        if row is None:
            self._unnumbered.remove(event)
            self._tell(step, event, SawOutcome(None, None, EventState.NOT_CREATED, None, reason, None, None))
        elif row.state is EventState.QUEUED:
            self._settle(step, event, replace(row, state=EventState.NOT_CREATED, reason=reason))
        elif row.state is EventState.PROPOSED:
            self._aim = None
            self._doubt(step, event, situation.doubt(row, lead, earlier))

    def _doubt(self, step: Step, event: _Event, doubt: Doubt) -> None:
        assert event.row is not None
        event.row = replace(event.row, state=EventState.UNKNOWN, reason=doubt.said)
        step.write(WriteEvent(event.row))
        told = self._outcome(event.row)
        self._tell(step, event, replace(told, slot=doubt.slot, waits_for=doubt.waits_for))

    def _settle(self, step: Step, event: _Event, row: EventRow) -> None:
        if self._placed.pop(row.number, None) is None:
            if self._queue and self._queue[0] is event and not self._placed:
                self._aim = None
            self._queue.remove(event)
        elif event.row is not None and event.row.slot is not None:
            self._at.pop(event.row.slot, None)
        if row.state is not EventState.NOT_CREATED:
            self._progress_at = step.now
        step.write(WriteEvent(row))
        self._tell(step, event, self._outcome(row))

    def _tell(self, step: Step, event: _Event, said: SawOutcome) -> None:
        if event.submission is not None:
            self._by_token.pop(event.submission.token, None)
            took_ms = Tick(step.now - event.submitted)
            said = replace(said, token=event.submission.token, took_ms=took_ms)
        step.tell(said)

    def _outcome(self, row: EventRow) -> SawOutcome:
        id_ = EventId(self._site, row.number)
        return SawOutcome(None, id_, row.state, row.slot, row.reason, row.to_author, row.to_kind)


def _after(lead: str, doubt: Doubt) -> Doubt:
    return replace(doubt, said=together(lead, doubt.said))
