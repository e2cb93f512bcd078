"""Backups: a store in one file, as it was at one moment, that no site can be started from.

Rules that hold here:
- The copy is made beside the engine, page by page out of one snapshot (SQLite's own backup). The engine is not asked,
  and waits for nothing; its log cannot start over meanwhile, and grows by what is written until the copy is made.
- An engine that starts empties its log, for which nobody may hold a snapshot: then the copy is begun anew.
- A file under the name of a backup is whole: it is made under another name, read through row by row, synced, renamed.
- The life in it is marked as a backup's, so that no version of Loggos runs a site on it (D5).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import apsw

from engine.core.ids import SiteId, Slot
from engine.core.storage import StoreError, StoreFailed
from storage.beside import OutsideStore, read_beside
from storage.errors import told_to_readers
from storage.reader import Reader
from storage.rows import META, Meta, meta_values
from storage.schema import sync_folder
from storage.sealed import seal
from storage.sqlite import DATABASE

_COPIES_MAX: Final = 20
"""How often the copy is begun anew because an engine starts."""
_ROWS_A_STEP: Final = 4_096
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


class BackupRefused(Exception):
    """A backup cannot be at that place; the message says what to name instead."""


class BackupFailed(Exception):
    """The store could not be read, or the backup not written, of which nothing is left; the message says what to do."""


class Phase(StrEnum):
    COPYING = "copying"
    CHECKING = "checking"


Told = Callable[[Phase, int, int], None]
"""How much of how much is done of a phase. What it raises ends the backup, and nothing of it is left."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was made. `slots`: the prefix of the log that is in it; `sha256`: of the whole file."""

    site: SiteId
    cluster: str
    slots: Slot
    commit: int
    bytes_count: int
    sha256: str


def back_up(folder: Path, file: Path, told: Told) -> Backup:
    """Copies the store in a site's folder into `file`, in the place of what was there.

    Raises BackupRefused, BackupFailed.
    """
    _check_place(file)
    try:
        with _draft(file) as draft, read_beside(folder) as outside:
            outside.check_log()
            with _written(file):
                meta = _copy(outside, draft, told)
                sha256 = seal(draft)
                bytes_count = draft.stat().st_size
                draft.rename(file)
                sync_folder(file.parent)
    except StoreError as error:
        raise BackupFailed(f"nothing was backed up: {told_to_readers(error)}") from error
    return Backup(meta.site, meta.cluster, meta.prefix, meta.commit, bytes_count, sha256)


def _check_place(file: Path) -> None:
    """Where a store is, nothing is written over, nor does a copy help when that disk is lost."""
    if not file.parent.is_dir():
        raise BackupRefused(f"{file.parent} is not a folder: make it, or name another place for the backup")
    if file.exists() and not file.is_file():
        raise BackupRefused(f"{file} is not a regular file: name another place for the backup")
    if (file.resolve().parent / DATABASE).exists():
        raise BackupRefused(
            f"{file.parent} is the folder of a site: name another place for the backup, on another disk"
        )


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """A file beside `file` to write into, for this process alone. It is gone afterwards, if it was not renamed."""
    draft = file.with_name(f"{file.name}.part")
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise BackupRefused(
            f"{draft} cannot be written ({error.strerror}): name another place for the backup"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(
                f"{draft} is being written by another backup: wait for it, or name another file"
            ) from None
        with ExitStack() as undo:
            undo.callback(draft.unlink, missing_ok=True)
            os.ftruncate(descriptor, 0)
            yield draft
            undo.pop_all()  # by now it has its name, and another backup may be writing the next one
    finally:
        os.close(descriptor)


@contextmanager
def _written(file: Path) -> Iterator[None]:
    """What goes wrong while `file` is written, in words."""
    try:
        yield
    except OSError as error:
        why = "the disk is full" if error.errno in _NO_SPACE else error.strerror or str(error)
        raise _failed(file, why) from error
    except apsw.FullError as error:
        raise _failed(file, "the disk is full") from error
    except apsw.IOError as error:
        raise _failed(file, str(error)) from error


def _failed(file: Path, why: str) -> BackupFailed:
    return BackupFailed(
        f"{file} cannot be written: {why}. Nothing of it is left, an earlier file is unchanged, and the site is"
        " not affected. Free some space there, or name a place on another disk"
    )


def _copy(outside: OutsideStore, draft: Path, told: Told) -> Meta:
    """Raises OSError, apsw.Error where the copy cannot be written."""
    # Nobody else opens it; and locks of two kinds on one file are one lock where the disk is another machine's.
    with closing(apsw.Connection(str(draft), vfs="unix-none")) as copy:
        copy.pragma("synchronous", "OFF")  # a copy that a crash cuts short is begun anew; `seal` syncs a whole one
        copy.pragma("locking_mode", "EXCLUSIVE")
        _copy_pages(outside, copy, told)
        copy.pragma("journal_mode", "MEMORY")
        reader = Reader(copy, outside.place / DATABASE)
        meta = replace(reader.meta(), is_backup=True)
        values = meta_values(meta)
        copy.execute(META.put, (*values, META.checksum(values)))
        _check(reader, told)
    return meta


def _copy_pages(outside: OutsideStore, copy: apsw.Connection, told: Told) -> None:
    lock = outside.place / "lock"

    def engine() -> bytes:
        try:
            return lock.read_bytes()
        except FileNotFoundError:
            return b""

    for _ in range(_COPIES_MAX):
        begun_under = engine()

        def goes_on(done: int, pages: int, begun_under: bytes = begun_under) -> bool:
            told(Phase.COPYING, done, pages)
            return engine() == begun_under

        if outside.copy_into(copy, goes_on):
            return
    raise StoreFailed(f"{outside.place}: cannot be copied, because its engine keeps restarting")


def _check(reader: Reader, told: Told) -> None:
    """Raises StoreDamaged where a row of the copy is, as of the store then."""
    prefix = reader.tail().meta.prefix
    done: Slot | None = Slot(0)
    while done is not None:
        told(Phase.CHECKING, min(done, prefix), prefix)
        done = reader.scrub(done, _ROWS_A_STEP)
    told(Phase.CHECKING, prefix, prefix)
