"""The full-screen program of the lab."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from inspect import isawaitable
from typing import ClassVar, Final

from textual import events
from textual.actions import parse
from textual.app import SystemCommand
from textual.screen import Screen

from tui.hops import Glyphs
from tui.keys import Key
from tui.lab import keys
from tui.lab.bench import Exhibit
from tui.lab.free import BEGUN, free_lab
from tui.lab.opener import LabOpener
from tui.lab.screen import LabScreen, Opener
from tui.shell import Shell


class LabApp(Shell):
    HOME_ACTIONS: ClassVar[frozenset[str]] = frozenset({"mouse", "leave"})
    TITLE = "loggos lab"

    def __init__(self, exhibit: Exhibit, opener: Opener, glyphs: Glyphs = Glyphs.ALL, *, asks: bool = False) -> None:
        """`asks`: what is to be looked at is asked first."""
        super().__init__(glyphs)
        self.lab = LabScreen(exhibit, opener)
        self._asks = asks

    def is_home(self, screen: Screen[object]) -> bool:
        return screen is self.lab

    def get_default_screen(self) -> LabScreen:
        return self.lab

    def begin(self) -> None:
        if self._asks:
            self.call_after_refresh(self.lab.action_scenarios)

    def remark(self, words: str) -> None:
        self.lab.remark(words)

    def take_rest(self, key: events.Key) -> None:  # noqa: ARG002
        self.lab.complain("what came together with Enter is not taken as keys: it is left out")

    def end(self) -> None:
        self.exit(0)

    def action_leave(self) -> None:
        self.lab.ask_leave(self.end)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        for group, table in keys.GROUPS:
            for key in table:
                yield SystemCommand(f"{key.name} ({key.cap})", f"{group}: {key.what}", self._runner(key))
        for each in self.lab.opener.scenarios():
            yield SystemCommand(f"scenario {each.name}", each.summary, partial(self._open, each.name))
        yield SystemCommand("theme", "Look: other colours", self.action_change_theme)

    def _open(self, name: str) -> None:
        self.lab.stop_typing()
        self.lab.leave_for(lambda: self.lab.open_scenario(name))

    def _runner(self, key: Key) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            self.lab.stop_typing()
            _, name, parameters = parse(key.action)
            target = self if key.action.startswith("app.") else self.lab
            done = getattr(target, f"action_{name}")(*parameters)
            if isawaitable(done):
                await done

        return run


_NEVER: Final = 2**30


def run_lab(what: Sequence[str], size: int, broken: str | None, glyphs: Glyphs = Glyphs.ALL) -> int:
    """Shows what these words name, or asks where there are none, until it is left; returns the exit status: 0, or 1
    after a crash. `size` and `broken` as LabOpener has them. Raises ValueError, with what to write instead."""
    opener = LabOpener(size, broken)
    exhibit = opener.open_words(what) if what else opener.play(*free_lab(BEGUN))
    app = LabApp(exhibit, opener, glyphs, asks=not what)
    # What is loaded stays, and so does each frame that is made: to look through all of it for garbage again and again
    # would hold keys up. Nothing of it is part of a cycle; what is, mostly dies young.
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], _NEVER)
    status = app.run()
    return app.return_code or 0 if status is None else status
