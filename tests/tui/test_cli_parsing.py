"""What can be typed (docs/commands.md): global options on either side, numbers in range, one-line errors, help."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tui.cli import main
from tui.parser import COMMANDS, build_parser

COMMAND_NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize(
    "words",
    [
        ["--sites", "s.yaml", "--data", "d", "--json", "view", "alice"],
        ["view", "alice", "--sites", "s.yaml", "--data", "d", "--json"],
        ["--sites", "s.yaml", "view", "--json", "alice", "--data", "d"],
    ],
)
def test_global_options_are_taken_before_and_after_the_command(words: list[str]) -> None:
    arguments = build_parser().parse_args(words)
    assert (arguments.sites, arguments.data, arguments.json) == ("s.yaml", "d", True)
    assert arguments.run == "tui.commands.read:view"


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (["tweet", "alice", "--timeout", "3", "hi"], {"site": "alice", "text": "hi", "timeout": 3.0}),
        (["tweet", "--json", "alice", "--retry", "hi"], {"site": "alice", "text": "hi", "retry": True, "json": True}),
        (["tweet", "alice", "--retry", "--", "-5 degrees"], {"text": "-5 degrees", "retry": True}),
        (["block", "alice", "--json", "bob"], {"site": "alice", "other": "bob", "json": True}),
        (["fill", "alice", "--timeout", "3", "41", "42"], {"slots": [41, 42], "timeout": 3.0}),
        (["data", "alice", "--json", "41"], {"slots": [41], "json": True}),
        (["events", "alice", "--json", "alice/1"], {"ids": ["alice/1"], "json": True}),
        (["init", "ann", "--size", "3", "ben"], {"names": ["ann", "ben"], "size": 3}),
        (["faults", "alice", "add", "to=bob", "--expires", "9", "drop"], {"rule": ["to=bob", "drop"], "expires": 9.0}),
        (["faults", "alice", "release", "--json", "1", "2"], {"held": [1, 2], "json": True}),
    ],
)
def test_options_are_taken_anywhere_among_the_words(words: list[str], taken: dict[str, object]) -> None:
    arguments = vars(build_parser().parse_args(words))
    assert {name: arguments[name] for name in taken} == taken


def test_global_options_are_taken_after_the_action_of_faults() -> None:
    arguments = build_parser().parse_args(["--data", "d", "faults", "alice", "add", "to=bob", "drop", "--json"])
    assert (arguments.data, arguments.json, arguments.rule) == ("d", True, ["to=bob", "drop"])


def test_without_options_none_is_set() -> None:
    arguments = build_parser().parse_args(["status", "alice"])
    assert (arguments.sites, arguments.data, arguments.json) == (None, None, False)


def test_view_log_is_log() -> None:
    assert build_parser().parse_args(["view_log", "alice"]).run == build_parser().parse_args(["log", "alice"]).run


@pytest.mark.parametrize(
    "words",
    [
        ["log", "alice", "--from", "0"],
        ["log", "alice", "--from", "-1"],
        ["log", "alice", "--to", "1.5"],
        ["log", "alice", "--limit", "0"],
        ["log", "alice", "--limit", "٣"],
        ["data", "alice", "9007199254740993"],
        ["fill", "alice", "x"],
        ["explain", "alice"],
        ["explain", "alice", "0"],
        ["explain", "alice", "1.5"],
        ["explain", "alice", "1", "2"],
        ["explain", "alice", "1", "--timeout", "0"],
        ["tweet", "alice", "hi", "--timeout", "nan"],
        ["tweet", "alice", "hi", "--timeout", "inf"],
        ["tweet", "alice", "hi", "--timeout", "0"],
        ["tweet", "alice", "hi", "--timeout", "-3"],
        ["demo", "--size", "10"],
        ["demo", "--size", "0"],
        ["init", "--size", "many"],
        ["events", "alice", "17"],
        ["events", "alice", "--limit", "501"],
        ["tweet", "alice", "two", "words"],
        ["tweet", "alice", "\udcff"],
        ["faults", "alice", "add"],
        ["faults", "alice", "remove", "x"],
        ["faults", "alice", "explode"],
        ["view"],
        ["view", "alice", "--lim", "3"],
        ["nope"],
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("loggos")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["view", "alice", "--frsh"],
            "loggos view: '--frsh' is not an option here: did you mean --fresh? (see `loggos view --help`)\n",
        ),
        (["view", "alice", "--slot=3"], "loggos view: '--slot' is not an option here (see `loggos view --help`)\n"),
        (
            ["tweet", "bob", "two", "words"],
            "loggos tweet: unexpected word 'words': put a text of several words in quotes"
            " (see `loggos tweet --help`)\n",
        ),
        (["--vesion"], "loggos: '--vesion' is not an option here: did you mean --version? (see `loggos --help`)\n"),
        (["veiw", "alice"], "loggos: 'veiw' is no command: did you mean view? (see `loggos --help`)\n"),
        (["timeline"], "loggos: 'timeline' is no command (see `loggos --help`)\n"),
        (
            ["faults", "alice", "relese"],
            "loggos faults: 'relese' is no action: did you mean release? (see `loggos faults --help`)\n",
        ),
    ],
)
def test_what_is_mistyped_is_answered_with_the_nearest(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(words)
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", [*COMMAND_NAMES, "view_log"])
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([name, "--help"])
    assert ended.value.code == 0
    assert "example: loggos " in capsys.readouterr().out


@pytest.mark.parametrize("action", ["list", "add", "clear", "remove", "release", "drop"])
def test_every_action_of_faults_explains_itself(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["faults", "alice", action, "--help"])
    assert ended.value.code == 0
    assert "example: loggos faults " in capsys.readouterr().out


def test_the_examples_can_be_typed() -> None:
    for command in COMMANDS:
        program, *words = shlex.split(command.example)
        assert program == "loggos"
        build_parser().parse_args(words)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_version_and_no_command() -> None:
    said = _run("--version")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("loggos ")
    assert _run().returncode == 2


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_bug_report_has_the_versions_and_nothing_that_names_somebody(
    as_json: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["loggos", "--version", "--verbose", *as_json])
    assert main() == 0
    said = capsys.readouterr().out
    told = json.loads(said) if as_json else dict(line.split(maxsplit=1) for line in said.splitlines())
    assert {"wire", "store", "python", "system", "installed", "libraries", "terminal", "encoding"} <= told.keys()
    assert f"textual {version('textual')}" in told["libraries"]
    assert "pytest" not in told["libraries"]
    assert str(Path.home()) not in said
    assert str(Path.cwd()) not in said


def test_verbose_goes_with_version_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["loggos", "--verbose", "view", "alice"])
    assert main() == 2
    assert capsys.readouterr().err.startswith("loggos: --verbose goes with --version alone")


def test_client_commands_load_no_engine_part() -> None:
    """DESIGN, "What else holds": the client commands import neither trio nor SQLite, nor the screen, nor ciphers."""
    of_stores = {f"tui.commands.{name}" for name in ("serve", "audit", "backup", "check", "rescue")}
    client_modules = {command.run.partition(":")[0] for command in COMMANDS} - of_stores
    heavy = ("trio", "apsw", "sqlite3", "textual", "rich", "cryptography", "asyncio")
    program = (
        f"import sys, tui.cli, {', '.join(sorted(client_modules))};"
        f"print(*[name for name in {heavy!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (said.stdout, said.stderr) == ("\n", "")
