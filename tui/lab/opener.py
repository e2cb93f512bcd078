"""Makes runs to look at: of scenarios, of files, of lines in a course's notation, of what real sites recorded."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from engine.sim.scenario.schedule import ScenarioError, Schedule
from tui.lab import catalogue, opening
from tui.lab.bench import Exhibit
from tui.lab.menus import Listed
from tui.lab.recording import BadRecording, read_recording
from tui.lab.recording_reel import RecordedReel
from tui.lab.tape import SimulatedTape


class LabOpener:
    """`size`: how many sites a line in a course's notation is about."""

    def __init__(self, size: int) -> None:
        self._size = size

    def open(self, typed: str) -> Exhibit:
        """Raises ValueError, with what to write instead."""
        try:
            words = shlex.split(typed)
        except ValueError:
            words = [typed]
        return self.open_words(words if all(map(_is_recording, words)) else [typed])

    def open_words(self, words: Sequence[str]) -> Exhibit:
        """What stands on a command line. Raises ValueError, with what to write instead."""
        if words and all(map(_is_recording, words)):
            return recorded([Path(word).expanduser() for word in words])
        first, *more = opening.opened(words, self._size)
        if more:
            raise ValueError("the screen shows one run: name one scenario, or the recordings of one run")
        return self.play(first.title, first.schedule, first.about)

    def play(self, title: str, schedule: Schedule, about: str = "") -> Exhibit:
        try:
            tape = SimulatedTape(schedule, title)
        except ScenarioError as refused:
            raise ValueError(str(refused)) from None
        return Exhibit(tape, tape, about, is_planned=bool(schedule.lines))

    def scenarios(self) -> Sequence[Listed]:
        return [Listed(each.name, each.summary, each.about) for each in catalogue.shipped()]


def recorded(paths: Sequence[Path]) -> Exhibit:
    """Raises BadRecording, which is a ValueError."""
    try:
        reel = RecordedReel([read_recording(path) for path in paths])
    except OSError as failed:
        raise BadRecording(f"{failed.filename} cannot be read: {failed.strerror}") from None
    return Exhibit(reel, None, " ".join(reel.findings))


def _is_recording(word: str) -> bool:
    """Whether it names a file of JSON lines."""
    try:
        with Path(word).expanduser().open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False
