"""What a site's screen does for who reads: the first tweet that is new, how times are told, what is copied.

Rules that hold here:
- `y` copies what was written, `Y` the line in which it stands. What is no tweet is copied as it stands by both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.contract.answers import TimelineLine
from tui import times
from tui.alerts import Alert
from tui.counted import plural
from tui.hops import Hop
from tui.inert import inert
from tui.panes.log import LogPane
from tui.panes.timeline import TimelinePane
from tui.rows import plain
from tui.screens.searching import SearchScreen
from tui.shell import Shell
from tui.site.mentions import Mentions

AlertOf = Callable[[], Alert]


class ReadingScreen(SearchScreen):
    def __init__(self, hop: Hop, cluster: Sequence[Hop], alert: AlertOf) -> None:
        """`alert`: how its reader is told that somebody names this site."""
        super().__init__(hop, cluster)
        self._alert = alert
        self._mentions = Mentions(self.model, self._named)

    def look_for_mentions(self) -> None:
        """Something came, or nothing may have; nobody looks who wants not to be told."""
        if self._alert() is Alert.OFF:
            self._mentions.forget()
        elif self.model.live:
            self.run_worker(self._mentions.look(), group="mentions")

    def _named(self, line: TimelineLine, count: int) -> None:
        more = f" (and {plural(count - 1, 'other tweet')})" if count > 1 else ""
        self._write(self._alert().sequence(f"{line.author} to {self.model.site}", f"{line.text}{more}"))

    def _write(self, sequence: str) -> None:
        shell = self.app
        assert isinstance(shell, Shell)
        shell.write(sequence)

    def action_first_unread(self) -> None:
        self.action_show("timeline")
        mark = self.model.reading.last_read
        if mark is None:
            self.hint("nothing in the timeline is new to you")
        elif not self.lacks_engine("what is new could not be read"):
            self.timeline.go_behind_slot(mark.slot)
            self.remark(f"new since {times.day_and_minute(mark.at)}; end goes to the newest, and all are read")

    def action_times(self) -> None:
        if not isinstance(self.pane, TimelinePane):
            self.action_show("timeline")
        self.timeline.tell_ages()

    def action_copy(self) -> None:
        pane = self.pane
        text = pane.text() if isinstance(pane, TimelinePane | LogPane) and not self.model.over else None
        if text is None:
            self.action_copy_line()
        else:
            self._copy(inert(text), "the tweet is copied")

    def action_copy_line(self) -> None:
        if self.model.over:
            self._copy(self.model.hop.command("serve"), "copied: the command that starts the engine")
        elif text := "\n".join(map(plain, self.pane.selected())):
            self._copy(text, "copied")
        else:
            self.hint("no row is selected")

    def _copy(self, text: str, said: str) -> None:
        self.app.copy_to_clipboard(text)
        self.remark(f"{said}; if the terminal ignores OSC 52, select with m and the mouse")
