"""Values: what is never changed once it is made: messages, entries, writes, observations, phases.

Rules that hold here:
- To the type checker a value is a frozen dataclass: it refuses every assignment to a field.
- At run time nothing stops one. A step makes dozens of values, and Python's own frozen dataclasses set each field by a
  call of `object.__setattr__`, which makes them six times as slow to make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Class = TypeVar("Class")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[Class]) -> type[Class]:
    """A class decorator: equal where all fields are, hashable, with slots, frozen to the type checker."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
