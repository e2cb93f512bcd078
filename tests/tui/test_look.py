"""How the screen looks: themes, which are remembered; ASCII; and nothing that a colour alone says."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.drivers.linux_driver import LinuxDriver
from textual.theme import Theme

from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import GOLDEN, WIDE, Driven, screen_of
from tui.app import LoggosApp
from tui.ascii_glyphs import AsciiTerminal, in_ascii
from tui.hops import Glyphs, Leaving
from tui.rows import Role
from tui.shell import CALM, CALM_LIGHT
from tui.slots import mark
from tui.terminal import Terminal
from tui.textual_inside import shown
from tui.top.table import BARS

ROOT = Path(__file__).parents[2]
READABLE = 4.5
"""What WCAG asks of text (AA)."""
INKS = [role for role in Role if role is not Role.CURSOR]


async def test_a_theme_is_chosen_in_the_palette_and_remembered_at_all_sites(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, EngineDouble(tmp_path, site="bob") as bob:
        async with screen_of(engine, bob) as pilot:
            assert pilot.app.theme == CALM.name
            await pilot.press("ctrl+p", *"theme")
            await pilot.until_shown("Look: choose other colours")
            await pilot.press("enter")
            await pilot.until_shown("a name, or light, dark, ansi")
            await pilot.press(*"calm light")
            await pilot.until_shown("calm-light")
            await pilot.press("enter")
            await pilot.until(lambda: pilot.app.theme == CALM_LIGHT.name, "never chosen")
        async with screen_of(bob) as pilot:
            assert pilot.app.theme == CALM_LIGHT.name


@pytest.mark.parametrize("kept", ["no-such-theme\n", "\x00\xff"])
async def test_a_theme_that_there_is_not_is_passed_over(tmp_path: Path, kept: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        (engine.folder / "look").write_text(kept, encoding="latin-1")
        async with screen_of(engine) as pilot:
            assert pilot.app.theme == CALM.name


async def test_without_colours_a_theme_is_for_another_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        before = pilot.app.theme
        pilot.app.choose_theme(CALM_LIGHT.name)
        await pilot.until_shown("NO_COLOR is set")
        assert pilot.app.theme == before
        assert (engine.folder / "look").read_text() == f"{CALM_LIGHT.name}\n"


async def test_every_role_is_readable_in_our_themes(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        pane = pilot.main.timeline
        for theme in (CALM, CALM_LIGHT):
            await choose(theme, pilot)
            weak = {role: contrast for role in INKS if (contrast := contrast_of(pane.style_of(role))) < READABLE}
            assert not weak, theme.name


async def test_no_style_is_of_the_16_colours_or_dim_but_in_a_theme_of_those(tmp_path: Path) -> None:
    """`Coloured` rests on that."""
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=WIDE) as pilot:
        engine.append(author="bob", text="hello")
        await pilot.until_shown("hello")
        for theme in pilot.app.available_themes.values():
            await choose(theme, pilot)
            painted = {style for line in styles_of(pilot) for style in line if style is not None}
            styles = painted | {pilot.main.timeline.style_of(role) for role in Role}
            assert theme.ansi or not set(filter(is_of_the_16, styles)), theme.name


async def test_a_screen_that_is_shown_first_looks_as_its_style_sheet_says(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        (engine.folder / "look").write_text(f"{CALM_LIGHT.name}\n")
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.until_shown("No tweets yet")
            first = styles_of(pilot)
            pilot.app.screen.update_node_styles(animate=False)
            await pilot.pause()
            assert styles_of(pilot) == first


async def choose(theme: Theme, pilot: Driven) -> None:
    pilot.app.theme = theme.name
    await pilot.until(lambda: pilot.app.current_theme.name == theme.name, "never")
    await pilot.pause()


def styles_of(pilot: Driven) -> list[list[Style | None]]:
    """Line by line."""
    return [[style for _, style, _ in strip] for strip in shown(pilot.app.screen)]


def is_of_the_16(style: Style) -> bool:
    return bool(style.dim) or any(color and color.triplet is None for color in (style.color, style.bgcolor))


def contrast_of(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    light, dark = sorted((luminance(style.color.get_truecolor()), luminance(style.bgcolor.get_truecolor())))[::-1]
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: tuple[int, int, int]) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (each / 255 for each in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_all_that_is_drawn_is_drawn_in_ascii_in_as_many_cells(golden: Path) -> None:
    for line in golden.read_text().splitlines():
        drawn = in_ascii(line)
        assert drawn.isascii(), drawn
        assert len(drawn) == cell_len(line)


def test_every_sign_that_the_screens_know_has_one_in_ascii() -> None:
    drawing = [*(ROOT / "tui").rglob("*.py"), ROOT / "engine/core/explained/spacetime.py"]
    signs = {character for path in drawing for character in path.read_text() if not character.isascii()}
    assert [sign for sign in sorted(signs) if not in_ascii(sign).isascii()] == []


def test_what_means_something_else_is_another_sign_in_ascii() -> None:
    for signs in ("●◐○", "✓✗?…", "→←↑↓", "┬■X●◆", "│┊┼", "━─", BARS):
        assert len({*map(in_ascii, signs)}) == len(signs), signs
    states = [mark(word)[0] for word in ("chosen", "no-op", "void", "accepted", "promised", "hole")]
    assert len({*map(in_ascii, states)}) == len(states)


def test_letters_stay_as_people_write_them() -> None:
    assert in_ascii("Grüße, 統 …") == "Grüße, 統 ~"


def test_ascii_is_written_to_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(LinuxDriver, "write", lambda _, data: written.append(data))
    hop = EngineDouble(tmp_path).hop
    for glyphs, driver in ((Glyphs.ALL, Terminal), (Glyphs.ASCII, AsciiTerminal)):
        made = LoggosApp([hop], Leaving.DETACHES, glyphs).driver_class
        assert made is driver
        made.write(made.__new__(made), "\x1b[1m● bob")
    assert written == ["\x1b[1m● bob", "\x1b[1m* bob"]
