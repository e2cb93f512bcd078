"""The rows of a tweet: who is not named sees no mark."""

from __future__ import annotations

import pytest

from engine.contract.answers import TimelineLine
from tui.panes.tweets import Columns, tweet
from tui.parts import Role


@pytest.mark.parametrize(("text", "marked"), [("see you at noon", []), ("@alice at noon?", ["@", "@alice"])])
def test_only_what_names_the_reader_stands_out(text: str, marked: list[str]) -> None:
    line = TimelineLine(slot=7, author="bob", text=text, at="2026-11-21T12:00:00.123Z")
    [row] = tweet(line, "alice", Columns(80, 2, 6), is_relative=False)
    assert [part.text.strip() for part in row if part.role is Role.NAMED] == marked
