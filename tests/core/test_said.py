"""What messages tell of themselves: whoever asks them is told of all that is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeVar, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Struct
from msgspec.structs import astuple

from engine.core.entry import Entry
from engine.core.ids import Ballot
from engine.core.messages import Message
from tests.strategies import KINDS, messages

Kind = TypeVar("Kind")


def inside(thing: object, kind: type[Kind]) -> Iterator[Kind]:
    """Everything of a kind that a message is made of, however deep."""
    if isinstance(thing, kind):
        yield thing
    parts = astuple(thing) if isinstance(thing, Struct) else thing if isinstance(thing, tuple) else ()
    for part in parts:
        yield from inside(part, kind)


of_each_kind: Final = pytest.mark.parametrize("kind", KINDS, ids=range(len(KINDS)))


@of_each_kind
@given(st.data())
def test_w2_a_message_tells_all_that_the_types_of_its_fields_do_not(
    kind: SearchStrategy[Message], data: st.DataObject
) -> None:
    """What is not told is not looked at when it comes: sites that are none, entries that nobody can have made."""
    message = data.draw(kind)
    assert {ballot.site for ballot in inside(message, Ballot)} <= set(message.names())
    assert Counter(inside(message, Entry)) == Counter(message.carried())


@given(messages)
def test_a_message_covers_what_it_is_about(message: Message) -> None:
    for first, last in message.about():
        assert message.slot is not None
        assert message.covers(message.slot, message.slot)
        assert message.covers(first, first)
        assert last is None or message.covers(last, last)


def test_there_is_a_strategy_of_each_kind() -> None:
    assert len(KINDS) == len(get_args(Message))
