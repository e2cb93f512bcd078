"""The full-screen program: the screens of one site or several, and how they are left.

Rules that hold here:
- The terminal is restored whatever happens: leaving, signals, a hang-up, a crash (whose traceback is then printed).
- Keys that come in the same burst as the Enter that ended a line or a dialog are no commands: they are text, and wait
  in the composer's draft.
- Leaving never stops an engine unasked; what the screen was started for (`Leaving`) decides what is asked.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections import deque
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme, ThemeProvider

from engine.contract.errors import RequestFailed
from engine.contract.requests import Stop
from tui.bursts import KEYS_MAX, burst_of
from tui.hops import Hop, Leaving
from tui.panes.engine import exit_status
from tui.panes.field import Field
from tui.panes.paint import ROLE_CLASSES
from tui.screens.leave import Decision, leave_dialog
from tui.screens.main import MainScreen
from tui.screens.palette import Palette, commands
from tui.terminal import Terminal

STOP_TIMEOUT_S: Final = 15.0
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

CALM: Final = Theme(
    name="calm",
    primary="#7aa2c8",
    secondary="#8a8fa3",
    accent="#7aa2c8",
    warning="#d8a657",
    error="#e0736a",
    success="#8cb573",
    foreground="#d4d4d0",
    background="#15181c",
    surface="#1a1e23",
    panel="#242a31",
    dark=True,
)


class LoggosApp(App[int]):
    COMPONENT_CLASSES: ClassVar[set[str]] = {*ROLE_CLASSES}
    CSS_PATH = "screen.tcss"
    TITLE = "loggos"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]

    def __init__(self, hops: Sequence[Hop], leaving: Leaving) -> None:
        self._colourless = "NO_COLOR" in os.environ
        super().__init__(driver_class=Terminal, ansi_color=True if self._colourless else None)
        self._hops = hops
        self._leaving = leaving
        self._at = 0
        self._screens: dict[Hop, MainScreen] = {}
        self._mouse_released = False
        self.burst: int | None = None
        """That of the newest key."""
        self._keys: deque[events.Key] = deque()
        self._unsettled: Field | None = None
        """The line in which Enter or Escape was typed, until its owner has said what becomes of it."""
        self._entered: int | None = None
        """The burst of the newest Enter that ended something."""
        self.animation_level = "none"

    @property
    def main(self) -> MainScreen:
        """The screen of the site that is shown, whatever lies over it."""
        return next(screen for screen in self.screen_stack if isinstance(screen, MainScreen))

    def on_mount(self) -> None:
        self.register_theme(CALM)
        self.theme = "ansi-dark" if self._colourless else CALM.name
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._end)
        self._show_hop()

    def _show_hop(self) -> None:
        hop = self._hops[self._at]
        if hop not in self._screens:
            self._screens[hop] = MainScreen(hop, self._hops)
            self.install_screen(self._screens[hop], hop.site)
        if any(isinstance(screen, MainScreen) for screen in self.screen_stack):
            self.switch_screen(hop.site)
        else:
            self.push_screen(hop.site)

    def action_hop(self) -> None:
        if len(self._hops) == 1:
            self.main.remark("h goes to the next site's screen in the demo; here there is one site")
            return
        self._at = (self._at + 1) % len(self._hops)
        self._show_hop()

    def action_mouse(self) -> None:
        terminal = self._driver
        if not isinstance(terminal, Terminal):
            return
        self._mouse_released = not self._mouse_released
        if self._mouse_released:
            terminal.release_mouse()
            self.main.remark("the mouse selects text as the terminal does; m gives it back")
        else:
            terminal.grab_mouse()
            self.main.remark("the mouse is used here again")

    # Keys that come together.

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._keys.append(event)
            await self._take_keys()
        else:
            await super().on_event(event)

    async def _take_keys(self) -> None:
        """In the order in which they were typed: what a key means after Enter in a line is known when it is settled."""
        while self._keys and self._unsettled is None:
            key = self._keys.popleft()
            if self._is_text(key):
                self.main.composer.take_rest(key)
                continue
            if key.key in {"enter", "escape"} and isinstance(self.focused, Field):
                self._unsettled = self.focused
            await super().on_event(key)

    def on_too_much(self) -> None:
        self.main.remark(f"more was typed or pasted at once than is taken: the first {KEYS_MAX:,} keys were")

    async def on_field_settled(self) -> None:
        self._unsettled = None
        await self._take_keys()

    def _is_text(self, key: events.Key) -> bool:
        """Whether the key is the rest of a paste: an Enter in the same burst has sent a line already."""
        self.burst = burst_of(key)
        if self.burst is None:
            return False
        if self.burst == self._entered:
            return True
        if key.key == "enter" and (isinstance(self.focused, Field) or not isinstance(self.screen, MainScreen)):
            self._entered = self.burst
        return False

    # Leaving.

    async def action_quit(self) -> None:
        """Ctrl+C, whatever lies over the main screen."""
        while not isinstance(self.screen, MainScreen):
            self.pop_screen()
        self.action_leave()

    def action_leave(self) -> None:
        asks = self._leaving is not Leaving.DETACHES
        if not asks or (self._leaving is Leaving.ASK and not self.main.model.live):
            self._end()
            return
        dialog = leave_dialog(
            self.main.model.hop, self.main.model.status, self._leaving, len(self.main.submissions.pending)
        )
        self.push_screen(dialog, self._decided)

    def action_detach(self) -> None:
        if self._leaving is Leaving.STOPS_ALL:
            self.action_leave()
        else:
            self._end()

    def _decided(self, decision: Decision | None) -> None:
        match decision:
            case Decision.STOP:
                self.main.board.doing = f"stopping the engine of {self.main.model.site}"
                self.run_worker(self._stop(), group="stop")
            case Decision.DETACH:
                self._end()
            case None:
                pass

    async def _stop(self) -> None:
        """Asks the engine to stop, and leaves once it has let go of its store."""
        model = self.main.model
        try:
            await model.link.ask(Stop())
            await asyncio.wait_for(model.link.down.wait(), STOP_TIMEOUT_S)
        except RequestFailed as failed:
            self.main.board.doing = None
            self.main.complain(f"the engine does not stop: {failed}")
        except TimeoutError:
            self.main.board.doing = None
            self.main.complain(f"the engine has not stopped within {STOP_TIMEOUT_S:.0f} s; d leaves it")
        else:
            self.exit(0)

    def hung_up(self) -> None:
        """The terminal is gone: nobody is there to be asked."""
        self._end()

    def _end(self) -> None:
        for screen in self._screens.values():
            if screen.is_mounted:
                screen.composer.keep()
        self.exit(exit_status(self.main.model))

    # The palette.

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        yield from commands(self.main)
        yield SystemCommand("theme", "Look: other colours", self.action_change_theme)

    def action_command_palette(self) -> None:
        self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the main screen that are the program's are declined with the others; what lies over it is
        answered first."""
        if action == "command_palette":
            return isinstance(self.screen, MainScreen)
        if action in {"hop", "mouse", "leave", "detach"} and isinstance(self.screen, MainScreen):
            return self.screen.check_action(f"app.{action}", parameters)
        return True


def run_screen(hops: Sequence[Hop], leaving: Leaving) -> int:
    """Shows the first of `hops` until it is left; returns the exit status.

    0, or the status with which the engine stopped by itself, 5 if it went away without a word, 1 after a crash.
    """
    app = LoggosApp(hops, leaving)
    gc.freeze()  # what is loaded stays: to look through it for garbage again and again would hold keys up
    status = app.run()
    return app.return_code or 0 if status is None else status
