"""What `loggos init` writes is read again, says what holds, and never replaces anything."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import pytest

from engine import template
from engine.addresses import Address
from engine.config import read_cluster
from engine.core.ids import SiteId
from engine.core.settings import Leadership, Timings
from engine.plain_yaml import ConfigError

REPOSITORY = Path(__file__).parents[2]


def _names(*names: str) -> tuple[SiteId, ...]:
    return tuple(SiteId(name) for name in names)


def _write(path: Path) -> Path:
    return template.write_files(path, "island", template.loopback_addresses(_names("alice", "bob")))


def _listed(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def test_the_files_written_are_a_cluster(tmp_path: Path) -> None:
    addresses = {
        SiteId("long-name"): Address("long.example", 9001),
        SiteId("a"): Address("2001:db8::1", 7001),
        SiteId("no"): Address("site.example.org", 7001),
    }
    key_path = template.write_files(tmp_path / "sites.yaml", "island", addresses)
    cluster = read_cluster(tmp_path / "sites.yaml")
    assert list(cluster.addresses.items()) == list(addresses.items())
    assert (cluster.name, cluster.leadership, cluster.timings) == ("island", Leadership.ELECTED, Timings())
    assert cluster.key == bytes.fromhex(key_path.read_text())
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600


def test_every_key_is_another(tmp_path: Path) -> None:
    keys = set()
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        keys.add(_write(folder / "sites.yaml").read_text())
    assert len(keys) == 3


def test_the_defaults_in_the_comments_are_those_that_hold(tmp_path: Path) -> None:
    """With each commented setting made real the cluster is the same, but for the datagrams of loopback."""
    _write(tmp_path / "sites.yaml")
    text = (tmp_path / "sites.yaml").read_text()
    uncommented, count = re.subn(r"(?m)^# (\w+: \d+ )", r"\1", text)
    assert count == 5
    (tmp_path / "sites.yaml").write_text(uncommented)
    cluster = read_cluster(tmp_path / "sites.yaml")
    assert cluster.timings == Timings()
    assert cluster.datagram_max_bytes == 1_452


def test_the_sites_file_of_the_repository_is_the_template() -> None:
    addresses = template.loopback_addresses(template.choose_names([], None))
    assert (REPOSITORY / "sites.yaml").read_text() == template.render("paxos-island", addresses, with_key=False)
    assert read_cluster(REPOSITORY / "sites.yaml").sites == ("alice", "bob", "carol", "dave", "erin")


def test_a_sites_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "sites.yaml").write_text("mine")
    with pytest.raises(ConfigError, match=r"sites.yaml: already exists and is never overwritten"):
        _write(tmp_path / "sites.yaml")
    assert (tmp_path / "sites.yaml").read_text() == "mine"
    assert _listed(tmp_path) == ["sites.yaml"]


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "cluster.key").write_text("mine")
    with pytest.raises(ConfigError, match=r"cluster.key: already exists and is never overwritten"):
        _write(tmp_path / "sites.yaml")
    assert (tmp_path / "cluster.key").read_text() == "mine"
    assert _listed(tmp_path) == ["cluster.key"]


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "sites.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="already exists"):
        _write(tmp_path / "sites.yaml")
    assert _listed(tmp_path) == ["sites.yaml"], "no key is left behind"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written \(No such file or directory\): name another file"):
        _write(tmp_path / "nowhere" / "sites.yaml")


@pytest.mark.parametrize(
    ("names", "size", "chosen"),
    [
        ([], None, _names("alice", "bob", "carol", "dave", "erin")),
        ([], 3, _names("alice", "bob", "carol")),
        ([], 9, _names(*template.DEFAULT_NAMES)),
        (["zoe"], None, _names("zoe")),
        (["carol", "ann"], None, _names("carol", "ann")),
        (["carol", "ann"], 4, _names("carol", "ann", "alice", "bob")),
    ],
)
def test_names_are_those_given_filled_up(names: list[str], size: int | None, chosen: tuple[SiteId, ...]) -> None:
    assert template.choose_names(names, size) == chosen


@pytest.mark.parametrize(
    ("names", "size", "instead"),
    [
        ([], 0, "1 to 9 sites, not 0"),
        ([], 10, "1 to 9 sites, not 10"),
        ([f"s{number}" for number in range(10)], None, "1 to 9 sites, not 10"),
        (["ann", "ben"], 1, "2 names are too many for a cluster of 1: leave out --size"),
        (["ann", "ann"], None, "write each name once"),
        (["Ann"], None, "1 to 16 characters of a-z, 0-9 and '-', starting with a letter"),
    ],
)
def test_names_that_make_no_cluster_are_refused(names: list[str], size: int | None, instead: str) -> None:
    with pytest.raises(ValueError, match=instead):
        template.choose_names(names, size)


def test_free_ports_differ_and_are_none_that_the_system_gives_out_or_that_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        own = taken.getsockname()[1]
        names = _names(*template.DEFAULT_NAMES)
        ports = [address.port for address in template.free_addresses(names).values()]
        assert len(set(ports)) == len(names)
        assert all(template.PORT_FIRST < port < 10_000 for port in ports)
        monkeypatch.setattr(template, "_FREE_PORTS", (own,))
        with pytest.raises(OSError, match="no UDP port is free"):
            template.free_addresses(_names("alice"))


def test_a_fresh_cluster_name_is_a_name(tmp_path: Path) -> None:
    names = {template.fresh_cluster_name() for _ in range(3)}
    assert len(names) == 3
    for name in names:
        text = template.render(name, template.loopback_addresses(_names("alice")), with_key=False)
        (tmp_path / "sites.yaml").write_text(text)
        assert read_cluster(tmp_path / "sites.yaml").name == name
