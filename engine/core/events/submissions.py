"""Submissions: events of this site that somebody waits for, from when they are taken to what they are told.

Rules that hold here:
- E1: numbers are given out of a block that an earlier commit reserved; after a restart they begin above it. Those of
  one submission are consecutive, and told in the step that writes their rows.
- M6: none lies as far above the last one in effect as those of another life of this site begin; those of this life
  begin where the log says. Where numbers run out, as many were given out and none took effect, the last of them is
  withdrawn: once that takes effect, they go on above it.
- D5: a site that does not vote gives out no numbers: submissions wait.
- The clock of an event starts when it is submitted, and anew whenever an event of this site before it is settled: one
  that waits its turn does not run out of time while the queue moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from msgspec.structs import replace

from engine.core.effects import SawNumbered, SawOutcome
from engine.core.entry import Entry, Stamped, Withdrawal, decode, encode
from engine.core.ids import NEVER, EventId, SiteId, Slot, Tick
from engine.core.log.members import numbers_end
from engine.core.step import Step
from engine.core.storage import EventRun, EventState, WriteNumbers
from engine.core.value import Value

BLOCK: Final = 1_024
"""So many numbers are reserved beyond those that are wanted, and again once half of them are given out, so that nothing
waits for it; twice as many after something did."""

BLOCK_MAX: Final = 65_536


class Submission(Value):
    """Events to be placed, one at least, in this order. `token` comes back with their numbers and their outcomes;
    below 0 nobody waits for them: the site itself submits them. `bodies` are as `entry.encode(...)` makes them."""

    token: int
    bodies: tuple[str, ...]
    timeout: Tick
    retry: bool


@dataclass(slots=True)
class Batch:
    """A submission that is under way. `first` is the number of its first event, 0 until it has one; `untold`: so many
    of its events were not told any outcome."""

    submission: Submission
    submitted: Tick
    untold: int
    first: int = 0

    @property
    def count(self) -> int:
        return len(self.submission.bodies)


class Open(Value):
    """Events with numbers that stand alike; `batch` is None where they were submitted before a restart."""

    events: EventRun
    batch: Batch | None

    def cut(self, skip: int, count: int) -> Open:
        first = self.events.first + skip
        return Open(self.events.cut(first, first + count - 1), self.batch)

    def ended(self, state: EventState, slot: Slot | None, reason: str | None) -> EventRun:
        """As they stand when all of them came to this end."""
        return replace(self.events, state=state, slot=slot, reason=reason)

    def ones(self) -> Iterator[Open]:
        """Each of its events alone."""
        return (self.cut(skip, 1) for skip in range(len(self.events.bodies)))


def outcome_of(author: SiteId, events: EventRun) -> SawOutcome:
    """What is told of events that stand so."""
    to = events.to_author, events.to_kind
    id_ = EventId(author, events.first)
    return SawOutcome(None, id_, events.state, events.slot, events.reason, *to, count=len(events.bodies))


class _Unnumbered(Value):
    """Events of a submission, from `offset` on, that have no numbers yet."""

    batch: Batch
    offset: int
    bodies: tuple[str, ...]

    def without(self, begin: int, end: int) -> Iterator[_Unnumbered]:
        """What is left of it beside these offsets."""
        if begin > self.offset:
            yield _Unnumbered(self.batch, self.offset, self.bodies[: begin - self.offset])
        if end < self.offset + len(self.bodies):
            yield _Unnumbered(self.batch, end, self.bodies[end - self.offset :])


class Submissions:
    def __init__(self, site: SiteId, number_max: int) -> None:
        self._site = site
        self._given = number_max  # the highest number that may have been given out
        self._reserving = number_max  # up to here they are reserved ...
        self._reserved = number_max  # ... and up to here durably
        self._block = BLOCK
        self._unnumbered: deque[_Unnumbered] = deque()
        self._lacks_numbers = False
        self._batches: dict[int, Batch] = {}
        self._alarms: list[tuple[Tick, int]] = []

    def submit(self, step: Step, submission: Submission) -> None:
        batch = Batch(submission, step.now, len(submission.bodies))
        self._batches[submission.token] = batch
        heappush(self._alarms, (Tick(step.now + submission.timeout), submission.token))
        self._unnumbered.append(_Unnumbered(batch, 0, submission.bodies))

    def number(self, step: Step, last_in_effect: int) -> list[Open]:
        """Gives those that wait their numbers, as far as they are durably reserved, and has more reserved in time; at a
        site that votes."""
        numbered: list[Open] = []
        if not self._unnumbered and last_in_effect <= self._given <= self._reserving - self._block // 2:
            return numbered
        self._given = max(self._given, last_in_effect)
        while self._unnumbered and self._has_numbers(step, self._unnumbered[0].batch):
            waiting = self._unnumbered.popleft()
            events = EventRun(waiting.batch.first + waiting.offset, waiting.bodies, EventState.QUEUED)
            numbered.append(Open(events, waiting.batch))
        wanted = self._given + sum(waiting.batch.count for waiting in self._unnumbered)
        if self._reserving < wanted + self._block // 2:
            if self._given < self._reserving < wanted:
                self._block = min(2 * self._block, BLOCK_MAX)
            reserving = min(wanted + self._block, numbers_end(last_in_effect))
            if reserving > self._reserving:
                self._reserving = reserving
                step.write(WriteNumbers(reserving))
        first = self._unnumbered[0].batch.count if self._unnumbered else 0
        self._lacks_numbers = wanted > self._given and self._given + first <= self._reserving
        return numbered

    def withdrawal(self, last_in_effect: int) -> list[Entry]:
        """Of the last number, where what waits first finds none left (M6); call it where no event is open. That number
        is none of an event that could ever take effect, nor was any before it: it has no row, and nobody is told."""
        waiting = self._unnumbered[0] if self._unnumbered else None
        if waiting is None or not last_in_effect < self._given <= self._reserved:
            return []
        if waiting.batch.first or self._given + waiting.batch.count <= numbers_end(last_in_effect):
            return []
        at_ms = decode(waiting.bodies[0]).at_ms
        return [Entry(self._site, self._given, last_in_effect, encode(Stamped(Withdrawal(), at_ms)))]

    def committed(self) -> None:
        """All that was written so far is durable."""
        self._reserved = self._reserving

    def under_way(self) -> list[Batch]:
        """Those of which an event was not told any outcome."""
        return list(self._batches.values())

    def batch(self, token: int) -> Batch | None:
        return self._batches.get(token)

    @property
    def waits(self) -> bool:
        """Something has no number yet."""
        return bool(self._unnumbered)

    def waits_since(self) -> Tick | None:
        """When the oldest of those without a number was submitted."""
        return self._unnumbered[0].batch.submitted if self._unnumbered else None

    def due(self, now: Tick, progress_at: Tick) -> Iterator[Batch]:
        """At a tick: those whose time has passed, where an event was settled last at `progress_at`."""
        self._lacks_numbers = False  # `number` finds out anew; a site that may give out none would tick for ever
        while self._alarms and self._alarms[0][0] <= now:
            _, token = heappop(self._alarms)
            batch = self._batches.get(token)
            if batch is None:
                continue
            due = Tick(max(batch.submitted, progress_at) + batch.submission.timeout)
            if due > now:
                heappush(self._alarms, (due, token))
            else:
                yield batch

    def deadline(self) -> Tick:
        if self._lacks_numbers and self._unnumbered and self._reserved == self._reserving:
            return Tick(0)  # what they waited for is durable
        return self._alarms[0][0] if self._alarms else NEVER

    def drop(self, step: Step, batch: Batch, places: range, reason: str) -> None:
        """Events that have no numbers never get any."""
        left: deque[_Unnumbered] = deque()
        for waiting in self._unnumbered:
            first, after = max(places.start, waiting.offset), min(places.stop, waiting.offset + len(waiting.bodies))
            if waiting.batch is not batch or first >= after:
                left.append(waiting)
                continue
            left += waiting.without(first, after)
            said = SawOutcome(None, None, EventState.NOT_CREATED, None, reason, None, None, count=after - first)
            self._tell(step, batch, first, said, said.count)
        self._unnumbered = left

    def tell(self, step: Step, run: Open, said: SawOutcome) -> None:
        """What became of events that stood as `run` before."""
        said = replace(said, settles_doubt=run.events.state is EventState.UNKNOWN)
        if run.batch is None:
            step.tell(said)
            return
        untold = 0 if said.settles_doubt else said.count
        assert said.id is not None, "they have numbers"
        self._tell(step, run.batch, said.id.number - run.batch.first, said, untold)

    def _tell(self, step: Step, batch: Batch, offset: int, said: SawOutcome, untold: int) -> None:
        """`untold`: so many of them had been told nothing before."""
        token = batch.submission.token
        batch.untold -= untold
        if not batch.untold:
            self._batches.pop(token, None)
        told = None if token < 0 else token
        step.tell(replace(said, token=told, took_ms=Tick(step.now - batch.submitted), offset=offset))

    def _has_numbers(self, step: Step, batch: Batch) -> bool:
        """All of a submission get theirs at once."""
        if not batch.first and self._given + batch.count <= self._reserved:
            batch.first = self._given + 1
            self._given += batch.count
            if batch.submission.token >= 0:
                step.tell(SawNumbered(batch.submission.token, EventId(self._site, batch.first)))
        return batch.first > 0
