"""What the panes hold of timeline, log and trace: bounded, without gaps, and the newest word about a slot."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.answers import Attempt, LogLine, LogPage, TimelineLine, TimelinePage, TraceLine
from tui.site.log_pages import PAGE_SLOTS, PAGES_MAX, LogPages, page_of, span_of
from tui.site.timeline_window import LINES_MAX, PAGE_LINES, TimelineWindow
from tui.site.trace_ring import LINES_MAX as TRACE_MAX
from tui.site.trace_ring import TraceRing


@dataclass
class Tweets:
    """A timeline of which only these slots are tweets; answers as the control socket does."""

    slots: list[int]
    prefix: int
    asked: int = 0

    async def fetch(self, limit: int, before: int | None) -> TimelinePage:
        self.asked += 1
        below = [slot for slot in self.slots if before is None or slot < before][-limit:]
        lines = tuple(TimelineLine(slot, "bob", f"in {slot}", "2026-11-21T12:00:00Z") for slot in below)
        return TimelinePage(lines, len(self.slots), 0, self.prefix, None, None)

    def tail(self) -> TimelinePage:
        return asyncio.run(self.fetch(PAGE_LINES, None))


def check(window: TimelineWindow, tweets: Tweets) -> None:
    """The run is consecutive; where it reaches an end its rows are exact; it is bounded."""
    held = [line.slot for line in window.lines]
    assert len(held) <= LINES_MAX
    if held:
        first = tweets.slots.index(held[0])
        assert held == tweets.slots[first : first + len(held)]
        assert window.first_row >= 0
        assert window.first_row + len(held) <= window.shown
        if window.at_start or window.at_end:
            assert window.first_row == first


async def walk(window: TimelineWindow, tweets: Tweets, row: int) -> None:
    """Loads until the row is held: what a pane does, paint by paint."""
    for _ in range(50):
        if window.line(row) is not None:
            return
        await window.load(row, tweets.fetch)
        check(window, tweets)
    raise AssertionError(f"row {row} is never held")


SPARSE = st.sets(st.integers(1, 4_000), min_size=1, max_size=400).map(sorted)
DENSE = st.integers(1, 1_500).map(lambda count: list(range(1, count + 1)))
LATE = st.integers(1, 900).map(lambda count: list(range(50_000, 50_000 + count)))


@settings(max_examples=60)
@given(st.one_of(SPARSE, DENSE, LATE), st.data())
def test_any_row_can_be_gone_to(slots: list[int], data: st.DataObject) -> None:
    tweets = Tweets(slots, max(slots) + data.draw(st.integers(0, 2_000)))
    window = TimelineWindow()
    window.tail(tweets.tail(), jump=True)
    check(window, tweets)
    for _ in range(4):
        row = data.draw(st.integers(0, len(slots) - 1))
        asyncio.run(walk(window, tweets, row))


@settings(max_examples=40)
@given(st.one_of(DENSE, LATE), st.integers(1, 1_500))
def test_walking_up_from_anywhere_reaches_the_first_row_exactly(slots: list[int], slot: int) -> None:
    tweets = Tweets(slots, max(slots))
    window = TimelineWindow()
    window.tail(tweets.tail(), jump=True)

    async def walk_up() -> None:
        await window.jump(min(slot, max(slots)), tweets.fetch)
        check(window, tweets)
        while window.first_row:
            await window.load(window.first_row - 1, tweets.fetch)
            check(window, tweets)

    asyncio.run(walk_up())
    assert window.first_row == 0
    assert window.lines[0].slot == slots[0]


def test_new_lines_are_joined_or_counted() -> None:
    tweets = Tweets(list(range(1, 301)), 300)
    window = TimelineWindow()
    window.tail(tweets.tail(), jump=True)
    tweets = Tweets(list(range(1, 351)), 350)
    window.tail(tweets.tail(), jump=False)
    check(window, tweets)
    assert [window.lines[0].slot, window.lines[-1].slot] == [201, 350]
    tweets = Tweets(list(range(1, 1_001)), 1_000)
    window.tail(tweets.tail(), jump=False)
    assert window.shown == 1_000
    assert window.lines[-1].slot == 350
    window.tail(tweets.tail(), jump=True)
    assert window.first_row == 900
    check(window, tweets)


def test_a_desert_of_other_entries_is_crossed_in_strides() -> None:
    tweets = Tweets([1, 2, 3, 1_000_000], 1_000_000)
    window = TimelineWindow()
    asyncio.run(window.jump(3, tweets.fetch))
    window.shown, window.prefix = 4, 1_000_000
    asyncio.run(window.load(3, tweets.fetch))
    assert window.line(3) is not None
    assert tweets.asked < 30


# The log.


def line(slot: int, state: str = "chosen", text: str = "", attempt: Attempt | None = None) -> LogLine:
    return LogLine(slot, state, "tweet", "bob", f"bob/{slot}", text, None, None, None, None, None, attempt)


def attempted(slot: int) -> Attempt:
    return Attempt(slot, "preparing", "1.alice", (), (), 3, None, "", "2026-11-21T12:00:00Z")


def test_pages_are_bounded_and_the_least_recently_read_go_first() -> None:
    pages = LogPages()
    for page in range(PAGES_MAX + 5):
        first, last = span_of(page)
        pages.merge(page, LogPage(tuple(line(slot) for slot in range(first, last + 1)), 10**6, 10**6, ()))
        assert pages.line(1) is not None  # read again, so kept
    assert pages.line(PAGE_SLOTS + 1) is None
    assert page_of(span_of(7)[1]) == 7


def test_a_slot_of_a_fetched_page_always_has_a_line() -> None:
    pages = LogPages()
    pages.merge(0, LogPage((line(1), line(3)), 3, 1, ()))
    missing = pages.line(2)
    assert missing is not None
    assert missing.state == "hole"


def test_the_newest_word_about_a_slot_wins() -> None:
    pages = LogPages()
    pages.merge(0, LogPage((line(1, "accepted"),), 1, 0, ()))
    pages.learn(line(1, "chosen"))
    found = pages.line(1)
    assert found is not None
    assert found.state == "chosen"


def test_a_promise_uses_no_slot_but_an_attempt_shows_one_while_it_lasts() -> None:
    pages = LogPages()
    pages.learn(line(5, "promised"))
    assert pages.last == 0
    pages.learn(line(1, "promised", attempt=attempted(1)))
    assert (pages.last, pages.used_max) == (1, 0)
    pages.learn(line(1, "promised"))
    assert pages.last == 0


# The trace.


def traced(number: int, kind: str = "accept") -> TraceLine:
    return TraceLine("2026-11-21T12:00:00Z", "in", "bob", kind, number, "1.bob", None, False, None, ())


def test_the_ring_keeps_the_newest() -> None:
    ring = TraceRing()
    for number in range(0, 3 * TRACE_MAX, 10):
        ring.extend([traced(each) for each in range(number, number + 10)])
        assert len(ring.rows) <= TRACE_MAX
    assert ring.rows[-1].line.slot == 3 * TRACE_MAX - 1
    numbers = [row.number for row in ring.rows]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_while_held_nothing_goes_and_what_finds_no_room_is_counted() -> None:
    ring = TraceRing()
    ring.extend([traced(0)])
    ring.held = True
    ring.extend([traced(number) for number in range(1, TRACE_MAX + 5)])
    assert ring.rows[0].line.slot == 0
    assert ring.skipped == 5


@pytest.mark.parametrize(("words", "kinds"), [("", ["accept"]), ("highest", ["ask-highest"]), ("-accept", [])])
def test_background_talk_is_shown_if_the_filter_names_it(words: str, kinds: list[str]) -> None:
    ring = TraceRing()
    ring.extend([traced(1, "heartbeat"), traced(2, "accept"), traced(3, "ask-highest")])
    ring.filter(words)
    assert [row.line.type for row in ring.rows] == kinds
