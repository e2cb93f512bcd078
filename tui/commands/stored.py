"""A store that answers what `view`, `log` and `blocks` ask: a backup, or a site's own, without its engine.

Rules that hold here:
- What is answered is what the site's engine would answer, if it had just begun: nothing that is in memory alone.
- R2: timeline and block table are those of the prefix, as the store's own site may see them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar, cast

from msgspec.structs import replace

from engine.contract import answers
from engine.contract.answers import BlockLine, Lines, LogPage, TimelinePage
from engine.contract.lines import log_line, timeline_line
from engine.contract.no_ops import stretches
from engine.contract.params import Params
from engine.contract.requests import Blocks, Log, View
from engine.core.ids import Slot
from engine.core.settings import CHANGE_LAG
from engine.core.storage import NO_VOTE, LogRow, StoreError
from storage.beside import OutsideStore, is_store, place_of, read_outside
from storage.errors import told_to_readers
from tui.exits import CommandFailed, ExitStatus
from tui.output import complain

READ_A_COPY: Final = "{} cannot be written, so a copy was read: it lacks what an engine has written since"

_A = TypeVar("_A")


@contextmanager
def stored(named: Path) -> Iterator[StoredSite]:
    """Raises CommandFailed."""
    place = place_of(named)
    if not is_store(place):
        raise CommandFailed(
            ExitStatus.BAD_INPUT, f"there is no store at {named}: name a backup, or the folder of a site"
        )
    try:
        with read_outside(place) as outside:
            outside.check_log()
            if outside.is_copy:
                complain(f"{place} cannot be written, so a copy was read: it lacks what an engine has written since")
            yield StoredSite(outside)
    except StoreError as error:
        raise CommandFailed(ExitStatus.STORE_UNUSABLE, told_to_readers(error)) from error


class StoredSite:
    """Every method may raise StoreError."""

    def __init__(self, outside: OutsideStore) -> None:
        self._reader = outside.reader
        self._tail = outside.reader.tail()
        self._site = self._tail.meta.site
        self._prefix = self._tail.meta.prefix
        self._used_max = self._tail.stored().used_max

    def ask(self, asked: Params[_A]) -> _A:
        answer: object
        match asked:
            case View():
                answer = self._view(asked)
            case Log():
                answer = self._log(asked)
            case Blocks():
                pairs = sorted(self._tail.blocks.items())
                answer = Lines(tuple(BlockLine(blocker, blocked, slot) for (blocker, blocked), slot in pairs))
            case _:
                raise AssertionError(f"no store is asked for a {type(asked).__name__}")
        return cast("_A", answer)

    def _view(self, query: View) -> TimelinePage:
        hidden = frozenset(blocker for blocker, blocked in self._tail.blocks if blocked == self._site)
        shown_count, hidden_count = self._reader.timeline_count(hidden)
        waits = self._used_max > self._prefix
        return TimelinePage(
            lines=tuple(map(timeline_line, self._reader.timeline(hidden, query.lines, query.before))),
            shown=shown_count,
            hidden=hidden_count,
            prefix=self._prefix,
            waiting=answers.Waiting(self._prefix + 1, self._tail.ahead.spans.slots_count) if waits else None,
            fresh=None,
        )

    def _log(self, query: Log) -> LogPage:
        last = self._used_max if query.last is None else min(query.last, self._used_max)
        first = Slot(max(query.first or 1, last - query.lines + 1))
        lines = tuple(log_line(row, None, None) for row in self._rows(first, Slot(last)))
        return LogPage(lines, self._used_max, self._prefix, stretches(lines, self._reader.log_rows, CHANGE_LAG))

    def _rows(self, first: Slot, last: Slot) -> list[LogRow]:
        """A row for each slot, whether the store has one or not; range promises are folded into the unlearned ones."""
        there = {row.slot: row for row in self._reader.log_rows(first, last)} if first <= last else {}
        rows = (there.get(slot) or LogRow(slot, NO_VOTE, None, None) for slot in map(Slot, range(first, last + 1)))
        return [row if row.learned is not None else self._with_ranges(row) for row in rows]

    def _with_ranges(self, row: LogRow) -> LogRow:
        """What holds for a slot is the higher of its own promise and of the range promise that covers it (A3)."""
        slot, own = row.slot, row.vote.promised
        promised = [each.ballot for each in self._tail.ranges if each.first <= slot <= (each.last or slot)]
        if own is not None:
            promised.append(own)
        return replace(row, vote=replace(row.vote, promised=max(promised, default=None)))
