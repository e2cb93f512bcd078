"""Without an engine nothing that was known before is told as if it were so, and keys say what they cannot do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble, attempt, log_line, outcome
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tests.tui.test_panes_inspector import unlearned
from tui.app import LoggosApp
from tui.hops import Leaving

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)


@asynccontextmanager
async def lost(engine: EngineDouble, size: tuple[int, int], *before: str) -> AsyncIterator[Driven]:
    """A screen whose engine went away after these keys."""
    async with screen_of(engine, size=size) as pilot:
        await pilot.press(*before)
        await pilot.pause()
        await engine.stop()
        await pilot.until_shown("NO ENGINE")
        await pilot.pause()
        yield pilot


def footer(pilot: Driven) -> str:
    return pilot.lines()[-1]


@SIZES
async def test_the_sites_are_not_told_as_they_were(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 8
        engine.status_changes = {"leadership": "elected", "leader": "alice"}
        async with lost(engine, size, "5") as pilot:
            await pilot.until_shown("No engine is connected: alice does not")
            for told in ("●", "alice votes", "lead alice", "pid", "votes yes", "here"):
                assert told not in pilot.text(), told
            rows = [line.replace("│", " ").split() for line in pilot.rows(pilot.main.pane)]
            assert [row for row in rows if row and row[0] in {"alice*", "bob"}] == [["alice*", "8"], ["bob", "8"]]
            await engine.start()
            await pilot.until_shown("● here")


@SIZES
async def test_what_stood_in_other_panes_is_marked_or_gone(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 4
        engine.special[2] = log_line(2, None, None, state="hole", accNum=None, maxPrepare=None)
        at_work = attempt(3, "accepting", ("alice",), "words")
        engine.special[3] = log_line(3, None, None, state="promised", accNum=None, attempt=at_work)
        engine.blocks = [{"blocker": "alice", "blocked": "bob", "slot": 1}]
        engine.rules = [{"number": 1, "text": "to=bob drop", "on": True, "hits": 0, "expires_at": None}]
        async with lost(engine, size, "2", "6", "3") as pilot:
            await pilot.until_shown("3 Log 1-4 of 4")
            await pilot.until_shown("unknown here")
            for told in ("f fills it", "accepting", "1 of 3", "hole"):
                assert told not in "\n".join(pilot.rows(pilot.main.pane)).replace("? hole", ""), told
            await pilot.press("1")
            await pilot.until_shown("may lack the ne")
            await pilot.press("2")
            await pilot.until_shown("as read before the engine was")
            await pilot.press("6")
            await pilot.until_shown("No engine is connected. Fault rules")
            assert "to=bob" not in pilot.text()
            assert "1 on" not in pilot.text()


async def test_what_was_not_read_is_not_told_to_be_empty(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, lost(engine, NARROW) as pilot:
        await pilot.press("2")
        await pilot.until_shown("Not read: no engine is connected.")
        await pilot.press("3")
        await pilot.until_shown("3 Log was empty")
        await pilot.until_shown("The log was empty when the engine was lost.")
        await pilot.press("4")
        await pilot.until_shown("No message was read from the engine.")


@SIZES
async def test_a_screen_that_never_had_an_engine_does_not_call_the_log_empty(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    engine = EngineDouble(tmp_path)
    app = LoggosApp([engine.hop], Leaving.STOPS_ALL)
    async with Driven.of(app, size) as pilot:
        await pilot.until_shown("NO ENGINE")
        await pilot.until_shown("1 Timeline · nothing read")
        assert "0 shown" not in pilot.text()
        await pilot.press("3")
        await pilot.until_shown("3 Log · nothing read")
        await pilot.until_shown("Nothing was read from the engine.")
        assert "go to slot" not in footer(pilot)
        assert "search" not in footer(pilot)
        for key, says in (("g", "no slot has been read yet"), ("slash", "there is nothing to search yet")):
            await pilot.press(key)
            await pilot.until_shown(f"no engine is connected: {says}")
            assert not pilot.main.prompt.is_open
        assert "empty" not in pilot.text()
        engine.used_max = 1
        async with engine:
            await pilot.until_shown("3 Log 1-1 of 1")
            await pilot.until(lambda: "no engine is connected" not in pilot.text(), "what is over is still told")
            await pilot.press("g")
            await pilot.until_shown("slot 1 is the only one")


async def test_a_timeline_that_is_paused_says_so_beside_what_it_lacks(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with lost(engine, WIDE) as pilot:
            await pilot.press("space")
            await pilot.until_shown("may lack the newest · paused ━")


async def test_what_came_while_the_timeline_was_not_seen_is_not_told_to_be_none(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("3")
        for number in (1, 2):
            engine.append(text=f"news {number}")
            await pilot.until_shown(f"news {number}")
        await engine.stop()
        await pilot.until_shown("NO ENGINE")
        await pilot.press("1")
        await pilot.until_shown("1 Timeline · nothing read · may lack the newest")


async def test_what_is_written_without_an_engine_is_a_draft(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, lost(engine, NARROW, "c") as pilot:
        await pilot.until_shown("esc keeps the draft; without an engine nothing can be sent")
        assert footer(pilot) == " esc back  ↑ ↓ sent before  ctrl+z undo  ctrl+u clear"
        await engine.start()
        await pilot.until_shown("enter sends")
        assert footer(pilot).startswith(" enter send")


async def test_that_there_is_no_tweet_is_told_as_what_was(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.special[1] = log_line(1, "block", "alice", target="bob")
        async with screen_of(engine) as pilot:
            await pilot.until(lambda: pilot.main.model.timeline.prefix == 1, "never read")
            await pilot.until_shown("No tweets yet")
            await engine.stop()
            await pilot.until_shown("There was no tweet when the engine was lost.")


async def test_that_nobody_is_blocked_is_told_as_what_was(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, lost(engine, NARROW, "2") as pilot:
        await pilot.until_shown("Nobody blocked anybody before the engine was lost.")


@SIZES
async def test_an_opened_slot_says_that_it_was_not_read(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = unlearned(3) | {"attempt": attempt(3, "accepting", ("alice",))}
        async with lost(engine, size, "3", "enter") as pilot:
            await pilot.until_shown("as read before the engine was lost")
            assert "accepting" not in pilot.text()
            await pilot.press("a")
            await pilot.until_shown("no engine is connected: no site can be asked about a slot")
            await engine.start()
            await pilot.until_shown("accepting: 1 of 3 votes")
            await pilot.until(lambda: "no engine is connected" not in pilot.text(), "what is over is still told")


async def test_a_slot_that_was_being_read_when_the_engine_went_says_so(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.on["slot"] = lambda _: asyncio.Event().wait()  # never answered
        async with lost(engine, NARROW, "3", "enter") as pilot:
            await pilot.until_shown("slot 3 was not read: no engine is connected")


UNKNOWN_HOLES = "no engine is connected: it is not known whether there are holes"


@SIZES
@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("v", "no engine is connected: no majority can be asked"),
        ("f", UNKNOWN_HOLES),
        ("F", UNKNOWN_HOLES),
        ("H", UNKNOWN_HOLES),
        ("enter", "no engine is connected: the slot cannot be read"),
        ("a", "no engine is connected: no site can be asked about a slot"),
        ("b", "no engine is connected: nothing can be sent"),
        ("u", "no engine is connected: nothing can be sent"),
    ],
)
async def test_a_key_that_needs_an_engine_says_so(tmp_path: Path, size: tuple[int, int], key: str, says: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with lost(engine, size) as pilot:
            await pilot.press(key)
            await pilot.until_shown(says)


@SIZES
async def test_the_footer_has_no_key_of_which_nothing_comes(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = unlearned(3)
        async with lost(engine, size, "3", "enter") as pilot:
            for pane in "1", "2", "3", "4", "5", "6":
                for gone in ("tweet", "inspect", "ask again", "fill", "confirm", "block", "add", "clear all", "on/off"):
                    assert f" {gone}" not in footer(pilot), gone
                assert footer(pilot).endswith("? keys  q quit")
                await pilot.press(pane)
                await pilot.until(lambda: pilot.main.active != "inspector", "never left")
            await pilot.until_shown("c write a draft: without an engine nothing can be sent")
            await pilot.press("1")
            await engine.start()
            await pilot.until(lambda: footer(pilot).startswith(" c tweet  enter inspect"), "the keys are not back")
            await pilot.until_shown("c write a tweet")


async def test_one_goes_to_what_was_read_before_alone(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 900
        async with lost(engine, NARROW) as pilot:
            await pilot.press("g", *"895", "enter")
            await pilot.until_shown("> #895")
            await pilot.press("g", *"5", "enter")
            await pilot.until_shown("no engine is connected: #5 was not read before")
            await pilot.press("/", *"nowhere", "enter")
            await pilot.until_shown("not searched to the end: no engine was connected")


async def test_a_confirmation_that_the_engines_end_cut_off_is_told(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            engine.on["view"] = lambda _: asyncio.Event().wait()  # never answered
            await pilot.press("v")
            await pilot.until_shown("confirming …")
            await engine.stop()
            await pilot.until_shown("not confirmed that nothing is missing: the connection to the engine went away")


@pytest.mark.parametrize("key", ["a", "space", "delete", "x", "r", "d"])
async def test_the_keys_of_the_faults_say_that_there_are_none_without_an_engine(tmp_path: Path, key: str) -> None:
    async with EngineDouble(tmp_path) as engine, lost(engine, NARROW, "6") as pilot:
        await pilot.press(key)
        await pilot.until_shown("no engine is connected: rules need a running engine")
        assert pilot.app.return_value is None
        await engine.start()
        await pilot.until(lambda: "no engine is connected" not in pilot.text(), "what is over is still told")


async def test_only_a_tweet_is_offered_to_be_edited(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("not-created", reason="no quorum")
        async with screen_of(engine, leaving=Leaving.ASK) as pilot:
            await pilot.press("b", "1", "y")
            await pilot.until_shown("alice blocks bob")
            await pilot.until_shown("r retry · x dismiss")
            await pilot.press("x", "c", *"hello", "enter")
            await pilot.until_shown("r retry · e edit · x dismiss")
