"""A space-time diagram in text: a lane for each site, time going down, an arrow for each message.

Rules that hold here:
- A message is drawn where it arrives, and where it is lost; one that was long on its way says when it left.
- Beside each row stands what it is, in the words of the message trace, over as many rows as WIDTH needs.
- A lane is dotted while no process runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from textwrap import wrap
from typing import Final

from engine.core.effects import Observation, SawPeer
from engine.core.explained import describe
from engine.core.explained.spacetime import (
    CONCLUDED,
    Arrow,
    DiagramRow,
    End,
    Head,
    Pen,
    Point,
    drawn_lanes,
    even_lanes,
    sign_of,
)
from engine.core.ids import SiteId
from engine.sim.scenario.trace import as_it_is
from engine.sim.world.network import Datagram

WIDTH: Final = 100

_TIME_WIDTH: Final = 8
_LANES_WIDTH: Final = 50
_LANE_MAX: Final = 12
_LONG_MS: Final = 5
_PROCESS: Final = frozenset({"start", "end", "refused"})
_FATES: Final = {End.LOST: "✗ lost: ", End.NOBODY: "✗ nobody there: "}


class Diagram:
    """A `Watcher`; `lines` are the picture so far. All sites run at first where `running`. `reword`: as a trace's.

    Who watches no world draws by `arrow`, `concluded`, `happened` and `says`.
    """

    def __init__(self, names: Sequence[SiteId], *, running: bool, reword: Callable[[str], str] = as_it_is) -> None:
        self._names = names
        self._reword = reword
        lane = max(4, min(_LANE_MAX, _LANES_WIDTH // len(names)))
        self._pen = Pen(even_lanes(len(names), lane, lane // 2), on_lanes=False)
        self._up = [running] * len(names)
        self._time: int | None = None
        heads = "".join(name[: lane - 1].center(lane) for name in names)
        self.lines = [f"{'ms':>{_TIME_WIDTH - 2}}  {heads}".rstrip()]

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        if lost:
            self._datagram(now, datagram, End.LOST)

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        self._datagram(now, datagram, End.REACHED if taken else End.NOBODY)

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        line = describe.observation(saw)
        if line is not None and not isinstance(saw, SawPeer):
            self.concluded(now, site, line)

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        if site is None:
            self._row(now, None, f"{what} {self._reword(why)}".rstrip())
            return
        index = self._names.index(site)
        if what in _PROCESS:
            self._up[index] = what == "start"
        self._row(now, Point(index, sign_of(what)), f"{what} {self._reword(why)}".rstrip())

    def says(self, words: str) -> None:
        """A line of its own between the rows: what is done next, a verdict."""
        self.lines += wrap(words, WIDTH, initial_indent="── ", subsequent_indent="   ")

    def concluded(self, now: int, site: SiteId, line: describe.Line) -> None:
        self._row(now, Point(self._names.index(site), CONCLUDED), self._words(line))

    def arrow(self, now: int, left_at: int, sender: int, head: Head, lines: Iterable[describe.Line]) -> None:
        """A datagram from a lane, where it ends; a line for each message in it."""
        was_long = now - left_at > _LONG_MS
        left = f" (left at {left_at} ms)" if was_long and head.end is not End.LOST else ""
        for index, line in enumerate(lines):
            words = f"{_FATES.get(head.end, '')}{self._words(line)}{left}"
            self._row(now, None if index else Arrow(sender, (head,)), words)

    def _datagram(self, now: int, datagram: Datagram, end: End) -> None:
        lines = map(describe.message, datagram.messages)
        self.arrow(now, datagram.sent_at, datagram.sender, Head(datagram.to, end), lines)

    def _row(self, now: int, drawn: Arrow | Point | None, words: str) -> None:
        clock = ""
        if now != self._time:
            self._time = now
            clock = str(now)
        lives = tuple(self._up)
        lanes = drawn_lanes(DiagramRow(now, lives, drawn, words), self._pen)
        rest = drawn_lanes(DiagramRow(now, lives, None, words), self._pen)
        for line in wrap(words, WIDTH - _TIME_WIDTH - len(lanes) - 2) or [""]:
            self.lines.append(f"{clock:>{_TIME_WIDTH - 2}}  {lanes}  {line}".rstrip())
            clock, lanes = "", rest

    def _words(self, line: describe.Line) -> str:
        ballot = "" if line.ballot is None else self._reword(str(line.ballot))
        parts = (line.type, "" if line.slot is None else f"#{line.slot}", ballot, self._reword(line.note))
        return " ".join(part for part in parts if part)
