"""Spans: what is so of many consecutive slots, kept once for all of them.

Rules that hold here:
- Spans are disjoint and ascending. What is put somewhere takes the place of what was there, and of nothing else.
- A value stands for its whole span; `cut(value, skip, count)` makes the value of a part of it.
- A look costs the logarithm of how many spans there are, whatever they span.
- What else is numbered may be kept so too: an author's events.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from engine.core.entry import Entry
from engine.core.ids import Slot

Held = TypeVar("Held")


class Part(NamedTuple, Generic[Held]):
    """A span, first and last slot included, and what is so of it."""

    first: Slot
    last: Slot
    value: Held


def cut_entries(entries: tuple[Entry, ...], skip: int, count: int) -> tuple[Entry, ...]:
    return entries[skip : skip + count]


class Spans(Generic[Held]):
    """`slots_count`: how many slots are in them."""

    def __init__(self, cut: Callable[[Held, int, int], Held], parts: Iterable[Part[Held]] = ()) -> None:
        """`parts` are disjoint and ascending."""
        self._cut = cut
        self._parts = list(parts)
        self._firsts = [part.first for part in self._parts]
        self.slots_count = sum(part.last - part.first + 1 for part in self._parts)

    def __iter__(self) -> Iterator[Part[Held]]:
        return iter(self._parts)

    def __copy__(self) -> Spans[Held]:
        return Spans(self._cut, self._parts)

    def __reversed__(self) -> Iterator[Part[Held]]:
        return reversed(self._parts)

    def __len__(self) -> int:
        """How many spans there are."""
        return len(self._parts)

    @property
    def last(self) -> Slot | None:
        """The highest slot of all."""
        return self._parts[-1].last if self._parts else None

    def at(self, slot: int) -> Part[Held] | None:
        """The whole span that a slot is in."""
        index = bisect_right(self._firsts, slot) - 1
        if index < 0 or self._parts[index].last < slot:
            return None
        return self._parts[index]

    def get(self, slot: int) -> Held | None:
        """What is so of one slot."""
        part = self.at(slot)
        return None if part is None else self._clipped(part, slot, slot).value

    def over(self, first: int, last: int | None) -> list[Part[Held]]:
        """What lies within `first` to `last` (None: and all after it), cut to that; ascending."""
        found: list[Part[Held]] = []
        parts = self._parts
        if not parts or first > parts[-1].last:
            return found
        for index in range(self._from(first), len(parts)):
            part = parts[index]
            if last is not None and part.first > last:
                break
            found.append(self._clipped(part, first, part.last if last is None else last))
        return found

    def parts(self, first: Slot, last: Slot) -> Iterator[Part[Held | None]]:
        """All of `first` to `last`, ascending; None is so of slots that are in no span."""
        due = first
        for part in self.over(first, last):
            if due < part.first:
                yield Part(due, Slot(part.first - 1), None)
            yield Part(part.first, part.last, part.value)
            due = Slot(part.last + 1)
        if due <= last:
            yield Part(due, last, None)

    def put(self, first: int, last: int, value: Held) -> None:
        """In the place of what was there."""
        if self._parts and first <= self._parts[-1].last:
            self.remove(first, last)
            index = bisect_right(self._firsts, first)
        else:
            index = len(self._parts)
        self._parts.insert(index, Part(Slot(first), Slot(last), value))
        self._firsts.insert(index, Slot(first))
        self.slots_count += last - first + 1

    def remove(self, first: int, last: int) -> list[Part[Held]]:
        """Takes out what lies within, and returns it; what lies beside stays."""
        parts = self._parts
        if not parts or first > parts[-1].last:
            return []
        if len(parts) == 1 and first <= parts[0].first and parts[0].last <= last:
            removed, self._parts, self._firsts, self.slots_count = parts, [], [], 0
            return removed
        begin = end = self._from(first)
        while end < len(parts) and parts[end].first <= last:
            end += 1
        removed = parts[begin:end]
        if not removed:
            return removed
        left: list[Part[Held]] = []
        lowest, highest = removed[0], removed[-1]
        if lowest.first < first:
            left.append(self._clipped(lowest, lowest.first, first - 1))
            removed[0] = self._clipped(lowest, first, last)
        if highest.last > last:
            left.append(self._clipped(highest, last + 1, highest.last))
            removed[-1] = self._clipped(highest, first, last)
        parts[begin:end] = left
        self._firsts[begin:end] = [part.first for part in left] if left else ()
        for part in removed:
            self.slots_count -= part.last - part.first + 1
        return removed

    def _from(self, slot: int) -> int:
        """The index of the first span that reaches to `slot` or beyond."""
        index = bisect_right(self._firsts, slot) - 1
        return index if index >= 0 and self._parts[index].last >= slot else index + 1

    def _clipped(self, part: Part[Held], first: int, last: int) -> Part[Held]:
        if first <= part.first and part.last <= last:
            return part
        begin, end = max(part.first, first), min(part.last, last)
        return Part(Slot(begin), Slot(end), self._cut(part.value, begin - part.first, end - begin + 1))
