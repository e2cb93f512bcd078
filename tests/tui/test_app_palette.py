"""Ctrl+P finds every action by name, and does it wherever one is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble, outcome
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tui import keys
from tui.hops import Leaving
from tui.screens.palette import commands
from tui.shell import Palette

REFUSAL = outcome("not-created", reason="no quorum")


async def call(pilot: Driven, name: str, title: str) -> None:
    """Does the action that is found first by `name`."""
    await pilot.press("ctrl+p", *name)
    await pilot.until_shown(title)
    await pilot.press("enter")
    await pilot.until(lambda: not isinstance(pilot.app.screen, Palette), "the palette stays")


async def test_every_key_of_the_help_is_found_by_its_name(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        found = [(command.title, command.help) for command in commands(pilot.main)]
        for _, table in (*keys.GROUPS, ("Faults", keys.FAULTS)):
            for key in table:
                told = [title for title, about in found if title.startswith(f"{key.name} (") and key.what in about]
                assert len(told) == 1, key


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_an_action_of_the_faults_is_found_and_done_from_anywhere(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=size) as pilot:
        await call(pilot, "part", "partition (p in Faults)")
        await pilot.until_shown("│ partition alice,bob,carol | dave,erin")


async def test_an_action_is_found_by_what_it_does(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await call(pilot, "cut groups", "partition (p in Faults)")
        await pilot.until_shown("│ partition alice,bob,carol | dave,erin")
        await pilot.press("escape")
        await call(pilot, "mend", "partition (p)")
        await pilot.until_shown("│ partition alice,bob,carol | dave,erin")
        await pilot.press("escape", "ctrl+p", *"out")
        await pilot.until_shown("outcomes (o)")
        await pilot.until(lambda: "(o)" in _first_key_told(pilot), "what is named so comes first")


async def test_what_acts_on_a_row_waits_until_the_row_was_seen(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.rules = [{"number": 1, "text": "to=bob drop", "on": True, "hits": 0, "expires_at": None}]
        engine.on["faults.remove"] = lambda _: {"removed": 1}
        async with screen_of(engine) as pilot:
            await call(pilot, "remove", "remove (del in Faults)")
            await pilot.until_shown("del here: remove the rule")
            assert not engine.called("faults.remove")
            await call(pilot, "remove", "remove (del)")
            await pilot.until_shown("rule 1 is removed")


async def test_an_action_is_done_where_its_key_means_something_else(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: REFUSAL
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("not created")
            await pilot.press("6")
            await call(pilot, "dismiss", "dismiss")
            await pilot.until(lambda: "not created" not in pilot.text(), "never dismissed")
            await call(pilot, "detach", "detach")
            await pilot.until(lambda: pilot.app.return_value is not None, "never left")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_the_footer_names_the_keys_of_the_palette(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=size, leaving=Leaving.ASK) as pilot:
        await pilot.press("ctrl+p")
        await pilot.until(lambda: pilot.lines()[-1] == " ↑ ↓ move  enter do it  esc back", "not the palette's")
        await pilot.press("escape")
        await pilot.until(lambda: pilot.lines()[-1].startswith(" c tweet"), "not the screen's")
        await pilot.press("q", "ctrl+p")
        await pilot.until(lambda: pilot.lines()[-1].startswith(" l leave it running"), "not the dialog's")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, Palette), "what lies over the screen is answered first"


def _first_key_told(pilot: Driven) -> str:
    return next((line for line in pilot.lines() if "(o)" in line or "(x)" in line), "")
