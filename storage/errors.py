"""SQLite's errors as the store's.

Rules that hold here:
- A message names the file, says what failed, and what a person can do about it.
- What SQLite reports as unsound content is StoreDamaged (D3); every other failure is StoreFailed (D2).
- A copy of the folder is never recommended: an old copy would forget promises (D5).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from engine.core.storage import StoreDamaged, StoreFailed

START_ANEW: Final = (
    "Move the site's folder away and start the site again: it learns the log from the others, but does not vote"
)


@contextmanager
def sqlite_errors(path: Path, doing: str) -> Iterator[None]:
    """Turns what SQLite raises while `doing` (as in "cannot commit") into StoreDamaged or StoreFailed."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, UnicodeDecodeError) as error:
        # The statements are the same every time, so one that SQLite refuses was met by other tables than ours.
        raise StoreDamaged(f"{path}: cannot {doing}: not a sound database ({_code(error)}). {START_ANEW}") from error
    except apsw.FullError as error:
        raise StoreFailed(f"{path}: cannot {doing}: the disk is full. Free some space, then start the site") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreFailed(
            f"{path}: cannot {doing}: another program has it locked. Close that program, then start the site"
        ) from error
    except (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError) as error:
        raise StoreFailed(
            f"{path}: cannot {doing}: it cannot be opened for writing ({_code(error)})."
            " Make the folder and all files in it writable for this user"
        ) from error
    except apsw.Error as error:
        raise StoreFailed(
            f"{path}: cannot {doing}: {error} ({_code(error)}). Check that disk before starting the site again"
        ) from error


@contextmanager
def file_errors(path: Path, doing: str) -> Iterator[None]:
    """Turns OSError while `doing` something with `path` into StoreFailed."""
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"{path}: cannot {doing}: {error.strerror}. Choose another folder with --data") from error


def damaged_row(path: Path, table: str, key: str, what: str) -> StoreDamaged:
    """The error for one row; `key` is as a person would look for it, such as `slot 41`."""
    return StoreDamaged(f"{path}: table {table}, {key}: {what}. {START_ANEW}")


def _code(error: Exception) -> str:
    """SQLite's name of the error, as its documentation lists it."""
    codes = apsw.mapping_extended_result_codes | apsw.mapping_result_codes
    return str(codes.get(getattr(error, "extendedresult", -1), type(error).__name__))
