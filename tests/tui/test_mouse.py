"""The mouse: a click selects, the wheel scrolls, a double click inspects or takes."""

from __future__ import annotations

from pathlib import Path

from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import WIDE, Driven, screen_of
from tests.tui.test_panes_inspector import unlearned
from tui.screens.blocking import BlockDialog
from tui.screens.dialogs import Confirmation

LONG = "a tweet that is longer than a line of the timeline, so that it is wrapped over two or three lines of it"


async def test_a_click_selects_a_row_and_a_double_one_inspects_it(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 4
        engine.special[2] = engine.line(2) | {"text": LONG}
        engine.slots |= {slot: unlearned(slot) for slot in range(1, 5)}
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.until_shown("#4")
            timeline, log = pilot.main.panes["timeline"], pilot.main.panes["log"]
            for slot, line in ((1, 0), (2, 0), (2, 1), (3, 0)):
                await pilot.click(timeline, 10, first_line(pilot, slot) + line)
                assert (timeline.has_focus, timeline.slot()) == (True, slot)
            await pilot.click(log, 10, 3)
            assert (log.has_focus, log.slot(), timeline.slot()) == (True, 4, 3)
            await pilot.click(timeline, 10, first_line(pilot, 2), times=2)
            await pilot.until(lambda: pilot.main.inspector.inspected == 2, "never inspected")
            assert pilot.main.active == "inspector"


def first_line(pilot: Driven, slot: int) -> int:
    """Of a tweet, in the timeline."""
    rows = pilot.rows(pilot.main.panes["timeline"])
    return next(y for y, row in enumerate(rows) if f"#{slot} " in row)


async def test_the_pane_that_has_the_focus_has_another_frame(tmp_path: Path) -> None:
    """Not another colour alone."""
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 4
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.until(lambda: pilot.lines()[1].startswith("┏━ 1 Timeline"), "no heavy frame")
            await pilot.click(pilot.main.panes["log"], 10, 1)
            await pilot.until(lambda: "┏━ 3 Log" in pilot.lines()[1], "it did not move")
            assert pilot.lines()[1].startswith("╭─ 1 Timeline")


async def test_a_choice_is_marked_by_a_click_and_taken_by_two(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("b")
        await pilot.until_shown("Block as alice")
        await click_on(pilot, "2  carol")
        await pilot.until_shown("> 2  carol")
        assert isinstance(pilot.app.screen, BlockDialog)
        await click_on(pilot, "3  dave", times=2)
        await pilot.until(lambda: isinstance(pilot.app.screen, Confirmation), "never taken")
        assert "dave" in pilot.text()
        await click_on(pilot, "n  no", times=2)
        await pilot.until(lambda: pilot.app.screen is pilot.main, "never taken")
        assert not engine.called("submit")


async def test_a_click_opens_the_composer_and_puts_the_cursor(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await click_on(pilot, "write a tweet")
        await pilot.until(lambda: pilot.main.composer.is_open, "never opened")
        pilot.paste(LONG)
        await click_on(pilot, "wrapped")
        await pilot.press("!")
        assert pilot.main.composer.field.text == LONG.replace("wrapped", "!wrapped")
        await click_on(pilot, "longer")
        await pilot.press("!")
        assert "!longer" in pilot.main.composer.field.text


async def click_on(pilot: Driven, words: str, times: int = 1) -> None:
    await pilot.until_shown(words)
    y = next(y for y, line in enumerate(pilot.lines()) if words in line)
    await pilot.click_at(pilot.lines()[y].index(words), y, times)
