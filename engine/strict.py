"""JSON values taken strictly: of the one type and range that the wire allows, or Rejected (W2).

Rules that hold here:
- Integers are JSON integers of 0 to 2**53, slots of 1 to 2**53; `true`, `1.0` and `2**64` are none.
- Every function takes any value, and raises Rejected and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from engine.core.entry import DIGEST
from engine.core.ids import NUMBER_MAX, STORE_ID, Nonce, Round, Slot, StoreId, Tick
from engine.datagram import Reason, Rejected


def as_list(value: object) -> list[object]:
    if type(value) is not list:
        raise Rejected(Reason.TYPE)
    return value


def as_array(value: object, length: int) -> list[object]:
    if type(value) is not list:
        raise Rejected(Reason.TYPE)
    if len(value) != length:
        raise Rejected(Reason.SHAPE)
    return value


def as_some(value: object) -> list[object]:
    """A list of at least one: a message about nothing is none."""
    if type(value) is not list:
        raise Rejected(Reason.TYPE)
    if not value:
        raise Rejected(Reason.SHAPE)
    return value


def as_truth(value: object) -> bool:
    if type(value) is not bool:
        raise Rejected(Reason.TYPE)
    return value


def as_text(value: object) -> str:
    if type(value) is not str:
        raise Rejected(Reason.TYPE)
    return value


def as_word(value: object, words: frozenset[str]) -> str:
    if type(value) is not str:
        raise Rejected(Reason.TYPE)
    if value not in words:
        raise Rejected(Reason.RANGE)
    return value


def as_store_id(value: object) -> StoreId:
    if type(value) is not str:
        raise Rejected(Reason.TYPE)
    return _store_id_of(value)


@lru_cache(maxsize=64)
def _store_id_of(text: str) -> StoreId:
    """Every packet names two of the same few."""
    if not STORE_ID.match(text):
        raise Rejected(Reason.RANGE)
    return StoreId(text)


def as_digest(value: object) -> str:
    text = as_text(value)
    if not DIGEST.match(text):
        raise Rejected(Reason.RANGE)
    return text


def as_number(value: object) -> int:
    if type(value) is not int:
        raise Rejected(Reason.TYPE)
    if not 0 <= value <= NUMBER_MAX:
        raise Rejected(Reason.RANGE)
    return value


# A number is checked once; what it counts is a matter of types alone.
as_nonce = cast("Callable[[object], Nonce]", as_number)
as_round = cast("Callable[[object], Round]", as_number)
as_slot_or_0 = cast("Callable[[object], Slot]", as_number)
as_tick = cast("Callable[[object], Tick]", as_number)


def as_slot(value: object) -> Slot:
    number = as_slot_or_0(value)
    if number == 0:
        raise Rejected(Reason.RANGE)
    return number


def as_span(first: object, last: object) -> tuple[Slot, Slot]:
    span = as_slot(first), as_slot(last)
    if span[0] > span[1]:
        raise Rejected(Reason.RANGE)
    return span


def as_open_span(first: object, last: object) -> tuple[Slot, Slot | None]:
    return as_span(first, last) if last is not None else (as_slot(first), None)
