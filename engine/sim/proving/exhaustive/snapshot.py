"""What an object of the core is at a moment, as a value: two that are equal behave alike from then on.

Rules that hold here:
- All that it holds counts, whatever its names; what was said to people (`why`), how it is wired to others, and where
  its chance comes from do not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from random import Random
from types import FunctionType, MethodType
from typing import Final

_FOR_PEOPLE: Final = "why"


def frozen(thing: object) -> Hashable:
    """The value of an object and of all that it holds; objects that hold each other have none."""
    match thing:
        case None | FunctionType() | MethodType() | Random():
            return None
        case dict():
            return frozenset((key, frozen(held)) for key, held in thing.items() if key != _FOR_PEOPLE)
        case set() | frozenset():
            return frozenset(map(frozen, thing))
        case list() | tuple() | deque():
            return tuple(map(frozen, thing))
    if is_dataclass(thing) and not isinstance(thing, type) and type(thing).__hash__ is None:
        return tuple(frozen(getattr(thing, each.name)) for each in fields(thing) if each.name != _FOR_PEOPLE)
    if isinstance(thing, Hashable) and type(thing).__hash__ is not object.__hash__:
        return thing  # a value
    return frozen(thing.__getstate__())
