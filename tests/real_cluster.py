"""Real engines as processes on free loopback ports, and the commands as processes against them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from engine.contract.errors import NoEngine
from engine.core.settings import Leadership
from engine.site_files import files_of
from engine.template import write_files
from tests.forked import Forked
from tests.ports import free_addresses
from tui.client import Client

Json = dict[str, Any]

Process = Forked | subprocess.Popen[bytes]

BOUND_S = 60.0
"""How long anything in these tests may take, on a machine that does much else."""

PROGRAM = (sys.executable, "-m", "tui")

_TIMINGS = "heartbeat_ms: 100\nretransmit_ms: 50\nfill_every_s: 0.3\nscan_every_s: 1\n"


def until(condition: Callable[[], object], what: str) -> None:
    """Waits for a condition that nothing else announces."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


def environment() -> dict[str, str]:
    """This process's, without what would change a command."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOGGOS_") and name != "NO_COLOR"}


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Json]:
        """The JSON lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(*words: str, stdin: bytes = b"", cwd: Path | None = None) -> Said:
    """A command until it ends."""
    process = Forked(words, environment(), cwd)
    out, err = process.communicate(stdin, BOUND_S)
    return Said(process.wait(), out.decode(), err.decode())


class Engine:
    """`loggos serve SITE` in the foreground."""

    def __init__(self, words: Sequence[str], log: Path, program: Sequence[str] | None = None) -> None:
        """`program` is executed instead of forking one that has imported everything."""
        self.process: Process
        with log.open("ab") as stderr:
            if program is None:
                self.process = Forked(words, environment(), stderr=stderr)
            else:
                self.process = subprocess.Popen(
                    [*program, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=environment(),
                )

    @cached_property
    def ready(self) -> bytes:
        """The first line on stdout, once it is there."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        """Ends it if it still runs."""
        self.process.kill()
        self.process.wait(BOUND_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


class RealCluster:
    """A sites file with a key, and those engines that were started; all end with the context.

    Without a leader unless asked for: a site's own proposals are what most of these tests hold, drop and look at.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        timings: str = _TIMINGS,
        leadership: Leadership = Leadership.NONE,
        program: Sequence[str] | None = None,
    ) -> None:
        self.folder = folder
        self._program = program
        self.sites_path = folder / "sites.yaml"
        self.data_path = folder / "data"
        self.names = tuple(names)
        self.engines: dict[str, Engine] = {}
        self._own_files: dict[str, Path] = {}
        write_files(self.sites_path, "test-island", free_addresses(self.names))
        self.sites_path.write_text(with_leadership(self.sites_path.read_text(), leadership) + timings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.engines.values():
            engine.close()

    def own_file(self, site: str, text: str) -> None:
        """The site has a sites file of its own from now on."""
        self._own_files[site] = self.folder / f"{site}.yaml"
        self._own_files[site].write_text(text)

    @property
    def options(self) -> tuple[str, ...]:
        return self.options_of("")

    def options_of(self, site: str) -> tuple[str, ...]:
        """With its own sites file, if it has one."""
        return ("--sites", str(self._own_files.get(site, self.sites_path)), "--data", str(self.data_path))

    def run(self, *words: str, stdin: bytes = b"") -> Said:
        return run(*self.options, *words, stdin=stdin)

    def start(self, *words: str, first: Callable[[], None] | None = None) -> Forked:
        """A command that goes on; the caller ends it. `first`: as of `Forked`."""
        return Forked((*self.options, *words), environment(), first=first)

    def socket_path(self, name: str) -> Path:
        return files_of(self.data_path, name).control

    def serve(self, *names: str) -> None:
        """Starts these engines side by side and waits until each takes commands."""
        for name in names:
            if name in self.engines:
                self.engines[name].close()
            words, log = [*self.options_of(name), "serve", name], self.folder / f"{name}.log"
            self.engines[name] = Engine(words, log, self._program)
        for name in names:
            assert self.engines[name].ready, f"{name} does not start: see its log"

    def serve_all(self) -> None:
        """Starts every engine, and waits until each votes and reaches all the others."""
        self.serve(*self.names)
        for name in self.names:
            self.until_reached(name, len(self.names))

    def until_reached(self, name: str, sites: int) -> None:
        """Until `name` counts exactly so many voters, itself included."""
        until(lambda: self.ask(name, "status")["quorum"]["reachable"] == sites, f"{name} reaches {sites} sites")

    def until_learned(self, name: str, slot: int) -> None:
        until(lambda: self.ask(name, "status")["chosen_through"] >= slot, f"{name} learns slot {slot}")

    def ask(self, name: str, method: str, params: Json | None = None) -> Json:
        with Client.connect(self.socket_path(name)) as client:
            answer: Json = client.call(method, params, BOUND_S)
        return answer


def with_leadership(sites_text: str, leadership: Leadership) -> str:
    """The text of a sites file, with this setting."""
    changed, times = re.subn(r"^leadership: .*$", f"leadership: {leadership}", sites_text, flags=re.MULTILINE)
    assert times == 1, sites_text
    return changed


def engine_runs(socket_path: Path) -> bool:
    try:
        Client.connect(socket_path).close()
    except NoEngine:
        return False
    return True


def process_runs(process_id: int) -> bool:
    """Whether it runs; one that ended and that nobody waited for yet does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def interrupt(process: Process, number: signal.Signals) -> Said:
    """Sends the signal and takes what the command still says."""
    process.send_signal(number)
    return ended(process)


def ended(process: Process) -> Said:
    """What the command still says until it ends."""
    out, err = process.communicate(timeout=BOUND_S)
    return Said(process.wait(), out.decode(), err.decode())
