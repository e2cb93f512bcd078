"""What shells complete, and the man pages: both come from the parser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from engine.core.ids import SiteId
from engine.template import loopback_addresses, write_files
from tests.tui.engine_double import EngineDouble, at, outcome
from tests.tui.scripted_engine import Json, ScriptedEngine
from tui.argument_kinds import FILES, FOLDERS, FREE, KINDS, Kind
from tui.completing import offered, typed
from tui.completion_script import arguments_of, metavar_of, script
from tui.parser import COMMANDS, build_parser

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = tuple(map(SiteId, ("alice", "bob", "carol")))
SHELLS: Final = ("bash", "zsh", "fish")


@cache
def _script(shell: str) -> str:
    return script(build_parser(), shell)


def _setup() -> ModuleType:
    """setup.py, which nothing imports."""
    spec = importlib.util.spec_from_file_location("loggos_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    path = tmp_path / "sites.yaml"
    write_files(path, "test-island", loopback_addresses(NAMES))
    return path


def test_it_is_known_of_every_argument_how_it_is_completed() -> None:
    known = FILES | FOLDERS | FREE | KINDS.keys()
    arguments = list(arguments_of(build_parser()))
    new = {(command, metavar_of(action)) for command, action in arguments if not action.choices}
    unknown = [each for each in sorted(new) if each[1] not in known]
    assert unknown == [], "say in tui/argument_kinds.py what a shell completes there"


@pytest.mark.parametrize(
    ("line", "words", "word"),
    [
        ("loggos view al", ["loggos", "view"], "al"),
        ("loggos view ", ["loggos", "view"], ""),
        ("cd /tmp && loggos view 'a", ["loggos", "view"], "a"),
        ('loggos faults bob add "to=alice ty', ["loggos", "faults", "bob", "add", "to=alice"], "ty"),
        ("loggos log bob | loggos view b", ["loggos", "view"], "b"),
        ("", [], ""),
    ],
)
def test_what_is_typed_is_read_as_a_shell_reads_it(line: str, words: list[str], word: str) -> None:
    assert typed(line) == (words, word)


@pytest.mark.parametrize(
    ("kind", "typed_so_far", "values"),
    [
        (Kind.SITES, "view ", ["alice", "bob", "carol"]),
        (Kind.OTHERS, "block alice ", ["bob", "carol"]),
        (Kind.SITES, "remove alice ", ["alice", "bob", "carol"]),
        (Kind.RULES, "faults alice add to=b", ["to=bob"]),
        (Kind.RULES, "faults alice add type=prep", ["type=prepare"]),
        (Kind.RULES, "faults alice add to=bob,a", ["to=bob,alice"]),
        (Kind.RULES, "faults alice add to=bob dr", ["drop", "drop=50%"]),
        (Kind.SCENARIOS, "lab b-w", ["b-wins", "b-wins-3"]),
        (Kind.MISTAKES, "lab b-wins --broken skip-prom", []),
        (Kind.SLOTS, "explain alice ", []),
    ],
)
def test_names_are_those_that_there_are(kind: Kind, typed_so_far: str, values: list[str], sites: Path) -> None:
    assert offered(kind, f"loggos --sites {sites} --data {sites.parent} {typed_so_far}") == values


@pytest.mark.parametrize(
    ("kind", "typed_so_far", "values"),
    [
        (Kind.HOLES, "fill alice ", ["41"]),
        (Kind.SLOTS, "explain alice ", ["41", *map(str, (43, 42, *range(40, 23, -1)))]),
        (Kind.EVENTS, "events alice ", ["alice/17"]),
        (Kind.RULE_NUMBERS, "faults alice remove ", ["3"]),
        (Kind.HELD_NUMBERS, "faults alice release ", ["7"]),
    ],
)
def test_what_an_engine_has_is_asked_of_it(kind: Kind, typed_so_far: str, values: list[str], sites: Path) -> None:
    (sites.parent / "alice").mkdir()
    rule = {"number": 3, "text": "to=bob drop", "on": True, "hits": 0, "expires_at": None, "while_connected": False}
    held = {
        "number": 7,
        "at": at(0),
        "dir": "out",
        "peer": "bob",
        "type": "accept",
        "slot": 43,
        "ballot": None,
        "slots": [],
    }
    answers: dict[str, Json] = {
        "status": EngineDouble(sites.parent).status() | {"holes": [41], "chosen_max": 43},
        "events": {"lines": [outcome("created", 17)]},
        "faults": {"rules": [rule], "held": [held], "seed": 1},
    }
    with ScriptedEngine(
        sites.parent / "alice" / "control.sock", lambda engine, asked: engine.answer(asked, answers[asked["method"]])
    ):
        assert offered(kind, f"loggos --sites={sites} --data={sites.parent} {typed_so_far}") == values


def test_sites_are_those_of_the_log_and_of_this_machine_too(sites: Path) -> None:
    for site in ("dave", "frank"):  # dave's engine does not run
        (sites.parent / site).mkdir()
        (sites.parent / site / "site.db").touch()
    told = EngineDouble(sites.parent, "frank", ("alice", "bob", "erin", "frank")).status()
    line = f"loggos --sites={sites} --data={sites.parent}"
    with ScriptedEngine(sites.parent / "frank" / "control.sock", lambda engine, asked: engine.answer(asked, told)):
        assert offered(Kind.OTHERS, f"{line} block frank ") == ["alice", "bob", "carol", "dave", "erin"]
        assert offered(Kind.RULES, f"{line} faults frank add to=e") == ["to=erin"]
        assert offered(Kind.SITES, f"{line} view e") == ["erin"]


def test_without_a_sites_file_nothing_is_offered_and_nothing_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert offered(Kind.SITES, f"loggos --sites {tmp_path / 'none.yaml'} view ") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_knows_every_command_and_what_to_ask_for(shell: str) -> None:
    text = _script(shell)
    assert [command.name for command in COMMANDS if command.name not in text] == []
    assert [kind for kind in Kind if kind not in text] == []
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=text.encode(), check=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("view", "a"), "alice"),
        (("view", "alice", "--fre"), "--fresh"),
        (("faults", "alice", "add", "to", "=", "b"), "bob"),
        (("comp",), "completion"),
    ],
)
def test_bash_completes(words: tuple[str, ...], values: str, sites: Path, tmp_path: Path) -> None:
    """Bash takes `to=b` for three words."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "loggos"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui "$@"\n')
    program.chmod(0o755)
    line = " ".join(("loggos", *words)).replace(" = ", "=")
    asked = (
        f"{_script('bash')}\nCOMP_LINE='{line}' COMP_POINT={len(line)} COMP_CWORD={len(words)}\n"
        f'COMP_WORDS=(loggos {" ".join(words)})\n_shtab_loggos\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "LOGGOS_SITES": str(sites), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", asked], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert (done.stdout.split(), done.stderr) == ([values], "")


def test_there_is_a_man_page_of_every_command() -> None:
    shared = dict(vars(_setup())["shared"]("1.2.3"))
    assert {f"share/man/man1/loggos-{command.name}.1" for command in COMMANDS} < shared.keys()
    assert shared["share/bash-completion/completions/loggos"] == _script("bash")
    tweet = shared["share/man/man1/loggos-tweet.1"]
    assert '.TH LOGGOS\\-TWEET "1"' in tweet
    assert "write a tweet" in tweet
    if shutil.which("groff") is not None:
        pages = "".join(text for name, text in shared.items() if name.endswith(".1"))
        checked = subprocess.run(
            ["groff", "-man", "-ww", "-z", "-Kutf8"], input=pages.encode(), capture_output=True, check=True
        )
        assert checked.stderr == b""
