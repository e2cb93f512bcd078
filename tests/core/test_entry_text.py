"""The timeline's rule on characters (docs/commands.md): the categories Cc, Cs, Zl and Zp are refused, no others."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.entry import BadOperation, Tweet, clean_text, encode, stamped, tweeted
from tests.strategies import texts


def _is_taken(character: str) -> bool:
    try:
        return clean_text(f"a{character}a") == f"a{character}a"
    except BadOperation:
        return False


def test_exactly_the_four_categories_are_refused() -> None:
    refused = {"Cc", "Cs", "Zl", "Zp"}
    wrong = [
        point
        for point in range(sys.maxunicode + 1)
        if _is_taken(chr(point)) == (unicodedata.category(chr(point)) in refused)
    ]
    assert wrong == []


def test_the_refusal_names_the_character_and_its_place() -> None:
    with pytest.raises(BadOperation, match=r"character 3 is U\+001B"):
        clean_text("  ab\x1b[2J")


@given(st.lists(texts), st.integers(-(2**60), 2**60))
def test_w5_tweets_made_together_have_the_bodies_that_each_has_alone(some: list[str], at_ms: int) -> None:
    """Whatever the clock says."""
    assert tweeted(some, at_ms) == [encode(stamped(Tweet(text), at_ms)) for text in some]
