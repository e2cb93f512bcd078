"""SQLite's errors as the store's.

Rules that hold here:
- A message names the file, says what failed, and what a person can do about it.
- What SQLite reports as unsound content is StoreDamaged (D3); every other failure is StoreFailed (D2).
- A copy of the folder is never recommended: an old copy would forget promises (D5). Nor is another folder: a site that
  has run before would come up there with a new store, and never vote again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from engine.core.storage import StoreDamaged, StoreFailed

START_ANEW: Final = (
    "If the files cannot be had as they were when the site stopped (an older copy must not be used), move the site's"
    " folder away and start the site again: it learns the log from the others, but does not vote, so do that only"
    " while a majority of the other sites votes"
)
OWN_STORE: Final = (
    "name the folder of this site's own store with --data. A site that has run before never votes again if it starts"
    " without its store"
)
_MAKE_WRITABLE: Final = (
    "Make the folder and all files in it writable for this user (and its disk, if it is mounted read-only), then start"
    " the site: its store stays where it is"
)
_FREE_SPACE: Final = "the disk is full. Free some space, then start the site"
_CHECK_DISK: Final = "Check that disk before starting the site again"


@contextmanager
def sqlite_errors(path: Path, doing: str) -> Iterator[None]:
    """Turns what SQLite raises while `doing` (as in "cannot commit") into StoreDamaged or StoreFailed."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, UnicodeDecodeError) as error:
        # The statements are the same every time, so one that SQLite refuses was met by other tables than ours.
        raise StoreDamaged(f"{path}: cannot {doing}: not a sound database ({_code(error)}). {START_ANEW}") from error
    except apsw.FullError as error:
        raise StoreFailed(f"{path}: cannot {doing}: {_FREE_SPACE}") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreFailed(
            f"{path}: cannot {doing}: another program has it locked. Close that program, then start the site"
        ) from error
    except (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError) as error:
        raise StoreFailed(
            f"{path}: cannot {doing}: it cannot be opened for writing ({_code(error)}). {_MAKE_WRITABLE}"
        ) from error
    except apsw.Error as error:
        raise StoreFailed(f"{path}: cannot {doing}: {error} ({_code(error)}). {_CHECK_DISK}") from error


@contextmanager
def file_errors(path: Path, doing: str) -> Iterator[None]:
    """Turns OSError while `doing` something with `path` into StoreFailed."""
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"{path}: cannot {doing}: {_what_to_do(error)}") from error


def _what_to_do(error: OSError) -> str:
    """What is wrong, and what helps without leaving the store behind."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return _FREE_SPACE
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return f"{error.strerror}. {_MAKE_WRITABLE}"
        case errno.ENOTDIR | errno.EISDIR | errno.EEXIST | errno.ENOTEMPTY:
            return f"{error.strerror}. Move what is in the way elsewhere, then start the site"
        case errno.EMFILE | errno.ENFILE:
            return f"{error.strerror}. Allow more open files (`ulimit -n`), then start the site"
        case _:
            return f"{error.strerror}. {_CHECK_DISK}"


def damaged_row(path: Path, table: str, key: str, what: str) -> StoreDamaged:
    """The error for one row; `key` is as a person would look for it, such as `slot 41`."""
    return StoreDamaged(f"{path}: table {table}, {key}: {what}. {START_ANEW}")


def _code(error: Exception) -> str:
    """SQLite's name of the error, as its documentation lists it."""
    codes = apsw.mapping_extended_result_codes | apsw.mapping_result_codes
    return str(codes.get(getattr(error, "extendedresult", -1), type(error).__name__))
