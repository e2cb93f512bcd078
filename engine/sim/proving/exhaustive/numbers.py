"""Numbers for values, and answers that are kept: a search asks the same of the same values again and again.

Rules that hold here:
- A number is given when its value is first met, so that a search has the same numbers in each run.
- Each question is put once: what is asked is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Numbers(Generic[Key]):
    """Numbers for values, in the order in which they are met."""

    def __init__(self) -> None:
        self.values: list[Key] = []
        self._numbers: dict[Key, int] = {}

    def __call__(self, value: Key) -> int:
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class Answers(dict[Key, Value]):
    """The answers to questions, each asked once, when it first comes up."""

    def __init__(self, ask: Callable[[Key], Value]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, key: Key) -> Value:
        answer = self[key] = self._ask(key)
        return answer
