"""What an object of the core is at a moment, as a value: two that are equal behave alike from then on.

Rules that hold here:
- All that it holds counts, whatever its names; what was said to people (`why`), how it is wired to others, and where
  its chance comes from do not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from random import Random
from types import FunctionType, MethodType, NoneType
from typing import Any, Final

_FOR_PEOPLE: Final = "why"


def frozen(thing: Any) -> Hashable:
    """The value of an object and of all that it holds; objects that hold each other have none."""
    return _FREEZERS[type(thing)](thing)


def _freezes(kind: type) -> Callable[[Any], Hashable]:
    if issubclass(kind, NoneType | FunctionType | MethodType | Random):
        return _nothing
    if issubclass(kind, dict):
        return _names
    if issubclass(kind, set | frozenset):
        return _any_order
    if issubclass(kind, list | tuple | deque):
        return _in_order
    if is_dataclass(kind) and kind.__hash__ is None:
        held = [each.name for each in fields(kind) if each.name != _FOR_PEOPLE]
        return lambda thing: _in_order([getattr(thing, name) for name in held])
    if issubclass(kind, Hashable) and kind.__hash__ is not object.__hash__:
        return _itself
    return lambda thing: frozen(thing.__getstate__())


class _Freezers(dict[type, Callable[[Any], Hashable]]):
    """How the things of a class are frozen. It is asked millions of times, and found out once."""

    def __missing__(self, kind: type) -> Callable[[Any], Hashable]:
        self[kind] = found = _freezes(kind)
        return found


_FREEZERS: Final = _Freezers()


def _nothing(_: object) -> None:
    return None


def _itself(value: Hashable) -> Hashable:
    return value


def _names(things: dict[Hashable, Any]) -> Hashable:
    return frozenset([(key, _FREEZERS[type(held)](held)) for key, held in things.items() if key != _FOR_PEOPLE])


def _any_order(things: set[Any]) -> Hashable:
    return frozenset([_FREEZERS[type(each)](each) for each in things])


def _in_order(things: list[Any]) -> Hashable:
    return tuple([_FREEZERS[type(each)](each) for each in things])
