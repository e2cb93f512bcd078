"""What the outcome line says is so, and goes when it is over; what cannot be seen is neither dismissed nor answered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.tui.engine_double import EngineDouble, Json, filled, log_line, outcome
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tests.tui.test_panes_faults import _keeps_rules, held, rule
from tui.hops import Leaving
from tui.panes.composer import Composer

NOT_CREATED = outcome("not-created", reason="no quorum: 2 of 5 reachable, 3 needed")
NO_QUORUM = {"quorum": {"reachable": 2, "needed": 3, "size": 5}}
SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)


def never() -> Coroutine[Any, Any, Json]:
    async def wait() -> Json:
        await asyncio.Event().wait()
        raise AssertionError

    return wait()


def has_hole(engine: EngineDouble, slot: int) -> None:
    engine.special[slot] = log_line(slot, None, None, state="hole", accNum=None, maxPrepare=None)


async def gone(pilot: Driven, words: str) -> None:
    await pilot.until(lambda: words not in " ".join(pilot.text().split()), f"it still says: {words!r}")


async def until_said(pilot: Driven, words: str) -> None:
    """Over several lines, where it is long."""
    await pilot.until(lambda: words in " ".join(pilot.text().split()), f"never said: {words!r}")


# What is over goes.


@SIZES
async def test_that_there_is_no_hole_goes_when_there_is_one(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine, size=size) as pilot:
            for key in ("H", "f", "F"):
                engine.special.pop(4, None)
                engine.used_max = 3
                engine.tell({"topic": "status", **engine.status()})
                await pilot.until(lambda: not pilot.main.model.holes, "never settled")
                await pilot.press(key)
                await pilot.until_shown("there is no hole: all slots up to #3 are learned")
                has_hole(engine, 4)
                engine.used_max = 5
                engine.tell({"topic": "status", **engine.status()})
                await gone(pilot, "there is no hole")


async def test_that_no_rule_is_left_goes_when_there_is_one(tmp_path: Path) -> None:
    def clear(_: Json) -> Json:
        engine.rules, engine.held = [], []
        return {"removed": 1}

    async with EngineDouble(tmp_path) as engine:
        engine.rules = [rule(1, "to=bob drop=50%", True)]
        engine.held = [held(4, "bob")]
        engine.on["faults.clear"] = clear
        async with screen_of(engine) as pilot:
            await pilot.press("6", "x")
            await pilot.until_shown("1 removed, no rule is left; what was held goes on its way")
            await pilot.press("d")
            await pilot.until_shown("no message is held to drop")
            engine.held = [held(5, "carol")]
            engine.tell({"topic": "faults", **engine.faults()})
            await gone(pilot, "no message is held")
            await pilot.press("space")
            await pilot.until_shown("there are no rules: a adds one")
            engine.rules = [rule(2, "to=bob drop", True)]
            engine.tell({"topic": "faults", **engine.faults()})
            await gone(pilot, "there are no rules")
            assert "no rule is left" not in pilot.text()


async def test_that_a_rule_is_on_goes_with_the_rule(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        _keeps_rules(engine)
        async with screen_of(engine) as pilot:
            await pilot.press("6", "a")
            await pilot.until_shown("add a fault rule at alice")
            await pilot.press(*"to=bob drop", "enter")
            await pilot.until_shown("rule 1 is on")
            engine.rules[0] |= {"on": False}
            engine.tell({"topic": "faults", **engine.faults()})
            await gone(pilot, "rule 1 is on")


async def test_that_the_cluster_is_cut_goes_when_it_is_not(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as alice, EngineDouble(tmp_path, site="bob") as bob:
        for engine in (alice, bob):
            _keeps_rules(engine)
        async with screen_of(alice, bob, leaving=Leaving.STOPS_ALL) as pilot:
            await pilot.press("6", "p", "a", "enter")
            await pilot.until_shown("the cluster is cut at all 2 sites; p, then m, mends it")
            await pilot.pause()
            await pilot.until_shown("the cluster is cut at all 2 sites")
            cut, alice.rules = alice.rules, []
            alice.tell({"topic": "faults", **alice.faults()})
            await gone(pilot, "the cluster is cut")
            await pilot.press("p", "m")
            await pilot.until_shown("mended: no partition left at all 2 sites")
            alice.rules = cut
            alice.tell({"topic": "faults", **alice.faults()})
            await gone(pilot, "mended")


async def test_what_is_so_at_an_engine_goes_with_the_engine(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as alice, EngineDouble(tmp_path, site="bob") as bob:
        for engine in (alice, bob):
            _keeps_rules(engine)
        async with screen_of(alice, bob, leaving=Leaving.STOPS_ALL) as pilot:
            for keys, said in (
                (("p", "a", "enter"), "the cluster is cut at all 2 sites"),
                (("p", "t", "enter"), "rule 2"),
            ):
                await pilot.press("6", *keys)
                await pilot.until_shown(said)
                await alice.stop()
                await pilot.until_shown("NO ENGINE")
                await gone(pilot, said)
                await alice.start()
                await pilot.until(lambda: pilot.main.model.live, "never back")


# What came of anything is kept.


async def test_what_came_of_a_question_or_a_rule_is_among_all_that_was_told(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        _keeps_rules(engine)
        engine.used_max = 3
        async with screen_of(engine, size=WIDE) as pilot:
            told = []
            for keys, said in (
                (("3", "f"), "there is no hole: all slots up to #3 are learned"),
                (("/", *"xyz", "enter"), "no match in the log up to #3: xyz"),
                (("6", "a", *"to=bob drop", "enter"), "rule 1 is on"),
            ):
                await pilot.press(*keys)
                await pilot.until_shown(said)
                told.append(said)
            await pilot.press("y")
            await pilot.until_shown("copied; if the terminal")
            await pilot.press("o")
            for said in told:
                await pilot.until_shown(f"· {said}")
            assert pilot.text().count("copied") == 1  # in the outcome line: nothing came of that


async def test_that_something_waits_in_the_draft_goes_when_the_draft_is_taken(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        pilot.main.on_composer_kept()
        pilot.main.composer.field.writing.edit = pilot.main.composer.field.edit.insert("rest")
        await pilot.until_shown("in the draft, c")
        await pilot.press("c")
        await gone(pilot, "in the draft, c")


async def test_what_says_that_an_outcome_will_be_told_goes_when_none_is_open(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.status_changes = {"unknown": 1}
        async with screen_of(engine) as pilot:
            await pilot.press("w")
            await pilot.until_shown("the outcome appears here once it is known")
            engine.status_changes = {}
            engine.tell({"topic": "status", **engine.status()})
            await gone(pilot, "the outcome appears here")


# What is not known is not told.


@SIZES
@pytest.mark.parametrize("key", ["f", "F", "H"])
async def test_without_a_quorum_nobody_is_told_that_all_is_learned(
    tmp_path: Path, size: tuple[int, int], key: str
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.status_changes = NO_QUORUM
        async with screen_of(engine, size=size) as pilot:
            await pilot.press(key)
            await until_said(
                pilot, "no hole is known here (all slots up to #3 are learned); without a quorum it is not known"
            )
            engine.status_changes = {"recovering": True}
            engine.tell({"topic": "status", **engine.status()})
            await gone(pilot, "without a quorum it is not known")
            await pilot.press(key)
            await until_said(pilot, "still asking how far the log goes")


# What is under way covers what was told before.


async def test_what_a_fill_covers_is_not_dismissed_and_not_answered_unseen(tmp_path: Path) -> None:
    answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

    async def fill(_: Json) -> Json:
        return await answer

    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        has_hole(engine, 2)
        engine.on["submit"] = lambda _: NOT_CREATED
        engine.on["fill"] = fill
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"one", "enter")
            await pilot.until_shown("not created")
            await pilot.press("F")
            await pilot.until_shown("F again starts")
            await pilot.press("F")
            await pilot.until_shown("filling all holes")
            await gone(pilot, "not created")
            for key in ("escape", "x"):
                await pilot.press(key)
                await pilot.until_shown("nothing to dismiss: what is under way ends by itself")
                await pilot.press(key)
                await gone(pilot, "nothing to dismiss")
            for key in ("r", "e"):
                await pilot.press(key)
                await until_said(pilot, "reappears when what is under way has ended")
            assert len(engine.called("submit")) == 1
            assert not pilot.main.query_one(Composer).is_open
            answer.set_result(filled(2, "no-op", "noop"))
            await pilot.until_shown("slot 2 filled with a no-op")
            await pilot.press("x")
            await pilot.until_shown("r retry · e edit")


@SIZES
async def test_the_answer_to_a_search_is_seen_beneath_what_comes_of_a_fill(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

    async def fill(_: Json) -> Json:
        return await answer

    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        has_hole(engine, 2)
        engine.on["fill"] = fill
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("3", "F")
            await pilot.until_shown("F again starts")
            await pilot.press("F")
            await pilot.until_shown("filling all holes")
            await pilot.press("/", *"number 3", "enter")
            await pilot.until_shown("match 1 of 1")
            await pilot.until_shown("filling all holes")
            answer.set_result(filled(2, "no-quorum", why="slot 2: no quorum"))
            await pilot.until_shown("slot 2 not settled yet")
            await pilot.until_shown("match 1 of 1")
            await pilot.press("escape")
            await gone(pilot, "match 1 of 1")
            await pilot.until_shown("slot 2 not settled yet")


async def test_a_text_that_is_in_no_log_can_be_had_back_when_its_sentence_was_dismissed(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: NOT_CREATED
        async with screen_of(engine) as pilot:
            composer = pilot.main.query_one(Composer)
            await pilot.press("c", *"one", "enter")
            await pilot.until_shown("e edit")
            await pilot.press("x")
            await gone(pilot, "not created")
            await pilot.press("e")
            await pilot.until(lambda: composer.is_open and composer.field.text == "one", "never had back")
            engine.on["submit"] = lambda _: outcome("created", slot=1)
            await pilot.press("enter")
            await pilot.until_shown("created at slot 1")
            await pilot.press("e")
            await pilot.until_shown("there is nothing to edit")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_what_a_key_needs_goes_when_its_reader_goes_on(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine, size=size) as pilot:
            for keys, told, on in (
                (("2", "enter"), "select a row about a slot", ("3",)),
                (("5", "l"), "l shows a row", ("2",)),
                (("3", "e"), "there is nothing to edit", ("up",)),
                (("3", "g", "2", "enter", "a"), "enter on a row shows its slot", ("g", "1", "enter")),
            ):
                await pilot.press(*keys)
                await pilot.until_shown(told)
                await pilot.press(*on)
                await gone(pilot, told)


@pytest.mark.parametrize("on", [("g", "3", "enter"), ("down",), ("2",)], ids=" ".join)
async def test_which_match_one_is_at_goes_when_one_goes_on(tmp_path: Path, on: tuple[str, ...]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.press("3", "slash", *"number 1", "enter")
            await pilot.until_shown("match 1 of 1")
            await pilot.press("n")
            await pilot.until_shown("on from the newest, match 1 of 1")
            await pilot.press(*on)
            await gone(pilot, "match 1 of 1")


async def test_what_was_not_sent_is_told_though_another_event_waits_for_the_engine(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: never()
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"one", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            await engine.stop()
            await pilot.until_shown("the engine went away before the outcome was told")
            await pilot.press("c", *"two", "enter")
            await pilot.until_shown("not sent")
            await pilot.until_shown("“two”")
            await pilot.press("x")
            await pilot.until_shown("the engine went away before the outcome was told")
