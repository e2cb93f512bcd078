"""The simulated disk: what is durable after which end, and what is refused (D1, D2, D3, D5)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.core.entry import NOOP
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.run import Run
from engine.core.spans import Part
from engine.core.storage import (
    EventRun,
    EventState,
    StoreDamaged,
    StoreFailed,
    Vote,
    Voted,
    Write,
    WriteApplied,
    WriteEvents,
    WriteLearned,
    WriteRound,
    WriteVote,
)
from engine.sim.image import Image
from engine.sim.world.disk import ROW_SLOTS, SimDisk

LIFE = StoreId("0123456789abcdef")
BALLOT = Ballot(Round(1), SiteId("alice"))


@pytest.fixture
def disk() -> SimDisk:
    return SimDisk("alice", LIFE)


def round_write(number: int) -> list[Write]:
    return [WriteRound(Round(number))]


def learns(first: int, last: int) -> list[Write]:
    run = Run(Slot(first), (NOOP,) * (last - first + 1))
    return [WriteLearned(run), WriteApplied(run.first, run.last, (), ())]


def votes(first: int, last: int) -> list[Write]:
    return [WriteVote(Slot(first), Slot(last), Vote(BALLOT, BALLOT, (NOOP,) * (last - first + 1)))]


def spans(runs: Iterable[Run | Voted | Part[Vote]]) -> list[tuple[int, int]]:
    return [(run.first, run.last) for run in runs]


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
    disk.append([WriteRound(Round(1)), WriteVote(Slot(1), Slot(1), Vote(BALLOT, None, ()))])
    disk.settle(0)
    assert (disk.load().round, disk.load().votes) == (0, ())


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
    disk.commit(votes(6, 8))
    disk.damage(Slot(7))
    with pytest.raises(StoreDamaged, match="slot 7"):
        disk.load()


def test_d3_a_damaged_row_of_the_log_is_refused_when_it_is_read(disk: SimDisk) -> None:
    disk.commit(learns(1, ROW_SLOTS))
    disk.damage(Slot(2))
    disk.load()
    assert spans(disk.learned(Slot(1), Slot(1), 1_000)) == [(1, 1)]
    assert spans(disk.learned(Slot(3), Slot(ROW_SLOTS), 1_000)) == [(3, ROW_SLOTS - 1), (ROW_SLOTS, ROW_SLOTS)]
    with pytest.raises(StoreDamaged, match="slot 2"):
        disk.learned(Slot(1), Slot(3), 1_000)


def test_reads_are_pages_of_rows_of_which_there_is_one_at_least(disk: SimDisk) -> None:
    disk.commit(learns(1, 2 * ROW_SLOTS))
    assert spans(disk.learned(Slot(2), Slot(ROW_SLOTS), 1_000)) == [(2, ROW_SLOTS - 1), (ROW_SLOTS, ROW_SLOTS)]
    assert spans(disk.learned(Slot(2), Slot(ROW_SLOTS), -1)) == [(2, ROW_SLOTS - 1)]
    with pytest.raises(StoreDamaged):
        disk.learned(Slot(3), Slot(2 * ROW_SLOTS + 1), 1_000)


def test_what_is_loaded_and_what_is_copied_does_not_change_any_more(disk: SimDisk) -> None:
    disk.commit(votes(1, 2))
    stored, copy = disk.load(), disk.image.duplicate()
    disk.commit(learns(1, 1))
    assert (stored.prefix, spans(stored.votes)) == (0, [(1, 2)])
    assert (copy.prefix, copy.commit, spans(copy.votes)) == (0, 1, [(1, 2)])
    assert (spans(disk.load().votes), disk.voted(Slot(1)).accepted, disk.voted(Slot(2)).accepted) == (
        [(2, 2)],
        BALLOT,
        None,
    )


def test_what_is_learned_above_the_prefix_is_loaded_by_runs_and_applied_when_its_turn_comes(disk: SimDisk) -> None:
    disk.commit([WriteLearned(Run(Slot(3), (NOOP,) * 2))])
    assert spans(disk.load().ahead) == [(3, 4)]
    disk.commit(learns(1, 2))
    disk.commit([WriteApplied(Slot(3), Slot(4), (), ())])
    assert (disk.load().prefix, disk.load().ahead) == (4, ())


def test_open_events_that_stand_alike_are_loaded_together(disk: SimDisk) -> None:
    def events(first: int, bodies: str, state: EventState, slot: int | None = None) -> list[Write]:
        return [WriteEvents(EventRun(first, tuple(bodies), state, None if slot is None else Slot(slot)))]

    disk.commit(events(1, "abcdefg", EventState.QUEUED))
    disk.commit(events(2, "bcd", EventState.PROPOSED, 5))
    disk.commit(events(3, "c", EventState.CREATED, 6))
    loaded = [(run.first, "".join(run.bodies), run.state, run.slot) for run in disk.load().open_events]
    assert loaded == [
        (1, "a", EventState.QUEUED, None),
        (2, "b", EventState.PROPOSED, 5),
        (4, "d", EventState.PROPOSED, 7),
        (5, "efg", EventState.QUEUED, None),
    ]


def test_d5_another_store_is_another_life_or_an_earlier_commit(disk: SimDisk) -> None:
    copy = disk.image.duplicate()
    disk.commit(round_write(1))
    disk.replace(copy)
    assert (disk.load().life, disk.load().commit, disk.load().round) == (LIFE, 0, 0)
    disk.replace(Image(StoreId("f" * 16)))
    assert disk.load().life != LIFE
