"""A long run costs no more a step than a short one: what is not in view is not painted, and rows are made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from engine.core.explained.spacetime import Pen
from engine.core.ids import SiteId
from tests.lab.framing import FIVE, acceptor, flown, frame, said, tweet
from tests.tui.lab_pilot import LabDriven
from tests.tui.pilots import WIDE
from tui.lab import diagram
from tui.lab.app import LabApp
from tui.lab.bench import Exhibit
from tui.lab.diagram import Drawn
from tui.lab.frame import Frame
from tui.lab.opener import LabOpener
from tui.lab.seen import Fate
from tui.rows import Row

STEPS: Final = 10_000


class LongReel:
    """A run of a message a step."""

    title = "long"
    names: tuple[SiteId, ...] = FIVE

    def __init__(self) -> None:
        first = frame(0, acceptors={"s1": {slot: acceptor(learned=tweet("X")) for slot in range(1, 1_000)}})
        seen = (flown(Fate.ARRIVES, ("s1", "s3"), said("accept")),)
        steps = (replace(first, step=step, at_ms=step, seen=seen) for step in range(1, STEPS + 1))
        self.frames: Sequence[Frame] = [first, *steps]
        self.position = 0

    def forward(self) -> bool:
        if self.position == STEPS:
            return False
        self.position += 1
        return True

    def go(self, position: int) -> None:
        self.position = position


async def test_a_step_paints_what_is_in_view_and_makes_no_row_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    painted: list[int] = []
    rows_of, paint = diagram.rows_of, diagram.painted

    def makes(each: Frame, names: tuple[SiteId, ...]) -> list[Drawn]:
        made.append(each.step)
        return rows_of(each, names)

    def paints(drawn: Drawn, pen: Pen, *, clock: bool, is_now: bool) -> Row:
        painted.append(drawn.step)
        return paint(drawn, pen, clock=clock, is_now=is_now)

    monkeypatch.setattr(diagram, "rows_of", makes)
    monkeypatch.setattr("tui.lab.panes.painted", paints)
    app = LabApp(Exhibit(LongReel(), None, ""), LabOpener(5, None))
    async with LabDriven.of(app, WIDE) as driven:
        await driven.press("g", *str(STEPS), "enter")
        await driven.until_shown(f"step {STEPS} of {STEPS}")
        assert sorted(made) == list(range(STEPS + 1))
        in_view = driven.lab.diagram.rows_height
        assert in_view > 20
        for key, step in (("b", STEPS - 1), ("n", STEPS), ("B", STEPS - 10), ("home", STEPS - 10), ("end", STEPS - 10)):
            await driven.pause()
            made.clear()
            painted.clear()
            await driven.press(key)
            await driven.until_shown(f"step {step} of {STEPS}")
            await driven.pause()
            assert made == [], key
            assert len(painted) <= 2 * in_view, key
        await driven.press("l")
        await driven.until_shown("the log · 999 slots")
