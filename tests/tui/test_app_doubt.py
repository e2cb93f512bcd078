"""A tweet that is not settled stands in the timeline at its place, grey and with a word, until it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.tui.engine_double import EngineDouble, Json, attempt, log_line, outcome
from tests.tui.pilots import Driven, screen_of
from tests.tui.test_panes_inspector import unlearned
from tui.rows import Role
from tui.textual_inside import shown


def rows(pilot: Driven) -> list[str]:
    """What the timeline shows, with one space between words."""
    return [" ".join(row.split()) for row in pilot.rows(pilot.main.timeline) if row.strip()]


async def until_rows(pilot: Driven, *expected: str) -> None:
    """The last rows of the timeline."""
    await pilot.until(lambda: rows(pilot)[-len(expected) :] == [*expected], f"never {expected}")


def answers(engine: EngineDouble, count: int) -> Sequence[asyncio.Future[Json]]:
    """What the next events are answered; each has the id of its number."""
    futures: list[asyncio.Future[Json]] = [asyncio.get_running_loop().create_future() for _ in range(count)]
    left = iter(futures)

    async def answer() -> Json:
        return await next(left)

    engine.on["submit"] = lambda _: answer()
    engine.acknowledges = [f"alice/{number}" for number in range(1, count + 1)]
    return futures


async def test_it_stands_there_from_enter_until_the_timeline_has_it(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 2
        (answer,) = answers(engine, 1)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await until_rows(pilot, "#2 12:00 bob tweet number 2", "> -- sent alice* hello")
            tried = attempt(3, "accepting", ("alice",), "hello") | {"entry": None}
            tried["entry"] = {"kind": "tweet", "author": "alice", "id": "alice/1", "text": "hello", "target": None}
            engine.tell({"topic": "log", **log_line(3, None, None, state="promised", attempt=tried)})
            await until_rows(pilot, "#2 12:00 bob tweet number 2", "> #3 sent alice* hello")
            answer.set_result(outcome("created", slot=3))
            await pilot.until_shown("created at slot 3")
            await until_rows(pilot, "> #3 sent alice* hello")  # until the timeline is read
            engine.append(author="alice", text="hello")
            await until_rows(pilot, "#2 12:00 bob tweet number 2", "> #3 12:00 alice* hello")


async def test_it_is_grey_and_goes_when_it_is_in_no_log(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        first, second = answers(engine, 2)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"one", "enter", "c", *"two", "enter")
            await until_rows(pilot, "-- sent alice* one", "> -- sent alice* two")
            line = next(line for line in shown(pilot.app.screen) if "alice* one" in line.text.replace("  ", " "))
            text = next(piece for piece in line if piece.text.strip() == "one")
            grey = pilot.main.timeline.style_of(Role.DIM)
            assert text.style is not None
            assert text.style.color == grey.color != pilot.main.timeline.style_of(Role.PLAIN).color
            first.set_result(outcome("not-created", reason="no quorum"))
            await until_rows(pilot, "> -- sent alice* two")
            second.set_result(outcome("lost", 2, slot=1))
            await pilot.until_shown("No tweets yet")


async def test_what_waits_for_a_hole_stands_above_it_and_what_is_unknown_after_that(tmp_path: Path) -> None:
    why = "chosen at slot 4; takes effect once slot 3 is settled"
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 4
        engine.special[3] = log_line(3, None, None, state="hole", accNum=None, maxPrepare=None)
        engine.special[4] = log_line(4, author="alice", text="high")
        engine.slots[4] = unlearned(4)
        first, second = answers(engine, 2)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"unknown", "enter", "c", *"high", "enter")
            first.set_result(outcome("unknown", 1, slot=5, reason="no majority answered"))
            second.set_result(outcome("unknown", 2, slot=4, waits_for=3, reason=why))
            waits = "waiting for slot 3: 1 later entry is learned, not shown yet"
            await until_rows(pilot, waits, "#4 chosen alice* high", "> #5 doubt alice* unknown")
            await pilot.press("up", "enter")
            await pilot.until_shown("Slot 4")
            await pilot.press("escape")
            engine.special[3] = log_line(3, text="the gap")
            engine.tell({"topic": "log", **engine.special[3]}, {"topic": "status", **engine.status()})
            engine.tell({"topic": "outcome", **outcome("created", 2, slot=4)})
            await until_rows(pilot, "#3 12:00 bob the gap", "> #4 12:00 alice* high", "#5 doubt alice* unknown")
            engine.tell({"topic": "outcome", **outcome("lost", 1, slot=5)})
            await until_rows(pilot, "#3 12:00 bob the gap", "> #4 12:00 alice* high")


async def test_what_was_in_doubt_when_the_screen_was_left_is_in_doubt_when_it_comes_back(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        (answer,) = answers(engine, 1)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            answer.set_result(outcome("unknown", slot=2, reason="no majority answered"))
            await until_rows(pilot, "> #2 doubt alice* hello")
        engine.events = [outcome("unknown", slot=2, reason="no majority answered")]
        async with screen_of(engine) as pilot:
            await until_rows(pilot, "#1 12:00 bob tweet number 1", "> #2 doubt alice* hello")


async def test_blocks_are_no_tweets(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        answers(engine, 1)
        async with screen_of(engine) as pilot:
            await pilot.press("b", "1", "y")
            await pilot.until_shown("waiting for its turn")
            assert rows(pilot)[0].startswith("No tweets yet")


async def test_rows_below_keep_their_place_when_tweets_come(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 30
        answers(engine, 1)
        async with screen_of(engine) as pilot:
            await pilot.press("c")
            pilot.paste("long " * 13)
            await pilot.press("enter")
            await pilot.until_shown("sent   alice*")
            await pilot.press("up")
            assert pilot.main.timeline.slot() == 30
            await pilot.press("down")
            assert pilot.main.timeline.slot() is None
            engine.append(text="another")
            await pilot.until_shown("31 shown")
            *_, tweet, below = rows(pilot)
            assert tweet == "#31 12:00 bob another"
            assert below.startswith("> -- sent alice* long")
            assert pilot.main.timeline.cursor == 31
