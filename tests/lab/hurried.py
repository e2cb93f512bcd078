"""Live runs that do not come to their end: the simulated world, which goes first, takes no time for them.

Rules that hold here:
- No time passes there where the scenario lets some pass, which it still does on the real sites.
- What else chance may decide is not looked for: nothing is compared with what the real sites did.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final
from unittest.mock import patch

from engine.core.settings import Timings
from engine.sim.scenario.schedule import Line, RunFor, Schedule
from tui.lab import live, live_score

_FOR_GOOD: Final = ExitStack()


@contextmanager
def hurried() -> Iterator[None]:
    with patch.object(live_score, "MORE_RUNS_MAX", 0), patch.object(live, "score", _score):
        yield


def hurry() -> None:
    """The same, for as long as this process lives."""
    _FOR_GOOD.enter_context(hurried())


def _score(schedule: Schedule, timings: Timings) -> live_score.Score:
    return live_score.score(replace(schedule, lines=tuple(map(_at_once, schedule.lines))), timings)


def _at_once(line: Line) -> Line:
    return replace(line, command=RunFor(0)) if isinstance(line.command, RunFor) else line
