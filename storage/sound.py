"""Rows as they were written: what a connection reads of a store, checked before anything of it is believed.

Rules that hold here:
- Every row is checked against its checksum; a damaged one is refused by name (D3).
- A checksum cannot see a row that is gone. So the rows of the prefix must lie side by side, from slot 1 on, each with
  its entries.
- SQLite trusts the order in which it finds rows; who reads runs does not.
- What is read together is one snapshot, and it ends, so that the write-ahead log can be reset.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import apsw

from engine.core.ids import Slot
from engine.core.spans import Part, Spans
from engine.core.storage import StoreDamaged
from storage import rows
from storage.errors import START_ANEW, damaged_row, sqlite_errors, unread_row
from storage.rows import Cells, Held, Meta, Table

Made = TypeVar("Made")


def cut_ahead(learned: bool, _skip: int, _count: int) -> bool:
    """That it is learned is so of each part."""
    return learned


class SoundRows:
    """Every method may raise StoreDamaged and StoreFailed, and all but `snapshot` are for within one."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    @contextmanager
    def snapshot(self, doing: str) -> Iterator[Meta]:
        with sqlite_errors(self._path, doing):
            self._db.execute("BEGIN")
            try:
                found = list(self.read(rows.META, rows.meta_of))
                if len(found) != 1:
                    raise StoreDamaged(f"{self._path}: table meta has {len(found)} rows instead of 1", START_ANEW)
                yield found[0]
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def read(self, table: Table, of: Callable[[Cells], Made], rest: str = "", bindings: Cells = ()) -> Iterator[Made]:
        """Rows of `table` as what they say."""
        for values, _ in self.checked(table, rest, bindings):
            yield self.made(table, of, values)

    def made(self, table: Table, of: Callable[[Cells], Made], values: Cells) -> Made:
        """A checksum tells that a row is as it was written, not that what wrote it wrote what this program reads."""
        try:
            return of(values)
        except (ValueError, TypeError, AttributeError) as error:
            raise unread_row(self._path, table.name, table.key_text(values), str(error)) from error

    def checked(self, table: Table, rest: str = "", bindings: Cells = ()) -> Iterator[tuple[Cells, int]]:
        """Rows of `table` and their checksums."""
        with closing(self._db.execute(f"SELECT {table.selected} FROM {table.name} {rest}", bindings)) as cursor:
            try:
                for *values, checksum in cursor:
                    if not table.is_sound(values, checksum):
                        raise self.damaged(table, table.key_text(values), "does not match its checksum")
                    yield tuple(values), checksum
            except UnicodeDecodeError:
                key = self._undecodable(table, rest, bindings)
                raise self.damaged(table, key, "holds text that is not UTF-8") from None

    def left(
        self,
        table: Table,
        of: Callable[[Cells], Made],
        rest: str,
        bindings: Cells,
        damaged: Callable[[StoreDamaged], None],
    ) -> Iterator[Made]:
        """What of these rows is sound, as what they say; `damaged` is told of the others."""
        with closing(self._db.execute(f"SELECT {table.selected} FROM {table.name} {rest}", bindings)) as cursor:
            try:
                for *values, checksum in cursor:
                    try:
                        if not table.is_sound(values, checksum):
                            raise self.damaged(table, table.key_text(values), "does not match its checksum")
                        made = self.made(table, of, tuple(values))
                    except StoreDamaged as damage:
                        damaged(damage)
                    else:
                        yield made
            except UnicodeDecodeError:
                damaged(self.damaged(table, "a row and all after it", "holds text that is not UTF-8"))

    def slots(self, first: Slot, last: Slot, prefix: Slot) -> Generator[tuple[Part[Held], int]]:
        """The rows of slots that reach into `first` to `last`, whole and ascending, with their checksums. Those of the
        prefix are all there."""
        due = max(first, Slot(1))
        reached = 0
        where = "WHERE first BETWEEN ? AND ? ORDER BY first"
        for values, checksum in self.checked(rows.SLOTS, where, (self.begin(rows.SLOTS, due), last)):
            row = self.made(rows.SLOTS, rows.slots_of, values)
            if not reached < row.first <= last:
                raise self.damaged(rows.SLOTS, f"first {row.first}", f"it stands where slots {due} to {last} do")
            reached = row.last
            if reached < due:
                continue
            self._check_present(due, min(Slot(row.first - 1), prefix))
            if row.first <= prefix and not row.value.entries:
                raise self.damaged(rows.SLOTS, f"first {row.first}", f"promised, but the prefix is {prefix}")
            if row.value.void and row.first + row.value.void[-1] > prefix:
                raise self.damaged(rows.SLOTS, f"first {row.first}", f"void, but the prefix is {prefix}")
            due = Slot(reached + 1)
            yield row, checksum
        self._check_present(due, min(last, prefix))

    def ahead(self, meta: Meta, last: Slot) -> Spans[bool]:
        """What is learned above the prefix, if anything up to `last` is above it."""
        return self.spans_ahead(self.read(rows.AHEAD, rows.ahead_of, "ORDER BY first") if last > meta.prefix else ())

    def spans_ahead(self, learned: Iterable[Part[bool]]) -> Spans[bool]:
        return Spans(cut_ahead, self.disjoint(rows.AHEAD, learned))

    def disjoint(self, table: Table, parts: Iterable[Part[Made]]) -> Iterator[Part[Made]]:
        reached = 0
        for part in parts:
            if part.first <= reached:
                raise self.damaged(table, f"first {part.first}", f"it stands behind last {reached}")
            reached = part.last
            yield part

    def begin(self, table: Table, number: int) -> int:
        """The key of the row that `number` may be in."""
        sql = f"SELECT coalesce(max(first), ?) FROM {table.name} WHERE first <= ?"
        key: int = next(key for (key,) in self._db.execute(sql, (number, number)))
        return key

    def next_key(self, table: Table, number: int) -> int | None:
        """The key of the first row that begins at `number` or above."""
        sql = f"SELECT min(first) FROM {table.name} WHERE first >= ?"
        key: int | None = next(key for (key,) in self._db.execute(sql, (number,)))
        return key

    def newest(self, table: Table, first: int, last: int, limit: int) -> int:
        """From where on there are `limit` (1 or more) of what the table has of `first` to `last`."""
        with closing(self._reaches(table, "WHERE first <= ? ORDER BY first DESC", (last,))) as reaches:
            for begin, end in reaches:
                if end < first:
                    break
                limit -= min(end, last) - begin + 1
                if limit <= 0:
                    return max(first, begin - limit)
        return first

    def step(self, table: Table, after: int, count_max: int) -> int | None:
        """The key of the last row, behind `after`, with which there are `count_max` of what rows stand for; None where
        the table ends before. Whoever goes on behind a key comes to an end."""
        count, before = 0, after
        with closing(self._reaches(table, "WHERE first > ? ORDER BY first LIMIT ?", (after, count_max))) as reaches:
            for first, last in reaches:
                if first <= before:
                    raise self.damaged(table, f"first {first}", f"it stands behind first {before}")
                before = first
                count += last - first + 1
                if count >= count_max:
                    return before
        return None

    def _reaches(self, table: Table, rest: str, bindings: tuple[int, ...]) -> Generator[tuple[int, int]]:
        """The firsts and lasts of rows, which nothing has checked but that they are numbers."""
        with closing(self._db.execute(f"SELECT first, last FROM {table.name} {rest}", bindings)) as cursor:
            for first, last in cursor:
                if not (isinstance(first, int) and isinstance(last, int)):
                    raise self.damaged(table, f"first {first}", "last is not a number")
                yield first, last

    def damaged(self, table: Table, key: str, what: str) -> StoreDamaged:
        return damaged_row(self._path, table.name, key, what)

    def out_of_step(self, column: str, what: str) -> StoreDamaged:
        """Rows are sound each by itself, and not what the sum in the `meta` row says."""
        return StoreDamaged(f"{self._path}: table meta, {column}: {what}", START_ANEW)

    def _check_present(self, due: Slot, through: Slot) -> None:
        if due <= through:
            raise self.damaged(rows.SLOTS, f"slot {due}", "the row is gone")

    def _undecodable(self, table: Table, rest: str, bindings: Cells) -> str:
        """The key of the first row whose text Python cannot take."""
        columns = ", ".join(f"CAST({column} AS BLOB)" for column in table.columns)
        for blobs in self._db.execute(f"SELECT {columns} FROM {table.name} {rest}", bindings):
            texts = [(blob or b"").decode(errors="replace") for blob in blobs]
            if any(text.encode() != (blob or b"") for text, blob in zip(texts, blobs, strict=True)):
                return table.key_text(texts)
        return "an unknown row"
