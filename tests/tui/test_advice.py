"""Commands that a person is advised to type do what is said wherever they are typed."""

from __future__ import annotations

import shlex
from pathlib import Path
from unittest.mock import Mock

import pytest

from tui import advice


def test_paths_are_words_for_a_shell_and_short_below_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    said = advice.command(Path("/etc/the harbour/sites.yaml"), Path("/home/ann/my data/demo-5"), "serve", "dave")
    assert said == "loggos --sites '/etc/the harbour/sites.yaml' --data ~/'my data/demo-5' serve dave"
    assert shlex.split(said)[-3:] == ["~/my data/demo-5", "serve", "dave"]


def test_who_has_no_home_is_advised_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", raises := Mock(side_effect=RuntimeError))
    assert advice.command(Path("/s"), Path("/d"), "open", "dave").endswith("loggos --sites /s --data /d open dave")
    assert raises.called


@pytest.mark.parametrize("on_path", [True, False])
def test_the_program_is_named_so_that_the_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: bool
) -> None:
    program = tmp_path / "loggos"
    program.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(program), "demo"])
    monkeypatch.setenv("PATH", str(tmp_path) if on_path else "")
    said = advice.command(Path("/s"), Path("/d"), "serve", "dave")
    assert shlex.split(said)[0] == ("loggos" if on_path else str(program))
