"""Pane 4: the messages between this site and the others, and what it concluded from them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Final

from textual.timer import Timer

from engine.contract.answers import Direction, TraceLine
from engine.contract.errors import RequestFailed
from engine.core.explained.describe import BAD_NEWS
from tui.panes.lines import Lines
from tui.rows import BLANK, Role, Row, fitted, row, wrapped
from tui.site.model import Change, SiteModel
from tui.times import clock_ms

NAME_MAX: Final = 8
TYPE_WIDTH: Final = 12
ROUND_DIGITS: Final = 4
BALLOT_MAX: Final = 16
RATE_EVERY_S: Final = 1.0

_ARROWS: Final[Mapping[str, tuple[str, Role]]] = {
    Direction.OUT: ("→", Role.NOTE),
    Direction.IN: ("←", Role.GOOD),
    Direction.SELF: ("*", Role.STRONG),
}


class TracePane(Lines):
    """Rows are the lines of the ring that match the filter."""

    ASPECTS: ClassVar = Change.TRACE

    def __init__(self, model: SiteModel) -> None:
        super().__init__(model, id="trace")
        self._newest = 0
        self._shown = -1
        self._rate = 0
        self._rate_timer: Timer | None = None

    def title(self) -> str:
        ring = self.model.trace
        way_out = " (esc clears)" if self.has_focus else ""
        filtered = f"filter: {' '.join(ring.words)}{way_out}" if ring.words else ""
        skipped = f"{ring.skipped:,} newer not kept" if ring.skipped else ""
        rate = f"4 Trace {self._rate}/s" if self._rate else "4 Trace"
        return " · ".join(part for part in (rate, filtered, skipped, "" if self.following else "paused") if part)

    def empty(self) -> Sequence[Row]:
        if self.model.trace.words:
            return [
                BLANK,
                *wrapped(
                    row(
                        "No message matches. ",
                        ("/", Role.KEY),
                        " changes the filter, ",
                        ("esc", Role.KEY),
                        " clears it.",
                    ),
                    self.rows_width,
                ),
            ]
        if not self.model.live:
            return [row(("No message was read from the engine.", Role.DIM))]
        said = row("No messages yet: they appear when something is written (", ("c", Role.KEY), ") or filled.")
        return wrapped(said, self.rows_width)

    def rows_count(self) -> int:
        return len(self.model.trace.rows)

    def row_key(self, index: int) -> Hashable:
        return self.model.trace.rows[index].number

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:
        return (self._trace_row(self.model.trace.rows[index].line, width),)

    def slot(self) -> int | None:
        rows = self.model.trace.rows
        return rows[self.cursor].line.slot if self.cursor < len(rows) else None

    def _trace_row(self, line: TraceLine, width: int) -> Row:
        names = min(max(map(len, self.model.sites)), NAME_MAX if width < 100 else 16)
        arrow, role = _ARROWS.get(line.dir, ("·", Role.PLAIN))
        note = line.note or ""
        alarming = line.is_taken or line.type in BAD_NEWS
        return row(
            (f"{clock_ms(line.at)} ", Role.DIM),
            (f"{arrow} {fitted(line.peer or '', names)} ", role),
            f"{fitted(line.type, TYPE_WIDTH)} ",
            (f"{'' if line.slot is None else f'#{line.slot}':<7} ", Role.PLAIN),
            (f"{fitted(line.ballot or '', min(names + 1 + ROUND_DIGITS, BALLOT_MAX))} ", Role.DIM),
            (note, Role.WARN if alarming else Role.DIM),
        )

    def on_focus(self) -> None:
        """Its keys are named in the title while they work."""
        self.show_title()

    def on_blur(self) -> None:
        self.show_title()

    # What is read, and when.

    def learn(self, change: Change) -> None:  # noqa: ARG002
        if not self.display:
            return
        if self._rate_timer is None and self.model.trace.arrived != self._newest:
            self._rate_timer = self.set_interval(RATE_EVERY_S, self._count_rate)
        ring = self.model.trace
        shown = ring.rows[-1].number if ring.rows else -1
        if shown != self._shown:  # else nothing that came matches
            self._shown = shown
            self.measure()
            if self.following:
                self.refresh()

    def _count_rate(self) -> None:
        """Once a second while messages come; it ends with them, so that an idle screen has no timer."""
        now = self.model.trace.arrived
        self._rate, self._newest = now - self._newest, now
        if not self._rate and self._rate_timer is not None:
            self._rate_timer.stop()
            self._rate_timer = None
        self.show_title()

    def unfollow(self) -> None:
        self.model.trace.held = True
        super().unfollow()

    def follow(self) -> None:
        ring = self.model.trace
        ring.held = False
        if ring.skipped and self.model.live:
            self.run_worker(self._read_anew(), group="trace")
        super().follow()

    async def _read_anew(self) -> None:
        try:
            await self.model.read_trace()
        except RequestFailed as failed:
            self.model.complain(failed)
        else:
            self.changed()

    def closes(self) -> bool:
        """Clears the filter; False where there is none."""
        if not self.model.trace.words:
            return False
        self.filter("")
        return True

    def filter(self, words: str) -> None:
        self.model.trace.filter(words)
        self.following = True
        self.changed()
