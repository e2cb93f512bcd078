"""What params are made of: types that describe themselves, and the sentence that answers a wrong one.

Rules that hold here:
- msgspec takes a param of the one type and range that its annotation says, and refuses names that the class does not
  have. What passes needs no second look.
- Each type describes itself in words ("an integer, 1 or more"): of them the sentence is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar, dataclass_transform, get_args

import msgspec
from msgspec import Meta, Struct

from engine.contract.limits import SECONDS_MAX, SLOTS_MAX, WORDS_MAX
from engine.core.ids import NUMBER_MAX, EventId, SiteId, Slot, Tick

CallId = int | str

_EVENT_ID: Final = re.compile(r"([a-z][a-z0-9-]{0,15})/([1-9][0-9]{0,15})\Z")

_A = TypeVar("_A")
_T = TypeVar("_T")
Text = Annotated[str, Meta(description="needed, a string")]
Truth = Annotated[bool, Meta(description="true or false")]
Count = Annotated[int, Meta(ge=1, le=NUMBER_MAX, description="an integer, 1 or more")]
OneSlot = Annotated[Slot, Meta(ge=1, le=NUMBER_MAX, description="an integer, 1 or more")]
SlotNumber = Annotated[Slot, Meta(ge=1, le=NUMBER_MAX, description="a slot: an integer, 1 or more")]
Several = Annotated[
    tuple[Annotated[_T, Meta(ge=1, le=NUMBER_MAX)], ...],
    Meta(max_length=SLOTS_MAX, description=f"a list of integers, each 1 or more, at most {SLOTS_MAX} at once"),
]
Words = Annotated[
    tuple[Annotated[str, Meta(min_length=1)], ...],
    Meta(max_length=WORDS_MAX, description=f"a list of strings with something in them, at most {WORDS_MAX}"),
]
Seconds = Annotated[
    float, Meta(gt=0, le=SECONDS_MAX, description=f"a number of seconds, above 0 and at most {SECONDS_MAX}")
]


class BadParams(ValueError):
    """The message says which param is wrong, and what it should be."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Params(Struct, Generic[_A], frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked for, and answered by an `_A`."""


_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_NAMED: Final = re.compile(r"missing required field `(\w+)`|at `\$\.(\w+)")


def sentence(schema: type[Params[Any]], error: str) -> str:
    """What msgspec says, in words that say what to do."""
    if unknown := _UNKNOWN.match(error):
        return no_such_param(unknown[1])
    if named := _NAMED.search(error):
        name = named[1] or named[2]
        (field,) = (field for field in msgspec.structs.fields(schema) if field.encode_name == name)
        return f"{name!r} is {next(_descriptions(field.type))}"
    return error  # what a class says itself


def no_such_param(name: str) -> str:
    return f"there is no param {name!r}: leave it out"


def _descriptions(annotation: object) -> Iterator[str]:
    """What a type and its parts say of themselves, the outermost first."""
    if isinstance(annotation, Meta) and annotation.description is not None:
        yield annotation.description
    for part in reversed(get_args(annotation)):
        yield from _descriptions(part)


def ticks(seconds: float) -> Tick:
    """Rounded up, so that a time never ends before it began."""
    return Tick(math.ceil(seconds * 1000))


def event_id(text: str) -> EventId:
    found = _EVENT_ID.match(text)
    if not found or not 1 <= int(found[2]) <= NUMBER_MAX:
        raise BadParams(f"{text!r} is not an event id: write, for example, alice/17")
    return EventId(SiteId(found[1]), int(found[2]))


def wall_ms(text: str) -> int:
    """A time, as milliseconds since 1970."""
    with suppress(ValueError):
        if (at := datetime.fromisoformat(text)).tzinfo is not None:
            return math.floor(at.timestamp() * 1000)
    raise BadParams(f"{text!r} is not a time with a time zone: write, for example, 2026-11-21T12:00:00Z")
