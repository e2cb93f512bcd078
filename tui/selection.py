"""Which cluster, which data and which site a command is about (docs/commands.md).

Rules that hold here:
- What is wrong with the sites file, or with a name, ends the command with status 2 before anything starts.
- All paths are absolute from here on: an engine may be started with another working folder.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.config import Cluster, read_cluster
from engine.plain_yaml import ConfigError
from engine.site_files import UnusableFolder, data_folder, files_of, sites_file
from tui import advice
from tui.exits import CommandFailed, ExitStatus


@dataclass(frozen=True, slots=True)
class LocalSite:
    """A site on this machine: where its files and its engine's socket are; all paths are absolute."""

    site: str
    sites_path: Path
    data_path: Path
    folder: Path
    socket_path: Path
    log_path: Path

    def command(self, name: str, *more: str) -> str:
        """What a person types to have this site do it."""
        return advice.command(self.sites_path, self.data_path, name, self.site, *more)


def select_site(arguments: Namespace) -> LocalSite:
    """Where the engine of the site that was named is. Raises CommandFailed."""
    return select_site_and_cluster(arguments)[0]


def select_site_and_cluster(arguments: Namespace) -> tuple[LocalSite, Cluster]:
    """The same with the cluster of the sites file. Raises CommandFailed."""
    with refusals_as_exits():
        cluster = read_cluster(sites_file(arguments.sites).absolute())
        site = cluster.find(arguments.site)
        return local_site(cluster, data_folder(arguments.data, cluster.name), site), cluster


def local_site(cluster: Cluster, data_path: Path, site: str) -> LocalSite:
    """Where the engine of `site` is. Raises UnusableFolder."""
    files = files_of(data_path, site)
    return LocalSite(
        site=site,
        sites_path=cluster.path,
        data_path=data_path,
        folder=files.folder,
        socket_path=files.control,
        log_path=files.log,
    )


@contextmanager
def refusals_as_exits() -> Iterator[None]:
    """Turns what the sites file and the files refuse into the command's end."""
    try:
        yield
    except (ConfigError, UnusableFolder) as error:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(error)) from error
