"""Reading a store: any connection to its file, the running site's own or another's, will do.

Rules that hold here:
- Every row is checked against its checksum before anything of it is believed; a damaged one is refused by name (D3).
- A checksum cannot see a row that is gone, or an old one that came back. So every slot of the prefix must have a row,
  and an applied one; and all that a start needs is summed up in the tally of the `meta` row.
- All slots of the prefix are learned. What a start needs are the rows above it, found by key: no start reads the log.
- Each call reads one snapshot, and ends it, so that the write-ahead log can be reset.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

import apsw

from engine.core.ids import NUMBER_MAX, SiteId, Slot
from engine.core.messages import LearnedSlot
from engine.core.storage import NO_VOTE, EventRow, LogRow, SlotText, StoreDamaged, Vote, WriteEvidence
from storage import rows
from storage.errors import START_ANEW, damaged_row, sqlite_errors, unread_row
from storage.rows import IN_PREFIX, Meta, SlotRow, SlotState, Table, Values
from storage.tail import Tail, Tally

Made = TypeVar("Made")

_SHOWN_BY: Final = "FROM slots INDEXED BY shown_by_author WHERE state = 'shown' AND author = ?"


class Reader:
    """Every method may raise StoreDamaged and StoreFailed."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def meta(self) -> Meta:
        with self._snapshot("read the state of the store") as meta:
            return meta

    def tail(self) -> Tail:
        """All that a start needs, checked row by row and in sum."""
        tally = Tally()

        def needed(
            table: Table, of: Callable[[Values], Made], where: str = "", bindings: Values = ()
        ) -> Iterator[Made]:
            for values, checksum in self._checked(table, where, bindings):
                tally.add(table, table.key_of(values), checksum)
                yield self._made(table, of, values)

        with self._snapshot("read what a start needs") as meta:
            above = needed(rows.SLOTS, rows.slot_of, "WHERE slot > ? ORDER BY slot", (meta.prefix,))
            events = needed(rows.EVENTS, rows.event_of, rows.WHERE_OPEN)
            tail = Tail(
                meta=meta,
                slots={row.slot: row for row in above},
                ranges=tuple(needed(rows.RANGES, rows.range_of, "ORDER BY position")),
                blocks=dict(needed(rows.BLOCKS, rows.block_of)),
                authors={author.site: author for author in needed(rows.AUTHORS, rows.author_of)},
                open_events={event.number: event for event in events},
                peers={memory.site: memory for memory in needed(rows.PEERS, rows.peer_of)},
                tally=tally,
            )
            if tally.total != meta.tally:
                raise StoreDamaged(
                    f"{self._path}: table meta, tally: a row is gone, or an old one came back, among slots above"
                    f" {meta.prefix}, ranges, blocks, authors, open events and peers",
                    START_ANEW,
                )
            for _ in self._slots(max(meta.prefix, Slot(1)), meta.prefix, meta.prefix):
                pass
            return tail

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> list[LearnedSlot]:
        """As `LogReader.learned`."""
        found: list[LearnedSlot] = []
        size = 0
        with self._snapshot("read the log") as meta, closing(self._slots(first, last, meta.prefix)) as page:
            for row in page:
                if row.learned is None:
                    continue
                size += len(row.learned.body.encode())
                if found and size > bytes_max:
                    break
                found.append(LearnedSlot(row.slot, row.learned))
        return found

    def voted(self, slot: Slot) -> Vote:
        """As `LogReader.voted`."""
        page = self.log_page(slot, slot, 1)
        return page[0].vote if page else NO_VOTE

    def log_page(self, first: Slot, last: Slot, limit: int) -> list[LogRow]:
        """As `Storage.log_page`."""
        with self._snapshot("read the log") as meta:
            newest = self._numbers(
                "SELECT slot FROM slots WHERE slot BETWEEN ? AND ? ORDER BY slot DESC LIMIT ?", (first, last, limit)
            )
            if limit == 0:
                return []
            start = Slot(newest[-1]) if len(newest) == limit else first
            return [row.log_row() for row in self._slots(start, last, meta.prefix)]

    def texts(self, first: Slot, last: Slot) -> list[SlotText]:
        """As `Storage.texts`."""
        with self._snapshot("read the log"):
            where = "WHERE slot BETWEEN ? AND ? ORDER BY slot"
            return list(self._read(rows.SLOTS, rows.text_of, where, (first, last)))

    def timeline(self, hidden: frozenset[SiteId], limit: int, before: Slot | None) -> list[LogRow]:
        """As `Storage.timeline`. Each author's newest tweets come from the index, so hidden ones cost nothing."""
        below = NUMBER_MAX + 1 if before is None else before
        with self._snapshot("read the timeline") as meta:
            slots: list[tuple[int, SiteId]] = []
            for author in self._authors():
                if author.site not in hidden:
                    newest = self._numbers(
                        f"SELECT slot {_SHOWN_BY} AND slot < ? ORDER BY slot DESC LIMIT ?", (author.site, below, limit)
                    )
                    slots.extend((slot, author.site) for slot in newest)
            page = sorted(slots)[-limit:] if limit else []
            return [self._shown(Slot(slot), site, meta.prefix).log_row() for slot, site in page]

    def timeline_count(self, hidden: frozenset[SiteId]) -> tuple[int, int]:
        """As `Storage.timeline_count`."""
        with self._snapshot("read the timeline"):
            authors = self._authors()
        hides = sum(author.tweets for author in authors if author.site in hidden)
        return sum(author.tweets for author in authors) - hides, hides

    def events(self, numbers: Sequence[int] | None, limit: int) -> list[EventRow]:
        """As `Storage.events`."""
        with self._snapshot("read the events"):
            if numbers is None:
                found = list(self._read(rows.EVENTS, rows.event_of, "ORDER BY number DESC LIMIT ?", (limit,)))
                return found[::-1]
            return [
                event
                for number in sorted(set(numbers))
                for event in self._read(rows.EVENTS, rows.event_of, "WHERE number = ?", (number,))
            ]

    def slot_rows(self, first: Slot, last: Slot) -> list[SlotRow]:
        """The rows from `first` to `last` as they are, ascending; the index must know each tweet.

        Whether the rows of the prefix are all there is for the caller to see.
        """
        with self._snapshot("read the log"):
            where = "WHERE slot BETWEEN ? AND ? ORDER BY slot"
            found = list(self._read(rows.SLOTS, rows.slot_of, where, (first, last)))
            for row in found:
                self._check_index(row)
            return found

    def event_rows(self, first: int, last: int) -> list[EventRow]:
        """This site's events from number `first` to `last`, ascending."""
        with self._snapshot("read the events"):
            where = "WHERE number BETWEEN ? AND ? ORDER BY number"
            return list(self._read(rows.EVENTS, rows.event_of, where, (first, last)))

    def evidence(self) -> list[WriteEvidence]:
        """What this site kept of rules that were broken, oldest first (A2, R1)."""
        with self._snapshot("read the evidence"):
            return list(self._read(rows.EVIDENCE, rows.evidence_of, "ORDER BY commit_number, position"))

    def scrub(self, after: Slot, rows_max: int) -> Slot | None:
        """As `Storage.scrub`: slots, and along with them this site's events, which count from 1 too; then the evidence.

        Checks that the timeline's index knows each tweet. Up to `rows_max` rows (1 or more) of each table are read.
        """
        with self._snapshot("check the log") as meta:
            paces = [
                self._keys_after(after, table, key, rows_max)
                for table, key in (("slots", "slot"), ("events", "number"))
            ]
            full = [numbers[-1] for numbers in paces if len(numbers) == rows_max]
            through = Slot(min(full) if full else NUMBER_MAX)
            for row in self._slots(Slot(after + 1), through, meta.prefix):
                self._check_index(row)
            for _ in self._read(rows.EVENTS, rows.event_of, "WHERE number > ? AND number <= ?", (after, through)):
                pass
            if full:
                return through
            for _ in self._read(rows.EVIDENCE, rows.evidence_of):
                pass
            return None

    @contextmanager
    def _snapshot(self, doing: str) -> Iterator[Meta]:
        with sqlite_errors(self._path, doing):
            self._db.execute("BEGIN")
            try:
                found = list(self._read(rows.META, rows.meta_of))
                if len(found) != 1:
                    raise StoreDamaged(f"{self._path}: table meta has {len(found)} rows instead of 1", START_ANEW)
                yield found[0]
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _slots(self, first: Slot, last: Slot, prefix: Slot) -> Generator[SlotRow]:
        """The rows from `first` to `last`, ascending; those of the prefix are all there, and applied."""
        due = max(first, Slot(1))
        for row in self._read(rows.SLOTS, rows.slot_of, "WHERE slot BETWEEN ? AND ? ORDER BY slot", (first, last)):
            if not due <= row.slot <= last:
                raise damaged_row(self._path, "slots", f"slot {row.slot}", f"it stands where slots {due} to {last} do")
            self._check_present(due, min(Slot(row.slot - 1), prefix))
            if (row.slot <= prefix) != (row.state in IN_PREFIX):
                raise damaged_row(self._path, "slots", f"slot {row.slot}", f"{row.state}, but the prefix is {prefix}")
            due = Slot(row.slot + 1)
            yield row
        self._check_present(due, min(last, prefix))

    def _check_present(self, due: Slot, through: Slot) -> None:
        if due <= through:
            raise damaged_row(self._path, "slots", f"slot {due}", "the row is gone")

    def _shown(self, slot: Slot, author: SiteId, prefix: Slot) -> SlotRow:
        for row in self._slots(slot, slot, prefix):
            if row.state is SlotState.SHOWN and row.learned is not None and row.learned.author == author:
                return row
        raise damaged_row(self._path, "slots", f"slot {slot}", "index shown_by_author takes it for another tweet")

    def _check_index(self, row: SlotRow) -> None:
        if row.state is SlotState.SHOWN and row.learned is not None:
            found = self._numbers(f"SELECT slot {_SHOWN_BY} AND slot = ?", (row.learned.author, row.slot))
            if found != [row.slot]:
                raise damaged_row(self._path, "slots", f"slot {row.slot}", "index shown_by_author has lost it")

    def _authors(self) -> list[rows.Author]:
        return list(self._read(rows.AUTHORS, rows.author_of))

    def _keys_after(self, after: int, table: str, key: str, keys_max: int) -> list[int]:
        """The next keys, ascending. SQLite trusts the order in which it finds rows, and whoever goes on behind the last
        key would never come to an end where it is no later one."""
        keys = self._numbers(f"SELECT {key} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?", (after, keys_max))
        for before, found in pairwise((after, *keys)):
            if found <= before:
                raise damaged_row(self._path, table, f"{key} {found}", f"it stands behind {key} {before}")
        return keys

    def _numbers(self, sql: str, bindings: Values) -> list[int]:
        return [number for (number,) in self._db.execute(sql, bindings)]

    def _read(
        self, table: Table, of: Callable[[Values], Made], rest: str = "", bindings: Values = ()
    ) -> Iterator[Made]:
        """Rows of `table` as what they say. Raises StoreDamaged, naming the row."""
        for values, _ in self._checked(table, rest, bindings):
            yield self._made(table, of, values)

    def _made(self, table: Table, of: Callable[[Values], Made], values: Values) -> Made:
        """A checksum tells that a row is as it was written, not that what wrote it wrote what this program reads."""
        try:
            return of(values)
        except (ValueError, TypeError, AttributeError) as error:
            raise unread_row(self._path, table.name, table.key_text(values), str(error)) from error

    def _checked(self, table: Table, rest: str = "", bindings: Values = ()) -> Iterator[tuple[Values, int]]:
        """Rows of `table` and their checksums. Raises StoreDamaged, naming the row."""
        with closing(self._db.execute(f"SELECT {table.selected} FROM {table.name} {rest}", bindings)) as cursor:
            try:
                for *values, checksum in cursor:
                    if not table.is_sound(values, checksum):
                        raise damaged_row(self._path, table.name, table.key_text(values), "not what its checksum says")
                    yield tuple(values), checksum
            except UnicodeDecodeError:
                key = self._undecodable(table, rest, bindings)
                raise damaged_row(self._path, table.name, key, "holds text that is not UTF-8") from None

    def _undecodable(self, table: Table, rest: str, bindings: Values) -> str:
        """The key of the first row whose text Python cannot take."""
        columns = ", ".join(f"CAST({column} AS BLOB)" for column in table.columns)
        for blobs in self._db.execute(f"SELECT {columns} FROM {table.name} {rest}", bindings):
            texts = [(blob or b"").decode(errors="replace") for blob in blobs]
            if any(text.encode() != (blob or b"") for text, blob in zip(texts, blobs, strict=True)):
                return table.key_text(texts)
        return "an unknown row"
