"""The disks of a campaign's engines: a store that is gone, and an old copy in a store's place (D5).

Rules that hold here:
- An engine is killed before its store is touched, and nobody else may read the store meanwhile.
- An old copy that too many other sites cannot contradict is outside of the model: such a one is not put back.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from engine.core.ids import EventId, SiteId, Slot
from engine.core.storage import Standing, Vote
from storage.beside import read_beside
from tests.chaos.engines import Engines

_PARTS: Final = ("site.db", "site.db-wal", "site.db-shm")
_COPY: Final = "copy"


class Disks:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self.lost_s: dict[str, float] = {}
        """When sites lost their disks, on the monotonic clock: after the last process before, and before the next."""
        self._put_back: list[str] = []

    def wipe(self, site: str) -> bool:
        """Kills the engine and removes its store; False where none runs, or it is paused."""
        if not self._engines.kill([site]):
            return False
        self._remove(site)
        return True

    def copy(self, site: str) -> bool:
        """Keeps a copy of the store as a killed engine leaves it; False where none runs, or it is paused."""
        if not self._engines.kill([site]):
            return False
        folder = self._engines.data / site
        (folder / _COPY).mkdir()
        for name in _PARTS:
            if (folder / name).exists():
                shutil.copy2(folder / name, folder / _COPY)
        self._engines.start(site)
        return True

    def put_back(self, site: str) -> bool:
        """Starts the engine anew on the copy; False where it is not to be, or none runs, or it is paused."""
        if not self.is_contradicted(site) or not self._engines.kill([site]):
            return False
        self._remove(site)
        for path in (self._engines.data / site / _COPY).iterdir():
            shutil.move(path, self._engines.data / site)
        self._put_back.append(site)
        self._engines.start(site)
        return True

    def all_noticed(self) -> bool:
        """Whether each site with an old copy knows: until then its store says of itself that it votes."""
        standings = []
        for site in self._put_back:
            with read_beside(self._engines.data / site) as outside:
                standings.append(outside.reader.meta().standing)
        return all(standing is Standing.LEARNER for standing in standings)

    def is_contradicted(self, site: str) -> bool:
        """Whether there is a copy, and fewer than floor(N/2) other sites remember nothing durably that is newer."""
        copied = self._engines.data / site / _COPY
        if not copied.exists():
            return False
        with read_beside(copied) as outside:
            commit = outside.reader.meta().commit
        believers = 0
        for other in self._engines.names:
            if other != site:
                with read_beside(self._engines.data / other) as outside:
                    memory = outside.reader.tail().peers.get(SiteId(site))
                believers += memory is None or memory.commit <= commit
        return believers < len(self._engines.names) // 2

    def _remove(self, site: str) -> None:
        self.lost_s[site] = time.monotonic()
        for name in _PARTS:
            (self._engines.data / site / name).unlink(missing_ok=True)


def unsettled(folder: Path) -> list[str]:
    """The site's events without an outcome in a store that no engine uses now, in words (E2)."""
    with read_beside(folder) as outside:
        runs = outside.reader.tail().stored().open_events
        rows = (row for run in runs for row in run.rows())
        return [f"E2: {EventId(SiteId(folder.name), row.number)} is still {row.state} in its store" for row in rows]


def stored_votes(folder: Path) -> dict[int, Vote]:
    """The acceptor's variables of all slots in a store that no engine uses now."""
    with read_beside(folder) as outside:
        stored = outside.reader.tail().stored()
        last = max([stored.prefix, *(each.last for each in stored.votes), *(each.last for each in stored.ahead)])
        return {row.slot: row.vote for row in outside.reader.slot_rows(Slot(1), last)}
