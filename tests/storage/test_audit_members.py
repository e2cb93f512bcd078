"""The audit counts majorities by the list that holds at a slot; a readmitted store is no contradiction (M1 to M4)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from engine.core.entry import NOOP, Entry, Readmit, Tweet
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.log.members import Members
from engine.core.log.microblog import Microblog
from engine.core.run import run_of
from engine.core.storage import (
    EventRun,
    EventState,
    InEffect,
    PeerMemory,
    RangePromise,
    Standing,
    Write,
    WriteApplied,
    WriteChange,
    WriteEvents,
    WriteLearned,
    WritePeer,
    WriteRanges,
    WriteRound,
    WriteStanding,
    WriteVote,
)
from storage.audit.run import audit
from storage.rows import CHANGES
from storage.sqlite import SqliteStorage
from tests.storage.planting import LOG, SITES, Planter, entry, open_beside, vote
from tests.storage.samples import ALICE, BOB, CAROL, ballot

LAG: Final = 4
READMITTED_AT: Final = 11
FIRST: Final = READMITTED_AT + LAG
"""The first slot at which carol votes with her new store."""


@pytest.fixture(autouse=True)
def changes_wait_a_few_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lists", "replays"):
        monkeypatch.setattr(f"storage.audit.{module}.CHANGE_LAG", LAG)


def log(life: StoreId) -> list[tuple[Entry, Ballot, tuple[SiteId, ...]]]:
    """carol is readmitted by alice at slot 11; slot 15 was chosen by alice and carol's new store, in its round 1."""
    readmission = (entry(ALICE, 4, 3, Readmit(CAROL, life)), ballot(8, ALICE), (ALICE, BOB))
    filled = [(NOOP, ballot(8, ALICE), (ALICE, BOB))] * (LAG - 1)
    after = (entry(CAROL, 2_000_001, 2_000_000, Tweet("back again")), ballot(1, CAROL), (ALICE, CAROL))
    return [*LOG, readmission, *filled, after]


def writes(site: SiteId, entries: Sequence[tuple[Entry, Ballot, tuple[SiteId, ...]]], since: int) -> Iterator[Write]:
    """What comes of the slots from `since` on at a site; a lost store's votes are not in a new one."""
    microblog = Microblog({}, {}, Members(SITES, LAG))
    for slot, (chosen, at, voters) in enumerate(entries, start=1):
        applied = microblog.apply(run_of(Slot(slot), chosen))
        if slot < since:
            continue
        if site in voters and (site != CAROL or slot >= FIRST):
            yield WriteVote(Slot(slot), Slot(slot), vote(at, chosen))
        yield WriteLearned(run_of(Slot(slot), chosen))
        authors = (InEffect(author, number, applied.shown.count(author)) for author, number in applied.numbers.items())
        yield WriteApplied(Slot(slot), Slot(slot), applied.void, tuple(authors))
        yield from applied.table
        yield from map(WriteChange, applied.changes)


@pytest.fixture
def readmitted(data: Path) -> Path:
    """carol lost her disk, and was readmitted; the others have learned that, and remember her new store."""
    shutil.rmtree(data / "carol")
    with closing(open_beside(data / "carol", CAROL)) as store:
        life = store.load().life
        store.commit([WriteStanding(Standing.READMITTED, ""), WriteRound(Round(1)), *writes(CAROL, log(life), 1)])
    for site in (ALICE, BOB):
        with closing(open_beside(data / site, site)) as store:
            told: list[Write] = [WritePeer(PeerMemory(CAROL, life, 1)), WriteRound(Round(8))]
            body = log(life)[READMITTED_AT - 1][0].body
            own = EventRun(4, (body,), EventState.CREATED, Slot(READMITTED_AT))
            events: list[Write] = [WriteEvents(own)] if site == ALICE else []
            store.commit([*told, *events, *writes(site, log(life), READMITTED_AT)])
    return data


def commit(data: Path, site: SiteId, *more: Write) -> None:
    store: SqliteStorage
    with closing(open_beside(data / site, site)) as store:
        store.commit(more)


def test_a_readmitted_store_is_no_contradiction_m4(readmitted: Path) -> None:
    """Its round begins anew, the numbers of its events far above, and the old lists need votes that are lost."""
    report = audit([readmitted])
    assert report.violations == ()
    assert report.slots == FIRST
    assert {each.site: each.standing for each in report.sites}[CAROL] == "readmitted"
    assert audit([readmitted / "alice", readmitted / "bob"]).violations == ()


def test_who_has_not_learned_of_it_remembers_the_lost_store_m4(data: Path, readmitted: Path, cluster: Path) -> None:
    shutil.rmtree(data / "bob")
    shutil.copytree(cluster / "bob", data / "bob")
    assert audit([readmitted]).violations == ()


def test_the_lost_store_that_comes_back_is_no_contradiction_either_m4(readmitted: Path, cluster: Path) -> None:
    """All that it voted was before."""
    shutil.rmtree(readmitted / "carol")
    shutil.copytree(cluster / "carol", readmitted / "carol")
    assert audit([readmitted]).violations == ()
    commit(readmitted, CAROL, WriteStanding(Standing.LEARNER, "the log put another store of carol in its place"))
    assert audit([readmitted]).violations == ()


def test_m4_a_vote_that_the_replaced_store_gave_after_that_counts_for_nothing(readmitted: Path, cluster: Path) -> None:
    """The store that votes there is not here, and one vote alone is no majority."""
    shutil.rmtree(readmitted / "carol")
    shutil.copytree(cluster / "carol", readmitted / "carol")
    after = entry(CAROL, 2_000_001, 2_000_000, Tweet("back again"))
    with Planter(readmitted / "alice") as planter:
        planter.slot(FIRST, after)
    with Planter(readmitted / "carol") as planter:
        planter.slot(FIRST, after, vote(ballot(1, CAROL), after))
    found = [(each.rule, each.slot) for each in audit([readmitted]).violations]
    assert found == [("R0", FIRST)]


def test_m4_the_first_store_itself_may_be_readmitted_and_what_it_voted_before_stays(data: Path) -> None:
    """An old copy of it was put back, which the others did not take for the site's store any more (D5)."""
    with closing(open_beside(data / "carol", CAROL)) as store:
        life = store.load().life
        known = WriteLearned(run_of(Slot(10), log(life)[9][0]))
        store.commit([WriteStanding(Standing.READMITTED, "")])
        store.commit([each for each in writes(CAROL, log(life), 9) if each != known])
    for site in (ALICE, BOB):
        with closing(open_beside(data / site, site)) as store:
            own = EventRun(4, (log(life)[READMITTED_AT - 1][0].body,), EventState.CREATED, Slot(READMITTED_AT))
            store.commit([WriteRound(Round(8)), *([WriteEvents(own)] if site == ALICE else [])])
            store.commit([*writes(site, log(life), READMITTED_AT)])
    assert audit([data]).violations == ()


def test_a_range_promise_may_be_of_the_lost_store_s_ballot_b1(readmitted: Path) -> None:
    """It stands where the new store votes too, which has used no such round."""
    commit(readmitted, ALICE, WriteRanges((RangePromise(Slot(FIRST + 1), None, ballot(7, CAROL)),)))
    assert audit([readmitted]).violations == ()


def test_a_store_that_neither_the_log_nor_anybody_admitted_is_found_d5(readmitted: Path) -> None:
    commit(readmitted, ALICE, WritePeer(PeerMemory(CAROL, StoreId("e" * 16), 1)))
    [violation] = audit([readmitted]).violations
    assert (violation.rule, violation.site) == ("D5", "carol")


def test_a_vote_before_its_own_slots_is_found_m4(readmitted: Path) -> None:
    with Planter(readmitted / "carol") as planter:
        planter.slot(12, NOOP, vote(ballot(8, ALICE), NOOP))
    [violation] = audit([readmitted]).violations
    assert (violation.rule, violation.slot, violation.site) == ("M4", 12, "carol")
    assert violation.sentence.endswith(f"vote from slot {FIRST} on")


def test_a_majority_of_the_list_that_holds_at_the_slot_is_needed_r0(readmitted: Path) -> None:
    """All three stores are here, so nobody else can have accepted it."""
    with Planter(readmitted / "carol") as planter:
        planter.slot(FIRST, entry(CAROL, 2_000_001, 2_000_000, Tweet("back again")))
    found = [(each.rule, each.slot) for each in audit([readmitted]).violations]
    assert found == [("R0", FIRST)]


def test_a_table_of_who_votes_that_the_log_does_not_give_is_found_m1(readmitted: Path) -> None:
    with Planter(readmitted / "bob") as planter:
        planter.delete(CHANGES, f"slot = {READMITTED_AT}")
    found = [(each.rule, each.site) for each in audit([readmitted]).violations]
    assert found == [("M1", "bob")]
