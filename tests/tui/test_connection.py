"""The connection without a socket: however its bytes are cut and whatever they are, each request ends once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.answers import BlockLine, Lines, TraceLine
from engine.contract.errors import BadAnswer, EngineLost, NoAnswer, RequestRefused
from engine.contract.limits import LINE_BYTES_MAX
from engine.contract.notifications import EngineStops
from engine.contract.requests import Blocks, Status
from tests.tui.engine_double import trace_line
from tui.connection import Answer, Connection, Ended, Event, Told

ASKED = 4
HEARD = trace_line(1, "in", "bob", "accept")
TRACED = {"method": "observed", "params": {"dropped": 2, "items": [{"topic": "trace", **HEARD}, {"topic": "later"}]}}
STOPPING = {"method": "stopping", "params": {"reason": "disk full", "exit_status": 3}}
TAKEN = {"method": "acknowledged", "params": {"request": 2, "id": "alice/17", "count": 1}}
LATER = {"method": "of a later version", "params": {}}


def line(message: object) -> bytes:
    return orjson.dumps(message) + b"\n"


def answered(number: int, **other: Any) -> bytes:
    return line({"jsonrpc": "2.0", "id": number} | (other or {"result": number}))


def refused(number: int) -> bytes:
    return answered(number, error={"code": 1, "message": "blocking yourself is refused"})


def asked(times: int = ASKED) -> Connection:
    connection = Connection()
    for _ in range(times):
        connection.request("any", {})
    return connection


def all_of(pieces: Iterable[bytes], connection: Connection | None = None) -> list[Event]:
    """What a connection with open requests tells of these pieces, and of the end behind them."""
    connection = connection or asked()
    events = [event for piece in (*pieces, b"") for event in connection.receive(piece)]
    assert isinstance(events[-1], Ended)
    assert events[-1] == connection.ended
    return events


def why(*lines: bytes) -> NoAnswer:
    *_, last = all_of(lines)
    assert isinstance(last, Ended)
    return last.why


def seen(event: Event) -> object:
    """As a value: exceptions are equal by what they say."""
    match event:
        case Answer(number, result, failed):
            return number, result, type(failed), str(failed)
        case Ended(error):
            return type(error), str(error), getattr(error, "exit_status", None)
        case _:
            return event


SOUND = st.one_of(
    st.integers(1, ASKED).map(answered),
    st.integers(1, ASKED).map(refused),
    st.sampled_from([line(TRACED), line(TAKEN), line(STOPPING), line(LATER)]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 6) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["observed", "acknowledged", "stopping", "x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "result", "error", "method", "params", "code", "message", "items", "dropped", "topic"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
UNSOUND = st.one_of(
    JSON.map(line),
    st.binary(max_size=20).map(lambda raw: raw + b"\n"),
    st.integers(-1, 2 * ASKED).map(answered),
    st.sampled_from([b"x" * LINE_BYTES_MAX + b"\n", b"x" * (LINE_BYTES_MAX + 1) + b"\n", b'{"id":1,"res']),
)


@given(st.lists(SOUND | UNSOUND, max_size=8), st.data())
def test_any_cut_of_the_bytes_tells_the_same(lines: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(lines)
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=12))
    pieces = [raw[begin:end] for begin, end in pairwise(sorted({0, len(raw), *cuts}))]
    whole = all_of([raw] if raw else [])
    assert [seen(event) for event in all_of(pieces)] == [seen(event) for event in whole]


@given(st.lists(SOUND, max_size=8).map(b"".join))
def test_bytes_that_come_one_by_one_tell_the_same(raw: bytes) -> None:
    single = [raw[place : place + 1] for place in range(len(raw))]
    assert [seen(event) for event in all_of(single)] == [seen(event) for event in all_of([raw] if raw else [])]


@given(st.lists(SOUND | UNSOUND, max_size=12))
def test_each_request_is_answered_once_at_most_and_an_end_is_the_last_word(lines: list[bytes]) -> None:
    connection = asked()
    *before, _ = all_of(lines, connection)
    numbers = [event.number for event in before if isinstance(event, Answer)]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(1, ASKED + 1))
    assert not any(isinstance(event, Ended) for event in before)
    assert connection.receive(answered(1)) == []
    assert connection.end("the caller knows why") == []
    with pytest.raises(NoAnswer):
        connection.ask(Status())


@given(JSON.map(line) | st.binary(max_size=20))
def test_whatever_ends_a_connection_says_what_to_do(raw: bytes) -> None:
    said = str(why(raw))
    told = ("the engine closed the connection", "the engine stopped", "the engine refused what it was sent: ")
    assert said.startswith(told) or "restart" in said


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"no json\n", "does not speak JSON: restart the engine"),
        (b"\xff\n", "does not speak JSON: restart the engine"),
        (b"[]\n", "does not speak this program's JSON-RPC: restart the engine"),
        (b'{"id":1}\n', "does not speak this program's JSON-RPC: restart the engine"),
        (b'{"id":true,"result":1}\n', "does not speak this program's JSON-RPC: restart the engine"),
        (b'{"id":"a","result":1}\n', "does not speak this program's JSON-RPC: restart the engine"),
        (b'{"id":1,"error":{}}\n', "does not speak this program's JSON-RPC: restart the engine"),
        (b"x" * (LINE_BYTES_MAX + 1), f"a line of more than {LINE_BYTES_MAX} bytes: it is of another version, restart"),
        (answered(ASKED + 1), "answered request 5, which was not made: it is of another version, restart it"),
        (answered(0), "answered request 0, which was not made: it is of another version, restart it"),
        (answered(1) * 2, "answered request 1 a second time: it is of another version, restart it"),
        (refused(1) + answered(1), "answered request 1 a second time: it is of another version, restart it"),
        (line({"id": None, "error": {"code": -32600, "message": "split it"}}), "refused what it was sent: split it"),
        (line({"method": "observed", "params": {}}), "has no 'dropped': it is of another version, restart it"),
    ],
)
def test_what_is_no_message_is_told_as_what_to_do(raw: bytes, said: str) -> None:
    assert said in str(why(raw))


def test_what_was_told_before_the_end_counts() -> None:
    events = all_of([answered(2) + line(TRACED) + b"junk\n" + answered(1)])
    assert [type(event) for event in events] == [Answer, Told, Ended]


def test_a_line_of_the_longest_length_is_taken() -> None:
    frame = len(answered(1, result=""))
    longest = answered(1, result="x" * (LINE_BYTES_MAX + 1 - frame))
    assert len(longest) == LINE_BYTES_MAX + 1, "and its end"
    assert isinstance(all_of([longest])[0], Answer)


def test_an_end_that_was_told_before_is_told_with_its_reason() -> None:
    stopped, ended = all_of([line(STOPPING)])
    assert stopped == EngineStops("disk full", 3)
    assert seen(ended) == (EngineLost, "disk full", 3)
    assert str(why(line({"method": "stopping", "params": {}}))) == "the engine stopped"


def test_an_end_that_the_caller_sees_is_told_once() -> None:
    connection = asked()
    assert [seen(event) for event in connection.end("no route")] == [(EngineLost, "no route", None)]
    assert connection.receive(b"") == []


def test_answers_are_read_as_the_class_of_their_request_says() -> None:
    connection = Connection()
    blocks, sent = connection.ask(Blocks())
    assert orjson.loads(sent) == {"jsonrpc": "2.0", "id": blocks, "method": "blocks", "params": {}}
    assert sent.endswith(b"\n")
    status, _ = connection.ask(Status())
    raw, _ = connection.request("status", {})
    read, bad, no, _ = all_of(
        [
            answered(blocks, result={"lines": [{"blocker": "alice", "blocked": "bob", "slot": 3}]}),
            answered(status, result={}),
            refused(raw),
        ],
        connection,
    )
    assert read == Answer(blocks, Lines((BlockLine("alice", "bob", 3),)))
    assert isinstance(bad, Answer)
    with pytest.raises(BadAnswer, match="has no 'site': it is of another version, restart it"):
        bad.value()
    assert isinstance(no, Answer)
    with pytest.raises(RequestRefused, match="blocking yourself") as error:
        no.value()
    assert error.value.code == 1


def test_items_are_read_and_what_a_later_version_tells_is_passed_over() -> None:
    told, _ = all_of([line(LATER) + line(TRACED)])
    assert isinstance(told, Told)
    assert told.dropped == 2
    assert [type(item) for item in told.items] == [TraceLine]
