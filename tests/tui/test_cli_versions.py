"""Commands and an engine of another version: nothing is guessed, and what is not known is never called failed (E2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble
from tests.tui.scripted_engine import Json, ScriptedEngine
from tui.cli import main

Ended = tuple[int, str, str]
"""Exit status, stdout and stderr."""

ADVICE = "it is of another version, restart it\n"


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, Json], Ended]:
    """Runs a command, in this process, with an engine of alice that answers all alike."""
    (tmp_path / "alice").mkdir()
    (tmp_path / "sites.yaml").write_text("cluster: c\nleadership: none\nsites:\n  alice: 127.0.0.1:7001\n")
    place = ("--sites", str(tmp_path / "sites.yaml"), "--data", str(tmp_path))

    def ended(words: str, said: Json) -> Ended:
        monkeypatch.setattr("sys.argv", ["loggos", *words.split(), *place])
        with ScriptedEngine(tmp_path / "alice" / "control.sock", lambda engine, asked: engine.answer(asked, said)):
            status = main()
        return status, *capsys.readouterr()

    return ended


@pytest.mark.parametrize(
    ("words", "said", "ended"),
    [
        ("status alice", {}, (5, "", f"loggos: the engine's answer has no 'site': {ADVICE}")),
        ("tweet alice hi", {"outcome": "created"}, (11, f"unknown the engine's answer has no 'id': {ADVICE}", "")),
        (
            "fill alice --json",
            {"lines": []},
            (11, "", f"loggos: what became of the holes is unknown: the engine's answer has no 'why': {ADVICE}"),
        ),
        (
            "view alice --fresh",
            {"lines": []},
            (11, "", f"loggos: nothing was confirmed: the engine's answer has no 'shown': {ADVICE}"),
        ),
    ],
)
def test_what_an_older_engine_leaves_out_is_named(
    run: Callable[[str, Json], Ended], words: str, said: Json, ended: Ended
) -> None:
    assert run(words, said) == ended


def test_what_a_newer_engine_says_besides_is_left_out(run: Callable[[str, Json], Ended], tmp_path: Path) -> None:
    status, out, err = run("status alice --json", EngineDouble(tmp_path).status() | {"new": 1})
    assert (status, err) == (0, "")
    assert '"new"' not in out
