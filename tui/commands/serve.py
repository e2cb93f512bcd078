"""`serve`: the engine alone, in the foreground; the one place where engine, wire and store are joined.

Rules that hold here:
- No other command imports this module: it loads trio, SQLite and the ciphers.
"""

from __future__ import annotations

import logging
import resource
import sys
from argparse import Namespace
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from engine.config import Cluster
from engine.core.ids import SiteId
from engine.core.storage import StoreBusy, StoreError
from engine.runtime.assembly import Site
from engine.runtime.joining import Newcomer, founders
from engine.runtime.log import LogStyle, json_line
from engine.runtime.serve import serve
from engine.runtime.sockets import CannotServe
from engine.site_files import files_of
from engine.wire import Wire
from storage.beside import is_store
from storage.schema import Identity
from storage.sqlite import DATABASE, open_store
from storage.words import WordFile
from tui.exits import CommandFailed, ExitStatus
from tui.selection import LocalSite, refusals_as_exits, select_site_and_cluster

DESCRIPTORS_MIN: Final = 32
"""What a site's store, sockets and loop need, with a few clients."""

_STDIN: Final = 0


def run(arguments: Namespace) -> int:
    try:
        return _serve(arguments)
    except CommandFailed as failed:
        if not arguments.log_json:
            raise
        print(json_line(arguments.site, str(failed)), file=sys.stderr)
        return failed.status


def _serve(arguments: Namespace) -> int:
    local, cluster = select_site_and_cluster(arguments)
    _need_descriptors()
    log = LogStyle(
        level=logging.getLevelNamesMapping()[arguments.log_level.upper()],
        as_json=arguments.log_json,
        file=None if arguments.log_file is None else Path(arguments.log_file).absolute(),
    )
    try:
        lifeline = _STDIN if arguments.until_eof else None
        site = join(cluster, local, lifeline, log)
        if site is None:
            return ExitStatus.DONE
        return serve(replace(site, recorded=arguments.recorded, metrics_at=arguments.metrics), lifeline, log)
    except CannotServe as error:
        raise CommandFailed(error.status, str(error)) from error
    except StoreBusy as error:
        how = f"`{local.command('open')}` attaches to it, `{local.command('stop')}` stops it"
        raise CommandFailed(ExitStatus.ALREADY_RUNNING, f"{error}: {how}") from error
    except StoreError as error:
        raise CommandFailed(ExitStatus.STORE_UNUSABLE, str(error)) from error


def _need_descriptors() -> None:
    """Raises CommandFailed before a store that could not be kept open is touched."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < DESCRIPTORS_MIN:
        raise CommandFailed(
            ExitStatus.BAD_INPUT,
            f"this process may open only {allowed} files, but a site needs {DESCRIPTORS_MIN}: allow more (`ulimit -n`)",
        )


def join(cluster: Cluster, local: LocalSite, lifeline: int | None, log: LogStyle | None = None) -> Site | None:
    """All parts of a site, its store open and locked; None where it was added to the cluster, and was stopped before it
    knew with whom that began. Raises StoreError, CommandFailed."""
    site = cluster.find(local.site)
    with refusals_as_exits():
        files_of(local.data_path, site).create()
    wire = Wire(cluster.key, cluster.name, site, second_key=cluster.second_key)
    began_with: tuple[SiteId, ...] | None = cluster.sites
    if site == cluster.added:
        began_with = None
        if not is_store(local.folder):
            contacts = {name: cluster.addresses[name] for name in cluster.sites}
            began_with = founders(Newcomer(site, contacts, wire), lifeline, log)
            if began_with is None:
                return None
    storage = open_store(local.folder, Identity(cluster.name, site, began_with))
    return Site(
        cluster=cluster.name,
        settings=cluster.settings(site, storage.founders),
        addresses=cluster.addresses,
        wire=wire,
        datagram_sizes=cluster.datagram_sizes,
        storage=storage,
        words=WordFile(local.folder),
        folder=local.folder,
        control=local.socket_path,
        version=version("loggos"),
        key_files=cluster.key_files,
        store_files={"database": local.folder / DATABASE, "wal": local.folder / f"{DATABASE}-wal"},
    )
