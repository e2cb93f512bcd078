"""No-ops in a row that the screen shows as one row: which are known, which are opened, and where that puts the slots.

Rules that hold here:
- What is chosen stays (R1): a stretch that was told once is never taken back, and grows as more beside it is learned.
- What is held is bounded: of very many stretches some are shown slot by slot.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from engine.contract.answers import NoOps
from engine.contract.limits import NO_OPS_MIN

STRETCHES_MAX: Final = 10_000


class Stretches:
    def __init__(self) -> None:
        self.each: list[NoOps] = []
        """Ascending; no two touch."""
        self.version = 0
        """Rises with each change."""

    def at(self, slot: int) -> NoOps | None:
        at = bisect_right(self.each, slot, key=_first)
        return self.each[at - 1] if at and slot <= self.each[at - 1].last else None

    def learn(self, found: NoOps) -> None:
        """These are no-ops, with what is known beside them."""
        begin = bisect_left(self.each, found.first - 1, key=_last)
        end = bisect_right(self.each, found.last + 1, key=_first)
        touched = self.each[begin:end]
        parts = (found, *touched)
        first, last = min(each.first for each in parts), max(each.last for each in parts)
        made = NoOps(first, last, next((each.change for each in parts if each.change is not None), None))
        if touched == [made] or last - first + 1 < NO_OPS_MIN or (not touched and len(self.each) >= STRETCHES_MAX):
            return
        self.each[begin:end] = [made]
        self.version += 1


class Folds:
    """Which row is of which slots: one of each of these stretches, of all other slots one of each."""

    def __init__(self, folded: Iterable[NoOps] = ()) -> None:
        self._folded = tuple(folded)
        hidden = accumulate((each.last - each.first for each in self._folded), initial=0)
        self._hidden = tuple(hidden)  # before each of them, and in all
        self._rows = tuple(each.first - 1 - before for each, before in zip(self._folded, self._hidden, strict=False))

    def row_of(self, slot: int) -> int:
        at = bisect_right(self._folded, slot, key=_first)
        if at and slot <= self._folded[at - 1].last:
            return self._rows[at - 1]
        return slot - 1 - self._hidden[at]

    def at(self, row: int) -> NoOps | int:
        """The stretch, or the slot, of a row."""
        at = bisect_right(self._rows, row)
        return self._folded[at - 1] if at and self._rows[at - 1] == row else row + 1 + self._hidden[at]


def _first(stretch: NoOps) -> int:
    return stretch.first


def _last(stretch: NoOps) -> int:
    return stretch.last
