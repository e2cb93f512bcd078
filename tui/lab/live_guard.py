"""Puts right what a live run did to processes, where the run ended before it could do so itself.

Rules that hold here:
- The run has a process of this module beside it, in a session of its own, and tells it beforehand what it is about to
  do, a JSON object a line. The pipe ends with the run, however that ends.
- Fault rules are no matter of this: they are bound to the run's connections, and go with them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tui.lab.live_processes import ends_within

_ENGINES_END_S: Final = 30.0
"""Engines that are bound to the run stop by themselves when it is gone."""


class Guard:
    """The run's end of it."""

    def __init__(self) -> None:
        command = (sys.executable, "-P", "-m", "tui.lab.live_guard")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def paused(self, process_id: int) -> None:
        """It is about to be stopped."""
        self._tell({"paused": process_id})

    def goes_on(self, process_id: int) -> None:
        self._tell({"goes_on": process_id})

    def down(self, site: str, command: Sequence[str], log: Path) -> None:
        """It is about to be killed; `command` starts it again, and what it says goes to `log`."""
        self._tell({"down": site, "command": list(command), "log": str(log)})

    def up(self, site: str) -> None:
        self._tell({"up": site})

    def made(self, folder: Path) -> None:
        self._tell({"folder": str(folder)})

    def started(self, process_id: int) -> None:
        """An engine that is bound to the run, and uses the folder that was made."""
        self._tell({"started": process_id})

    def close(self) -> None:
        """All is put right."""
        with suppress(OSError):
            self._tell({"done": True})
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        self.process.wait()

    def _tell(self, what: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()


@dataclass(slots=True)
class _Duties:
    paused: set[int] = field(default_factory=set)
    down: dict[str, tuple[list[str], str]] = field(default_factory=dict)
    folder: str | None = None
    started: list[int] = field(default_factory=list)

    def take(self, told: dict[str, Any]) -> None:
        match told:
            case {"paused": int(process_id)}:
                self.paused.add(process_id)
            case {"goes_on": int(process_id)}:
                self.paused.discard(process_id)
            case {"down": str(site), "command": list(command), "log": str(log)}:
                self.down[site] = (command, log)
            case {"up": str(site)}:
                self.down.pop(site, None)
            case {"folder": str(folder)}:
                self.folder = folder
            case {"started": int(process_id)}:
                self.started.append(process_id)
            case _:
                raise ValueError(f"nobody tells this: {told}")

    def do(self) -> list[subprocess.Popen[bytes]]:
        """Returns what it started."""
        for process_id in self.paused:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGCONT)
        again = [_start(command, Path(log)) for command, log in self.down.values()]
        if self.folder is not None and all(ends_within(each, _ENGINES_END_S) for each in self.started):
            shutil.rmtree(self.folder, ignore_errors=True)
        return again


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    with log.open("ab") as stderr:
        return subprocess.Popen(command, stdin=null, stdout=null, stderr=stderr, start_new_session=True)


def watch(lines: Iterable[str]) -> list[subprocess.Popen[bytes]]:
    """Until the run says that all is put right, or is gone; what it started then."""
    duties = _Duties()
    for line in lines:
        if not line.endswith("\n"):
            break  # half a line: the run is gone
        told = json.loads(line)
        if "done" in told:
            return []
        duties.take(told)
    return duties.do()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin)
