"""Where a live run plays: the running sites of a demo, or a cluster that is made for it and goes with it.

Rules that hold here:
- A cluster of one's own has the scenario's sites, leadership and timings; all times are stretched, so that what takes
  no time in the simulated world is done before a timer comes.
- Sites of a demo are the scenario's in alphabetical order. They must be as many, and propose as the scenario says.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from engine.config import Cluster, read_cluster
from engine.core.ids import SiteId, Tick
from engine.core.settings import HEARTBEAT_MAX, Timings
from engine.sim.scenario.schedule import Schedule
from engine.site_files import data_folder
from engine.template import free_addresses, fresh_cluster_name, write_files
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupts
from tui.lab.live_guard import Guard
from tui.lab.live_processes import ends_within
from tui.launch import EngineProcess, engine_command, stop_all
from tui.selection import LocalSite, local_site, refusals_as_exits

ENDS_S: Final = 30.0
"""How long a process that was killed may take to be gone."""

STRETCH_MAX: Final = 10.0
STRETCH_MIN: Final = 2.0
_LONG_ENOUGH_MS: Final = 20_000
"""A run is stretched to about so long, within these bounds."""

_RETRANSMIT_MAX_MS: Final = 10_000


class Ground(Protocol):
    """`sites` by their names in the scenario; `stretch`: how much longer its times take there."""

    sites: Mapping[SiteId, LocalSite]
    stretch: float

    def kill(self, site: SiteId, process_id: int) -> None:
        """Ends the process as `kill -9` does, and waits for that."""

    def start(self, site: SiteId, interrupts: Interrupts) -> None:
        """Starts its engine again, until it takes commands. Raises CommandFailed, Interrupted."""

    def leave(self, down: Sequence[SiteId], interrupts: Interrupts) -> list[str]:
        """The run is over: which of those that it left down it had to start again."""


class OwnCluster:
    """Its processes are children of this one, and stop when it ends."""

    def __init__(self, sites: Mapping[SiteId, LocalSite], stretch: float, guard: Guard) -> None:
        self.sites = sites
        self.stretch = stretch
        self.children: dict[SiteId, EngineProcess] = {}
        self._guard = guard

    def start_all(self, interrupts: Interrupts) -> None:
        """Raises CommandFailed, Interrupted; `stop` is called in any case."""
        for site, local in self.sites.items():
            self.children[site] = EngineProcess.start_bound(local)
            self._guard.started(self.children[site].process_id)
        for child in self.children.values():
            child.wait_ready(interrupts)

    def kill(self, site: SiteId, _process_id: int) -> None:
        self.children[site].kill()
        self.children[site].close()

    def start(self, site: SiteId, interrupts: Interrupts) -> None:
        self.children[site] = EngineProcess.start_bound(self.sites[site])
        self._guard.started(self.children[site].process_id)
        self.children[site].wait_ready(interrupts)

    def leave(self, _down: Sequence[SiteId], _interrupts: Interrupts) -> list[str]:
        return []

    def stop(self) -> None:
        running = [child for child in self.children.values() if child.poll() is None]
        for child in self.children.values():
            if child not in running:
                child.close()
        stop_all([child.local for child in running], running)


class RunningDemo:
    """Its processes are those of somebody else: one that was killed is started again for good."""

    def __init__(self, sites: Mapping[SiteId, LocalSite], stretch: float, guard: Guard) -> None:
        self.sites = sites
        self.stretch = stretch
        self._guard = guard
        self._killed: set[SiteId] = set()

    def kill(self, site: SiteId, process_id: int) -> None:
        local = self.sites[site]
        self._guard.down(local.site, engine_command(local), local.log_path)
        self._killed.add(site)
        os.kill(process_id, signal.SIGKILL)
        if not ends_within(process_id, ENDS_S):
            raise CommandFailed(ExitStatus.NO_ENGINE, f"process {process_id} of {local.site} does not end when killed")

    def start(self, site: SiteId, interrupts: Interrupts) -> None:
        local = self.sites[site]
        started = EngineProcess.start_alone(local)
        self._killed.discard(site)
        self._guard.up(local.site)
        started.wait_ready(interrupts)

    def leave(self, down: Sequence[SiteId], interrupts: Interrupts) -> list[str]:
        killed = [site for site in down if site in self._killed]
        for site in killed:
            self.start(site, interrupts)
        return [self.sites[site].site for site in killed]


@contextmanager
def own_cluster(schedule: Schedule, took_ms: int, guard: Guard, interrupts: Interrupts) -> Iterator[Ground]:
    """Sites on loopback in a folder of their own, which is removed at the end. Raises CommandFailed, Interrupted."""
    folder = Path(tempfile.mkdtemp(prefix="loggos-lab-"))
    guard.made(folder)
    stretch = min(STRETCH_MAX, max(STRETCH_MIN, _LONG_ENOUGH_MS / max(1, took_ms)))
    ground = OwnCluster(_written(folder, schedule, stretch), stretch, guard)
    try:
        ground.start_all(interrupts)
        yield ground
    finally:
        with Interrupts():  # a second signal must not leave engines behind
            ground.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _written(folder: Path, schedule: Schedule, stretch: float) -> dict[SiteId, LocalSite]:
    """A sites file for each site, with its own leadership and timings. Raises CommandFailed."""
    setup = schedule.setup
    path = folder / "sites.yaml"
    try:
        addresses = free_addresses(setup.names)
    except OSError as error:
        raise CommandFailed(ExitStatus.ALREADY_RUNNING, str(error.strerror)) from None
    write_files(path, fresh_cluster_name(), addresses)
    text = path.read_text(encoding="utf-8")
    own_beats = dict(setup.heartbeats)
    sites = {}
    for site, leadership in zip(setup.names, setup.leadership, strict=True):
        file = folder / f"{site}.yaml"
        proposes = re.sub(r"^leadership: .*$", f"leadership: {leadership}", text, flags=re.MULTILINE)
        file.write_text(proposes + _timings(setup.timings, own_beats.get(site), stretch), encoding="utf-8")
        sites[site] = local_site(read_cluster(file), folder, site)
    return sites


def _timings(timings: Timings, own_beat: Tick | None, stretch: float) -> str:
    heartbeat = min(HEARTBEAT_MAX, round((own_beat or timings.heartbeat) * stretch))
    return (
        f"heartbeat_ms: {heartbeat}\n"
        f"retransmit_ms: {min(_RETRANSMIT_MAX_MS, round(timings.retransmit * stretch))}\n"
        f"fill_every_s: {min(3_600.0, timings.fill_every * stretch / 1000):.3f}\n"
        f"scan_every_s: {min(86_400.0, timings.scan_every * stretch / 1000):.3f}\n"
    )


def running_demo(schedule: Schedule, sites_path: Path, data: str | None, guard: Guard) -> Ground:
    """Raises ConfigError, UnusableFolder, and CommandFailed where it is another cluster than the scenario needs."""
    cluster = read_cluster(sites_path)
    names = schedule.setup.names
    if len(cluster.sites) != len(names):
        how = f"start one with `loggos demo --size {len(names)} --headless --data DIR`, or leave out --sites"
        raise CommandFailed(
            ExitStatus.BAD_INPUT, f"the scenario has {len(names)} sites, {sites_path} has {len(cluster.sites)}: {how}"
        )
    wanted = sorted(set(schedule.setup.leadership))
    if wanted != [cluster.leadership]:
        said = " and ".join(wanted)
        how = f"write `leadership: {wanted[0]}` there and start the sites again" if len(wanted) == 1 else ""
        raise CommandFailed(
            ExitStatus.BAD_INPUT,
            f"the scenario needs leadership {said}, {sites_path} has {cluster.leadership}:"
            f" {how + ', or ' if how else ''}leave out --sites, and the lab makes a cluster that fits",
        )
    with refusals_as_exits():
        folder = data_folder(data, cluster.name)
    sites = {name: local_site(cluster, folder, site) for name, site in zip(names, cluster.sites, strict=True)}
    return RunningDemo(sites, _stretch(cluster, schedule.setup.timings), guard)


def timings_of(sites_path: Path, scenarios: Timings) -> Timings:
    """The timings of a running cluster, as long as the scenario's times are. Raises CommandFailed."""
    with refusals_as_exits():
        cluster = read_cluster(sites_path)
    there, stretch = cluster.timings, _stretch(cluster, scenarios)
    times = (there.heartbeat, there.retransmit, there.fill_every, there.scan_every)
    return Timings(*(Tick(max(1, round(time / stretch))) for time in times))


def _stretch(cluster: Cluster, scenarios: Timings) -> float:
    return max(1.0, cluster.timings.retransmit / scenarios.retransmit)
