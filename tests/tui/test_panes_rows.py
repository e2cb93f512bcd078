"""Panes of many rows: what is held is bounded, what one reads never moves, and an idle screen writes nothing."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tests.tui.engine_double import EngineDouble, attempt, entry, filled, log_line, trace_line
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tests.tui.test_panes_inspector import unlearned
from tui.site.log_pages import PAGE_SLOTS, PAGES_MAX
from tui.site.timeline_window import LINES_MAX

MILLION = 1_000_000


async def test_a_million_slots_are_a_few_pages(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = MILLION
        async with screen_of(engine) as pilot:
            model = pilot.main.model
            await pilot.press("3")
            await pilot.until_shown("> 1000000 ■ chosen")
            await pilot.press("home")
            await pilot.until_shown(">       1 ■ chosen")
            await pilot.press("g", *"500000", "enter")
            await pilot.until_shown(">  500000 ■ chosen")
            await pilot.press("pageup")
            await pilot.until(lambda: model.log.line(499_980) is not None, "never read")
            await pilot.press("end")
            await pilot.until_shown("> 1000000 ■ chosen")
            assert sum(len(page) for page in model.log._pages.values()) <= PAGES_MAX * PAGE_SLOTS
            assert len(engine.called("log")) < 20


async def test_a_million_tweets_are_a_window(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = MILLION
        async with screen_of(engine) as pilot:
            model = pilot.main.model
            await pilot.until_shown("1,000,000 shown")
            await pilot.until_shown("tweet number 1000000")
            await pilot.press("home")
            await pilot.until_shown("tweet number 1")
            await pilot.until(lambda: pilot.rows(pilot.main.pane)[0].startswith(">       #1 "), "never at the first")
            for _ in range(3):
                await pilot.press("pagedown")
            await pilot.until_shown("tweet number 30")
            await pilot.press("g", *"500000", "enter")
            await pilot.until_shown(">  #500000 ")
            for _ in range(12):
                await pilot.press("pageup")
            await pilot.until(lambda: "…" not in pilot.rows(pilot.main.pane)[0], "never read")
            numbers = [int(line.split()[-1]) for line in pilot.rows(pilot.main.pane)]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            await pilot.press("end")
            await pilot.until_shown("> #1000000")
            assert len(model.timeline.lines) <= LINES_MAX
            assert len(engine.called("view")) < 30


@pytest.mark.parametrize("key", ["1", "3", "4"], ids=["timeline", "log", "trace"])
async def test_what_one_reads_never_moves(tmp_path: Path, key: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 60
        engine.trace = [trace_line(number, "in", "bob", "accept", slot=number) for number in range(40)]
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.press(key)
            pane = pilot.main.pane
            await pilot.until(lambda: pane.rows_count() >= 40, "never filled")
            await pilot.press("up")
            await pilot.until(lambda: not any("…" in row for row in pilot.rows(pane)), "never loaded")
            await pilot.pause()
            before = pilot.rows(pane)
            for number in range(5):
                engine.append(text=f"later {number}")
                engine.tell({"topic": "trace", **trace_line(100 + number, "in", "bob", "chosen", slot=100)})
            await pilot.until(lambda: pilot.main.model.log.used_max == engine.used_max, "never learned")
            await pilot.pause()
            assert pilot.rows(pane) == before
            await pilot.press("end")
            await pilot.until(lambda: pilot.rows(pane) != before, "never followed")
            await pilot.until(lambda: pane.following, "never followed")


async def test_a_screen_that_was_resized_while_another_was_shown_is_painted_whole(tmp_path: Path) -> None:
    """It is painted in its new width before its panes are told of that: tweets then take fewer lines, or more."""
    async with EngineDouble(tmp_path) as alice, EngineDouble(tmp_path, "bob") as bob:
        for engine in (alice, bob):
            engine.blocks = [{"blocker": "dave", "blocked": "erin", "slot": 1}]
            for number in range(12):
                engine.append(text=f"{number}" + "漢字" * 70)
        async with screen_of(alice, bob) as pilot:
            await pilot.until_shown("漢字")
            for size in (WIDE, NARROW, (120, 30), WIDE):
                await pilot.press("h")
                await pilot.until_shown("漢字")
                await pilot.resize(*size)
                await pilot.press("h")
                await pilot.until_shown("11漢字")
                await pilot.until(partial(_shows_all_of_the_last, pilot), "the end of the last tweet is not in view")
                if size == WIDE:
                    await pilot.until_shown("alice bob   carol dave  erin")


async def test_keys_move_again_after_the_screen_was_too_small(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 60
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("> 60 ■ chosen")
            await pilot.resize(40, 10)
            await pilot.until_shown("too small")
            await pilot.resize(*NARROW)
            await pilot.until_shown("> 60 ■ chosen")
            await pilot.press("up")
            await pilot.until_shown("> 59 ■ chosen")


async def test_space_pauses_and_the_wheel_does(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 60
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("follow ▼")
            await pilot.press("space")
            await pilot.until_shown("paused · end follows")
            await pilot.press("space")
            await pilot.until_shown("follow ▼")
            await pilot.wheel_up(pilot.main.pane)
            await pilot.until_shown("paused")


async def test_new_rows_do_not_lay_out_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 60
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("> 60")
            layouts = Mock(wraps=pilot.app.screen._refresh_layout)
            monkeypatch.setattr(pilot.app.screen, "_refresh_layout", layouts)
            for number in range(20):
                engine.append(text=f"later {number}")
            await pilot.until_shown("> 80 ■ chosen")
            layouts.assert_not_called()


async def test_an_idle_screen_repaints_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without traffic nothing is painted, nor when sites only say that they are there."""
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 60
        async with screen_of(engine, size=WIDE) as pilot:
            engine.append(text="the last one")
            engine.tell({"topic": "trace", **trace_line(1, "in", "bob", "chosen", slot=61)})
            await pilot.until_shown("the last one")
            await pilot.until(lambda: pilot.trace._rate_timer is None, "the rate is counted on")
            await pilot.pause()
            painted: list[object] = []
            monkeypatch.setattr(pilot.app, "_display", lambda *update: painted.append(update))
            await asyncio.sleep(2)
            engine.tell({"topic": "status", **engine.status()})
            engine.tell({"topic": "trace", **trace_line(2, "in", "bob", "ask-highest")})
            await asyncio.sleep(0.5)
            assert painted == []


async def test_only_those_make_lines_of_which_something_is_painted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 60
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.press("c", "h")
            await pilot.pause()
            made: set[str | None] = set()
            make = Widget.render_lines

            def lines(widget: Widget, crop: Region) -> list[Strip]:
                made.add(widget.id)
                return make(widget, crop)

            monkeypatch.setattr(Widget, "render_lines", lines)
            await pilot.press("i")
            await pilot.until(lambda: "draft" in made, "the letter is painted")
            assert made <= {"draft", "composer", "composer-hint"}


async def test_a_row_that_changes_is_repainted_in_place(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 20
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("20 ■ chosen")
            engine.special[15] = log_line(15, author="carol", text="now it reads so")
            engine.tell({"topic": "log", **engine.special[15]})
            await pilot.until_shown("15 ■ chosen    carol  1.carol    tweet   now it reads so")


async def test_what_a_busy_log_tells_in_sum_is_read_anew_where_it_is_in_view(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 20
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("20 ■ chosen")
            engine.special[5] = log_line(5, author="carol", text="now it reads so")
            engine.used_max = 2_000
            newest = [{"topic": "log", **log_line(slot)} for slot in range(1_990, 2_001)]
            reach = {"used_max": 2_000, "prefix": 2_000, "blocks": False}
            span = {"topic": "log-span", "first": 5, "last": 1_989, **reach}
            engine.tell(*newest, span)
            await pilot.until_shown("tweet number 2000")
            await pilot.until_shown("tweet number 1989")
            await pilot.press("home")
            await pilot.until_shown("5 ■ chosen    carol  1.carol    tweet   now it reads so")
            await pilot.press("1")
            await pilot.until_shown("tweet number 2000")


async def test_who_blocks_whom_is_read_anew_where_a_busy_log_says_that_it_changed(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 20
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.until_shown("tweet number 20")
            asked = len(engine.called("view"))
            span = {"topic": "log-span", "first": 15, "last": 20, "used_max": 20, "prefix": 20, "blocks": True}
            engine.blocks = [{"blocker": "alice", "blocked": "carol", "slot": 17}]
            engine.tell(span)
            await pilot.until(lambda: len(engine.called("view")) > asked, "the timeline is read anew")
            await pilot.until(lambda: pilot.main.model.blocks is not None, "and so are the blocks")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_the_ballot_beside_chosen_is_the_one_at_which_it_was_chosen(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """This site's acceptor may have accepted it again at another, or something else before it was told."""
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 4
        engine.special[1] = log_line(1, chosen_at="1.bob", accNum="7.carol", maxPrepare="9.dave")
        engine.special[2] = log_line(2, chosen_at=None, accNum="7.carol", maxPrepare="9.dave")
        engine.special[3] = log_line(3, state="accepted", chosen_at=None, accNum="7.carol", maxPrepare="9.dave")
        engine.special[4] = log_line(4, None, None, state="promised", chosen_at=None, accNum=None, maxPrepare="9.dave")
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("3")
            await pilot.until_shown("4 ◇ promised")
            rows = [row.replace("> ", "").split() for row in pilot.rows(pilot.main.pane)[:4]]
            assert [(row[2], row[4]) for row in rows] == [
                ("chosen", "1.bob"),
                ("chosen", "--"),
                ("accepted", "7.carol"),
                ("promised", "9.dave"),
            ]


async def test_the_kind_of_an_entry_is_never_cut(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 2
        engine.special[1] = log_line(1, "withdrawal", "bob")
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown(" withdrawal ")
            assert "withdr…" not in pilot.text()


async def test_a_slot_that_is_being_filled_shows_what_was_accepted_there(tmp_path: Path) -> None:
    """The no-op that the filler brings along is proposed only where nobody accepted anything."""
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 2
        filling = attempt(1, "asking", ("bob",)) | {"ballot": None, "entry": entry("noop", None, None)}
        engine.special[1] = log_line(1, state="accepted", text="their words", attempt=filling)
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("[1 of 3 answers] their words")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_the_whole_of_a_row_that_is_cut_can_be_read(tmp_path: Path, size: tuple[int, int]) -> None:
    why = "the leader of before is not heard " * 9 + "any more"
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = unlearned(3)
        engine.trace = [
            trace_line(1, "self", None, "peer", note=why),
            trace_line(2, "in", "bob", "refused", slot=3, ballot="2.alice", note=f"{why}, and so on"),
        ]
        async with screen_of(engine, size=size) as pilot:

            async def reads(told: str) -> None:
                whole = partial(_has, pilot, told)
                await pilot.until(whole, f"never read: {told}")
                await pilot.press("escape")
                await pilot.until(lambda: pilot.app.screen is pilot.main, "never closed")

            await pilot.press("4")
            await pilot.until_shown("refused")
            await pilot.until_shown("l whole row")
            assert "any more" not in pilot.text()
            await pilot.press("l")
            await reads(f"{why}, and so on")
            await pilot.press("up", "enter")
            await reads(why)
            await pilot.press("down", "enter")
            await pilot.until_shown("Slot 3 · promised")
            await pilot.press("l")
            await pilot.until_shown("z gives this pane the whole screen")
            engine.special[3] = log_line(3, text=why)
            engine.tell({"topic": "log", **engine.special[3]})
            await pilot.press("3", "l")
            await reads(why)


def _has(pilot: Driven, words: str) -> bool:
    """Whether the dialog has them, over several lines."""
    lines = pilot.lines()
    left = next((line.index("╭─ The whole row") for line in lines if "╭─ The whole row" in line), None)
    inside = (
        [] if left is None else [line[left + 1 :].partition("│")[0] for line in lines if line[left : left + 1] == "│"]
    )
    return words in " ".join(" ".join(inside).split())


async def test_search_counts_marks_and_goes_both_ways_around(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 2_000
        for slot in (300, 700, 1_800):
            engine.special[slot] = log_line(slot, text=f"a Needle in {slot}")
        async with screen_of(engine) as pilot:
            await pilot.press("3", "slash", *"needle", "enter")
            await pilot.until_shown("match 3 of 3 · n above, N below")
            await pilot.until_shown("> 1800 ■ chosen")
            log = pilot.main.pane
            line = log.render_line(log.cursor - log.scroll_offset.y)
            assert [part.text for part in line if part.style and part.style.underline] == ["Needle"]
            for key, told, row in (
                ("n", "match 2 of 3", ">  700"),
                ("n", "match 1 of 3", ">  300"),
                ("n", "on from the newest, match 3 of 3", "> 1800"),
                ("N", "on from the oldest, match 1 of 3", ">  300"),
                ("N", "match 2 of 3", ">  700"),
            ):
                await pilot.press(key)
                await pilot.until_shown(told)
                await pilot.until_shown(row)
            engine.append(text="a newer needle")
            await pilot.until(lambda: pilot.main.model.log.last == 2_001, "never appended")
            await pilot.press("N")
            await pilot.until_shown("match 3 of 4")
            await pilot.press("N")
            await pilot.until_shown("match 4 of 4")
            await pilot.press("escape")
            await pilot.until(lambda: log.marked is None, "still marked")
            assert "match 4 of 4" not in pilot.text()
            await pilot.press("slash", *"nowhere", "enter")
            await pilot.until_shown("no match in the log up to #2,001: nowhere")
            await pilot.press("1", "slash", *"needle in", "enter")
            await pilot.until_shown("match 3 of 3")
            await pilot.until_shown("a Needle in 1800")


async def test_next_hole(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 300
        for slot in (40, 200):
            engine.special[slot] = log_line(slot, None, None, state="hole", accNum=None, maxPrepare=None)
        engine.on["fill"] = lambda _: filled(200, "no-op", "noop")
        async with screen_of(engine) as pilot:
            await pilot.press("3", "home", "H")
            await pilot.until_shown(">  40 ? hole")
            await pilot.press("H")
            await pilot.until_shown("> 200 ? hole")
            await pilot.press("f")
            await pilot.until_shown("f again starts this. Slot 200: ask the others")
            assert not engine.called("fill")
            await pilot.press("f")
            await pilot.until_shown("slot 200 filled with a no-op")
            await pilot.press("F")
            await pilot.until_shown("F again starts this. Slots 40 200: ask the others")
            await pilot.press("F")
            await pilot.until(lambda: len(engine.called("fill")) == 2, "never filled")
            assert [call.get("slots") for call in engine.called("fill")] == [[200], None]


async def test_the_trace_is_filtered_and_counts_what_was_left_out(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.trace = [trace_line(1, "out", "bob", "accept", slot=9), trace_line(2, "in", "carol", "promise", slot=9)]
        async with screen_of(engine) as pilot:
            await pilot.press("4")
            await pilot.until_shown("carol promise")
            engine.tell(dropped=12)
            await pilot.until_shown("12 messages not shown")
            await pilot.press("slash", *"promise -bob", "enter")
            await pilot.until_shown("filter: promise -bob (esc clears)")
            assert len(pilot.rows(pilot.main.pane)[0].split()) > 3
            assert "accept" not in "".join(pilot.rows(pilot.main.pane))
            await pilot.press("slash", *"nothing at all", "enter")
            await pilot.until_shown("filter: nothing at all (esc clears)")
            await pilot.until_shown("No message matches. / changes the filter, esc clears it.")
            await pilot.press("z", "1", "4")
            await pilot.until_shown("filter: nothing at all (esc clears)")
            await pilot.press("1")
            await pilot.until(lambda: "esc clears" not in pilot.text(), "offered where esc does something else")
            await pilot.press("4", "escape")
            await pilot.until_shown("accept")
            assert "filter:" not in pilot.text()


async def test_a_block_of_this_site_hides_and_the_unblock_shows_again(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until_shown("3 shown")
            usual = engine.usual
            engine.usual = lambda slot: usual(slot) | {"author": "carol"}
            engine.hidden = 3
            engine.append(kind="block", author="bob", target="alice")
            await pilot.until_shown("0 shown, 3 hidden by blocks")
            await pilot.until_shown("3 tweets by sites that block this one")
            await pilot.resize(*WIDE)
            await pilot.until_shown("1 Timeline · 3 hidden ━")


async def test_the_selected_row_is_copied_inert(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.special[1] = log_line(1, text="\u202egnirts")
        async with screen_of(engine) as pilot:
            await pilot.until_shown("u202e")
            await pilot.press("Y")
            await pilot.until(lambda: pilot.app.clipboard == "#1 12:00  bob    \\u202egnirts", "never copied")


async def test_the_title_of_the_log_counts_holes_as_they_are_now(tmp_path: Path) -> None:
    """A status may come after the last change of the log."""
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 20
        engine.status_changes = {"holes": [7]}
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("of 20 · 1 hole")
            engine.tell({"topic": "status", **engine.status(), "holes": []})
            await pilot.until(lambda: "1 hole" not in pilot.text(), "a hole that is none is still counted")


def _shows_all_of_the_last(pilot: Driven) -> bool:
    last = pilot.text().partition("11漢字")[2].partition("4 Trace")[0]
    return last.count("漢") >= 69
