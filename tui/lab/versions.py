"""What was known of each slot after each step, kept once: a mapping for each step that shares all that did not change.

Rules that hold here:
- Versions are put in ascending order. A slot that was known stays known.
- A view is a value: what is put later does not change it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import islice
from operator import itemgetter
from typing import Generic, TypeVar

from engine.core.ids import Slot

_T = TypeVar("_T")
_version = itemgetter(0)


class Versions(Generic[_T]):
    def __init__(self) -> None:
        self._past: dict[Slot, list[tuple[int, _T]]] = {}
        self._known_since: list[int] = []  # of the slots in their order in `_past`

    def newest(self, slot: Slot) -> _T | None:
        past = self._past.get(slot)
        return None if past is None else past[-1][1]

    def put(self, version: int, slot: Slot, value: _T) -> None:
        past = self._past.get(slot)
        if past is None:
            self._past[slot] = [(version, value)]
            self._known_since.append(version)
        elif past[-1][0] == version:
            past[-1] = (version, value)
        else:
            past.append((version, value))

    def view(self, version: int) -> Mapping[Slot, _T]:
        return _View(self._past, bisect_right(self._known_since, version), version)


class _View(Mapping[Slot, _T]):
    __slots__ = ("_known", "_past", "_version")

    def __init__(self, past: dict[Slot, list[tuple[int, _T]]], known: int, version: int) -> None:
        self._past = past
        self._known = known
        self._version = version

    def __getitem__(self, slot: Slot) -> _T:
        past = self._past[slot]
        found = bisect_right(past, self._version, key=_version)
        if not found:
            raise KeyError(slot)
        return past[found - 1][1]

    def __iter__(self) -> Iterator[Slot]:
        return islice(self._past, self._known)

    def __len__(self) -> int:
        return self._known
