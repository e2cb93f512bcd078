"""What is left of a cluster becomes a new one: what is certain, taken over or gone, and what is written."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from engine.core.entry import NOOP, Entry, Kind, Readmit, Tweet, kind_of
from engine.core.ids import Round, SiteId, Slot, StoreId
from engine.core.log.members import numbers_end
from engine.core.storage import (
    EventState,
    PeerMemory,
    Standing,
    Stored,
    StoreFailed,
    WriteEvidence,
    WritePeer,
    WriteRound,
    WriteStanding,
    WriteVote,
)
from storage.audit.run import audit
from storage.backup import back_up
from storage.beside import read_outside
from storage.rescue.founding import found, publish
from storage.rescue.gaps import bridges
from storage.rescue.survey import Contradiction, Survey, survey
from storage.rescue.witnesses import RescueRefused, SiteRuns, read_witnesses
from storage.schema import Identity
from storage.sqlite import open_store
from tests.storage.planting import (
    DAVE,
    ERIN,
    GROWN_LIVES,
    LOG,
    NAMES,
    SITES,
    Planter,
    damage,
    entry,
    make_grown,
    open_beside,
    vote,
)
from tests.storage.samples import ALICE, AT_MS, BOB, CAROL, ballot, learn, promised, settle, tweet

NEW = "island-two"


def surveyed(*places: Path) -> Survey:
    with read_witnesses(places) as witnesses:
        return survey(witnesses, AT_MS, lambda *_: None)


def rescued(data: Path, *places: Path) -> Survey:
    """Makes the new cluster in `data`."""
    data.mkdir()
    with read_witnesses(places) as witnesses:
        findings = survey(witnesses, AT_MS, lambda *_: None)
        found(data, NEW, witnesses, findings, lambda *_: None)
    return findings


def log_of(folder: Path) -> list[Entry | None]:
    with read_outside(folder) as outside:
        return [row.learned for row in outside.reader.log_rows(Slot(1), Slot(100))]


def stored(data: Path, site: SiteId) -> Stored:
    with read_outside(data / site) as outside:
        return outside.reader.tail().stored()


def taken(findings: Survey) -> list[tuple[int, str, str, tuple[SiteId, ...], bool]]:
    return [(each.slot, str(each.entry.id), str(each.ballot), each.sites, each.chosen) for each in findings.taken]


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


# What is certain


def test_a_store_that_is_left_says_from_where_on_something_may_be_missing(data: Path) -> None:
    """carol has learned slots 1 to 8 and 10; of slot 9 she has nothing."""
    findings = surveyed(data / "carol")
    assert (findings.lost, findings.learned, findings.missing_from) == ((ALICE, BOB), 9, 9)
    assert (findings.unknown, findings.taken, findings.slots) == (((9, 9),), (), 10)
    findings = surveyed(data / "alice")
    assert (findings.learned, findings.missing_from, findings.slots) == (10, 11, 11)
    assert taken(findings) == [(11, "bob/5", "6.bob", (ALICE,), False)]


def test_while_a_majority_is_left_nothing_that_was_acknowledged_is_missing(data: Path) -> None:
    findings = surveyed(data / "alice", data / "carol")
    assert (findings.lost, findings.missing_from, findings.learned) == ((BOB,), None, 10)


def test_a_majority_that_accepted_is_certain(data: Path, tmp_path: Path) -> None:
    """An acceptance in a backup stays true; that its site voted otherwise since is what is not known."""
    pending = entry(BOB, 5, 4, Tweet("pending"))
    with closing(open_beside(data / "bob", BOB)) as store:
        store.commit([WriteVote(Slot(11), Slot(11), vote(ballot(6, BOB), pending))])
    back_up(data / "bob", tmp_path / "bob.backup", lambda *_: None)
    findings = surveyed(data / "alice", tmp_path / "bob.backup")
    assert taken(findings) == [(11, "bob/5", "6.bob", (ALICE, BOB), True)]
    assert (findings.lost, findings.missing_from) == ((BOB, CAROL), 12)


def test_of_what_was_accepted_the_highest_ballot_is_taken_over_b2(data: Path) -> None:
    other = entry(CAROL, 5, 2, Tweet("other"))
    with closing(open_beside(data / "carol", CAROL)) as store:
        store.commit([WriteVote(Slot(11), Slot(11), vote(ballot(10, ALICE), other))])
    findings = surveyed(data / "alice", data / "carol")
    assert taken(findings) == [(11, "carol/5", "10.alice", (CAROL,), False)]


@pytest.mark.parametrize(
    "make_doubtful",
    [
        lambda data: damage(data / "alice", "UPDATE slots SET promised = '9.bob' WHERE first = 3"),
        lambda data: _commit(data, ALICE, WriteStanding(Standing.LEARNER, "lost-disk")),
        lambda data: _commit(data, CAROL, WritePeer(PeerMemory(ALICE, StoreId("0" * 16), 1))),
        lambda data: _commit(data, CAROL, WritePeer(PeerMemory(ALICE, stored(data, ALICE).life, 99))),
    ],
    ids=["damaged", "learner", "another life", "an old copy"],
)
def test_a_store_that_may_lack_votes_of_its_site_counts_as_lost_d5(data: Path, make_doubtful: object) -> None:
    assert callable(make_doubtful)
    make_doubtful(data)
    findings = surveyed(data / "alice", data / "carol")
    assert (findings.lost, findings.missing_from) == ((ALICE, BOB), 11)


def _commit(data: Path, site: SiteId, *writes: WriteStanding | WritePeer) -> None:
    with closing(open_beside(data / site, site)) as store:
        store.commit(writes)


def test_a_damaged_row_is_had_from_another_store_or_is_gone_d3(data: Path) -> None:
    damage(data / "alice", "UPDATE slots SET promised = '9.bob' WHERE first = 5")
    both = surveyed(data / "alice", data / "carol")
    assert (both.unknown, both.learned) == ((), 10)
    assert [(each.rule, each.slot) for each in both.remarks] == [("D3", 5)]
    alone = surveyed(data / "alice")
    assert (alone.unknown, alone.missing_from) == (((5, 5),), 5)


@pytest.mark.parametrize(
    ("sql", "learned"),
    [
        ("UPDATE blocks SET slot = 9", 9),
        ("UPDATE authors SET tweets = 9 WHERE author = 'bob'", 9),
        ("UPDATE slots SET promised = '9.bob' WHERE first = 12", 9),
        ("UPDATE slots SET promised = '9.bob' WHERE first = 10", 8),
        ("UPDATE ahead SET last = 11", 8),
        ("UPDATE peers SET commit_number = 9 WHERE site = 'bob'", 9),
        ("DELETE FROM blocks", 9),
        ("UPDATE events SET reason = 'none' WHERE first = 3", 9),
        ("UPDATE authors SET author = CAST(x'ff' AS TEXT) WHERE author = 'bob'", 9),
    ],
)
def test_a_damaged_row_takes_nothing_else_away_d3(data: Path, new: Path, sql: str, learned: int) -> None:
    """Of carol's store, which no site could start on."""
    damage(data / "carol", sql)
    findings = rescued(new, data / "carol")
    assert (findings.learned, findings.unreadable) == (learned, ())
    if "events" not in sql:
        assert "D3" in [each.rule for each in findings.remarks]
    assert log_of(new / "alice")[:8] == [entry for entry, *_ in LOG[:8]]
    assert audit([new]).violations == ()


def test_backups_and_stores_of_one_site_are_taken_together(data: Path, tmp_path: Path) -> None:
    back_up(data / "carol", tmp_path / "older", lambda *_: None)
    with closing(open_beside(data / "carol", CAROL)) as store:
        store.commit(settle(9, LOG[8][0]))
    findings = surveyed(tmp_path / "older", data / "carol")
    assert (findings.learned, findings.lost, findings.unknown) == (10, (ALICE, BOB), ())


# What is refused


def test_stores_that_contradict_each_other_are_refused_with_the_evidence_r1(data: Path) -> None:
    with Planter(data / "carol") as planter:
        planter.instead(5, tweet(ALICE, 9))
    with pytest.raises(Contradiction) as refused:
        surveyed(data / "alice", data / "carol")
    assert ("R1", 5) in [(each.rule, each.slot) for each in refused.value.evidence]
    assert surveyed(data / "alice").learned == 10, "one of them alone contradicts nothing"


def test_two_stores_of_one_site_that_contradict_each_other_are_refused_r1_b1(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "carol", tmp_path / "carol")
    with Planter(tmp_path / "carol") as planter:
        planter.instead(4, tweet(CAROL, 9))
    with pytest.raises(Contradiction) as refused:
        surveyed(data / "carol", tmp_path / "carol")
    assert {(each.rule, each.slot) for each in refused.value.evidence} == {("R1", 4), ("B1", 4)}


def test_a_site_that_kept_evidence_is_refused_r1(data: Path) -> None:
    with closing(open_beside(data / "carol", CAROL)) as store:
        store.commit([WriteEvidence("R1", "slot 4 was learned twice")])
    with pytest.raises(Contradiction):
        surveyed(data / "alice", data / "carol")


def test_stores_of_two_clusters_are_refused(data: Path, tmp_path: Path) -> None:
    open_store(tmp_path / "zoe", Identity("other", SiteId("zoe"), (SiteId("zoe"),))).close()
    with pytest.raises(RescueRefused, match="name stores of one cluster"):
        surveyed(data / "alice", tmp_path / "zoe")


def test_what_cannot_be_read_is_told_and_the_others_are_taken(data: Path) -> None:
    (data / "bob" / "site.db").write_bytes(b"not a database" * 1000)
    findings = surveyed(data / "alice", data / "bob")
    assert [each.folder.name for each in findings.unreadable] == ["bob"]
    assert (findings.lost, findings.learned) == ((BOB, CAROL), 10)
    with pytest.raises(StoreFailed, match=r"bob/site\.db"):
        surveyed(data / "bob")


def test_no_site_runs_on_a_store_that_is_rescued(data: Path) -> None:
    with (data / "carol" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SiteRuns, match="Stop it first"):
            surveyed(data / "carol")
    with read_witnesses([data / "carol"]), (data / "carol" / "lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


# What is gone


WITHDRAWN = Entry(ALICE, 5, 4, "withdrawal 1795262400123 ")


@pytest.mark.parametrize(
    ("entries", "placed"),
    [
        pytest.param([None, tweet(ALICE, 6), tweet(ALICE, 7)], {11: WITHDRAWN}, id="one is missing"),
        pytest.param([tweet(BOB, 1), None, tweet(ALICE, 6)], {12: WITHDRAWN}, id="it was in the gap"),
        pytest.param([None, tweet(BOB, 9)], {11: Entry(BOB, 8, 0, WITHDRAWN.body)}, id="all before it is missing"),
        pytest.param([tweet(ALICE, 6), None], {}, id="it was not in a gap above"),
        pytest.param([None, tweet(ALICE, 5), tweet(ALICE, 7)], {}, id="nor in one below"),
        pytest.param([tweet(ALICE, 5), None, tweet(ALICE, 6)], {}, id="nothing is missing"),
        pytest.param([None, tweet(ALICE, 6), tweet(ALICE, 5), tweet(ALICE, 6)], {}, id="it was proposed again"),
        pytest.param([None, tweet(ALICE, 8), tweet(ALICE, 5)], {}, id="what comes long before it was proposed again"),
        pytest.param([None, tweet(ALICE, 4)], {}, id="it was in effect before"),
        pytest.param([None, NOOP, None], {}, id="nobody misses anything"),
        pytest.param(
            [None, None, tweet(BOB, 3), tweet(ALICE, 6), tweet(CAROL, 8)],
            {11: Entry(BOB, 2, 0, WITHDRAWN.body), 12: WITHDRAWN},
            id="each gap was one entry",
        ),
    ],
)
def test_one_missing_event_does_not_make_the_later_ones_void_e5(
    entries: list[Entry | None], placed: dict[int, Entry]
) -> None:
    """alice/4 is in effect, at slot 10, and what follows begins at slot 11."""
    numbered = [(Slot(slot), entry) for slot, entry in enumerate(entries, 11)]
    assert bridges(numbered, {ALICE: 4}, {ALICE: Slot(10)}, AT_MS) == placed


def test_what_the_third_had_learned_is_in_effect_in_the_new_log(data: Path, new: Path) -> None:
    """Slot 9, of which carol has nothing, had bob/3: bob/4, which follows it, is not void for that."""
    findings = rescued(new, data / "carol")
    [(slot, withdrawn)] = findings.withdrawn.items()
    assert (slot, withdrawn.id, kind_of(withdrawn)) == (9, LOG[8][0].id, Kind.WITHDRAWAL)
    expected = [entry for entry, *_ in LOG]
    expected[8] = withdrawn
    assert [log_of(new / name) for name in NAMES] == [expected] * 3
    report = audit([new])
    assert (report.violations, report.missing, report.events) == ((), (), findings.events)
    assert stored(new, CAROL).blocks == {(BOB, CAROL): 2, (BOB, ALICE): 10}


# What is written


@pytest.mark.parametrize("left", [["alice"], ["bob"], ["alice", "carol"], ["alice", "bob", "carol"]])
def test_the_new_stores_hold_all_that_was_left_and_keep_every_rule(data: Path, new: Path, left: list[str]) -> None:
    findings = rescued(new, *(data / name for name in left))
    for name in NAMES:
        assert log_of(new / name)[:10] == [entry for entry, *_ in LOG], name
    report = audit([new])
    assert (report.violations, report.unreadable, report.missing) == ((), (), ())
    assert (report.slots, report.events) == (findings.slots, findings.events)
    assert {site.prefix for site in report.sites} == {findings.slots}


def test_the_new_stores_vote_and_know_each_other_and_nobody_else_d5_b1(data: Path, new: Path) -> None:
    rescued(new, data / "alice", data / "carol")
    stores = {site: stored(new, site) for site in SITES}
    for site, store in stores.items():
        assert store.life != stored(data, site).life
        assert store.standing is Standing.ADMITTED
        assert (store.round, store.ranges, store.votes) == (1, (), ())
        assert {peer: memory.life for peer, memory in store.peers.items()} == {
            peer: stores[peer].life for peer in SITES if peer != site
        }
        assert all(memory.commit <= stores[peer].commit for peer, memory in store.peers.items())
    with pytest.raises(Exception, match="belongs to cluster island-two, not paxos-island"):
        open_beside(new / "alice", ALICE)


def test_no_number_that_was_seen_is_given_out_again_e1(data: Path, new: Path) -> None:
    with Planter(data / "carol") as planter:
        planter.change_meta(number_max=950_000)
    findings = rescued(new, data / "carol")
    assert findings.numbers == {ALICE: 3, BOB: 4, CAROL: 950_000}
    assert [stored(new, site).number_max for site in SITES] == [1_000_000, 1_000_000, 1_050_000]


def test_a_site_may_number_events_after_each_of_several_rescues_m6(data: Path, tmp_path: Path) -> None:
    """Though it had none in effect in between: numbers_end is as far as it may go."""
    left, before = data, 0
    for number in range(4):
        new = tmp_path / f"new-{number}"
        rescued(new, left)
        store = stored(new, CAROL)
        assert before < store.number_max <= numbers_end(store.last_in_effect[CAROL]) - 10_000
        left, before = new, store.number_max


def test_what_became_of_a_sites_events_is_told_in_the_new_cluster_e2(data: Path, new: Path) -> None:
    """bob/5 is unknown, and accepted at alice alone; carol/1 was not created, carol/3 lost."""
    rescued(new, data / "bob", data / "carol")

    def outcomes(site: SiteId) -> list[tuple[int, EventState, int | None]]:
        with read_outside(new / site) as outside:
            return [(row.number, row.state, row.slot) for row in outside.reader.events(None, 100)]

    assert outcomes(ALICE) == [(1, EventState.CREATED, 1), (2, EventState.CREATED, 5), (3, EventState.CREATED, 6)]
    assert outcomes(BOB) == [
        (1, EventState.CREATED, 2),
        (2, EventState.NOT_CREATED, None),
        (3, EventState.CREATED, 9),
        (4, EventState.CREATED, 10),
        (5, EventState.NOT_CREATED, None),
    ]
    assert outcomes(CAROL) == [(1, EventState.NOT_CREATED, 4), (2, EventState.CREATED, 4), (3, EventState.LOST, 6)]
    assert stored(new, BOB).open_events == ()


def test_an_open_event_that_is_taken_over_is_created_e2(data: Path, new: Path) -> None:
    rescued(new, data / "alice", data / "bob")
    with read_outside(new / "bob") as outside:
        [event] = outside.reader.events([5], 1)
    assert (event.state, event.slot) == (EventState.CREATED, 11)


def test_the_old_stores_are_not_touched(data: Path, tmp_path: Path, new: Path) -> None:
    back_up(data / "bob", tmp_path / "bob.backup", lambda *_: None)

    def all_bytes() -> dict[str, str]:
        files = (path for path in [*data.rglob("*"), tmp_path / "bob.backup"] if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = all_bytes()
    rescued(new, data / "carol", data / "alice", tmp_path / "bob.backup")
    assert all_bytes() == before


def test_slots_that_were_promised_and_no_more_are_not_in_the_new_log(data: Path) -> None:
    with closing(open_beside(data / "carol", CAROL)) as store:
        store.commit([WriteVote(Slot(20), Slot(20), promised(9, BOB)), WriteRound(Round(9))])
    assert surveyed(data / "carol").slots == 10


def test_a_store_that_the_log_admitted_goes_on_as_the_new_one_m3_m4(
    tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No-ops let the change take effect: of the slots before it nobody here could vote as the life that had them."""
    for module in ("storage.audit.lists", "storage.audit.replays"):
        monkeypatch.setattr(f"{module}.CHANGE_LAG", 4)
    life = StoreId("00112233445566ff")
    with closing(open_beside(tmp_path / "alice", ALICE)) as store:
        store.commit([learn(1, entry(ALICE, 1, 0, Readmit(BOB, life)))])
    findings = rescued(new, tmp_path / "alice")
    assert (findings.slots, findings.filled) == (4, 3)
    assert log_of(new / "carol")[1:] == [NOOP] * 3
    assert stored(new, BOB).life == life
    assert stored(new, ALICE).peers[BOB].life == life
    assert [change.slot for change in stored(new, CAROL).changes] == [1]
    assert audit([new]).violations == ()


def test_a_store_that_the_log_replaced_counts_as_lost_m4(data: Path) -> None:
    """It voted once, and comes back from the repair shop."""
    readmit = entry(ALICE, 4, 3, Readmit(CAROL, StoreId("00112233445566ff")))
    with closing(open_beside(data / "alice", ALICE)) as store:
        store.commit([learn(11, readmit)])
    findings = surveyed(data / "alice", data / "carol")
    assert (findings.lost, findings.missing_from) == ((BOB, CAROL), 12)


@pytest.fixture
def grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("storage.audit.lists", "storage.audit.replays"):
        monkeypatch.setattr(f"{module}.CHANGE_LAG", 1)
    return make_grown(tmp_path)


def test_the_new_cluster_has_the_sites_that_the_log_ends_with_m1(grown: Path, new: Path) -> None:
    findings = rescued(new, grown)
    assert findings.sites == (ALICE, CAROL, DAVE, ERIN)
    assert sorted(path.name for path in new.iterdir()) == ["alice", "carol", "dave", "erin"]
    standings = [stored(new, site).standing for site in findings.sites]
    assert standings == [Standing.ADMITTED, Standing.LEARNER, Standing.READMITTED, Standing.READMITTED]
    assert (stored(new, DAVE).life, stored(new, ERIN).life) == GROWN_LIVES
    assert log_of(new / "erin") == log_of(grown)
    assert audit([new]).violations == ()


def test_what_may_be_missing_is_judged_by_those_who_vote_m1(grown: Path, tmp_path: Path) -> None:
    """alice and bob were two of the first three; of those who vote at the end, alice alone is here beside dave."""
    findings = surveyed(grown)
    assert (findings.voters, findings.lost, findings.missing_from) == ((ALICE, DAVE, ERIN), (ALICE, ERIN), 8)
    shutil.copytree(grown, tmp_path / "erin")
    with Planter(tmp_path / "erin") as planter:
        planter.change_meta(site="erin", life=GROWN_LIVES[1])
    findings = surveyed(grown, tmp_path / "erin")
    assert (findings.lost, findings.missing_from) == ((ALICE,), None)


def test_many_pages_are_taken_and_told(tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.rescue.survey.PAGE_SLOTS", 7)
    entries = [tweet((ALICE, BOB)[number % 2], number // 2 + 1) for number in range(100)]
    with closing(open_beside(tmp_path / "alice", ALICE)) as store:
        store.commit(settle(1, *entries))
    said: list[tuple[str, int, int]] = []
    new.mkdir()
    with read_witnesses([tmp_path]) as witnesses:
        findings = survey(witnesses, AT_MS, lambda *told: said.append(told))
        found(new, NEW, witnesses, findings, lambda *told: said.append(told))
    assert log_of(new / "carol") == entries
    assert audit([new]).violations == ()
    assert said[0] == ("reading", 0, 100)
    assert said[-1] == ("writing", 100, 100)
    publish(new, tmp_path / "published")
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == sorted(NAMES)
