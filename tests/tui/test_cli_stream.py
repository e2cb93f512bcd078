"""`tweet --stdin` (docs/commands.md): order, the window, refused lines, signals, and an engine that is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.contract.shape import printed
from tests.tui.engine_double import outcome
from tests.tui.scripted_engine import Json, ScriptedEngine
from tui.client import Client
from tui.commands.event_stream import WINDOW, EventStream
from tui.commands.line_reader import LINE_BYTES_MAX, LineReader
from tui.commands.outcomes import Told
from tui.exits import ExitStatus, status_of_many
from tui.interrupts import Interrupts

TIMEOUT_S = 10.0


@dataclass
class Typed:
    """A pipe as standard input."""

    reading: int
    writing: int
    open_ends: set[int] = field(default_factory=set)

    def say(self, content: bytes) -> None:
        os.write(self.writing, content)

    def end(self) -> None:
        self.open_ends.discard(self.writing)
        os.close(self.writing)


@pytest.fixture
def typed() -> Iterator[Typed]:
    reading, writing = os.pipe()
    pipe = Typed(reading, writing, {reading, writing})
    yield pipe
    for descriptor in pipe.open_ends:
        os.close(descriptor)


def _create(engine: ScriptedEngine, request: Json) -> None:
    engine.answer(request, outcome("created", request["id"], slot=request["id"]))


def _acknowledge(engine: ScriptedEngine, request: Json) -> None:
    told = {"request": request["id"], "id": f"alice/{request['id']}"}
    engine.send({"jsonrpc": "2.0", "method": "acknowledged", "params": told})


def _run(engine: ScriptedEngine, typed: Typed) -> tuple[EventStream, list[Json]]:
    told: list[Json] = []
    with Client.connect(engine.path) as client, Interrupts() as interrupts:
        stream = EventStream(client, LineReader(typed.reading), lambda line: told.append(printed(line)), lambda: None)
        stream.run(interrupts, TIMEOUT_S, retry=False)
    return stream, told


def test_lines_become_events_in_order_and_blank_ones_are_skipped(tmp_path: Path, typed: Typed) -> None:
    typed.say(b"one\n\n   \n  two \r\nthree")
    typed.end()
    with ScriptedEngine(tmp_path / "s", _create) as engine:
        stream, told = _run(engine, typed)
    assert [params["text"] for params in engine.named("submit")] == ["one", "two", "three"]
    assert {params["kind"] for params in engine.named("submit")} == {"tweet"}
    assert [line["outcome"] for line in told] == ["created"] * 3
    assert status_of_many(stream.statuses) == ExitStatus.DONE


def test_outcomes_are_told_in_input_order_however_they_come(tmp_path: Path, typed: Typed) -> None:
    held: list[Json] = []

    def last_first(engine: ScriptedEngine, request: Json) -> None:
        held.append(request)
        if len(held) == 20:
            for one in reversed(held):
                _create(engine, one)

    typed.say(b"".join(b"line %d\n" % n for n in range(20)))
    typed.end()
    with ScriptedEngine(tmp_path / "s", last_first) as engine:
        _, told = _run(engine, typed)
    assert [line["slot"] for line in told] == list(range(1, 21))


def test_no_more_than_the_window_is_under_way(tmp_path: Path, typed: Typed) -> None:
    lines = WINDOW + 44
    under_way: list[Json] = []
    most = 0

    def answer_when_full(engine: ScriptedEngine, request: Json) -> None:
        nonlocal most
        under_way.append(request)
        most = max(most, len(under_way))
        if len(under_way) == WINDOW or len(engine.requests) == lines:
            for one in under_way:
                _create(engine, one)
            under_way.clear()

    typed.say(b"".join(b"line %d\n" % n for n in range(lines)))
    typed.end()
    with ScriptedEngine(tmp_path / "s", answer_when_full) as engine:
        _, told = _run(engine, typed)
    assert len(told) == lines
    assert most == WINDOW


def test_an_invalid_line_is_refused_by_its_number_and_the_rest_goes_on(tmp_path: Path, typed: Typed) -> None:
    def refuse_long(engine: ScriptedEngine, request: Json) -> None:
        if len(request["params"]["text"]) > 280:
            engine.fail(request, 1, "a tweet is at most 280 characters")
        else:
            _create(engine, request)

    too_long = b"y" * (LINE_BYTES_MAX + 70_000)

    def feed() -> None:
        typed.say(b"good\n\n\xff\xfe\n" + b"x" * 281 + b"\n" + too_long + b"\nlast\n")
        typed.end()

    feeder = threading.Thread(target=feed)
    feeder.start()
    with ScriptedEngine(tmp_path / "s", refuse_long) as engine:
        stream, told = _run(engine, typed)
    feeder.join()
    assert [line["outcome"] for line in told] == ["created", "refused", "refused", "refused", "created"]
    assert [line["line"] for line in told if line["outcome"] == "refused"] == [3, 4, 5]
    assert all(set(line) == {"outcome", "line", "reason"} for line in told if line["outcome"] == "refused")
    assert status_of_many(stream.statuses) == ExitStatus.BAD_INPUT


def test_results_come_before_the_input_ends(tmp_path: Path, typed: Typed) -> None:
    """A person or a program that waits for one outcome before writing the next line is never left waiting."""
    told: list[Told] = []

    def converse(line: Told) -> None:
        told.append(line)
        if len(told) < 5:
            typed.say(b"next\n")
        else:
            typed.end()

    typed.say(b"first\n")
    with (
        ScriptedEngine(tmp_path / "s", _create) as engine,
        Client.connect(engine.path) as client,
        Interrupts() as interrupts,
    ):
        EventStream(client, LineReader(typed.reading), converse, lambda: None).run(interrupts, TIMEOUT_S, retry=False)
    assert len(told) == 5


def test_an_engine_lost_midway_makes_the_rest_unknown_with_the_ids_that_it_told(tmp_path: Path, typed: Typed) -> None:
    def die_at_five(engine: ScriptedEngine, request: Json) -> None:
        if request["params"]["text"] == "line 5":
            engine.hang_up()
        elif request["params"]["text"] == "line 4":
            _acknowledge(engine, request)
        else:
            _create(engine, request)

    lines = WINDOW + 40
    typed.say(b"".join(b"line %d\n" % n for n in range(lines)))
    typed.end()
    with ScriptedEngine(tmp_path / "s", die_at_five) as engine:
        stream, told = _run(engine, typed)
    assert len(told) == lines
    unknown = told[4:]
    assert [line["outcome"] for line in told[:4]] == ["created"] * 4
    assert {line["outcome"] for line in unknown} == {"unknown"}
    assert [line["id"] for line in unknown] == ["alice/5", *[None] * (lines - 5)]
    assert all(line["reason"] for line in unknown)
    assert stream.lost is not None
    assert status_of_many(stream.statuses) == ExitStatus.NOT_KNOWN


def test_an_engine_of_another_version_leaves_an_outcome_unknown(tmp_path: Path, typed: Typed) -> None:
    typed.say(b"only")
    typed.end()
    with ScriptedEngine(
        tmp_path / "s", lambda engine, request: engine.answer(request, {"outcome": "created"})
    ) as engine:
        stream, told = _run(engine, typed)
    assert [(line["outcome"], line["id"]) for line in told] == [("unknown", None)]
    assert "has no 'id': it is of another version, restart it" in told[0]["reason"]
    assert status_of_many(stream.statuses) == ExitStatus.NOT_KNOWN


def test_a_store_that_fails_outranks_every_outcome(tmp_path: Path, typed: Typed) -> None:
    def fail(engine: ScriptedEngine, _request: Json) -> None:
        engine.send({"jsonrpc": "2.0", "method": "stopping", "params": {"reason": "disk full", "exit_status": 3}})
        engine.hang_up()

    typed.say(b"one\n")
    typed.end()
    with ScriptedEngine(tmp_path / "s", fail) as engine:
        stream, told = _run(engine, typed)
    assert [line["outcome"] for line in told] == ["unknown"]
    assert "disk full" in told[0]["reason"]
    assert status_of_many(stream.statuses) == ExitStatus.STORE_UNUSABLE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_hands_in_nothing_further_and_gives_up_what_is_under_way(
    tmp_path: Path, typed: Typed, number: signal.Signals
) -> None:
    """The outcomes of what was given up are the engine's; lines that were not handed in are counted."""
    lines = WINDOW + 30

    def give_up(engine: ScriptedEngine, request: Json) -> None:
        if request["method"] == "give_up":
            engine.answer(request, {"given_up": len(request["params"]["requests"])})
            for each in request["params"]["requests"]:
                given_up = outcome("not-created", each, reason="given up")
                engine.send({"jsonrpc": "2.0", "id": each, "result": given_up})
        elif len(engine.requests) == WINDOW:
            os.kill(os.getpid(), number)

    typed.say(b"".join(b"line %d\n" % n for n in range(lines)))
    with ScriptedEngine(tmp_path / "s", give_up) as engine:
        stream, told = _run(engine, typed)
    assert len(engine.named("submit")) == WINDOW
    assert engine.named("give_up") == [{"requests": list(range(1, WINDOW + 1))}]
    assert [line["outcome"] for line in told] == ["not-created"] * WINDOW
    assert stream.interrupted
    assert stream.not_submitted == 30
    assert not stream.input_ended
    assert status_of_many(stream.statuses) == ExitStatus.NOT_IN_LOG


def test_a_second_signal_leaves_at_once_and_says_unknown(tmp_path: Path, typed: Typed) -> None:
    def never(_engine: ScriptedEngine, request: Json) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert request["method"] in {"submit", "give_up"}

    typed.say(b"one\n")
    with ScriptedEngine(tmp_path / "s", never) as engine:
        stream, told = _run(engine, typed)
    assert [line["outcome"] for line in told] == ["unknown"]
    assert status_of_many(stream.statuses) == ExitStatus.NOT_KNOWN


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [((0, 2), 2), ((2, 10, 0), 10), ((10, 11), 11), ((11, 3, 2), 3), ((), 0)],
)
def test_the_exit_status_is_the_first_that_applies(statuses: tuple[int, ...], expected: int) -> None:
    assert status_of_many([ExitStatus(each) for each in statuses]) == expected
