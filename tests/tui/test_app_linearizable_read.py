"""Linearizable reads on the screen: the key, what the timeline's title says of them, and no more than is so."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.tui.engine_double import EngineDouble, ErrorAnswer, Json, at
from tests.tui.pilots import WIDE, Driven, screen_of
from tui import times
from tui.panes.timeline import TimelinePane
from tui.times import clock

ASKED = at(7_509)


def title(pilot: Driven) -> str:
    return pilot.main.query_one(TimelinePane).title()


def confirmed() -> Json:
    read: Json = {"confirmed": True, "bound": 4, "at": ASKED, "voters": ["alice", "bob", "carol"], "reason": None}
    return read | {"answered": None, "waits_for": None}


def unconfirmed(reason: str, answered: int | None = None, waits_for: int | None = None) -> Json:
    read: Json = {"confirmed": False, "bound": None, "at": None, "voters": [], "reason": reason}
    return read | {"answered": answered, "waits_for": waits_for}


class Majority:
    """Answers linearizable reads of an engine's double when the test says so."""

    def __init__(self, engine: EngineDouble) -> None:
        self._engine = engine
        self._answered: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.asked = 0
        engine.on["view"] = self._view

    def answers(self, read: Json) -> None:
        self._answered.set_result(read)
        self._answered = asyncio.get_running_loop().create_future()

    async def _view(self, params: Json) -> Any:
        read = None
        if params.get("fresh"):
            self.asked += 1
            read = await self._answered
        return self._engine.answer("view", params) | {"fresh": read}


async def test_the_key_asks_a_majority_and_the_title_tells_when_nothing_was_missing(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        majority = Majority(engine)
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 3")
            await pilot.press("v")
            await pilot.until_shown("3 shown · confirming …")
            await pilot.until(lambda: majority.asked == 1, "never asked")
            engine.used_max = 4
            majority.answers(confirmed())
            await pilot.until_shown(f"4 shown · confirmed {clock(ASKED)}")
            await pilot.until_shown("tweet number 4")
            await pilot.until_shown(f"confirmed by alice, bob, carol: nothing chosen before {clock(ASKED)} is missing")


async def test_without_a_majority_the_title_says_how_many_answered_or_which_slot_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when that was: it stays there when the others are heard again, until somebody asks again."""
    monkeypatch.setattr(times, "now", lambda: datetime(2026, 11, 21, 14, 5, 9).astimezone())
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        majority = Majority(engine)
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 3")
            await pilot.press("v")
            await pilot.until(lambda: majority.asked == 1, "never asked")
            majority.answers(unconfirmed("fault rule 1 drops, for a, test; 2 of 5 answered, 3 needed", answered=2))
            await pilot.until_shown("3 shown · unconfirmed 14:05:09: 2 of 5 answered")
            told = "✗ not confirmed that nothing is missing: fault rule 1 drops, for a, test; 2 of 5 answered, 3 needed"
            await pilot.until(lambda: told in " ".join(pilot.text().split()), f"never told: {told}")
            await pilot.press("v")
            await pilot.until(lambda: majority.asked == 2, "never asked again")
            majority.answers(unconfirmed("slot 4 is not settled yet, and so on", waits_for=4))
            await pilot.until_shown("3 shown · unconfirmed 14:05:09: slot 4 was not settled")
            engine.status_changes = {"fresh_at": ASKED}
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until_shown(f"3 shown · confirmed {clock(ASKED)}")


async def test_one_question_is_open_at_a_time(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        majority = Majority(engine)
        async with screen_of(engine) as pilot:
            await pilot.press("v")
            await pilot.until(lambda: majority.asked == 1, "never asked")
            await pilot.press("v")
            await pilot.until_shown("a majority is being asked already")
            assert majority.asked == 1


async def test_from_another_pane_the_key_goes_to_the_timeline(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        majority = Majority(engine)
        async with screen_of(engine) as pilot:
            await pilot.press("3", "v")
            await pilot.until(lambda: majority.asked == 1, "never asked")
            await pilot.until(lambda: isinstance(pilot.main.pane, TimelinePane), "elsewhere")


async def test_a_refused_question_leaves_no_trace_in_the_title(tmp_path: Path) -> None:
    def refuse(params: Json) -> Any:
        if params.get("fresh"):
            raise ErrorAnswer(-32602, "there is no param 'fresh': leave it out")
        return engine.answer("view", params)

    async with EngineDouble(tmp_path) as engine:
        engine.on["view"] = refuse
        async with screen_of(engine) as pilot:
            await pilot.press("v")
            await pilot.until_shown("there is no param 'fresh'")
            await pilot.until(lambda: title(pilot) == "1 Timeline · 0 shown", "still confirming")


@pytest.mark.parametrize("fresh_at", [None, ASKED])
async def test_without_a_quorum_the_last_confirmation_stands_beside_what_may_be_old(
    tmp_path: Path, fresh_at: str | None
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        quorum = {"reachable": 2, "needed": 3, "size": 5}
        engine.status_changes = {"quorum": quorum, "fresh_at": fresh_at}
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.until(lambda: title(pilot) == "1 Timeline · may lack the newest", "never said")
            await pilot.resize(149, 48)  # one pane has all of the width
            said = "may lack the newest" if fresh_at is None else f"confirmed {clock(ASKED)}, may lack the newest"
            await pilot.until(lambda: title(pilot) == f"1 Timeline · 3 shown · {said}", "never said whole")
            in_bar = (
                "may lack the newest, newest tweet"
                if fresh_at is None
                else f"may lack the newest, confirmed {clock(ASKED)}"
            )
            await pilot.until(lambda: in_bar in pilot.lines()[0], "never in the bar")
            assert ("may lack the newest, confirmed" in pilot.lines()[0]) == (fresh_at is not None)


async def test_a_new_engine_has_confirmed_nothing(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        majority = Majority(engine)
        async with screen_of(engine) as pilot:
            await pilot.press("v")
            await pilot.until(lambda: majority.asked == 1, "never asked")
            majority.answers(confirmed())
            await pilot.until_shown("confirmed by")
            await engine.stop()
            await pilot.until(lambda: not pilot.main.model.live, "never noticed")
            await engine.start()
            await pilot.until(lambda: pilot.main.model.live, "never back")
            await pilot.until(lambda: title(pilot) == "1 Timeline · 0 shown", "still confirmed")


async def test_the_key_is_in_the_help_and_the_palette(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=(160, 80)) as pilot:
        await pilot.press("question_mark")
        await pilot.until_shown("v          ask a majority to confirm that the timeline is complete")
        await pilot.press("escape")
        assert "confirm (v)" in {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
