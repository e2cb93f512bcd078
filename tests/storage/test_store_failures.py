"""D2: a failed write, sync or read ends the use of the store; nothing is tried again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import storage.sqlite
from engine.core.ids import Slot
from engine.core.storage import Storage, StoreFailed
from storage.errors import file_errors
from tests.storage.faulty_disk import FaultyDisk
from tests.storage.samples import ALICE, accepted, open_sample, tweet, vote

ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from engine.core.ids import Slot
from engine.core.storage import StoreFailed
from tests.storage.samples import ALICE, accepted, open_sample, tweet, vote

store = open_sample(Path(sys.argv[1]))
store.load()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
number = 0
try:
    while True:
        number = store.commit([vote(number + 1, accepted(number + 1, tweet(ALICE, number + 1)))])
except StoreFailed as failure:
    print(number)
    print(failure)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
for use in (store.load, lambda: store.commit([]), lambda: store.log_rows(Slot(1), Slot(9))):
    try:
        use()
    except StoreFailed as failure:
        print(failure)
store.close()
"""


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with FaultyDisk() as disk:
        yield disk


def vote_in(store: Storage, number: int) -> int:
    return store.commit([vote(number, accepted(number, tweet(ALICE, number)))])


def assert_refuses_everything(store: Storage, disk: FaultyDisk) -> None:
    """Even when the disk is well again, and down to the closing: not one read, write or sync is tried."""
    disk.failing.clear()
    disk.tried.clear()
    for use in (
        store.load,
        lambda: store.commit([]),
        lambda: vote_in(store, 9),
        lambda: store.learned(Slot(1), Slot(1), 1),
        lambda: store.log_rows(Slot(1), Slot(1)),
        lambda: store.texts(Slot(1), Slot(1)),
        lambda: store.timeline(frozenset(), 1, None),
        lambda: store.timeline_count(frozenset()),
        lambda: store.events(None, 1),
        lambda: store.scrub(Slot(0), 1),
    ):
        with pytest.raises(StoreFailed, match="refused because of an earlier failure"):
            use()
    store.close()
    assert disk.tried == []


@pytest.mark.parametrize(
    ("operation", "code", "says"),
    [
        ("sync", apsw.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"),
        ("write", apsw.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"),
        ("write", apsw.SQLITE_FULL, "the disk is full. Free some space"),
    ],
)
def test_a_failed_commit_ends_the_use_of_the_store_d2(
    tmp_path: Path, disk: FaultyDisk, operation: str, code: int, says: str
) -> None:
    store = open_sample(tmp_path)
    assert [vote_in(store, number) for number in (1, 2, 3)] == [1, 2, 3]
    disk.failing[operation, "-wal"] = code
    with pytest.raises(StoreFailed, match=says) as failure:
        vote_in(store, 4)
    assert str(failure.value).startswith(f"{tmp_path / 'site.db'}: cannot commit")
    assert_refuses_everything(store, disk)

    store = open_sample(tmp_path)
    stored = store.load()
    assert stored.commit in {3, 4}
    assert [voted.first for voted in stored.votes] == list(range(1, stored.commit + 1))
    store.close()


@pytest.mark.parametrize("operation", ["sync", "write"])
def test_a_failed_checkpoint_ends_the_use_of_the_store_d2(
    tmp_path: Path, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """SQLite's own automatic checkpoint would hide this error and sync again later."""
    monkeypatch.setattr(storage.sqlite, "_WAL_PAGES_MAX", 10)
    store = open_sample(tmp_path)
    vote_in(store, 1)
    disk.failing[operation, "site.db"] = apsw.SQLITE_IOERR

    def vote_on() -> None:
        for number in range(2, 20):
            vote_in(store, number)

    with pytest.raises(StoreFailed, match="cannot copy the write-ahead log into the database"):
        vote_on()
    assert_refuses_everything(store, disk)


def test_a_failed_read_ends_the_use_of_the_store_d2(tmp_path: Path, disk: FaultyDisk) -> None:
    store = open_sample(tmp_path)
    for number in range(1, 400):
        vote_in(store, number)
    store.close()
    store = open_sample(tmp_path)
    disk.failing["read", "site.db"] = apsw.SQLITE_IOERR_READ
    with pytest.raises(StoreFailed, match="SQLITE_IOERR_READ"):
        store.load()
    assert_refuses_everything(store, disk)


def test_a_failure_while_closing_is_told_and_lets_go_of_the_lock_d2(tmp_path: Path, disk: FaultyDisk) -> None:
    store = open_sample(tmp_path)
    vote_in(store, 1)
    disk.failing["sync", "site.db"] = apsw.SQLITE_IOERR_FSYNC
    with pytest.raises(StoreFailed, match="SQLITE_IOERR_FSYNC"):
        store.close()
    disk.failing.clear()
    store = open_sample(tmp_path)
    assert [voted.first for voted in store.load().votes] == [1]
    store.close()


def test_a_broken_contract_ends_the_use_of_the_store(tmp_path: Path, disk: FaultyDisk) -> None:
    store = open_sample(tmp_path)
    vote_in(store, 1)
    with pytest.raises(AssertionError):
        store.commit([vote(0, accepted(1, tweet(ALICE, 1)))])
    assert_refuses_everything(store, disk)


def test_a_really_full_disk_loses_nothing_acknowledged_d1_d2(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk; it makes the system's own write fail."""
    run = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path.cwd(),
    )
    acknowledged, first, *later = run.stdout.splitlines()
    assert int(acknowledged) > 10
    assert first.startswith(f"{tmp_path / 'site.db'}: cannot commit")
    assert [first in refusal for refusal in later] == [True] * 3
    store = open_sample(tmp_path)
    assert store.load().commit == int(acknowledged)
    assert [voted.first for voted in store.load().votes] == list(range(1, int(acknowledged) + 1))
    assert vote_in(store, 1_000) == int(acknowledged) + 1
    store.close()


def test_another_writer_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.sqlite, "_BUSY_MS", 1)
    store = open_sample(tmp_path)
    store.load()
    other = apsw.Connection(str(tmp_path / "site.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="another program has it locked"):
        vote_in(store, 1)
    other.close()
    store.close()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "Read-only file system. Start .* or make the folder and all files in it writable"),
        (errno.EACCES, "Permission denied. Start the site as the user who owns its folder, or make the folder"),
        (errno.ENOSPC, "Free some space"),
        (errno.EMFILE, "Allow more open files"),
        (errno.EISDIR, "Move away what is in the way"),
        (errno.EIO, "Check the disk"),
    ],
)
def test_d5_no_failure_of_a_file_is_answered_with_another_folder(tmp_path: Path, number: int, advice: str) -> None:
    """Whoever followed that would have a site with a new store, which has no vote."""
    with pytest.raises(StoreFailed, match=advice) as failed, file_errors(tmp_path, "lock the store"):
        raise OSError(number, os.strerror(number))
    assert "--data" not in str(failed.value)


def test_d5_a_store_that_cannot_be_locked_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_sample(tmp_path).close()

    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("storage.lock.os.open", read_only)
    with pytest.raises(StoreFailed, match=r"lock the store: Read-only .* leave the store where it is"):
        open_sample(tmp_path)
