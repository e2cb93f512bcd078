"""Draws docs/lab*.svg: the lab as something is chosen, as it asks, as a rule is broken (part of `make picture`)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Final

from tests.tui import svg
from tests.tui.lab_pilot import lab_of
from tests.tui.pilots import NARROW, WIDE


@dataclass(frozen=True, slots=True)
class Scene:
    """A scenario after some keys, once these words are shown."""

    name: str
    scenario: str
    keys: tuple[str, ...]
    words: str
    size: tuple[int, int]


SCENES: Final = (
    Scene("lab.svg", "b-wins", ("N",), "CHOSEN", WIDE),
    Scene("lab-80x24.svg", "b-wins", ("N",), "CHOSEN", NARROW),
    Scene("lab-asked-80x24.svg", "b-wins", ("g", "1", "3", "enter", "y", "n"), " ask: ", NARROW),
    Scene("lab-broken-80x24.svg", "broken-accept", ("N", "N", "N"), "BROKEN", NARROW),
)


async def draw() -> dict[str, str]:
    """The pictures by their names."""
    drawn = {}
    for scene in SCENES:
        async with lab_of(scene.scenario, scene.size) as pilot:
            await pilot.press(*scene.keys)
            await pilot.until_shown(scene.words)
            await pilot.pause()
            drawn[scene.name] = pilot.app.export_screenshot(title="loggos lab")
    return drawn


def main() -> None:
    os.environ.pop("NO_COLOR", None)
    svg.write(asyncio.run(draw()))


if __name__ == "__main__":
    main()
