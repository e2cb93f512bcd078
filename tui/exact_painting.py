"""Painting text whose width terminals disagree about: emoji forms and skin tones, spacing marks, and their like.

Textual counts cells as Rich does and lets one piece of a line follow the other; where the terminal counts differently,
everything to the right of such text is shifted, or cells keep what stood there before.

Rules that hold here:
- Each piece of a line (what one widget shows of it) is painted where it belongs, by a cursor movement of its own.
- Where the width of a piece is uncertain, its cells are blanked first, and blanks at its end are not printed again.
- It relies on rows that are never longer than the widest count (`tui.rows.cell_len`).
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from rich.console import Console
from rich.control import Control
from textual.screen import Screen
from textual.strip import Strip

from tui.textual_inside import ChopsUpdate, LayoutUpdate, SteadyCompositor, paint_with

_UNCERTAIN: Final = re.compile("[^\x20-\x7e\xa0-\u02ff\u0370-\u0482\u2010-\u2027\u2030-\u25ff\u2700-\u27bf]")
"""Any character beyond the alphabets, signs and frames of which every terminal makes one cell."""


def is_uncertain(text: str) -> bool:
    """Whether terminals may give `text` different widths."""
    return _UNCERTAIN.search(text) is not None


class ExactUpdate(ChopsUpdate):
    """Writes pieces of lines as ChopsUpdate does, each where it belongs."""

    def render_segments(self, console: Console) -> str:
        written: list[str] = []
        for y, first, last in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= last or end <= first:
                    continue
                whole = first <= x < last and end <= last
                piece = strip if whole else strip.crop(0, min(end, last) - x)
                written.append(_painted(piece, x, y, console))
        return "".join(written)


class ExactCompositor(SteadyCompositor):
    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        if simplify:  # for a picture, where nothing is shifted
            return super().render_full_update(simplify=simplify)
        self._dirty_regions = {self.size.region}
        # What is asked for is something to display, as either kind of update is.
        return cast("LayoutUpdate", self.render_partial_update())

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return None if update is None else ExactUpdate(update.chops, update.spans, update.chop_ends)


def paint_exactly(screen: Screen[Any]) -> None:
    """Lets a screen that was just made paint this way."""
    paint_with(screen, ExactCompositor())


def _painted(strip: Strip, x: int, y: int, console: Console) -> str:
    there = Control.move_to(x, y).segment.text
    if not is_uncertain(strip.text):
        return there + strip.render(console)
    segments = list(strip)
    blank = Strip.blank(strip.cell_length, segments[-1].style)
    while segments and not segments[-1].text.strip():
        segments.pop()
    return there + blank.render(console) + there + Strip(segments).render(console)
