"""A tweet that is being written, and what was written before it: they survive closing the composer, the loss of the
quorum, and leaving the screen.

Rules that hold here:
- The files are one site's, `DATA/SITE/draft` and `DATA/SITE/written`, each replaced whole, so that it is the old one or
  the new one.
- What cannot be written is kept in memory; the composer says so.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

DRAFT_BYTES_MAX: Final = 64 * 1024
WRITTEN_BYTES_MAX: Final = 1024 * 1024


class DraftFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "draft"

    def load(self) -> str:
        """What was left unsent, "" if nothing was or it cannot be read."""
        try:
            with self._path.open("rb") as file:
                return file.read(DRAFT_BYTES_MAX).decode("utf-8", "replace")
        except OSError:
            return ""

    def save(self, text: str) -> None:
        """Replaces the draft. Raises OSError."""
        replace_file(self._path, text.encode("utf-8", "replace"))


class WrittenFile:
    """What was sent here, or set aside, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "written"

    def load(self) -> list[str]:
        """Nothing if it cannot be read."""
        try:
            with self._path.open("rb") as file:
                return msgspec.json.decode(file.read(WRITTEN_BYTES_MAX), type=list[str])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return []

    def save(self, texts: list[str]) -> None:
        """Raises OSError."""
        replace_file(self._path, msgspec.json.encode(texts))


def replace_file(path: Path, data: bytes) -> None:
    """Puts `data` in the place of what the file held; without data there is no file. Raises OSError."""
    if not data:
        path.unlink(missing_ok=True)
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
