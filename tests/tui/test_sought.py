"""What is typed to search, and what is looked for then."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tui.sought import NotSought, Sought, sought


@pytest.mark.parametrize(
    ("typed", "what"),
    [
        ("", Sought()),
        ("lunch  noon", Sought(("lunch", "noon"))),
        ('"lunch at" noon', Sought(("lunch at", "noon"))),
        ('"lunch at', Sought(("lunch at",))),
        ("from:Bob lunch", Sought(("lunch",), author="bob")),
        ('"from:bob"', Sought(("from:bob",))),
        ("note:this", Sought(("note:this",))),
        ("since:2026-11-01", Sought(since=datetime(2026, 11, 1, tzinfo=UTC))),
        ("since:2026-11-01T14:30", Sought(since=datetime(2026, 11, 1, 14, 30, tzinfo=UTC))),
        ("slot:43", Sought(first=43, last=43)),
        ("slot:#50-#40 x", Sought(("x",), first=40, last=50)),
    ],
)
def test_words_whose_since_when_and_where(typed: str, what: Sought) -> None:
    assert sought(typed) == what


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("from:", "from: needs something behind it, as in from:bob"),
        ("since:", "since: is not a date: write since:2026-11-01, or since:2026-11-01T14:30"),
        ("since:monday", "monday is not a date: write since:2026-11-01, or since:2026-11-01T14:30"),
        ("slot:x", "x is not a slot: write slot:43, or slot:40-50"),
    ],
)
def test_what_is_none_of_that_is_told(typed: str, told: str) -> None:
    with pytest.raises(NotSought) as refused:
        sought(typed)
    assert str(refused.value) == told


def test_the_engine_is_asked_below_both_ends() -> None:
    asked = sought("x since:2026-11-01 slot:40-50").asked(100, timeline=True)
    assert (asked.words, asked.first, asked.below, asked.timeline) == (("x",), 40, 51, True)
    assert asked.since == "2026-11-01T00:00:00+00:00"
    assert sought("x slot:40-50").asked(45, timeline=False).below == 45
    assert sought("x").asked(None, timeline=False).below is None


def test_hits_are_marked_the_longest_word_first() -> None:
    marked = sought("noon no.").marked
    assert marked is not None
    assert marked.findall("Noon, No. no") == ["Noon", "No."]
    assert sought("from:bob").marked is None
