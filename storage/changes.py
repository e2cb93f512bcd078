"""What a commit does to the tables.

Rules that hold here:
- The tally is the sum of the checksums of the rows that a start needs. Each row that is put, archived or deleted moves
  it.
- A row that is a run is known by its first number. Where a run is cut, what is left of it is a row each.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from engine.core.ids import Slot
from engine.core.spans import Part, Spans
from storage.rows import TABLES, Cells, Key, Table

Said = TypeVar("Said")


class Tally:
    """The checksums of the rows that a start needs, and their sum."""

    def __init__(self) -> None:
        self.total = 0
        self._checksums: dict[Table, dict[Key, int]] = {table: {} for table in TABLES}

    def has(self, table: Table, key: Key) -> bool:
        return key in self._checksums[table]

    def add(self, table: Table, key: Key, checksum: int) -> None:
        """In place of the row's last checksum, if it has one."""
        known = self._checksums[table]
        self.total += checksum - known.get(key, 0)
        known[key] = checksum

    def drop(self, table: Table, key: Key) -> int:
        """The row's checksum; 0 for a row that is not needed."""
        checksum = self._checksums[table].pop(key, 0)
        self.total -= checksum
        return checksum


class Changes:
    """Rows with their checksums to put, and keys of rows to delete."""

    def __init__(self, tally: Tally) -> None:
        self.puts: dict[Table, list[Cells]] = {}
        self.deletes: dict[Table, list[Key]] = {}
        self._tally = tally

    def keep(self, table: Table, values: Cells) -> None:
        """Puts a row that the next start needs."""
        self._tally.add(table, table.key_of(values), self._put(table, values))

    def archive(self, table: Table, values: Cells) -> int:
        """Puts a row that no start needs any more; returns its checksum."""
        self._tally.drop(table, table.key_of(values))
        return self._put(table, values)

    def delete(self, table: Table, key: Key) -> None:
        """Does nothing where there is no such row."""
        if self._tally.has(table, key):
            self.deletes.setdefault(table, []).append(key)
            self._tally.drop(table, key)

    def _put(self, table: Table, values: Cells) -> int:
        checksum = table.checksum(values)
        self.puts.setdefault(table, []).append((*values, checksum))
        return checksum


class RunRows(Generic[Said]):
    """The rows of a table whose rows are runs, as far as they are in the tail; and which of them a commit touches.

    A run of events counts in numbers, which are taken for slots here.
    """

    def __init__(self, spans: Spans[Said]) -> None:
        self.spans = spans
        self.left: list[Part[Said]] = []
        """Rows that the tail no longer holds."""
        self._touched: set[Slot] = set()
        """The keys of rows that are changed, new or gone."""

    def take_out(self, first: Slot, last: Slot) -> list[Part[Said]]:
        """Takes out what lies within, and returns it; rows that reach beyond are cut."""
        highest = self.spans.last
        if highest is None or highest < first:
            return []
        for edge in (first, last) if first != last else (first,):
            part = self.spans.at(edge)
            if part is not None:
                self._touched.add(part.first)
                if part.last > last:
                    self._touched.add(Slot(last + 1))
        removed = self.spans.remove(first, last)
        for part in removed:
            self._touched.add(part.first)
        return removed

    def put(self, first: Slot, last: Slot, said: Said) -> None:
        """A row, in the place of what was there."""
        self.take_out(first, last)
        self.spans.put(first, last, said)
        self._touched.add(first)

    def leave(self, first: Slot, last: Slot, said: Said) -> None:
        """As a row that the tail does not hold, in the place of what was there."""
        self.take_out(first, last)
        self._touched.add(first)
        self.left.append(Part(first, last, said))

    def is_touched(self, first: Slot) -> bool:
        return first in self._touched

    def changed(self) -> tuple[list[Part[Said]], list[Slot]]:
        """What of the rows in the tail is to be put, and the keys of those that are gone; nothing is touched then."""
        put: list[Part[Said]] = []
        gone: list[Slot] = []
        if not self._touched:
            self.left.clear()
            return put, gone
        for part in self.left:
            self._touched.discard(part.first)
        for first in self._touched:
            kept = self.spans.at(first)
            if kept is not None and kept.first == first:
                put.append(kept)
            else:
                gone.append(first)
        self._touched.clear()
        self.left.clear()
        return put, gone
