"""A space-time diagram in text: a lane for each site, time going down, an arrow for each message.

Rules that hold here:
- A message is drawn where it arrives, and where it is lost; one that was long on its way says when it left.
- Beside each row stands what it is, in the words of the message trace, over as many rows as WIDTH needs.
- A lane is dotted while no process runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from engine.core.effects import Observation, SawPeer
from engine.core.explained import describe
from engine.core.ids import SiteId
from engine.sim.world.network import Datagram

WIDTH: Final = 100

_TIME_WIDTH: Final = 8
_LANES_WIDTH: Final = 50
_LANE_MAX: Final = 12
_LONG_MS: Final = 5
_DOWN: Final = "┊"
_UP: Final = "│"
_STARTS: Final = {"start": "┬", "end": "X", "refused": "X"}


class Diagram:
    """A `Watcher`; `lines` are the picture so far. All sites run at first where `running`."""

    def __init__(self, names: Sequence[SiteId], *, running: bool) -> None:
        self._names = names
        self._lane = max(4, min(_LANE_MAX, _LANES_WIDTH // len(names)))
        self._column = [_TIME_WIDTH + self._lane * index + self._lane // 2 for index in range(len(names))]
        self._up = [running] * len(names)
        self._time: int | None = None
        heads = "".join(name[: self._lane - 1].center(self._lane) for name in names)
        self.lines = [f"{'ms':>{_TIME_WIDTH - 2}}  {heads}".rstrip()]

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        if lost:
            self._arrow(now, datagram, "✗ lost: ", reaches=False)

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        self._arrow(now, datagram, "" if taken else "✗ nobody there: ", reaches=True)

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        line = describe.observation(saw)
        if line is not None and not isinstance(saw, SawPeer):
            self._point(now, site, "●", _words(line))

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        if site is None:
            self._row(now, self._lanes(), f"{what} {why}".rstrip())
            return
        index = self._names.index(site)
        if what in _STARTS:
            self._up[index] = what == "start"
        self._point(now, site, _STARTS.get(what, "■"), f"{what} {why}".rstrip())

    def says(self, words: str) -> None:
        """A line of its own between the rows: what is done next, a verdict."""
        self.lines += wrap(words, WIDTH, initial_indent="── ", subsequent_indent="   ")

    def _arrow(self, now: int, datagram: Datagram, fate: str, *, reaches: bool) -> None:
        row = self._lanes()
        start, end = self._column[datagram.sender], self._column[datagram.to]
        right = end > start
        stop = end if reaches else (start + end) // 2
        for column in range(start + 1, stop) if right else range(stop + 1, start):
            row[column] = "┼" if column in self._column else "─"
        row[start] = "├" if right else "┤"
        row[stop + (-1 if right else 1)] = ("▶" if right else "◀") if reaches else "─"
        if not reaches or fate:
            row[stop] = "✗"
        was_long = now - datagram.sent_at > _LONG_MS
        left = f" (left at {datagram.sent_at} ms)" if was_long and reaches else ""
        for message in datagram.messages:
            self._row(now, row, f"{fate}{_words(describe.message(message))}{left}")
            row = self._lanes()

    def _point(self, now: int, site: SiteId, mark: str, words: str) -> None:
        row = self._lanes()
        row[self._column[self._names.index(site)]] = mark
        self._row(now, row, words)

    def _lanes(self) -> list[str]:
        row = [" "] * (self._column[-1] + 1)
        for column, up in zip(self._column, self._up, strict=True):
            row[column] = _UP if up else _DOWN
        return row

    def _row(self, now: int, row: list[str], words: str) -> None:
        if now != self._time:
            self._time = now
            row[:_TIME_WIDTH] = f"{now:>{_TIME_WIDTH - 2}}  "
        rest = "".join(self._lanes())
        for line in wrap(words, WIDTH - len(row) - 2) or [""]:
            self.lines.append(f"{''.join(row)}  {line}".rstrip())
            row = list(rest)


def _words(line: describe.Line) -> str:
    parts = (line.type, "" if line.slot is None else f"#{line.slot}", str(line.ballot or ""), line.note)
    return " ".join(part for part in parts if part)
