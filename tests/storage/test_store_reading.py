"""A store is read by people while the site runs, and a start and a page cost the same however long the log is."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from engine.core.entry import NOOP, Block, Entry, Stamped, encode
from engine.core.ids import NUMBER_MAX, Slot
from engine.core.storage import EventState, Vote, Write, WriteVote
from storage.reader import Reader
from storage.rows import TABLES
from storage.sqlite import SqliteStorage
from tests.storage.samples import (
    ALICE,
    AT_MS,
    BOB,
    CAROL,
    a_row_in_each_table,
    accepted,
    apply,
    apply_void,
    ballot,
    event,
    learn,
    open_sample,
    promised,
    settle,
    settle_voted,
    tweet,
    vote,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStorage]:
    with closing(open_sample(tmp_path)) as store:
        store.load()
        yield store


def ask(database: Path, sql: str) -> list[str]:
    """What the sqlite3 tool prints, from a process of its own, as a person would run it."""
    tool = shutil.which("sqlite3")
    if tool is None:
        pytest.skip("the sqlite3 tool is not installed here")
    run = subprocess.run([tool, "-readonly", str(database), sql], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_people_read_the_log_with_the_sqlite3_tool_while_the_site_runs(tmp_path: Path, store: SqliteStorage) -> None:
    lunch = tweet(BOB, 1, "lunch | at noon?")
    block = Entry(BOB, 2, 1, encode(Stamped(Block(ALICE), AT_MS)))
    store.commit(
        [
            *settle_voted(1, lunch, accepted(0, lunch, BOB)),
            *settle_voted(2, NOOP, accepted(1, tweet(CAROL, 1, "me too"))),
            *settle(3, block),
            learn(4, tweet(CAROL, 9)),
            apply_void(4),
            learn(6, tweet(ALICE, 1)),
            vote(7, accepted(12, NOOP, CAROL)),
            vote(8, promised(3, BOB)),
            WriteVote(Slot(9), Slot(10), promised(4, BOB)),
            vote(11, Vote(ballot(5), ballot(2), (tweet(CAROL, 2), NOOP))),
            learn(12, tweet(CAROL, 2)),
        ]
    )
    database = tmp_path / "site.db"
    at = "2026-11-21T12:00:00.123Z"
    assert ask(database, "SELECT * FROM log") == [
        f"1|chosen|tweet|bob|bob/1|{at}|lunch | at noon?|",
        "2|chosen|noop|||||",
        f"3|chosen|block|bob|bob/2|{at}||alice",
        f"4|chosen|void|carol|carol/9|{at}|deploy is green|",
        f"6|chosen|tweet|alice|alice/1|{at}|deploy is green|",
        "7|accepted|noop|||||",
        "8|promised||||||",
        "9|promised||||||",
        "10|promised||||||",
        f"11|accepted|tweet|carol|carol/2|{at}|deploy is green|",
        f"12|chosen|tweet|carol|carol/2|{at}|deploy is green|",
    ]
    assert ask(database, "SELECT * FROM acceptor WHERE slot NOT IN (3, 4, 6)") == [
        f"1|0.bob|0.bob|bob/1 tweet {AT_MS} lunch | at noon?",
        f"2|1.alice|1.alice|carol/1 tweet {AT_MS} me too",
        "7|12.carol|12.carol|noop",
        "8|3.bob||",
        "9|4.bob||",
        "10|4.bob||",
        f"11|5.alice|2.alice|carol/2 tweet {AT_MS} deploy is green",
        "12|5.alice|2.alice|noop",
    ]
    assert ask(database, "SELECT * FROM timeline") == [f"1|bob|{at}|lunch | at noon?"]
    assert ask(database, "SELECT site, cluster, sites, prefix, commit_number FROM meta") == [
        "alice|paxos-island|alice bob carol|4|1"
    ]
    assert store.commit(settle(5, NOOP)) == 2
    assert ask(database, "SELECT max(last), count(*) FROM slots") == ["12|11"]
    assert ask(database, "PRAGMA integrity_check") == ["ok"]


def test_a_reader_does_not_hold_the_site_up(tmp_path: Path, store: SqliteStorage) -> None:
    """It keeps its snapshot for as long as it likes, over checkpoints too."""
    store.commit(settle(1, NOOP))
    with closing(apsw.Connection(str(tmp_path / "site.db"), flags=apsw.SQLITE_OPEN_READONLY)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM slots").get == 1
        for slot in range(2, 1_000):
            store.commit(settle(slot, NOOP))
        assert other.execute("SELECT count(*) FROM slots").get == 1
        other.execute("ROLLBACK")
        assert other.execute("SELECT count(*) FROM slots").get == 999


def test_the_write_ahead_log_starts_over(tmp_path: Path, store: SqliteStorage) -> None:
    for slot in range(1, 1_500):
        store.commit(settle(slot, tweet(BOB, slot, "x" * 280)))
    assert (tmp_path / "site.db-wal").stat().st_size < 6 * 2**20


def test_the_tables_have_the_columns_that_rows_are_written_by(tmp_path: Path, store: SqliteStorage) -> None:
    store.close()
    with closing(sqlite3.connect(tmp_path / "site.db")) as database:
        for table in TABLES:
            described = database.execute(f"PRAGMA table_info({table.name})").fetchall()
            assert tuple(name for _, name, *_ in described) == (*table.columns, "checksum")
            key = sorted((place, name) for _, name, _, _, _, place in described if place)
            assert tuple(name for _, name in key) == table.key
        tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        assert {name for (name,) in tables} == {table.name for table in TABLES}


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda reader: reader.tail(), id="start"),
        pytest.param(lambda reader: reader.learned(Slot(50), Slot(60), 1_000), id="learned"),
        pytest.param(lambda reader: reader.log_rows(Slot(50), Slot(60)), id="log rows"),
        pytest.param(lambda reader: reader.texts(Slot(50), Slot(60)), id="texts"),
        pytest.param(lambda reader: reader.timeline(frozenset({ALICE}), 10, None), id="timeline"),
        pytest.param(lambda reader: reader.timeline(frozenset({ALICE}), 10, Slot(90)), id="timeline further up"),
        pytest.param(lambda reader: reader.timeline_count(frozenset({ALICE})), id="count"),
        pytest.param(lambda reader: reader.events(None, 10), id="newest events"),
        pytest.param(lambda reader: reader.events([6], 10), id="an event"),
        pytest.param(lambda reader: reader.scrub(Slot(10), 10), id="check"),
    ],
)
def test_no_read_walks_the_log(tmp_path: Path, store: SqliteStorage, read: Callable[[Reader], Any]) -> None:
    """Its work, counted in the steps of SQLite's machine, is the same over a log more than eight times as long that
    goes as far beyond the last whole part of the timeline."""

    def grow(first: int, last: int) -> None:
        writes: list[Write] = []
        for slot in range(first, last + 1):
            writes.extend(settle(slot, tweet((ALICE, BOB, CAROL)[slot % 3], slot)))
            if slot % 3 == 0:
                writes.append(event(slot, EventState.CREATED, slot))
        store.commit(writes)

    grow(1, 612)
    before = steps(tmp_path, read)
    grow(613, 5_220)
    assert 20 < steps(tmp_path, read) <= before + 10


def steps(folder: Path, read: Callable[[Reader], Any]) -> int:
    """How many steps SQLite's machine takes."""
    with closing(apsw.Connection(str(folder / "site.db"))) as db:
        taken = 0

        def step() -> bool:
            nonlocal taken
            taken += 1
            return False

        reader = Reader(db, folder / "site.db")
        reader.meta()  # the schema is read now
        db.set_progress_handler(step, 1)
        read(reader)
        return taken


def test_who_hides_all_others_finds_an_author_who_was_silent_for_long(tmp_path: Path, store: SqliteStorage) -> None:
    """What the others wrote meanwhile is passed over, not read."""
    store.commit(settle(1, tweet(CAROL, 1)))
    for first in range(2, 20_002, 200):
        store.commit(settle(first, *(tweet(BOB, number) for number in range(first, first + 200))))
    found = []
    assert steps(tmp_path, lambda reader: found.extend(reader.timeline(frozenset({BOB}), 10, None))) < 1_000
    assert [row.learned for row in found] == [tweet(CAROL, 1)]


def test_one_commit_or_many_leave_the_same_store(tmp_path: Path) -> None:
    """However the writes of a run are divided into commits, rows collapse to the same in the end."""
    random = Random(5)
    runs = [*a_row_in_each_table()]
    for slot in range(4, 30):
        if slot == 5:
            runs.append(apply(5, tweet(BOB, 2)))
            continue
        entry = tweet(BOB, slot) if random.random() < 0.7 else NOOP
        runs.extend([vote(slot, accepted(random.randrange(5), entry)), *settle(slot, entry)])
        if random.random() < 0.5:
            runs.append(vote(slot + 100, accepted(slot, entry)))
    seen = []
    for name, size in (("one", len(runs)), ("some", 7), ("many", 1)):
        with closing(open_sample(tmp_path / name)) as store:
            for start in range(0, len(runs), size):
                store.commit(runs[start : start + size])
        with closing(open_sample(tmp_path / name)) as store:
            stored = store.load()
            assert store.scrub(Slot(0), 10_000) is None
            seen.append(
                (
                    [getattr(stored, name) for name in ("prefix", "used_max", "votes", "ahead", "ranges", "blocks")],
                    [getattr(stored, name) for name in ("last_in_effect", "open_events", "peers", "number_max")],
                    store.log_rows(Slot(1), Slot(NUMBER_MAX)),
                    store.timeline(frozenset(), 10_000, None),
                    store.timeline_count(frozenset({ALICE})),
                )
            )
    assert seen[0] == seen[1] == seen[2]
