"""What the commands print (docs/commands.md, "Shapes"): keys, order, inert text, colour."""

from __future__ import annotations

import pytest

from tui import json_shapes
from tui.json_shapes import Json
from tui.output import Cell, Output, Style, complain

HOSTILE = "\x1b[2J\x9b31m\u202e[@click=app.quit]x[/]\r\n"


def test_the_outcome_of_an_event_has_all_its_keys_in_order() -> None:
    told = json_shapes.outcome({"slot": 43, "outcome": "created", "id": "alice/17", "new": 1})
    assert list(told.items()) == [
        ("outcome", "created"), ("id", "alice/17"), ("slot", 43), ("to", None), ("reason", None)
    ]  # fmt: skip


def test_who_won_a_slot_is_an_entry() -> None:
    told = json_shapes.outcome({"outcome": "lost", "id": "a/1", "slot": 1, "to": {"author": "bob", "kind": "tweet"}})
    assert list(told["to"]) == ["kind", "author", "id", "text", "target"]


def test_a_log_line_has_exactly_the_keys_that_are_promised() -> None:
    said = {"slot": 1, "state": "hole", "attempt": {}, "accNum": "1.bob", "maxPrepare": None, "at": None}
    assert list(json_shapes.log_line(said)) == ["slot", "state", "kind", "author", "id", "text", "target"]


def test_status_has_exactly_the_keys_that_are_promised() -> None:
    peer = {"up": True, "rtt_ms": 3, "chosen_through": 4, "heard_s": 0.1, "address": "127.0.0.1:1"}
    said: Json = {"site": "alice", "pid": 3, "peers": {"bob": peer}, "quorum": {"size": 2, "needed": 2, "reachable": 1}}
    status = json_shapes.status(said)
    assert " ".join(status) == (
        "site cluster leadership leader quorum chosen_through chosen_max next holes recovering voting voting_why"
        " mismatch hindered narrow unsent faults unknown fresh_at peers counters"
    )
    assert list(status["quorum"]) == ["reachable", "needed", "size"]
    assert status["peers"] == {"bob": {"up": True, "rtt_ms": 3, "chosen_through": 4, "datagram_bytes": None}}


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        (json_shapes.timeline_line, ["slot", "author", "text", "at"]),
        (json_shapes.block_line, ["blocker", "blocked", "slot"]),
        (json_shapes.acceptor_line, ["slot", "maxPrepare", "accNum", "accVal", "state"]),
        (json_shapes.fill_line, ["slot", "result", "kind"]),
        (json_shapes.trace_line, ["at", "dir", "peer", "type", "slot", "ballot", "note"]),
    ],
)
def test_lines_have_all_their_keys_in_order(shape: object, keys: list[str]) -> None:
    assert callable(shape)
    assert shape({"new": 1}) == dict.fromkeys(keys)
    assert list(shape({})) == keys


def test_columns_are_aligned_and_text_stands_last(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table([("#1", "al", "first"), ("#10", Cell("bob", Style.GOOD), "second  ")])
    assert capsys.readouterr().out == "#1   al   first\n#10  bob  second\n"


def test_no_text_acts_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=False)
    out.table([(HOSTILE, HOSTILE)])
    out.line(Cell(HOSTILE, Style.BAD))
    complain(HOSTILE)
    said = capsys.readouterr()
    for line in (*said.out.splitlines(), *said.err.splitlines()):
        assert line.isprintable()
        assert "[@click=app.quit]x[/]" in line


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_and_never_under_no_color(
    terminal: bool,
    environment: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    Output(as_json=False).line(Cell("created", Style.GOOD))
    assert ("\x1b[32m" in capsys.readouterr().out) is coloured
