"""The Containerfile: what it copies is there, is all that a wheel is made of, and what it runs can be typed."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Final

from tui.parser import build_parser

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "Containerfile").read_text().replace("\\\n", "")
INSTRUCTIONS: Final = re.findall(r"^([A-Z]+) (.*)$", TEXT, re.MULTILINE)


def copied() -> set[str]:
    words = [line.split() for name, line in INSTRUCTIONS if name == "COPY" and not line.startswith("--from")]
    return {source for sources in words for source in sources[:-1]}


def typed(line: str) -> list[str]:
    """What a shell makes of the last argument of a command in JSON, for the site alice."""
    _, _, command = json.loads(line[line.index("[") :])
    return shlex.split(re.sub(r"\$\{?LOGGOS_SITE[^}\"]*\}?", "alice", command))


def test_what_it_copies_is_there_and_is_let_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    assert copied() == let_in
    assert [name for name in copied() if not (ROOT / name).exists()] == []


def test_it_copies_all_that_a_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    needed = {"pyproject.toml", "setup.py", project["project"]["readme"], *project["project"]["license-files"]}
    assert copied() == {"requirements.txt", *packages, *needed}


def test_what_it_runs_can_be_typed() -> None:
    served = typed(next(line for name, line in INSTRUCTIONS if name == "CMD"))
    probed = typed(next(line for name, line in INSTRUCTIONS if name == "HEALTHCHECK"))
    assert (served[:3], probed[:3]) == (["exec", "loggos", "serve"], ["exec", "loggos", "health"])
    for words in (served, probed):
        assert build_parser().parse_args(words[2:]).site == "alice"
