"""Values: what is never changed once it is made: ballots, entries, messages, writes, observations, phases.

Rules that hold here:
- A value is frozen, to the type checker and at run time. `msgspec.structs.replace` makes a changed copy.
- A step makes dozens of values, so they are made, compared and hashed in C. A value holds only what was there before:
  no value is part of a cycle, and the garbage collector need not look at any.
- What goes over the wire is a `Row`. Its annotations are its schema (W2): the types and ranges that a decoder takes.
  Nobody checks them where a site makes one itself.
"""

from __future__ import annotations

from typing import Self, dataclass_transform

from msgspec import Struct


@dataclass_transform(frozen_default=True)
class Value(Struct, frozen=True, gc=False):
    """Equal where all fields are; hashable where they are; its own copy."""

    def __deepcopy__(self, _: object) -> Self:
        return self


@dataclass_transform(frozen_default=True)
class Row(Value, array_like=True, forbid_unknown_fields=True):
    """A value that is written as the array of its fields, in their order, after its `tag` if its class has one.

    No field of a row has a default: one that is missing would be taken as said.
    """
