"""Text whose width terminals disagree about shifts nothing and leaves nothing behind, whichever way it is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tests.tui.engine_double import EngineDouble, log_line
from tests.tui.pilots import WIDE, screen_of
from tui.exact_painting import ExactUpdate, is_uncertain
from tui.textual_inside import compositor_of

HINDI = "हिन्दी में लिखा"
HEART = "\u2764\ufe0f \U0001f44d\U0001f3fd"


@pytest.mark.parametrize(
    ("text", "uncertain"),
    [
        ("plain, é, Ω, Я", False),
        ("■ chosen → bob … ✓ ✗ ◧ ∅ ● ○ ▼ ╭─╮ “x” · ⊘", False),
        (HEART, True),
        (HINDI, True),
        ("e\u0301", True),
        ("統", True),
        ("\u2600\ufe0f", True),
    ],
)
def test_what_every_terminal_counts_alike_is_painted_once(text: str, uncertain: bool) -> None:
    assert is_uncertain(text) is uncertain


def test_pieces_are_painted_in_place_and_uncertain_ones_are_blanked_first() -> None:
    plain = Style()
    console = Console(width=40, color_system=None)
    chops = [{0: Strip([Segment(f"{HINDI}          ", plain)]), 20: Strip([Segment("│", plain)], 1)}]
    update = ExactUpdate(chops, [(0, 0, 21)], [[20, 21]])
    first, blank, text, border = update.render_segments(console).split("\x1b[1;")
    assert first == ""
    assert blank == "1H" + " " * chops[0][0].cell_length
    assert text.startswith(f"1H{HINDI}")
    assert border == "21H│"


@pytest.mark.parametrize("text", [HEART, HINDI, "統計"], ids=["emoji", "indic", "wide"])
async def test_in_every_update_each_pane_is_where_it_belongs(tmp_path: Path, text: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.special[1] = log_line(1, text=text)
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.until_shown(text.split(maxsplit=1)[0])
            compositor = compositor_of(pilot.app.screen)
            for update in (compositor.render_full_update(), compositor.render_update(full=True)):
                assert isinstance(update, ExactUpdate)
                written = update.render_segments(pilot.app.console)
                for pane in (pilot.main.pane, pilot.main.query_one("#log"), pilot.main.query_one("#side")):
                    for y in range(pane.region.y, pane.region.bottom):
                        assert f"\x1b[{y + 1};{pane.region.x + 1}H" in written


async def test_zooming_there_and_back_keeps_the_selected_row_in_view(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 200
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.press("3", "up", "up")
            await pilot.until_shown("> 198 ■ chosen")
            await pilot.press("z")
            await pilot.until_shown("[3 Log]")
            await pilot.press("z")
            await pilot.until_shown("┏━ 3 Log")
            await pilot.until_shown("> 198 ■ chosen")
            pane = pilot.main.pane
            top = pane.scroll_offset.y + 1
            await pilot.until_shown(f"┏━ 3 Log {top}-{top + pane.rows_height - 1} of 200")
