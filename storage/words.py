"""An index of what the log says, beside the store: it tells which slots may hold some words, so that not all are read.

Rules that hold here:
- It is no part of the store, and nothing rests on it: a commit does not touch it, a backup lacks it, whoever deletes it
  loses nothing. What fails here ends it for this process, and the log is read instead.
- It grows by what was looked at: whoever searches reads what no one looked at yet, and hands it in.
- It may name slots that do not hold the words, and leaves out none that does: who asks looks at each.
- It is of one life of the store (D5). What is in the prefix does not change (R1, R2): what was handed in stays right.
- A text is its trigrams: any three characters that follow each other. So words of any language are found, and parts of
  words; what is shorter is not narrowed down.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, cast

import apsw

from engine.core.ids import Slot, StoreId

FILE: Final = "search.db"
SCHEMA_VERSION: Final = 1
TRIGRAMS_MAX: Final = 32
"""So many of what is looked for are compared; they leave few slots."""

_TABLES: Final = """\
CREATE TABLE meta (life TEXT NOT NULL);
CREATE TABLE spans (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE VIRTUAL TABLE texts USING fts5(
  text, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1'
);
"""
_FIND: Final = "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?"

_log = logging.getLogger(__name__)


class WordFile:
    """Implements `engine.runtime.searching.WordIndex`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the site's, locked by this process."""
        self._path = folder / FILE
        self._db: apsw.Connection | None = None
        self._firsts: list[Slot] = []
        self._lasts: list[Slot] = []

    def begin(self, life: StoreId) -> None:
        """Goes on with what was indexed of this life, else begins anew."""
        with self._attempt():
            db = self._db = self._kept(life) or self._made(life)
            for first, last in db.execute("SELECT first, last FROM spans ORDER BY first").fetchall():
                if not (isinstance(first, int) and isinstance(last, int)):
                    raise apsw.CorruptError("a span of slots is not two numbers")
                self._firsts.append(Slot(first))
                self._lasts.append(Slot(last))

    def begin_of(self, slot: Slot) -> Slot | None:
        """From where on all up to `slot` is indexed; None where `slot` is not."""
        place = bisect_right(self._firsts, slot) - 1
        return self._firsts[place] if place >= 0 and slot <= self._lasts[place] else None

    def end_below(self, slot: Slot) -> Slot:
        """The last slot below this one that is indexed; 0 if none is."""
        place = bisect_right(self._firsts, slot - 1) - 1
        return Slot(min(slot - 1, self._lasts[place])) if place >= 0 else Slot(0)

    def add(self, first: Slot, last: Slot, texts: Iterable[tuple[Slot, str]]) -> None:
        """What the slots from `first` to `last` say, ascending: none of them is indexed yet, all are in the prefix."""
        with self._attempt() as db:
            if db is None:
                return
            above = self._firsts.index(Slot(last + 1)) if self.begin_of(Slot(last + 1)) is not None else None
            end = last if above is None else self._lasts[above]
            begin = self.begin_of(Slot(first - 1)) or first
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", texts)
            db.execute("DELETE FROM spans WHERE first = ?", (last + 1,))
            db.execute("REPLACE INTO spans (first, last) VALUES (?, ?)", (begin, end))
            db.execute("COMMIT")
            self._join(begin, end)

    def find(self, words: Sequence[str], first: Slot, last: Slot, limit: int) -> list[Slot] | None:
        """The newest `limit` slots from `first` to `last`, all indexed, that may hold all of `words`, ascending; None
        where that cannot be told."""
        trigrams = list(dict.fromkeys(trigram for word in words for trigram in _trigrams(word)))[:TRIGRAMS_MAX]
        with self._attempt() as db:
            if db is not None and trigrams:
                found = db.execute(_FIND, (" AND ".join(map(_quoted, trigrams)), first, last, limit)).fetchall()
                return [Slot(cast("int", slot)) for (slot,) in reversed(found)]
        return None

    def close(self) -> None:
        """May be called again."""
        if self._db is not None:
            with suppress(apsw.Error):
                self._db.close(True)
        self._db = None
        self._firsts, self._lasts = [], []

    def _join(self, begin: Slot, end: Slot) -> None:
        """Its spans are one from now on, from `begin` to `end`."""
        kept = [span for span in zip(self._firsts, self._lasts, strict=True) if not begin <= span[0] <= end]
        spans = sorted([*kept, (begin, end)])
        self._firsts, self._lasts = [first for first, _ in spans], [last for _, last in spans]

    @contextmanager
    def _attempt(self) -> Iterator[apsw.Connection | None]:
        """A failure ends the index, and is no failure of the site. A damaged one is made anew at the next start."""
        try:
            yield self._db
        except (apsw.Error, OSError) as error:
            _log.warning("%s: the search index cannot be used (%s): the log is read instead", self._path, error)
            self.close()
            if isinstance(error, apsw.CorruptError | apsw.NotADBError | apsw.SQLError):
                with suppress(OSError):
                    self._delete()

    def _kept(self, life: StoreId) -> apsw.Connection | None:
        """What is there, if it is an index of this life."""
        db = self._opened()
        with suppress(apsw.CorruptError, apsw.NotADBError, apsw.SQLError):
            of = db.execute("SELECT life FROM meta").fetchall() if db.pragma("user_version") == SCHEMA_VERSION else []
            if of == [(life,)]:
                return _begun(db)
        db.close(True)
        return None

    def _made(self, life: StoreId) -> apsw.Connection:
        self._delete()
        db = _begun(self._opened())
        db.execute("BEGIN IMMEDIATE")
        db.execute(_TABLES)
        db.execute("INSERT INTO meta (life) VALUES (?)", (life,))
        db.pragma("user_version", SCHEMA_VERSION)
        db.execute("COMMIT")
        return db

    def _opened(self) -> apsw.Connection:
        db = apsw.Connection(str(self._path))
        db.pragma("locking_mode", "EXCLUSIVE")  # the site's folder is locked: nobody else has it
        return db

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(f"{FILE}{suffix}").unlink(missing_ok=True)


def _begun(db: apsw.Connection) -> apsw.Connection:
    db.pragma("journal_mode", "WAL")
    db.pragma("synchronous", "NORMAL")
    return db


def _trigrams(word: str) -> Iterator[str]:
    return (word[at : at + 3] for at in range(len(word) - 2))


def _quoted(trigram: str) -> str:
    return '"' + trigram.replace('"', '""') + '"'
