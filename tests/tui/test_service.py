"""`service`: the unit starts this installation's engine on this site's files, and is shut off from all else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from engine.core.ids import SiteId
from engine.template import loopback_addresses, write_files
from tests.real_cluster import run
from tui.commands.service import unit
from tui.selection import LocalSite

NAMES = (SiteId("alice"), SiteId("bob"))


def unit_in(folder: Path, data: str, *words: str) -> dict[str, list[str]]:
    """The unit's lines by their key."""
    write_files(folder / "sites.yaml", "test-island", loopback_addresses(NAMES))
    said = run("--sites", str(folder / "sites.yaml"), "--data", data, "service", "alice", *words, "--json")
    assert (said.status, said.err) == (0, "")
    [told] = said.lines
    assert told["name"] == "loggos-alice.service"
    (folder / "loggos-alice.service").write_text(told["unit"])
    lines: dict[str, list[str]] = {}
    for line in told["unit"].splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            lines.setdefault(key, []).append(value)
    return lines


def test_it_starts_this_sites_engine_and_may_write_its_store_alone(tmp_path: Path) -> None:
    lines = unit_in(tmp_path, "/srv/loggos", "--user", "loggos")
    [command] = lines["ExecStart"]
    assert command.endswith(f" --sites {tmp_path}/sites.yaml --data /srv/loggos serve alice")
    assert Path(command.split()[0]).is_file()
    assert lines["User"] == ["loggos"]
    assert lines["ReadWritePaths"] == ["/srv/loggos"]
    assert lines["RestartPreventExitStatus"] == ["2 3 12"]
    assert lines["CapabilityBoundingSet"] == [""]
    assert "AmbientCapabilities" not in lines


def test_a_path_is_one_word_whatever_is_in_it(tmp_path: Path) -> None:
    lines = unit_in(tmp_path, '/srv/our 100% "logs" for $5')
    [command] = lines["ExecStart"]
    assert r'--data "/srv/our 100%% \"logs\" for $$5" serve' in command


@pytest.mark.parametrize(
    ("sites", "data", "private"),
    [
        ("/etc/loggos/sites.yaml", "/srv/loggos", "yes"),
        ("/etc/loggos/sites.yaml", "/var/tmp/loggos", "no"),
        ("/tmp/sites.yaml", "/srv/loggos", "no"),
        ("/etc/loggos/sites.yaml", "/srv/" + "/".join(["deep"] * 40), "no"),
    ],
    ids=["elsewhere", "the store in tmp", "the sites file in tmp", "the socket of a deep folder"],
)
def test_what_others_find_in_tmp_is_not_hidden_from_it(sites: str, data: str, private: str) -> None:
    folder = Path(data, "alice")
    local = LocalSite("alice", Path(sites), Path(data), folder, folder / "control.sock", folder / "engine.log")
    assert f"PrivateTmp={private}" in list(unit(local, "loggos", "", None))


def test_a_port_of_root_is_all_that_it_may_have(tmp_path: Path) -> None:
    write_files(tmp_path / "sites.yaml", "test-island", loopback_addresses(NAMES))
    text = (tmp_path / "sites.yaml").read_text()
    port = text.split("alice: 127.0.0.1:")[1].split()[0]
    (tmp_path / "sites.yaml").write_text(text.replace(f"127.0.0.1:{port}", "127.0.0.1:701"))
    said = run("--sites", str(tmp_path / "sites.yaml"), "--data", "/srv/loggos", "service", "alice")
    assert "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in said.out
    assert "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in said.out


def test_metrics_are_served_as_they_are_asked_for(tmp_path: Path) -> None:
    lines = unit_in(tmp_path, "/srv/loggos", "--user", "root", "--metrics", "10.0.0.1:9464")
    assert lines["ExecStart"][0].endswith(" serve alice --metrics 10.0.0.1:9464")
    assert lines["ProcSubset"] == ["all"], "when the process started is in /proc/stat"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_it_and_finds_it_shut_off(tmp_path: Path) -> None:
    unit_in(tmp_path, "/srv/loggos", "--user", "root")
    path = str(tmp_path / "loggos-alice.service")
    verified, judged = (
        subprocess.run(["systemd-analyze", *words, path], check=False, capture_output=True, text=True, timeout=100)
        for words in (("verify",), ("security", "--offline=true", "--threshold=30"))
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    assert judged.returncode == 0, f"its exposure is 3.0 or more:\n{judged.stdout}"
