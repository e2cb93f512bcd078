"""The message trace that the screen holds: the newest lines, numbered, filtered by words.

Rules that hold here:
- What one reads does not move: while held, old lines stay and what no longer fits is counted instead of kept.
- A line's number never changes, so that painted rows can be kept by number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from engine.contract.answers import Direction, TraceLine

LINES_MAX: Final = 4_000
BACKGROUND: Final = frozenset({"heartbeat", "ask-highest", "highest", "hello", "welcome"})
"""What sites say to each other all the time, whether something happens or not: shown if the filter names it."""


class Numbered(NamedTuple):
    number: int
    line: TraceLine


class TraceRing:
    def __init__(self) -> None:
        self.words: tuple[str, ...] = ()
        self.rows: list[Numbered] = []
        """The lines that match, ascending."""
        self.held = False
        self.skipped = 0
        """Lines that came while held and found no room."""
        self._all: list[Numbered] = []
        self._next = 0
        self.arrived = 0
        """How many lines came since the start, without background talk and what was remembered from before."""

    def restart(self, lines: Iterable[TraceLine]) -> None:
        """Begins anew with what the engine remembers."""
        self._all.clear()
        self.rows = []
        self.skipped = 0
        self._add(lines)

    def extend(self, lines: Sequence[TraceLine]) -> None:
        self.arrived += sum(line.type not in BACKGROUND for line in lines)
        self._add(lines)

    def _add(self, lines: Iterable[TraceLine]) -> None:
        for line in lines:
            if self.held and len(self._all) >= LINES_MAX:
                self.skipped += 1
                continue
            numbered = Numbered(self._next, line)
            self._next += 1
            self._all.append(numbered)
            if self._matches(line):
                self.rows.append(numbered)
        if len(self._all) > LINES_MAX and not self.held:
            del self._all[: len(self._all) - LINES_MAX // 2]
            oldest = self._all[0].number
            self.rows = [row for row in self.rows if row.number >= oldest]

    def left_out(self, count: int, at: str) -> None:
        """The engine left out `count` lines because the screen was slow."""
        said = f"{count} messages not shown"
        self.extend([TraceLine(at, Direction.SELF, None, "left-out", None, None, said, False, None, ())])

    def filter(self, words: str) -> None:
        """Keeps lines that hold every word; a word that starts with '-' must not be there."""
        self.words = tuple(words.casefold().split())
        self.rows = [row for row in self._all if self._matches(row.line)]

    def _matches(self, line: TraceLine) -> bool:
        if line.type in BACKGROUND and not any(word in line.type for word in self.words):
            return False
        fields = (line.dir, line.peer, line.type, f"#{line.slot}", line.ballot, line.note)
        text = " ".join(field for field in fields if field).casefold()
        return all(word[1:] not in text if word.startswith("-") else word in text for word in self.words)
