"""Pane 3: the raw log, every slot with its state (docs/protocol.md "Words").

Rules that hold here:
- No-ops in a row are one row, until somebody opens them or goes to a slot among them. What is in view stays where it is
  when rows become one, or many.
- The ballot beside `chosen` is one at which it was chosen, or `--`: what this site's acceptor accepted last may be of
  another ballot. Elsewhere it is what the acceptor accepted, or else promised.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, Final

from engine.contract.answers import VOID, Attempt, LogLine, LogState, NoOps
from engine.contract.errors import RequestFailed
from engine.core.entry import Kind
from tui import entries, slots
from tui.counted import plural
from tui.panes.leaping import leap
from tui.panes.lines import Lines
from tui.rows import BLANK, Role, Row, fitted, row, wrapped
from tui.site.folds import Folds
from tui.site.log_pages import page_of, span_of
from tui.site.model import Change, SiteModel
from tui.site.wording import attempt_count, line_words

NAME_MAX: Final = 16
NAME_NARROW: Final = 8
BALLOT_NARROW: Final = 12
ROUND_DIGITS: Final = 4
STATE_WIDTH: Final = 11
KIND_WIDTH: Final = 7


class LogPane(Lines):
    ASPECTS: ClassVar = Change.LOG | Change.ATTEMPTS | Change.CONNECTION | Change.STATUS

    def __init__(self, model: SiteModel) -> None:
        super().__init__(model, id="log")
        self._folds = Folds()
        self._folded_as = 0  # of the model's stretches
        self._opened: set[int] = set()  # a slot of each stretch that is

    def title(self) -> str:
        used = self.model.log.last
        if not used and not self.model.was_read:
            return "3 Log · nothing read" if self.model.over else "3 Log"
        holes = 0 if self.model.status is None or self.model.over else len(self.model.status.holes)
        above = self.scroll_offset.y
        top = min(used, self._slots_at(above)[0])
        bottom = min(used, self._slots_at(above + self.rows_height - 1)[1])
        seen = f"{top:,}-{bottom:,} of {used:,}" if used else "was empty" if self.model.over else "empty"
        counted = plural(holes, "hole") if holes else ""
        way_out = " (esc closes)" if self.has_focus else ""
        opened = f"no-ops open{way_out}" if self._opened else ""
        paused = "" if self.following else "paused"
        return " · ".join(part for part in (f"3 Log {seen}", counted, opened, paused) if part)

    def empty(self) -> Sequence[Row]:
        said = row("The log is empty. Each event takes one slot; ", ("c", Role.KEY), " writes the first.")
        if not self.model.was_read:
            said = row(("Nothing was read from the engine." if self.model.over else "reading …", Role.DIM))
        elif self.model.over:
            said = row(("The log was empty when the engine was lost.", Role.WARN))
        return [BLANK, *wrapped(said, self.rows_width)]

    def rows_count(self) -> int:
        return self._folds.row_of(self.model.log.last) + 1 if self.model.log.last else 0

    def row_key(self, index: int) -> Hashable:
        return self._folds.at(index)

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:
        at = self._folds.at(index)
        if isinstance(at, NoOps):
            return (self._folded_row(at),)
        line = self.model.log.line(at)
        return None if line is None else (self._log_row(line, width),)

    def slot(self) -> int | None:
        """Of no-ops in one row the first."""
        return self._slots_at(self.cursor)[0] if self.rows_count() else None

    def text(self) -> str | None:
        """Of the selected slot, if it holds a tweet."""
        line = self.model.log.line(self._slots_at(self.cursor)[0])
        return line.text if line is not None and line.kind == Kind.TWEET else None

    def _slots_at(self, index: int) -> tuple[int, int]:
        """The first and the last slot of a row."""
        at = self._folds.at(index)
        return (at.first, at.last) if isinstance(at, NoOps) else (at, at)

    def _folded_row(self, no_ops: NoOps) -> Row:
        glyph, role = slots.mark(slots.NO_OP)
        return row(
            f"{no_ops.first:>{len(str(self.model.log.last))}}-{no_ops.last} ",
            (f"{glyph} {slots.no_ops_words(no_ops)}", role),
        )

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
        self._fold()
        new = self.model.changed_slots
        if new is None or change & Change.CONNECTION:
            self.changed()
            return
        for slot in new:
            if slot <= self.model.log.last:
                self.row_changed(self._folds.row_of(slot))
        self.measure()

    def _fold(self) -> None:
        """Puts no-ops that became known as a stretch into one row, but for those that are opened."""
        if self._folded_as != self.model.log.no_ops.version:
            self._lay_out()

    def _lay_out(self) -> None:
        """Rows become one, or many: the selected one, if it is in view, stays where it is, else the first in view."""
        stretches = self.model.log.no_ops
        above = self.scroll_offset.y
        kept = self.cursor if above <= self.cursor < above + self.rows_height else above
        kept_slot, selected = self._slots_at(kept)[0], self._slots_at(self.cursor)[0]
        self._folded_as = stretches.version
        opened = [found for slot in self._opened if (found := stretches.at(slot)) is not None]
        self._folds = Folds(each for each in stretches.each if each not in opened)
        self.cursor = self._folds.row_of(selected)
        self.changed()
        if not self.following:
            self._scroll(max(0, min(self._folds.row_of(kept_slot) - kept + above, self.max_scroll_y)))

    @property
    def is_folded(self) -> bool:
        """The selected row stands for many slots."""
        return isinstance(self._folds.at(self.cursor), NoOps)

    def opens(self) -> bool:
        """Shows the slots that the selected row stands for, each in its row; False where it stands for itself."""
        at = self._folds.at(self.cursor)
        if not isinstance(at, NoOps):
            return False
        self.unfollow()
        self._opened.add(at.first)
        self._lay_out()
        return True

    def closes(self) -> bool:
        """Folds what was opened; False where nothing was."""
        if not self._opened:
            return False
        self._opened.clear()
        self._lay_out()
        return True

    def load(self, first: int, last: int) -> None:
        if not self.model.live:
            return
        singly = (at for index in range(first, last + 1) if isinstance(at := self._folds.at(index), int))
        for page in {page_of(slot) for slot in singly if self.model.log.line(slot) is None}:
            self.run_worker(self._load(span_of(page)[0]), group="log")

    async def _load(self, slot: int) -> None:
        try:
            await self.model.read_log(slot)
        except RequestFailed as failed:
            self.model.complain(failed)

    def held_at(self, slot: int) -> int | None:
        """The row of `slot`; None if that was not read."""
        row = self._folds.row_of(slot)
        return row if isinstance(self._folds.at(row), NoOps) or self.model.log.line(slot) is not None else None

    def go_to_slot(self, slot: int) -> None:
        """Opens the no-ops that it is among: whoever goes there wants this one."""
        self._fold()
        if isinstance(self._folds.at(self._folds.row_of(slot)), NoOps):
            self._opened.add(slot)
            self._lay_out()
        leap(self, self._folds.row_of(slot))


def _state(line: LogLine, attempt: Attempt | None) -> tuple[str, str, Role]:
    """The word, the glyph and the role of a slot's state; what this site does there says more than the state."""
    if attempt is not None:
        return attempt.phase, "…", Role.NOTE
    word = slots.word(line)
    return word, *slots.mark(word)
