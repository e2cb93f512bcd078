"""The events of one site, as its store tells of them, held against the log of all.

Rules that hold here:
- An author's numbers in effect only grow along the log, as those of its events do: both are read side by side, each
  once.
- E1: an event that takes effect has a row; a withdrawal of the last number of a block need not (M6). E2: `created`
  stands in effect exactly where its row says; `lost` and `not-created` are in effect nowhere. E3: later numbers stand
  in later slots. E4: `created` lies within the site's own prefix.
- E5: a withdrawal in effect leaves its event `not-created`. Once the site's own prefix has the number, the row says so.
- A row may be read before the site goes on: one without an outcome is held to nothing but its own prefix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.entry import Entry, Kind, kind_of
from engine.core.ids import EventId, Slot
from engine.core.storage import EventState
from storage.audit.report import Findings, named
from storage.audit.stores import Store
from storage.rows import OPEN_EVENTS


@dataclass(frozen=True, slots=True)
class _Event:
    """How one event stands. What it says is nowhere but in the log once it is created."""

    number: int
    state: EventState
    slot: Slot | None


class Events:
    def __init__(self, store: Store, since: Slot, findings: Findings) -> None:
        """`since`: what is in effect from here on has a row in this store, if that votes; an earlier store had those of
        what is before."""
        self._store = store
        self._since = since
        self._findings = findings
        self._events = _each(store)
        self._created_last: _Event | None = None
        self._next = next(self._events, None)

    def in_effect(self, slot: Slot, entry: Entry) -> None:
        """An entry of this author is in effect, the next one along the log."""
        while self._next is not None and self._next.number < entry.number:
            self._nowhere(self._next)
            self._advance()
        row = self._next
        if row is None or row.number != entry.number:
            is_event = kind_of(entry) is not Kind.WITHDRAWAL
            reserved = entry.number <= self._store.begun.meta.number_max
            if is_event and self._store.is_voter and slot >= self._since and reserved:
                self._add("E1", slot, f"{named(entry)} is in effect; its author's store has no sound row of it")
            return
        self._advance()
        if row.state in OPEN_EVENTS:
            if slot <= self._store.prefix:
                self._add("E2", slot, f"{named(entry)} is in effect within its site's prefix, and still {row.state}")
        elif kind_of(entry) is Kind.WITHDRAWAL:
            if row.state is EventState.CREATED:
                self._add("E2", slot, f"{entry.id} is {row.state}, but its withdrawal took effect")
        elif row.state is not EventState.CREATED:
            self._add("E2", slot, f"{entry.id} is {row.state}, but in effect")
        else:
            self._order(row)
            if row.slot != slot:
                self._add("E2", slot, f"{entry.id} is in effect here; its row says created at slot {row.slot}")

    def finish(self, last: Slot) -> None:
        """The log ends: rows that say `created` up to `last` are in effect nowhere."""
        while self._next is not None:
            if self._next.slot is not None and self._next.slot <= last:
                self._nowhere(self._next)
            elif self._next.state is EventState.CREATED:
                self._beyond(self._next)
            self._advance()

    def _nowhere(self, row: _Event) -> None:
        if row.state is EventState.CREATED:
            self._order(row)
            self._add("E2", row.slot, f"{self._id(row)} is created, but in effect nowhere")

    def _beyond(self, row: _Event) -> None:
        """Created above what this audit reads: a running site may have gone so far meanwhile."""
        prefix = self._store.reader.meta().prefix
        if row.slot is None or row.slot > prefix:
            self._add("E4", row.slot, f"{self._id(row)} is created, but its site's prefix is {prefix}")

    def _order(self, row: _Event) -> None:
        before, self._created_last = self._created_last, row
        if before is not None and before.slot is not None and row.slot is not None and before.slot >= row.slot:
            self._add("E3", row.slot, f"{self._id(row)} is created here, {self._id(before)} at slot {before.slot}")

    def _advance(self) -> None:
        self._next = next(self._events, None)

    def _id(self, row: _Event) -> EventId:
        return EventId(self._store.site, row.number)

    def _add(self, rule: str, slot: Slot | None, sentence: str) -> None:
        self._findings.add(rule, sentence, slot=slot, site=self._store.site)


def _each(store: Store) -> Iterator[_Event]:
    for kept in store.events():
        for number in range(kept.first, kept.last + 1):
            slot = None if kept.slot is None else Slot(kept.slot + number - kept.first)
            yield _Event(number, kept.state, slot)
