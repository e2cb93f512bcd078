"""What comes over the main screen: its keys are named in the last line, and do what they say."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble, outcome
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tui.hops import Leaving
from tui.panes.bars import OutcomeLine

CREATED = outcome("created", slot=1)


def footer(pilot: Driven) -> str:
    return pilot.lines()[-1].strip()


async def until_footer(pilot: Driven, said: str) -> None:
    await pilot.until(lambda: footer(pilot) == said, f"never the footer: {said!r}")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_the_footer_names_the_keys_of_the_dialog_while_one_is_open(tmp_path: Path, size: tuple[int, int]) -> None:
    reading = "↑ ↓ scroll  pgup pgdn page  esc close"
    footers = {
        ("b",): "1 bob  2 carol  3 dave  4 erin  ↑ ↓ move  enter bob  esc back",
        ("u",): "1 bob  2 carol  3 dave  4 erin  ↑ ↓ move  enter bob  esc back",
        ("b", "2"): "y yes  n no  ↑ ↓ move  enter no  esc back",
        ("q",): "y leave  enter leave  esc back",
        ("6", "p"): "a cut  m mend  t at alice only  ↑ ↓ move  enter cut  esc back",
        ("question_mark",): reading,
        ("o",): reading,
    }
    async with (
        EngineDouble(tmp_path) as alice,
        EngineDouble(tmp_path, site="bob") as bob,
        screen_of(alice, bob, size=size, leaving=Leaving.STOPS_ALL) as pilot,
    ):
        main = footer(pilot)
        assert main.startswith("c tweet")
        for keys, said in footers.items():
            await pilot.press(*keys)
            await until_footer(pilot, said)
            await pilot.press("escape", "1")
            await until_footer(pilot, main)


@pytest.mark.parametrize("opened", ["b", "q", "o", "question_mark", "ctrl+p"])
async def test_no_key_of_the_outcome_is_named_while_something_lies_over_it(tmp_path: Path, opened: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("not-created", reason="no quorum: 2 of 5 reachable, 3 needed; " * 6)
        async with screen_of(engine, leaving=Leaving.ASK) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("r retry · e edit · x dismiss")
            await pilot.until_shown("o has all of it")
            place = pilot.main.query_one(OutcomeLine).region
            await pilot.press(opened)
            await pilot.until(lambda: pilot.app.screen is not pilot.main, "never opened")
            for words in ("r retry", "x dismiss", "o has all of it"):
                await pilot.until_gone(words)
            assert pilot.main.query_one(OutcomeLine).region == place  # nothing moves
            await pilot.until_painted()
            await pilot.press("escape")
            await pilot.until_shown("r retry · e edit · x dismiss")
            await pilot.until_shown("o has all of it")


async def test_the_keys_of_the_engines_end_are_named(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, leaving=Leaving.ASK) as pilot:
        await pilot.press("q")
        await until_footer(pilot, "l leave it running  s stop alice  ↑ ↓ move  enter leave it running  esc back")
        await pilot.press("down")
        await pilot.until(lambda: "enter stop alice" in footer(pilot), "enter takes another")


async def test_a_site_is_blocked_by_its_name(tmp_path: Path) -> None:
    """Letters are no keys there: k and j move elsewhere, q goes back."""
    async with EngineDouble(tmp_path, sites=("alice", "bob", "kate", "quinn", "site12")) as engine:
        engine.on["submit"] = lambda _: CREATED
        async with screen_of(engine) as pilot:
            for name in ("kate", "quinn", "site12"):
                await pilot.press("b", *name, "enter")
                await pilot.until_shown(f"Block {name}?")
                await pilot.press("escape")
            await pilot.press("b", *"kz")
            await pilot.until_shown("typed: kz  no name begins so")
            assert "enter" not in footer(pilot)
            await pilot.press("enter", "backspace")
            await pilot.until(lambda: "enter kate" in footer(pilot), "never back")
            await pilot.press("enter", "y")
            await pilot.until(lambda: engine.called("submit"), "never blocked")
            assert engine.called("submit")[0]["target"] == "kate"


async def test_who_is_blocked_is_read_before_it_is_told_and_what_changes_nothing_is_said(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.blocks = [{"blocker": "alice", "blocked": "bob", "slot": 3}]
        async with screen_of(engine) as pilot:
            await pilot.press("b")
            await pilot.until_shown("1  bob  blocked since #3")
            await pilot.until_shown("2  carol  not blocked")
            await pilot.press("1")
            await pilot.until_shown("bob has been blocked since #3: blocking again changes nothing.")
            assert "sees none" not in pilot.text(), "what this event would mean if it changed anything"
            await pilot.press("escape", "u", "2")
            await pilot.until_shown("carol is not blocked: this changes nothing.")
            assert "again" not in pilot.text(), "carol saw them all the while"
            await pilot.press("escape", "u", "1")
            await pilot.until_shown("An unblocked site sees this site's tweets again")


async def test_the_help_says_where_the_rules_stand(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("question_mark", "end")
        await pilot.until_shown("are rules; docs/protocol.md lists them")
        await pilot.until_shown("-- means nothing")


def ends(pilot: Driven, words: str) -> bool:
    """Whether the outcome line, the third from below, ends so."""
    return pilot.lines()[-3].endswith(f": {words}")


async def test_the_outcome_says_that_nothing_was_changed(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("created", slot=4)
        engine.blocks = [{"blocker": "alice", "blocked": "bob", "slot": 3}]
        said = {
            ("b", "1"): "alice blocks bob, who was blocked already, since #3",
            ("b", "2"): "alice blocks carol",
            ("u", "1"): "alice unblocks bob",
            ("u", "2"): "alice unblocks carol, who was not blocked",
        }
        async with screen_of(engine, size=WIDE) as pilot:
            for keys, words in said.items():
                await pilot.press(keys[0])
                await pilot.until_shown("blocked since #3")
                await pilot.press(keys[1], "y")
                await pilot.until(partial(ends, pilot, words), f"never the outcome: {words}")


@pytest.mark.parametrize(
    ("used", "says"),
    [
        (0, "the log is empty: there is no slot to go to"),
        (1, "slot 1 is the only one"),
        (2, "a slot is a number of 1 to 2"),
    ],
)
async def test_the_slots_that_one_can_go_to_are_told_as_they_are(tmp_path: Path, used: int, says: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = used
        async with screen_of(engine) as pilot:
            await pilot.until(lambda: pilot.main.model.log.last == used, "never read")
            await pilot.press("g")
            await pilot.until_shown(says)
            await pilot.press("9", "enter")
            await pilot.until_shown("│ 9")
            await pilot.until_shown(says)
