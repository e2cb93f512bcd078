"""What was written is not lost by leaving: it is offered again, or told what became of it, the next time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.core.entry import Tweet
from tests.tui.engine_double import EngineDouble, at, outcome
from tests.tui.pilots import NARROW, Driven, screen_of
from tui.hops import Leaving
from tui.panes.composer import Composer
from tui.panes.field import Field
from tui.site.unsent import Unsent, UnsentFile

PROPOSED = "the engine stopped before the event was proposed"
CREATED = outcome("created", slot=1)
NOT_CREATED = outcome("not-created", reason=PROPOSED)
UNKNOWN = outcome("unknown", slot=1, reason="no majority answered")


def _boxed(pilot: Driven) -> str:
    """What stands in the frame of a dialog."""
    return " ".join(" ".join(line.split("│")[1] for line in pilot.lines() if line.count("│") == 2).split())


async def leave(pilot: Driven, said: str) -> None:
    """Leaves a demo, whose question says this."""
    await pilot.press("q")
    await pilot.until_shown("leave the demo")
    await pilot.until(lambda: said in _boxed(pilot), f"never said: {said}")
    await pilot.press("y")
    await pilot.until(lambda: pilot.app.return_value is not None, "never left")


@pytest.mark.parametrize(
    ("acknowledged", "became", "told"),
    [
        (
            True,
            [NOT_CREATED],
            "not created: the engine stopped before the event was proposed. It is not in the log: “hello”",
        ),
        (False, [], "not created: the engine ended before it took the event. It is not in the log: “hello”"),
        (True, [UNKNOWN], "sending it again now could post it twice. “hello”"),
        (False, [CREATED], "the engine ended before it told the id of this event"),
        (True, [CREATED], "created at slot 1: “hello”"),
    ],
    ids=["not created", "never taken", "unknown", "perhaps another", "created"],
)
async def test_what_was_under_way_when_the_screen_was_left_is_told_the_next_time(
    tmp_path: Path, acknowledged: bool, became: list[dict[str, object]], told: str
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        engine.acknowledges = ["alice/1"] if acknowledged else []
        async with screen_of(engine, leaving=Leaving.STOPS_ALL) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            await pilot.until(lambda: pilot.main.submissions.pending[0].id or not acknowledged, "never acknowledged")
            again = "Kept: the next time that alice's screen is shown, it tells what became of “hello”"
            await leave(pilot, f"1 event of alice without an outcome yet. {again}")
        await engine.stop()
        assert not (engine.folder / "draft").exists(), "sent again it might be there twice"
        engine.events = list(became)
        engine.status_changes = {"since": at(1)}
        await engine.start()
        async with screen_of(engine, size=(160, 24)) as pilot:
            await pilot.until(lambda: told in " ".join(pilot.text().split()), f"never told: {told}")
            await pilot.press("e")
            if "not in the log" in told:
                await pilot.until(lambda: pilot.main.query_one(Composer).field.text == "hello", "the text is lost")
            else:
                await pilot.until_shown("there is nothing to edit")
            settled = "created at" in told or "not in the log" in told
            await pilot.until(lambda: (engine.folder / "unsent").exists() != settled, "kept too long, or not at all")


async def test_what_the_engine_that_goes_on_may_have_taken_is_not_said_to_be_in_no_log(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        async with screen_of(engine, leaving=Leaving.ASK) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            await pilot.press("q", "l")
            await pilot.until(lambda: pilot.app.return_value is not None, "never left")
        async with screen_of(engine) as pilot:
            await pilot.until_shown("outcome unknown")
            assert "not in the log" not in pilot.text()


@pytest.mark.parametrize("sent", [True, False], ids=["not created", "not sent"])
async def test_what_is_in_no_log_is_offered_again_after_the_screen_was_left(tmp_path: Path, sent: bool) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: NOT_CREATED
        async with screen_of(engine, leaving=Leaving.STOPS_ALL) as pilot:
            if not sent:
                await engine.stop()
                await pilot.until_shown("NO ENGINE")
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("r retry · e edit")
            again = "Kept: the next time that alice's screen is shown, it offers “hello”"
            await leave(pilot, f"1 tweet of alice not in the log. {again}")
        if not sent:
            await engine.start()
        engine.on["submit"] = lambda _: CREATED
        async with screen_of(engine) as pilot:
            await pilot.until_shown("✗ not posted when this screen was left. It is not in the log: “hello”")
            await pilot.press("e")
            await pilot.until(lambda: pilot.main.query_one(Composer).field.text == "hello", "the text is lost")
            await pilot.press("enter")
            await pilot.until_shown("created at slot 1")
        async with screen_of(engine) as pilot:
            await pilot.until_shown("No ")
            assert "not posted" not in pilot.text()


async def test_a_screen_that_is_killed_has_kept_what_it_sent(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        engine.acknowledges = ["alice/1"]
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            kept = UnsentFile(engine.folder)
            await pilot.until(lambda: [event.id for event in kept.load()] == ["alice/1"], "never written")
            (event,) = kept.load()
            assert event.operation == Tweet("hello")


async def test_all_that_is_under_way_is_in_the_list_of_outcomes(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        async with screen_of(engine, size=NARROW) as pilot:
            for text in ("hello", "again"):
                await pilot.press("c", *text, "enter")
            await pilot.until(lambda: len(engine.called("submit")) == 2, "never submitted")
            await pilot.press("o")
            await pilot.until_shown("waiting for its turn: “again”")
            assert "waiting for its turn: “hello”" in pilot.text()
            await pilot.press("escape")
            await engine.stop()
            told = "before the outcome was told; it is asked again once the engine is back · 1 more wait: “hello”"
            await pilot.until(lambda: told in " ".join(pilot.text().split()), "which text is not told")
            await pilot.press("o")
            await pilot.until_shown("Outcomes")
            assert "“hello”" in pilot.text()
            assert "“again”" in pilot.text()


async def test_a_line_that_is_left_is_there_again_until_it_is_taken(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        rule = {"number": 1, "text": "to=bob drop", "on": True, "hits": 0, "expires_at": None}
        engine.on["faults.add"] = lambda _: rule | {"while_connected": False}
        prompt = pilot.main.prompt

        async def is_offered(text: str) -> None:
            await pilot.until(lambda: prompt.is_open and prompt.query_one(Field).text == text, f"not {text!r}")

        await pilot.press("6", "a", *"to=bob dr", "escape", "a")
        await is_offered("to=bob dr")
        await pilot.press("end", *"op", "escape", "p")
        await is_offered("partition alice,bob,carol | dave,erin")
        await pilot.press("escape", "a")
        await is_offered("to=bob drop")
        await pilot.press("enter")
        await pilot.until(lambda: not prompt.is_open, "never taken")
        assert engine.called("faults.add")[0]["rule"] == "to=bob drop"
        await pilot.press("a")
        await is_offered("")


@pytest.mark.parametrize("found", ["", "[{}]", '[{"kind":"tweet"', "\udcff"])
def test_what_cannot_be_read_keeps_nothing(tmp_path: Path, found: str) -> None:
    (tmp_path / "unsent").write_bytes(found.encode("utf-8", "surrogateescape"))
    assert UnsentFile(tmp_path).load() == ()


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    event = Unsent.of(Tweet("漢 “hello”"), in_no_log=False, id="alice/7", number_before=6, engine="since")
    UnsentFile(tmp_path).save((event,))
    assert UnsentFile(tmp_path).load() == (event,)
    kept = UnsentFile(tmp_path)
    kept.load()
    kept.save(())
    assert not (tmp_path / "unsent").exists()
