"""A real file system below SQLite whose syncs and writes can fail, and that can lose its power.

Rules that hold here:
- Between `with FaultyDisk() as disk` and its end, every connection of this process opens its files through it.
- What was written and not yet synced may be on the platter or not, each write by itself, and a write may be torn at a
  sector: `after_power_cut` draws one such outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self

import apsw

SECTOR_BYTES: Final = 512


@dataclass
class _Platter:
    """One file: what a sync made durable, and what was done to it since."""

    synced: bytearray
    since: list[tuple[int, bytes] | int] = field(default_factory=list)  # a write at an offset, or a new length


def _perform(content: bytearray, change: tuple[int, bytes] | int) -> None:
    length = change if isinstance(change, int) else change[0] + len(change[1])
    if isinstance(change, int):
        del content[length:]
    content.extend(bytes(max(0, length - len(content))))
    if not isinstance(change, int):
        content[change[0] : length] = change[1]


class FaultyDisk(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("faulty", "unix", makedefault=True)
        self.platters: dict[Path, _Platter] = {}
        self.failing: dict[tuple[str, str], int] = {}  # (operation, end of the file's name) -> SQLite's error code
        self.tried: list[tuple[str, str]] = []  # operations (read, write, sync) and names of files, until cleared
        self.on_operation: Any = None  # called after each write and sync

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unregister()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _FaultyFile(self, name, flags)

    def operate(self, operation: str, path: Path) -> None:
        self.tried.append((operation, path.name))
        for (failing, suffix), code in self.failing.items():
            if failing == operation and path.name.endswith(suffix):
                raise apsw.exception_for(code)

    def after_power_cut(self, random: Random, folder: Path) -> None:
        """Writes into `folder` what the disk might hold if the power went now."""
        folder.mkdir(exist_ok=True)
        for path, platter in self.platters.items():
            content = bytearray(platter.synced)
            for change in platter.since:
                kept = random.choice(["all", "torn", "none"])
                if kept == "torn" and not isinstance(change, int):
                    offset, data = change
                    sectors = random.randrange(len(data) // SECTOR_BYTES + 1)
                    _perform(content, (offset, data[: sectors * SECTOR_BYTES]))
                elif kept == "all":
                    _perform(content, change)
            (folder / path.name).write_bytes(content)


class _FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        filename = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._disk = disk
        self._path = Path(filename or "temporary")
        self._platter = disk.platters.setdefault(self._path, _Platter(bytearray(self._path.read_bytes())))

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.operate("read", self._path)
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._disk.operate("write", self._path)
        super().xWrite(data, offset)
        self._platter.since.append((offset, bytes(data)))
        self._told()

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._platter.since.append(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.operate("sync", self._path)
        super().xSync(flags)
        for change in self._platter.since:
            _perform(self._platter.synced, change)
        self._platter.since.clear()
        self._told()

    def _told(self) -> None:
        if self._disk.on_operation is not None:
            self._disk.on_operation()
