"""Sessions: the events of this site, from submission to outcome.

Rules that hold here:
- Events that were submitted together and stand alike are one run, of consecutive numbers. It is split where they come
  to different ends; what is written and told of them is of a run.
- E1: an event has its number before it is proposed, and its row goes with every change of its state.
- E2: `created` and `lost` are said of a learned slot alone, `not-created` only where nothing that carries the event
  left; else the outcome is `unknown`, kept durably, settled when its slot is learned, never pushed again.
- E3: events are proposed in the order of submission, many in a chain: handed on to a leader (L3), or aimed at slots
  that follow each other (L1), and then what comes after waits until they are settled. E5 keeps their order whatever
  is lost, repeated or reordered.
- E4: `created` is said when the prefix through its slot is learned here.
- E5: an entry follows the last number of this author in effect, or the one before it in the chain that is handed on. An
  event that may have left and is given up is withdrawn under its own number: one of both takes effect, once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count, groupby, takewhile, zip_longest
from typing import Final

from msgspec.structs import replace

from engine.core.effects import SawApplied
from engine.core.entry import Entry, Stamped, Withdrawal, decode, encode, kind_of
from engine.core.events.situation import Doubt, Situation
from engine.core.events.submissions import Batch, Open, Submission, Submissions, outcome_of
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.run import Run, slots_of
from engine.core.spans import Part, Spans
from engine.core.step import Step
from engine.core.storage import EventRun, EventState, WriteEvents

STOPPED_BEFORE: Final = "the engine stopped before the event was proposed"
STOPPED_AFTER: Final = "the engine stopped after the event was proposed"
GIVEN_UP: Final = "given up by the client that submitted it"


class Sessions:
    """Events are kept by number. The queue is in the order of submission, after all that is `placed`: PROPOSED or
    UNKNOWN, at slots of this site's own synods, or (slot None) handed on to a leader."""

    def __init__(self, site: SiteId, number_max: int, open_events: tuple[EventRun, ...]) -> None:
        self._site = site
        self._submissions = Submissions(site, number_max)
        self._queue: Spans[Open] = Spans(Open.cut)
        left = (Part(Slot(run.first), Slot(run.last), Open(run, None)) for run in open_events)
        self._placed: Spans[Open] = Spans(Open.cut, left)
        self._at: dict[Slot, int] = {row.slot: row.number for run in open_events for row in run.rows() if row.slot}
        self._void_at: dict[int, Slot] = {}  # chosen there where they are void, and not proposed again since
        self._written = self._queued_durably = number_max  # no higher number was written as QUEUED
        self._handed = self._handed_durably = number_max  # nor is this site's leader's any that is higher
        self._progress_at = Tick(0)
        self._aims: dict[Slot, int] = {}  # where the events whose turn it is are being pushed, ascending
        self.setbacks = 0
        """How often an aimed slot went to another entry, or an event was chosen where it is void."""

    @property
    def aims(self) -> Collection[Slot]:
        """The slots at which the events whose turn it is are being pushed, ascending."""
        return self._aims.keys()

    @property
    def unknown(self) -> int:
        """How many events have no outcome, and are not pushed any more (E2)."""
        runs = (part.value.events for part in self._placed)
        return sum(len(run.bodies) for run in runs if run.state is EventState.UNKNOWN)

    @property
    def waits_since(self) -> Tick | None:
        """When the oldest of the events without an outcome was submitted."""
        first = [next(iter(parts)).value.batch for parts in (self._placed, self._queue) if parts]
        submitted = [Tick(0) if batch is None else batch.submitted for batch in first]
        unnumbered = self._submissions.waits_since()
        return min(submitted if unnumbered is None else [*submitted, unnumbered], default=None)

    @property
    def idle(self) -> bool:
        """Nothing waits here, and nothing is under way."""
        return not (self._placed.slots_count or self._queue.slots_count or self._submissions.waits)

    def outstanding(self, last_in_effect: int) -> bool:
        handed = (part.value.events.slot is None for part in self._placed)
        return not self.idle and (any(handed) or bool(self._going_on(last_in_effect)))

    @property
    def open_slots(self) -> list[Slot]:
        """Where open events were proposed: used, whatever else is known of these slots."""
        return list(self._at)

    def start(self, step: Step, situation: Situation) -> None:
        """What was open when the site stopped is not pushed any more (E2)."""
        for part in list(self._placed):
            run = part.value
            if run.events.state is EventState.QUEUED:
                self._settle(step, run, run.ended(EventState.NOT_CREATED, None, STOPPED_BEFORE))
            elif run.events.state is EventState.PROPOSED:
                self._doubt(step, run, [situation.left(row).after(STOPPED_AFTER) for row in run.events.rows()])

    def submit(self, step: Step, submission: Submission) -> None:
        self._submissions.submit(step, submission)

    def number(self, step: Step, last_in_effect: int) -> None:
        """Gives what waits its numbers, where this site votes (D5)."""
        for run in self._submissions.number(step, last_in_effect):
            self._queue.put(run.events.first, run.events.last, run)

    def keep(self, step: Step) -> None:
        """What got its number in this step, and did not leave in it, is durable with it (E1)."""
        last = self._queue.last
        if last is not None and last > self._written:
            for part in self._queue.over(self._written + 1, last):
                step.write(WriteEvents(part.value.events))
            self._written = last

    def committed(self) -> None:
        """All that was written so far is durable."""
        self._submissions.committed()
        self._queued_durably, self._handed_durably = self._written, self._handed

    def may_leave_beside(self, run: Run) -> bool:
        """L3, E2: what leaves beside the commit that says so of it, is not QUEUED on the disk if this site dies before:
        a start would call it `not-created`. Of what has no row yet nobody was told anything."""
        free, barred = self._handed_durably, self._queued_durably
        return free >= barred or not any(
            entry.author == self._site and free < entry.number <= barred for entry in run.entries
        )

    def turn(self, slot: Slot, follows: int, limit: int) -> tuple[Entry, ...]:
        """The entries to propose next in a chain, `limit` of them at most, now aimed at the slots from `slot` on; none
        where none waits, or one before it is not settled. Of several that were given up and follow each other the last
        one is withdrawn: once that takes effect, none before it can (E5)."""
        if self._aims:
            return ()
        entries = self._going_on(follows)
        runs = [part.value.events for part in sorted((*self._placed, *self._queue), key=lambda part: part.first)]
        movable = list(takewhile(lambda events: events.slot is None, runs))
        for events, after in zip_longest(movable, movable[1:]):
            first = events.first
            if events.state is EventState.UNKNOWN:
                if after is not None and after.state is EventState.UNKNOWN:
                    continue
                first = events.last
            last = min(events.last, first + limit - len(entries) - 1)
            if last < first:
                break
            entries += self._entries(events.cut(first, last), follows)
            follows = last
        for at, entry in enumerate(entries, slot):
            self._aims[Slot(at)] = entry.number
            self._void_at.pop(entry.number, None)
        return tuple(entries)

    def waiting(self, last_in_effect: int) -> bool:
        if self._aims:
            return False
        first = [next(iter(parts)) for parts in (self._placed, self._queue) if parts]
        if not first:
            return bool(self._going_on(last_in_effect))
        return min(first, key=lambda part: part.first).value.events.slot is None

    def _going_on(self, last_in_effect: int) -> list[Entry]:
        """M6: what has to take effect so that numbers can be given out again."""
        return [] if self._placed or self._queue else self._submissions.withdrawal(last_in_effect)

    def hand(self, step: Step, last_in_effect: int, limit: int) -> list[Entry]:
        """The events that are handed on for the first time now, in a chain after all that are (L3, E5)."""
        entries: list[Entry] = []
        if not self._queue:
            return entries
        handed = (part.last for part in reversed(self._placed) if part.value.events.slot is None)
        follows: int = next(handed, last_in_effect)
        while self._queue and (room := limit - self._placed.slots_count) > 0:
            first, last, _ = next(iter(self._queue))
            (part,) = self._queue.remove(first, min(last, first + room - 1))
            entries += self._entries(self._place(step, part.value, None), follows)
            follows = self._handed = part.last
        return entries

    def chain(self, last_in_effect: int, limit: int) -> list[Entry]:
        """What was handed on and is not settled, or its withdrawal: to be handed on again, the first `limit`."""
        entries, follows = self._going_on(last_in_effect), last_in_effect
        for part in self._placed:
            if part.value.events.slot is None:
                entries += self._entries(part.value.events, follows)
                follows = part.last
                if len(entries) >= limit:
                    break
        return entries[:limit]

    def on_accepting(self, step: Step, run: Run) -> None:
        """An accept of `run` is about to leave: where it carries an aimed event, that is durable first (E1, E2)."""
        mine = [slot for slot, entry in run if self._is_aimed(slot, entry)] if self._queue else []
        for _, alike in groupby(enumerate(mine), lambda at: (at[1] - at[0], self._aims[at[1]] - at[1])):
            slots = [slot for _, slot in alike]
            number = self._aims[slots[0]]
            for part in self._queue.remove(number, number + len(slots) - 1):
                self._place(step, part.value, Slot(slots[0] + part.first - number))
            self._at.update(zip(slots, count(number), strict=False))

    def _is_aimed(self, slot: Slot, entry: Entry) -> bool:
        """It is the event that is aimed there, and was not proposed before."""
        number = self._aims.get(slot)
        return number == entry.number and entry.author == self._site and self._queue.at(number) is not None

    def on_learned(self, step: Step, run: Run) -> None:
        """Slots are learned: whatever was aimed at one or proposed there, and is not its entry, lost it (E2)."""
        if not self._aims and not self._at:
            return
        own = {*self._at, *self._aims}
        for slot in sorted(slot for slot in own if run.first <= slot <= run.last):
            self._learned_at(step, slot, run.entry(slot))

    def _learned_at(self, step: Step, slot: Slot, entry: Entry) -> None:
        number = self._at.pop(slot, None)
        aimed = self._aims.pop(slot, None)
        if number is None and aimed is not None and self._queue.at(aimed) is not None:
            number = aimed
        run = None if number is None else self._placed.get(number) or self._queue.get(number)
        if run is None or (entry.author == self._site and entry.number == number):
            return  # `created` waits for the prefix (E4)
        self.setbacks += 1
        if run.events.state is not EventState.UNKNOWN and run.batch is not None and run.batch.submission.retry:
            self._again(step, run)
        else:
            lost = run.ended(EventState.LOST, slot, None)
            self._settle(step, run, replace(lost, to_author=entry.author, to_kind=kind_of(entry)))

    def on_applied(self, step: Step, applied: SawApplied) -> None:
        """The prefix reached these slots (E4): a number of this site in effect settles it, and all before it (E5)."""
        if not self._placed.slots_count:
            return
        for slot in applied.without_number:
            self._push_again(step, slot, applied.run.entry(slot))
        for run, misfit in applied.numbers_of(self._site):
            self._took_effect(step, run, misfit)

    def end_all(self, step: Step, reason: str) -> None:
        """M5, M6: what is open here takes no effect any more; where its name votes again, its numbers go on above."""
        for run in [each for part in (*self._placed, *self._queue) for each in part.value.ones()]:
            self._settle(step, run, run.ended(EventState.NOT_CREATED, None, reason))

    def give_up(self, step: Step, token: int, offset: int, count: int | None, situation: Situation) -> None:
        """Those of a submission from `offset` on, `count` of them or all."""
        batch = self._submissions.batch(token)
        if batch is not None:
            end = batch.count if count is None else offset + count
            self._expire(step, batch, range(offset, end), situation, GIVEN_UP)

    def give_up_all(self, step: Step, situation: Callable[[], Situation]) -> None:
        """This site proposes nothing any more (D5)."""
        batches = self._submissions.under_way()
        if batches:
            now = situation()
            for batch in batches:
                self._expire(step, batch, range(batch.count), now, None)

    def is_open(self, token: int) -> bool:
        return self._submissions.batch(token) is not None

    def tick(self, step: Step, situation: Callable[[], Situation]) -> None:
        """`situation()` says where events of this site stand at present, and why they do not get on."""
        now = None
        for batch in self._submissions.due(step.now, self._progress_at):
            now = now or situation()
            self._expire(step, batch, range(batch.count), now, None)

    def deadline(self) -> Tick:
        return self._submissions.deadline()

    def explain_void(self, step: Step) -> None:
        """D5: this store is an old copy, and proposes nothing any more. What it proposed and was chosen where it is
        void has no outcome (E2): the lost store may have seen the same, and proposed it again where nobody knows."""
        for part in list(self._placed):
            for run in part.value.ones() if part.value.events.slot is None else ():
                slot = self._void_at.get(run.events.first)
                where = "chosen where" if slot is None else f"chosen at slot {slot}, where"
                reason = (
                    f"{where} it is void (E5); this site runs on an old copy of its store"
                    " and cannot know whether the lost store proposed it again"
                )
                if run.events.state is EventState.UNKNOWN and run.events.reason != reason:
                    self._keep_placed(step, run, replace(run.events, reason=reason))

    def _entries(self, events: EventRun, follows: int) -> list[Entry]:
        """The events' entries in a chain, or their withdrawals where they were given up."""
        bodies: Sequence[str] = events.bodies
        if events.state is EventState.UNKNOWN:
            bodies = [encode(Stamped(Withdrawal(), decode(body).at_ms)) for body in bodies]
        entries: list[Entry] = []
        for number, body in enumerate(bodies, events.first):
            entries.append(Entry(self._site, number, follows, body))
            follows = number
        return entries

    def _place(self, step: Step, run: Open, slot: Slot | None) -> EventRun:
        """What was queued may leave now, to be proposed at `slot`, or handed on."""
        events = replace(run.events, state=EventState.PROPOSED, slot=slot)
        self._keep_placed(step, run, events)
        return events

    def _again(self, step: Step, run: Open) -> None:
        """`--retry`: the loss is no outcome, the same event goes to the next slot (E1: this one can not hold it)."""
        events = replace(run.events, state=EventState.QUEUED, slot=None)
        self._placed.remove(events.first, events.last)
        self._queue.put(events.first, events.last, Open(events, run.batch))
        step.write(WriteEvents(events))

    def _push_again(self, step: Step, slot: Slot, entry: Entry) -> None:
        """E5: an event of this site's own synod was chosen, and is void there: neither created nor lost. From here on
        it is as one that was handed on: it, or its withdrawal, goes on until that or a later number takes effect."""
        run = self._placed.get(entry.number) if entry.author == self._site else None
        if run is not None and run.events.slot == slot:
            self.setbacks += 1
            self._void_at[entry.number] = slot
            self._keep_placed(step, run, replace(run.events, slot=None))

    def _took_effect(self, step: Step, own: Run, misfit: str | None) -> None:
        """`own` has consecutive numbers. `misfit`: why it took its number, and did no more (M3)."""
        number = own.entries[0].number
        for part in self._placed.over(1, number - 1):
            reason = f"the later event {own.entries[0].id} took effect at slot {own.first}"
            for run in part.value.ones():
                self._settle(step, run, run.ended(EventState.NOT_CREATED, own.first, reason))
        for part in self._placed.over(number, own.entries[-1].number):
            slot = Slot(own.first + part.first - number)
            chosen = own.cut(slot, Slot(slot + part.last - part.first))
            if misfit is not None:
                self._settle(step, part.value, part.value.ended(EventState.NOT_CREATED, slot, misfit))
                continue
            if part.value.events.bodies == tuple([entry.body for entry in chosen.entries]):
                self._settle(step, part.value, part.value.ended(EventState.CREATED, slot, None))
                continue
            for (at, entry), run in zip(chosen, part.value.ones(), strict=True):
                if run.events.bodies == (entry.body,):
                    self._settle(step, run, run.ended(EventState.CREATED, at, None))
                else:
                    reason = f"its withdrawal took effect at slot {at}"
                    self._settle(step, run, run.ended(EventState.NOT_CREATED, at, reason))

    def _expire(self, step: Step, batch: Batch, places: range, situation: Situation, lead: str | None) -> None:
        """The time of those at these places of a submission has passed: they are certainly nowhere if nothing left, in
        doubt otherwise (E2)."""
        if not batch.first:
            self._submissions.drop(step, batch, places, situation.reason(lead, self._earlier()))
            return
        first, last = batch.first + places.start, batch.first + places.stop - 1
        for part in self._placed.over(first, last):
            if part.value.events.state is EventState.PROPOSED:
                self._unaim(part.first, part.last)
                earlier = self._earlier()
                self._doubt(step, part.value, [situation.doubt(row, lead, earlier) for row in part.value.events.rows()])
        reason = situation.reason(lead, self._earlier())
        for part in self._queue.over(first, last):
            self._settle(step, part.value, part.value.ended(EventState.NOT_CREATED, None, reason))

    def _earlier(self) -> str | None:
        """What is in doubt, and before all that waits."""
        runs = (part.value.events for part in self._placed)
        first = next((run.first for run in runs if run.state is EventState.UNKNOWN), None)
        return None if first is None else f"waits for {EventId(self._site, first)}, whose outcome is not known yet"

    def _doubt(self, step: Step, run: Open, doubts: Iterable[Doubt]) -> None:
        """One for each. Those of which the same is said stay together."""
        first = run.events.first
        for doubt, alike in groupby(doubts):
            last = first + len(list(alike)) - 1
            events = replace(run.events.cut(first, last), state=EventState.UNKNOWN, reason=doubt.said)
            self._keep_placed(step, run, events)
            told = replace(outcome_of(self._site, events), slot=doubt.slot, waits_for=doubt.waits_for)
            self._submissions.tell(step, run, told)
            first = last + 1

    def _keep_placed(self, step: Step, run: Open, events: EventRun) -> None:
        """What was in `run` stands so now."""
        self._placed.put(events.first, events.last, Open(events, run.batch))
        step.write(WriteEvents(events))

    def _settle(self, step: Step, run: Open, events: EventRun) -> None:
        """All of `run` came to its end."""
        if self._placed.remove(events.first, events.last):
            slot = run.events.slot
            if slot is not None:
                for at in slots_of(slot, Slot(slot + len(events.bodies) - 1)):
                    self._at.pop(at, None)
        else:
            self._queue.remove(events.first, events.last)
        self._unaim(events.first, events.last)
        self._void_at.pop(events.first, None)
        if events.state is not EventState.NOT_CREATED:
            self._progress_at = step.now
        write = step.write_along if events.state is EventState.CREATED else step.write
        write(WriteEvents(events))
        self._submissions.tell(step, run, outcome_of(self._site, events))

    def _unaim(self, first: int, last: int) -> None:
        """The events of these numbers are not pushed any more."""
        for slot in [slot for slot, number in self._aims.items() if first <= number <= last]:
            del self._aims[slot]
