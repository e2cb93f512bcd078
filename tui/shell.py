"""A full-screen program, whatever it shows: its terminal, its colours, and the keys before anything takes them.

Rules that hold here:
- The terminal is restored whatever happens: leaving, signals, a hang-up, a crash (whose traceback is then printed).
- Keys that come in the same burst as the Enter that ended a line or a dialog are no commands: they are text, and who
  shows the screen says what becomes of them (`take_rest`).
- What is shown first is the home screen; whatever lies over it is answered before its keys work again.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import deque
from collections.abc import Callable
from functools import partial
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import ClassVar, Final

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.screen import Screen
from textual.theme import Theme

from tui import keys
from tui.ascii_glyphs import AsciiTerminal
from tui.bursts import KEYS_MAX, burst_of
from tui.hops import Glyphs
from tui.panes.bars import KeyBar
from tui.panes.field import Field
from tui.panes.paint import ROLE_CLASSES
from tui.terminal import Terminal

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
CALM_LIGHT: Final = Theme(
    name="calm-light",
    primary="#2f5d8a",
    secondary="#5d6373",
    accent="#2f5d8a",
    warning="#855300",
    error="#b3261e",
    success="#2f6b2f",
    foreground="#16191d",
    background="#fbfbf8",
    surface="#f3f3ef",
    panel="#e2e5e3",
    dark=False,
)
COLOURLESS: Final = "ansi-dark"


BY_WHAT_IT_DOES: Final = 0.001
"""The score of an action whose name does not match: below that of any name."""


class Actions(Provider):
    """All that the program has for the palette: found by their names, loosely, and then by what they do, where words
    begin so."""

    async def discover(self) -> Hits:
        for name, what, run, _ in sorted(self.app.get_system_commands(self.screen), key=itemgetter(0)):
            yield DiscoveryHit(name, run, help=what)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        beginnings = [re.compile(rf"\b{re.escape(word)}", re.IGNORECASE) for word in query.split()]
        for name, what, run, _ in self.app.get_system_commands(self.screen):
            score = matcher.match(name)
            if not score and beginnings and all(word.search(what) for word in beginnings):
                score = BY_WHAT_IT_DOES
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=what)


class Themes(Provider):
    """The looks that there are, each with what it is."""

    async def discover(self) -> Hits:
        for theme in self._themes():
            yield DiscoveryHit(theme.name, self._choice(theme), help=_kind(theme))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for theme in self._themes():
            score = matcher.match(f"{theme.name} {_kind(theme)}")
            if score > 0:
                yield Hit(score, matcher.highlight(theme.name), self._choice(theme), help=_kind(theme))

    def _themes(self) -> list[Theme]:
        return sorted(self.app.available_themes.values(), key=attrgetter("name"))

    def _choice(self, theme: Theme) -> Callable[[], None]:
        app = self.app
        assert isinstance(app, Shell)
        return partial(app.choose_theme, theme.name)


def _kind(theme: Theme) -> str:
    shade = "dark" if theme.dark else "light"
    return f"{shade}, in the 16 colours of the terminal (ANSI)" if theme.ansi else shade


class Palette(CommandPalette):
    """Its keys stand where the home screen's stood."""

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield KeyBar(lambda: keys.FINDING)


class Shell(App[int]):
    COMPONENT_CLASSES: ClassVar[set[str]] = {*ROLE_CLASSES}
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    TITLE = "loggos"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]
    HOME_ACTIONS: ClassVar[frozenset[str]]
    """Actions of the program that are keys of the home screen, declined where it declines its own."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._colourless = "NO_COLOR" in os.environ
        driver = AsciiTerminal if glyphs is Glyphs.ASCII else Terminal
        super().__init__(driver_class=driver, ansi_color=True if self._colourless else None)
        self._mouse_released = False
        self.burst: int | None = None
        """That of the newest key."""
        self._keys: deque[events.Key] = deque()
        self._unsettled: Field | None = None
        """The line in which Enter or Escape was typed, until its owner has said what becomes of it."""
        self._entered: int | None = None
        """The burst of the newest Enter that ended something."""
        self.animation_level = "none"

    # What each program has of its own.

    def is_home(self, screen: Screen[object]) -> bool:
        """Whether this is the screen over which all else lies."""
        raise NotImplementedError

    def get_default_screen(self) -> Screen[None]:
        """The home screen: there is no empty one under it, which would be laid out and painted first."""
        raise NotImplementedError

    def begin(self) -> None:
        """What is done once the home screen is there."""

    def end(self) -> None:
        """Leaves at once, unasked."""
        raise NotImplementedError

    def remark(self, words: str) -> None:
        """Says something on the home screen."""
        raise NotImplementedError

    def take_rest(self, key: events.Key) -> None:
        """A key that came together with the Enter before it."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Leaves; what is to be asked first is asked."""
        raise NotImplementedError

    def remembered_theme(self) -> str:
        """The name of the theme that was chosen last; empty where none was."""
        return ""

    def remember_theme(self, name: str) -> None:
        """Keeps the choice for the next time, where there is a place for it."""

    # The terminal.

    def on_mount(self) -> None:
        for theme in (CALM, CALM_LIGHT):
            self.register_theme(theme)
        chosen = self.remembered_theme()
        if self._colourless:
            self.theme = COLOURLESS
        else:
            self.theme = chosen if chosen in self.available_themes else CALM.name
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.end)
        self.begin()

    def choose_theme(self, name: str) -> None:
        self.remember_theme(name)
        if self._colourless:
            self.remark(f"NO_COLOR is set, so there are no colours here; {name} takes effect without it")
        else:
            self.theme = name

    def action_mouse(self) -> None:
        terminal = self._driver
        if not isinstance(terminal, Terminal):
            return
        self._mouse_released = not self._mouse_released
        if self._mouse_released:
            terminal.release_mouse()
            self.remark("the mouse now selects text in the terminal; m gives it back")
        else:
            terminal.grab_mouse()
            self.remark("the mouse works here again")

    def write(self, sequence: str) -> None:
        """What the terminal is told beside the picture."""
        if self._driver is not None and sequence:
            self._driver.write(sequence)

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
                self.take_rest(key)
                continue
            if key.key in {"enter", "escape"} and isinstance(self.focused, Field):
                self._unsettled = self.focused
            await super().on_event(key)

    def on_too_much(self) -> None:
        self.remark(f"too much was typed or pasted at once: only the first {KEYS_MAX:,} keys were taken")

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
        if key.key == "enter" and (isinstance(self.focused, Field) or not self.is_home(self.screen)):
            self._entered = self.burst
        return False

    # Leaving.

    async def action_quit(self) -> None:
        """Ctrl+C, whatever lies over the home screen."""
        while not self.is_home(self.screen):
            self.pop_screen()
        self.action_leave()

    def hung_up(self) -> None:
        """The terminal is gone: nobody is there to be asked."""
        self.end()

    # The palette.

    def action_command_palette(self) -> None:
        self.push_screen(Palette(providers=[Actions], id="--command-palette"))

    def search_themes(self) -> None:
        self.push_screen(Palette(providers=[Themes], placeholder="a name, or light, dark, ansi"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the home screen that are the program's are declined with the others; what lies over it is
        answered first."""
        if action == "command_palette":
            return self.is_home(self.screen)
        if action == "suspend_process":
            return not isinstance(self.focused, Field)  # there the key takes a step back, as in other editors
        if action in self.HOME_ACTIONS and self.is_home(self.screen):
            return self.screen.check_action(f"app.{action}", parameters)
        return True
