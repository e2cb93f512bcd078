"""`explain` for people: a row for each site, the ballots in order, and `--` for what nobody knows any more."""

from __future__ import annotations

import pytest

from engine.contract.answers import Biography
from engine.contract.shape import read
from tests.tui.engine_double import Json, silent_account
from tui.commands.explain import show
from tui.output import Output

TEXT = "deploy [b]is[/b] green\x1b[2J"
ENTRY: Json = {"kind": "tweet", "author": "alice", "id": "alice/17", "text": TEXT, "target": None}
SILENT: Json = silent_account("carol")
ANSWERED: Json = {
    "site": "alice", "answered": True, "voting": True, "maxPrepare": "2.alice", "accNum": "2.alice", "accVal": ENTRY,
    "learned": True, "learned_at": "2026-11-21T12:00:00.123Z", "learned_how": "votes", "learned_from": "alice",
}  # fmt: skip
TOLD: Json = {
    "slot": 43, "state": "learned", "may_be_chosen": True, "sentence": "learned here: and so on.", "entry": ENTRY,
    "void": False, "quorum": {"ballot": "2.alice", "sites": ["alice", "bob"], "counted_by": "alice"},
    "sites": [
        ANSWERED,
        ANSWERED | {"site": "bob", "accVal": None, "learned_at": None, "learned_how": None, "learned_from": None},
        SILENT,
    ],
    "ballots": [
        {"ballot": "1.bob", "promised": ["bob"], "accepted": [], "chosen": False, "entry": None},
        {"ballot": "2.alice", "promised": [], "accepted": ["alice", "bob"], "chosen": True, "entry": ENTRY},
    ],
}  # fmt: skip


def shown(told: Json, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show(Output(as_json=False), read(Biography, told), "alice")
    return capsys.readouterr().out.splitlines()


def test_a_row_for_each_site_and_ballot_and_a_sentence_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(TOLD, capsys)
    assert lines[0] == "slot 43 ■ learned here"
    assert lines[1] == "entry  alice/17 tweet deploy [b]is[/b] green\\x1b[2J"
    assert [line.split()[0] for line in lines[2:]] == [
        *("site", "alice", "bob", "carol"),
        *("ballot", "1.bob", "2.alice"),
        *("quorum", "learned"),
    ]
    assert lines[6].split() == ["ballot", "known", "promises", "known", "acceptances", "entry"]
    assert ", counted  " in lines[3]
    assert lines[4].split()[3:] == ["yes,", "time", "unknown", "--"]
    assert lines[5].split() == ["carol", "--", "--", "did", "not", "answer", "--"]
    assert lines[9] == "quorum alice bob at 2.alice, counted by alice"
    assert lines[-1] == "learned here: and so on."


def test_user_text_is_inert_and_the_last_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    for line in shown(TOLD, capsys):
        assert "\x1b" not in line
        if "deploy" in line:
            assert line.endswith("deploy [b]is[/b] green\\x1b[2J")


def test_what_is_not_known_is_blank(capsys: pytest.CaptureFixture[str]) -> None:
    empty = {**TOLD, "state": "empty", "entry": None, "quorum": None, "ballots": [], "sites": [SILENT]}
    lines = shown(empty, capsys)
    assert lines[0] == "slot 43 □ empty"
    assert lines[-2] == "quorum --"


def test_void_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(TOLD | {"void": True}, capsys)[0].endswith("void: it did not take effect (E5)")
