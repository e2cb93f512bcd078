"""Driving the lab's screen in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.tui.pilots import NARROW, Shown
from tui.lab.app import LabApp
from tui.lab.bench import Bench, Exhibit
from tui.lab.frame import Tape
from tui.lab.free import free_lab
from tui.lab.opener import LabOpener
from tui.lab.screen import LabScreen


class LabDriven(Shown):
    app: LabApp

    @property
    def lab(self) -> LabScreen:
        return self.app.lab

    @property
    def bench(self) -> Bench:
        return self.app.lab.bench

    @property
    def tape(self) -> Tape:
        return self.bench.tape

    async def type(self, text: str) -> None:
        await self.press(*("space" if character == " " else character for character in text))

    async def line(self, text: str) -> None:
        """Types a line in place of what stands there, and sends it."""
        await self.type(text)
        await self.press("enter")

    async def until_step(self, step: int) -> None:
        await self.until(lambda: self.bench.reel.position == step, f"never at step {step}")

    async def until_said(self, words: str) -> None:
        await self.until(lambda: words in self.lab.said, f"never said: {words!r}, but {self.lab.said!r}")


def opened(what: str) -> Exhibit:
    """A scenario that ships, a file, a line of a course; `free 3 none`: a free lab."""
    opener = LabOpener(5, None)
    kind, _, rest = what.partition(" ")
    return opener.play(*free_lab(rest)) if kind == "free" else opener.open(what)


@asynccontextmanager
async def lab_of(what: str, size: tuple[int, int] = NARROW, *, asks: bool = False) -> AsyncIterator[LabDriven]:
    app = LabApp(opened(what), LabOpener(5, None), asks=asks)
    async with LabDriven.of(app, size) as driven:
        await driven.until_shown("Lab: ")
        await driven.pause()
        yield driven
