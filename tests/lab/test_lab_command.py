"""`loggos lab` as it is typed: what it prints, and its exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.tui.notebook import Notebook
from tui.cli import main
from tui.lab import catalogue

Ended = subprocess.CompletedProcess[str]


def _process(*words: str) -> Ended:
    """As it is typed, a process of its own."""
    program = [sys.executable, "-m", "tui", "lab", *words]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)


def _lab(*words: str, stdin: str = "") -> Ended:
    """The same without a process."""
    typed = TextIOWrapper(BytesIO(stdin.encode()), encoding="utf-8")
    printed, complained = TextIOWrapper(BytesIO(), encoding="utf-8"), StringIO()
    with (
        patch.object(sys, "argv", ["loggos", "lab", *words]),
        patch.object(sys, "stdin", typed),
        redirect_stdout(printed),
        redirect_stderr(complained),
    ):
        status = main()
    printed.flush()
    printed.seek(0)
    return subprocess.CompletedProcess(words, status, printed.read(), complained.getvalue())


def test_a_scenario_in_text() -> None:
    said = _process("A_wins 8000 8004 123 456", "--text")
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
    said = _process(str(path), "--text")
    assert (said.returncode, said.stderr) == (12, "")
    assert '= wrong.scenario:4: expect chosen 1 = "Y"' in said.stdout.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("words", [("nope", "--text"), ("A_wins 8000 8000 1 2", "--text"), ("--text",), ("single",)])
def test_what_cannot_be_understood_ends_with_2(words: tuple[str, ...]) -> None:
    said = _process(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("loggos: ")


def test_standard_input_is_for_lines_and_json_needs_no_screen() -> None:
    said = _lab("-", stdin="single")
    assert (said.returncode, said.stderr) == (
        2,
        "loggos: a scenario from standard input is played as text: add --text\n",
    )
    assert json.loads(_lab("single", "--json").stdout)["as_expected"]


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
    assert said.stderr.startswith("loggos: line 2: 'frob' is not a scenario")


def test_the_list_names_every_scenario() -> None:
    said = _lab("--list")
    assert said.returncode == 0
    assert [line.split()[0] for line in said.stdout.splitlines()] == list(catalogue.NAMES)
    listed = [json.loads(line) for line in _lab("--list", "--json").stdout.splitlines()]
    assert [each["name"] for each in listed] == list(catalogue.NAMES)
    assert all(each["about"] and each["sites"] for each in listed)
    assert {each["name"] for each in listed if each["broken"]} == {"livelock"} | {
        name for name in catalogue.NAMES if name.startswith("broken-")
    }


PLAN = """
sites s1 s2 s3
plan
at 544 ms s1 tweets "t" timeout 10000 ms
at 600 ms crash s1 down 100 ms
at 2000 ms s3 tweets "u" timeout 10000 ms
calm at 5000 ms
"""
"""As a campaign saves it."""


def test_a_mistake_in_any_run_is_shown_at_the_step_that_broke_the_rule(tmp_path: Path) -> None:
    path = tmp_path / "seed-7.scenario"
    path.write_text(PLAN)
    whole = _lab(str(path), "--text")
    assert (whole.returncode, whole.stderr) == (0, "")
    broken = _lab(str(path), "--text", "--broken", "d1-promises-are-not-durable")
    assert (broken.returncode, broken.stderr) == (12, "")
    shown = broken.stdout.splitlines()
    assert "with a mistake in it (D1): promises are not durable" in shown
    at, verdict = shown[shown.index("the step that broke the rule") + 1 :][:2]
    assert at.split()[1:5] == ["s2", "<-", "s1", "prepare"]
    assert verdict == "violates D1 slot 1 at s2: promises 1.1, but its disk says nothing"
    assert shown[-1] == f"= {verdict}"


def test_what_is_saved_with_its_mistake_needs_no_option(tmp_path: Path) -> None:
    path = tmp_path / "seed-7.scenario"
    path.write_text(PLAN.replace("plan\n", "broken d1-promises-are-not-durable\nplan\n", 1))
    said = _lab(str(path), "--text", "--json")
    runs = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.returncode == 12
    assert [(run["broken"], run["as_expected"]) for run in runs] == [
        ("d1-promises-are-not-durable", False),
        (None, True),
    ]


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("b-wins", "--broken", "a2-accepts-any-balot"), "did you mean a2-accepts-any-ballot? `loggos lab --mistakes`"),
        (("b-wins", "mended"), "b-wins has no mistake in it: leave out 'mended'"),
    ],
)
def test_a_mistake_that_is_not_there_is_answered_with_the_nearest(words: tuple[str, ...], instead: str) -> None:
    said = _lab(*words, "--text")
    assert (said.returncode, said.stdout) == (2, "")
    assert instead in said.stderr


def test_no_mistake_is_put_into_a_recording(tmp_path: Path) -> None:
    recording = tmp_path / "alice.jsonl"
    recording.write_bytes(Notebook("alice").ends().text)
    said = _lab(str(recording), "--text", "--broken", "a2-accepts-any-ballot")
    assert (said.returncode, said.stdout) == (2, "")
    assert "a recording is what real sites did" in said.stderr


def test_the_run_without_the_mistake_can_be_had_alone() -> None:
    runs = [json.loads(line) for line in _lab("broken-accept", "mended", "--text", "--json").stdout.splitlines()]
    assert [(run["title"], run["broken"], run["as_expected"]) for run in runs] == [("broken-accept mended", None, True)]


def test_the_mistakes_are_listed_by_their_rules() -> None:
    said = _lab("--mistakes", "--json")
    listed = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.returncode == 0
    assert all(each["name"].startswith(each["rule"].lower()) for each in listed)
    assert len(_lab("--mistakes").stdout.splitlines()) == len(listed)
