"""Every key that a footer shows does something where it is shown, or says what it cannot do."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble, Json, biography, filled, log_line
from tests.tui.pilots import WIDE, Driven, screen_of
from tests.tui.test_panes_inspector import unlearned
from tui import keys
from tui.hops import Leaving
from tui.keys import Key
from tui.panes.field import Field
from tui.site.notices import Notice

EVERY = [key for _, table in (*keys.GROUPS, ("Faults", keys.FAULTS)) for key in table]
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
    return [key for key in EVERY if f" {key.cap} {key.name}  " in footer and key.action != "app.leave"]


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
        async with screen_of(engine, bob, size=WIDE, leaving=Leaving.STOPS_ALL) as pilot:
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
