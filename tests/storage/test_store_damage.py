"""D3: damage is refused by name: never skipped, never truncated away, never answered with less than there was."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from engine.core.entry import NOOP
from engine.core.ids import NUMBER_MAX, Round, Slot
from engine.core.storage import (
    StoreDamaged,
    StoreError,
    Vote,
    Write,
    WriteRound,
)
from storage.rows import TABLES
from storage.sqlite import SqliteStorage
from tests.storage.samples import (
    ALICE,
    BOB,
    CAROL,
    a_part_of_tweets,
    a_row_in_each_table,
    accepted,
    ballot,
    open_sample,
    promised,
    settle,
    tweet,
    vote,
)

FLIPS: Final = 300
PAGE_BYTES: Final = 4_096


def seen(store: SqliteStorage) -> object:
    """All that a store can be asked for, after a full check."""
    after: Slot | None = Slot(0)
    while after is not None:
        after = store.scrub(after, 3)
    stored = store.load()
    hidden: tuple[tuple[Any, ...], ...] = ((), (ALICE,), (BOB, CAROL))
    return (
        stored,
        store.learned(Slot(1), stored.prefix, 1_000_000),
        store.log_rows(Slot(1), Slot(NUMBER_MAX)),
        [(store.timeline(frozenset(them), 1_000, None), store.timeline_count(frozenset(them))) for them in hidden],
        store.events(None, 1_000),
    )


def seen_in(folder: Path) -> object:
    with closing(open_sample(folder)) as store:
        return seen(store)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a closed store with a row or more in each table; every second slot ends a part of the prefix."""
    monkeypatch.setattr("storage.tweeted.PART_SLOTS", 2)
    folder = tmp_path / "site"
    with closing(open_sample(folder)) as store:
        store.commit(a_row_in_each_table())
    return folder


def alter(folder: Path, sql: str, values: tuple[Any, ...] = ()) -> None:
    """As another program would do to the closed store, knowing nothing of checksums."""
    with closing(sqlite3.connect(folder / "site.db", isolation_level=None)) as database:
        assert database.execute(sql, values).rowcount == 1


def sum_up(folder: Path, table: str) -> None:
    """The rows' checksums are right: it was written so."""
    [rewritten] = [each for each in TABLES if each.name == table]
    with closing(sqlite3.connect(folder / "site.db")) as db:
        for *values, _ in db.execute(f"SELECT {rewritten.selected} FROM {table}").fetchall():
            where = " AND ".join(f"{column} = ?" for column in rewritten.key)
            db.execute(
                f"UPDATE {table} SET checksum = ? WHERE {where}",
                (rewritten.checksum(values), *rewritten.key_of(tuple(values))),
            )
        db.commit()


@pytest.mark.parametrize(
    ("table", "column"), [(table.name, column) for table in TABLES for column in (*table.columns, "checksum")]
)
def test_a_changed_value_is_refused_by_table_key_and_file_d3(folder: Path, table: str, column: str) -> None:
    """Every column of every row, its key included."""
    with closing(sqlite3.connect(folder / "site.db")) as database:
        types = {name: kind for _, name, kind, *_ in database.execute(f"PRAGMA table_info({table})")}
        keys = next(each.key for each in TABLES if each.name == table)
        found = database.execute(f"SELECT {', '.join(keys)} FROM {table}").fetchall()
    assert found
    value = f"coalesce({column}, 0) + 1000" if types[column] == "INTEGER" else f"coalesce({column}, '') || 'x'"
    for key in found:
        copy = shutil.copytree(folder, folder.with_name(f"copy of {'-'.join(map(str, key))}"))
        where = " AND ".join(f"{name} = '{part}'" for name, part in zip(keys, key, strict=True))
        alter(copy, f"UPDATE {table} SET {column} = {value} WHERE {where}")
        with pytest.raises(StoreDamaged, match=re.escape(f"{copy / 'site.db'}: table ")) as damage:
            seen_in(copy)
        if column not in keys:
            named = ", ".join(f"{name} {part}" for name, part in zip(keys, key, strict=True))
            assert f"table {table}, {named}: does not match its checksum" in str(damage.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("slots WHERE first = 1", "table slots, slot 1: the row is gone"),
        ("slots WHERE first = 3", "table slots, slot 3: the row is gone"),
        ("slots WHERE first = 4", "a row is gone"),
        ("slots WHERE first = 5", "a row is gone"),
        ("slots WHERE first = 6", "a row is gone"),
        ("ahead", "a row is gone"),
        ("ranges", "a row is gone"),
        ("blocks", "a row is gone"),
        ("tweeted", "table tweeted, through 2: the row is gone"),
        ("authors WHERE author = 'bob'", "author bob: no tweet is said to be above 0; slot 3 has one"),
        ("events WHERE first = 2", "a row is gone"),
        ("peers", "a row is gone"),
        ("meta", "table meta has 0 rows"),
    ],
)
def test_a_lost_row_is_noticed_d3(folder: Path, row: str, says: str) -> None:
    """No checksum of a row sees that; a lost vote would let this site vote twice (A2)."""
    alter(folder, f"DELETE FROM {row}")
    with pytest.raises(StoreDamaged, match=says):
        seen_in(folder)


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda store: store.learned(Slot(1), Slot(8), 1_000_000), id="learned over it"),
        pytest.param(lambda store: store.learned(Slot(5), Slot(5), 1), id="learned there"),
        pytest.param(lambda store: store.learned(Slot(5), Slot(8), 1), id="learned from it"),
        pytest.param(lambda store: store.log_rows(Slot(1), Slot(8)), id="rows over it"),
        pytest.param(lambda store: store.log_rows(Slot(5), Slot(5)), id="rows there"),
        pytest.param(lambda store: store.scrub(Slot(0), 100), id="check over it"),
        pytest.param(lambda store: store.scrub(Slot(3), 2), id="check to behind it"),
        pytest.param(lambda store: store.scrub(Slot(4), 1), id="check from it"),
    ],
)
def test_a_gap_in_the_prefix_is_noticed_by_whoever_reads_there_d3(
    tmp_path: Path, read: Callable[[SqliteStorage], object]
) -> None:
    with closing(open_sample(tmp_path)) as store:
        for slot in range(1, 9):
            store.commit(settle(slot, NOOP))
    alter(tmp_path, "DELETE FROM slots WHERE first = 5")
    with closing(open_sample(tmp_path)) as store:
        assert store.load().prefix == 8
        assert [slot for run in store.learned(Slot(6), Slot(8), 100) for slot, _ in run] == [6, 7, 8]
        with pytest.raises(StoreDamaged, match="table slots, slot 5: the row is gone"):
            read(store)


@pytest.mark.parametrize(
    ("row", "before", "after", "says"),
    [
        pytest.param(
            "slots",
            [vote(1, promised(1))],
            [vote(1, accepted(2, tweet(ALICE, 1)))],
            "or an old one came back",
            id="a vote (A2)",
        ),
        pytest.param(
            "slots WHERE first = 1",
            [vote(1, promised(1))],
            settle(1, NOOP),
            "table slots, first 1: promised, but the prefix is 1",
            id="a slot of the prefix",
        ),
        pytest.param(
            "meta",
            [vote(1, promised(1))],
            settle(1, NOOP),
            "or an old one came back",
            id="the state of the store",
        ),
    ],
)
def test_an_old_row_that_came_back_is_noticed_d3(
    tmp_path: Path, row: str, before: list[Write], after: list[Write], says: str
) -> None:
    """As after a write that the disk acknowledged and lost: the old row is sound in itself."""
    with closing(open_sample(tmp_path)) as store:
        store.commit(before)
    with closing(sqlite3.connect(tmp_path / "site.db")) as database:
        (old,) = database.execute(f"SELECT * FROM {row}").fetchall()
    with closing(open_sample(tmp_path)) as store:
        store.commit(after)
    alter(tmp_path, f"REPLACE INTO {row.split(maxsplit=1)[0]} VALUES ({', '.join('?' * len(old))})", old)
    with pytest.raises(StoreDamaged, match=says):
        seen_in(tmp_path)


def test_an_old_row_of_the_prefix_that_came_back_is_noticed_by_the_paced_check_d3(tmp_path: Path) -> None:
    """It is sound in itself, and has entries: they were accepted there, and are not what was learned (R1)."""
    with closing(open_sample(tmp_path)) as store:
        store.commit(settle(1, NOOP))
        store.commit([vote(2, accepted(1, tweet(BOB, 1, "as it was first accepted")))])
    with closing(sqlite3.connect(tmp_path / "site.db")) as database:
        (old,) = database.execute("SELECT * FROM slots WHERE first = 2").fetchall()
    with closing(open_sample(tmp_path)) as store:
        store.commit([vote(2, accepted(2, tweet(BOB, 1))), *settle(2, tweet(BOB, 1))])
        for slot in range(3, 10):
            store.commit(settle(slot, NOOP))
        store.commit([vote(10, promised(3))])
        seen(store)
    alter(tmp_path, f"REPLACE INTO slots VALUES ({', '.join('?' * len(old))})", old)
    with closing(open_sample(tmp_path)) as store:
        store.load()
        with pytest.raises(StoreDamaged, match="an old row came back among slots 1 to 9"):
            seen(store)


def test_the_paced_check_goes_on_while_the_site_does_d3(tmp_path: Path) -> None:
    """Between its steps the prefix grows, through rows that it has passed already too."""
    with closing(open_sample(tmp_path)) as store:
        run = Vote(ballot(1), ballot(1), tuple(tweet(BOB, number) for number in range(1, 7)))
        store.commit([vote(1, run), vote(7, promised(1)), vote(8, promised(1))])
        store.commit(settle(1, *run.entries[:2]))
        after: Slot | None = Slot(0)
        slot = 3
        while after is not None:
            after = store.scrub(after, 1)
            if slot < 12:
                store.commit(settle(slot, tweet(BOB, slot)))
                slot += 1
        seen(store)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("tweeted SET authors = 'alice' WHERE through = 256", "table tweeted, through 256: does not name bob"),
        (
            "authors SET newest = 1 WHERE author = 'alice'",
            "table authors, author alice: no tweet is said to be above 1",
        ),
    ],
)
def test_a_summary_that_hides_a_tweet_is_found_by_the_paced_check_d3(tmp_path: Path, change: str, says: str) -> None:
    with closing(open_sample(tmp_path)) as store:
        store.commit(a_part_of_tweets(1, 260))
    alter(tmp_path, f"UPDATE {change}")
    sum_up(tmp_path, change.split(maxsplit=1)[0])
    with closing(open_sample(tmp_path)) as store, pytest.raises(StoreDamaged, match=says):
        store.scrub(Slot(0), 1_000)


@pytest.mark.parametrize(("table", "key"), [("slots", "first 0"), ("events", "first 0")])
def test_rows_out_of_their_order_are_noticed_and_the_check_comes_to_its_end_d3(
    folder: Path, table: str, key: str
) -> None:
    """All rows of a page say that they are number 0, so that SQLite finds them behind any number."""
    with closing(sqlite3.connect(folder / "site.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchall()
        ((rows,),) = database.execute(f"SELECT count(*) FROM {table}").fetchall()
    content = bytearray((folder / "site.db").read_bytes())
    begin = (page - 1) * PAGE_BYTES
    assert content[begin] == 0x0D, "one leaf holds the table"
    for row in range(rows):
        at = begin + int.from_bytes(content[begin + 8 + 2 * row : begin + 10 + 2 * row])
        at += 2 if content[at] & 0x80 else 1  # behind the length of the row stands its key
        content[at] = 0
    (folder / "site.db").write_bytes(content)
    with closing(open_sample(folder)) as store, pytest.raises(StoreDamaged, match=f"table {table}, {key}: it stands"):
        store.scrub(Slot(0), rows)


@pytest.mark.parametrize("table", ["slots", "events"])
def test_a_row_without_its_end_is_refused_by_name_d3(folder: Path, table: str) -> None:
    """SQLite takes a byte of a row for what it says its kind is, whatever the tables allow."""
    with closing(sqlite3.connect(folder / "site.db")) as database:
        database.execute("PRAGMA writable_schema = ON")
        allowed = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?"
        database.execute(allowed, ("last INTEGER NOT NULL", "last INTEGER", table))
        database.commit()
    alter(folder, f"UPDATE {table} SET last = NULL WHERE first = 2")
    with closing(sqlite3.connect(folder / "site.db")) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute(allowed, ("last INTEGER", "last INTEGER NOT NULL", table))
        database.commit()
    says = f"table {table}, first 2: "
    with closing(open_sample(folder)) as store:
        with pytest.raises(StoreDamaged, match=f"{says}last is not a number"):
            store.scrub(Slot(0), 10)
        with pytest.raises(StoreDamaged, match=says):
            store.events(None, 10) if table == "events" else store.log_rows(Slot(1), Slot(3))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            "slots SET entries = CAST(x'ff41' AS TEXT) WHERE first = 3",
            "table slots, first 3: holds text that is not UTF-8",
        ),
        ("peers SET life = CAST(x'c3' AS TEXT)", "table peers, site bob: holds text that is not UTF-8"),
    ],
)
def test_text_that_is_no_text_is_refused_by_row_d3(folder: Path, row: str, says: str) -> None:
    alter(folder, f"UPDATE {row}")
    with pytest.raises(StoreDamaged, match=says):
        seen_in(folder)


def test_a_start_reads_nothing_of_the_prefix_but_its_end_d3(folder: Path) -> None:
    """Damage further down is found when it is read, or by the paced check."""
    alter(folder, "UPDATE slots SET entries = 'x' WHERE first = 1")
    with closing(open_sample(folder)) as store:
        assert store.load().prefix == 3
        assert store.log_rows(Slot(2), Slot(3))
        with pytest.raises(StoreDamaged, match="table slots, first 1: does not match its checksum"):
            store.log_rows(Slot(1), Slot(3))
        with pytest.raises(StoreDamaged, match="table slots, first 1: does not match its checksum"):
            store.scrub(Slot(0), 10)


def test_changed_tables_are_refused_d3(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "site.db")) as database:
        database.execute("DROP INDEX open_events")
    with pytest.raises(StoreDamaged, match="its tables are not those of store version 4"):
        open_sample(folder)


def test_a_flipped_byte_anywhere_in_the_database_is_refused_or_harmless_d3(folder: Path) -> None:
    """Page headers, keys, indexes, the schema: the store refuses, or shows exactly what it showed before."""
    expected = seen_in(folder)
    content = (folder / "site.db").read_bytes()
    used = [offset for offset, byte in enumerate(content) if byte]
    random = Random(3)
    refused = 0
    for _ in range(FLIPS):
        offset = random.choice(used)
        damaged = bytearray(content)
        damaged[offset] ^= random.randrange(1, 256)
        (folder / "site.db").write_bytes(damaged)
        try:
            assert seen_in(folder) == expected, offset
        except StoreError:
            refused += 1
        for rest in ("site.db-wal", "site.db-shm"):
            (folder / rest).unlink(missing_ok=True)
    assert FLIPS // 4 < refused < FLIPS


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """The folder of a store whose process ended with ten commits in the write-ahead log alone."""
    with closing(open_sample(tmp_path / "site")) as store:
        for number in range(1, 11):
            store.commit([vote(number, accepted(number, tweet(ALICE, number)))])
        return Path(shutil.copytree(tmp_path / "site", tmp_path / "crashed"))


def test_a_flipped_byte_in_the_log_takes_no_acknowledged_commit_away_d3(crashed: Path) -> None:
    """SQLite alone would go back to the commit before. Only the last commit can look as if the crash had torn it."""
    log = crashed / "site.db-wal"
    content = log.read_bytes()
    random = Random(4)
    refused = torn = 0
    for _ in range(FLIPS // 3):
        copy = Path(shutil.copytree(crashed, crashed.with_name("copy"), dirs_exist_ok=True))
        damaged = bytearray(content)
        damaged[random.randrange(len(content))] ^= random.randrange(1, 256)
        (copy / log.name).write_bytes(damaged)
        try:
            with closing(open_sample(copy)) as store:
                commit = store.load().commit
        except StoreDamaged:
            refused += 1
            assert (copy / log.name).read_bytes() == damaged
        else:
            assert commit in {9, 10}
            torn += commit == 9
        (copy / "site.db-shm").unlink(missing_ok=True)
    assert refused > 50
    assert torn > 0


@pytest.mark.parametrize(
    ("offset", "says"),
    [
        (3, "the header is damaged"),
        (10, "the header is damaged"),
        (17, "the header is damaged"),
        (31, "the header is damaged"),
        (5_000, "which ends a commit that was acknowledged"),
    ],
)
def test_a_damaged_log_is_refused_again_and_again_d3(crashed: Path, offset: int, says: str) -> None:
    log = crashed / "site.db-wal"
    damaged = bytearray(log.read_bytes())
    damaged[offset] ^= 1
    log.write_bytes(damaged)
    for _ in range(3):
        with pytest.raises(StoreDamaged, match=re.escape(f"{log}: ") + f".*{says}"):
            open_sample(crashed)
    assert log.read_bytes() == damaged


def test_a_sound_log_left_by_a_crash_is_taken_whole_d1(crashed: Path) -> None:
    with closing(open_sample(crashed)) as store:
        assert store.load().commit == 10
        assert (crashed / "site.db-wal").stat().st_size == 0
        store.commit([WriteRound(Round(1))])
    assert not (crashed / "site.db-wal").exists()


@pytest.mark.parametrize(
    ("table", "change", "names"),
    [
        (
            "slots",
            """entries = '[["bob",1,0,"tweet - hi"]]' WHERE first = 3""",
            "table slots, first 3.*'tweet - hi': the body of an entry is KIND AT_MS",
        ),
        (
            "slots",
            """entries = '[["bob",1,0,"tweet 1795262400123  hi"]]' WHERE first = 3""",
            "table slots, first 3.*is stored stripped",
        ),
        ("slots", """entries = '[["bob",1,0,"toot 1 hi"]]' WHERE first = 3""", "table slots, first 3"),
        ("slots", "entries = 'x' WHERE first = 3", "table slots, first 3"),
        ("slots", "void = '[7]' WHERE first = 3", "table slots, first 3"),
        ("slots", "promised = 'later'", "table slots, first "),
        ("events", """bodies = '["tweet -86400000 "]' WHERE first = 2""", "table events, first 2"),
        ("events", "state = 'who knows'", "table events, first "),
        ("meta", "standing = 'king'", "table meta"),
        ("meta", "round = 9223372036854775807", "table meta"),
        ("meta", "commit_number = 9007199254740993", "table meta"),
        ("meta", "number_max = -1", "table meta"),
        ("meta", "life = 'x'", "table meta"),
        ("slots", "promised = '9007199254740993.bob' WHERE first = 4", "table slots, first 4"),
        ("events", "slot = -1", "table events, first "),
        ("peers", "commit_number = -1", "table peers, site "),
        ("ranges", "first = 0", "table ranges, position "),
    ],
)
def test_w5_what_another_version_wrote_and_nobody_reads_is_refused_by_name(
    tmp_path: Path, table: str, change: str, names: str
) -> None:
    """The checksums are right: it was written so."""
    with closing(open_sample(tmp_path)) as store:
        store.commit(a_row_in_each_table())
    with closing(sqlite3.connect(tmp_path / "site.db")) as db:
        db.execute(f"UPDATE {table} SET {change}")
        db.commit()
    sum_up(tmp_path, table)
    with pytest.raises(StoreDamaged, match=f"{names}.*start the site with the version that ran here last"):
        seen_in(tmp_path)
