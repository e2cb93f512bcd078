"""How an audit reads: beside engines, whatever is damaged, missing or lost, in pages, changing nothing."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import tracemalloc
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from tempfile import gettempdir
from typing import Any

import apsw
import pytest

from engine.core.ids import Round, Slot
from engine.core.storage import (
    EventRun,
    EventState,
    LogRow,
    Standing,
    Write,
    WriteEvents,
    WriteEvidence,
    WriteNumbers,
    WriteRound,
    WriteStanding,
)
from storage.audit.lists import Lists
from storage.audit.replays import members_of
from storage.audit.report import KEPT_MAX, Findings, Report
from storage.audit.run import audit
from storage.audit.stores import AuditRefused, begin
from storage.audit.votes import Votes
from storage.beside import read_beside, read_outside
from storage.rows import EVENTS
from tests.storage.planting import NAMES, Planter, damage, open_beside, vote
from tests.storage.samples import ALICE, BOB, CAROL, ballot, promised, settle, tweet


def found(report: Report) -> list[tuple[str, int | None, str | None]]:
    return [(each.rule, each.slot, each.site) for each in report.violations]


@pytest.mark.usefixtures("pages")
def test_stores_that_agree_pass(cluster: Path) -> None:
    report = audit([cluster])
    assert (report.violations, report.violations_found, report.unreadable) == ((), 0, ())
    assert [(site.site, site.prefix, site.used_max, site.events) for site in report.sites] == [
        ("alice", 10, 11, 3),
        ("bob", 10, 10, 4),
        ("carol", 8, 10, 1),
    ]
    assert (report.slots, report.events, report.missing) == (10, 8, ())


def test_an_audit_says_how_far_it_is_and_ends_when_it_should(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.audit.run.PAGE_SLOTS", 4)
    said: list[tuple[int, int]] = []
    audit([cluster], lambda done, of: said.append((done, of)))
    assert said == [(0, 12), (4, 12), (8, 12)]

    def interrupted(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit([cluster], interrupted)


@pytest.mark.parametrize("left", [["alice"], ["bob"], ["carol"], ["alice", "carol"], ["bob", "carol"]])
def test_some_of_the_stores_pass_too(cluster: Path, left: list[str]) -> None:
    """What the others voted is possible, not wrong (R0)."""
    report = audit([cluster / name for name in left])
    assert report.violations == ()
    assert list(report.missing) == [name for name in NAMES if name not in left]


@pytest.mark.usefixtures("pages")
def test_every_damaged_row_of_the_log_is_named_and_the_others_are_held_d3(data: Path) -> None:
    for slot in (2, 3, 9):
        damage(data / "bob", f"UPDATE slots SET promised = '9.bob' WHERE first = {slot}")
    with Planter(data / "alice") as planter:
        planter.slot(4, tweet(CAROL, 2))
    report = audit([data])
    assert [slot for rule, slot, site in found(report) if (rule, site) == ("D3", "bob")] == [2, 3, 9]
    assert ("R1", 4, "bob") in found(report)


def test_a_damaged_row_of_a_run_is_named_once_and_the_others_are_held_d3(tmp_path: Path) -> None:
    with closing(open_beside(tmp_path / "bob", BOB)) as store:
        for first in (1, 101, 201):
            store.commit(_tweeted(Slot(first), 100))
    assert audit([tmp_path]).violations == ()
    damage(tmp_path / "bob", "UPDATE slots SET promised = '9.bob' WHERE first = 101")
    report = audit([tmp_path])
    assert [(each.rule, each.slot) for each in report.violations] == [("D3", 101), ("R2", 101)]
    assert (report.slots, report.events) == (100, 100)


def test_evidence_is_listed_under_its_rule(data: Path) -> None:
    with closing(open_beside(data / "carol", CAROL)) as store:
        store.commit([WriteEvidence("R1", "slot 4 was learned twice")])
    [violation] = audit([data]).violations
    assert (violation.rule, violation.site) == ("R1", "carol")
    assert violation.sentence == "kept as evidence: slot 4 was learned twice"


def test_a_withdrawal_of_a_number_that_was_no_event_s_needs_no_row_m6(data: Path) -> None:
    with Planter(data / "bob") as planter:
        planter.delete(EVENTS, "first = 2")
    assert audit([data]).violations == ()


def test_a_lost_disk_is_no_violation_and_its_votes_count_as_possible_d5(data: Path) -> None:
    """bob voted with alice; his new store has nothing of it, and says that it is a learner."""
    shutil.rmtree(data / "bob")
    with closing(open_beside(data / "bob", BOB)) as store:
        store.commit([WriteStanding(Standing.LEARNER, "lost-disk")])
    report = audit([data])
    assert report.violations == ()
    assert [site.standing for site in report.sites] == ["admitted", "learner", "admitted"]


def test_a_store_that_cannot_be_read_is_named_and_the_others_are_audited(data: Path) -> None:
    (data / "bob" / "site.db").write_bytes(b"not a database" * 1000)
    report = audit([data])
    assert [each.folder.name for each in report.unreadable] == ["bob"]
    assert "site.db" in report.unreadable[0].reason
    assert ([site.site for site in report.sites], report.missing) == (["alice", "carol"], ("bob",))
    assert report.violations == ()


def test_a_database_that_is_gone_is_unreadable_not_absent(data: Path) -> None:
    (data / "bob" / "site.db").rename(data / "bob" / "site.db-wal")
    assert [each.folder.name for each in audit([data]).unreadable] == ["bob"]


def test_folders_of_several_machines_are_audited_together(data: Path, tmp_path: Path) -> None:
    shutil.move(data / "bob", tmp_path / "machine" / "bob")
    report = audit([data, tmp_path / "machine", data / "alice"])
    assert [site.site for site in report.sites] == ["alice", "bob", "carol"]


def test_two_stores_of_one_site_are_refused(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "bob", tmp_path / "bob again")
    with pytest.raises(AuditRefused, match="are both stores of bob: name one of them"):
        audit([data, tmp_path / "bob again"])


@pytest.mark.parametrize("place", ["nowhere", ""])
def test_a_place_without_a_store_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(AuditRefused, match="name a data folder"):
        audit([tmp_path / place])


def test_a_damaged_log_of_a_killed_site_is_found_d3(data: Path, tmp_path: Path) -> None:
    """SQLite would take the damage for the log's end, and show the store as it was before."""
    crashed = tmp_path / "crashed"
    with closing(open_beside(data / "bob", BOB)) as store:
        for round_ in range(8, 12):
            store.commit([WriteRound(Round(round_))])
        shutil.copytree(data / "bob", crashed / "bob")
    (crashed / "bob" / "site.db-shm").unlink()
    assert audit([crashed]).violations == ()
    log = crashed / "bob" / "site.db-wal"
    content = bytearray(log.read_bytes())
    content[32 + 24 + 4096 + 24 + 100] ^= 1  # in the second frame
    log.write_bytes(content)
    [violation] = audit([crashed]).violations
    assert (violation.rule, violation.site) == ("D3", "bob")
    assert "site.db-wal: damaged between frame" in violation.sentence
    assert "If this is a copy, copy it again while its site is stopped" in violation.sentence


def test_nothing_of_a_killed_site_is_changed(data: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"
    with closing(open_beside(data / "bob", BOB)) as store:
        store.commit([WriteRound(Round(8))])
        shutil.copytree(data / "bob", crashed / "bob")
    before = {name: (crashed / "bob" / name).read_bytes() for name in ("site.db", "site.db-wal", "lock")}
    assert audit([crashed]).violations == ()
    assert {name: (crashed / "bob" / name).read_bytes() for name in before} == before


def test_an_engine_goes_on_beside_an_audit_and_its_log_starts_over(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading connection is open all the time; only a snapshot that is held could stop the reset."""
    monkeypatch.setattr("storage.sqlite._WAL_PAGES_MAX", 50)
    with closing(open_beside(data / "bob", BOB)) as store:
        store.load()
        with read_beside(data / "bob") as outside:
            sizes = []
            for round_ in range(8, 200):
                assert outside.reader.meta().round == round_ - 1
                store.commit([WriteRound(Round(round_))])
                sizes.append((data / "bob" / "site.db-wal").stat().st_size)
        assert max(sizes) < 60 * 4200
        assert sizes[-1] == sizes[len(sizes) // 2]
        assert audit([data]).violations == ()


def test_a_vote_that_comes_between_two_readings_is_seen_r0(data: Path) -> None:
    """carol learned from votes that were not there yet when alice's and bob's rows were read."""
    entry_learned = tweet(ALICE, 1)
    learned = LogRow(Slot(1), vote(ballot(1, ALICE), entry_learned), entry_learned, False)
    empty = LogRow(Slot(1), promised(1, ALICE), None, None)
    voted = LogRow(Slot(1), vote(ballot(1, ALICE), entry_learned), None, None)
    rows = {ALICE: empty, BOB: empty, CAROL: learned}
    with ExitStack() as opened:
        found = [begin(opened.enter_context(read_outside(data / name)), Findings()) for name in (ALICE, BOB, CAROL)]
    lists = Lists(members_of((ALICE, BOB, CAROL)), [store for store in found if store is not None])
    for later, violations in ((rows, 1), (rows | {ALICE: voted}, 0)):
        findings = Findings()
        votes = Votes(lists, {Slot(1): later}.__getitem__, {}, findings)
        assert votes.judge(Slot(1), rows, None) == entry_learned
        assert findings.count == violations


def _tweeted(first: Slot, count: int) -> list[Write]:
    """A run of bob's tweets, whose numbers are those of their slots."""
    entries = tuple(tweet(BOB, number, f"line {number}") for number in range(first, first + count))
    created = EventRun(first, tuple(entry.body for entry in entries), EventState.CREATED, first)
    return [*settle(first, *entries), WriteNumbers(first + count - 1), WriteEvents(created)]


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    peaks = []
    for slots in (600, 2_400):
        data = tmp_path / str(slots)
        with closing(open_beside(data / "bob", BOB)) as store:
            store.load()
            for first in range(1, slots + 1, 50):
                store.commit(_tweeted(Slot(first), 50))
        audit([data])  # what is kept of the newest rows is kept by now
        gc.collect()
        tracemalloc.start()
        report = audit([data])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (report.events, report.violations) == (slots, ())
    assert peaks[1] < peaks[0] * 1.2


def test_many_violations_are_counted_and_the_first_are_kept() -> None:
    findings = Findings()
    for slot in range(1, 2 * KEPT_MAX):
        findings.add("R1", "learned another entry", slot=Slot(slot))
        findings.add("R1", "learned another entry", slot=Slot(min(slot, KEPT_MAX)))
    assert (findings.count, len(findings.kept)) == (2 * KEPT_MAX - 1, KEPT_MAX)


def test_a_flipped_byte_anywhere_never_ends_an_audit(data: Path) -> None:
    random = Random(5)
    content = (data / "bob" / "site.db").read_bytes()
    used = [offset for offset, byte in enumerate(content) if byte]
    noticed = 0
    for _ in range(60):
        damaged = bytearray(content)
        damaged[random.choice(used)] ^= random.randrange(1, 256)
        (data / "bob" / "site.db").write_bytes(damaged)
        for rest in ("site.db-wal", "site.db-shm"):
            (data / "bob" / rest).unlink(missing_ok=True)
        report = audit([data])
        noticed += bool(report.violations or report.unreadable)
        assert [site.site for site in report.sites if site.site != "bob"] == ["alice", "carol"]
    assert noticed > 20


def test_a_folder_that_cannot_be_written_is_read_from_a_copy_and_left_as_it_is(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says so, as on a read-only mount."""
    connect, contents = apsw.Connection, _contents(cluster)

    def refuse_here(name: str, **options: Any) -> apsw.Connection:
        if Path(name).is_relative_to(cluster):
            raise apsw.CantOpenError("unable to open database file")
        return connect(name, **options)

    monkeypatch.setattr(apsw, "Connection", refuse_here)
    report = audit([cluster])
    assert (report.violations, report.unreadable, len(report.copied), report.slots) == ((), (), 3, 10)
    assert {site.folder.parent for site in report.sites} == {cluster}
    assert _contents(cluster) == contents


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "Permission denied. Run this as a user who may read the folder"),
        (errno.ENOSPC, f"the disk is full. Free some space in {gettempdir()}, where a copy of it is read"),
        (errno.EMFILE, "Allow more open files"),
        (errno.EIO, "check the disk"),
    ],
)
def test_who_audits_is_told_what_helps_who_reads_and_nothing_that_would_harm_the_site(
    data: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    """Its engine may run, as another user: its files keep their owner, and nobody starts it a second time."""
    connect = apsw.Connection

    def refuse_here(name: str, **options: Any) -> apsw.Connection:
        if Path(name).is_relative_to(data):
            raise apsw.CantOpenError("unable to open database file")
        return connect(name, **options)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(apsw, "Connection", refuse_here)
    monkeypatch.setattr("storage.beside.shutil.copyfile", fail)
    reasons = {each.reason for each in audit([data]).unreadable}
    assert len(reasons) == 3
    for reason in reasons:
        assert advice in reason
        assert "start the site" not in reason.lower()
        assert "writable for" not in reason


def test_d5_a_damaged_copy_is_no_reason_to_give_up_the_sites_vote(data: Path) -> None:
    """Whoever moved the site's folder away for it would have a learner for ever."""
    (data / "bob" / "site.db").write_bytes(b"not a database" * 1_000)
    (bob,) = audit([data]).unreadable
    assert "not a sound database" in bob.reason
    assert "If this is a copy, copy it again while its site is stopped" in bob.reason
    assert "move the site's folder away" not in bob.reason


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
