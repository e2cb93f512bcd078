"""No-ops in a row are named as one, with all that there is of them, wherever one looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

from engine.contract.answers import NoOps
from engine.contract.lines import log_line
from engine.contract.no_ops import stretches
from engine.core.entry import NOOP, Entry, Remove, Stamped, Tweet, encode
from engine.core.ids import SiteId, Slot
from engine.core.storage import NO_VOTE, LogRow

ALICE: Final = SiteId("alice")
LAG: Final = 600
TWEET: Final = Entry(ALICE, 1, 0, encode(Stamped(Tweet("hello"), 0)))
CHANGE: Final = Entry(ALICE, 2, 1, encode(Stamped(Remove(SiteId("bob")), 0)))


class Log:
    """`entries` are those of the slots from 1 on; None is not learned."""

    def __init__(self, entries: Sequence[Entry | None], void: frozenset[int] = frozenset()) -> None:
        self.rows = [LogRow(Slot(slot), NO_VOTE, entry, slot in void) for slot, entry in enumerate(entries, 1)]
        self.read_slots = 0

    def read(self, first: Slot, last: Slot) -> list[LogRow]:
        self.read_slots += last - first + 1
        return [row for row in self.rows if first <= row.slot <= last]

    def told(self, first: int, last: int) -> list[tuple[int, int, int | None]]:
        lines = [log_line(row, None, None) for row in self.rows[first - 1 : last]]
        return [(each.first, each.last, each.change) for each in stretches(lines, self.read, LAG)]


AFTER_A_CHANGE: Final = [TWEET, CHANGE, *[NOOP] * (LAG - 1), TWEET]
"""Slots 3 to 601."""


@pytest.mark.parametrize("page", [(1, 602), (3, 601), (300, 300), (1, 3), (601, 602)])
def test_m3_wherever_a_page_meets_a_stretch_it_says_all_of_it_and_which_change_it_is_for(page: tuple[int, int]) -> None:
    assert Log(AFTER_A_CHANGE).told(*page) == [(3, 601, 2)]


@pytest.mark.parametrize("page", [(1, 2), (602, 602)])
def test_what_a_page_does_not_meet_is_not_looked_for(page: tuple[int, int]) -> None:
    log = Log(AFTER_A_CHANGE)
    assert log.told(*page) == []
    assert log.read_slots == 0


def test_m3_events_that_were_under_way_may_stand_before_the_no_ops() -> None:
    log = Log([CHANGE, *[TWEET] * 20, *[NOOP] * (LAG - 21), TWEET])
    assert log.told(1, 40) == [(22, LAG, 1)]


def test_m3_a_change_that_did_not_take_effect_explains_nothing() -> None:
    assert Log([CHANGE, NOOP, NOOP, NOOP], frozenset({1})).told(1, 4) == [(2, 4, None)]


def test_few_no_ops_stand_for_themselves_and_what_is_not_learned_ends_a_stretch() -> None:
    assert Log([NOOP, NOOP, TWEET, NOOP, NOOP, None, NOOP, NOOP, NOOP]).told(1, 9) == [(7, 9, None)]


def test_a_stretch_without_end_is_told_in_parts() -> None:
    log = Log([NOOP] * 20_000)
    [(first, last, _)] = log.told(10_000, 10_000)
    assert first < 10_000 < last
    assert log.read_slots < 10_000
    assert NoOps(first, last, None).last - first > 8_000
