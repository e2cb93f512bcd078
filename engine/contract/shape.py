"""What all shapes of the control socket have in common: how one is made of JSON, and what of it the commands print.

Rules that hold here:
- All keys are always there, null where they do not apply. One that is missing, or of another type, is BadAnswer, raised
  by `read` and nowhere later. Keys that this version does not know are ignored, so that an engine of a later version
  can be watched.
- What is ForScreens the commands do not print: scripts rely on the rest alone (docs/commands.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Annotated, Final, TypeVar, dataclass_transform, get_args

import msgspec
from msgspec import Struct

from engine.contract.errors import BadAnswer

_T = TypeVar("_T")
_SCREENS: Final = "for screens"
ForScreens = Annotated[_T, _SCREENS]


@dataclass_transform(frozen_default=True)
class Shape(Struct, frozen=True, rename={"max_prepare": "maxPrepare", "acc_num": "accNum", "acc_val": "accVal"}):
    """A result of a method, what subscribers are told, or a part of it."""


_one_at_a_time: Final = Lock()
"""msgspec looks through a class when the first value is made of it: two threads at once crash the process."""


def read(wanted: type[_T], raw: object) -> _T:
    """What was answered, or told, as a value; in any thread. Raises BadAnswer."""
    try:
        with _one_at_a_time:
            return msgspec.convert(raw, wanted)
    except msgspec.ValidationError as error:
        missing = _MISSING.match(str(error))
        lack = f"has no {missing[1]!r}" if missing else f"is not as it should be ({error})"
        raise BadAnswer(f"the engine's answer {lack}: it is of another version, restart it") from None


_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")


def printed(told: Shape) -> dict[str, object]:
    """What the commands print of it; parts that are values of the contract stay such, for orjson to come back with."""
    return {key: getattr(told, name) for key, name in printed_names(type(told)).items()}


@cache
def printed_names(shape: type[Shape]) -> Mapping[str, str]:
    """The keys that the commands print, in their order, each with the attribute that has its value."""
    fields = msgspec.structs.fields(shape)
    return {field.encode_name: field.name for field in fields if _SCREENS not in get_args(field.type)}
