"""How far a person has read the timeline of a site, and what is new since: it survives leaving the screen.

Rules that hold here:
- What was in view is read; what lies below something that was not is not. End says that all is.
- Where new tweets begin is said once one looks again, and stays there until all of them are read and others came.
- The file is one user's of one site, `DATA/SITE/read-UID`, replaced whole. A mark that cannot be written is kept in
  memory: nothing else is lost.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from tui import times
from tui.site.draft import replace_file
from tui.site.timeline_window import TimelineWindow

MARK_BYTES_MAX: Final = 1024


class Mark(msgspec.Struct, frozen=True):
    """The last tweet that was read, how many up to it the timeline showed, and when its reader was there (UTC)."""

    slot: int
    shown: int
    at: str


class MarkFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / f"read-{os.getuid()}"
        self.kept: Mark | None = None

    def load(self) -> Mark | None:
        """None where nothing was read yet, or it cannot be told."""
        with suppress(OSError, msgspec.MsgspecError, ValueError), self._path.open("rb") as file:
            mark = msgspec.json.decode(file.read(MARK_BYTES_MAX), type=Mark)
            times.local_time(mark.at)
            self.kept = mark
        return self.kept

    def save(self, mark: Mark) -> None:
        """One that cannot be written is not tried again."""
        if mark != self.kept:
            self.kept = mark
            with suppress(OSError):
                replace_file(self._path, msgspec.json.encode(mark))


class Reading:
    """What one person has read of one site's timeline. `since` is where the mark stood when new ones were found."""

    def __init__(self, folder: Path) -> None:
        self._file = MarkFile(folder)
        self.read = self._file.load()
        self.since: Mark | None = None
        self._all_were_read = True
        self._shown = 0 if self.read is None else self.read.shown

    @property
    def unread(self) -> int:
        """How many tweets of the timeline were not read."""
        return 0 if self.read is None else max(0, self._shown - self.read.shown)

    @property
    def is_kept(self) -> bool:
        return self.read == self._file.kept

    @property
    def last_read(self) -> Mark | None:
        """What the first new tweet comes after, whether it was read meanwhile or not; None where none is new."""
        return self.read if self.unread else self.since

    def count(self, shown: int) -> None:
        """The timeline has so many tweets."""
        self._shown = shown

    def counted(self, window: TimelineWindow) -> None:
        """As `count`. Who never read any has nothing new."""
        self.count(window.shown)
        if self.read is None:
            self.read_all(window)
        elif (window.at_start or window.at_end) and (row := window.row_at(self.read.slot)) is not None:
            self.read = replace(self.read, shown=row + 1)  # blocks hide tweets, and show them again

    def looks(self) -> None:
        """The timeline comes into view, and how many tweets it has is known."""
        if self.unread and self._all_were_read:
            self.since = self.read
            self._all_were_read = False

    def saw(self, window: TimelineWindow, first: int, last: int) -> None:
        """These rows are in view."""
        newest, oldest = window.line(last), window.line(first)
        if self.read is None or newest is None or oldest is None or newest.slot <= self.read.slot:
            return
        before = window.line(first - 1) or oldest
        if before.slot <= self.read.slot or (window.at_start and first == 0):
            more = sum(self.read.slot < line.slot <= newest.slot for line in window.lines)
            self._reached(Mark(newest.slot, self.read.shown + more, _now()))

    def read_all(self, window: TimelineWindow) -> None:
        """The reader goes to the newest: what he did not see he does not want to."""
        slot = window.lines[-1].slot if window.lines else window.prefix
        self._reached(Mark(slot, window.shown, _now()))

    def leaves(self) -> None:
        """The timeline goes out of view, or the screen is left."""
        if self.read is not None:
            if not self.unread:
                self.read = replace(self.read, at=_now())
            self._file.save(self.read)

    def keep(self) -> None:
        if self.read is not None:
            self._file.save(self.read)

    def _reached(self, mark: Mark) -> None:
        self.read = mark
        self._all_were_read = self._all_were_read or not self.unread


def _now() -> str:
    return times.now().isoformat()
