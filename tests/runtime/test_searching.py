"""A search with an index finds what one without it finds, and reads less the second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.ids import SiteId, Slot, StoreId
from engine.core.storage import NO_VOTE, LogRow, SlotText
from engine.runtime import searching
from engine.runtime.searching import NoWords, Searching, Sought, WordIndex
from storage.words import WordFile

LIFE = StoreId("00000000000000aa")
BOB = SiteId("bob")
NOBODY: frozenset[SiteId] = frozenset()


@dataclass
class Log:
    """A replica and its store, of which only these slots are told."""

    slots: Sequence[SlotText]
    prefix: int
    uncommitted: int = 0
    """So many slots that are learned without a gap are not in the store's yet."""
    read: list[int] = field(default_factory=list)

    @property
    def used_max(self) -> int:
        return len(self.slots)

    def log_rows(self, first: int, last: int) -> Sequence[LogRow]:
        assert first == last
        return [LogRow(Slot(last), NO_VOTE, None, False if last <= self.prefix - self.uncommitted else None)]

    def texts(self, first: int, last: int) -> Sequence[SlotText]:
        assert first <= last
        self.read += range(first, last + 1)
        return self.slots[first - 1 : last]


def tweet(slot: int, text: str, author: str = "bob", at_ms: int = 1_000) -> SlotText:
    return SlotText(
        Slot(slot), learned=True, void=False, shown=True, author=SiteId(author), body=f"tweet {at_ms} {text}"
    )


def searching_of(log: Log, words: WordIndex) -> Searching:
    double = cast(Any, log)
    return Searching(double, double, words, LIFE)


def sought(*words: str, **other: Any) -> Sought:
    query = {"author": None, "since_ms": None, "in_timeline": True, "hidden": NOBODY} | other
    return Sought(words=tuple(map(str.casefold, words)), **query)


def all_of(it: Searching, what: Sought, first: int = 1) -> list[int]:
    """Every page, newest first, as a client asks for them."""
    found: list[int] = []
    below: Slot | None = None
    while below is None or below > first:
        page = it.find(what, Slot(first), below)
        assert list(page.slots) == sorted(page.slots)
        assert below is None or page.reached < below
        found += reversed(page.slots)
        below = Slot(page.reached)
    return found


WORDS = st.sampled_from(["lunch", "brunch", "STRASSE", "straße", "ok", "at", "漢字かな"])
TEXTS = st.lists(
    st.builds(
        tweet,
        st.just(1),
        st.lists(WORDS, min_size=1).map(" ".join),
        st.sampled_from(["alice", "bob", "bobby"]),
        st.sampled_from([1_000, 2_000, 3_000]),
    ),
    max_size=30,
)


SOUGHT = st.sampled_from(["lunch", "unch", "strasse", "ok", "bob", "kana", "字か", "tweet", "chosen", "nch ok"])
QUERIES = st.fixed_dictionaries(
    {
        "author": st.sampled_from([None, "bob", "al"]),
        "since_ms": st.sampled_from([None, 2_000]),
        "in_timeline": st.booleans(),
        "hidden": st.sampled_from([NOBODY, frozenset({BOB})]),
    }
)


@given(TEXTS, st.integers(0, 30), st.tuples(st.lists(SOUGHT), QUERIES, st.integers(1, 5)))
def test_what_is_found_is_the_same_whatever_is_indexed(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[SlotText],
    prefix: int,
    asked: tuple[list[str], dict[str, Any], int],
) -> None:
    slots = [
        SlotText(Slot(slot), each.learned, each.void, each.shown, each.author, each.body)
        for slot, each in enumerate(texts, 1)
    ]
    log = Log(slots, min(prefix, len(slots)))
    plain, indexed = searching_of(log, NoWords()), searching_of(log, WordFile(tmp_path_factory.mktemp("words")))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(searching, "SEARCHED_MAX", 4)
        patched.setattr(searching, "LOOKED_AT_MAX", 3)
        words, query, first = asked
        what = sought(*words, **query)
        expected = all_of(plain, what, first)
        assert all_of(indexed, what, first) == expected
        assert all_of(indexed, what, first) == expected, "once it is indexed, too"


def test_what_was_searched_once_is_not_read_again(tmp_path: Path) -> None:
    log = Log([tweet(slot, f"number {slot}") for slot in range(1, 10_001)], 10_000)
    it = searching_of(log, WordFile(tmp_path))
    assert all_of(it, sought("number 77 ")) == []
    assert len(log.read) == 10_000
    log.read.clear()
    assert all_of(it, sought("number 777")) == [*range(7_779, 7_769, -1), 777]
    assert len(log.read) < 200


def test_what_is_above_the_prefix_is_read_each_time(tmp_path: Path) -> None:
    log = Log([tweet(slot, f"number {slot}") for slot in range(1, 11)], 8)
    it = searching_of(log, WordFile(tmp_path))
    for _ in range(2):
        log.read.clear()
        assert all_of(it, sought("number 9")) == [9]
    assert {9, 10} <= set(log.read)
    log.prefix = 10
    for _ in range(2):
        log.read.clear()
        assert all_of(it, sought("number 9")) == [9]
    assert set(log.read) == {9}


def test_what_is_chosen_and_not_committed_yet_is_not_indexed(tmp_path: Path) -> None:
    """Whether it takes effect, its row does not tell yet (E5)."""
    log = Log([tweet(slot, f"number {slot}") for slot in range(1, 4)], 3, uncommitted=1)
    it = searching_of(log, WordFile(tmp_path))
    assert all_of(it, sought("number")) == [3, 2, 1]
    log.slots = [*log.slots[:2], SlotText(Slot(3), True, True, False, BOB, "tweet 1 number 3")]
    log.uncommitted = 0
    for _ in range(2):
        assert all_of(it, sought("did not take effect", in_timeline=False)) == [3]
