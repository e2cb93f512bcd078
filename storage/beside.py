"""A store read from outside: beside its running engine, after its end, or in a copy of its folder.

Rules that hold here:
- Nothing is written and no lock of the folder is taken, so an engine may run, start and stop meanwhile (D4). SQLite
  itself may leave an empty write-ahead log and its index behind, as the `sqlite3` tool does.
- What a killed engine left in the log stays there: copying it into the database would hide damage from the next start.
- All reading is by short snapshots (`Reader`), so that the engine's log can start over in between.
- Only a process that does not run the engine may open its store so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from engine.core.storage import StoreDamaged
from storage.errors import sqlite_errors
from storage.reader import Reader
from storage.schema import check_schema
from storage.sqlite import DATABASE, configure
from storage.wal import check_log


class OutsideStore:
    """A store that somebody else may be writing."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        """`read_beside` is the way to get one."""
        self._db = db
        self._path = path
        self.reader = Reader(db, path)

    @property
    def folder(self) -> Path:
        return self._path.parent

    def check_log(self) -> None:
        """Raises StoreDamaged where the write-ahead log holds commits that SQLite cannot reach (D3), StoreFailed.

        An engine that writes just now moves the log on under the check: then nothing is said. It finds damage itself.
        """
        log = self._path.with_name(f"{self._path.name}-wal")
        frames = self._log_frames()
        try:
            check_log(log, frames)
        except StoreDamaged:
            if self._log_frames() == frames:
                raise

    def _log_frames(self) -> int:
        with sqlite_errors(self._path, "read the write-ahead log"):
            frames, _ = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            return frames


@contextmanager
def read_beside(folder: Path) -> Iterator[OutsideStore]:
    """The store in a site's folder. Raises StoreFailed, StoreDamaged, StoreForeign (not a store of this version)."""
    path = folder / DATABASE
    with sqlite_errors(path, "open"):
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    with closing(db):
        with sqlite_errors(path, "open"):
            configure(db)
            check_schema(db, path)
        yield OutsideStore(db, path)
