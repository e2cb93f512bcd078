"""The status bar: what one must know of the site at all times, in one line, and a second one for what is wrong.

Rules that hold here:
- It never ticks by itself: a countdown runs only while there are holes, times are told as times.
- Where the line is too short, the least important parts become shorter first, then go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from textual.timer import Timer

from engine.contract.status import MemberStanding, Status
from tui import leading, standing, times
from tui.panes.paint import Painted
from tui.rows import Part, Role, Row, row, width_of, wrapped
from tui.site import wording
from tui.site.connected import Gone, Stopped
from tui.site.linearizable_read import STALE
from tui.site.model import SiteModel
from tui.standing import Trouble
from tui.times import clock

RTT_WIDTH: Final = 120
"""From this width on, round trips may take room that other parts of the bar could use."""
SHORT_NAME_MIN: Final = 2

_ALARMS: Final = {
    Trouble.NOT_VOTING: (row((" NOT VOTING ", Role.ALARM)),),
    Trouble.MISMATCH: (row((" MISMATCH ", Role.ALARM)),),
    Trouble.NARROW: (row((" NARROW PATH ", Role.ALARM)), row((" NARROW ", Role.ALARM))),
    Trouble.UNSENT: (row((" UNSENT ", Role.ALARM)),),
}
"""What the bar says of them, in ever shorter forms."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the bar in ever shorter forms; a higher `rank` is shortened earlier."""

    rank: int
    forms: tuple[Row, ...]


class StatusBar(Painted):
    def __init__(self, model: SiteModel) -> None:
        super().__init__(id="status")
        self.model = model
        self._countdown: Timer | None = None

    def rows(self, width: int) -> Sequence[Row]:
        status = self.model.status
        match self.model.connection:
            case Stopped() | Gone() as over:
                word = " ENGINE STOPPED " if isinstance(over, Stopped) else " NO ENGINE "
                said = over.reason if isinstance(over, Stopped) else over.why
                return [row((f" {self.model.site} ", Role.STRONG), (word, Role.ALARM), f"  {said}")]
            case _ if status is None:
                return [row((f" {self.model.site} ", Role.STRONG), (" connecting …", Role.DIM))]
        return [_fit(self._segments(status, width), width), *_alarms(status, width)]

    def _segments(self, status: Status, width: int) -> list[Segment]:
        found = [
            Segment(0, (row((status.site, Role.STRONG)),)),
            _quorum(status),
            *self._may_be_old(status),
            Segment(
                3,
                (
                    *((_peers_with_rtt(status),) if width >= RTT_WIDTH else ()),
                    _peers(status, status.sites),
                    _peers(status, short_names(status.sites)),
                    row("".join(_glyph(status, site)[0] for site in status.sites)),
                ),
            ),
        ]
        there = standing.troubles(status)
        if Trouble.FAULTS in there:
            found.append(Segment(1, (row((f" FAULTS {status.faults} ", Role.ALARM)),)))
        found += [Segment(1, forms) for trouble, forms in _ALARMS.items() if trouble in there]
        found.append(_leading(status))
        if unread := self.model.reading.unread:
            found.append(Segment(5, (row((f"{unread:,} new", Role.NOTE)), row((f"+{unread:,}", Role.NOTE)))))
        found.append(Segment(5, (row(("next ", Role.DIM), f"{status.next:,}"), ())))
        if status.holes:
            found.append(Segment(2, (row((f"holes {len(status.holes)}", Role.BAD)),)))
            seconds = self.fill_in_s()
            if seconds is not None:
                text = row((f"fill in {seconds} s", Role.DIM))
                found.append(Segment(7, (text, row((f"fill {seconds}s", Role.DIM)), ())))
            elif status.holes[0] in self.model.attempts:
                found.append(Segment(7, (row(("filling", Role.NOTE)), ())))
        if status.unknown:
            words = row((f"unknown {status.unknown}", Role.WARN))
            found.append(Segment(2, (words, row((f"?{status.unknown}", Role.WARN)))))
        if status.recovering:
            found.append(Segment(6, (row(("recovering", Role.NOTE)), ())))
        return found

    def fill_in_s(self) -> int | None:
        """Whole seconds until the filler begins with the lowest hole, counted on from the last status; None while it is
        at it."""
        status = self.model.status
        if status is None or status.fill_in_s is None or not status.holes or status.holes[0] in self.model.attempts:
            return None
        return max(0, math.ceil(status.fill_in_s - (times.monotonic_s() - self.model.status_at)))

    def learn(self) -> None:
        self.say()
        counting = self.model.live and bool(self.fill_in_s())
        if counting and self._countdown is None:
            self._countdown = self.set_interval(1.0, self.learn)
        elif not counting and self._countdown is not None:
            self._countdown.stop()
            self._countdown = None

    def _may_be_old(self, status: Status) -> list[Segment]:
        """Without a quorum what is read here may be old; the time is told, not the age, which would tick."""
        if status.quorum.is_reached:
            return []
        lines = self.model.timeline.lines
        forms = [row((STALE, Role.WARN)), row()]
        if status.fresh_at is not None:
            forms.insert(0, row((f"{STALE}, confirmed {clock(status.fresh_at)}", Role.WARN)))
        elif lines:
            forms.insert(0, row((f"{STALE}, newest tweet {clock(lines[-1].at)}", Role.WARN)))
        return [Segment(5, tuple(forms))]


def _leading(status: Status) -> Segment:
    mode = status.leadership
    if status.lacks_leader:
        return Segment(4, (row((leading.NO_LEADER, Role.WARN)), row(("no leader", Role.WARN))))
    if status.leader is None:
        return Segment(8, (row((f"leadership {mode}", Role.DIM)), row((f"mode {mode}", Role.DIM)), ()))
    return Segment(4, (row(("lead ", Role.DIM), status.leader),))


def _quorum(status: Status) -> Segment:
    quorum = status.quorum
    if quorum.is_reached:
        counts = f" {quorum.reachable}/{quorum.size}"
        long = row(("QUORUM", Role.GOOD), counts, (f" need {quorum.needed}", Role.DIM))
        return Segment(6, (long, row(("QUORUM", Role.GOOD), counts)))
    alarm = (f" NO QUORUM {quorum.reachable}/{quorum.size} need {quorum.needed} ", Role.ALARM)
    return Segment(2, (row(alarm),))


def _glyph(status: Status, site: str) -> tuple[str, Role]:
    peer = status.peers.get(site)
    if site == status.site or peer is None:
        return ("●", Role.GOOD) if status.voting else ("◐", Role.WARN)
    glyph, _, role = standing.mark(peer)
    return glyph, role


def short_names(sites: Sequence[str]) -> list[str]:
    """What tells these sites apart, without the beginning that all share: `site1`, `site2` are `1`, `2`."""
    alike = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*sites, strict=False)))
    shared = min(alike, min(map(len, sites)) - 1)
    rests = [site[shared:] for site in sites]

    def is_enough(rest: str, length: int) -> bool:
        return sum(other.startswith(rest[:length]) for other in rests) == 1

    return [
        rest[: next((length for length in range(SHORT_NAME_MIN, len(rest)) if is_enough(rest, length)), len(rest))]
        for rest in rests
    ]


def _peers(status: Status, names: Sequence[str]) -> Row:
    """The sites under these names."""
    parts: list[Part] = []
    for site, name in zip(status.sites, names, strict=True):
        parts += [Part(f" {name}" if parts else name), Part(*_glyph(status, site))]
    return tuple(parts)


def _peers_with_rtt(status: Status) -> Row:
    parts: list[Part] = []
    for site in status.sites:
        peer = status.peers.get(site)
        parts += [Part(f"  {site}" if parts else site), Part(*_glyph(status, site))]
        if peer is None:
            parts.append(Part(" here", Role.DIM))
        elif not peer.up:
            parts.append(Part(" silent", Role.DIM))
        elif peer.rtt_ms is not None:
            parts.append(Part(f" {peer.rtt_ms} ms", Role.DIM))
    return tuple(parts)


def _alarms(status: Status, width: int) -> list[Row]:
    """What is wrong and lasts, in sentences below the bar."""
    said = standing.beside_the_bar(status)
    remedies = standing.remedies(status)
    if Trouble.NOT_VOTING in remedies:
        said = {
            **said,
            Trouble.NOT_VOTING: f"{status.site} does not vote: its store is not the one that the others know (5 tells)",
        }
    elif status.standing == MemberStanding.OLD_STORE:
        short = f"{status.site} does not vote: its store is an old one (5 tells). {standing.START_ANEW}"
        said = {**said, Trouble.NOT_VOTING: short}
    lines: list[Row] = []
    for trouble, sentence in said.items():
        key = f". {wording.remedied(status, remedies[trouble])}" if trouble in remedies else ""
        lines += wrapped(row(" ", (f"{sentence}{key}", Role.WARN)), width, indent=1)[:2]
    return lines


def _fit(segments: Sequence[Segment], width: int) -> Row:
    """The segments side by side, shortened by rank until they fit."""
    chosen = [0] * len(segments)
    while True:
        line = _beside([segment.forms[form] for segment, form in zip(segments, chosen, strict=True)])
        shrinkable = [
            (segment.rank, index)
            for index, (segment, form) in enumerate(zip(segments, chosen, strict=True))
            if form + 1 < len(segment.forms)
        ]
        if not shrinkable or sum(width_of(part.text) for part in line) <= width:
            return line
        chosen[max(shrinkable)[1]] += 1


def _beside(rows: Sequence[Row]) -> Row:
    parts: list[Part] = [Part(" ")]
    for each in rows:
        if each:
            if len(parts) > 1:
                parts.append(Part("  "))
            parts += each
    return tuple(parts)
