"""`loggos backup`, and what reads a backup (docs/commands.md)."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from storage.rows import RANGES
from tests.storage.planting import SITES, Planter, make_cluster
from tests.storage.samples import BOB, tweet
from tui.cli import main
from tui.progress import ShowProgress

Command = Callable[..., tuple[int, str, str]]
SITES_FILE = "cluster: paxos-island\nleadership: none\nsites:\n" + "".join(
    f"  {site}: 127.0.0.1:{port}\n" for port, site in enumerate(SITES, 7001)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stores of three sites, of which none runs."""
    return make_cluster(tmp_path_factory.mktemp("made"))


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "data")


@pytest.fixture
def command(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process: status, stdout and stderr."""
    sites = tmp_path / "sites.yaml"
    sites.write_text(SITES_FILE)
    monkeypatch.chdir(tmp_path)

    def run_here(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["loggos", "--sites", str(sites), "--data", str(data), *words])
        status = main()
        said = capfd.readouterr()
        return status, said.out, said.err

    return run_here


def as_json(out: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in out.splitlines()]


def test_a_backup_says_what_is_in_it_and_its_checksum(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "carol.backup"
    status, out, err = command("backup", "carol", str(file), "--json")
    assert (status, err) == (0, "")
    summed = sha256(file.read_bytes()).hexdigest()
    said = {"site": "carol", "cluster": "paxos-island", "slots": 8, "bytes": file.stat().st_size, "sha256": summed}
    assert as_json(out) == [{"backup": str(file), **said}]
    status, out, err = command("backup", "carol", "relative.backup")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"backed up carol of paxos-island: 8 slots, {file.stat().st_size:,} bytes in {tmp_path}/relative.backup",
        f"sha256 {summed}",
    ]


def test_what_is_there_is_written_over_only_when_that_is_said(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    status, out, err = command("backup", "bob", str(file))
    assert (status, out, err) == (2, "", f"loggos: {file} already exists: name another file, or add --overwrite\n")
    assert file.read_text() == "mine"
    assert command("backup", "bob", str(file), "--overwrite")[0] == 0
    assert command("audit", str(file))[0] == 0


def test_where_nothing_can_be_backed_up_one_line_says_why(command: Command, data: Path, tmp_path: Path) -> None:
    shutil.rmtree(data / "alice")
    (data / "carol" / "site.db").write_bytes(b"not a database" * 1000)
    for site, file, status, why in (
        ("alice", "file", 2, "alice has no store in "),
        ("bob", "data/bob/file", 2, "is the folder of a site"),
        ("bob", "nowhere/file", 2, "nowhere is not a folder: make it"),
        ("carol", "file", 3, "carol/site.db: cannot "),
    ):
        ended, out, err = command("backup", site, str(tmp_path / file))
        assert (ended, out, err.count("\n")) == (status, "", 1)
        assert why in err
        assert not (tmp_path / file).exists()


def test_a_signal_ends_it_with_nothing_left(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def bar() -> Iterator[ShowProgress]:
        yield lambda _what, _done, _of: os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("tui.commands.backup.progress_bar", bar)
    status, out, err = command("backup", "bob", "file")
    assert (status, out, err) == (128 + signal.SIGTERM, "", "loggos: interrupted: nothing was backed up\n")
    assert not list(tmp_path.glob("file*"))


def test_an_audit_reads_backups_beside_stores(command: Command, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "bob.backup"
    command("backup", "bob", str(file))
    status, out, _ = command("audit", str(data / "alice"), str(file), "--json")
    [report] = as_json(out)
    assert (status, report["violations"], report["missing"]) == (0, [], ["carol"])
    assert [(site["site"], site["standing"]) for site in report["sites"]] == [("alice", "admitted"), ("bob", "backup")]
    assert report["sites"][1]["folder"] == str(file)
    with Planter(data / "alice") as planter:
        planter.instead(3, tweet(BOB, 9))
    assert command("audit", str(data / "alice"), str(file))[0] == 12


def test_a_damaged_backup_is_refused_by_name(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "bob.backup"
    command("backup", "bob", str(file))
    content = bytearray(file.read_bytes())
    content[9_000] ^= 1
    file.write_bytes(content)
    status, _, err = command("audit", str(file))
    assert status == 3
    assert f"{file}: does not match its checksum: it was damaged after it was made. Take another copy of it" in err


def test_a_site_cannot_be_started_from_a_backup(command: Command, data: Path, tmp_path: Path) -> None:
    command("backup", "bob", str(tmp_path / "bob.backup"))
    shutil.rmtree(data / "bob")
    (data / "bob").mkdir()
    shutil.copy(tmp_path / "bob.backup", data / "bob" / "site.db")
    status, out, err = command("serve", "bob")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "a backup of bob's store; no site can be started from it" in err


def test_view_log_and_blocks_read_a_backup_and_a_folder_alike(command: Command, data: Path, tmp_path: Path) -> None:
    """As the site of the store may see it: within carol's prefix bob blocks her."""
    file = tmp_path / "carol.backup"
    command("backup", "carol", str(file))
    for place in (str(file), str(data / "carol"), str(data / "carol" / "site.db")):
        status, out, err = command("view", "--store", place, "--json")
        assert (status, err) == (0, "")
        assert [(line["slot"], line["author"], line["text"]) for line in as_json(out)] == [
            (1, "alice", "lunch at noon?"),
            (4, "carol", "me too"),
            (5, "alice", "standup moved to 10"),
            (6, "alice", "no, 11"),
        ]
        assert list(as_json(out)[0]) == ["slot", "author", "text", "at"]
        status, out, _ = command("log", "--store", place, "--json")
        assert status == 0
        lines = as_json(out)
        assert [(line["slot"], line["state"], line["kind"]) for line in lines[5:]] == [
            (6, "chosen", "tweet"),
            (7, "chosen", "void"),
            (8, "chosen", "withdrawal"),
            (9, "hole", None),
            (10, "chosen", "block"),
        ]
        assert as_json(command("log", "--from", "2", "--to", "3", "--store", place, "--json")[1]) == lines[1:3]
        assert as_json(command("blocks", "--store", place, "--json")[1]) == [
            {"blocker": "bob", "blocked": "carol", "slot": 2}
        ]
    printed = command("view", "--store", str(file))[1]
    assert "waiting for slot 9; 1 learned after it, not shown yet" in printed
    assert "hole" in command("log", "--store", str(file), "--limit", "2")[1]


def test_ranges_that_were_promised_show_where_nothing_is_learned_a3(command: Command, data: Path) -> None:
    with Planter(data / "carol") as planter:
        planter.change(RANGES, "position = 0", first=9)
    lines = as_json(command("log", "--store", str(data / "carol"), "--from", "8", "--json")[1])
    assert [(line["slot"], line["state"]) for line in lines] == [(8, "chosen"), (9, "promised"), (10, "chosen")]


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (("view",), 2, "the following arguments are required: SITE, or --store FILE"),
        (("view", "alice", "--store", "x"), 2, "SITE and --store exclude each other"),
        (("log", "--store", "nowhere"), 2, "there is no store at nowhere: name a backup, or the folder of a site"),
        (("view", "--store", "data"), 2, "there is no store at data"),
        (("view", "--fresh", "--store", "data/bob"), 2, "leave out --fresh"),
        (
            ("blocks", "--store", "sites.yaml"),
            3,
            "sites.yaml: not a backup of Loggos. Name a data folder, ",
        ),
    ],
)
def test_what_is_no_store_is_told_in_one_line(command: Command, words: tuple[str, ...], status: int, why: str) -> None:
    ended, out, err = command(*words)
    assert (ended, out, err.count("\n")) == (status, "", 1)
    assert why in err
