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
from typing import Final

from engine.core.broken import BrokenRule
from engine.core.effects import SawApplied, SawLearned
from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.log.microblog import Microblog
from engine.core.messages import ChosenSlot, How, LearnedSlot
from engine.core.settings import WINDOW_SLOTS
from engine.core.step import Step
from engine.core.storage import LogReader, Stored, Vote, WriteApplied, WriteLearned
from engine.core.value import Value

RECENT_SLOTS: Final = 1_024
_READ_BYTES: Final = 65_536


class Origin(Value):
    """How a site came to know what was chosen; `source` said so, or is this site, which counted `votes`."""

    how: How
    ballot: Ballot | None
    source: SiteId
    votes: frozenset[SiteId] = frozenset()


def chosen_entry(said: ChosenSlot, vote: Vote) -> Entry | None:
    """R0: what a site whose acceptor has `vote` learns from being told of a choice. The entry, where it is told. Where
    the ballot is told alone, the entry that it accepted, if that was at exactly this ballot; else it learns nothing."""
    if said.entry is not None:
        return said.entry
    return vote.entry if vote.accepted is not None and vote.accepted == said.ballot else None


class Learner:
    """`forget(slot)` gives the acceptor's state of a slot that is being learned, for the store to keep."""

    def __init__(self, stored: Stored, log: LogReader, microblog: Microblog, forget: Callable[[Slot], Vote]) -> None:
        self._prefix = stored.prefix
        self._used_max = stored.used_max
        self._ahead = stored.ahead
        self._log = log
        self._microblog = microblog
        self._forget = forget
        self._recent: dict[Slot, Entry] = {}

    @property
    def prefix(self) -> Slot:
        """All slots from 1 to this one are learned and applied."""
        return self._prefix

    @property
    def used_max(self) -> Slot:
        """The highest slot known to be used anywhere; at most WINDOW_SLOTS above the prefix."""
        return self._used_max

    @property
    def learned_max(self) -> Slot:
        return max(self._ahead, default=self._prefix)

    def is_learned(self, slot: Slot) -> bool:
        return slot <= self._prefix or slot in self._ahead

    def used(self, slot: Slot) -> None:
        """Something was accepted or learned at `slot`, somewhere. Beyond the window this is not believed (R6)."""
        if self._used_max < slot <= self._prefix + WINDOW_SLOTS:
            self._used_max = slot

    def committed(self) -> None:
        """All that was learned so far is durable and can be read from the store."""
        while len(self._recent) > RECENT_SLOTS:
            del self._recent[next(iter(self._recent))]

    def entry(self, slot: Slot) -> Entry | None:
        """The learned entry of a slot, wherever it is kept; None where it is not learned."""
        entry = self._ahead.get(slot) or self._recent.get(slot)
        if entry is None and slot <= self._prefix:
            entry = next(self.learned(slot, slot)).entry
        return entry

    def learned(self, first: Slot, last: Slot) -> Iterator[LearnedSlot]:
        """The learned slots of `first` to `last`, ascending, read as they are taken."""
        slot = first
        in_memory = next(iter(self._recent), Slot(self._prefix + 1))
        while slot <= last and slot < in_memory:
            items = self._log.learned(slot, Slot(min(last, in_memory - 1)), _READ_BYTES)
            yield from items
            slot = Slot(items[-1].slot + 1)
        while slot <= last and slot <= self._prefix:
            yield LearnedSlot(slot, self._recent[slot])
            slot = Slot(slot + 1)
        if slot <= last and self._ahead:
            for above in sorted(at for at in self._ahead if slot <= at <= last):
                yield LearnedSlot(above, self._ahead[above])

    def holes(self, limit: int) -> list[Slot]:
        """The lowest `limit` holes."""
        found: list[Slot] = []
        slot = self._prefix + 1
        while slot <= self._used_max and len(found) < limit:
            if slot not in self._ahead:
                found.append(Slot(slot))
            slot += 1
        return found

    @property
    def holes_count(self) -> int:
        return self._used_max - self._prefix - len(self._ahead)

    def learn(self, step: Step, slot: Slot, entry: Entry, origin: Origin) -> list[SawApplied] | None:
        """Learns an entry and returns what the prefix newly reached; None where the entry was known, or is beyond the
        window. Raises BrokenRule (R1)."""
        if self.is_learned(slot):
            known = self.entry(slot)
            if known != entry:
                raise BrokenRule("R1", f"slot {slot} was learned as {known}, and {origin.source} says {entry}")
            return None
        if slot > self._prefix + WINDOW_SLOTS:
            return None
        self.used(slot)
        self._ahead[slot] = entry
        step.write(WriteLearned(slot, entry, self._forget(slot)))
        step.tell(SawLearned(slot, entry, origin.how, origin.ballot, origin.source, origin.votes))
        return self._advance(step)

    def _advance(self, step: Step) -> list[SawApplied]:
        reached: list[SawApplied] = []
        while (entry := self._ahead.pop(Slot(self._prefix + 1), None)) is not None:
            self._prefix = slot = Slot(self._prefix + 1)
            self._recent[slot] = entry
            applied = self._microblog.apply(slot, entry)
            step.write(WriteApplied(slot, entry, applied.void, applied.shown))
            if applied.table is not None:
                step.write(applied.table)
            reached.append(SawApplied(slot, entry, applied.void))
            step.tell(reached[-1])
        return reached
