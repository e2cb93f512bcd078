"""A real terminal is given back as it was, however the screen ends: left, signalled, hung up or crashed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tui.engine_double import EngineDouble, outcome

BOUND_S = 30.0
ROOT = Path(__file__).parents[2]

SCREEN = """
import sys
from pathlib import Path
from tui.app import LoggosApp, run_screen
from tui.hops import Hop, Leaving
from engine.core.ids import SiteId

class Crash(Exception):
    pass

def crash(self):
    raise Crash("a bug of the screen")

LoggosApp.action_mouse = crash
hop = Hop(SiteId("alice"), Path(sys.argv[1]), Path(sys.argv[2]), Path("sites.yaml"))
sys.exit(run_screen([hop], Leaving.DETACHES))
"""

ENTERED = b"\x1b[?1049h"
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1000l", b"\x1b[?1004l")


class Terminal:
    """A pseudo-terminal with the screen in it."""

    def __init__(self, process: asyncio.subprocess.Process, master: int, slave: int) -> None:
        self.process = process
        self.master = master
        self.slave = slave
        self.written = b""
        self._news = asyncio.Event()

    def readable(self) -> None:
        try:
            self.written += os.read(self.master, 65_536)
        except OSError:
            asyncio.get_running_loop().remove_reader(self.master)
        self._news.set()

    async def until_written(self, pattern: bytes) -> None:
        async with asyncio.timeout(BOUND_S):
            while not re.search(pattern, self.written):
                self._news.clear()
                await self._news.wait()

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def hang_up(self) -> None:
        """Takes the terminal away."""
        if self.master >= 0:
            asyncio.get_running_loop().remove_reader(self.master)
            os.close(self.master)
            os.close(self.slave)
            self.master = self.slave = -1

    async def ended(self) -> int:
        async with asyncio.timeout(BOUND_S):
            return await self.process.wait()


@asynccontextmanager
async def terminal(
    engine: EngineDouble, in_child: Callable[[], None] | None = None
) -> AsyncIterator[tuple[Terminal, list[Any]]]:
    """The screen, once it shows the site, and the terminal's modes before. `in_child` runs before the screen does."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    script = engine.folder / "screen.py"
    script.write_text(SCREEN)
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, engine.hop.socket_path, engine.hop.log_path,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=in_child,
        env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "COLUMNS": "80", "LINES": "24"},
    )  # fmt: skip
    screen = Terminal(process, master, slave)
    asyncio.get_running_loop().add_reader(master, screen.readable)
    try:
        await screen.until_written(b"QUORUM")
        yield screen, before
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        screen.hang_up()


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("way", ["q", "ctrl+c", "SIGTERM", "SIGHUP", "SIGINT", "crash"])
async def test_the_terminal_is_given_back(tmp_path: Path, way: str) -> None:
    async with EngineDouble(tmp_path) as engine, terminal(engine, _take_terminal) as (screen, before):
        assert ENTERED in screen.written
        match way:
            case "q":
                screen.type(b"q")
            case "ctrl+c":
                screen.type(b"\x03")
            case "crash":
                screen.type(b"m")
            case name:
                screen.process.send_signal(signal.Signals[name])
        status = await screen.ended()
        await screen.until_written(re.escape(RESTORED[0]))
        assert status == (1 if way == "crash" else 0)
        for sequence in RESTORED:
            assert screen.written.rindex(sequence) > screen.written.rindex(ENTERED)
        if way == "crash":
            await screen.until_written(b"a bug of the screen")
            assert screen.written.rindex(b"a bug of the screen") > screen.written.rindex(RESTORED[0])
        assert termios.tcgetattr(screen.slave) == before


@pytest.mark.parametrize("signalled", [True, False], ids=["with a signal", "without one"])
async def test_a_hang_up_ends_the_screen(tmp_path: Path, signalled: bool) -> None:
    async with EngineDouble(tmp_path) as engine, terminal(engine, _take_terminal if signalled else None) as (screen, _):
        screen.hang_up()
        for number in range(100):
            engine.append(text=f"somebody writes on: {number}")
        assert await screen.ended() == 0


async def test_every_new_layout_is_painted(tmp_path: Path) -> None:
    """Its first paint is left out, for what the widgets make of it; the second never is."""
    async with EngineDouble(tmp_path) as engine, terminal(engine) as (screen, _):
        await screen.until_written(rb"tweets.*yet")
        for key, words in (
            (b"2", rb"Nobody.*blocks"),
            (b"z", rb"zoomed"),
            (b"3", rb"log.*is.*empty"),
            (b"c", rb"0/280"),
        ):
            screen.type(key)
            await screen.until_written(words)


async def test_escape_is_a_key_when_nothing_follows_it(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, terminal(engine) as (screen, _):
        screen.type(b"c")
        await screen.until_written(rb"0/280")
        screen.written = b""
        screen.type(b"\x1b")
        await screen.until_written(rb"write a tweet")  # the composer's invitation stands there again


async def test_keys_that_come_together_edit_in_their_order(tmp_path: Path) -> None:
    """A line with a long way sends in one piece what was typed one after the other."""
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("created", slot=1)
        async with terminal(engine) as (screen, _):
            screen.type(b"c")
            await screen.until_written(rb"0/280")
            screen.type(b"teh\x7f\x7fhe end\x1b[D\x1b[D\x1b[D\x17other\x05.")
            await screen.until_written(rb"9/280")
            screen.type(b"\r")
            await engine.until_called("submit")
            assert [call["text"] for call in engine.called("submit")] == ["otherend."]


async def test_enter_is_about_the_row_that_keys_before_it_went_to(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        for number in range(1, 6):
            engine.append(text=f"number {number}")
        async with terminal(engine) as (screen, _):
            await screen.until_written(rb"number.*5")
            screen.type(b"kk\r")
            await engine.until_called("slot")
            assert [call["slot"] for call in engine.called("slot")] == [3]


async def test_a_line_that_tears_keys_apart_says_how_long_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESCDELAY, in ms, as programs of curses have it."""
    monkeypatch.setenv("ESCDELAY", "60000")
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("created", slot=1)
        async with terminal(engine) as (screen, _):
            screen.type(b"c")
            await screen.until_written(rb"0/280")
            screen.type(b"ab\x1b")
            await screen.until_written(rb"2/280")
            screen.type(b"[D!")  # an arrow to the left, and what is typed there
            await screen.until_written(rb"3/280")
            screen.type(b"\r")
            await engine.until_called("submit")
            assert [call["text"] for call in engine.called("submit")] == ["a!b"]


async def test_a_paste_that_the_terminal_does_not_mark_sends_its_first_line_and_runs_nothing(tmp_path: Path) -> None:
    """As a terminal without bracketed paste writes it: bytes, at once."""
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("created", slot=1)
        async with terminal(engine) as (screen, _):
            screen.type(b"c")
            await screen.until_written(rb"0/280")
            screen.type(b"first line\rbob said\r1y q" + b" and so on" * 300)
            await screen.until_written(rb"goes on with the draft")
            await engine.until_called("submit")
            assert [call["text"] for call in engine.called("submit")] == ["first line"]
            assert screen.process.returncode is None


async def test_five_megabytes_pasted_leave_the_screen_quick(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, terminal(engine) as (screen, _):
        screen.type(b"c")
        await screen.until_written(rb"0/280")
        paste = b"\x1b[200~" + b"wide words " * 450_000 + b"\x1b[201~"
        await asyncio.to_thread(_write_all, screen.master, paste)
        await screen.until_written(rb"beginning ")


async def test_five_megabytes_that_the_terminal_does_not_mark_leave_the_screen_quick(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, terminal(engine) as (screen, _):
        screen.type(b"c")
        await screen.until_written(rb"0/280")
        await asyncio.to_thread(_write_all, screen.master, b"wide words " * 450_000)
        await screen.until_written(rb"too .*much .*was .*typed ")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
