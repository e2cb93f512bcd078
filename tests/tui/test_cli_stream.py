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
from tests.tui.engine_double import span
from tests.tui.scripted_engine import Json, ScriptedEngine
from tui.client import Client
from tui.commands.event_stream import TOGETHER, WINDOW, EventStream
from tui.commands.outcomes import Told
from tui.exits import ExitStatus, status_of_many
from tui.interrupts import Interrupts
from tui.line_reader import LINE_BYTES_MAX, LineReader

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


def _texts(engine: ScriptedEngine) -> list[str]:
    """All that was handed in."""
    return [text for params in engine.named("submit_many") for text in params["texts"]]


def _first(engine: ScriptedEngine, request: Json) -> int:
    """The number, and the slot, of a call's first event: where all that was handed in becomes one."""
    before = [each for each in engine.requests if each["method"] == "submit_many" and each["id"] < request["id"]]
    return 1 + sum(len(each["params"]["texts"]) for each in before)


def _create(engine: ScriptedEngine, request: Json) -> None:
    first = _first(engine, request)
    engine.answer(request, {"spans": [span("created", first, len(request["params"]["texts"]), slot=first)]})


def _acknowledge(engine: ScriptedEngine, request: Json) -> None:
    first = f"alice/{_first(engine, request)}"
    told = {"request": request["id"], "id": first, "count": len(request["params"]["texts"])}
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
    assert [params["texts"] for params in engine.named("submit_many")] == [["one", "two"], ["three"]], "as they came"
    assert [line["outcome"] for line in told] == ["created"] * 3
    assert status_of_many(stream.statuses) == ExitStatus.DONE


def test_outcomes_are_told_in_input_order_however_they_come(tmp_path: Path, typed: Typed) -> None:
    held: list[Json] = []

    def last_first(engine: ScriptedEngine, request: Json) -> None:
        held.append(request)
        if len(held) == 5:
            for one in reversed(held):
                _create(engine, one)

    lines = 5 * TOGETHER
    typed.say(b"".join(b"line %d\n" % n for n in range(lines)))
    typed.end()
    with ScriptedEngine(tmp_path / "s", last_first) as engine:
        _, told = _run(engine, typed)
    assert [line["id"] for line in told] == [f"alice/{n}" for n in range(1, lines + 1)]
    assert [line["slot"] for line in told] == list(range(1, lines + 1))


def test_lines_of_one_call_may_come_to_different_ends(tmp_path: Path, typed: Typed) -> None:
    def answer(engine: ScriptedEngine, request: Json) -> None:
        lost = span("lost", 3, 1, slot=9, to={"kind": "noop", "author": None, "id": None, "text": None, "target": None})
        spans = [span("created", 1, 2, slot=7), lost, span("unknown", 4, 2, reason="it was handed on")]
        engine.answer(request, {"spans": spans})

    typed.say(b"one\ntwo\nthree\nfour\nfive\n")
    typed.end()
    with ScriptedEngine(tmp_path / "s", answer) as engine:
        stream, told = _run(engine, typed)
    assert [(line["outcome"], line["id"], line["slot"]) for line in told] == [
        ("created", "alice/1", 7),
        ("created", "alice/2", 8),
        ("lost", "alice/3", 9),
        ("unknown", "alice/4", None),
        ("unknown", "alice/5", None),
    ]
    assert stream.statuses == {ExitStatus.DONE, ExitStatus.NOT_IN_LOG, ExitStatus.NOT_KNOWN}


def test_no_more_than_the_window_is_under_way(tmp_path: Path, typed: Typed) -> None:
    lines = WINDOW + 44
    under_way: list[Json] = []
    most = 0

    def answer_when_full(engine: ScriptedEngine, request: Json) -> None:
        nonlocal most
        under_way.append(request)
        waiting = sum(len(one["params"]["texts"]) for one in under_way)
        most = max(most, waiting)
        if waiting == WINDOW or len(_texts(engine)) == lines:
            for one in under_way:
                _create(engine, one)
            under_way.clear()

    typed.say(b"".join(b"line %d\n" % n for n in range(lines)))
    typed.end()
    with ScriptedEngine(tmp_path / "s", answer_when_full) as engine:
        _, told = _run(engine, typed)
    assert len(told) == lines
    assert most == WINDOW
    assert max(len(params["texts"]) for params in engine.named("submit_many")) <= TOGETHER


def test_an_invalid_line_is_refused_by_its_number_and_the_rest_goes_on(tmp_path: Path, typed: Typed) -> None:
    too_long = b"y" * (LINE_BYTES_MAX + 70_000)

    def feed() -> None:
        typed.say(b"good\n\n\xff\xfe\n" + b"x" * 281 + b"\n" + too_long + b"\nlast\n")
        typed.end()

    feeder = threading.Thread(target=feed)
    feeder.start()
    with ScriptedEngine(tmp_path / "s", _create) as engine:
        stream, told = _run(engine, typed)
    feeder.join()
    assert _texts(engine) == ["good", "last"]
    assert [line["outcome"] for line in told] == ["created", "refused", "refused", "refused", "created"]
    assert [line["line"] for line in told if line["outcome"] == "refused"] == [3, 4, 5]
    assert all(set(line) == {"outcome", "line", "reason"} for line in told if line["outcome"] == "refused")
    assert status_of_many(stream.statuses) == ExitStatus.BAD_INPUT


def test_where_the_engine_refuses_a_call_each_of_its_lines_is_refused(tmp_path: Path, typed: Typed) -> None:
    typed.say(b"one\n\ntwo\n")
    typed.end()
    with ScriptedEngine(tmp_path / "s", lambda engine, request: engine.fail(request, 1, "too many wait")) as engine:
        stream, told = _run(engine, typed)
    assert told == [{"outcome": "refused", "line": line, "reason": "too many wait"} for line in (1, 3)]
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
    def die_at_the_third(engine: ScriptedEngine, request: Json) -> None:
        match len(engine.requests):
            case 1:
                _create(engine, request)
            case 2:
                _acknowledge(engine, request)
            case 3:
                engine.hang_up()

    lines = WINDOW + 40
    typed.say(b"".join(b"line %d\n" % n for n in range(lines)))
    typed.end()
    with ScriptedEngine(tmp_path / "s", die_at_the_third) as engine:
        stream, told = _run(engine, typed)
    assert len(told) == lines
    unknown = told[TOGETHER:]
    assert [line["outcome"] for line in told[:TOGETHER]] == ["created"] * TOGETHER
    assert {line["outcome"] for line in unknown} == {"unknown"}
    acknowledged = [f"alice/{n}" for n in range(TOGETHER + 1, 2 * TOGETHER + 1)]
    assert [line["id"] for line in unknown] == [*acknowledged, *[None] * (lines - 2 * TOGETHER)]
    assert all(line["reason"] for line in unknown)
    assert stream.lost is not None
    assert status_of_many(stream.statuses) == ExitStatus.NOT_KNOWN


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ({"outcome": "created"}, "has no 'spans': it is of another version, restart it"),
        ({"spans": []}, "told 0 outcomes of 1 events: it is of another version, restart it"),
    ],
)
def test_an_engine_of_another_version_leaves_an_outcome_unknown(
    tmp_path: Path, typed: Typed, answered: Json, said: str
) -> None:
    typed.say(b"only")
    typed.end()
    with ScriptedEngine(tmp_path / "s", lambda engine, request: engine.answer(request, answered)) as engine:
        stream, told = _run(engine, typed)
    assert [(line["outcome"], line["id"]) for line in told] == [("unknown", None)]
    assert said in told[0]["reason"]
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
            for each in engine.requests[:-1]:
                given_up = span("not-created", _first(engine, each), TOGETHER, reason="given up")
                engine.answer(each, {"spans": [given_up]})
        elif len(_texts(engine)) == WINDOW:
            os.kill(os.getpid(), number)

    typed.say(b"".join(b"line %d\n" % n for n in range(lines)))
    with ScriptedEngine(tmp_path / "s", give_up) as engine:
        stream, told = _run(engine, typed)
    assert len(_texts(engine)) == WINDOW
    assert engine.named("give_up") == [{"requests": [each["id"] for each in engine.requests[:-1]]}]
    assert [line["outcome"] for line in told] == ["not-created"] * WINDOW
    assert stream.interrupted
    assert stream.not_submitted == 30
    assert not stream.input_ended
    assert status_of_many(stream.statuses) == ExitStatus.NOT_IN_LOG


def test_a_second_signal_leaves_at_once_and_says_unknown(tmp_path: Path, typed: Typed) -> None:
    def never(_engine: ScriptedEngine, request: Json) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert request["method"] in {"submit_many", "give_up"}

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
