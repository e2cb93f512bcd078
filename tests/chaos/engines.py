"""The engines of a campaign: `loggos serve` as processes that are killed, frozen, stopped and started again.

Rules that hold here:
- Only own children are signalled. However the campaign ends, they end too: their standard input is its pipe, and where
  the system has `setpriv` the kernel kills them, frozen ones included, when it dies.
- An engine that ends without having been told to is a finding.
- A test may fork them (`ForkedEngines`) where nothing is put before the command.
- Each process writes down what it says to other sites, in a file of its own (`sayings`).
"""

from __future__ import annotations

import ctypes
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from engine.contract.answers import Topic
from engine.contract.errors import NoAnswer, NoEngine
from engine.contract.requests import Status as AskStatus
from engine.contract.requests import Subscribe
from engine.contract.status import Status
from engine.site_files import files_of
from tests.chaos.overheard_engine import MODULE, NO_MUTANT, prepare
from tests.chaos.witness import Sayings, read_sayings
from tests.forked import Forked
from tests.real_cluster import Process, environment
from tui.client import Client
from tui.connection import Told
from tui.exits import ExitStatus

Json = dict[str, Any]

CALL_TIMEOUT_S: Final = 5.0
STOP_TIMEOUT_S: Final = 15.0

_PR_SET_PDEATHSIG: Final = 1


class Engines:
    """`wrap(site)` is put before the command of a site's engine. One thread uses this; paths may be read by all."""

    def __init__(
        self,
        sites_path: Path,
        data: Path,
        names: Sequence[str],
        wrap: Callable[[str], list[str]],
        mutant: str | None = None,
    ) -> None:
        """`mutant` names the rule that all engines break."""
        self.sites_path = sites_path
        self.data = data
        self.names = tuple(names)
        self.sockets: Mapping[str, Path] = {name: files_of(data, name).control for name in names}
        self.ended: list[str] = []
        """What was said of engines that ended by themselves."""
        self.pausing: str | None = None
        """The site whose engine stands still until `resume`."""
        self._options_of: dict[str, tuple[str, ...]] = {}
        """Of sites that came later, with a sites file of their own."""
        self._wrap = wrap
        self._mutant = mutant or NO_MUTANT
        self._said: dict[str, list[Path]] = {name: [] for name in names}
        """What each process of a site writes down, in the order of their starts."""
        self._running: dict[str, Process] = {}
        self._frozen: set[str] = set()
        self._ready: set[str] = set()
        """The sites whose engines were heard to take commands: their first line is read."""
        self._guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []

    @property
    def options(self) -> tuple[str, ...]:
        return ("--sites", str(self.sites_path), "--data", str(self.data))

    def join(self, site: str, sites_path: Path) -> None:
        """One more site, which was added to the cluster."""
        self.names = (*self.names, site)
        self.sockets = {**self.sockets, site: files_of(self.data, site).control}
        self._said[site] = []
        self._options_of[site] = ("--sites", str(sites_path), "--data", str(self.data))

    @property
    def responsive(self) -> tuple[str, ...]:
        """The sites whose engines run and are not frozen."""
        return tuple(name for name in self.names if name in self._running and name not in self._frozen)

    def start(self, site: str) -> None:
        """Does nothing where it runs."""
        if site in self._running:
            return
        folder = self.data / site
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ready.discard(site)
        said = folder / f"said.{len(self._said[site])}"
        self._said[site].append(said)
        words = [*self._options_of.get(site, self.options), "serve", site, "--until-eof"]
        with (folder / "engine.log").open("ab") as log:
            self._running[site] = self._begin(self._wrap(site), said, words, log)

    def _begin(self, before: Sequence[str], said: Path, words: Sequence[str], log: IO[bytes]) -> Process:
        program = [sys.executable, "-m", MODULE, str(said), self._mutant]
        return subprocess.Popen(
            [*before, *self._guard, *program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=environment(),
        )

    def kill(self, sites: Sequence[str]) -> int:
        """`kill -9` to all of them at once; returns how many of them ran."""
        hit = [(site, self._running.pop(site)) for site in sites if site in self._running and site != self.pausing]
        for site, process in hit:
            process.send_signal(signal.SIGKILL)
            self._frozen.discard(site)
        for _, process in hit:
            _reap(process)
        return len(hit)

    def freeze(self, sites: Sequence[str]) -> int:
        """SIGSTOP; returns how many of them ran."""
        hit = [site for site in sites if site in self._running and site != self.pausing]
        for site in hit:
            self._running[site].send_signal(signal.SIGSTOP)
            self._frozen.add(site)
        return len(hit)

    def thaw(self, sites: Sequence[str]) -> None:
        for site in sites:
            if site in self._frozen and site != self.pausing:
                self._frozen.discard(site)
                self._running[site].send_signal(signal.SIGCONT)

    def pause(self, site: str) -> bool:
        """SIGSTOP; until `resume` nothing else is done to it. False where it does not run, or is frozen already."""
        if site not in self.responsive:
            return False
        self.freeze([site])
        self.pausing = site
        return True

    def resume(self) -> None:
        """Ends the pause, where there is one."""
        site, self.pausing = self.pausing, None
        if site is not None:
            self.thaw([site])

    def stop(self, site: str) -> bool:
        """Asks it to stop, and waits for that; False where it did not run, or is paused."""
        process = self._running.get(site)
        if process is None or site == self.pausing:
            return False
        self.thaw([site])
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.ended.append(f"the engine of {site} did not stop within {STOP_TIMEOUT_S:g} s of SIGTERM")
            self.kill([site])
            return True
        del self._running[site]
        if status != ExitStatus.DONE and self._says_it_is_ready(site, process):
            self.ended.append(f"the engine of {site} was asked to stop, and ended with status {status}")
        _reap(process)
        return True

    def notice_ends(self) -> None:
        """Keeps, with the end of its log, what ended by itself; such an engine is not started again."""
        for site, process in list(self._running.items()):
            status = process.poll()
            if status is not None:
                del self._running[site]
                _reap(process)
                said = (self.data / site / "engine.log").read_text(errors="replace").strip().splitlines()[-1:]
                self.ended.append(f"the engine of {site} ended by itself with status {status}: {''.join(said)}")

    def ask(self, site: str, method: str, params: Json | None = None) -> Json | None:
        """An engine's answer; None where it does not take commands now."""
        try:
            with Client.connect(self.sockets[site]) as client:
                answer: Json = client.call(method, params, CALL_TIMEOUT_S)
        except NoAnswer:
            return None
        return answer

    def sayings(self) -> list[Sayings]:
        """What all processes said, of all sites, in the order of their starts; whole once they have ended."""
        return [each for site, paths in self._said.items() for each in read_sayings(site, paths)]

    def until_ready(self, within_s: float) -> None:
        """Waits until every engine votes and reaches all others. Raises TimeoutError."""
        deadline = time.monotonic() + within_s
        for name in self.names:
            try:
                self._until_it_takes_commands(name, deadline)
                with Client.connect(self.sockets[name]) as client:
                    _until_all_are_reached(client, len(self.names), deadline)
            except (NoAnswer, TimeoutError) as error:
                self.notice_ends()
                raise TimeoutError(f"{name} is not ready: {error}, {self.ended}, see {self.data / name}") from error

    def close(self) -> None:
        """None of them runs afterwards."""
        self.pausing = None
        self.kill(list(self._running))

    def _until_it_takes_commands(self, site: str, deadline: float) -> None:
        """Raises NoEngine where it ends instead, as soon as that end can be noticed; TimeoutError."""
        if site in self._ready:
            return
        process = self._running.get(site)
        if process is None or process.stdout is None:
            raise NoEngine("its engine does not run")
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError("its engine takes no commands")
        if not self._says_it_is_ready(site, process):
            # Its output closes before the system tells its status.
            process.wait(STOP_TIMEOUT_S)
            raise NoEngine("its engine ended")

    def _says_it_is_ready(self, site: str, process: Process) -> bool:
        """Whether it says, or said before it ended, that it takes commands: before, SIGTERM ends it as any program."""
        if site not in self._ready and process.stdout is not None and process.stdout.readline():
            self._ready.add(site)
        return site in self._ready


class ForkedEngines(Engines):
    """For a run that a test begins: its engines do not import anew what every start of them would."""

    def _begin(self, before: Sequence[str], said: Path, words: Sequence[str], log: IO[bytes]) -> Process:
        assert not before
        return Forked(words, environment(), stderr=log, first=partial(_begin_forked, str(said), self._mutant))


def _begin_forked(said: str, mutant: str) -> None:
    """As the guard of an executed one: nothing outlives the fork server, frozen or not."""
    os.setsid()
    if (prctl := getattr(ctypes.CDLL(None), "prctl", None)) is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    prepare(said, mutant)


def _until_all_are_reached(client: Client, size: int, deadline: float) -> None:
    """Each change of its status is told by the engine. A site counts itself where it votes (D5)."""
    client.ask(Subscribe(topics=frozenset({Topic.STATUS})), CALL_TIMEOUT_S)
    status = client.ask(AskStatus(), CALL_TIMEOUT_S)
    while status.quorum.reachable < size:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"it reaches too few: {status}")
        arrived, _ = client.wait(left_s)
        told = [item for one in arrived if isinstance(one, Told) for item in one.items if isinstance(item, Status)]
        status = (status, *told)[-1]


def _reap(process: Process) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
