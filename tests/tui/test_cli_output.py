"""What the commands print (docs/commands.md, "Shapes"): keys, order, inert text, colour."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from engine.contract.answers import Entry, Outcome
from engine.contract.shape import read
from engine.contract.status import Status
from tests.tui.engine_double import EngineDouble
from tui.output import Output, as_json, complain
from tui.parts import Part, Role

HOSTILE = "\x1b[2J\x9b31m\u202e[@click=app.quit]x[/]\r\n"


def test_json_has_the_keys_that_are_promised_at_every_depth(tmp_path: Path) -> None:
    """What the control socket says for screens is left out, and keys of a later version were never read."""
    said = EngineDouble(tmp_path).status()
    status = orjson.loads(as_json(read(Status, said | {"new": 1})))
    assert " ".join(status) == (
        "site cluster leadership leader quorum chosen_through chosen_max next holes recovering voting voting_why"
        " mismatch hindered narrow unsent sites_file faults unknown fresh_at key peers counters"
    )
    assert status["quorum"] == said["quorum"]
    bob = {"up": True, "rtt_ms": 3, "chosen_through": 0, "datagram_bytes": 1_452, "key": "first"}
    assert status["peers"]["bob"] == bob
    assert status["counters"] == said["counters"]


def test_what_does_not_apply_is_null() -> None:
    told = Outcome("lost", "alice/17", 43, Entry("noop", None, None, None, None), None, None, 9)
    assert as_json(told) == (
        b'{"outcome":"lost","id":"alice/17","slot":43,'
        b'"to":{"kind":"noop","author":null,"id":null,"text":null,"target":null},"reason":null}'
    )


def test_columns_are_aligned_and_text_stands_last(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table([("#1", "al", "first"), ("#10", Part("bob", Role.GOOD), "second  ")])
    assert capsys.readouterr().out == "#1   al   first\n#10  bob  second\n"


def test_no_text_acts_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=False)
    out.table([(HOSTILE, HOSTILE)])
    out.line(Part(HOSTILE, Role.BAD))
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
    Output(as_json=False).line(Part("created", Role.GOOD))
    assert ("\x1b[32m" in capsys.readouterr().out) is coloured
