"""Every key that a footer shows does something where it is shown, or says what it cannot do."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble, Json, biography, filled, log_line
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tests.tui.test_panes_faults import held, rule
from tests.tui.test_panes_inspector import unlearned
from tui import keys
from tui.hops import Leaving
from tui.keys import Key
from tui.panes.field import Field
from tui.site.notices import Notice

EVERY = [key for _, table in (*keys.GROUPS, ("Faults", keys.FAULTS)) for key in table]
UNDOING = [keys.undoing(key) for key in EVERY if key.action in keys.UNDONE]
PANES: dict[str, tuple[str, ...]] = {
    "timeline": ("1",),
    "blocks": ("2",),
    "log": ("3",),
    "trace": ("4",),
    "sites": ("5",),
    "faults": ("6",),
}
SLOT: dict[str, tuple[str, ...]] = {"inspector": ("3", "enter")}


def offered(pilot: Driven) -> list[Key]:
    """What the last line names, but for leaving."""
    footer = f"{pilot.lines()[-1]}  "
    return [key for key in (*EVERY, *UNDOING) if f" {key.cap} {key.name}  " in footer and key.action != "app.leave"]


async def until_named(pilot: Driven, words: str) -> None:
    await pilot.until(lambda: words in pilot.lines()[-1], f"never in the footer: {words}")


def caps(pilot: Driven) -> set[str]:
    """What is printed on the keys that the last line names; a space stands between two of one name."""
    return {word.split()[0] for word in pilot.lines()[-1].strip().split("  ") if word}


def answering(engine: EngineDouble) -> None:
    """All that the keys ask for."""

    def switch(params: Json) -> Json:
        engine.rules[0] |= {"on": params["on"]}
        engine.tell({"topic": "faults", **engine.faults()})
        return engine.rules[0]

    asked = count(1)
    engine.used_max = 5
    engine.special[4] = log_line(4, None, None, state="hole", accNum=None, maxPrepare=None)
    engine.slots |= {slot: unlearned(slot) for slot in range(1, 6)}
    engine.rules = [{"number": 1, "text": "to=bob drop", "on": True, "hits": 0, "expires_at": None}]
    engine.on |= {
        "explain": lambda params: biography(params["slot"], sentence=f"asked {next(asked)} times"),
        "faults.set": switch,
        "faults.remove": lambda _: {"removed": 1},
        "faults.clear": lambda _: {"removed": 1},
        "fill": lambda _: filled(4, "recovered", "tweet"),
    }


async def back_to(pilot: Driven, pane: str, way: tuple[str, ...]) -> None:
    """From whatever a key has opened."""
    if pilot.app.screen is not pilot.main or isinstance(pilot.app.focused, Field):
        await pilot.press("escape")
    if pilot.main.active != pane:
        await pilot.press(*way)
    await pilot.until(lambda: pilot.app.screen is pilot.main and pilot.main.active == pane, "never back")


def seen(pilot: Driven) -> tuple[str, Notice | None]:
    """What a key can change: the screen, and what is told."""
    return pilot.text(), pilot.main.board.shown


@pytest.mark.parametrize(
    ("pane", "lost"),
    [*((pane, False) for pane in (*PANES, *SLOT)), *((pane, True) for pane in ("timeline", "faults", "inspector"))],
)
async def test_every_key_in_the_footer_does_something(tmp_path: Path, pane: str, lost: bool) -> None:
    way = {**PANES, **SLOT}[pane]
    async with EngineDouble(tmp_path) as engine, EngineDouble(tmp_path, site="bob") as bob:
        answering(engine)
        async with screen_of(engine, bob, size=(160, 24), leaving=Leaving.STOPS_ALL) as pilot:
            await pilot.until_shown("#3")
            await pilot.press(*way)
            await back_to(pilot, pane, way)
            if lost:
                await engine.stop()
                await pilot.until_shown("NO ENGINE")
                await pilot.pause()
            found = offered(pilot)
            assert len(found) >= 5, pilot.lines()[-1]
            # What leads out of the slot comes last: without an engine none is opened again.
            for key in sorted(found, key=lambda key: key.action in {"back", "next_pane"}):
                if not (lost and pane == "inspector" and pilot.main.active != pane):
                    await back_to(pilot, pane, way)
                before = seen(pilot)
                await pilot.press(key.keys.split(",")[0])
                await pilot.until(partial(changed, pilot, before), f"{key.cap} {key.name}: nothing happens")
                if key.action in {"zoom", "pause", "app.hop"}:
                    await pilot.press(key.keys)


def changed(pilot: Driven, before: tuple[str, Notice | None]) -> bool:
    return seen(pilot) != before


# What nothing would come of is not named.


async def test_while_the_log_is_empty_no_key_of_rows_is_named(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=WIDE) as pilot:
        for pane in ("1", "3"):
            await pilot.press(pane)
            assert not caps(pilot) & {"enter", "/", "g", "l", "y"}, pilot.lines()[-1]
        await pilot.press("4")
        assert "/" in caps(pilot)  # it is filtered
        engine.append(text="the first")
        await pilot.press("1")
        await pilot.until(lambda: {"enter", "/", "g", "y"} <= caps(pilot), "the keys of rows are not named")


async def test_a_fill_is_named_where_there_is_a_hole(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        answering(engine)
        hole = engine.special.pop(4)
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.press("3")
            await pilot.until_shown("tweet number 5")
            assert not caps(pilot) & {"f", "F", "H"}, pilot.lines()[-1]
            await pilot.press("enter")
            assert "f" not in caps(pilot), pilot.lines()[-1]
            await pilot.press("escape")
            engine.special[4] = hole
            engine.tell({"topic": "log", **hole}, {"topic": "status", **engine.status()})
            await pilot.until(lambda: {"F", "H"} <= caps(pilot), "the keys of holes are not named")
            assert "f" not in caps(pilot), pilot.lines()[-1]  # slot 5 is selected
            await pilot.press("H")
            await pilot.until(lambda: "f" in caps(pilot), "the key that fills this hole is not named")
            await pilot.press("enter")
            assert "f" in caps(pilot), pilot.lines()[-1]
            await pilot.press("escape", "up")
            await pilot.until(lambda: "f" not in caps(pilot), "slot 3 is no hole")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_keys_of_rules_are_named_where_there_are_some(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=size) as pilot:
        await pilot.press("6")
        await pilot.until(lambda: {"a", "p"} <= caps(pilot), "no keys of rules")
        assert not caps(pilot) & {"space", "del", "x", "r", "d"}, pilot.lines()[-1]
        engine.rules = [rule(1, "to=bob hold", True)]
        engine.tell({"topic": "faults", **engine.faults()})
        await pilot.until(lambda: {"space", "del", "x"} <= caps(pilot), "the keys of a rule are not named")
        assert not caps(pilot) & {"r", "d"}, pilot.lines()[-1]
        engine.rules, engine.held = [], [held(4, "bob")]
        engine.tell({"topic": "faults", **engine.faults()})
        await pilot.until(lambda: {"x", "r", "d"} <= caps(pilot), "the keys of what is held are not named")
        assert not caps(pilot) & {"space", "del"}, pilot.lines()[-1]


async def test_a_key_that_undoes_is_called_so(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until_shown("#3")
            for key, does, undoes in (("space", "space pause", "space follow"), ("z", "z zoom", "z unzoom")):
                assert does in pilot.lines()[-1]
                await pilot.press(key)
                await until_named(pilot, undoes)
                await pilot.press(key)
                await until_named(pilot, does)
