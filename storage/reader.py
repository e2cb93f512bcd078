"""Reading a store: any connection to its file, the running site's own or another's, will do.

Rules that hold here:
- A checksum cannot see a row that is gone, or an old one that came back (D3). So all that a start needs is summed up in
  the `meta` row, and so are the rows of the prefix, for the paced check.
- All slots of the prefix are learned. What a start needs are the rows that reach above it, found by key: no start reads
  the log.
- The core reads runs; people read slots and events. The text of an event that is created is in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar

import apsw
from msgspec.structs import replace

from engine.core.ids import NUMBER_MAX, SiteId, Slot
from engine.core.run import Run, slots_of, spans_of
from engine.core.spans import Part, Spans
from engine.core.storage import (
    NO_VOTE,
    EventRow,
    EventRun,
    LogRow,
    SlotText,
    StoreDamaged,
    Vote,
    WriteEvidence,
    cut_vote,
)
from storage import rows
from storage.changes import RunRows, Tally
from storage.rows import Cells, Held, KeptEvents, Meta, Table, cut_events, cut_held, is_tweet
from storage.sound import SoundRows, cut_ahead
from storage.tail import Tail
from storage.tweeted import TweetedCheck, parts

Made = TypeVar("Made")

_WITHIN = "WHERE first BETWEEN ? AND ? ORDER BY first"


class Needed(Protocol):
    """Reads rows of a table."""

    def __call__(
        self, table: Table, of: Callable[[Cells], Made], where: str = "", bindings: Cells = ()
    ) -> Iterator[Made]: ...


class Disjoint(Protocol):
    """Sees to it that none of these parts is over another."""

    def __call__(self, table: Table, parts: Iterable[Part[Made]]) -> Iterator[Part[Made]]: ...


class Reader:
    """Every method may raise StoreDamaged and StoreFailed."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._sound = SoundRows(db, path)
        self._summed: tuple[Slot, int] | None = None
        """How far the paced check came from slot 1 on, and the sum of the checksums up to there."""

    def meta(self) -> Meta:
        with self._sound.snapshot("read the state of the store") as meta:
            return meta

    def tail(self) -> Tail:
        """All that a start needs, checked row by row and in sum."""
        tally, sound = Tally(), self._sound

        def needed(table: Table, of: Callable[[Cells], Made], where: str = "", bindings: Cells = ()) -> Iterator[Made]:
            for values, checksum in sound.checked(table, where, bindings):
                tally.add(table, table.key_of(values), checksum)
                yield sound.made(table, of, values)

        with sound.snapshot("read what a start needs") as meta:
            tail = self._tail(meta, needed, sound.disjoint, tally)
            if tally.total != meta.tally:
                among = f"slots above {meta.prefix}, ranges, blocks, authors, open events, peers and changes"
                raise sound.out_of_step("tally", f"a row is gone, or an old one came back, among {among}")
            for _ in sound.slots(max(meta.prefix, Slot(1)), meta.prefix, meta.prefix):
                pass
            for slot in tail.learned_without_entry():
                raise sound.damaged(rows.AHEAD, f"slot {slot}", "learned, but without an entry above the prefix")
            return tail

    def left(self, damaged: Callable[[StoreDamaged], None]) -> Tail:
        """As `tail`, of a store that is damaged: what of it is sound. `damaged` is told of the rest."""
        sound = self._sound

        def needed(table: Table, of: Callable[[Cells], Made], where: str = "", bindings: Cells = ()) -> Iterator[Made]:
            return sound.left(table, of, where, bindings, damaged)

        def apart(table: Table, parts: Iterable[Part[Made]]) -> Iterator[Part[Made]]:
            reached = 0
            for part in parts:
                if part.first > reached:
                    reached = part.last
                    yield part
                else:
                    damaged(sound.damaged(table, f"first {part.first}", f"it stands behind last {reached}"))

        with sound.snapshot("read what is left") as meta:
            return self._tail(meta, needed, apart, Tally())

    def _tail(self, meta: Meta, needed: Needed, disjoint: Disjoint, tally: Tally) -> Tail:
        from_key = self._sound.begin(rows.SLOTS, meta.prefix)
        above = needed(
            rows.SLOTS, rows.slots_of, "WHERE first >= ? AND last > ? ORDER BY first", (from_key, meta.prefix)
        )
        ahead = needed(rows.AHEAD, rows.ahead_of, "ORDER BY first")
        events = needed(rows.EVENTS, rows.events_of, rows.WHERE_OPEN)
        open_events = (Part(Slot(kept.first), Slot(kept.last), kept.run()) for kept in events)
        return Tail(
            meta=meta,
            slots=RunRows(Spans(cut_held, disjoint(rows.SLOTS, above))),
            ahead=RunRows(Spans(cut_ahead, disjoint(rows.AHEAD, ahead))),
            ranges=tuple(needed(rows.RANGES, rows.range_of, "ORDER BY position")),
            blocks=dict(needed(rows.BLOCKS, rows.block_of)),
            authors={author.site: author for author in needed(rows.AUTHORS, rows.author_of)},
            events=RunRows(Spans(cut_events, disjoint(rows.EVENTS, open_events))),
            peers={memory.site: memory for memory in needed(rows.PEERS, rows.peer_of)},
            changes=list(needed(rows.CHANGES, rows.change_of, "ORDER BY slot")),
            tally=tally,
        )

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> list[Run]:
        """As `LogReader.learned`."""
        found: list[Run] = []
        left = bytes_max
        with (
            self._sound.snapshot("read the log") as meta,
            closing(self._sound.slots(first, last, meta.prefix)) as page,
        ):
            for row, _ in page:
                begin = max(row.first, first)
                entries = row.value.entries[begin - row.first : last - row.first + 1]
                fits = 0
                for entry in entries:
                    left -= len(entry.body.encode())
                    if left < 0 and (found or fits):
                        break
                    fits += 1
                if fits:
                    found.append(Run(begin, entries[:fits]))
                if fits < len(entries):
                    break
        return found

    def voted(self, slot: Slot) -> Vote:
        """As `LogReader.voted`."""
        page = self.log_rows(slot, slot)
        return page[0].vote if page else NO_VOTE

    def log_rows(self, first: Slot, last: Slot) -> list[LogRow]:
        """As `Storage.log_rows`."""
        with self._sound.snapshot("read the log") as meta:
            return list(self._log(meta, first, last))

    def texts(self, first: Slot, last: Slot) -> list[SlotText]:
        """As `Storage.texts`."""
        with self._sound.snapshot("read the log") as meta:
            return [_text(row) for row in self._log(meta, first, last)]

    def timeline(self, hidden: frozenset[SiteId], limit: int, before: Slot | None) -> list[LogRow]:
        """As `Storage.timeline`. Parts of the log in which hidden authors alone have tweets are passed over."""
        found: list[LogRow] = []
        with self._sound.snapshot("read the timeline") as meta:
            last = meta.prefix if before is None else min(meta.prefix, Slot(before - 1))
            with closing(parts(self._sound, meta.prefix, last, hidden)) as newest_first:
                for part in newest_first:
                    found[:0] = (row for row in self._log(meta, *part) if _is_shown(row, hidden))
                    if len(found) >= limit:
                        break
        return found[-limit:] if limit else []

    def timeline_count(self, hidden: frozenset[SiteId]) -> tuple[int, int]:
        """As `Storage.timeline_count`."""
        with self._sound.snapshot("read the timeline"):
            authors = list(self._sound.read(rows.AUTHORS, rows.author_of))
        hides = sum(author.tweets for author in authors if author.site in hidden)
        return sum(author.tweets for author in authors) - hides, hides

    def events(self, numbers: Sequence[int] | None, limit: int) -> list[EventRow]:
        """As `Storage.events`."""
        with self._sound.snapshot("read the events") as meta:
            if numbers is not None:
                asked = spans_of(map(Slot, sorted(set(numbers))))
            elif limit > 0:
                asked = ((Slot(self._sound.newest(rows.EVENTS, 1, NUMBER_MAX, limit)), Slot(NUMBER_MAX)),)
            else:
                asked = ()
            return [event for span in asked for run in self._events(meta, *span) for event in run.rows()]

    def slot_rows(self, first: Slot, last: Slot) -> list[LogRow]:
        """The slots of the rows that begin from `first` to `last`, ascending; the timeline comes to each tweet.

        Whether the rows of the prefix are all there is for the caller to see.
        """
        with self._sound.snapshot("read the log") as meta:
            found: list[LogRow] = []
            tweeted = TweetedCheck(self._sound, meta)
            ahead = self._sound.ahead(meta, Slot(NUMBER_MAX))
            for row in self._sound.read(rows.SLOTS, rows.slots_of, _WITHIN, (first, last)):
                tweeted.check(row)
                found += _log_rows(row, row.first, row.last, meta.prefix, ahead)
            return found

    def rows_left(self, first: Slot, last: Slot, ahead: Spans[bool]) -> list[LogRow]:
        """As `slot_rows`, whatever else is damaged. `ahead`: what is learned above the prefix."""
        with self._sound.snapshot("read the log") as meta:
            found: list[LogRow] = []
            for row in self._sound.read(rows.SLOTS, rows.slots_of, _WITHIN, (first, last)):
                found += _log_rows(row, row.first, row.last, meta.prefix, ahead)
            return found

    def row_of(self, slot: Slot) -> Slot:
        """The first slot of the row that `slot` may be in."""
        with self._sound.snapshot("read the log"):
            return Slot(self._sound.begin(rows.SLOTS, slot))

    def next_event(self, number: int) -> int | None:
        """The first number of the first row of this site's events that begins at `number` or above."""
        with self._sound.snapshot("read the events"):
            return self._sound.next_key(rows.EVENTS, number)

    def kept_events(self, first: int, last: int) -> list[KeptEvents]:
        """The rows of this site's events that begin from number `first` to `last`, ascending."""
        with self._sound.snapshot("read the events"):
            return list(self._sound.read(rows.EVENTS, rows.events_of, _WITHIN, (first, last)))

    def evidence(self) -> list[WriteEvidence]:
        """What this site kept of rules that were broken, oldest first (A2, R1)."""
        with self._sound.snapshot("read the evidence"):
            return list(self._sound.read(rows.EVIDENCE, rows.evidence_of, "ORDER BY commit_number, position"))

    def scrub(self, after: Slot, slots_max: int) -> Slot | None:
        """As `Storage.scrub`: slots, and along with them this site's events, which count from 1 too; then the evidence.

        Checks that the timeline comes to each tweet, and, from slot 1 on, that the rows of the prefix are those that
        were written last.
        """
        with self._sound.snapshot("check the log") as meta:
            steps = [self._sound.step(table, after, slots_max) for table in (rows.SLOTS, rows.EVENTS)]
            ends = [Slot(step) for step in steps if step is not None]
            through = min(ends, default=Slot(NUMBER_MAX))
            self._check_slots(meta, after, through)
            where = "WHERE first > ? AND first <= ?"
            for _ in self._sound.read(rows.EVENTS, rows.events_of, where, (after, through)):
                pass
            if ends:
                return through
            for _ in self._sound.read(rows.EVIDENCE, rows.evidence_of):
                pass
            return None

    def _check_slots(self, meta: Meta, after: Slot, through: Slot) -> None:
        """The rows that begin above `after` and up to `through`."""
        if after == 0:
            self._summed = (after, 0)
        total = self._summed[1] if self._summed is not None and self._summed[0] == after else None
        tweeted = TweetedCheck(self._sound, meta)
        prefix_ends = through >= NUMBER_MAX
        for row, checksum in self._sound.slots(Slot(after + 1), through, meta.prefix):
            if row.first <= after:
                continue
            tweeted.check(row)
            if row.last > meta.prefix:
                prefix_ends = True
            elif total is not None:
                total += checksum
        if total is not None and prefix_ends and total != meta.log_tally:
            raise self._sound.out_of_step("log_tally", f"an old row came back among slots 1 to {meta.prefix}")
        self._summed = None if total is None or prefix_ends else (through, total)

    def _log(self, meta: Meta, first: Slot, last: Slot) -> Iterator[LogRow]:
        """The stored slots from `first` to `last`, ascending."""
        ahead = self._sound.ahead(meta, last)
        for row, _ in self._sound.slots(first, last, meta.prefix):
            yield from _log_rows(row, max(row.first, first), min(row.last, last), meta.prefix, ahead)

    def _events(self, meta: Meta, first: Slot, last: Slot) -> Iterator[EventRun]:
        """This site's events from number `first` to `last`, ascending."""
        from_key = self._sound.begin(rows.EVENTS, first)
        for kept in self._sound.read(rows.EVENTS, rows.events_of, _WITHIN, (from_key, last)):
            begin, end = max(kept.first, int(first)), min(kept.last, int(last))
            if begin <= end:
                yield self._bodied(meta, kept, begin, end) if kept.bodies is None else kept.run().cut(begin, end)

    def _bodied(self, meta: Meta, kept: KeptEvents, begin: int, end: int) -> EventRun:
        """The events from number `begin` to `end` with what the log has of them."""
        assert kept.slot is not None
        slot = Slot(kept.slot + begin - kept.first)
        bodies: list[str] = []
        for row in self._log(meta, slot, min(Slot(slot + end - begin), meta.prefix)):
            entry = row.learned
            if entry is None or (entry.author, entry.number) != (meta.site, begin + len(bodies)):
                break
            bodies.append(entry.body)
        if len(bodies) <= end - begin:
            lacks = f"created, but slot {slot + len(bodies)} of the log has no such event"
            raise self._sound.damaged(rows.EVENTS, f"first {kept.first}", lacks)
        return replace(kept, first=begin, last=end, slot=slot, bodies=tuple(bodies)).run()


def _log_rows(row: Part[Held], first: Slot, last: Slot, prefix: Slot, ahead: Spans[bool]) -> Iterator[LogRow]:
    """What a row has of the slots `first` to `last`."""
    held = row.value
    vote = held.vote
    for slot in slots_of(first, last):
        place = slot - row.first
        within = slot <= prefix
        learned = held.entries[place] if held.entries and (within or ahead.at(slot) is not None) else None
        yield LogRow(slot, cut_vote(vote, place, 1), learned, place in held.void if within else None)


def _is_shown(row: LogRow, hidden: frozenset[SiteId]) -> bool:
    entry = row.learned
    return entry is not None and row.void is False and is_tweet(entry) and entry.author not in hidden


def _text(row: LogRow) -> SlotText:
    entry = row.learned or row.vote.entry
    shown = _is_shown(row, frozenset())
    author, body = (None, None) if entry is None else (entry.author, entry.body)
    return SlotText(row.slot, row.learned is not None, row.void is True, shown, author, body)
