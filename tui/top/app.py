"""The screen of `top`: it looks once a second, and shows what there is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui import times
from tui.hops import Glyphs
from tui.keys import Key
from tui.panes.bars import KeyBar
from tui.panes.lines import ScrolledRows
from tui.panes.paint import Painted
from tui.rows import Role, Row, row
from tui.shell import Shell
from tui.top.table import rows
from tui.top.watch import Watch, Watched

KEYS: Final = (
    Key("space", "space", "pause", "pause", "pause, or resume"),
    Key("up,down", "↑↓", "", "scroll", "scroll"),
    Key("q", "q", "app.leave", "quit", "leave; engines run on"),
)


class Title(Painted):
    said: Row = ()

    def tell(self, said: Row) -> None:
        self.said = said
        self.say()

    def rows(self, width: int) -> Sequence[Row]:  # noqa: ARG002
        return [self.said]


class SitesPane(ScrolledRows):
    SELECTS: ClassVar = False

    def __init__(self, nothing: str) -> None:
        super().__init__(id="top-sites")
        self._nothing = nothing
        self._sites: Sequence[Watched] = ()
        self._rows: list[Row] = []
        self.following = False

    def show_sites(self, sites: Sequence[Watched]) -> None:
        self._sites = sites
        self._write()

    def _write(self) -> None:
        self._rows = rows(self._sites, self.rows_width)
        self._strips.clear()
        self.measure()
        self.refresh()

    def rows_count(self) -> int:
        return len(self._rows)

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:  # noqa: ARG002
        return (self._rows[index],)

    def empty(self) -> Sequence[Row]:
        return [row((self._nothing, Role.DIM))]

    def title(self) -> str:
        return ""

    def on_resize(self) -> None:
        self._write()
        super().on_resize()

    def action_move(self, by: int) -> None:
        self._scroll(max(0, min(self.scroll_offset.y + by, self.max_scroll_y)))

    def action_page(self, by: int) -> None:
        self.action_move(by * (self.rows_height - 1))

    def action_first(self) -> None:
        self._scroll(0)


class TopScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", show=False),
        Binding("q,escape", "app.leave", show=False),
    ]

    def __init__(self, watch: Watch, every_s: float, nothing: str) -> None:
        super().__init__()
        self._watch = watch
        self._every_s = every_s
        self.paused = False
        self.looks = 0
        self.bar = Title(id="top-title")
        self.pane = SitesPane(nothing)

    def compose(self) -> ComposeResult:
        yield self.bar
        yield self.pane
        yield KeyBar(lambda: KEYS)

    def on_mount(self) -> None:
        self.pane.focus()
        self.run_worker(self._follow())

    async def _follow(self) -> None:
        while True:
            if not self.paused:
                self._show(await asyncio.to_thread(self._watch.look))
            await asyncio.sleep(self._every_s)

    def _show(self, sites: Sequence[Watched]) -> None:
        self.looks += 1
        self.pane.show_sites(sites)
        self._tell()

    def _tell(self) -> None:
        state = " · paused" if self.paused else ""
        every = f"{self._every_s:g} s"
        self.bar.tell(row(("loggos top", Role.STRONG), (f"  {times.now():%H:%M:%S}, every {every}{state}", Role.DIM)))

    def action_pause(self) -> None:
        self.paused = not self.paused
        self._tell()


class TopApp(Shell):
    HOME_ACTIONS: ClassVar[frozenset[str]] = frozenset({"leave"})
    TITLE = "loggos top"

    def __init__(self, watch: Watch, every_s: float, nothing: str, glyphs: Glyphs = Glyphs.ALL) -> None:
        super().__init__(glyphs)
        self.top = TopScreen(watch, every_s, nothing)

    def is_home(self, screen: Screen[object]) -> bool:
        return screen is self.top

    def get_default_screen(self) -> TopScreen:
        return self.top

    def end(self) -> None:
        self.exit(0)

    def remark(self, words: str) -> None:
        self.top.bar.tell(row(words))

    def take_rest(self, key: events.Key) -> None:
        """There is nothing to type here."""

    def action_leave(self) -> None:
        self.end()


def run_top(watch: Watch, every_s: float, nothing: str, glyphs: Glyphs) -> int:
    """Shows the sites until it is left; returns the exit status."""
    app = TopApp(watch, every_s, nothing, glyphs)
    status = app.run()
    return app.return_code or 0 if status is None else status
