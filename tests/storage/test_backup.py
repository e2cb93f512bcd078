"""Backups: whole, and of one moment, whatever the engine does; never run on; refused where they are damaged."""

from __future__ import annotations

import fcntl
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from hashlib import sha256
from pathlib import Path

import apsw
import pytest

from engine.core.ids import Round, Slot
from engine.core.storage import StoreError, StoreForeign, WriteRound
from storage.audit.run import audit
from storage.backup import Backup, BackupFailed, BackupRefused, Phase, back_up
from storage.beside import read_beside, read_outside
from storage.errors import BackupDamaged
from storage.rows import TABLES, Table
from tests.storage.planting import damage, open_beside
from tests.storage.samples import BOB, a_part_of_tweets, open_sample


def backed_up(folder: Path, file: Path) -> Backup:
    return back_up(folder, file, lambda *_: None)


def rows(place: Path, table: Table) -> list[tuple[object, ...]]:
    database = place / "site.db" if place.is_dir() else place
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        return list(db.execute(f"SELECT {table.selected} FROM {table.name} ORDER BY {', '.join(table.key)}"))


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.beside._PAGES_A_STEP", 4)


@pytest.fixture
def backup(cluster: Path, tmp_path: Path) -> Path:
    """Of bob."""
    backed_up(cluster / "bob", tmp_path / "bob.backup")
    return tmp_path / "bob.backup"


def test_a_backup_has_every_row_of_the_store(cluster: Path, tmp_path: Path) -> None:
    file = tmp_path / "bob.backup"
    made = backed_up(cluster / "bob", file)
    for table in TABLES[1:]:
        assert rows(file, table) == rows(cluster / "bob", table), table.name
    assert (made.site, made.cluster, made.slots) == ("bob", "paxos-island", 10)
    assert (made.bytes_count, made.sha256) == (file.stat().st_size, sha256(file.read_bytes()).hexdigest())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "what people wrote is not for all users of the machine"
    assert list(tmp_path.iterdir()) == [file]


def test_no_site_runs_on_a_backup_d5(backup: Path, tmp_path: Path) -> None:
    before = backup.read_bytes()
    (tmp_path / "bob").mkdir()
    shutil.copy(backup, tmp_path / "bob" / "site.db")
    with pytest.raises(StoreForeign, match="a backup of bob's store; no site can be started from it"):
        open_beside(tmp_path / "bob", BOB)
    assert (tmp_path / "bob" / "site.db").read_bytes() == before


def test_a_backup_says_of_whose_life_it_is(cluster: Path, backup: Path) -> None:
    with read_outside(backup) as outside, read_beside(cluster / "bob") as store:
        assert outside.reader.meta().life == store.reader.meta().life
        assert (outside.is_backup, store.is_backup) == (True, False)


def test_an_older_backup_beside_stores_that_went_on_is_no_violation(data: Path, tmp_path: Path) -> None:
    """What its site did since is not held against it, as it would be against an old copy that votes (B1, D5)."""
    backed_up(data / "bob", tmp_path / "bob.backup")
    with closing(open_beside(data / "bob", BOB)) as store:
        store.commit([WriteRound(Round(9))])
    report = audit([data / "alice", data / "carol", tmp_path / "bob.backup"])
    assert (report.violations, report.unreadable, report.missing) == ((), (), ())
    assert [site.is_backup for site in report.sites] == [False, True, False]


def test_a_backup_is_of_one_moment_and_the_engine_goes_on_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "alice.backup"
    with closing(open_sample(tmp_path / "alice")) as store:
        store.commit(a_part_of_tweets(1, 2_000))
        commits: list[int] = []

        def told(phase: Phase, done: int, pages: int) -> None:
            if phase is Phase.COPYING and done < pages:
                first = 2_001 + len(commits)
                commits.append(store.commit(a_part_of_tweets(first, first)))

        made = back_up(tmp_path / "alice", file, told)
    assert len(commits) > 1, "the copy was made in one step"
    assert (made.slots, made.commit) == (2_000, 1)
    with read_outside(file) as outside:
        assert outside.reader.tail().meta.prefix == 2_000
        assert outside.reader.scrub(Slot(0), 10_000) is None


def test_the_copy_gives_way_to_an_engine_that_starts(tmp_path: Path) -> None:
    """An engine that starts waits only so long until nobody holds a snapshot."""
    with closing(open_sample(tmp_path / "alice")) as store:
        store.commit(a_part_of_tweets(1, 2_000))
        done_of_all: list[int] = []

        def told(phase: Phase, done: int, _: int) -> None:
            if phase is Phase.COPYING:
                done_of_all.append(done)
            if phase is Phase.COPYING and len(done_of_all) == 2:
                (tmp_path / "alice" / "lock").write_text("another process\n")
                store.commit(a_part_of_tweets(2_001, 2_001))

        made = back_up(tmp_path / "alice", tmp_path / "alice.backup", told)
    assert done_of_all[:3] == [4, 8, 4]
    assert made.slots == 2_001


@pytest.mark.parametrize("place", [0, 30, 5_000, -2_000, -100, -1])
def test_a_backup_that_was_damaged_is_refused_by_name_d3(backup: Path, place: int) -> None:
    content = bytearray(backup.read_bytes())
    content[place] ^= 1
    backup.write_bytes(content)
    refused(backup)


@pytest.mark.parametrize("kept", [0, 10, 4_096, 20_000, -1])
def test_a_backup_that_was_cut_short_is_refused_by_name_d3(backup: Path, kept: int) -> None:
    backup.write_bytes(backup.read_bytes()[:kept])
    refused(backup)


def refused(backup: Path) -> None:
    with pytest.raises((BackupDamaged, StoreForeign), match=r"bob\.backup: "), read_outside(backup):
        pass
    [unreadable] = audit([backup]).unreadable
    assert unreadable.folder == backup


def test_a_database_without_its_folder_is_no_backup(cluster: Path, tmp_path: Path) -> None:
    shutil.copy(cluster / "bob" / "site.db", tmp_path / "copy")
    with pytest.raises(BackupDamaged, match="does not end like a backup"), read_outside(tmp_path / "copy"):
        pass


def test_a_damaged_store_is_named_and_nothing_is_left_d3(data: Path, tmp_path: Path) -> None:
    damage(data / "bob", "UPDATE slots SET promised = '9.bob' WHERE first = 3")
    with pytest.raises(BackupFailed, match=r"bob/site.db: table slots, first 3: does not match its checksum"):
        backed_up(data / "bob", tmp_path / "bob.backup")
    assert not list(tmp_path.glob("bob.backup*"))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("short", [1, 30_000])
def test_where_there_is_no_room_what_was_there_stays(cluster: Path, backup: Path, tmp_path: Path, short: int) -> None:
    """In the middle of the copy, and at its last bytes."""
    before = backup.read_bytes()
    limits = ExitStack()

    def told(_phase: Phase, done: int, _of: int) -> None:
        if done == 4:
            limits.enter_context(files_of_at_most(len(before) - short))

    with limits, pytest.raises(BackupFailed, match=r"cannot be written: .*Nothing of it"):
        back_up(cluster / "bob", backup, told)
    assert backup.read_bytes() == before
    assert list(tmp_path.iterdir()) == [backup]


def test_what_ends_a_backup_leaves_nothing(cluster: Path, tmp_path: Path) -> None:
    def told(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(cluster / "bob", tmp_path / "bob.backup", told)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_backup_left_is_written_over(cluster: Path, tmp_path: Path) -> None:
    (tmp_path / "bob.backup.part").write_bytes(b"half" * 100_000)
    backed_up(cluster / "bob", tmp_path / "bob.backup")
    assert audit([tmp_path / "bob.backup"]).unreadable == ()
    assert not (tmp_path / "bob.backup.part").exists()


def test_two_backups_never_write_one_file(cluster: Path, tmp_path: Path) -> None:
    with (tmp_path / "bob.backup.part").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BackupRefused, match="is being written by another backup"):
            backed_up(cluster / "bob", tmp_path / "bob.backup")
    assert (tmp_path / "bob.backup.part").exists()


def test_no_store_is_written_over(data: Path, tmp_path: Path) -> None:
    before = (data / "alice" / "site.db").read_bytes()
    (tmp_path / "link").symlink_to(data / "alice")
    for file in (data / "alice" / "site.db", data / "bob" / "copy", tmp_path / "link" / "site.db"):
        with pytest.raises(BackupRefused, match="is the folder of a site"):
            backed_up(data / "bob", file)
    assert (data / "alice" / "site.db").read_bytes() == before
    for file in (tmp_path, tmp_path / "nowhere" / "file", Path("/dev/null")):
        with pytest.raises(BackupRefused, match="name another place"):
            backed_up(data / "bob", file)


def test_a_place_without_a_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="nothing was backed up"):
        backed_up(tmp_path / "zoe", tmp_path / "zoe.backup")
    assert list(tmp_path.iterdir()) == []
    assert issubclass(BackupDamaged, StoreError)
