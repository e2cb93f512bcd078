"""SQLite's errors as the store's.

Rules that hold here:
- A message names the file, says what failed, and what a person can do about it.
- The advice is for whoever runs the site; who only reads its store gets another (`told_to_readers`).
- What SQLite reports as unsound content is StoreDamaged (D3); every other failure is StoreFailed (D2).
- A copy of the folder is never recommended: an old copy would forget promises (D5). Nor is another folder: a site that
  has run before would come up there with a new store, and never vote again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Final

import apsw

from engine.core.storage import StoreDamaged, StoreError, StoreFailed, StoreForeign

_MOVE_AWAY: Final = (
    "move the site's folder away and start the site again: it learns the log from the others, but does not vote. Do"
    " that only while a majority of the other sites votes"
)
START_ANEW: Final = (
    "If the files cannot be restored as they were when the site stopped (an older copy must not be used), " + _MOVE_AWAY
)
START_ANEW_BESIDE_BACKUP: Final = (
    "Put the site's own store back if it can be restored as it was when the site stopped. Otherwise "
    + _MOVE_AWAY
    + "; if no majority is left, `loggos rescue` makes a new cluster from stores and backups"
)
OTHER_VERSION: Final = (
    "Its checksum is right, so another version of Loggos wrote it: start the site with the version that ran here last;"
    " leave the store where it is; nothing is lost. Only if no version can read it, " + _MOVE_AWAY
)
OWN_STORE: Final = (
    "use --data to name the data folder that holds this site's own store. A site that starts without its earlier store"
    " has no vote until the others readmit it"
)
_MAKE_WRITABLE: Final = (
    "Start the site as the user who owns its folder, or make the folder and all files in it writable for this user (and"
    " its disk, if it is mounted read-only); leave the store where it is"
)
_FREE_SPACE: Final = "Free some space, then start the site"
_CHECK_DISK: Final = "Check the disk before you start the site again"

_FULL: Final = "the disk is full"
SQLITE_RAISES: Final = (apsw.Error, UnicodeDecodeError)


class BackupDamaged(StoreDamaged):
    """A backup is not as it was made."""


@contextmanager
def sqlite_errors(path: Path, doing: str) -> Iterator[None]:
    """Turns what SQLite raises while `doing` (as in "cannot commit") into StoreDamaged or StoreFailed."""
    try:
        yield
    except SQLITE_RAISES as error:
        raise of_sqlite(error, path, doing) from error


def of_sqlite(error: apsw.Error | UnicodeDecodeError, path: Path, doing: str) -> StoreError:
    """One of SQLITE_RAISES, as `sqlite_errors` has it."""
    cannot = f"{path}: cannot {doing}"
    match error:
        case apsw.CorruptError() | apsw.NotADBError() | apsw.SQLError() | UnicodeDecodeError():
            # The statements are the same every time, so one that SQLite refuses was met by other tables than ours.
            return StoreDamaged(f"{cannot}: not a sound database ({_code(error)})", START_ANEW)
        case apsw.FullError():
            return StoreFailed(f"{cannot}: {_FULL}", _FREE_SPACE)
        case apsw.BusyError() | apsw.LockedError():
            return StoreFailed(f"{cannot}: another program has it locked", "Close that program, then start the site")
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.ReadOnlyError():
            return StoreFailed(f"{cannot}: it cannot be opened for writing ({_code(error)})", _MAKE_WRITABLE)
        case _:
            return StoreFailed(f"{cannot}: {error} ({_code(error)})", _CHECK_DISK)


@contextmanager
def file_errors(path: Path, doing: str) -> Iterator[None]:
    """Turns OSError while `doing` something with `path` into StoreFailed."""
    try:
        yield
    except OSError as error:
        what = _FULL if error.errno in _NO_SPACE else error.strerror or str(error)
        raise StoreFailed(f"{path}: cannot {doing}: {what}", _owners_advice(error)) from error


def told_to_readers(error: StoreError) -> str:
    """The error for who looks at a store, or at a copy of one, and does not run the site.

    What helps the site would harm here: a vote would be lost for a copy that was torn, a running site's files would
    change hands.
    """
    return f"{error.what}. {_readers_advice(error)}"


_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)
_NOT_ALLOWED: Final = (errno.EROFS, errno.EACCES, errno.EPERM)
_IN_THE_WAY: Final = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)
_TOO_MANY: Final = (errno.EMFILE, errno.ENFILE)


def _owners_advice(error: OSError) -> str:
    """What helps without leaving the store behind."""
    match error.errno:
        case number if number in _NO_SPACE:
            return _FREE_SPACE
        case number if number in _NOT_ALLOWED:
            return _MAKE_WRITABLE
        case number if number in _IN_THE_WAY:
            return "Move away what is in the way, then start the site"
        case number if number in _TOO_MANY:
            return "Allow more open files (`ulimit -n`), then start the site"
        case _:
            return _CHECK_DISK


def _readers_advice(error: StoreError) -> str:
    match error, error.__cause__:
        case BackupDamaged(), _:
            return "Take another copy of it, or another backup; the site itself is not affected"
        case StoreDamaged(), _:
            return (
                "If this is a copy, copy it again while its site is stopped. Leave the site's own store where it is: at"
                " its next start the site says whether it can continue, or what to do"
            )
        case StoreForeign(), _:
            return (
                "Name a data folder, the folder of a site or a backup, and read it with the version of Loggos that"
                " wrote it"
            )
        case _, OSError(errno=number) if number in _NO_SPACE:
            return f"Free some space in {gettempdir()}, where a copy of it is read, or name another folder in TMPDIR"
        case _, OSError(errno=number) if number in _NOT_ALLOWED:
            return "Run this as a user who may read the folder and all files in it; they need not be writable"
        case _, OSError(errno=number) if number in _TOO_MANY:
            return "Allow more open files (`ulimit -n`)"
        case _, apsw.BusyError() | apsw.LockedError():
            return "Close that program, or wait for it, and run this again"
        case _:
            return "Run this again as the site's user; if it fails again, check the disk"


def damaged_row(path: Path, table: str, key: str, what: str) -> StoreDamaged:
    """The error for one row; `key` is as a person would look for it, such as `slot 41`."""
    return StoreDamaged(f"{path}: table {table}, {key}: {what}", START_ANEW)


def unread_row(path: Path, table: str, key: str, why: str) -> StoreDamaged:
    """The error for a row that is as it was written, and says what nobody here reads (W5)."""
    what = f"holds what this version of Loggos would not write ({why})"
    return StoreDamaged(f"{path}: table {table}, {key}: {what}", OTHER_VERSION)


def _code(error: Exception) -> str:
    """SQLite's name of the error, as its documentation lists it."""
    codes = apsw.mapping_extended_result_codes | apsw.mapping_result_codes
    return str(codes.get(getattr(error, "extendedresult", -1), type(error).__name__))
