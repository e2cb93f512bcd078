"""The lock of a site's folder: one process per store (D4).

Rules that hold here:
- The lock is the kernel's (flock on `lock`), so it ends with the process, however that ends.
- The file holds the process id of the last holder, for people; nothing decides by it. It stays: removing it would let
  two in.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, Self

from engine.core.storage import StoreBusy
from storage.errors import file_errors

_PID_BYTES_MAX: Final = 20


class FolderLock:
    """Held from `take` until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Raises StoreBusy if another process holds it, StoreFailed if the file cannot be used."""
        path = folder / "lock"
        with file_errors(path, "lock the store"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            except BlockingIOError:
                holder = os.pread(descriptor, _PID_BYTES_MAX, 0).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise StoreBusy(f"{folder}: process {holder or 'unknown'} already runs this site") from None
            except OSError:
                os.close(descriptor)
                raise
        return cls(descriptor)

    def release(self) -> None:
        """May be called again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
