"""Real engines on hosts of their own: each with its own sites file, data and copy of the key; some were added later."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.addresses import Address
from engine.core.ids import SiteId
from engine.core.settings import Leadership
from engine.site_files import files_of
from engine.template import write_files
from tests.net.namespaces import Hosts
from tests.real_cluster import PROGRAM, Engine, Said, run, with_leadership
from tui.client import Client

QUICK: Final = "heartbeat_ms: 100\nretransmit_ms: 50\nfill_every_s: 0.3\nscan_every_s: 1\n"
"""The timings of a test, not of a network."""


class Machine:
    """One host: its own sites file, its copy of the key, its own data folder; `seen` is where it finds each site, and
    `added` where it is itself, if it was added to the cluster."""

    def __init__(
        self,
        folder: Path,
        name: str,
        hosts: Hosts,
        seen: Mapping[str, str],
        *,
        key: Path | None,
        added: str | None = None,
        leadership: Leadership = Leadership.ELECTED,
        timings: str = QUICK,
    ) -> None:
        folder.mkdir()
        self.folder = folder
        self.name = name
        self._hosts = hosts
        addresses = {SiteId(site): Address(host, 7001) for site, host in seen.items()}
        write_files(folder / "sites.yaml", "test-island", addresses)
        text = with_leadership((folder / "sites.yaml").read_text(), leadership)
        (folder / "sites.yaml").write_text(
            text + (timings if added is None else f"added:\n  {name}: {added}:7001\n{timings}")
        )
        if key is not None:
            shutil.copy(key, folder / "cluster.key")
        self.options = ("--sites", str(folder / "sites.yaml"), "--data", str(folder / "data"))
        self.engine: Engine | None = None

    def serve(self) -> None:
        self.engine = Engine(
            [*self.options, "serve", self.name],
            self.folder / "log",
            program=(*self._hosts.command(self.name), *PROGRAM),
        )
        assert self.engine.ready, (self.folder / "log").read_text()

    def stop(self) -> None:
        if self.engine is not None:
            self.engine.close()

    def run(self, *words: str) -> Said:
        return run(*self.options, *words)

    def reaches(self, sites: int) -> bool:
        count: int = self.status()["quorum"]["reachable"]
        return count == sites

    def status(self) -> Any:
        with Client.connect(files_of(self.folder / "data", self.name).control) as client:
            return client.call("status", None, 30)
