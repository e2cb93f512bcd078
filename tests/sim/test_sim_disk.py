"""The simulated disk: what is durable after which end, and what is refused (D1, D2, D3, D5)."""

from __future__ import annotations

import pytest

from engine.core.entry import NOOP
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.storage import (
    NO_VOTE,
    StoreDamaged,
    StoreFailed,
    Vote,
    Write,
    WriteApplied,
    WriteLearned,
    WriteRound,
    WriteVote,
)
from engine.sim.image import Image
from engine.sim.world.disk import SimDisk

LIFE = StoreId("0123456789abcdef")
BALLOT = Ballot(Round(1), SiteId("alice"))


@pytest.fixture
def disk() -> SimDisk:
    return SimDisk("alice", LIFE)


def round_write(number: int) -> list[Write]:
    return [WriteRound(Round(number))]


def learns(slot: int) -> list[Write]:
    return [WriteLearned(Slot(slot), NOOP, NO_VOTE), WriteApplied(Slot(slot), NOOP, void=False, shown=False)]


def test_d1_nothing_is_durable_before_the_sync(disk: SimDisk) -> None:
    disk.append(round_write(1))
    assert disk.load().round == 0
    assert disk.sync() == 1
    assert (disk.load().round, disk.load().commit) == (1, 1)


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_d1_a_crash_keeps_a_prefix_of_the_unsynced_commits(disk: SimDisk, kept: int) -> None:
    for number in (1, 2, 3):
        disk.append(round_write(number))
    assert disk.settle(kept) == [WriteRound(Round(number)) for number in range(1, kept + 1)]
    assert (disk.load().round, disk.load().commit, disk.unsynced) == (kept, kept, 0)


def test_d1_a_commit_is_kept_whole_or_not_at_all(disk: SimDisk) -> None:
    disk.append([WriteRound(Round(1)), WriteVote(Slot(1), Vote(BALLOT, None, None))])
    disk.settle(0)
    assert (disk.load().round, disk.load().votes) == (0, {})


def test_d2_a_full_disk_takes_nothing_and_refuses_what_follows(disk: SimDisk) -> None:
    disk.full = True
    with pytest.raises(StoreFailed, match="full"):
        disk.commit(round_write(1))
    disk.heal()
    with pytest.raises(StoreFailed, match="refused"):
        disk.commit(round_write(1))
    assert disk.settle(1) == []
    assert disk.commit(round_write(1)) == 1


def test_d2_after_a_failed_sync_the_commit_may_be_there_or_not(disk: SimDisk) -> None:
    disk.sync_fails = True
    with pytest.raises(StoreFailed, match="sync"):
        disk.commit(round_write(1))
    with pytest.raises(StoreFailed, match="refused"):
        disk.sync()
    assert disk.settle(1) == round_write(1)
    assert disk.load().round == 1


def test_d3_a_damaged_row_that_a_start_needs_is_refused_by_name(disk: SimDisk) -> None:
    disk.commit([WriteVote(Slot(7), Vote(BALLOT, None, None))])
    disk.damage(Slot(7))
    with pytest.raises(StoreDamaged, match="slot 7"):
        disk.load()


def test_d3_a_damaged_row_of_the_log_is_refused_when_it_is_read(disk: SimDisk) -> None:
    for slot in (1, 2, 3):
        disk.commit(learns(slot))
    disk.damage(Slot(2))
    disk.load()
    assert [item.slot for item in disk.learned(Slot(1), Slot(1), 1_000)] == [1]
    with pytest.raises(StoreDamaged, match="slot 2"):
        disk.learned(Slot(1), Slot(3), 1_000)


def test_reads_are_pages_of_one_slot_at_least(disk: SimDisk) -> None:
    for slot in (1, 2, 3):
        disk.commit(learns(slot))
    assert [item.slot for item in disk.learned(Slot(2), Slot(3), 1_000)] == [2, 3]
    assert [item.slot for item in disk.learned(Slot(2), Slot(3), -1)] == [2]
    with pytest.raises(StoreDamaged):
        disk.learned(Slot(3), Slot(4), 1_000)


def test_what_is_loaded_and_what_is_copied_does_not_change_any_more(disk: SimDisk) -> None:
    disk.commit([WriteVote(Slot(1), Vote(BALLOT, None, None))])
    stored, copy = disk.load(), disk.image.duplicate()
    disk.commit(learns(1))
    assert (stored.prefix, set(stored.votes)) == (0, {1})
    assert (copy.prefix, copy.commit, set(copy.votes)) == (0, 1, {1})


def test_d5_another_store_is_another_life_or_an_earlier_commit(disk: SimDisk) -> None:
    copy = disk.image.duplicate()
    disk.commit(round_write(1))
    disk.replace(copy)
    assert (disk.load().life, disk.load().commit, disk.load().round) == (LIFE, 0, 0)
    disk.replace(Image(StoreId("f" * 16)))
    assert disk.load().life != LIFE
