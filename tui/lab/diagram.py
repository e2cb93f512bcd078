"""The space-time diagram of a run: what each step showed, a row for each message that ended and for each conclusion.

Rules that hold here:
- A message is drawn where it ends; a step that only sends says so at its sender, so that every step has a row.
- An accept or a prepare that its addressee refuses in the same step ends in a ✗, as one that is lost does.
- The rows of a step never change: going back leaves rows out, going on brings the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.explained.describe import BAD_NEWS, Line
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
from tui.lab.ballots import lab_ballots
from tui.lab.frame import Frame
from tui.lab.said import for_people
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said
from tui.rows import Part, Role, Row, fitted

TIME_WIDTH: Final = 9
LANE_MIN: Final = 4
LANE_MAX: Final = 12
WORDS_MIN: Final = 38
LONG_MS: Final = 5
MS_MAX: Final = 999_999

_ENDS: Final = {Fate.ARRIVES: End.REACHED, Fate.LOST: End.LOST, Fate.NOBODY_THERE: End.NOBODY}
_EXPECTED: Final = "expect "
"""A line that begins so and is not wrong has come true."""
_ANSWERED: Final = frozenset({"prepare", "accept"})
_SAID: Final = {End.LOST: "lost: ", End.NOBODY: "nobody there: ", End.REFUSED: "refused: "}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A row, the step that it belongs to, and what it means."""

    step: int
    role: Role
    row: DiagramRow


def rows_of(frame: Frame, names: tuple[SiteId, ...]) -> list[Drawn]:
    """What the step of this frame adds to the diagram."""
    lives = tuple(site.is_up for site in frame.sites)
    left = [seen for seen in frame.seen if isinstance(seen, Flown) and seen.fate is Fate.LEAVES]
    found: list[Drawn] = []

    def add(at_ms: float, drawn: Arrow | Point | None, role: Role, label: str, note: str = "") -> None:
        row = DiagramRow(at_ms, lives, drawn, label, lab_ballots(names).words(note))
        found.append(Drawn(frame.step, role, row))

    for seen in frame.seen:
        match seen:
            case Flown(fate=Fate.LEAVES):
                pass
            case Flown():
                end = End.REFUSED if _is_refused(seen, left) else _ENDS[seen.fate]
                arrow = Arrow(names.index(seen.sender), (Head(names.index(seen.to), end),))
                role = Role.NOTE if end is End.REACHED else Role.WARN
                for index, line in enumerate(seen.lines):
                    said = f"{_SAID.get(end, '')}{label(line, names)}"
                    add(seen.at_ms, None if index else arrow, role, said, f"{line.note}{_since(seen)}".strip())
            case Concluded(at_ms, site, line):
                role = Role.BAD if line.type in BAD_NEWS else Role.GOOD
                add(at_ms, Point(names.index(site), CONCLUDED), role, label(line, names), line.note)
            case Happened(at_ms, None, what, why):
                add(at_ms, None, Role.WARN, what, why)
            case Happened(at_ms, site, what, why):
                add(at_ms, Point(names.index(site), sign_of(what)), Role.WARN, f"{site} {what}", why)
            case Said(at_ms, words, is_wrong=True):
                add(at_ms, None, Role.BAD, "── ✗", words)
            case Said(at_ms, words) if words.startswith(_EXPECTED):
                add(at_ms, None, Role.DIM, "── ✓", for_people(words).removeprefix(_EXPECTED))
            case Said(at_ms, words):
                add(at_ms, None, Role.DIM, "──", words)
    if not found:
        found = list(_sending(frame, left, lives, names))
    return found


def label(line: Line, names: tuple[SiteId, ...]) -> str:
    """`accept #1 3.1`."""
    slot = "" if line.slot is None else f" #{line.slot}"
    return f"{line.type}{slot}" + ("" if line.ballot is None else f" {lab_ballots(names).ballot(line.ballot)}")


def _since(seen: Flown) -> str:
    was_long = seen.at_ms - seen.left_at_ms > LONG_MS and seen.fate is not Fate.LOST
    return f" (left at {seen.left_at_ms:g} ms)" if was_long else ""


def _is_refused(seen: Flown, left: Sequence[Flown]) -> bool:
    """Whether its addressee refuses it at once."""
    asked = {line.slot for line in seen.lines if line.type in _ANSWERED}
    answers = (each for each in left if (each.sender, each.to) == (seen.to, seen.sender))
    return any(line.type == "refused" and line.slot in asked for each in answers for line in each.lines)


def _sending(
    frame: Frame, left: Sequence[Flown], lives: tuple[bool, ...], names: tuple[SiteId, ...]
) -> Iterator[Drawn]:
    """A row for each site and what it says, to however many."""
    to: dict[tuple[SiteId, str], list[SiteId]] = {}
    for seen in left:
        for line in seen.lines:
            to.setdefault((seen.sender, label(line, names)), []).append(seen.to)
    for (sender, said), sites in to.items():
        point = Point(names.index(sender), CONCLUDED)
        row = DiagramRow(frame.at_ms, lives, point, f"sends {said}", f"to {', '.join(sites)}")
        yield Drawn(frame.step, Role.NOTE, row)


class DiagramRows:
    """The rows of a run so far. What was seen of another branch is left out from where they part."""

    def __init__(self, names: tuple[SiteId, ...]) -> None:
        self.rows: list[Drawn] = []
        self._names = names
        self._frames: list[Frame] = []
        self._ends: list[int] = []

    def take(self, frames: Sequence[Frame]) -> bool:
        """Says whether rows went that were there."""
        kept = _alike(self._frames, frames)
        others = kept < len(self._frames)
        del self.rows[self.count(kept - 1) :]
        del self._frames[kept:], self._ends[kept:]
        for index in range(kept, len(frames)):
            frame = frames[index]
            self._frames.append(frame)
            self.rows += rows_of(frame, self._names)
            self._ends.append(len(self.rows))
        return others

    def count(self, position: int) -> int:
        """How many rows there are up to a frame, that one included."""
        return self._ends[position] if position >= 0 else 0


def _alike(mine: Sequence[Frame], theirs: Sequence[Frame]) -> int:
    """How many frames at the beginning are the same: once two runs have parted they stay apart."""
    low, high = 0, min(len(mine), len(theirs))
    while low < high:
        middle = (low + high + 1) // 2
        if mine[middle - 1] is theirs[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


# Painted


def lane_width(width: int, sites: int) -> int:
    """The cells of a lane: all that the words leave, within reason."""
    return max(LANE_MIN, min(LANE_MAX, (width - TIME_WIDTH - WORDS_MIN) // max(1, sites)))


def pen_for(width: int, sites: int) -> Pen:
    lane = lane_width(width, sites)
    return Pen(even_lanes(sites, lane, lane // 2), on_lanes=False)


def heads(names: tuple[SiteId, ...], width: int) -> Row:
    """The names above their lanes."""
    lane = lane_width(width, len(names))
    shown = "".join(fitted(_above(name[: lane - 1], lane), lane) for name in names)
    return (Part(f"{'ms':>{TIME_WIDTH - 2}}  {shown}", Role.DIM),)


def _above(name: str, lane: int) -> str:
    """Its middle above the lane."""
    return " " * (lane // 2 - (len(name) - 1) // 2) + name


def painted(drawn: Drawn, pen: Pen, *, clock: bool, is_now: bool) -> Row:
    """A row; `clock`: its time is told; `is_now`: it belongs to the step that is shown."""
    row = drawn.row
    time = _clock(row.at_ms) if clock else ""
    told = Role.STRONG if is_now else Role.PLAIN
    if drawn.role in {Role.BAD, Role.DIM}:
        told = drawn.role
    return (
        Part(f"{time:>{TIME_WIDTH - 2}}  ", Role.DIM),
        Part(f"{drawn_lanes(row, pen)}  ", Role.DIM if row.drawn is None else drawn.role),
        Part(row.label, told),
        Part(f" {row.note}" if row.note else "", Role.PLAIN if is_now else Role.DIM),
    )


def _clock(at_ms: float) -> str:
    """Never longer than its column."""
    return f"{at_ms:.0f}" if at_ms <= MS_MAX else f"{at_ms / 1_000:.0f} s"
