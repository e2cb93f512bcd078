"""The simulated disk and the store of a real site hold the same, commit by commit, whatever a seed does to them.

So what the simulator shows of the core is true of the core on SQLite: both are the `Storage` that it was written for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import msgspec
import pytest

from engine.core.entry import Entry
from engine.core.ids import Slot
from engine.core.run import slots_of
from engine.core.storage import EventRow, Stored, Vote, Write, cut_vote
from engine.sim.image import Image
from engine.sim.proving.swarm import draw
from engine.sim.scenario.acts import FlipBit, PutBack, TakeCopy, Wipe
from engine.sim.scenario.play import Play
from engine.sim.world.disk import SimDisk
from storage.schema import Identity
from storage.sqlite import SqliteStorage, open_store

REOPENED_EVERY = 7
OF_OTHER_STORES = (FlipBit, PutBack, TakeCopy, Wipe)


class Mirrored:
    """A simulated disk, and a store that takes the same commits."""

    def __init__(self, disk: SimDisk, folder: Path, identity: Identity) -> None:
        self._disk = disk
        self._folder = folder
        self._identity = identity
        self._store = self._opened()
        self._commits = count(1)

    def _opened(self) -> SqliteStorage:
        store = open_store(self._folder, self._identity)
        store.load()
        return store

    def take(self, writes: Sequence[Write]) -> None:
        self._store.commit(writes)
        if next(self._commits) % REOPENED_EVERY == 0:
            self.close()
            self._store = self._opened()
        stored, simulated = self._store.load(), self._disk.load()
        assert _alike(stored) == _alike(simulated)
        assert _votes(stored) == _votes(simulated)
        assert _ahead(stored) == _ahead(simulated)
        assert _events(stored) == _events(simulated)
        if stored.prefix:
            assert self._log(self._store, stored.prefix) == self._log(self._disk, stored.prefix)

    def close(self) -> None:
        self._store.close()

    @staticmethod
    def _log(of: SqliteStorage | SimDisk, prefix: Slot) -> list[Entry]:
        newest = Slot(max(1, prefix - 20))
        return [entry for run in of.learned(newest, prefix, 1_000_000) for entry in run.entries]


def _alike(stored: Stored) -> Stored:
    """What both say in the same way."""
    return msgspec.structs.replace(stored, votes=(), ahead=(), open_events=(), life="", commit=0, standing_why="")


def _votes(stored: Stored) -> dict[Slot, Vote]:
    return {
        slot: cut_vote(voted.vote, slot - voted.first, 1)
        for voted in stored.votes
        for slot in slots_of(voted.first, voted.last)
    }


def _ahead(stored: Stored) -> dict[Slot, Entry]:
    return {slot: entry for run in stored.ahead for slot, entry in run}


def _events(stored: Stored) -> list[EventRow]:
    return [row for run in stored.open_events for row in run.rows()]


@pytest.mark.parametrize("seed", [3, 64, 95, 153])
def test_the_store_of_a_real_site_holds_what_the_simulated_disk_does(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = draw(seed)
    play = Play(
        replace(plan, lines=tuple(line for line in plan.lines if not isinstance(line.command, OF_OTHER_STORES)))
    )
    names = plan.setup.names
    mirrored = {
        id(site.disk.image): Mirrored(site.disk, tmp_path / site.name, Identity("paxos-island", site.name, names))
        for site in play.world.sites
    }
    take = Image.take

    def taken(image: Image, writes: Sequence[Write]) -> None:
        take(image, writes)
        mirrored[id(image)].take(writes)

    monkeypatch.setattr(Image, "take", taken)
    play.complete()
    _close(mirrored.values())


def _close(mirrored: Iterable[Mirrored]) -> None:
    for each in mirrored:
        each.close()
