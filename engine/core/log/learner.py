"""The learner: which slots are known to be chosen, and the prefix that the state machine has applied.

Rules that hold here:
- R1: a learned entry never changes; learning another one stops the site with the evidence.
- R2: the state machine sees the contiguous prefix only, in slot order, in the commit that learns it.
- R6: nothing beyond WINDOW_SLOTS above the prefix is kept; it is asked for again when the prefix comes near.
- A hole is an unlearned slot at or below the highest one known to be used; a promise uses nothing.
- Memory holds the slots learned above the prefix and a few below it; the rest is read from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from engine.core.broken import BrokenRule
from engine.core.effects import SawApplied, SawLearned
from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.log.microblog import Microblog
from engine.core.messages import How
from engine.core.run import Run, slots_of
from engine.core.settings import WINDOW_SLOTS
from engine.core.spans import Part, Spans, cut_entries
from engine.core.step import Step
from engine.core.storage import InEffect, LogReader, Stored, WriteApplied, WriteChange, WriteLearned
from engine.core.value import Value

RECENT_SLOTS: Final = 1_024
_READ_BYTES: Final = 65_536


class Origin(Value):
    """How a site came to know what was chosen; `source` said so, or is this site, which counted `votes`."""

    how: How
    ballot: Ballot | None
    source: SiteId
    votes: frozenset[SiteId] = frozenset()


class Learned(Value):
    """What came of being told: the slots that are learned only now, and what the prefix newly reached."""

    runs: tuple[Run, ...]
    reached: tuple[SawApplied, ...]


NOTHING_NEW: Final = Learned((), ())


class Learner:
    """`prefix`: all slots from 1 to this one are learned and applied. `used_max`: the highest slot known to be used
    anywhere; at most WINDOW_SLOTS above the prefix. `forget(first, last)` is told of slots that are being learned:
    nothing is voted there any more."""

    def __init__(
        self, stored: Stored, log: LogReader, microblog: Microblog, forget: Callable[[Slot, Slot], None]
    ) -> None:
        self.prefix = stored.prefix
        self.used_max = stored.used_max
        self._ahead = Spans(cut_entries, (Part(run.first, run.last, run.entries) for run in stored.ahead))
        self._log = log
        self._microblog = microblog
        self._forget = forget
        self._recent: Spans[tuple[Entry, ...]] = Spans(cut_entries)  # the end of the prefix

    @property
    def learned_max(self) -> Slot:
        return self._ahead.last or self.prefix

    def is_learned(self, slot: Slot) -> bool:
        return slot <= self.prefix or self._ahead.at(slot) is not None

    def unlearned(self, first: Slot, last: Slot) -> list[tuple[Slot, Slot]]:
        """What of `first` to `last` is not learned, ascending."""
        first = max(first, Slot(self.prefix + 1))
        if not self._ahead:
            return [(first, last)] if first <= last else []
        return [(part.first, part.last) for part in self._ahead.parts(first, last) if part.value is None]

    def used(self, slot: Slot) -> None:
        """Something was accepted or learned at `slot`, somewhere. Beyond the window this is not believed (R6)."""
        if self.used_max < slot <= self.prefix + WINDOW_SLOTS:
            self.used_max = slot

    def committed(self) -> None:
        """All that was learned so far is durable and can be read from the store."""
        while self._recent.slots_count > RECENT_SLOTS and len(self._recent) > 1:
            oldest = next(iter(self._recent))
            self._recent.remove(oldest.first, oldest.last)

    def entry(self, slot: Slot) -> Entry | None:
        """The learned entry of a slot, wherever it is kept; None where it is not learned."""
        part = self._recent.at(slot) or self._ahead.at(slot)
        if part is not None:
            return part.value[slot - part.first]
        return next(self.learned(slot, slot)).entries[0] if slot <= self.prefix else None

    def learned(self, first: Slot, last: Slot) -> Iterator[Run]:
        """What is learned of `first` to `last`, ascending, read as it is taken."""
        slot = first
        in_memory = next((part.first for part in self._recent), Slot(self.prefix + 1))
        while slot <= last and slot < in_memory:
            runs = self._log.learned(slot, Slot(min(last, in_memory - 1)), _READ_BYTES)
            yield from runs
            slot = Slot(runs[-1].last + 1)
        for part in (*self._recent.over(slot, last), *self._ahead.over(slot, last)):
            yield Run(part.first, part.value)

    def holes(self, limit: int) -> list[Slot]:
        """The lowest `limit` holes."""
        spans = self.unlearned(Slot(self.prefix + 1), self.used_max)
        return list(islice((slot for span in spans for slot in slots_of(*span)), limit))

    @property
    def holes_count(self) -> int:
        return self.used_max - self.prefix - self._ahead.slots_count

    def learn(self, step: Step, run: Run, origin: Origin) -> Learned:
        """Learns what of a run is not learned, and is within the window. Raises BrokenRule (R1)."""
        whole = run.first, run.last
        unlearned = self.unlearned(run.first, min(whole[1], Slot(self.prefix + WINDOW_SLOTS)))
        if unlearned != [whole]:
            self._check(run, origin)
        new: list[Run] = []
        for span in unlearned:
            part = run if span == whole else run.cut(*span)
            self.used(span[1])
            self._ahead.put(*span, part.entries)
            self._forget(*span)
            step.write_along(WriteLearned(part))
            step.tell(SawLearned(part, origin.how, origin.ballot, origin.source, origin.votes))
            new.append(part)
        return Learned(tuple(new), tuple(self._advance(step))) if new else NOTHING_NEW

    def _check(self, run: Run, origin: Origin) -> None:
        """R1: what is learned of it already is the same. (What is not is in no run of these.)"""
        for known in self.learned(run.first, run.last):
            said = run.cut(known.first, known.last)
            if known.entries == said.entries:
                continue
            slot, before, now = next((slot, one, said.entry(slot)) for slot, one in known if one != said.entry(slot))
            raise BrokenRule("R1", f"slot {slot} was learned as {before}, and {origin.source} says {now}")

    def _advance(self, step: Step) -> Iterator[SawApplied]:
        while (part := self._ahead.at(Slot(self.prefix + 1))) is not None:
            self._ahead.remove(part.first, part.last)
            self._recent.put(*part)
            self.prefix = part.last
            run = Run(part.first, part.value)
            applied = self._microblog.apply(run)
            tweets = applied.shown.count
            authors = tuple([InEffect(author, number, tweets(author)) for author, number in applied.numbers.items()])
            step.write_along(WriteApplied(run.first, run.last, applied.void, authors))
            for block in applied.table:
                step.write_along(block)
            for change in applied.changes:
                step.write_along(WriteChange(change))
            saw = SawApplied(run, applied.void, applied.misfits, applied.changes)
            step.tell(saw)
            yield saw
