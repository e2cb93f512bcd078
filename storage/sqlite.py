"""A site's store: one SQLite database in the site's folder, behind the core's Storage protocol.

Rules that hold here:
- One process, one thread, one connection (D4). A commit is one transaction of everything that a pass of the node wants
  written, the commit number included (D1, D5).
- The database is in WAL mode with synchronous=FULL: a commit returns after one sync of the write-ahead log, to which it
  was appended. NORMAL would leave that sync to the next checkpoint, and a power cut could then take back a promise.
- SQLite's automatic checkpoint swallows its errors, a failed sync among them (D2). So it is off, and the store runs its
  own, which copies the log into the database, never waits for a reader, and lets the log start over.
- After the first failure nothing is tried again: each later call is refused with the same reason, and closing leaves
  the log for the next start (D2). What was acknowledged is in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import apsw

from engine.core.ids import SiteId, Slot
from engine.core.run import Run
from engine.core.storage import EventRow, LogRow, SlotText, Stored, StoreFailed, Vote, Write
from storage.changes import Changes
from storage.errors import SQLITE_RAISES, of_sqlite, sqlite_errors
from storage.lock import FolderLock
from storage.reader import Reader
from storage.schema import Identity, check_identity, check_schema, ensure_store, make_folder
from storage.tail import Tail
from storage.wal import check_log

DATABASE: Final = "site.db"

_WAL_PAGES_MAX: Final = 1_000  # 4 MB: a checkpoint about every 400 votes
_WAL_BYTES_KEPT: Final = 16 * 2**20  # a log that grew under a long read shrinks to this when it starts over
_BUSY_MS: Final = 2_000  # how long another program may keep the database locked
_SYNCHRONOUS_FULL: Final = 2


def open_store(folder: Path, identity: Identity) -> SqliteStorage:
    """Opens the site's store in `folder`, making both where they are missing, and locks it for this process.

    Raises StoreBusy, StoreForeign (both D4), StoreDamaged (D3), StoreFailed (D2).
    """
    path = folder / DATABASE
    make_folder(folder)
    with ExitStack() as undo:
        lock = FolderLock.take(folder)
        undo.callback(lock.release)
        ensure_store(path, identity)
        with sqlite_errors(path, "open"):
            db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            undo.callback(db.close, True)
            configure(db)
            check_schema(db, path)
        meta = Reader(db, path).meta()
        check_identity(meta, identity, path)
        with sqlite_errors(path, "open"):
            _make_durable(db, path)
            _empty_log(db, path)
        undo.pop_all()
    return SqliteStorage(db, path, lock, meta.sites)


class SqliteStorage:
    """Implements `engine.core.storage.Storage`."""

    def __init__(self, db: apsw.Connection, path: Path, lock: FolderLock, founders: tuple[SiteId, ...]) -> None:
        """Takes over an open, checked database and the lock; `open_store` is the way to get one."""
        self.founders = founders
        """With whom the cluster began (M1)."""
        self._db = db
        self._path = path
        self._lock = lock
        self._reader = Reader(db, path)
        self._tail: Tail | None = None
        self._refusal: str | None = None
        self._wal_pages = 0
        db.set_wal_hook(self._count_wal_pages)  # in the place of SQLite's own, the automatic checkpoint

    def load(self) -> Stored:
        with self._attempt():
            self._tail = self._reader.tail()
            return self._tail.stored()

    def commit(self, writes: Sequence[Write]) -> int:
        """As `Storage.commit`. Raises AssertionError for writes that break the contract; refuses all from then on."""
        self._check_refusal()
        try:
            if self._tail is None:
                self._tail = self._reader.tail()
            if writes:
                self._write(self._tail.advance(writes))
        except BaseException as error:  # of any kind: tail and disk may differ by now (D2). It is raised again
            self._refuse_from_now_on(error)
            raise
        return self._tail.meta.commit

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> list[Run]:
        with self._attempt():
            return self._reader.learned(first, last, bytes_max)

    def voted(self, slot: Slot) -> Vote:
        with self._attempt():
            return self._reader.voted(slot)

    def log_rows(self, first: Slot, last: Slot) -> list[LogRow]:
        with self._attempt():
            return self._reader.log_rows(first, last)

    def texts(self, first: Slot, last: Slot) -> list[SlotText]:
        with self._attempt():
            return self._reader.texts(first, last)

    def timeline(self, hidden: frozenset[SiteId], limit: int, before: Slot | None) -> list[LogRow]:
        with self._attempt():
            return self._reader.timeline(hidden, limit, before)

    def timeline_count(self, hidden: frozenset[SiteId]) -> tuple[int, int]:
        with self._attempt():
            return self._reader.timeline_count(hidden)

    def events(self, numbers: Sequence[int] | None, limit: int) -> list[EventRow]:
        with self._attempt():
            return self._reader.events(numbers, limit)

    def scrub(self, after: Slot, slots_max: int) -> Slot | None:
        with self._attempt():
            return self._reader.scrub(after, slots_max)

    def close(self) -> None:
        """Lets go of the database and the lock; may be called again. Raises StoreFailed if a last checkpoint fails."""
        try:
            if self._refusal is None:
                with self._attempt():
                    self._checkpoint()
                self._refusal = "the store is closed"
                self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        finally:
            self._db.close(True)
            self._lock.release()

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """Refuses what comes after a failure (D2)."""
        self._check_refusal()
        try:
            yield
        except StoreFailed as error:
            self._refuse_from_now_on(error)
            raise

    def _check_refusal(self) -> None:
        if self._refusal is not None:
            raise StoreFailed(f"{self._path}: refused because of an earlier failure: {self._refusal}")

    def _refuse_from_now_on(self, error: BaseException) -> None:
        self._refusal = str(error) or type(error).__name__

    def _write(self, changes: Changes) -> None:
        execute, executemany = self._db.execute, self._db.executemany
        try:
            execute("BEGIN IMMEDIATE")
            for table, keys in changes.deletes.items():
                executemany(table.delete, keys)
            for table, rows in changes.puts.items():
                executemany(table.put, rows)
            execute("COMMIT")
        except SQLITE_RAISES as error:
            raise of_sqlite(error, self._path, "commit") from error
        if self._wal_pages >= _WAL_PAGES_MAX:
            self._checkpoint()

    def _checkpoint(self) -> None:
        with sqlite_errors(self._path, "copy the write-ahead log into the database"):
            try:
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.BusyError:
                return  # another program does just that; the next commit looks again

    def _count_wal_pages(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK


def configure(db: apsw.Connection) -> None:
    """Settings that leave the file as it is, since it may be another's."""
    db.set_busy_timeout(_BUSY_MS)
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # until all went well to the end
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    db.pragma("cell_size_check", True)


def _make_durable(db: apsw.Connection, path: Path) -> None:
    """Raises StoreFailed where a commit could not be made durable."""
    db.pragma("fullfsync", True)  # where a plain fsync stops at the drive's cache (macOS)
    db.pragma("journal_size_limit", _WAL_BYTES_KEPT)
    journal = db.pragma("journal_mode", "WAL")
    db.pragma("synchronous", "FULL")
    if journal != "wal" or db.pragma("synchronous") != _SYNCHRONOUS_FULL:
        raise StoreFailed(
            f"{path}: this disk does not support a write-ahead log",
            "Move the site's whole folder to a local disk, and name its new place with --data",
        )


def _empty_log(db: apsw.Connection, path: Path) -> None:
    """Copies what a crash left in the log into the database. SQLite read the log when it first read the database."""
    frames, _ = db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    check_log(path.with_name(f"{path.name}-wal"), frames)
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
