"""A site's disk: what is written waits for a sync, and a crash in between keeps any prefix of it.

Rules that hold here:
- A commit is written whole or not at all, as a store's transaction is. `append` writes it, `sync` makes all that was
  written durable; `commit` is both (D1).
- A crash keeps the first so many unsynced commits and loses the others.
- After a failure the disk refuses everything until it is opened again (D2). A damaged row is refused by name (D3).
- A wiped disk is a new store with a new life; a copy that is put back is the old life at its old commit (D5).
- What the core reads while it runs is synced: it never reads a commit whose sync it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from engine.core.ids import Slot, StoreId
from engine.core.run import Run
from engine.core.storage import NO_VOTE, Stored, StoreDamaged, StoreFailed, Vote, Voted, Write
from engine.sim.image import Image

ROW_SLOTS: Final = 8
"""How many slots a row of the log holds at the most, so that what is read of a prefix comes as several runs."""


class SimDisk:
    """Implements what the core and the node's tail use of `engine.core.storage.Storage`."""

    def __init__(self, name: str, life: StoreId) -> None:
        self.name = name
        self.image = Image(life)
        self.full = False
        """The next write fails."""
        self.sync_fails = False
        """The next sync fails."""
        self._unsynced: list[Sequence[Write]] = []
        self._damaged: set[Slot | None] = set()
        self._refusal: str | None = None

    # What a store offers

    def load(self) -> Stored:
        """Raises StoreDamaged where a row that a start needs is damaged (D3)."""
        image = self.image
        if None in self._damaged:
            self._damaged_row("its meta row")
        for part in (*image.votes, *image.ahead):
            self._check(part.first, part.last)
        return Stored(
            life=image.life,
            commit=image.commit,
            standing=image.standing,
            standing_why=image.standing_why,
            loss=image.loss,
            round=image.round,
            number_max=image.number_max,
            prefix=image.prefix,
            used_max=image.used_max,
            votes=tuple(Voted(*part) for part in image.votes),
            ahead=tuple(Run(part.first, part.value) for part in image.ahead),
            ranges=image.ranges,
            blocks=dict(image.blocks),
            last_in_effect=dict(image.last_in_effect),
            open_events=image.open_runs(),
            peers=dict(image.peers),
            changes=tuple(image.changes),
        )

    def commit(self, writes: Sequence[Write]) -> int:
        if writes:
            self.append(writes)
            self.sync()
        return self.image.commit

    def voted(self, slot: Slot) -> Vote:
        return self.image.voted.get(slot) or NO_VOTE

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> list[Run]:
        """Row by row: a row ends where its number of slots is full, wherever a run ended."""
        self._refuse()
        log, slot = self.image.log, first
        if not 1 <= first <= last <= self.image.prefix:
            raise StoreDamaged(f"{self.name}: slots {first} to {last} are not all there")
        runs: list[Run] = []
        while slot <= last:
            run = Run(slot, tuple(log[slot - 1 : min(last, slot - slot % ROW_SLOTS + ROW_SLOTS - 1)]))
            self._check(run.first, run.last)
            runs.append(run)
            bytes_max -= sum(len(entry.body) for entry in run.entries)
            if bytes_max < 0:
                break
            slot = Slot(run.last + 1)
        return runs

    # The two stages of a commit

    def append(self, writes: Sequence[Write]) -> None:
        """Writes one commit. Raises StoreFailed where the disk is full; nothing of it is written then."""
        self._refuse()
        if self.full:
            self._fail("the disk is full")
        self._unsynced.append(writes)

    def sync(self) -> int:
        """Makes durable what was written; returns the commit number. Raises StoreFailed, and then nobody knows."""
        self._refuse()
        if self.sync_fails:
            self._fail("the sync failed")
        for writes in self._unsynced:
            self.image.take(writes)
        self._unsynced.clear()
        return self.image.commit

    @property
    def unsynced(self) -> int:
        """How many commits are written and not synced."""
        return len(self._unsynced)

    # What happens to disks

    def settle(self, kept: int) -> list[Write]:
        """The process is gone: the first `kept` unsynced commits turn out to be durable, the others are lost.

        Opens the disk again; returns the writes that were kept.
        """
        writes = [write for commit in self._unsynced[:kept] for write in commit]
        for commit in self._unsynced[:kept]:
            self.image.take(commit)
        self._unsynced.clear()
        self._refusal = None
        self.heal()
        return writes

    def heal(self) -> None:
        """There is room again, and the next sync works."""
        self.full = self.sync_fails = False

    def damage(self, slot: Slot | None) -> None:
        """Flips a bit in the row of a slot, None: in the one row about the whole store."""
        self._damaged.add(slot)

    def replace(self, image: Image) -> None:
        """Another store is here now: an empty one, or a copy that was put back."""
        self._unsynced.clear()
        self._damaged.clear()
        self.image = image

    def _check(self, first: Slot, last: Slot) -> None:
        damaged = [slot for slot in self._damaged if slot is not None and first <= slot <= last]
        if damaged:
            self._damaged_row(f"the row of slot {min(damaged)}")

    def _damaged_row(self, row: str) -> NoReturn:
        raise StoreDamaged(f"{self.name}: {row} does not match its checksum")

    def _refuse(self) -> None:
        if self._refusal is not None:
            raise StoreFailed(f"{self.name}: refused, because of what happened before: {self._refusal}")

    def _fail(self, why: str) -> None:
        self._refusal = why
        raise StoreFailed(f"{self.name}: {why}")
