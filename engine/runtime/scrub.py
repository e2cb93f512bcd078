"""The paced check of the whole store (D3): a few rows at a time, from the first to the last, and then again.

Rules that hold here:
- It checks what no start reads. What it finds damaged ends the site.
"""

from __future__ import annotations

from typing import Final

from engine.core.ids import Slot, Tick
from engine.core.storage import Storage

EVERY: Final = Tick(10_000)
AGAIN_AFTER: Final = Tick(3_600_000)
ROWS: Final = 200


class Scrub:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._through = Slot(0)
        self._at = EVERY

    def deadline(self) -> Tick:
        return self._at

    def tick(self, now: Tick) -> None:
        """Checks a few more rows, where that is due. Raises StoreDamaged."""
        if now < self._at:
            return
        last = self._storage.scrub(self._through, ROWS)
        self._through = Slot(0) if last is None else last
        self._at = Tick(now + (AGAIN_AFTER if last is None else EVERY))
