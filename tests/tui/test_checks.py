"""`check`: what is wrong is found before it hurts, with what to do; nothing is changed by looking."""

from __future__ import annotations

import json
import resource
import shutil
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.addresses import Address, parse_address
from engine.config import Cluster, read_cluster
from engine.contract.shape import read
from engine.contract.status import Status
from engine.core.ids import SiteId
from engine.template import loopback_addresses, write_files
from storage.schema import Identity
from storage.sqlite import open_store
from tests.ports import free_ports
from tests.real_cluster import run
from tests.tui.engine_double import EngineDouble
from tui import checks
from tui.checks import Finding, Level
from tui.selection import LocalSite, local_site

ALICE = SiteId("alice")
NAMES = (ALICE, SiteId("bob"), SiteId("carol"))
MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
35 21 0:30 / /srv rw - nfs4 server:/export rw
36 35 0:31 / /srv/local\\040disk rw - xfs /dev/sdb1 rw
37 21 0:32 / /run rw - tmpfs tmpfs rw
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    write_files(tmp_path / "sites.yaml", "test-island", loopback_addresses(NAMES))
    return read_cluster(tmp_path / "sites.yaml")


@pytest.fixture
def local(cluster: Cluster, tmp_path: Path) -> LocalSite:
    """A site whose folder is as it should be."""
    (tmp_path / "data/alice").mkdir(mode=0o700, parents=True)
    return local_site(cluster, tmp_path / "data", ALICE)


def said(findings: Iterable[Finding], level: Level) -> str:
    return "\n".join(f"{each.about}: {each.says}" for each in findings if each.level is level)


def test_files_that_are_as_they_should_be_are_told_as_such(cluster: Cluster) -> None:
    found = list(checks.of_files(cluster))
    assert {each.level for each in found} == {Level.GOOD}
    assert "test-island, 3 sites" in said(found, Level.GOOD)
    assert "cluster.key" in said(found, Level.GOOD)


def test_a_sites_file_that_others_may_write_and_an_even_number_of_sites_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "sites.yaml"
    write_files(path, "test-island", loopback_addresses((*NAMES, SiteId("dave"))))
    path.chmod(0o666)
    found = said(checks.of_files(read_cluster(path)), Level.WARN)
    assert f"chmod go-w {path}" in found
    assert "4 sites tolerate no more failures than 3 do" in found


def test_a_folder_that_is_not_there_must_not_be_taken_for_a_new_site(cluster: Cluster, tmp_path: Path) -> None:
    gone = local_site(cluster, tmp_path / "data", ALICE)
    assert "a site must not start without its store" in said(checks.of_folder(gone), Level.WARN)
    assert not gone.folder.exists()


def test_a_folder_that_others_may_look_into_is_warned_of(local: LocalSite) -> None:
    assert "alice folder" in said(checks.of_folder(local), Level.GOOD)
    local.folder.chmod(0o755)
    assert f"chmod 700 {local.folder}" in said(checks.of_folder(local), Level.WARN)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/var/lib", "ext4"), ("/srv/data/alice", "nfs4"), ("/srv/local disk/alice", "xfs"), ("/run/alice", "tmpfs")],
)
def test_a_disk_is_that_of_the_nearest_mount(tmp_path: Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert checks.file_system_of(Path(folder), mounts) == kind
    assert checks.file_system_of(Path(folder), tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("kind", "free", "expected"),
    [
        ("ext4", 2 * 10**9, (Level.GOOD, "2.0 GB are free")),
        ("ext4", 10**8, (Level.WARN, "100 MB are free")),
        ("nfs4", 2 * 10**9, (Level.BAD, "network file system")),
        ("tmpfs", 2 * 10**9, (Level.BAD, "forgotten when the machine stops")),
        (None, 2 * 10**9, (Level.GOOD, "free")),
    ],
)
def test_a_disk_that_is_not_to_be_relied_on_is_told(
    local: LocalSite, monkeypatch: pytest.MonkeyPatch, kind: str | None, free: int, expected: tuple[Level, str]
) -> None:
    monkeypatch.setattr(checks, "file_system_of", lambda *_: kind)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    level, says = expected
    assert says in said(checks.of_folder(local), level)


@pytest.fixture
def taken() -> Iterator[Address]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        yield Address(*other.getsockname())


def test_a_port_that_another_program_has_is_told_and_one_that_is_free_stays_so(taken: Address) -> None:
    found = checks.of_port(ALICE, taken)
    assert (found.level, found.status) == (Level.BAD, 4)
    assert "in use by another program" in found.says
    [port] = free_ports(1)
    free = Address("127.0.0.1", port)
    assert [checks.of_port(ALICE, free).level for _ in range(2)] == [Level.GOOD, Level.GOOD]


def test_an_address_of_another_machine_is_told() -> None:
    found = checks.of_port(ALICE, parse_address("192.0.2.1:7001"))
    assert found.level is Level.BAD
    assert "not an address of this machine" in found.says


def test_few_open_files_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert "allow 1024" in said(checks.of_machine(), Level.WARN)


@pytest.mark.parametrize(("kept_right", "level"), [(True, Level.GOOD), (False, Level.WARN)])
def test_a_clock_that_nothing_keeps_right_is_told(
    monkeypatch: pytest.MonkeyPatch, kept_right: bool, level: Level
) -> None:
    monkeypatch.setattr(checks, "clock_is_synchronised", lambda: kept_right)
    assert "clock: " in said(checks.of_machine(), level)


def test_a_host_name_without_an_address_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sites.yaml"
    addresses = loopback_addresses(NAMES) | {SiteId("bob"): Address("bob.invalid", 7002)}
    write_files(path, "test-island", addresses)

    def refused(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert "bob: its host name bob.invalid has no address" in said(checks.of_names(read_cluster(path)), Level.WARN)


@pytest.mark.parametrize(
    ("resolved", "is_wrong"), [("127.0.1.1", True), ("10.0.0.1", False), ("::1", True), ("fe80::1%eth0", False)]
)
def test_a_site_whose_own_name_is_loopback_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resolved: str, is_wrong: bool
) -> None:
    path = tmp_path / "sites.yaml"
    hosts = {name: Address(f"{name}.example", 7_001) for name in NAMES}
    write_files(path, "test-island", hosts)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (resolved, 7_001))])
    told = said(checks.of_own_name(read_cluster(path), ALICE), Level.BAD)
    assert (f"on this machine alice.example is {resolved}" in told) is is_wrong


def test_sites_that_are_lost_together_are_told(cluster: Cluster, tmp_path: Path) -> None:
    assert list(checks.of_machines(cluster)) == [], "on loopback it is a try"
    path = tmp_path / "far/sites.yaml"
    path.parent.mkdir()
    hosts = {name: Address(f"10.0.0.{len(name)}", 7_000 + place) for place, name in enumerate(NAMES)}
    write_files(path, "test-island", hosts)
    told = said(checks.of_machines(read_cluster(path)), Level.WARN)
    assert "alice and carol are on one machine, 10.0.0.5" in told
    assert "bob" not in told


def engine(double: EngineDouble, **changes: Any) -> Status:
    return read(Status, {**double.status(), "since": "2999-01-01T00:00:00.000Z", **changes})


def test_what_a_running_engine_knows_is_told(cluster: Cluster, tmp_path: Path) -> None:
    double = EngineDouble(tmp_path)
    found = list(checks.of_engine(engine(double), cluster, "0.1.0"))
    assert {each.level for each in found} == {Level.GOOD}
    assert "alice to bob: heard at 127.0.0.1:7002, 3 ms" in said(found, Level.GOOD)
    quorum = {"reachable": 1, "needed": 3, "size": 5}
    found = list(checks.of_engine(engine(double, quorum=quorum), cluster, "0.1.0"))
    assert "NO QUORUM" in said(found, Level.BAD)


def test_an_engine_that_is_to_be_restarted_is_told(cluster: Cluster, tmp_path: Path) -> None:
    found = checks.of_engine(engine(EngineDouble(tmp_path), since="2020-01-01T00:00:00.000Z"), cluster, "0.2.0")
    told = said(found, Level.WARN)
    assert "it runs 0.1.0, but 0.2.0 is installed" in told
    assert "has changed since it started" in told


def test_a_peer_that_is_silent_or_far_is_told(cluster: Cluster, tmp_path: Path) -> None:
    status = EngineDouble(tmp_path).status()
    status["since"] = "2999-01-01T00:00:00.000Z"
    status["peers"]["bob"] |= {"up": False, "heard_s": None}
    status["peers"]["carol"] |= {"up": False, "heard_s": 63.2}
    status["peers"]["dave"] |= {"rtt_ms": 900, "clock_ms": -4_200}
    told = said(checks.of_engine(read(Status, status), cluster, "0.1.0"), Level.WARN)
    assert "bob was never heard: does its engine run, is it at 127.0.0.1:7002" in told
    assert "carol was not heard for 63 s" in told
    assert "a round trip takes 900 ms" in told
    assert "the clock of dave is 4.2 s behind that of alice" in told


def check(folder: Path, *words: str) -> tuple[int, list[Any]]:
    done = run("--sites", str(folder / "sites.yaml"), "--data", str(folder / "data"), "check", "--json", *words)
    assert done.err == ""
    return done.status, [json.loads(line) for line in done.out.splitlines()]


def test_it_looks_at_what_has_a_folder_here_and_ends_as_a_start_would(cluster: Cluster, local: LocalSite) -> None:
    folder = cluster.path.parent
    open_store(local.folder, Identity("another-island", ALICE, cluster.sites)).close()
    status, found = check(folder)
    assert status == 3
    [store] = [each for each in found if each["about"] == "alice store"]
    assert store["level"] == "wrong"
    assert "another-island" in store["says"]
    assert not [each for each in found if each["about"].startswith("bob")]


def test_a_site_that_was_added_is_looked_at_as_any_other(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.path.open("a") as file:
        file.write("added:\n  zoe: 127.0.0.1:7099\n")
    open_store(tmp_path / "data/zoe", Identity(cluster.name, SiteId("zoe"), cluster.sites)).close()
    status, found = check(cluster.path.parent)
    assert status == 0
    assert "store" in "".join(each["about"] for each in found if each["about"].startswith("zoe"))


def test_a_sites_file_that_is_wrong_is_all_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "sites.yaml").write_text("cluster: paxos-island\nsitse: {}\n")
    status, found = check(tmp_path)
    assert status == 2
    assert [(each["level"], each["about"]) for each in found] == [("wrong", "sites file")]
