"""Driving the screen in tests: waiting for what it shows, and its text for golden files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from tests.tui.engine_double import EngineDouble
from tui.app import LoggosApp
from tui.hops import Leaving

BOUND_S = 10.0
NARROW = (80, 24)
WIDE = (160, 48)
GOLDEN = Path(__file__).parent / "golden"
REWRITE = "LOGGOS_REWRITE_GOLDEN"


def shown(app: LoggosApp) -> list[str]:
    """The lines of the screen as text, without trailing spaces."""
    strips = app.screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in strips]


def text(app: LoggosApp) -> str:
    return "\n".join(shown(app))


async def until(pilot: Pilot[int], holds: Callable[[], object], what: str) -> None:
    """Waits until `holds`, bounded; the failure shows the screen."""
    try:
        async with asyncio.timeout(BOUND_S):
            while not holds():
                await pilot.pause()
    except TimeoutError:
        raise AssertionError(f"{what}\n{text(pilot.app)}") from None  # type: ignore[arg-type]


async def until_shown(pilot: Pilot[int], words: str) -> None:
    await until(pilot, lambda: words in text(pilot.app), f"never shown: {words!r}")  # type: ignore[arg-type]


@asynccontextmanager
async def screen_of(
    *engines: EngineDouble, size: tuple[int, int] = NARROW, leaving: Leaving = Leaving.DETACHES
) -> AsyncIterator[Pilot[int]]:
    """The screen, attached to the first of `engines`."""
    app = LoggosApp([engine.hop for engine in engines], leaving)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.main.model.live and app.main.model.status is not None, "never attached")
        await pilot.pause()
        yield pilot


def matches_golden(app: LoggosApp, name: str) -> None:
    """Compares the screen with golden/NAME.txt; with LOGGOS_REWRITE_GOLDEN=1 it writes that file instead."""
    path = GOLDEN / f"{name}.txt"
    now = text(app) + "\n"
    if os.environ.get(REWRITE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8"), f"{name} reads differently; {REWRITE}=1 rewrites the golden files"
