"""Makes runs to look at: of scenarios, of files, of lines in a course's notation, of what real sites recorded."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from engine.sim.scenario.schedule import ScenarioError, Schedule
from tui.lab import catalogue, opening
from tui.lab.bench import Exhibit
from tui.lab.menus import Listed
from tui.lab.opening import Opened
from tui.lab.recording import recordings_of
from tui.lab.recording_reel import RecordedReel
from tui.lab.tape import SimulatedTape


class LabOpener:
    """`size`: how many sites a line in a course's notation is about; `broken`: the mistake to put into what a command
    line names."""

    def __init__(self, size: int, broken: str | None) -> None:
        self._size = size
        self._broken = broken

    def open(self, typed: str) -> Exhibit:
        """Raises ValueError, with what to write instead."""
        try:
            words = shlex.split(typed)
        except ValueError:
            words = [typed]
        exhibit = _recorded(words)
        if exhibit is not None:
            return exhibit
        saved = typed + catalogue.SUFFIX
        return _exhibit(self._one([saved if Path(saved).is_file() else typed]), 0)

    def open_words(self, words: Sequence[str]) -> Exhibit:
        """What stands on a command line. Raises ValueError, with what to write instead."""
        exhibit = _recorded(words)
        if exhibit is not None:
            if self._broken is not None:
                raise ValueError(opening.NO_MISTAKE_HERE)
            return exhibit
        one = self._one(words)
        return _exhibit(one if self._broken is None else opening.with_mistake(one, self._broken), 0)

    def _one(self, words: Sequence[str]) -> Opened:
        first, *more = opening.opened(words, self._size)
        if more:
            raise ValueError("the screen shows one run: name one scenario, or the recordings of one run")
        return first

    def play(self, title: str, schedule: Schedule) -> Exhibit:
        return _exhibit(Opened(title, "", schedule), 0)

    def scenarios(self) -> Sequence[Listed]:
        return [Listed(each.name, each.summary, each.about) for each in catalogue.shipped()]


def _exhibit(opened: Opened, which: int) -> Exhibit:
    """One of its runs, with or without the mistake. Raises ValueError."""
    runs = opened.runs()
    run = runs[which]
    try:
        tape = SimulatedTape(run.schedule, opened.title)
    except ScenarioError as refused:
        raise ValueError(str(refused)) from None
    if _is_looked_at_where_it_breaks(run.schedule):
        tape.to_broken()
    heading = run.heading[:1].upper() + run.heading[1:]
    about = ". ".join(part for part in (heading, opened.about) if part)
    other = None if len(runs) == 1 else partial(_exhibit, opened, 1 - which)
    return Exhibit(
        tape,
        tape,
        about,
        is_planned=bool(run.schedule.lines),
        is_plan=run.schedule.is_plan,
        mistake="" if run.broken is None else f"{heading}.",
        other=other,
    )


def _is_looked_at_where_it_breaks(schedule: Schedule) -> bool:
    """A plan is kept because it failed, and a mistake that leads to nothing else is put in for what it breaks."""
    return schedule.calm_at is not None or (schedule.broken is not None and schedule.broken.until is None)


def _recorded(words: Sequence[str]) -> Exhibit | None:
    """What real sites recorded in these files; None where they name no recording. Raises BadRecording, which is a
    ValueError."""
    recordings = recordings_of(words)
    if recordings is None:
        return None
    reel = RecordedReel(recordings)
    return Exhibit(reel, None, " ".join(f"{finding}." for finding in reel.findings))
