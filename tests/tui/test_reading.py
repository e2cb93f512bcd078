"""What one person has read of the timeline: the count, the line where new ones begin, and what is kept of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from engine.contract.answers import TimelineLine, TimelinePage
from tests.tui.engine_double import EngineDouble, at, log_line
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tui.panes import timeline
from tui.site.reading import Mark, Reading
from tui.site.timeline_window import TimelineWindow

NEW = "── new since "


def window(*slots: int, shown: int | None = None, at_end: bool = True) -> TimelineWindow:
    """The end of a timeline of so many tweets."""
    made = TimelineWindow()
    lines = tuple(TimelineLine(slot, "bob", f"tweet {slot}", at(slot)) for slot in slots)
    page = TimelinePage(lines, len(slots) if shown is None else shown, 0, slots[-1] if slots else 0, None, None)
    made.tail(page, jump=True)
    made.at_start, made.at_end = made.at_start and at_end, at_end
    return made


def reading_at(folder: Path, slot: int, shown: int) -> Reading:
    (folder / f"read-{os.getuid()}").write_text(f'{{"slot":{slot},"shown":{shown},"at":"{at(0)}"}}')
    return Reading(folder)


def test_who_never_read_anything_has_nothing_new(tmp_path: Path) -> None:
    reading = Reading(tmp_path)
    reading.counted(window(1, 2, 4))
    assert (reading.unread, reading.last_read) == (0, None)
    reading.count(5)
    assert reading.unread == 2


def test_what_came_meanwhile_is_new_from_the_next_look_on(tmp_path: Path) -> None:
    reading = reading_at(tmp_path, 4, 3)
    reading.counted(window(1, 2, 4, 6, 7))
    assert reading.unread == 2
    reading.looks()
    assert reading.since == Mark(4, 3, at(0))
    reading.saw(window(1, 2, 4, 6, 7), 1, 4)
    assert reading.unread == 0
    assert reading.last_read == Mark(4, 3, at(0)), "the line stays while one looks"


def test_what_lies_below_something_unseen_is_not_read(tmp_path: Path) -> None:
    reading = reading_at(tmp_path, 1, 1)
    there = window(1, 2, 4, 6, 7)
    reading.counted(there)
    reading.looks()
    reading.saw(there, 3, 4)
    assert reading.unread == 4
    reading.saw(there, 1, 2)
    assert reading.unread == 2
    reading.saw(there, 3, 4)
    assert reading.unread == 0


def test_where_one_reads_is_known_in_the_middle_of_a_long_timeline_too(tmp_path: Path) -> None:
    """There a window knows its rows only about."""
    reading = reading_at(tmp_path, 500, 400)
    reading.count(1_000)
    middle = window(499, 500, 503, 504, shown=1_000, at_end=False)
    middle.first_row = 123
    reading.counted(middle)
    reading.saw(middle, 124, 126)
    assert reading.read is not None
    assert (reading.read.slot, reading.read.shown, reading.unread) == (504, 402, 598)


def test_tweets_that_blocks_hide_or_show_again_are_counted(tmp_path: Path) -> None:
    reading = reading_at(tmp_path, 4, 3)
    reading.counted(window(2, 4, 6))
    assert reading.unread == 1


def test_the_line_moves_when_all_was_read_and_others_came(tmp_path: Path) -> None:
    reading = reading_at(tmp_path, 1, 1)
    reading.counted(window(1, 2, 3))
    reading.looks()
    reading.saw(window(1, 2, 3), 0, 1)
    reading.looks()
    assert reading.since is not None
    assert reading.since.slot == 1, "one is still at it"
    reading.read_all(window(1, 2, 3))
    reading.counted(window(1, 2, 3, 5))
    reading.looks()
    assert reading.since.slot == 3


def test_it_is_kept_by_user(tmp_path: Path) -> None:
    reading = Reading(tmp_path)
    reading.counted(window(1, 2, 4))
    reading.leaves()
    assert (tmp_path / f"read-{os.getuid()}").exists()
    again = Reading(tmp_path)
    again.counted(window(1, 2, 4, 5))
    assert again.unread == 1


@pytest.mark.parametrize("raw", ["", "{", '{"slot":1}', '{"slot":1,"shown":1,"at":"noon"}'])
def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path, raw: str) -> None:
    (tmp_path / f"read-{os.getuid()}").write_text(raw)
    assert Reading(tmp_path).read is None


def test_one_that_cannot_be_written_is_kept_in_memory(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "missing")
    reading.counted(window(1, 2))
    reading.leaves()
    assert reading.unread == 0


# On the screen.


def count_in_bar(pilot: Driven) -> str:
    found = [word for word in pilot.lines()[0].split("  ") if word.strip().endswith(" new")]
    return found[0].strip() if found else ""


def last_in_view(pilot: Driven) -> int:
    return max(int(number) for number in re.findall(r"tweet number (\d+)", pilot.text()))


async def test_the_next_visit_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 3")
            assert NEW not in pilot.text()
            await pilot.press("q")
        engine.used_max = 5
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 5")
            await pilot.until_shown(f"{NEW}14:00 ")
            lines = pilot.lines()
            new = next(place for place, line in enumerate(lines) if f"{NEW}14:00 " in line)
            assert "tweet number 3" in lines[new - 1]
            assert "tweet number 4" in lines[new + 1]
            await pilot.until(lambda: count_in_bar(pilot) == "", "they are in view")
            await pilot.press("U")
            await pilot.until(lambda: pilot.main.pane.slot() == 4, "never at the first new one")


async def test_what_was_seen_is_kept_though_the_screen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "KEPT_AFTER_S", 0.01)
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until(lambda: _kept(engine.folder) == 3, "never kept")
            engine.append(text="one more")
            await pilot.until(lambda: _kept(engine.folder) == 4, "kept once")


def _kept(folder: Path) -> int:
    mark = Reading(folder).read
    return 0 if mark is None else mark.slot


async def test_more_than_a_screen_is_counted_until_it_is_read_or_end_says_so(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 3")
            await pilot.press("q")
        engine.used_max = 300
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 300")
            await pilot.until(lambda: count_in_bar(pilot) == "297 new", "never counted")
            await pilot.until_shown("U first new")
            await pilot.press("U")
            await pilot.until_shown("tweet number 4")
            await pilot.until(lambda: pilot.main.pane.slot() == 4, "never there")
            await pilot.until(lambda: count_in_bar(pilot) not in {"", "297 new"}, "nothing was read")
            await pilot.until(
                lambda: count_in_bar(pilot) == f"{300 - last_in_view(pilot)} new", "what was unseen is read"
            )
            await pilot.press("end")
            await pilot.until(lambda: count_in_bar(pilot) == "", "end reads all")


async def test_what_comes_while_another_pane_is_seen_is_counted(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 3")
            await pilot.press("3")
            engine.append(text="while in the log")
            await pilot.until(lambda: count_in_bar(pilot) == "1 new", "never counted")
            await pilot.press("1")
            await pilot.until_shown(f"{NEW}14:00 ")
            await pilot.until(lambda: count_in_bar(pilot) == "", "never read")
            engine.append(text="while one looks")
            await pilot.until_shown("while one looks")
            await pilot.pause()
            assert count_in_bar(pilot) == ""


async def test_what_comes_while_the_terminal_is_not_used_is_new(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.until_shown("tweet number 3")
            await pilot.until(lambda: pilot.main.model.reading.read is not None, "never read")
            pilot.app.app_focus = False
            engine.append(text="to nobody")
            await pilot.until(lambda: count_in_bar(pilot) == "1 new", "never counted")
            assert NEW not in pilot.text()
            pilot.app.app_focus = True
            await pilot.until_shown(NEW)
            await pilot.until(lambda: count_in_bar(pilot) == "", "never read")


async def test_with_nothing_new_the_key_says_so(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 3")
            await pilot.press("U")
            await pilot.until_shown("nothing in the timeline is new to you")


# Days, ages, names, and what is copied.


async def test_dates_stand_between_days_and_are_no_part_of_a_row(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.append(text="first", at=at(-3 * 86_400))
        engine.append(text="second", at=at(-86_400))
        engine.append(text="third")
        async with screen_of(engine) as pilot:
            await pilot.until_shown("third")
            rows = pilot.rows(pilot.main.timeline)
            assert [line.strip(" ─") for line in rows if "──" in line] == [
                "Wednesday, 18 November",
                "Friday, 20 November",
                "Saturday, 21 November",
            ]
            assert sum(line.startswith(">") for line in rows) == 1
            assert rows[5].startswith("> #3 12:00")
            await pilot.press("up", "Y")
            await pilot.until(lambda: pilot.app.clipboard.startswith("#2 12:00  bob"), "never copied")
            assert "─" not in pilot.app.clipboard
            await pilot.click(pilot.main.timeline, 4, 1)
            assert pilot.main.timeline.slot() == 1


async def test_the_title_says_of_which_day_the_first_row_is(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.usual = lambda slot: log_line(slot, at=at(slot - 86_400))
        engine.used_max = 60
        async with screen_of(engine) as pilot:
            await pilot.until_shown("1 Timeline · 60 shown · 20 Nov")


async def test_times_are_ages_by_a_key(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.append(text="long ago", at=at(-40 * 86_400))
        engine.append(text="just now", at=at(7_199))
        async with screen_of(engine) as pilot:
            await pilot.until_shown("13:59  bob")
            await pilot.press("t")
            await pilot.until_shown("now    bob")
            await pilot.until_shown("40 d   bob")
            await pilot.press("t")
            await pilot.until_shown("13:59  bob")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_a_tweet_that_names_this_site_stands_out(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.append(text="who has seen @Alice?")
        engine.append(text="not @alice-2, nor me@alice")
        engine.append(author="alice", text="I am @alice")
        async with screen_of(engine, size=size) as pilot:
            await pilot.until_shown("I am @alice")
            await pilot.until_shown("#1@12:00")
            await pilot.until_shown("#2 12:00")
            await pilot.until_shown("#3 12:00")


async def test_y_copies_what_was_written_and_shift_y_the_line(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.append(text="a tweet \N{RIGHT-TO-LEFT OVERRIDE} that turns")
        engine.append(kind="block", author="bob", target="carol")
        async with screen_of(engine) as pilot:
            for pane in ("1", "3"):
                await pilot.press(pane, "home", "y")
                await pilot.until_shown("the tweet is copied")
                assert pilot.app.clipboard == "a tweet \\u202e that turns"
            await pilot.press("Y")
            await pilot.until(lambda: pilot.app.clipboard.startswith("1 ■ chosen"), "not the line")
            await pilot.press("down", "y")
            await pilot.until(lambda: pilot.app.clipboard.endswith("bob blocks carol"), "not the row")
