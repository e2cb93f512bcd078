"""docs/lab.md has every scenario that there is, in the order of the list, and every command in it runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from engine.core.entry import Tweet, decode
from engine.core.ids import Slot
from tui.commands import lab
from tui.lab import keys
from tui.lab.bench import Bench
from tui.lab.catalogue import NAMES
from tui.lab.opener import LabOpener
from tui.parser import build_parser

PAGE: Final = (Path(__file__).parents[2] / "docs/lab.md").read_text(encoding="utf-8")
SECTIONS: Final = dict(re.findall(r"^### `([a-z0-9-]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS: Final = [
    line for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def test_every_scenario_has_its_section_in_the_order_of_the_list() -> None:
    assert list(SECTIONS) == list(NAMES)


def test_every_section_has_a_question_and_says_what_to_look_at() -> None:
    without = [name for name, text in SECTIONS.items() if not ("*Ask*" in text and "*Look at*" in text)]
    assert [name for name in without if not name.startswith("broken-")] == []


def test_the_hour_names_scenarios() -> None:
    _, _, hour = PAGE.partition("\n## An hour\n")
    rows = re.findall(r"^\| [\d-]+ \| (.*?) \|", hour.partition("\n## ")[0], re.MULTILINE)
    assert rows
    assert {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)} <= set(NAMES)


def test_the_keys_are_those_of_the_screen() -> None:
    _, _, table = PAGE.partition("\n| keys | |\n")
    told = re.findall(r"`(.)`", "".join(re.findall(r"^\|(.*?)\|", table.partition("\n\n")[0], re.MULTILINE)))
    assert told
    assert set(told) <= {key.cap for _, group in keys.GROUPS for key in group}


@pytest.mark.parametrize(
    ("dropped", "value", "at"),
    [
        (["promise s3 s5"], "X", "3.s1"),
        (["promise s3 s5", "accept s1 s2"], "X", "4.s5"),
        (["promise s3 s5", "accept s1 s2", "prepare s5 s1"], "Y", "4.s5"),
    ],
    ids=str,
)
def test_what_is_to_be_tried_in_b_wins_ends_as_the_page_says(dropped: list[str], value: str, at: str) -> None:
    assert "go to step 12" in SECTIONS["b-wins"]
    bench = Bench(LabOpener(5, None).open("b-wins"))
    bench.go(12)
    for way in dropped:
        flights = {f"{each.lines[0].type} {each.sender} {each.to}": each.number for each in bench.frame.flights}
        bench.do(f"drop #{flights[way]}")
    while bench.tape.forward():
        pass
    assert decode(bench.frame.chosen[Slot(1)].body).operation == Tweet(value)
    accepted = [str(site.acceptors[Slot(1)].acc_num) for site in bench.frame.sites]
    assert accepted.count(at) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What would open the screen prints its text instead. What needs real sites, or their recordings, is understood."""
    program, *words = shlex.split(command, comments=True)
    assert program == "loggos"
    if {"--record", "--live"} & set(words) or any(word.endswith(".jsonl") for word in words):
        build_parser().parse_args(words)
        return
    in_text = [] if {"--text", "--list", "--mistakes"} & set(words) else ["--text"]
    assert lab.run(build_parser().parse_args([*words, *in_text])) == 0
    assert capsys.readouterr().out
