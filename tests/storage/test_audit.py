"""The audit finds what breaks a rule in stores that are sound on their face, and names rule, slot and site."""

from __future__ import annotations

import re
import shutil
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from engine.core.entry import NOOP, Tweet
from engine.core.ids import Round, Slot
from engine.core.storage import (
    EventRow,
    EventState,
    Standing,
    Vote,
    Write,
    WriteEvent,
    WriteEvidence,
    WriteRound,
    WriteStanding,
)
from storage.audit import run, stores
from storage.audit.report import KEPT_MAX, Findings, Report
from storage.audit.run import audit
from storage.audit.stores import AuditRefused
from storage.audit.votes import Votes
from storage.beside import read_beside
from storage.rows import AUTHORS, BLOCKS, EVENTS, META, PEERS, RANGES, SLOTS, SlotRow, SlotState
from tests.storage.planting import LOG, NAMES, Planter, damage, entry, make_cluster, open_beside, vote
from tests.storage.samples import ALICE, BOB, CAROL, ballot, settle, tweet

Plant = Callable[[Path], None]

PENDING = entry(BOB, 5, 4, Tweet("pending"))
OTHER = entry(BOB, 5, 4, Tweet("another"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cluster(tmp_path_factory.mktemp("data"))


@pytest.fixture
def data(cluster: Path, tmp_path: Path) -> Path:
    """A copy of the three stores, to be changed."""
    return shutil.copytree(cluster, tmp_path / "data")


@pytest.fixture(params=[2, 256])
def _pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAGE_SLOTS", request.param)
    monkeypatch.setattr(stores, "EVENTS_PAGE", request.param)


def found(report: Report) -> list[tuple[str, int | None, str | None]]:
    return [(each.rule, each.slot, each.site) for each in report.violations]


@pytest.mark.usefixtures("_pages")
def test_stores_that_agree_pass(cluster: Path) -> None:
    report = audit([cluster])
    assert (report.violations, report.violations_found, report.unreadable) == ((), 0, ())
    assert [(site.site, site.prefix, site.used_max, site.events) for site in report.sites] == [
        ("alice", 10, 11, 3),
        ("bob", 10, 10, 4),
        ("carol", 8, 10, 1),
    ]
    assert (report.slots, report.events, report.missing) == (10, 8, ())


@pytest.mark.parametrize("left", [["alice"], ["bob"], ["carol"], ["alice", "carol"], ["bob", "carol"]])
def test_some_of_the_stores_pass_too(cluster: Path, left: list[str]) -> None:
    """What the others voted is possible, not wrong (R0)."""
    report = audit([cluster / name for name in left])
    assert report.violations == ()
    assert list(report.missing) == [name for name in NAMES if name not in left]


def in_store(site: str, change: Callable[[Planter], None]) -> Plant:
    def plant(data: Path) -> None:
        with Planter(data / site) as planter:
            change(planter)

    return plant


def both(*plants: Plant) -> Plant:
    def plant(data: Path) -> None:
        for each in plants:
            each(data)

    return plant


CASES: dict[str, tuple[Plant, tuple[str, int | None, str | None], str]] = {
    "another entry learned": (
        in_store("carol", lambda p: p.slot(1, "shown", tweet(ALICE, 1, "dinner"))),
        ("R1", 1, "carol"),
        r"learned alice/1 .*, but alice learned alice/1",
    ),
    "another entry learned above the prefix": (
        in_store("carol", lambda p: p.slot(10, "learned", NOOP, vote(ballot(5, BOB), LOG[9][0]))),
        ("R1", 10, "carol"),
        "learned the no-op, but alice learned bob/4",
    ),
    "learned against a majority that nobody else noticed": (
        both(
            in_store("bob", lambda p: p.slot(11, "accepted", None, vote(ballot(6, BOB), PENDING))),
            in_store("carol", lambda p: p.slot(11, "learned", NOOP)),
        ),
        ("R1", 11, "carol"),
        r"learned the no-op, but alice, bob accepted bob/5 .* at 6\.bob",
    ),
    "learned what one site alone accepted": (
        in_store("bob", lambda p: p.slot(5, "shown", LOG[4][0])),
        ("R0", 5, "alice"),
        "no majority can have accepted: alice did",
    ),
    "another entry above a choice": (
        in_store("carol", lambda p: p.slot(3, "applied", NOOP, vote(ballot(6, BOB), PENDING))),
        ("B2", 3, "bob"),
        r"6\.bob carries bob/5 .*, but alice, bob accepted the no-op at 3\.carol",
    ),
    "two entries at one ballot": (
        in_store("carol", lambda p: p.slot(11, "accepted", None, vote(ballot(6, BOB), OTHER))),
        ("B1", 11, "carol"),
        r"accepted bob/5 .* at 6\.bob; alice accepted bob/5",
    ),
    "a ballot above the round of its site": (
        in_store("bob", lambda p: p.change(META, "1", round=5)),
        ("B1", 13, "bob"),
        r"holds its ballot 7\.bob, but its store has used no round above 5",
    ),
    "an acceptance above the round of its site": (
        in_store("alice", lambda p: p.change(META, "1", round=3)),
        ("B1", 5, "alice"),
        r"alice holds its ballot 4\.alice, but its store has used no round above 3",
    ),
    "a range promise above the round of its site": (
        in_store("carol", lambda p: p.change(RANGES, "1", ballot="9.alice")),
        ("B1", 13, "alice"),
        r"carol holds its ballot 9\.alice",
    ),
    "ballot 0 after another author's entry": (
        in_store("carol", lambda p: p.slot(5, "shown", LOG[4][0], vote(ballot(0, ALICE), LOG[4][0]))),
        ("L2", 5, "carol"),
        r"accepted 0\.alice, though carol/2 .* is in the slot before",
    ),
    "ballot 0 at the first slot": (
        in_store("carol", lambda p: p.slot(1, "shown", LOG[0][0], vote(ballot(0, ALICE), LOG[0][0]))),
        ("L2", 1, "carol"),
        "there is no slot before",
    ),
    "an acceptance below its promise": (
        in_store("alice", lambda p: p.slot(11, "accepted", None, vote(ballot(6, BOB), PENDING, ballot(5, BOB)))),
        ("A2", 11, "alice"),
        r"accepted 6\.bob, but its promise is 5\.bob",
    ),
    "an acceptance without an entry": (
        in_store("alice", lambda p: p.slot(11, "accepted", None, vote(ballot(6, BOB), None))),
        ("A2", 11, "alice"),
        "without an entry",
    ),
    "a gap in the prefix": (
        in_store("alice", lambda p: p.delete(SLOTS, "slot = 4")),
        ("R2", 4, "alice"),
        "the prefix goes through 10, but there is no sound row",
    ),
    "an unlearned slot in the prefix": (
        in_store("carol", lambda p: p.slot(5, "accepted", None, vote(ballot(4, ALICE), LOG[4][0]))),
        ("R2", 5, "carol"),
        "the slot is accepted",
    ),
    "an applied slot above the prefix": (
        in_store("carol", lambda p: p.slot(10, "applied", LOG[9][0], vote(ballot(5, BOB), LOG[9][0]))),
        ("R2", 10, "carol"),
        "is applied, but the prefix is 8",
    ),
    "a void entry in effect": (
        in_store("bob", lambda p: p.change(SLOTS, "slot = 7", state="shown")),
        ("E1", 7, "bob"),
        "carol/1 .* stands as in effect, after carol/2 was",
    ),
    "an entry in effect though it follows another number": (
        both(*(in_store(name, lambda p: p.change(SLOTS, "slot = 5", follows=0)) for name in NAMES)),
        ("E5", 5, "alice"),
        "stands as shown, a replay has it void, with alice/1 last in effect",
    ),
    "an entry in effect that stands as void": (
        in_store("alice", lambda p: p.change(SLOTS, "slot = 4", state="void")),
        ("E5", 4, "alice"),
        "stands as void, a replay has it shown",
    ),
    "a tweet that the timeline does not show": (
        in_store("alice", lambda p: p.change(SLOTS, "slot = 4", state="applied")),
        ("R2", 4, "alice"),
        "stands as applied, a replay has it shown",
    ),
    "another last number": (
        in_store("alice", lambda p: p.change(AUTHORS, "author = 'bob'", last_in_effect=3)),
        ("E5", 10, "alice"),
        "it has 3 as bob's last number in effect, a replay has 4",
    ),
    "another number of tweets": (
        in_store("alice", lambda p: p.change(AUTHORS, "author = 'alice'", tweets=2)),
        ("R2", 10, "alice"),
        "counts 2 tweets of alice in effect, a replay 3",
    ),
    "a block that is gone": (
        in_store("carol", lambda p: p.delete(BLOCKS, "blocker = 'bob'")),
        ("R2", 8, "carol"),
        "its block table has nothing, a replay of its prefix bob blocks carol since 2",
    ),
    "a block since another slot": (
        in_store("alice", lambda p: p.change(BLOCKS, "1", slot=9)),
        ("R2", 10, "alice"),
        "bob blocks alice since 9, a replay of its prefix bob blocks alice since 10",
    ),
    "an event in effect without a row": (
        in_store("alice", lambda p: p.delete(EVENTS, "number = 2")),
        ("E1", 5, "alice"),
        "no sound row of it",
    ),
    "created, and nowhere": (
        in_store("carol", lambda p: p.change(EVENTS, "number = 3", state="created")),
        ("E2", 6, "carol"),
        "carol/3 is created, but in effect nowhere",
    ),
    "created, and void": (
        in_store("carol", lambda p: p.change(EVENTS, "number = 1", state="created", slot=7)),
        ("E2", 7, "carol"),
        "carol/1 is created, but in effect nowhere",
    ),
    "created somewhere else": (
        in_store("alice", lambda p: p.change(EVENTS, "number = 3", slot=7)),
        ("E2", 6, "alice"),
        "its row says created with slot 7",
    ),
    "created with another text": (
        in_store("alice", lambda p: p.change(EVENTS, "number = 3", body=PENDING.body)),
        ("E2", 6, "alice"),
        "its row says created with another text",
    ),
    "lost, and in effect": (
        in_store("alice", lambda p: p.change(EVENTS, "number = 2", state="lost")),
        ("E2", 5, "alice"),
        "alice/2 is lost, but in effect",
    ),
    "lost, and in effect where its own site has not learned it": (
        both(
            in_store("carol", lambda p: p.slot(9, "learned", entry(CAROL, 3, 2, Tweet("still")))),
            in_store("alice", lambda p: p.slot(9, "shown", entry(CAROL, 3, 2, Tweet("still")))),
        ),
        ("E2", 9, "carol"),
        "carol/3 is lost, but in effect",
    ),
    "not created, and in effect": (
        in_store("bob", lambda p: p.change(EVENTS, "number = 4", state="not-created")),
        ("E2", 10, "bob"),
        "bob/4 is not-created, but in effect",
    ),
    "created though withdrawn": (
        in_store("bob", lambda p: p.change(EVENTS, "number = 2", state="created")),
        ("E2", 8, "bob"),
        "its withdrawal took effect",
    ),
    "in effect without an outcome": (
        in_store("bob", lambda p: p.change(EVENTS, "number = 3", state="proposed")),
        ("E2", 9, "bob"),
        "within its site's prefix, and still proposed",
    ),
    "created out of order": (
        in_store("alice", lambda p: p.change(EVENTS, "number = 2", slot=1)),
        ("E3", 1, "alice"),
        "alice/2 is created here, alice/1 at slot 1",
    ),
    "created beyond the prefix": (
        in_store("bob", lambda p: p.change(EVENTS, "number = 5", state="created")),
        ("E4", 11, "bob"),
        "bob/5 is created, but its site's prefix is 10",
    ),
    "another cluster": (
        in_store("carol", lambda p: p.change(META, "1", cluster="elsewhere")),
        ("D4", None, "carol"),
        "is a store of cluster elsewhere",
    ),
    "another list of sites": (
        in_store("carol", lambda p: p.change(META, "1", sites="alice bob carol dave")),
        ("D4", None, "carol"),
        "with alice, bob, carol, dave",
    ),
    "a site that is not in its own list": (
        in_store("carol", lambda p: p.change(META, "1", site="zoe")),
        ("D4", None, "zoe"),
        "its own list does not name",
    ),
    "a voter on another store than was recorded": (
        in_store("alice", lambda p: p.change(PEERS, "site = 'bob'", life="00000000000000ff")),
        ("D5", None, "bob"),
        "but alice remembers 00000000000000ff of it",
    ),
    "an old copy": (
        in_store("alice", lambda p: p.change(PEERS, "site = 'bob'", commit_number=99)),
        ("D5", None, "bob"),
        "is at commit 2, but alice heard of 99: an old copy",
    ),
    "a damaged row of the log": (
        lambda data: damage(data / "bob", "UPDATE slots SET body = body || 'x' WHERE slot = 4"),
        ("D3", 4, "bob"),
        "table slots, slot 4: not what its checksum says",
    ),
    "a damaged event": (
        lambda data: damage(data / "bob", "UPDATE events SET slot = 3 WHERE number = 1"),
        ("D3", None, "bob"),
        "table events, number 1: not what its checksum says",
    ),
    "a damaged vote": (
        lambda data: damage(data / "alice", "UPDATE slots SET accepted = NULL WHERE slot = 11"),
        ("D3", None, "alice"),
        "table slots, slot 11: not what its checksum says",
    ),
    "a lost vote": (
        lambda data: damage(data / "alice", "DELETE FROM slots WHERE slot = 11"),
        ("D3", None, "alice"),
        "a row is gone",
    ),
}


@pytest.mark.usefixtures("_pages")
@pytest.mark.parametrize(("plant", "named", "says"), CASES.values(), ids=CASES)
def test_a_violation_is_named(data: Path, plant: Plant, named: tuple[str, int | None, str | None], says: str) -> None:
    plant(data)
    report = audit([data])
    assert report.violations_found == len(report.violations) > 0
    sentences = [each.sentence for each in report.violations if (each.rule, each.slot, each.site) == named]
    assert sentences, f"{named} is not among {report.violations}"
    assert any(re.search(says, sentence) for sentence in sentences), sentences
    assert report.unreadable == ()


@pytest.mark.usefixtures("_pages")
def test_every_damaged_row_of_the_log_is_named_and_the_others_are_held_d3(data: Path) -> None:
    for slot in (2, 3, 9):
        damage(data / "bob", f"UPDATE slots SET follows = 77 WHERE slot = {slot}")
    with Planter(data / "alice") as planter:
        planter.slot(4, "shown", tweet(CAROL, 2))
    report = audit([data])
    assert [slot for rule, slot, site in found(report) if (rule, site) == ("D3", "bob")] == [2, 3, 9]
    assert ("R1", 4, "bob") in found(report)


def test_an_index_that_lost_a_tweet_is_named_d3(data: Path) -> None:
    with closing(apsw.Connection(str(data / "bob" / "site.db"))) as db:
        page: Any
        [(page,)] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'shown_by_author'").fetchall()
    content = (data / "bob" / "site.db").read_bytes()
    index = content[(page - 1) * 4096 : page * 4096]
    assert index.count(b"carol\x04") == 1
    (data / "bob" / "site.db").write_bytes(content.replace(index, index.replace(b"carol\x04", b"carom\x04")))
    report = audit([data])
    assert ("D3", 4, "bob") in found(report)
    assert "index shown_by_author has lost it" in report.violations[0].sentence


def test_evidence_is_listed_under_its_rule(data: Path) -> None:
    with closing(open_beside(data / "carol", CAROL)) as store:
        store.commit([WriteEvidence("R1", "slot 4 was learned twice")])
    [violation] = audit([data]).violations
    assert (violation.rule, violation.site) == ("R1", "carol")
    assert violation.sentence == "kept as evidence: slot 4 was learned twice"


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


def test_a_vote_that_comes_between_two_readings_is_seen_r0() -> None:
    """carol learned from votes that were not there yet when alice's and bob's rows were read."""
    entry_learned = tweet(ALICE, 1)
    learned = SlotRow(Slot(1), SlotState.SHOWN, vote(ballot(1, ALICE), entry_learned), entry_learned)
    empty = SlotRow(Slot(1), SlotState.PROMISED, Vote(ballot(1, ALICE), None, None), None)
    voted = SlotRow(Slot(1), SlotState.ACCEPTED, vote(ballot(1, ALICE), entry_learned), None)
    rows = {ALICE: empty, BOB: empty, CAROL: learned}
    for later, violations in ((rows, 1), (rows | {ALICE: voted}, 0)):
        findings = Findings()
        votes = Votes(3, 0, {Slot(1): later}.__getitem__, findings)
        assert votes.judge(Slot(1), rows, None) == entry_learned
        assert findings.count == violations


def _tweeted(slot: Slot) -> list[Write]:
    written = tweet(BOB, slot, f"line {slot}")
    return [*settle(slot, written), WriteEvent(EventRow(slot, written.body, EventState.CREATED, slot))]


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    peaks = []
    for slots in (600, 2_400):
        data = tmp_path / str(slots)
        with closing(open_beside(data / "bob", BOB)) as store:
            store.load()
            for first in range(1, slots + 1, 100):
                store.commit([write for slot in range(first, first + 100) for write in _tweeted(Slot(slot))])
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
