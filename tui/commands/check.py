"""`check`: says what is wrong, or will be, with the sites of this machine, and what to do about it.

Rules that hold here:
- It looks on beside a running engine, and where none runs at what an engine would meet at its start.
- A warning is no failure. What is wrong makes the exit status that it would have at a start.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from engine.config import Cluster, read_cluster
from engine.contract import requests
from engine.contract.errors import EngineSilent, NoEngine, RequestFailed
from engine.contract.status import Status
from engine.core.storage import StoreError
from engine.plain_yaml import ConfigError
from engine.site_files import UnusableFolder, data_folder, sites_file
from storage.beside import is_store, read_outside
from storage.errors import told_to_readers
from storage.schema import Identity, check_identity
from tui import checks
from tui.checks import Finding, Level, bad, good
from tui.client import Client
from tui.counted import plural
from tui.exits import ExitStatus
from tui.output import Output
from tui.parts import Part, Role
from tui.selection import LocalSite, local_site

_MARKS: Final = {Level.GOOD: ("✓", Role.GOOD), Level.WARN: ("!", Role.WARN), Level.BAD: ("✗", Role.BAD)}


def run(arguments: Namespace) -> int:
    out = Output(arguments.json)
    found: list[Finding] = []
    for finding in _findings(arguments):
        found.append(finding)
        if out.as_json:
            out.json({"level": finding.level.value, "about": finding.about, "says": finding.says})
        else:
            glyph, role = _MARKS[finding.level]
            out.line(Part(glyph, role), Part(f"{finding.about}:", Role.STRONG), finding.says)
    wrong = [finding.status for finding in found if finding.level is Level.BAD]
    if not out.as_json:
        warnings = sum(finding.level is Level.WARN for finding in found)
        out.line(f"{len(wrong)} wrong, {plural(warnings, 'warning')}, {len(found) - len(wrong) - warnings} in order")
    order = (ExitStatus.STORE_UNUSABLE, ExitStatus.BAD_INPUT, ExitStatus.ALREADY_RUNNING, ExitStatus.NO_ENGINE)
    return next((status for status in order if status in wrong), ExitStatus.DONE)


def _findings(arguments: Namespace) -> Iterator[Finding]:
    path = sites_file(arguments.sites).absolute()
    try:
        cluster = read_cluster(path)
        named = [cluster.find(name) for name in arguments.sites_named]
    except ConfigError as error:
        yield bad("sites file", str(error))
        return
    yield from checks.of_files(cluster)
    yield from checks.of_machine()
    yield from checks.of_names(cluster)
    yield from checks.of_machines(cluster)
    try:
        data = data_folder(arguments.data, cluster.name)
    except UnusableFolder as error:
        yield bad("data folder", str(error))
        return
    here = named or [site for site in cluster.addresses if (data / site).is_dir()]
    if not here:
        yield checks.warn(
            "sites", f"no site has a folder in {data}: name the sites that run here, or their folder with --data"
        )
    for site in here:
        try:
            local = local_site(cluster, data, site)
        except UnusableFolder as error:
            yield bad(f"{site} folder", str(error))
        else:
            yield from _of_site(cluster, local)


def _of_site(cluster: Cluster, local: LocalSite) -> Iterator[Finding]:
    yield from checks.of_folder(local)
    yield from checks.of_own_name(cluster, cluster.find(local.site))
    about = f"{local.site} engine"
    try:
        status = _status(local)
    except NoEngine:
        yield good(about, f"none runs; `{local.command('serve')}` starts it")
        yield from _of_store(cluster, local)
        yield checks.of_port(local.site, cluster.addresses[cluster.find(local.site)])
    except EngineSilent as error:
        yield bad(about, f"{error}: is it stopped, or overloaded?", ExitStatus.NO_ENGINE)
    except RequestFailed as error:
        yield bad(about, str(error), ExitStatus.NO_ENGINE)
    else:
        yield from checks.of_engine(status, cluster, version("loggos"))


def _status(local: LocalSite) -> Status:
    """Raises RequestFailed, EngineSilent, NoEngine."""
    with Client.connect(local.socket_path) as client:
        return client.ask(requests.Status())


def _of_store(cluster: Cluster, local: LocalSite) -> Iterator[Finding]:
    """As the next start would find it."""
    about = f"{local.site} store"
    if not is_store(local.folder):
        return
    try:
        with read_outside(local.folder) as outside:
            outside.check_log()
            meta = outside.reader.meta()
            site = cluster.find(local.site)
            began_with = None if site == cluster.added else cluster.sites
            check_identity(meta, Identity(cluster.name, site, began_with), local.folder)
    except StoreError as error:
        yield bad(about, told_to_readers(error), ExitStatus.STORE_UNUSABLE)
    else:
        yield good(about, f"of {meta.cluster}, learned through slot {meta.prefix}")
