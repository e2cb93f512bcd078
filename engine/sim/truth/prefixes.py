"""The truth about prefixes: what each site applies and shows, against a replay of the chosen log (R2).

Rules that hold here:
- R2: what a site applies is what the replay gives, void entries included; a change of the block table is durable with
  the entry that makes it, and what a site shows is the table of its prefix.
"""

from __future__ import annotations

from engine.core.entry import in_words
from engine.core.ids import SiteId, Slot
from engine.core.storage import Stored, WriteApplied, WriteBlock
from engine.sim.image import Image
from engine.sim.truth.replay import Pair, Replay
from engine.sim.violation import Judge, violate


class Prefixes:
    def __init__(self, names: tuple[SiteId, ...], replay: Replay, judge: Judge) -> None:
        self._names = names
        self._judge = judge
        self._replay = replay
        self._blocks: list[dict[Pair, Slot]] = [{} for _ in names]
        self._due: list[tuple[Pair, Slot | None] | None] = [None] * len(names)

    def started(self, index: int, stored: Stored) -> None:
        if stored.blocks != self._blocks[index]:
            told = f"starts with the block table {stored.blocks}, a replay gives {self._blocks[index]}"
            violate("R2", told, site=self._names[index])

    def replaced(self, index: int, image: Image) -> None:
        self._blocks[index] = dict(image.blocks)
        self._due[index] = None

    def applied(self, index: int, write: WriteApplied) -> None:
        slot, name = write.slot, self._names[index]
        if slot >= self._replay.next:
            told = f"applies what is not chosen up to here: {in_words(write.entry)}"
            self._judge.breaks("R2", told, slot=slot, site=name)
            return
        applied = self._replay.applied[slot - 1]
        if write.entry != applied.entry or write.void != applied.void or write.shown != applied.shown:
            violate("R2", f"applies {write}, a replay gives {applied}", slot=slot, site=name)
        self.committed(index)
        self._due[index] = applied.table

    def block(self, index: int, write: WriteBlock) -> None:
        pair = (write.blocker, write.blocked)
        if self._due[index] != (pair, write.slot):
            violate("R2", f"keeps {write}, a replay gives {self._due[index]}", site=self._names[index])
        self._due[index] = None
        if write.slot is None:
            del self._blocks[index][pair]
        else:
            self._blocks[index][pair] = write.slot

    def committed(self, index: int) -> None:
        """All that belongs to what was applied is durable."""
        due = self._due[index]
        if due is not None:
            violate("R2", f"keeps no change of the block table, a replay has {due}", site=self._names[index])

    def shows(self, index: int, blocks: dict[Pair, Slot]) -> None:
        """A site shows this block table for its prefix."""
        if blocks != self._blocks[index]:
            told = f"shows the block table {blocks}, a replay gives {self._blocks[index]}"
            violate("R2", told, site=self._names[index])
