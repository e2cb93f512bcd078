"""Pane 3: the raw log, every slot with its state (docs/protocol.md "Words").

Rules that hold here:
- The ballot beside `chosen` is one at which it was chosen, or `--`: what this site's acceptor accepted last may be of
  another ballot. Elsewhere it is what the acceptor accepted, or else promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from engine.contract.answers import VOID, Attempt, LogLine, LogState
from engine.contract.errors import RequestFailed
from engine.core.entry import Kind
from tui import entries, slots
from tui.counted import plural
from tui.panes.leaping import leap
from tui.panes.lines import Lines
from tui.rows import BLANK, Role, Row, fitted, row, wrapped
from tui.site.model import Change, SiteModel
from tui.site.wording import attempt_count, line_words

NAME_MAX: Final = 16
NAME_NARROW: Final = 8
BALLOT_NARROW: Final = 12
ROUND_DIGITS: Final = 4
STATE_WIDTH: Final = 11
KIND_WIDTH: Final = 7


class LogPane(Lines):
    """Row `index` is slot `index + 1`."""

    ASPECTS: ClassVar = Change.LOG | Change.ATTEMPTS | Change.CONNECTION | Change.STATUS

    def __init__(self, model: SiteModel) -> None:
        super().__init__(model, id="log")

    def title(self) -> str:
        used = self.model.log.last
        if not used and not self.model.was_read:
            return "3 Log · nothing read" if self.model.over else "3 Log"
        holes = 0 if self.model.status is None or self.model.over else len(self.model.status.holes)
        top = min(used, self.scroll_offset.y + 1)
        bottom = min(used, self.scroll_offset.y + self.rows_height)
        seen = f"{top:,}-{bottom:,} of {used:,}" if used else "was empty" if self.model.over else "empty"
        counted = plural(holes, "hole") if holes else ""
        return " · ".join(part for part in (f"3 Log {seen}", counted, "" if self.following else "paused") if part)

    def empty(self) -> Sequence[Row]:
        said = row("The log is empty. Each event takes one slot; ", ("c", Role.KEY), " writes the first.")
        if not self.model.was_read:
            said = row(("Nothing was read from the engine." if self.model.over else "reading …", Role.DIM))
        elif self.model.over:
            said = row(("The log was empty when the engine was lost.", Role.WARN))
        return [BLANK, *wrapped(said, self.rows_width)]

    def rows_count(self) -> int:
        return self.model.log.last

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:
        line = self.model.log.line(index + 1)
        return None if line is None else (self._log_row(line, width),)

    def slot(self) -> int | None:
        return self.cursor + 1 if self.rows_count() else None

    def text(self) -> str | None:
        """Of the selected slot, if it holds a tweet."""
        line = self.model.log.line(self.cursor + 1)
        return line.text if line is not None and line.kind == Kind.TWEET else None

    def _log_row(self, line: LogLine, width: int) -> Row:
        narrow = width < 100
        names = max(map(len, self.model.sites))
        name_width = min(names, NAME_NARROW if narrow else NAME_MAX) + 1
        ballot_width = min(names + 1 + ROUND_DIGITS, BALLOT_NARROW) if narrow else names + 3 + ROUND_DIGITS
        state, glyph, role = _state(line, self._attempt(line))
        own = line.author == self.model.site
        author = "--" if line.author is None else line.author + ("*" if own else "")
        ballot = (line.chosen_at if line.state == LogState.CHOSEN else line.acc_num or line.max_prepare) or "--"
        kind = "--" if line.kind in {None, Kind.NOOP} else line.kind or ""
        return (
            *row(f"{line.slot:>{len(str(self.model.log.last))}} "),
            *row((f"{glyph} {state:<{STATE_WIDTH - 1}}", role)),
            *row((fitted(author, name_width) + " ", Role.STRONG if own else Role.NOTE)),
            *row((fitted(ballot, ballot_width) + " ", Role.DIM)),
            *row((f"{kind:<{KIND_WIDTH}} ", Role.DIM)),  # a longer one is rare, and pushes the text to the right
            *self._detail(line),
        )

    def _detail(self, line: LogLine) -> Row:
        attempt = self._attempt(line)
        if attempt is not None:
            entry = attempt.entry
            proposes = entry is not None and entry.author is not None  # a no-op, unless an entry is found there
            words = entries.content(entry) if entry is not None and proposes else line_words(line)
            return row((f"[{counted}] " if (counted := attempt_count(attempt)) else "", Role.NOTE), words)
        match line.state:
            case LogState.ACCEPTED:
                return row(("[accepted here] ", Role.WARN), line_words(line))
            case LogState.PROMISED:
                return row(("promised, nothing accepted here", Role.DIM))
            case LogState.HOLE:
                return row(("unknown here; f fills it" if self.model.live else "unknown here", Role.DIM))
            case _:
                role = Role.DIM if line.kind in {Kind.NOOP, VOID, Kind.WITHDRAWAL} else Role.PLAIN
                return row((line_words(line), role))

    def _attempt(self, line: LogLine) -> Attempt | None:
        """What this site does there, while there is an engine to do it."""
        return None if line.state == LogState.CHOSEN or self.model.over else self.model.attempts.get(line.slot)

    # What is read, and when.

    def learn(self, change: Change) -> None:
        if not self.display:
            return
        if change & Change.STATUS:
            self.show_title()  # it counts the holes
        if not change & (Change.LOG | Change.ATTEMPTS | Change.CONNECTION):
            return
        new = self.model.changed_slots
        if new is None or change & Change.CONNECTION:
            self.changed()
            return
        for slot in new:
            if slot <= self.rows_count():
                self.row_changed(slot - 1)
        self.measure()

    def load(self, first: int, last: int) -> None:
        if self.model.live:
            for slot in {first + 1, last + 1}:  # a view is never longer than a page
                self.run_worker(self._load(slot), group="log")

    async def _load(self, slot: int) -> None:
        try:
            await self.model.read_log(slot)
        except RequestFailed as failed:
            self.model.complain(failed)

    def held_at(self, slot: int) -> int | None:
        """The row of `slot`; None if that was not read."""
        return None if self.model.log.line(slot) is None else slot - 1

    def go_to_slot(self, slot: int) -> None:
        leap(self, slot - 1)


def _state(line: LogLine, attempt: Attempt | None) -> tuple[str, str, Role]:
    """The word, the glyph and the role of a slot's state; what this site does there says more than the state."""
    if attempt is not None:
        return attempt.phase, "…", Role.NOTE
    word = slots.word(line)
    return word, *slots.mark(word)
