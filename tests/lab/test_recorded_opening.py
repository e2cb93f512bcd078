"""Recordings opened where one looks at runs: on the command line, and typed into the lab."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.tui.notebook import Notebook, said
from tui.lab import wording
from tui.lab.bench import Bench
from tui.lab.opener import LabOpener


def files(folder: Path) -> list[str]:
    """Of two sites, one of which was killed."""
    alice, bob = Notebook("alice"), Notebook("bob")
    bob.takes("alice", alice.sends("bob"))
    alice.ends()
    bob.passes().tells(said("leads", 1, "1.bob"))
    for book in (alice, bob):
        (folder / f"{book.site} 1.jsonl").write_bytes(book.text)
    return [str(folder / f"{book.site} 1.jsonl") for book in (alice, bob)]


def test_recordings_open_as_one_run_that_cannot_be_changed(tmp_path: Path) -> None:
    opener, words = LabOpener(5, None), files(tmp_path)
    for exhibit in (opener.open_words(words), opener.open(shlex.join(words))):
        assert exhibit.tape is None
        assert exhibit.reel.title == "island, recorded: alice 1.jsonl, bob 1.jsonl"
        assert exhibit.about == (
            "not recorded: carol; their messages are drawn where they arrived."
            " bob 1.jsonl has no end: its recorder was killed, or is still recording."
        )
        bench = Bench(exhibit)
        bench.step()
        title = "".join(text for text, _ in wording.title(bench, (), 160))
        assert "virtual" not in title, "nobody drew these times"
        assert "0.000 s" in title


def test_what_is_typed_with_a_home_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LabOpener(5, None).open('"~/alice 1.jsonl"').reel.title == "island, recorded: alice 1.jsonl"


@pytest.mark.parametrize("more", ["b-wins", "~nobody-of-this-name/x"])
def test_recordings_are_opened_alone(tmp_path: Path, more: str) -> None:
    with pytest.raises(ValueError, match="is not a recording, but others here are: open only recordings together"):
        LabOpener(5, None).open_words([*files(tmp_path), more])
