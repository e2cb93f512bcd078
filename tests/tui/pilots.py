"""Driving the screen in tests: keys, waiting for what it shows, and its text for golden files."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from textual import events
from textual.pilot import Pilot

from tests.tui.engine_double import EngineDouble
from tests.tui.glass import Glass
from tui.app import LoggosApp
from tui.hops import Leaving
from tui.panes.lines import ScrolledRows
from tui.panes.trace import TracePane
from tui.screens.main import MainScreen
from tui.shell import Shell
from tui.textual_inside import shown

BOUND_S = 60.0
"""How long anything in these tests may take, on a machine that does much else."""

NARROW = (80, 24)
MIDDLE = (120, 30)
WIDE = (160, 48)
SIZES = (NARROW, MIDDLE, WIDE)
"""At which the main screens are drawn (`make picture`) and held (golden files)."""

GOLDEN = Path(__file__).parent / "golden"
REWRITE = "LOGGOS_REWRITE_GOLDEN"


class Shown:
    """A program that runs without a terminal."""

    def __init__(self, app: Shell, pilot: Pilot[int], glass: Glass) -> None:
        self.app = app
        self._pilot = pilot
        self._glass = glass

    @classmethod
    @asynccontextmanager
    async def of(cls, app: Shell, size: tuple[int, int] = NARROW) -> AsyncIterator[Self]:
        """Runs it, and stops it at the end."""
        glass = Glass(app)
        async with app.run_test(size=size) as pilot:
            yield cls(app, pilot, glass)

    def lines(self) -> list[str]:
        """What the screen shows, without trailing spaces."""
        return [strip.text.rstrip() for strip in shown(self.app.screen)]

    def text(self) -> str:
        return "\n".join(self.lines())

    def rows(self, pane: ScrolledRows) -> list[str]:
        """What a pane shows within its frame, without the scroll bar."""
        region = pane.scrollable_content_region
        return [line[region.x : region.right].rstrip() for line in self.lines()[region.y : region.bottom]]

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    def paste(self, text: str) -> None:
        self.app.post_message(events.Paste(text))

    async def pause(self) -> None:
        """Lets everything that is under way happen."""
        await self._pilot.pause()

    async def resize(self, width: int, height: int) -> None:
        await self._pilot.resize_terminal(width, height)
        await self.until(lambda: self.app.size == (width, height), "never resized")
        await self.pause()

    async def wheel_up(self, pane: ScrolledRows) -> None:
        x, y = pane.content_region.offset
        self.app.post_message(events.MouseScrollUp(None, x, y, 0, -1, 0, False, False, False, screen_x=x, screen_y=y))
        await self.pause()

    async def click(self, pane: ScrolledRows, x: int, row: int, times: int = 1) -> None:
        """Into the row of a pane that is `row` below its first line."""
        at = pane.scrollable_content_region.offset - pane.region.offset
        await self._pilot.click(pane, offset=(at.x + x, at.y + row), times=times)

    async def click_at(self, x: int, y: int, times: int = 1) -> None:
        """On a cell of the screen."""
        await self._pilot.click(offset=(x, y), times=times)

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Waits until `holds`, bounded; the failure shows the screen."""
        try:
            async with asyncio.timeout(BOUND_S):
                while not holds():
                    await self._pilot.pause()
        except TimeoutError:
            raise AssertionError(f"{what}\n{self.text()}") from None

    async def until_shown(self, words: str) -> None:
        await self.until(lambda: words in self.text(), f"never shown: {words!r}")

    async def until_gone(self, words: str) -> None:
        await self.until(lambda: words not in self.text(), f"it still says: {words!r}")

    async def until_painted(self) -> None:
        """Waits until the terminal shows what the screen does."""
        await self.until(lambda: self._glass.lines() == self.lines(), "painted:\n" + "\n".join(self._glass.lines()))

    async def until_golden(self, name: str) -> None:
        """Waits until the screen is golden/NAME.txt; with LOGGOS_REWRITE_GOLDEN=1 it writes that file instead."""
        path = GOLDEN / f"{name}.txt"
        if os.environ.get(REWRITE):
            await self.pause()
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.text() + "\n", encoding="utf-8")
        golden = path.read_text(encoding="utf-8")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BOUND_S):
                while self.text() + "\n" != golden:
                    await self.pause()
        assert self.text() + "\n" == golden, f"{name} reads differently; {REWRITE}=1 rewrites golden files"
        await self.until_painted()


class Driven(Shown):
    """The screen of a site."""

    app: LoggosApp

    @property
    def main(self) -> MainScreen:
        return self.app.main

    @property
    def trace(self) -> TracePane:
        return self.main.query_one(TracePane)


@asynccontextmanager
async def screen_of(
    *engines: EngineDouble, size: tuple[int, int] = NARROW, leaving: Leaving = Leaving.DETACHES
) -> AsyncIterator[Driven]:
    """The screen, attached to the first of `engines`, which has answered all that is asked at first."""
    app = LoggosApp([engine.hop for engine in engines], leaving)
    async with Driven.of(app, size) as driven:
        await driven.until(lambda: app.main.model.live and app.main.model.was_read, "never attached")
        await driven.pause()
        yield driven
