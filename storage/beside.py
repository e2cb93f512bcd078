"""A store read from outside: beside its running engine, after its end, in a copy of its folder, or in a backup.

Rules that hold here:
- Nothing is written and no lock of the folder is taken, so an engine may run, start and stop meanwhile (D4). SQLite
  itself may leave an empty write-ahead log and its index behind, as the `sqlite3` tool does.
- What a killed engine left in the log stays there: copying it into the database would hide damage from the next start.
- Where the folder cannot be written, SQLite cannot read its write-ahead log there. Then a private copy is read, which
  shows the moment when it was made.
- All reading is by short snapshots (`Reader`), so that the engine's log can start over in between; but for a copy of
  all, which is one snapshot.
- Only a process that does not run the engine may open its store so.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import apsw

from engine.core.storage import StoreDamaged, StoreFailed
from storage.errors import file_errors, sqlite_errors
from storage.reader import Reader
from storage.schema import check_schema
from storage.sealed import open_unchanging, read_backup
from storage.sqlite import DATABASE, configure
from storage.wal import check_log

_NOT_WRITABLE: Final = (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError)
_COPIES_MAX: Final = 20
"""How often a copy is made anew because the store changed meanwhile."""
_PAGES_A_STEP: Final = 256


class OutsideStore:
    """A store that somebody else may be writing."""

    def __init__(self, db: apsw.Connection, place: Path, reader: Reader, log: Path | None) -> None:
        """`read_outside` is the way to get one. `log` is the write-ahead log that is read, None where there is none."""
        self._db = db
        self.place = place
        """The site's folder, or the file of a backup."""
        self._log = log
        self.reader = reader

    @property
    def is_backup(self) -> bool:
        return self._log is None

    @property
    def is_copy(self) -> bool:
        """The site's folder cannot be written, and a private copy is read."""
        return self._log is not None and self._log.parent != self.place

    def check_log(self) -> None:
        """Raises StoreDamaged where the write-ahead log holds commits that SQLite cannot reach (D3), StoreFailed.

        An engine that writes just now moves the log on under the check: then nothing is said. It finds damage itself.
        """
        if self._log is None:
            return
        frames = self._log_frames()
        try:
            check_log(self._log, frames)
        except StoreDamaged:
            if self._log_frames() == frames:
                raise

    def _log_frames(self) -> int:
        with sqlite_errors(self.place, "read the write-ahead log"):
            frames, _ = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            return frames

    def copy_into(self, copy: apsw.Connection, goes_on: Callable[[int, int], bool]) -> bool:
        """Copies all of one snapshot, page by page. `goes_on` is asked in between, with the pages that are copied and
        their number; it ends where that says no, and returns False. Raises apsw.Error."""
        self._db.execute("BEGIN")
        try:
            self._db.execute("SELECT site FROM meta").fetchall()
            with closing(copy.backup("main", self._db, "main")) as pages:
                wanted = True
                while wanted and not pages.done:
                    pages.step(_PAGES_A_STEP)
                    wanted = goes_on(pages.page_count - pages.remaining, pages.page_count)
                return pages.done
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def place_of(named: Path) -> Path:
    """Where the store is that a person named: it is its folder, for the log beside its database is part of it."""
    return named.parent if named.name == DATABASE else named


def is_store(place: Path) -> bool:
    """A backup, or the folder of a site. The log of a database that is gone is a store too, a damaged one (D3)."""
    return place.is_file() or any((place / name).exists() for name in (DATABASE, f"{DATABASE}-wal"))


@contextmanager
def read_outside(place: Path) -> Iterator[OutsideStore]:
    """The store in a site's folder, or in the file of a backup. Raises as `read_beside` and `read_backup` do."""
    if place.is_file():
        with read_backup(place) as (db, reader):
            yield OutsideStore(db, place, reader, None)
    else:
        with read_beside(place) as outside:
            yield outside


@contextmanager
def read_at_rest(place: Path) -> Iterator[OutsideStore]:
    """As `read_outside`, of what nobody writes meanwhile: SQLite leaves no file beside a database without a log."""
    path = place / DATABASE
    log = _log_of(path)
    if place.is_file() or not path.exists() or (log.exists() and log.stat().st_size > 0):
        with read_outside(place) as outside:
            yield outside
        return
    with closing(open_unchanging(path)) as db:
        with sqlite_errors(path, "open"):
            check_schema(db, path)
        yield OutsideStore(db, place, Reader(db, path), log)


@contextmanager
def read_beside(folder: Path) -> Iterator[OutsideStore]:
    """The store in a site's folder. Raises StoreFailed, StoreDamaged, StoreForeign (not a store of this version)."""
    path = folder / DATABASE
    try:
        db = _opened(path, path)
    except StoreFailed as failed:
        if not isinstance(failed.__cause__, _NOT_WRITABLE):
            raise
    else:
        with closing(db):
            yield OutsideStore(db, folder, Reader(db, path), _log_of(path))
        return
    with ExitStack() as undo:
        with file_errors(path, "read a copy"):
            copy = Path(undo.enter_context(TemporaryDirectory(prefix="loggos-")), DATABASE)
        _copy(path, copy)
        with closing(_opened(copy, path)) as db:
            yield OutsideStore(db, folder, Reader(db, path), _log_of(copy))


def _opened(opening: Path, path: Path) -> apsw.Connection:
    """Raises StoreFailed, StoreDamaged, StoreForeign; they name `path`."""
    with sqlite_errors(path, "open"):
        db = apsw.Connection(str(opening), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        with sqlite_errors(path, "open"):
            configure(db)
            check_schema(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _copy(path: Path, copy: Path) -> None:
    """The database and its log as they were at one moment. Raises StoreFailed where they never stand still."""
    log = _log_of(path)
    with file_errors(path, "read"):
        for _ in range(_COPIES_MAX):
            before = _state(path), _state(log)
            shutil.copyfile(path, copy)
            _log_of(copy).unlink(missing_ok=True)
            if log.exists():
                shutil.copyfile(log, _log_of(copy))
            if before == (_state(path), _state(log)):
                return
    raise StoreFailed(f"{path}: cannot be copied, because its engine keeps writing")


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _state(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    known = path.stat()
    return known.st_size, known.st_mtime_ns
