"""`demo`: a whole cluster on loopback, of which one person can be everybody.

Rules that hold here:
- One demo a folder (kernel lock). Its sites file, key and ports are made once; started again it goes on.
- However the demo ends, none of its engines runs afterwards: it stops them all, and those that it started also stop by
  themselves when its process is gone (`tui.launch`).
- An engine that dies is reported; the others go on, as does the demo.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.config import Cluster, read_cluster
from engine.site_files import data_folder
from engine.template import DEFAULT_SIZE, choose_names, free_addresses, write_files
from tui.client import Json
from tui.commands.open import Manner, hop, manner_of, show
from tui.exits import CommandFailed, ExitStatus
from tui.hops import Leaving
from tui.interrupts import ENDING_SIGNALS, Interrupted, Interrupts
from tui.launch import EngineProcess, how_it_ended, is_running, stop_all, stop_children
from tui.output import Account, complain
from tui.recorder import there_already
from tui.recorders import Recorders
from tui.selection import LocalSite, local_site, refusals_as_exits


def run(arguments: Namespace) -> int:
    if arguments.sites is not None:
        raise CommandFailed(ExitStatus.BAD_INPUT, "the demo makes its own sites file: leave out --sites, or use --data")
    lines = "`loggos demo --headless` runs the sites alone; `loggos view` and the other commands print lines"
    manner = None if arguments.headless else manner_of(arguments, lines)
    # A data folder in the environment is that of a real cluster; the demo's own never mixes with it.
    with refusals_as_exits():
        folder = data_folder(arguments.data, f"demo-{arguments.size or DEFAULT_SIZE}", environ={})
    with _only_demo_in(folder), refusals_as_exits():
        cluster = _cluster(folder, arguments.size)
        local_sites = [local_site(cluster, folder, site) for site in cluster.addresses]
        recordings = _recordings(arguments, local_sites)
        for local in local_sites:
            if is_running(local):
                how = f"stop it with `{local.command('stop')}`"
                raise CommandFailed(ExitStatus.ALREADY_RUNNING, f"the engine of {local.site} runs already: {how}")
        ready = {"ready": True, "sites": str(cluster.path), "data": str(folder)}
        with Recorders(recordings, tuple(cluster.addresses), overwrite=arguments.overwrite) as recorders:
            status = _run_all(local_sites, recorders, ready if manner is None else manner)
    return recorders.told() or status


def _recordings(arguments: Namespace, local_sites: Sequence[LocalSite]) -> dict[LocalSite, Path]:
    """Into which file each site is recorded; into none, where that was not asked for. Raises CommandFailed."""
    if arguments.record is None:
        return {}
    folder = Path(arguments.record).absolute()
    paths = {local: folder / f"{local.site}.jsonl" for local in local_sites}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(
            ExitStatus.BAD_INPUT,
            f"cannot use the folder {folder} ({error.strerror}): name another folder with --record",
        ) from error
    for path in paths.values():
        if path.exists() and not arguments.overwrite:
            raise there_already(path)
    return paths


def _run_all(local_sites: Sequence[LocalSite], recorders: Recorders, then: Json | Manner) -> int:
    """Starts all engines, shows the first site in that manner, or prints that they are ready and waits for a signal;
    stops all engines."""
    children: list[EngineProcess] = []
    try:
        with Interrupts() as interrupts:
            children = _start(local_sites, interrupts, ("--recorded",) if recorders.paths else ())
            recorders.begin()
        if interrupts.caught:
            return ExitStatus.DONE
        if not isinstance(then, Manner):
            _watch(children, then)
            return ExitStatus.DONE
        return show([hop(local) for local in local_sites], Leaving.STOPS_ALL, then)
    except Interrupted:
        return ExitStatus.DONE
    finally:
        if children:
            # A second signal must not leave engines behind.
            with Interrupts():
                stop_all(local_sites, children)


def _start(local_sites: Sequence[LocalSite], interrupts: Interrupts, options: Sequence[str]) -> list[EngineProcess]:
    """Starts all engines side by side, with further options of `serve`. Raises CommandFailed or Interrupted; then none
    of them runs."""
    children: list[EngineProcess] = []
    try:
        for local in local_sites:
            children.append(EngineProcess.start_bound(local, *options))  # noqa: PERF401  (one that fails leaves those before)
        for child in children:
            child.wait_ready(interrupts)
    except Interrupted:
        stop_children(children)
        raise
    except CommandFailed as failed:
        stop_children(children)
        if failed.status != ExitStatus.STORE_UNUSABLE:
            raise
        another = "`loggos demo --data DIR` starts another demo, in its own folder"
        raise CommandFailed(failed.status, f"{failed}; {another}") from failed
    return children


def _watch(children: Sequence[EngineProcess], ready: Json) -> None:
    """Prints the ready line; until a signal ends the demo, reports engines that end before."""
    reported: set[str] = set()
    with Interrupts((*ENDING_SIGNALS, signal.SIGCHLD)) as watched:
        out = Account(as_json=True)
        out.json(ready)
        out.flush()
        poll = select.poll()
        poll.register(watched.fileno(), select.POLLIN)
        while set(watched.caught).isdisjoint(ENDING_SIGNALS):
            watched.clear()
            for child in children:
                status = child.poll()
                if status is not None and child.local.site not in reported:
                    reported.add(child.local.site)
                    complain(_obituary(child.local, status))
            poll.poll()


def _obituary(local: LocalSite, status: int) -> str:
    again = local.command("serve")
    return f"the engine of {local.site} ended ({how_it_ended(status)}); the others continue. Restart it with `{again}`"


@contextmanager
def _only_demo_in(folder: Path) -> Iterator[None]:
    """Holds the folder's lock. Raises CommandFailed if another demo does."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandFailed(
            ExitStatus.BAD_INPUT, f"cannot use the folder {folder} ({error.strerror}): name another folder with --data"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(
                ExitStatus.ALREADY_RUNNING,
                f"a demo is already running in {folder}: leave it first, or name another folder with --data",
            ) from None
        yield
    finally:
        os.close(descriptor)


def _cluster(folder: Path, size: int | None) -> Cluster:
    """The demo's cluster, made at its first start. Raises ConfigError, CommandFailed."""
    path = folder / "sites.yaml"
    if not path.exists():
        names = choose_names((), size)
        try:
            addresses = free_addresses(names)
        except OSError as error:
            raise CommandFailed(ExitStatus.ALREADY_RUNNING, str(error.strerror)) from None
        write_files(path, f"demo-{len(names)}", addresses)
    cluster = read_cluster(path)
    if size is not None and size != len(cluster.addresses):
        raise CommandFailed(
            ExitStatus.BAD_INPUT,
            f"{path} has {len(cluster.addresses)} sites, not {size}: leave out --size, or use another --data",
        )
    return cluster
