"""The index of words beside a store: what it names, what it leaves out, and what becomes of it when it is not sound."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.ids import Slot, StoreId
from storage.words import FILE, WordFile

LIFE = StoreId("00000000000000aa")
OTHER = StoreId("00000000000000bb")


@pytest.fixture
def words(tmp_path: Path) -> Iterator[WordFile]:
    index = WordFile(tmp_path)
    index.begin(LIFE)
    yield index
    index.close()


def add(index: WordFile, first: int, *texts: str) -> None:
    index.add(Slot(first), Slot(first + len(texts) - 1), [(Slot(first + at), text) for at, text in enumerate(texts)])


def found(index: WordFile, *words: str, first: int = 1, last: int = 1_000, limit: int = 100) -> list[int] | None:
    slots = index.find(words, Slot(first), Slot(last), limit)
    return None if slots is None else list(map(int, slots))


def spans(index: WordFile, through: int) -> list[int | None]:
    """From where on each slot is indexed."""
    return [index.begin_of(Slot(slot)) for slot in range(1, through + 1)]


def test_slots_that_may_hold_all_words_are_named_the_newest_of_them_ascending(words: WordFile) -> None:
    add(words, 1, "lunch at noon", "the harbour", "no lunch today", "brunch", 'he said "so"')
    assert found(words, "lunch") == [1, 3]
    assert found(words, "unch") == [1, 3, 4], "parts of words are words"
    assert found(words, "lunch", "noon") == [1]
    assert found(words, "nowhere") == []
    assert found(words, 'd "s') == [5]
    assert found(words, "unch", limit=2) == [3, 4]
    assert found(words, "unch", first=2, last=3) == [3]


def test_what_is_too_short_is_not_narrowed_down(words: WordFile) -> None:
    add(words, 1, "ok")
    assert found(words, "ok") is None
    assert found(words) is None
    assert found(words, "ok", "lunch") == []


def test_words_of_any_language_are_found(words: WordFile) -> None:
    add(words, 1, "漢字かな交じり文", "🎉🎉🎉 at last", "straße".casefold())
    assert found(words, "かな交") == [1]
    assert found(words, "🎉🎉🎉") == [2]
    assert found(words, "strasse") == [3]


def test_what_is_handed_in_in_any_order_becomes_one_span(words: WordFile) -> None:
    assert (words.begin_of(Slot(3)), words.end_below(Slot(9))) == (None, 0)
    add(words, 5, "five", "six")
    assert (words.end_below(Slot(9)), words.end_below(Slot(6)), words.end_below(Slot(5))) == (6, 5, 0)
    add(words, 1, "one", "two")
    assert spans(words, 7) == [1, 1, None, None, 5, 5, None]
    assert words.end_below(Slot(5)) == 2
    add(words, 3, "three", "four")
    assert spans(words, 7) == [1, 1, 1, 1, 1, 1, None]
    assert found(words, "two") == [2]


@given(st.permutations(range(8)))
def test_spans_are_what_was_handed_in(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    index = WordFile(tmp_path_factory.mktemp("words"))
    index.begin(LIFE)
    handed: set[int] = set()
    for number in order:
        add(index, 2 * number + 1, "a text", "another")
        handed |= {2 * number + 1, 2 * number + 2}
        for slot in range(1, 18):
            begin = slot
            while begin - 1 in handed:
                begin -= 1
            assert index.begin_of(Slot(slot)) == (begin if slot in handed else None)
            assert index.end_below(Slot(slot)) == max((one for one in handed if one < slot), default=0)
    index.close()


def test_it_goes_on_where_it_was(words: WordFile) -> None:
    add(words, 1, "lunch at noon")
    words.close()
    words.begin(LIFE)
    assert spans(words, 2) == [1, None]
    assert found(words, "noon") == [1]


def test_of_another_store_it_begins_anew(words: WordFile) -> None:
    add(words, 1, "lunch at noon")
    words.close()
    words.begin(OTHER)
    assert spans(words, 1) == [None]
    add(words, 1, "another log")
    assert found(words, "noon") == []


def test_one_that_is_no_database_is_made_anew(tmp_path: Path, words: WordFile) -> None:
    add(words, 1, "lunch at noon")
    words.close()
    (tmp_path / FILE).write_bytes(b"what is this?" * 1_000)
    words.begin(LIFE)
    assert spans(words, 1) == [None]
    add(words, 1, "lunch at noon")
    assert found(words, "noon") == [1]


def test_one_whose_spans_are_no_numbers_is_made_anew(tmp_path: Path, words: WordFile) -> None:
    add(words, 1, "lunch at noon")
    words.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("UPDATE spans SET last = 'x'")
        database.commit()
    words.begin(LIFE)
    assert found(words, "noon") is None
    assert spans(words, 1) == [None]
    words.begin(LIFE)
    add(words, 1, "lunch at noon")
    assert found(words, "noon") == [1]


def test_one_that_cannot_be_used_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).mkdir()
    index = WordFile(tmp_path)
    index.begin(LIFE)
    add(index, 1, "lunch at noon")
    assert found(index, "noon") is None
    assert spans(index, 1) == [None]
    assert "the log is read instead" in caplog.text
    index.close()
