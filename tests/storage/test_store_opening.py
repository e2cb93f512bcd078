"""D4, D5: whose store it is, one process at a time, and how a store comes into being."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import storage.schema
from engine.core.ids import Round
from engine.core.storage import StoreBusy, StoreDamaged, StoreFailed, StoreForeign, WriteRound
from storage.schema import Identity
from storage.sqlite import open_store
from tests.storage.samples import ALICE, BOB, CAROL, IDENTITY, open_sample

HOLDER = """
import sys
from pathlib import Path
from tests.storage.samples import open_sample
store = open_sample(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_store_is_made_with_its_folders_and_a_life_of_its_own_d5(tmp_path: Path) -> None:
    lives = set()
    for name in ("a", "b"):
        store = open_sample(tmp_path / "deep" / name / "site")
        lives.add(store.load().life)
        store.close()
        assert {file.name for file in (tmp_path / "deep" / name / "site").iterdir()} == {"site.db", "lock"}
    assert len(lives) == 2


def test_all_names_are_durable_once_the_store_is_made_d1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new folder is synced in the one above it, and the database in its folder after it got its name."""
    synced: list[tuple[Path, set[str]]] = []
    sync_folder = storage.schema.sync_folder

    def watched(folder: Path) -> None:
        synced.append((folder, {path.name for path in folder.iterdir()}))
        sync_folder(folder)

    monkeypatch.setattr(storage.schema, "sync_folder", watched)
    open_sample(tmp_path / "a" / "b").close()
    assert synced == [
        (tmp_path, {"a"}),
        (tmp_path / "a", {"b"}),
        (tmp_path / "a" / "b", {"lock", "site.db"}),
    ]


def test_a_store_half_made_when_the_power_went_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "site.db.new").write_bytes(b"SQLite format 3\x00 and then nothing")
    (tmp_path / "site.db.new-journal").write_bytes(b"half a journal")
    store = open_sample(tmp_path)
    assert store.load().commit == 0
    store.close()


def test_a_second_opener_is_refused_and_told_who_holds_the_store_d4(tmp_path: Path) -> None:
    store = open_sample(tmp_path)
    with pytest.raises(StoreBusy, match=rf"{tmp_path}: process {os.getpid()} already runs this site"):
        open_sample(tmp_path)
    assert store.commit([WriteRound(Round(1))]) == 1
    store.close()
    open_sample(tmp_path).close()


def test_the_lock_ends_with_the_process_that_holds_it_d4(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match=f"process {holder.pid} "):
            open_sample(tmp_path)
        holder.kill()
        holder.wait()
    open_sample(tmp_path).close()


@pytest.mark.parametrize(
    ("identity", "difference"),
    [
        (replace(IDENTITY, cluster="other"), "belongs to cluster paxos-island, not other"),
        (replace(IDENTITY, site=BOB), "belongs to site alice, not bob"),
        (
            replace(IDENTITY, sites=(ALICE, BOB)),
            "belongs to the sites alice bob carol; in the given list carol is missing",
        ),
        (
            Identity("paxos-island", ALICE, (ALICE, ALICE.__class__("dave"), CAROL)),
            "belongs to the sites alice bob carol; in the given list bob is missing, dave is new",
        ),
    ],
    ids=["cluster", "site", "fewer", "renamed"],
)
def test_anothers_store_is_refused_naming_the_difference_d4(
    tmp_path: Path, identity: Identity, difference: str
) -> None:
    open_sample(tmp_path).close()
    with pytest.raises(StoreForeign, match=re.escape(f"{tmp_path / 'site.db'}: {difference}")):
        open_store(tmp_path, identity)
    open_store(tmp_path, replace(IDENTITY, sites=(CAROL, BOB, ALICE))).close()


def test_a_refused_store_is_left_as_it_was_d4(tmp_path: Path) -> None:
    open_sample(tmp_path).close()
    before = (tmp_path / "site.db").read_bytes()
    with pytest.raises(StoreForeign):
        open_store(tmp_path, replace(IDENTITY, cluster="other"))
    assert (tmp_path / "site.db").read_bytes() == before


def test_another_programs_database_is_refused_d4(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "site.db")
    database.execute("CREATE TABLE recipes (name)")
    database.close()
    before = (tmp_path / "site.db").read_bytes()
    with pytest.raises(StoreForeign, match="not a store of Loggos"):
        open_sample(tmp_path)
    assert (tmp_path / "site.db").read_bytes() == before


def test_another_version_of_the_tables_is_refused_by_number(tmp_path: Path) -> None:
    open_sample(tmp_path).close()
    database = sqlite3.connect(tmp_path / "site.db")
    database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(StoreForeign, match="a store of version 7; this program reads version 4"):
        open_sample(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 400], ids=["empty", "text"])
def test_what_is_no_database_is_damage_and_never_replaced_d3(tmp_path: Path, content: bytes) -> None:
    open_sample(tmp_path).close()
    (tmp_path / "site.db").write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=re.escape(str(tmp_path / "site.db"))):
            open_sample(tmp_path)
    assert (tmp_path / "site.db").read_bytes() == content


def test_a_log_without_its_database_is_damage_d3(tmp_path: Path) -> None:
    (tmp_path / "site.db-wal").write_bytes(b"")
    with pytest.raises(StoreDamaged, match=r"is missing, but its log site\.db-wal is there"):
        open_sample(tmp_path)
    assert not (tmp_path / "site.db").exists()


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match=r"cannot make the folder: Not a directory"):
        open_sample(tmp_path / "file" / "site")


def test_a_lock_that_cannot_be_taken_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(StoreFailed, match=r"lock: cannot lock the store: Is a directory"):
        open_sample(tmp_path)


def test_the_lock_names_the_process_that_runs_the_site(tmp_path: Path) -> None:
    """The tour kills an engine by it, whoever started it."""
    (tmp_path / "lock").write_text("1234567890\n")  # of a process that was killed
    store = open_sample(tmp_path)
    try:
        assert (tmp_path / "lock").read_text().split() == [str(os.getpid())]
    finally:
        store.close()
    tour = (Path(__file__).parents[2] / "docs" / "tour.md").read_text(encoding="utf-8")
    assert "kill -9 $(cat ~/.local/share/loggos/demo-5/dave/lock)" in tour
    assert "pkill" not in tour, "what it matches depends on how the engine was started"
