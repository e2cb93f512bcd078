"""The full-screen program of a cluster: the screens of one site or several, and how they are left.

Rules that hold here:
- Keys that come in the same burst as the Enter that ended a line or a dialog wait in the composer's draft.
- Leaving never stops an engine unasked; what the screen was started for (`Leaving`) decides what is asked.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.app import SystemCommand
from textual.screen import Screen

from engine.contract.errors import RequestFailed
from engine.contract.requests import Stop
from tui.alerts import Alert, alert_of
from tui.hops import Glyphs, Hop, Leaving
from tui.rows import Role, row
from tui.screens.leave import Decision, leave_dialog
from tui.screens.main import MainScreen
from tui.screens.palette import commands
from tui.shell import Shell
from tui.site.ending import exit_status
from tui.site.look import LookFile
from tui.site.notices import STOP

STOP_TIMEOUT_S: Final = 15.0


class LoggosApp(Shell):
    HOME_ACTIONS: ClassVar[frozenset[str]] = frozenset({"hop", "mouse", "leave", "detach"})

    def __init__(self, hops: Sequence[Hop], leaving: Leaving, glyphs: Glyphs = Glyphs.ALL) -> None:
        super().__init__(glyphs)
        self._hops = hops
        self._leaving = leaving
        self._at = 0
        self._alert = Alert.OFF
        self._screens: dict[Hop, MainScreen] = {}

    @property
    def main(self) -> MainScreen:
        """The screen of the site that is shown, whatever lies over it."""
        return next(screen for screen in self.screen_stack if isinstance(screen, MainScreen))

    def is_home(self, screen: Screen[object]) -> bool:
        return isinstance(screen, MainScreen)

    def remark(self, words: str) -> None:
        self.main.remark(words)

    def take_rest(self, key: events.Key) -> None:
        self.main.composer.take_rest(key)

    def remembered_theme(self) -> str:
        return LookFile(self._hops[self._at].folder).load()

    def remember_theme(self, name: str) -> None:
        """At all sites whose screens can be shown: they have one look."""
        try:
            for hop in self._hops:
                LookFile(hop.folder).save(name)
        except OSError as failed:
            self.remark(f"this theme cannot be saved, so it is for this session only: {failed.strerror}")

    def get_default_screen(self) -> MainScreen:
        return self._hop_screen()

    def begin(self) -> None:
        try:
            self._alert = alert_of(os.environ)
        except ValueError as unknown:
            self.call_later(self.remark, str(unknown))

    def _hop_screen(self) -> MainScreen:
        """That of the site which is to be shown, made when it is shown first."""
        hop = self._hops[self._at]
        if hop not in self._screens:
            self._screens[hop] = MainScreen(hop, self._hops, self._leaving, lambda: self._alert)
            self.install_screen(self._screens[hop], hop.site)
        return self._screens[hop]

    def action_hop(self) -> None:
        if len(self._hops) == 1:
            self.main.remark("h shows the next site of a demo; there is only one site here")
            return
        self._at = (self._at + 1) % len(self._hops)
        self.switch_screen(self._hop_screen())

    # Leaving.

    def action_leave(self) -> None:
        asks = self._leaving is not Leaving.DETACHES
        if not asks or (self._leaving is Leaving.ASK and not self.main.model.live):
            self.end()
            return
        model = self.main.model
        unsent = {hop.site: tuple(screen.submissions.unsent()) for hop, screen in self._screens.items()}
        self.push_screen(leave_dialog(model.hop, model.status, self._leaving, unsent), self._decided)

    def action_detach(self) -> None:
        if self._leaving is Leaving.STOPS_ALL:
            self.action_leave()
        else:
            self.end()

    def _decided(self, decision: Decision | None) -> None:
        match decision:
            case Decision.STOP:
                stopping = row(("… ", Role.NOTE), f"stopping the engine of {self.main.model.site}")
                self.main.board.begin(STOP, lambda: stopping)
                self.run_worker(self._stop(), group="stop")
            case Decision.DETACH:
                self.end()
            case None:
                pass

    async def _stop(self) -> None:
        """Asks the engine to stop, and leaves once it has let go of its store."""
        model = self.main.model
        try:
            await model.link.ask(Stop())
            await asyncio.wait_for(model.link.down.wait(), STOP_TIMEOUT_S)
        except RequestFailed as failed:
            self.main.board.end(STOP)
            self.main.complain(f"the engine does not stop: {failed}")
        except TimeoutError:
            self.main.board.end(STOP)
            self.main.complain(f"the engine has not stopped within {STOP_TIMEOUT_S:.0f} s; d leaves it")
        else:
            self._leave(0)

    def end(self) -> None:
        self._leave(exit_status(self.main.model, self._leaving))

    def _leave(self, status: int) -> None:
        for screen in self._screens.values():
            if screen.is_mounted:
                screen.composer.keep()
                screen.submissions.keep()
                screen.timeline.keep()
        self.exit(status)

    # The palette.

    def action_alert(self) -> None:
        """The next way of telling of a tweet that names a site; the palette has it."""
        self._alert = self._alert.after
        self.main.remark(self._alert.what)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        yield from commands(self.main)
        yield SystemCommand(
            "notify",
            f"Look: how a tweet that names the site is announced: {self._alert}, next {self._alert.after}",
            self.action_alert,
        )
        yield SystemCommand("theme", "Look: choose other colours, light or dark; remembered", self.action_change_theme)


def run_screen(hops: Sequence[Hop], leaving: Leaving, glyphs: Glyphs = Glyphs.ALL) -> int:
    """Shows the first of `hops` until it is left; returns the exit status.

    0, or the status with which the engine stopped by itself, 5 if it went away without a word (0 where all are stopped
    afterwards), 1 after a crash.
    """
    app = LoggosApp(hops, leaving, glyphs)
    gc.freeze()  # what is loaded stays: to look through it for garbage again and again would hold keys up
    status = app.run()
    return app.return_code or 0 if status is None else status
