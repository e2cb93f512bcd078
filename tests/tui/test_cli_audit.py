"""`loggos audit` over the stores of real engines: running, killed, stopped, changed (docs/commands.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.entry import NOOP, Entry
from engine.core.ids import SiteId
from tests.real_cluster import RealCluster, run
from tests.storage.planting import Planter

TWEETS = 40


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """alice and bob run, carol was killed; all three have learned the same tweets. `stopped` has their stores too."""
    with RealCluster(tmp_path_factory.mktemp("audited"), ("alice", "bob", "carol")) as three:
        three.serve_all()
        lines = b"".join(b"line %d\n" % number for number in range(TWEETS))
        assert three.run("tweet", "alice", "--stdin", "--retry", "--timeout", "50", stdin=lines).status == 0
        blocked = three.run("block", "bob", "carol", "--json", "--timeout", "50").lines[0]["slot"]
        for name in three.names:
            three.until_learned(name, blocked)
        three.engines["carol"].kill()
        for name in ("alice", "bob"):
            three.run("stop", name)
        shutil.copytree(three.data_path, three.folder / "stopped", ignore=shutil.ignore_patterns("*.sock"))
        three.serve("alice", "bob")
        three.until_reached("alice", 2)
        yield three


@pytest.fixture
def copy(cluster: RealCluster, tmp_path: Path) -> Path:
    """The stores as they are where no engine runs, to be changed."""
    return shutil.copytree(cluster.folder / "stopped", tmp_path / "copy")


def test_running_and_killed_sites_agree(cluster: RealCluster) -> None:
    said = run("audit", str(cluster.data_path), "--json")
    assert (said.status, said.err) == (0, "")
    [report] = said.lines
    assert list(report) == ["sites", "missing", "slots", "events", "violations", "violations_found", "unreadable"]
    assert (report["violations"], report["violations_found"], report["unreadable"]) == ([], 0, [])
    assert (report["missing"], report["events"]) == ([], TWEETS + 1)
    assert [list(site) for site in report["sites"]] == [
        ["site", "folder", "standing", "prefix", "used_max", "events"]
    ] * 3
    assert [site["events"] for site in report["sites"]] == [TWEETS, 1, 0]
    assert {site["prefix"] for site in report["sites"]} == {report["slots"]}
    printed = run("audit", str(cluster.data_path))
    assert printed.status == 0
    assert f"no violation in 3 stores, {report['slots']} slots, {TWEETS + 1} events in effect" in printed.out
    cluster.until_reached("alice", 2)


def test_some_stores_of_a_cluster_say_what_is_missing(cluster: RealCluster) -> None:
    said = run("audit", str(cluster.data_path / "alice"))
    assert said.status == 0
    assert "no store here of bob, carol: their votes are not checked" in said.out
    assert "no violation in 1 store, " in said.out


def test_a_violation_is_a_line_and_status_12(copy: Path) -> None:
    with Planter(copy / "bob") as planter:
        planter.instead(5, Entry(SiteId("alice"), 5, 4, "tweet 1795262400123 \u202egotcha"))
    said = run("audit", str(copy))
    assert (said.status, said.err) == (12, "")
    assert [line for line in said.out.splitlines() if line.startswith("R1 slot 5 at bob - learned alice/5 ")]
    assert "violation" in said.out.splitlines()[-1]
    assert all(line.isprintable() for line in said.out.splitlines())
    [report] = run("audit", str(copy), "--json").lines
    assert report["violations_found"] == len(report["violations"]) > 0
    assert all(list(each) == ["rule", "slot", "site", "sentence"] for each in report["violations"])
    assert ("R1", 5, "bob") in [(each["rule"], each["slot"], each["site"]) for each in report["violations"]]


def test_a_store_that_cannot_be_read_is_status_3_unless_there_is_a_violation(copy: Path) -> None:
    (copy / "carol" / "site.db").write_bytes(b"not a database" * 1000)
    said = run("audit", str(copy), "--json")
    assert said.status == 3
    assert said.err.count("\n") == 1
    assert "carol/site.db" in said.err
    [report] = said.lines
    assert [Path(each["folder"]).name for each in report["unreadable"]] == ["carol"]
    with Planter(copy / "bob") as planter:
        planter.instead(5, NOOP)
    assert run("audit", str(copy)).status == 12


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_a_folder_without_stores_is_bad_input(tmp_path: Path, place: str) -> None:
    said = run("audit", str(tmp_path / place))
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)


def test_two_stores_of_one_site_are_bad_input(copy: Path, tmp_path: Path) -> None:
    shutil.copytree(copy / "bob", tmp_path / "again")
    said = run("audit", str(copy), str(tmp_path / "again"))
    assert said.status == 2
    assert "are both stores of bob" in said.err
