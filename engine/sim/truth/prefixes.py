"""The truth about prefixes: what each site applies and shows, against a replay of the chosen log (R2).

Rules that hold here:
- M1: what changes who votes is durable with the entry that does, and nothing else is.
- R2: what a site applies is what the replay gives, void entries included; a change of the block table is durable with
  the entry that makes it, and what a site shows is the table of its prefix.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from engine.core.entry import in_words
from engine.core.ids import SiteId, Slot
from engine.core.storage import Change, InEffect, Stored, WriteApplied, WriteBlock
from engine.sim.image import Image
from engine.sim.truth.replay import Applied, Pair, Replay
from engine.sim.violation import Judge, violate


class Prefixes:
    def __init__(self, names: tuple[SiteId, ...], replay: Replay, judge: Judge) -> None:
        self._names = names
        self._judge = judge
        self._replay = replay
        self._blocks: list[dict[Pair, Slot]] = [{} for _ in names]
        self._due: list[deque[tuple[Pair, Slot | None]]] = [deque() for _ in names]
        self._changes: list[deque[Change]] = [deque() for _ in names]

    def started(self, index: int, stored: Stored) -> None:
        if stored.blocks != self._blocks[index]:
            told = f"starts with the block table {stored.blocks}, but a replay gives {self._blocks[index]}"
            violate("R2", told, site=self._names[index])

    def replaced(self, index: int, image: Image) -> None:
        self._blocks[index] = dict(image.blocks)
        self._due[index].clear()
        self._changes[index].clear()

    def applied(self, index: int, write: WriteApplied, image: Image) -> None:
        name, chosen = self._names[index], self._replay.applied[write.first - 1 : write.last]
        for slot, entry in enumerate(image.log[write.first - 1 : write.last], start=write.first):
            if slot >= self._replay.next:
                told = f"applies {in_words(entry)}, but the log is not chosen up to here"
                self._judge.breaks("R2", told, slot=Slot(slot), site=name)
                return
            if entry != (right := chosen[slot - write.first].entry):
                violate("R2", f"applies {in_words(entry)}, but a replay {in_words(right)}", slot=Slot(slot), site=name)
        void = tuple(slot for slot, applied in enumerate(chosen, start=write.first) if applied.void)
        authors = {each.author: each for each in write.authors}
        if void != write.void or len(authors) < len(write.authors) or authors != _in_effect(chosen):
            violate("R2", f"applies {write}, but a replay gives {chosen}", slot=write.first, site=name)
        self.committed(index)
        self._due[index].extend(applied.table for applied in chosen if applied.table is not None)
        changes = [(slot, each) for slot, each in enumerate(chosen, start=write.first) if each.change]
        self._changes[index].extend(Change(Slot(slot), each.entry.body) for slot, each in changes)

    def block(self, index: int, write: WriteBlock) -> None:
        pair, due = (write.blocker, write.blocked), self._due[index]
        if not due or due.popleft() != (pair, write.slot):
            violate("R2", f"keeps {write}, which a replay does not give", site=self._names[index])
        if write.slot is None:
            del self._blocks[index][pair]
        else:
            self._blocks[index][pair] = write.slot

    def changed(self, index: int, change: Change) -> None:
        due = self._changes[index]
        if not due or due.popleft() != change:
            violate("M1", f"keeps {change}, which a replay does not give", site=self._names[index])

    def committed(self, index: int) -> None:
        """All that belongs to what was applied is durable."""
        due = self._due[index]
        if due:
            violate("R2", f"keeps no change of the block table, but a replay has {due[0]}", site=self._names[index])
        if changes := self._changes[index]:
            violate("M1", f"keeps no change of who votes, but a replay has {changes[0]}", site=self._names[index])

    def shows(self, index: int, blocks: dict[Pair, Slot]) -> None:
        """A site shows this block table for its prefix."""
        if blocks != self._blocks[index]:
            told = f"shows the block table {blocks}, but a replay gives {self._blocks[index]}"
            violate("R2", told, site=self._names[index])


def _in_effect(chosen: Sequence[Applied]) -> dict[SiteId, InEffect]:
    """What entries that were applied one after the other change for their authors."""
    taken = [each for each in chosen if (each.numbered or not each.void) and each.entry.author is not None]
    numbers: dict[SiteId | None, int] = {}
    for applied in taken:
        numbers[applied.entry.author] = applied.entry.number
        if applied.taken is not None:
            site, number = applied.taken
            numbers[site] = number
    tweets = Counter(applied.entry.author for applied in taken if applied.shown)
    return {author: InEffect(author, number, tweets[author]) for author, number in numbers.items() if author}
