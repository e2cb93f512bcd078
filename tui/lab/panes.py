"""The panes of the lab: the acceptors' table, the messages in flight, the diagram, and the bars around them.

Rules that hold here:
- A pane paints what is in view, from the frame that is shown; however long a run is, a step costs the same.
- They have no focus: the lab's keys mean the same wherever one looks. A click picks what it hits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar

from textual import events
from textual.message import Message

from engine.core.explained.spacetime import Pen
from engine.core.ids import SiteId, Slot
from tui.counted import plural
from tui.lab import acceptors
from tui.lab.bench import Bench
from tui.lab.diagram import DiagramRows, heads, painted, pen_for
from tui.lab.flights import Seeing, flight_row
from tui.panes.lines import GUTTER, ScrolledRows
from tui.panes.paint import Painted
from tui.rows import BLANK, Part, Role, Row, row, width_of, wrapped


class BenchRows(ScrolledRows, can_focus=False):
    """A pane of the bench."""

    def __init__(self, bench: Bench, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.bench = bench
        self.following = False

    @property
    def shows_cursor(self) -> bool:
        return True

    def put(self, bench: Bench) -> None:
        """Another run is looked at."""
        self.bench = bench
        self.learn()

    def learn(self) -> None:
        """The bench shows or picks something else."""
        raise NotImplementedError

    def on_show(self) -> None:
        self.learn()
        self.measure()


class AcceptorsPane(BenchRows):
    """The head, then a row for each site; or for each slot of the log."""

    class Picked(Message):
        """A site was clicked, or in the log a slot."""

        def __init__(self, what: SiteId | Slot) -> None:
            super().__init__()
            self.what = what

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, id="lab-acceptors")
        self._head: Row = BLANK
        self._rows: list[Row] = []
        self._slots: list[Slot] = []

    def title(self) -> str:
        if self.bench.is_log:
            return f"the log · {plural(len(self._slots), 'slot')}"
        slot = self.bench.slot
        entry = self.bench.frame.chosen.get(slot)
        chosen = "" if entry is None else f" · chosen {acceptors.value(entry)}"
        return f"slot {slot}{'' if self.bench.follows_slot else ' · end follows the steps'}{chosen}"

    def learn(self) -> None:
        bench = self.bench
        width = self.rows_width
        if bench.is_log:
            self._head = acceptors.log_head(bench.names, width)
            self._slots = acceptors.slots_of(bench.frame)
            self.cursor = 1 + bisect_left(self._slots, bench.slot) if self._slots else 0
        else:
            self._head, self._rows = acceptors.slot_table(bench.frame, bench.before, bench.names, bench.slot, width)
            self.cursor = 1 + bench.names.index(bench.site)
        self.changed()
        self._bring_into_view()

    def on_resize(self) -> None:
        super().on_resize()
        self.learn()

    def rows_count(self) -> int:
        return 1 + len(self._slots if self.bench.is_log else self._rows)

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:
        if index == 0:
            return (self._head,)
        if self.bench.is_log:
            return (acceptors.log_row(self.bench.frame, self.bench.names, self._slots[index - 1], width),)
        return (self._rows[index - 1],)

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()  # two clicks on a row are no more than one
        self.go(event.y - self.gutter.top + self.scroll_offset.y)

    def go(self, index: int) -> None:
        """A click."""
        if self.bench.is_log and 1 <= index <= len(self._slots):
            self.post_message(self.Picked(self._slots[index - 1]))
        elif not self.bench.is_log and 1 <= index <= len(self.bench.names):
            self.post_message(self.Picked(self.bench.names[index - 1]))


class FlightsPane(BenchRows):
    """A double click is told as `Chosen`."""

    class Picked(Message):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, id="lab-flights")
        self._seeing = Seeing(0, Slot(1), bench.names)

    def title(self) -> str:
        flying = self.bench.frame.flights
        held = sum(each.arrives_at_ms is None for each in flying)
        first, last = self.scroll_offset.y + 1, min(len(flying), self.scroll_offset.y + self.rows_height)
        seen = f"{first}-{last}/" if last - first + 1 < len(flying) else ""
        return f"in flight: {seen}{len(flying)}" + (f", {held} held" if held else "")

    def learn(self) -> None:
        bench = self.bench
        self._seeing = Seeing(bench.frame.at_ms, bench.slot, bench.names)
        flight = bench.flight
        if flight is not None:
            self.cursor = bench.frame.flights.index(flight)
        self.changed()
        if flight is not None:
            self._bring_into_view()

    def empty(self) -> Sequence[Row]:
        return wrapped(row(("No message is on its way.", Role.DIM)), self.rows_width)

    def rows_count(self) -> int:
        return len(self.bench.frame.flights)

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:
        return (flight_row(self.bench.frame.flights[index], self._seeing, width),)

    def go(self, index: int) -> None:
        """A click."""
        self.post_message(self.Picked(self.bench.frame.flights[index].number))


class DiagramPane(BenchRows):
    """Follows the newest row, unless somebody has scrolled up."""

    SELECTS: ClassVar = False

    class Picked(Message):
        """A double click on a row."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, id="lab-diagram")
        self.following = True
        self._drawn = DiagramRows(bench.names)
        self._count = 0
        self._made = 0
        self._pen: Pen | None = None

    def title(self) -> str:
        return ""

    @property
    def place(self) -> str:
        """Which rows are in view, where that is not the end."""
        if self.following:
            return ""
        first = self.scroll_offset.y + 1
        return f"rows {first}-{min(self._count, first + self.rows_height - 1)} of {self._count} · end follows"

    def put(self, bench: Bench) -> None:
        self._drawn = DiagramRows(bench.names)
        self._pen = None
        self.following = True
        super().put(bench)

    def learn(self) -> None:
        reel = self.bench.reel
        if self._drawn.take(reel.frames):
            self._made += 1
        self._count = self._drawn.count(reel.position)
        self.measure()
        self.refresh()

    def on_resize(self) -> None:
        self._pen = None
        super().on_resize()

    def rows_count(self) -> int:
        return self._count

    def row_key(self, index: int) -> Hashable:
        return index, self._made, self._drawn.rows[index].step == self.bench.frame.step

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:
        if self._pen is None:
            self._pen = pen_for(width, len(self.bench.names))
        rows = self._drawn.rows
        clock = index == 0 or rows[index - 1].row.at_ms != rows[index].row.at_ms
        is_now = rows[index].step == self.bench.frame.step
        return (painted(rows[index], self._pen, clock=clock, is_now=is_now),)

    def empty(self) -> Sequence[Row]:
        if not self.bench.exhibit.is_planned:
            free = row(
                "Nothing is planned here: ", ("t", Role.KEY), " submits a tweet at the site that is picked (← →)."
            )
            return wrapped(free, self.rows_width)
        said = row(
            "Each step is drawn here: a lane for each site, an arrow for each message. ",
            ("n", Role.KEY),
            " is a step, ",
            ("p", Role.KEY),
            " plays.",
        )
        return wrapped(said, self.rows_width)

    def page(self, by: int) -> None:
        self.unfollow()
        self._scroll(max(0, min(self.scroll_offset.y + by * max(1, self.rows_height - 1), self.max_scroll_y)))
        self.show_title()
        self.post_message(self.Retitled())

    def top(self) -> None:
        self.unfollow()
        self._scroll(0)
        self.post_message(self.Retitled())

    def go(self, index: int) -> None:
        pass

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()  # a row is no thing to be done something to
        line = event.y + self.scroll_offset.y
        if event.chain == 2 and 0 <= line < self._count:
            self.post_message(self.Picked(self._drawn.rows[line].step))


class LaneHeads(Painted):
    """The names above the diagram's lanes, and which of its rows are in view."""

    def __init__(self, pane: DiagramPane) -> None:
        super().__init__(id="lab-heads")
        self._pane = pane

    def rows(self, width: int) -> Sequence[Row]:
        names = heads(self._pane.bench.names, self._pane.rows_width)
        head = (Part(" " * GUTTER), *names)
        place = self._pane.place
        room = width - sum(width_of(part.text) for part in head) - len(place) - 1
        return [(*head, Part(" " * max(1, room)), Part(place if room > 0 else "", Role.WARN))]


class Bar(Painted):
    """Lines that somebody else words."""

    def __init__(self, words: Callable[[int], Sequence[Row]], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._words = words

    def rows(self, width: int) -> Sequence[Row]:
        return self._words(width)
