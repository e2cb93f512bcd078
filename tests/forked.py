"""Commands as processes that begin with everything imported: importing is most of what a short command costs.

Rules that hold here:
- A process is forked from one that did nothing but import (`multiprocessing`'s fork server, one a worker). It has its
  own streams, folder and environment, takes signals as one that was executed does, and ends with the status of `main`.
- What tests the start itself, or wraps a process in another command, executes the program (`real_cluster.PROGRAM`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.reduction import DupFd
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

from tui.cli import main

_COMMANDS: Final = ("serve", "submit", "read", "status", "fill", "audit", "outcomes", "trace", "faults", "lab")

_CHUNK_BYTES: Final = 65_536

_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__, *(f"tui.commands.{command}" for command in _COMMANDS)])


class Forked:
    """A command that runs, with the part of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None = None,
        stderr: IO[bytes] | None = None,
        first: Callable[[], None] | None = None,
    ) -> None:
        """`stderr`: the file that it complains to, left open; without one its complaints come with `communicate`.
        `first` is done in the process before `main`; it is found by its name, as all that is pickled."""
        self.args = tuple(words)
        self._complaints = None if stderr else tempfile.TemporaryFile()  # noqa: SIM115 - open until `communicate`
        said = stderr or self._complaints
        assert said is not None
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self.stdin: IO[bytes] = os.fdopen(ours_in, "wb")
        self.stdout: IO[bytes] = os.fdopen(ours_out, "rb", buffering=0)
        streams = [_Stream(number) for number in (theirs_in, theirs_out, said.fileno())]
        self._process = _SERVER.Process(
            target=_command, args=(streams, self.args, dict(env), str(cwd or Path.cwd()), first), daemon=True
        )
        try:
            self._process.start()
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it ended. Raises TimeoutExpired after so many seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self._feed(b"")
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and the word of it is on its way
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, given: bytes = b"", timeout: float = 60.0) -> tuple[bytes, bytes]:
        """Gives it this input and its end, and returns what it prints and complains until it ends; once.

        Raises TimeoutExpired after so many seconds.
        """
        deadline = time.monotonic() + timeout
        writer = Thread(target=self._feed, args=(given,), daemon=True)
        writer.start()
        printed = b"" if self.stdout.closed else self._read(deadline)
        self._process.join(max(0.0, deadline - time.monotonic()))
        writer.join(max(0.0, deadline - time.monotonic()))
        self.wait(0.0)
        return printed, self.complaints()

    def complaints(self) -> bytes:
        """What it said on its standard error, once it ended: once, and nothing where that is another's file."""
        if self._complaints is None or self._complaints.closed:
            return b""
        with self._complaints as file:
            file.seek(0)
            return file.read()

    def _read(self, deadline: float) -> bytes:
        printed = bytearray()
        with self.stdout as pipe:
            while wait([pipe.fileno()], max(0.0, deadline - time.monotonic())):
                if not (chunk := os.read(pipe.fileno(), _CHUNK_BYTES)):
                    break
                printed += chunk
        return bytes(printed)

    def _feed(self, given: bytes) -> None:
        if not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError), self.stdin as pipe:
                pipe.write(given)


class _Stream:
    """A descriptor that arrives in the process as one of its own."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (DupFd(self._number),)


def _arrived(sent: Any) -> int:
    number: int = sent.detach()
    return number


def _command(
    streams: Sequence[int],
    words: Sequence[str],
    env: Mapping[str, str],
    folder: str,
    first: Callable[[], None] | None,
) -> None:
    """What is left of a start once everything is imported."""
    for wanted, number in enumerate(streams):
        os.dup2(number, wanted)
        os.close(number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["loggos", *words]
    if first is not None:
        first()
    sys.exit(main())
