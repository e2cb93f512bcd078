"""No-ops in a row, which people read as one line: some two thousand of them follow each change of the members (M3).

Rules that hold here:
- Only what is learned counts, and that stays (R1): what is one stretch once stays in one.
- A page of the log names the stretches that reach into it, with their slots beyond it too: whoever folds them needs to
  read nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from engine.contract.answers import LogLine, LogState, NoOps
from engine.contract.limits import NO_OPS_MIN
from engine.core.entry import MEMBERSHIP, NOOP, Kind, kind_of
from engine.core.ids import Slot
from engine.core.run import spans_of
from engine.core.storage import LogRow

_READ_SLOTS: Final = 256
_REACH_SLOTS: Final = 4_096
"""How far beyond a page a stretch is followed. What is longer is told in parts, as the log is read."""

Read = Callable[[Slot, Slot], Sequence[LogRow]]
"""The stored slots from one to another, ascending."""


def is_no_op(line: LogLine) -> bool:
    return line.state == LogState.CHOSEN and line.kind == Kind.NOOP


def stretches(lines: Iterable[LogLine], read: Read, lag: int) -> tuple[NoOps, ...]:
    """Those that reach into lines of slots in a row. `lag` is w."""
    spans = spans_of(Slot(line.slot) for line in lines if is_no_op(line))
    begins = [first for first, _ in spans]
    ends = [last for _, last in spans]
    begins[:1] = [_first_of(first, read) for first in begins[:1]]
    ends[-1:] = [_last_of(last, read) for last in ends[-1:]]
    long = (span for span in zip(begins, ends, strict=True) if span[1] - span[0] + 1 >= NO_OPS_MIN)
    return tuple(NoOps(first, last, _change(first, last, read, lag)) for first, last in long)


def _first_of(slot: Slot, read: Read) -> Slot:
    """Of the stretch that `slot` is in."""
    reached = slot
    while slot - reached < _REACH_SLOTS and (before := read(Slot(max(1, reached - _READ_SLOTS)), Slot(reached - 1))):
        for row in reversed(before):
            if row.slot != reached - 1 or row.learned != NOOP:
                return reached
            reached = row.slot
    return reached


def _last_of(slot: Slot, read: Read) -> Slot:
    reached = slot
    while reached - slot < _REACH_SLOTS and (after := read(Slot(reached + 1), Slot(reached + _READ_SLOTS))):
        for row in after:
            if row.slot != reached + 1 or row.learned != NOOP:
                return reached
            reached = row.slot
    return reached


def _change(first: Slot, last: Slot, read: Read, lag: int) -> Slot | None:
    """The slot of the change that takes effect behind them: right before them, or w before what follows them (events
    that were under way may stand between)."""
    return next((slot for slot in (Slot(first - 1), Slot(last + 1 - lag)) if _changes_members(slot, read)), None)


def _changes_members(slot: Slot, read: Read) -> bool:
    rows = read(slot, slot) if slot >= 1 else ()
    return any(row.learned is not None and not row.void and kind_of(row.learned) in MEMBERSHIP for row in rows)
