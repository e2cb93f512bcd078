"""Draws docs/lab*.svg: the lab's screen at the moment in which something is chosen (part of `make picture`)."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from tests.tui import svg
from tests.tui.lab_pilot import lab_of
from tests.tui.pilots import NARROW, WIDE

NAMES: Final = {NARROW: "lab-80x24.svg", WIDE: "lab.svg"}


async def draw() -> dict[str, str]:
    """The pictures by their names."""
    drawn = {}
    for size, name in NAMES.items():
        async with lab_of("b-wins", size) as pilot:
            await pilot.press("N")
            await pilot.until_shown("CHOSEN")
            await pilot.pause()
            drawn[name] = pilot.app.export_screenshot(title="loggos lab")
    return drawn


def main() -> None:
    os.environ.pop("NO_COLOR", None)
    svg.write(asyncio.run(draw()))


if __name__ == "__main__":
    main()
