"""Three hosts with a sites file each, one of them behind NAT without a forwarded port: the same program, no change.

The others answer a hidden site where its proven greetings come from (W1); its address in their files leads nowhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.addresses import Address
from engine.core.ids import SiteId
from engine.places import site_places
from engine.template import write_files
from tests.net.namespaces import MISSING, Hosts
from tests.real_cluster import PROGRAM, Engine, Said, run, until
from tui.client import Client

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

SITES = {"alice": "192.0.2.10", "bob": "192.0.2.11", "carol": "192.0.2.12"}
HIDDEN = ("carol", "10.9.0.2")


class Machine:
    """One host: its own sites file, its copy of the key, its own data folder."""

    def __init__(self, folder: Path, name: str, hosts: Hosts, key: Path | None) -> None:
        folder.mkdir()
        self.folder = folder
        self.name = name
        self._hosts = hosts
        seen = {**SITES, name: HIDDEN[1] if name == HIDDEN[0] else SITES[name]}
        # The timings are those of a test, not of a network.
        addresses = {SiteId(site): Address(host, 7001) for site, host in seen.items()}
        write_files(folder / "sites.yaml", "test-island", addresses)
        with (folder / "sites.yaml").open("a") as file:
            file.write("heartbeat_ms: 100\nretransmit_ms: 50\nfill_every_s: 0.3\nscan_every_s: 1\n")
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
        with Client.connect(site_places(self.folder / "data", self.name).control) as client:
            count: int = client.call("status", None, 30)["quorum"]["reachable"]
        return count == sites


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[dict[str, Machine]]:
    public = {name: address for name, address in SITES.items() if name != HIDDEN[0]}
    with Hosts(public, HIDDEN, SITES[HIDDEN[0]]) as hosts:
        made: dict[str, Machine] = {}
        try:
            for name in SITES:
                key = tmp_path / "alice" / "cluster.key" if made else None
                made[name] = Machine(tmp_path / name, name, hosts, key)
                made[name].serve()
            yield made
        finally:
            for machine in made.values():
                machine.stop()


def _log(machine: Machine) -> list[tuple[int, str, str | None]]:
    return [(line["slot"], line["state"], line["id"]) for line in machine.run("log", machine.name, "--json").lines]


def _events(machine: Machine) -> set[str]:
    """A leader that comes after another may have put no-ops between them."""
    return {event for _, _, event in _log(machine) if event is not None}


def test_a_site_behind_nat_is_a_site_like_any_other(machines: dict[str, Machine]) -> None:
    """Each creates events that all learn; also after the hidden one, or one that it reached, came back (W1, D5)."""
    for machine in machines.values():
        until(partial(machine.reaches, 3), f"{machine.name} reaches three sites")
    for name, machine in machines.items():
        assert machine.run("tweet", name, f"from {name}").status == 0
    machines["carol"].stop()
    assert machines["alice"].run("tweet", "alice", "carol is away").status == 0
    machines["carol"].serve()
    until(partial(machines["carol"].reaches, 3), "carol reaches the others again")
    machines["alice"].stop()
    machines["alice"].serve()
    until(partial(machines["alice"].reaches, 3), "alice reaches carol through carol's new greeting")
    assert machines["carol"].run("tweet", "carol", "and is back").status == 0
    until(lambda: all(len(_events(machine)) == 5 for machine in machines.values()), "all learn the five tweets")
    until(lambda: len({tuple(_log(machine)) for machine in machines.values()}) == 1, "the logs are equal")
