"""The cluster key: 32 random bytes that all sites share, in a file of their own.

Rules that hold here:
- While the sites change it there are two. All is sealed under the first, and opened under either (W1).
- The file is one line of 64 hexadecimal digits. Only its owner may read it (mode 0600).
"""

from __future__ import annotations

import os
import re
import stat
from enum import StrEnum
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32
KEY_FORM: Final = f"one line of {2 * KEY_BYTES} hexadecimal digits"
_KEY: Final = re.compile(rb"[0-9a-fA-F]{%d}\r?\n?\Z" % (2 * KEY_BYTES))
_FILE_BYTES_MAX: Final = 1_024


class WhichKey(StrEnum):
    """Of the two that a sites file may name."""

    FIRST = "first"
    SECOND = "second"


class BadKey(Exception):
    """The key file cannot be used; the message names it and says what to do."""


def read_key(path: Path) -> bytes:
    """Raises BadKey."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_FILE_BYTES_MAX)
    except FileNotFoundError:
        raise BadKey(f"the key file {path} does not exist: copy it from another site of the cluster") from None
    except ValueError:
        raise BadKey(f"{str(path)!r} cannot be the name of a file: name the key file") from None
    except OSError as error:
        what_to_do = "make it owned by the user that runs the site, with mode 0600"
        raise BadKey(f"the key file {path} cannot be read ({error.strerror}): {what_to_do}") from None
    if mode & 0o077:
        raise BadKey(f"others may read or write the key file {path} ({stat.filemode(mode)}): run `chmod 600 {path}`")
    if not _KEY.match(content):
        raise BadKey(f"the key file {path} is not {KEY_FORM}: copy it again from another site of the cluster")
    return bytes.fromhex(content.decode("ascii"))


def new_key_text() -> str:
    """The content of a file with a new random key."""
    return os.urandom(KEY_BYTES).hex() + "\n"
