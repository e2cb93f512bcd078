"""Values that change from step to step, kept so that each step has its own mapping of them.

Rules that hold here:
- What is kept grows with what changed, not with the steps: a mapping is a look at one step, and copies nothing.
- Only what comes later is added, so a mapping that was handed out never changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class History(Generic[K, V]):
    def __init__(self) -> None:
        self._steps: dict[K, list[int]] = {}
        self._values: dict[K, list[V]] = {}
        self._keys: list[K] = []
        self._begun: list[int] = []

    def put(self, step: int, key: K, value: V) -> None:
        """From `step` on, which is none before the last one that was put."""
        steps = self._steps.get(key)
        if steps is None:
            self._steps[key], self._values[key] = [step], [value]
            self._keys.append(key)
            self._begun.append(step)
        elif steps[-1] == step:
            self._values[key][-1] = value
        else:
            steps.append(step)
            self._values[key].append(value)

    def newest(self, key: K) -> V | None:
        values = self._values.get(key)
        return None if values is None else values[-1]

    def at(self, step: int) -> Mapping[K, V]:
        """What holds after `step`. What is put later for the same step is in it too."""
        return _At(self, step)

    def value_at(self, step: int, key: K) -> V:
        """Raises KeyError."""
        place = bisect_right(self._steps[key], step)
        if not place:
            raise KeyError(key)
        return self._values[key][place - 1]

    def keys_at(self, step: int) -> Iterator[K]:
        """In the order in which they came."""
        return iter(self._keys[: self.count_at(step)])

    def count_at(self, step: int) -> int:
        return bisect_right(self._begun, step)


class _At(Mapping[K, V]):
    __slots__ = ("_history", "_step")

    def __init__(self, history: History[K, V], step: int) -> None:
        self._history = history
        self._step = step

    def __getitem__(self, key: K) -> V:
        return self._history.value_at(self._step, key)

    def __iter__(self) -> Iterator[K]:
        return self._history.keys_at(self._step)

    def __len__(self) -> int:
        return self._history.count_at(self._step)
