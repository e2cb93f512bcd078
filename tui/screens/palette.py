"""Every action by name (Ctrl+P), or by what it does, from the one table of keys.

Rules that hold here:
- An action that is called by name is done whatever its key means where the focus is.
- What acts on a row that nobody has seen is not done: the pane is shown first, with the key that does it there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable

from textual.actions import parse
from textual.app import SystemCommand
from textual.dom import DOMNode

from tui import keys
from tui.keys import Key
from tui.screens.main import MainScreen

IN_FAULTS = "in Faults"


def commands(main: MainScreen) -> Iterator[SystemCommand]:
    """All that the keys of `main` and of its panes do."""
    taken = main.keys_taken()
    for group, table in keys.GROUPS:
        for key in table:
            name = key.name if key.cap in taken else f"{key.name} ({key.cap})"
            yield SystemCommand(name, f"{group}: {key.what}", _runner(main, key))
    for key in keys.FAULTS:
        where = "" if main.active == "faults" else f" {IN_FAULTS}"
        yield SystemCommand(f"{key.name} ({key.cap}{where})", f"Faults: {key.what}", _fault_runner(main, key))


def _runner(main: MainScreen, key: Key) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        main.stop_typing()
        await _do(main.app if key.action.startswith("app.") else main, key.action)

    return run


def _fault_runner(main: MainScreen, key: Key) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        main.stop_typing()
        seen = main.active == "faults"
        main.action_show("faults")
        if seen or key.action not in keys.OF_ROW:
            await _do(main.faults, key.action)
        else:
            main.remark(f"{key.cap} here: {key.what}")

    return run


async def _do(target: DOMNode, action: str) -> None:
    _, name, parameters = parse(action)
    done = getattr(target, f"action_{name}")(*parameters)
    if isawaitable(done):
        await done
