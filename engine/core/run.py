"""Runs: entries of consecutive slots that are said, kept and settled together.

Rules that hold here:
- A run has one entry at least. A single event is a run of one, and takes the same way as many do.
- A run is cut where its slots come to different ends: each part is a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta

from engine.core.entry import Entry
from engine.core.ids import Ballot, From1, Slot
from engine.core.value import Row

Entries = Annotated[tuple[Entry, ...], Meta(min_length=1)]


class Run(Row):
    """`entries` are those of the slots from `first` on."""

    first: From1[Slot]
    entries: Entries

    @property
    def last(self) -> Slot:
        return Slot(self.first + len(self.entries) - 1)

    def entry(self, slot: Slot) -> Entry:
        """Of a slot of this run."""
        return self.entries[slot - self.first]

    def cut(self, first: Slot, last: Slot) -> Run:
        """The part from `first` to `last`, both of this run."""
        if first == self.first and last == self.last:
            return self
        return Run(first, self.entries[first - self.first : last - self.first + 1])

    def __iter__(self) -> Iterator[tuple[Slot, Entry]]:
        return zip(slots_of(self.first, self.last), self.entries, strict=True)


class AcceptedRun(Row):
    """What an acceptor accepted at one ballot: as a promise reports it (A4)."""

    first: From1[Slot]
    ballot: Ballot
    entries: Entries

    @property
    def last(self) -> Slot:
        return Slot(self.first + len(self.entries) - 1)

    @property
    def run(self) -> Run:
        return Run(self.first, self.entries)

    def cut(self, first: Slot, last: Slot) -> AcceptedRun:
        """The part from `first` to `last`, both of this run."""
        if first == self.first and last == self.last:
            return self
        return AcceptedRun(first, self.ballot, self.entries[first - self.first : last - self.first + 1])


def run_of(slot: Slot, entry: Entry) -> Run:
    """A run of one."""
    return Run(slot, (entry,))


def slots_of(first: Slot, last: Slot) -> Iterator[Slot]:
    return map(Slot, range(first, last + 1))


def spans_of(slots: Iterable[Slot]) -> tuple[tuple[Slot, Slot], ...]:
    """Ascending slots as inclusive spans."""
    return joined((slot, slot) for slot in slots)


def joined(spans: Iterable[tuple[Slot, Slot]]) -> tuple[tuple[Slot, Slot], ...]:
    """Ascending spans, those that touch or overlap made one. One that begins before the last stays as it is."""
    result: list[tuple[Slot, Slot]] = []
    for first, last in spans:
        if result and result[-1][0] <= first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return tuple(result)
