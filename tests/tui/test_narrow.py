"""W4: a path that does not carry what every path should is a badge and a sentence, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import NARROW, WIDE, screen_of

SENTENCE = "datagrams of 1232 bytes do not arrive, shorter ones do: bob gets 800 bytes"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_w4_a_narrow_path_is_a_badge_and_a_sentence_until_it_is_over(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.status_changes = {"narrow": SENTENCE}
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("5")
            await pilot.until_shown("bob gets 800 bytes")
            assert " NARROW" in pilot.lines()[0]
            engine.status_changes = {}
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until(lambda: "NARROW" not in pilot.text(), "it stays")
