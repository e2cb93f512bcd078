"""`loggos lab` as it is typed: what it prints, and its exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tui.lab import catalogue


def _lab(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", "lab", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_scenario_in_text() -> None:
    said = _lab("A_wins 8000 8004 123 456", "--text")
    assert (said.returncode, said.stderr) == (0, "")
    shown = said.stdout.splitlines()
    assert [line for line in shown if line.endswith("is chosen")] == [
        f"s{n}: Value '123' is chosen" for n in range(1, 6)
    ]
    assert "s1 told its user that '123' is created at slot 1" in shown
    assert "s5 told its user that '456' is lost at slot 1, to s1's '123'" in shown
    assert "s5    4.5         4.5     s1/1     123" in shown
    assert shown[-1] == "= as expected"
    assert {"trace", "diagram", "acceptors, slot 1"} <= set(shown)


def test_what_does_not_go_as_its_file_says_ends_with_12(tmp_path: Path) -> None:
    path = tmp_path / "wrong.scenario"
    path.write_text('sites s1 s2 s3\ns1 tweets "X"\nrun until quiet\nexpect chosen 1 = "Y"\n')
    said = _lab(str(path), "--text")
    assert (said.returncode, said.stderr) == (12, "")
    assert '= wrong.scenario:4: expect chosen 1 = "Y"' in said.stdout.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("words", [("nope", "--text"), ("A_wins 8000 8000 1 2", "--text"), ("--text",), ("single",)])
def test_what_cannot_be_understood_ends_with_2(words: tuple[str, ...]) -> None:
    said = _lab(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("loggos: ")


def test_lines_from_standard_input_are_played_in_their_order() -> None:
    said = _lab("-", "--text", "--json", stdin="set value 7 on 8001\nhole\n")
    runs = [json.loads(line) for line in said.stdout.splitlines()]
    assert [(run["title"], run["as_expected"]) for run in runs] == [("set value 7 on 8001", True), ("hole", True)]
    assert runs[0]["told"] == [
        {"site": "s2", "id": "s2/1", "text": "7", "outcome": "created", "slot": 1, "to": None, "reason": None}
    ]
    assert runs[0]["acceptors"][0]["chosen"] == {
        "kind": "tweet", "author": "s2", "id": "s2/1", "text": "7", "target": None
    }  # fmt: skip


def test_nothing_is_played_where_a_line_is_wrong() -> None:
    said = _lab("-", "--text", stdin="single\nfrob\n")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("loggos: line 2: 'frob' is no scenario")


def test_the_list_names_every_scenario() -> None:
    said = _lab("--list")
    assert said.returncode == 0
    assert [line.split()[0] for line in said.stdout.splitlines()] == list(catalogue.NAMES)
    listed = [json.loads(line) for line in _lab("--list", "--json").stdout.splitlines()]
    assert [each["name"] for each in listed] == list(catalogue.NAMES)
    assert all(each["about"] and each["sites"] for each in listed)
