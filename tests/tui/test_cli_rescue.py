"""`loggos rescue`: what is said before anything is written, what is refused, and what real engines make of it."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.config import read_cluster
from engine.core.entry import Remove
from engine.core.storage import StoreFailed
from tests.real_cluster import BOUND_S, PROGRAM, RealCluster, environment, run, until
from tests.storage.planting import ERIN, NAMES, SITES, Planter, make_cluster, make_grown
from tests.storage.samples import ALICE, tweet
from tui.cli import main
from tui.progress import ShowProgress

Command = Callable[..., tuple[int, str, str]]
SITES_FILE = """\
# ours
cluster: paxos-island
leadership: none
heartbeat_ms: 250
sites:
  alice: 127.0.0.1:9001
  bob: 127.0.0.1:9002
  carol: 127.0.0.1:9003
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cluster(tmp_path_factory.mktemp("made"))


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "data")


@pytest.fixture
def command(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `rescue`, of what is in `data`, in this process: status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run_here(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["loggos", "rescue", *words])
        status = main()
        said = capfd.readouterr()
        return status, said.out, said.err

    assert data.is_dir()
    return run_here


def the_one(out: str) -> dict[str, Any]:
    [line] = out.splitlines()
    said: dict[str, Any] = orjson.loads(line)
    return said


INTO = ("--into", "new", "--cluster", "island-two")


def test_nothing_is_written_before_somebody_agreed(command: Command, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    status, out, err = command("data/carol", *INTO)
    assert (status, err) == (2, "loggos: nothing was written: answer yes, or add --yes\n")
    assert out.splitlines()[-6:] == [
        "lost: alice, bob, 2 of 3 sites",
        "certain: 9 slots, learned by a site or accepted by a majority",
        "unknown: slot 9: no store has anything there, so the new log has no-ops",
        "gone: bob/3, which later events follow: withdrawn at slot 9 to keep those in effect",
        "missing: perhaps events that only alice, bob acknowledged, from slot 9 on",
        "the new log: 10 slots, 8 events in effect",
    ]
    assert sorted(tmp_path.rglob("*")) == before
    status, out, _ = command("data/carol", *INTO, "--json")
    assert (status, the_one(out)["new"]) == (2, None)


def test_what_is_taken_over_is_listed(command: Command) -> None:
    _, out, _ = command("data/alice", "data/carol", *INTO)
    assert "taken over: 1 slot that no store has learned, as accepted at the highest ballot" in out
    assert "  slot 11  perhaps chosen  accepted at 6.bob by alice  bob/5 tweet pending" in out
    assert "lost: bob, fewer than a majority of 3" in out
    assert "missing: nothing that was acknowledged\na majority of the old sites is here: they can continue" in out


def test_the_new_cluster_is_written_whole(command: Command, tmp_path: Path) -> None:
    status, out, err = command("data/alice", "data/carol", *INTO, "--yes", "--json")
    assert (status, err) == (0, "")
    said, new = the_one(out), tmp_path / "new"
    assert said["new"] == {"cluster": "island-two", "sites": str(new / "sites.yaml"), "data": str(new)}
    assert list(said) == [
        *("cluster", "stores", "unreadable", "lost", "slots", "events", "learned", "taken", "unknown", "withdrawn"),
        *("filled", "missing_from", "remarks", "new"),
    ]
    assert said["taken"] == [
        {
            "slot": 11,
            "kind": "tweet",
            "author": "bob",
            "id": "bob/5",
            "text": "pending",
            "target": None,
            "ballot": "6.bob",
            "accepted_by": ["alice"],
            "chosen": False,
        }
    ]
    assert list(said["stores"][0]) == ["site", "folder", "standing", "prefix", "used_max"]
    cluster = read_cluster(new / "sites.yaml")
    assert (cluster.name, cluster.sites, cluster.key is not None) == ("island-two", SITES, True)
    assert [stat.S_IMODE((new / name).stat().st_mode) for name in NAMES] == [0o700] * 3
    assert stat.S_IMODE((new / "cluster.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "new"]
    assert run("audit", str(new)).status == 0


def test_addresses_and_settings_are_taken_over(command: Command, tmp_path: Path) -> None:
    (tmp_path / "sites.yaml").write_text(SITES_FILE)
    status, out, _ = command("data/alice", *INTO, "--yes")
    assert status == 0
    assert f"addresses and settings are those of {tmp_path}/sites.yaml" in out
    text = (tmp_path / "new" / "sites.yaml").read_text()
    expected = SITES_FILE.replace("paxos-island", "island-two")
    assert text == f"{expected.rstrip()}\nkey: cluster.key\n"
    cluster = read_cluster(tmp_path / "new" / "sites.yaml")
    assert (cluster.timings.heartbeat, cluster.addresses[ALICE].port) == (250, 9001)


def test_who_came_later_has_a_sites_file_of_its_own(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("storage.audit.lists", "storage.audit.replays"):
        monkeypatch.setattr(f"{module}.CHANGE_LAG", 1)
    make_grown(tmp_path)
    (tmp_path / "sites.yaml").write_text(f"{SITES_FILE}added:\n  dave: 127.0.0.1:7004\n")
    status, out, err = command("dave", *INTO, "--yes")
    assert (status, err) == (0, "")
    assert "lost: alice, erin, 2 of 3 sites" in out
    assert (
        "sites that came after the cluster had begun have a sites file of their own: sites-dave.yaml, sites-erin" in out
    )
    assert "the log has carol at 127.0.0.1:7003, dave at 127.0.0.1:7004, erin at 127.0.0.1:7005, whatever" in out
    assert f"--sites {tmp_path}/new/sites.yaml --data {tmp_path}/new serve alice" in out
    founders, dave = (read_cluster(tmp_path / "new" / name) for name in ("sites.yaml", "sites-dave.yaml"))
    assert (founders.name, founders.sites, founders.added) == ("island-two", SITES, None)
    assert (dave.name, dave.sites, dave.added, dave.key) == ("island-two", SITES, "dave", founders.key)
    assert str(dave.addresses[dave.find("dave")]) == "127.0.0.1:7004"


def test_of_two_sites_one_lacks_nothing_and_cannot_go_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two have chosen, both have accepted; and one of two is no majority."""
    for module in ("storage.audit.lists", "storage.audit.replays"):
        monkeypatch.setattr(f"{module}.CHANGE_LAG", 1)
    make_grown(tmp_path, Remove(ERIN))
    _, out, _ = command("dave", *INTO)
    assert "lost: alice, fewer than a majority of 2\n" in out
    assert "missing: nothing that was acknowledged\n" in out
    assert "they can continue" not in out


def test_a_sites_file_of_another_cluster_is_not_taken(command: Command, tmp_path: Path) -> None:
    (tmp_path / "sites.yaml").write_text(SITES_FILE.replace("paxos", "other"))
    status, _, err = command("data/alice", *INTO, "--yes", "--sites", "sites.yaml")
    assert (status, err.count("\n")) == (2, 1)
    assert "is not of cluster paxos-island" in err
    status, out, _ = command("data/alice", *INTO, "--yes")
    assert status == 0
    assert "it has loopback addresses now" in out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--into", "new", "--cluster", "paxos-island"), "the old cluster is paxos-island: give the new one another"),
        (("--into", "new", "--cluster", "Two"), "a cluster's name is "),
        (("--into", "data", "--cluster", "island-two"), "data already exists"),
        (("--into", "nowhere/new", "--cluster", "island-two"), "nowhere is not a folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(command: Command, tmp_path: Path, words: Any, why: str) -> None:
    status, out, err = command("data/carol", *words, "--yes")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert why in err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_cannot_be_read_ends_with_3_unless_something_else_can(command: Command, data: Path) -> None:
    (data / "bob" / "site.db").write_bytes(b"not a database" * 1000)
    status, out, err = command("data/bob", *INTO, "--yes")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "bob/site.db: cannot " in err
    status, out, _ = command("data/bob", "data/carol", *INTO, "--yes")
    assert status == 0
    assert "cannot be read: " in out


def test_contradictions_are_shown_and_nothing_is_written(command: Command, data: Path, tmp_path: Path) -> None:
    with Planter(data / "carol") as planter:
        planter.instead(5, tweet(ALICE, 9))
    status, out, err = command("data", *INTO, "--yes")
    assert (status, err.count("\n")) == (12, 1)
    assert "the stores contradict each other" in err
    assert [line for line in out.splitlines() if line.startswith("R1 slot 5 at carol - learned alice/9 ")]
    assert not (tmp_path / "new").exists()
    status, out, _ = command("data", *INTO, "--yes", "--json")
    assert status == 12
    assert "R1" in [each["rule"] for each in the_one(out)["contradictions"]]


def test_a_full_disk_leaves_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreFailed(
            "new.part/bob/site.db: cannot commit: the disk is full", "Free some space, then start the site"
        )

    monkeypatch.setattr("tui.commands.rescue.publish", full)
    status, _, err = command("data/carol", *INTO, "--yes")
    assert (status, err.count("\n")) == (3, 1)
    assert err.endswith("the disk is full. Nothing of it is left, and the old stores are unchanged\n")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("phase", ["reading", "writing", "checking"])
def test_a_signal_ends_it_with_nothing_written(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    @contextmanager
    def bar() -> Iterator[ShowProgress]:
        yield lambda what, _done, _of: os.kill(os.getpid(), signal.SIGTERM) if what == phase else None

    monkeypatch.setattr("tui.commands.rescue.progress_bar", bar)
    status, _, err = command("data/carol", *INTO, "--yes")
    assert (status, err) == (128 + signal.SIGTERM, "loggos: interrupted: nothing was written\n")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_an_earlier_rescue_left_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "new.part").mkdir()
    status, _, err = command("data/carol", *INTO, "--yes")
    assert status == 2
    assert "new.part is left over from an interrupted rescue: remove it" in err


@pytest.mark.parametrize(("answer", "status"), [(b"yes\n", 0), (b"no\n", 2), (b"", 128 + signal.SIGINT)])
def test_the_question_is_asked_on_a_terminal(data: Path, tmp_path: Path, answer: bytes, status: int) -> None:
    """Without an answer, Ctrl+C."""
    ours, theirs = pty.openpty()
    words = ("rescue", str(data / "carol"), "--into", str(tmp_path / "new"), "--cluster", "island-two")
    asked = subprocess.Popen(
        [*PROGRAM, *words], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment() | {"TERM": "dumb"}
    )
    os.close(theirs)
    said = b""
    while b"Type yes: " not in said:
        said += os.read(ours, 4_096)
    if answer:
        os.write(ours, answer)
    else:
        asked.send_signal(signal.SIGINT)
    out, _ = asked.communicate(timeout=BOUND_S)
    os.close(ours)
    assert asked.returncode == status
    assert b"the new log: 10 slots" in out
    assert (tmp_path / "new").exists() == (status == 0)


def test_two_of_three_disks_are_destroyed_and_the_cluster_goes_on(tmp_path: Path) -> None:
    """What the third had learned is all there, new events are taken, and no old site can speak to the new ones."""
    for folder in ("old", "new-engines"):
        (tmp_path / folder).mkdir()
    with RealCluster(tmp_path / "old", NAMES) as old:
        old.serve_all()
        for name in NAMES:
            lines = b"".join(b"%s says %d\n" % (name.encode(), number) for number in range(20))
            assert old.run("tweet", name, "--stdin", "--retry", "--timeout", "50", stdin=lines).status == 0
        blocked = old.run("block", "bob", "alice", "--json", "--timeout", "50").lines[0]["slot"]
        old.until_learned("carol", blocked)
        before = {what: old.run(what, "carol", "--json").out for what in ("view", "log", "blocks")}
        for what, out in before.items():
            assert run(what, "--store", str(old.data_path / "carol"), "--json").out == out
        said = old.run("rescue", str(old.data_path / "carol"), "--into", str(tmp_path / "new"), "--cluster", "two")
        assert (said.status, said.out) == (4, ""), "she runs"
        for engine in old.engines.values():
            engine.kill()
        for name in ("alice", "bob"):
            shutil.rmtree(old.data_path / name)
        words = (str(old.data_path / "carol"), "--into", str(tmp_path / "new"), "--cluster", "two", "--yes", "--json")
        said = old.run("rescue", *words)
        assert (said.status, said.err) == (0, "")
        assert said.lines[0]["lost"] == ["alice", "bob"]
        with RealCluster(tmp_path / "new-engines", NAMES) as new:
            new.sites_path, new.data_path = tmp_path / "new" / "sites.yaml", tmp_path / "new"
            new.serve("bob", "carol")
            for what, out in before.items():
                assert new.run(what, "carol", "--json").out == out
            for name in ("bob", "carol"):
                made = new.run("tweet", name, f"{name} goes on", "--json", "--timeout", "50").lines[0]
                assert (made["outcome"], made["id"]) == ("created", f"{name}/1000001")
            old.serve("alice")  # on a new disk, at the address where the new cluster's alice would be
            until(lambda: new.ask("carol", "status")["counters"]["rejected"].get("forged"), "alice greets carol")
            new.until_reached("carol", 2)
            assert old.ask("alice", "status")["chosen_through"] == 0
            report = run("audit", str(tmp_path / "new"), "--json")
            assert (report.status, report.lines[0]["violations"]) == (0, [])
