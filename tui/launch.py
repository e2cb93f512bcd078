"""Engines as processes of their own: started by `open` and `demo`, and stopped again.

Rules that hold here:
- An engine has its own session: a Ctrl+C or a hangup of this terminal does not reach it.
- An engine that `open` starts outlives it. One that `demo` starts has a pipe as standard input, of which the demo holds
  the other end: however the demo ends, kill -9 included, the pipe ends too, and the engine stops as with SIGTERM
  (`serve --until-eof`). A pipe is portable; PR_SET_PDEATHSIG is Linux's alone and watches a thread, not a process.
- Everybody is asked to stop over the control socket; only own children are ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import orjson

from engine.contract.errors import EngineLost, EngineSilent, NoEngine
from engine.contract.requests import Stop
from tui.client import Client
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupted, Interrupts
from tui.output import complain
from tui.selection import LocalSite

READY_TIMEOUT_S: Final = 60.0
"""How long an engine may take to open its store and its sockets."""

STOP_TIMEOUT_S: Final = 10.0
"""How long an engine may take to stop when asked, and again when signalled."""

LOOK_EVERY_S: Final = 1.0
"""How often the log of an engine that is not ready yet is looked at."""

_LOG_TAIL_BYTES: Final = 8_192
_WAITS: Final = re.compile(r"\S+Z WARNING waits: (.*)")
_LOG_PREFIX: Final = re.compile(r"loggos: |\S+Z [A-Z]+ ")


class EngineProcess:
    """A child that runs `loggos serve SITE`."""

    def __init__(self, local: LocalSite, process: subprocess.Popen[bytes], log_offset: int) -> None:
        self.local = local
        self._process = process
        self._log_offset = log_offset
        self._waits_for: str | None = None

    @classmethod
    def start_alone(cls, local: LocalSite) -> EngineProcess:
        """Starts an engine that outlives this process. Raises CommandFailed if it cannot be started."""
        return cls._start(local, (), subprocess.DEVNULL)

    @classmethod
    def start_bound(cls, local: LocalSite, *options: str) -> EngineProcess:
        """Starts an engine that stops when this process ends, with further options of `serve`. Raises CommandFailed if
        it cannot be started."""
        return cls._start(local, ("--until-eof", *options), subprocess.PIPE)

    @classmethod
    def _start(cls, local: LocalSite, options: Sequence[str], stdin: int) -> EngineProcess:
        command = (*engine_command(local), "--log-file", str(local.log_path), *options)
        try:
            local.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with local.log_path.open("ab") as log:
                offset = log.tell()
                process = subprocess.Popen(
                    command, stdin=stdin, stdout=subprocess.PIPE, stderr=log, start_new_session=True
                )
        except OSError as error:
            raise CommandFailed(
                ExitStatus.STORE_UNUSABLE,
                f"cannot start the engine of {local.site}: {error.filename or local.folder}: {error.strerror}",
            ) from error
        return cls(local, process, offset)

    @property
    def process_id(self) -> int:
        return self._process.pid

    def wait_ready(self, interrupts: Interrupts) -> None:
        """Until the engine takes commands; says on stderr what it waits for, such as an address of this machine.

        Raises CommandFailed with its message and exit status if it ends first, Interrupted if a signal came.
        """
        assert self._process.stdout is not None, "the ready line comes through a pipe"
        with self._process.stdout as pipe:
            line = _read_line(pipe.fileno(), interrupts, time.monotonic() + READY_TIMEOUT_S, self._tell_waits)
        if line == b"":
            raise self._failed_to_start()
        if line is None and self._waits_for is not None:
            raise CommandFailed(
                ExitStatus.NO_ENGINE,
                f"the engine of {self.local.site} was given up, for it still waits: {self._waits_for}."
                f" `{self.local.command('serve')}` waits as long as it takes",
            )
        if line is None or not _says_ready(line):
            raise CommandFailed(
                ExitStatus.NO_ENGINE,
                f"the engine of {self.local.site} does not get ready: see {self.local.log_path}",
            )

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        try:
            self._process.wait(max(0.0, timeout_s))
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        """Ends it at once, and waits for that."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Lets go of the pipes; an engine that is bound to this process stops."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _failed_to_start(self) -> CommandFailed:
        status = self._process.wait()
        known = status if status > 0 else ExitStatus.NO_ENGINE
        said = self._last_log_line() or f"see {self.local.log_path}"
        return CommandFailed(known, f"the engine of {self.local.site} did not start ({how_it_ended(status)}): {said}")

    def _tell_waits(self) -> None:
        """Tells the person, once, what the engine says that it waits for."""
        said = [waits[1] for line in self._log_lines() if (waits := _WAITS.match(line))]
        if said and said[-1] != self._waits_for:
            self._waits_for = said[-1]
            complain(f"the engine of {self.local.site} waits: {self._waits_for}")

    def _last_log_line(self) -> str:
        """The last thing that this engine wrote to its log."""
        lines = self._log_lines()
        return _LOG_PREFIX.sub("", lines[-1]) if lines else ""

    def _log_lines(self) -> list[str]:
        """The newest that this engine wrote to its log."""
        try:
            with self.local.log_path.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                began = self._log_offset if self._log_offset <= end else 0  # it was turned over since
                log.seek(max(began, end - _LOG_TAIL_BYTES))
                return log.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return []


def engine_command(local: LocalSite) -> tuple[str, ...]:
    """What starts the engine of a site."""
    # -P: a folder of the same name where the command was typed must not be taken for the program.
    paths = ("--sites", str(local.sites_path), "--data", str(local.data_path))
    return (sys.executable, "-P", "-m", "tui", *paths, "serve", local.site)


def how_it_ended(status: int) -> str:
    """An exit status of `subprocess` in words."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


def is_running(local: LocalSite) -> bool:
    """Whether an engine has the site's socket, though it may answer nobody."""
    try:
        Client.connect(local.socket_path).close()
    except EngineSilent:
        return True
    except NoEngine:
        return False
    return True


def stop_all(local_sites: Iterable[LocalSite], children: Sequence[EngineProcess]) -> None:
    """Stops the engines of `local_sites` wherever they were started; of `children`, none runs afterwards."""
    deadline = time.monotonic() + STOP_TIMEOUT_S
    with contextlib.ExitStack() as connections:
        asked: list[Client] = []
        for local in local_sites:
            with contextlib.suppress(NoEngine, EngineSilent):
                asked.append(connections.enter_context(Client.connect(local.socket_path)))
        for client in asked:
            client.send(Stop())
            with contextlib.suppress(EngineLost):
                client.wait(0.0)
        for client in asked:
            client.wait_closed(deadline - time.monotonic())
    stop_children([child for child in children if not child.wait(deadline - time.monotonic())])
    for child in children:
        child.close()


def stop_children(children: Sequence[EngineProcess]) -> None:
    """Stops these by signals alone, so that no engine of another's is meant; none runs afterwards."""
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for child in children:
        child.terminate()
    for child in children:
        if not child.wait(deadline - time.monotonic()):
            child.kill()
        child.close()


def _read_line(pipe: int, interrupts: Interrupts, deadline: float, meanwhile: Callable[[], None]) -> bytes | None:
    """One line with its line break; empty at the end of the pipe; None when the time passed. Raises Interrupted.

    Calls `meanwhile` every LOOK_EVERY_S.
    """
    line = b""
    while not line.endswith(b"\n"):
        left_s = max(0.0, deadline - time.monotonic())
        if not interrupts.readable(pipe, min(left_s, LOOK_EVERY_S)):
            if interrupts.caught:
                raise Interrupted
            meanwhile()
            if left_s <= LOOK_EVERY_S:
                return None
            continue
        byte = os.read(pipe, 1)
        if not byte:
            return b""
        line += byte
    return line


def _says_ready(line: bytes) -> bool:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and said.get("ready") is True
