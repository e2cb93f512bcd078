"""A backup as a file: a database, and behind it a checksum of all bytes before.

Rules that hold here:
- It needs no file beside it, and is read as what never changes: no lock is taken, nothing is written.
- Nothing of it is believed before its checksum was held against it: a backup that was damaged, or cut short, since it
  was made is refused by name (D3).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import apsw

from engine.core.storage import StoreForeign
from storage.errors import BackupDamaged, file_errors, sqlite_errors
from storage.reader import Reader
from storage.schema import check_schema

_DATABASE_BEGINS: Final = b"SQLite format 3\0"
_SEAL: Final = "loggos backup, sha256 of all before this line: {}\n"
_SEALED: Final = re.compile(_SEAL.format("([0-9a-f]{64})").encode() + rb"\Z")
_SEAL_BYTES: Final = len(_SEAL.format("0" * 64))
_READ_BYTES: Final = 2**20


def seal(path: Path) -> str:
    """Puts the checksum behind the database and makes all of it durable; returns the SHA-256 of the whole file. Raises
    OSError."""
    with path.open("r+b") as file:
        summed = _summed(file, None)
        line = _SEAL.format(summed.hexdigest()).encode()
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
        summed.update(line)
        return summed.hexdigest()


@contextmanager
def read_backup(path: Path) -> Iterator[tuple[apsw.Connection, Reader]]:
    """Raises BackupDamaged, StoreForeign (no backup, or of another version), StoreFailed (it cannot be read)."""
    with file_errors(path, "read the backup"):
        _check_seal(path)
    with closing(open_unchanging(path)) as db:
        with sqlite_errors(path, "open"):
            check_schema(db, path)
        reader = Reader(db, path)
        if not reader.meta().is_backup:
            raise StoreForeign(f"{path}: not a backup, but the store of a site")
        yield db, reader


def open_unchanging(path: Path) -> apsw.Connection:
    """A database that nobody writes: no lock is taken, and no file made beside it. Raises StoreFailed, StoreDamaged."""
    with sqlite_errors(path, "open"):
        uri = f"{path.absolute().as_uri()}?immutable=1"
        return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def _check_seal(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_DATABASE_BEGINS)) != _DATABASE_BEGINS:
            raise StoreForeign(f"{path}: not a backup of Loggos")
        length = max(0, file.seek(0, os.SEEK_END) - _SEAL_BYTES)
        file.seek(length)
        sealed = _SEALED.match(file.read())
        if sealed is None:
            raise BackupDamaged(f"{path}: does not end like a backup: it is truncated, damaged, or not a backup")
        file.seek(0)
        if _summed(file, length).hexdigest().encode() != sealed.group(1):
            raise BackupDamaged(f"{path}: does not match its checksum: it was damaged after it was made")


def _summed(file: BinaryIO, length: int | None) -> hashlib._Hash:
    """Of so many bytes, or of all that there are."""
    summed = hashlib.sha256()
    left = length
    while chunk := file.read(_READ_BYTES if left is None else min(_READ_BYTES, left)):
        summed.update(chunk)
        left = None if left is None else left - len(chunk)
    return summed
