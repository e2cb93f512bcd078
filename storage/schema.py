"""The tables of a store, how a store comes into being, and how one is recognised.

Rules that hold here:
- A store is complete or not there: it is made under another name and renamed; files and folders are synced on the way.
- An empty or missing database where there was one is damage, never a reason to make another (D3, D5).
- A store records its cluster, its site and the sorted names of all sites; it is refused to any other, naming the
  difference (D4).
- Tables and views are for people too: the `sqlite3` tool reads them while the site runs.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from engine.core.ids import Round, SiteId, Slot, StoreId
from engine.core.storage import Standing, StoreDamaged, StoreForeign
from storage.errors import OWN_STORE, START_ANEW, START_ANEW_BESIDE_BACKUP, file_errors, sqlite_errors
from storage.rows import META, Meta, meta_values

APPLICATION_ID: Final = 0x4C6F6767  # "Logg", in the header where the `file` command looks for it
SCHEMA_VERSION: Final = 4

_TABLES: Final = """\
CREATE TABLE meta ( -- one row: whose store this is and how far it got
  site TEXT PRIMARY KEY,
  cluster TEXT NOT NULL,
  sites TEXT NOT NULL, -- all names, sorted
  life TEXT NOT NULL, -- the store's random id
  commit_number INTEGER NOT NULL,
  standing TEXT NOT NULL, -- new, admitted, readmitted or learner
  standing_why TEXT NOT NULL, -- in words
  loss TEXT, -- of a learner: lost-disk, old-store or removed
  round INTEGER NOT NULL, -- the highest ever used here
  number_max INTEGER NOT NULL, -- numbers of this site's events are reserved up to this one
  prefix INTEGER NOT NULL, -- learned and applied without a gap up to this slot
  tally INTEGER NOT NULL, -- the sum of the checksums of all rows that a start needs
  log_tally INTEGER NOT NULL, -- and of the rows of `slots` that lie in the prefix
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE slots ( -- a row is a run of consecutive slots; no two overlap
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  promised TEXT, -- a ballot; a range may promise more
  accepted TEXT, -- a ballot
  entries TEXT, -- JSON, an [author, number, follows, body] a slot: learned ones, else the accepted; NULL: there is none
  accepted_entries TEXT, -- the accepted ones, where they are not those
  void TEXT, -- JSON: which entries of the prefix took no effect, by their places from 0; NULL: none
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE ahead ( -- what is learned above the prefix
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE tweeted ( -- whose tweets are in effect in a part of the prefix, at most
  through INTEGER PRIMARY KEY, -- the last slot of the part; each is as long
  authors TEXT NOT NULL, -- names, sorted
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE ranges ( -- promises for many slots
  position INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  last INTEGER, -- NULL: and all after
  ballot TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE blocks (
  blocker TEXT NOT NULL,
  blocked TEXT NOT NULL,
  slot INTEGER NOT NULL, -- since when
  checksum INTEGER NOT NULL,
  PRIMARY KEY (blocker, blocked)
) STRICT, WITHOUT ROWID;
CREATE TABLE authors (
  author TEXT PRIMARY KEY,
  last_in_effect INTEGER NOT NULL, -- number of the author's last entry in effect
  tweets INTEGER NOT NULL, -- how many are in effect
  newest INTEGER NOT NULL, -- none is in effect above this slot
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE events ( -- of this site: a row is a run of consecutive numbers; no two overlap
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  state TEXT NOT NULL, -- queued, proposed, unknown; created, lost, not-created
  slot INTEGER, -- of the first one; the others are in the slots after it
  reason TEXT,
  to_author TEXT,
  to_kind TEXT,
  bodies TEXT, -- JSON, a body an event; NULL: they are created, and in the log
  checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX open_events ON events (first) WHERE state IN ('queued', 'proposed', 'unknown');
CREATE TABLE peers ( -- the newest that was heard of each
  site TEXT PRIMARY KEY,
  life TEXT NOT NULL,
  commit_number INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE changes ( -- of who votes, in effect: `sites` above is the first list
  slot INTEGER PRIMARY KEY,
  body TEXT NOT NULL, -- of the entry there
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE evidence ( -- of rules that were broken
  commit_number INTEGER NOT NULL,
  position INTEGER NOT NULL,
  rule TEXT NOT NULL,
  text TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (commit_number, position)
) STRICT, WITHOUT ROWID;
CREATE VIEW log AS
  SELECT
    slot,
    state,
    CASE WHEN entry IS NULL THEN NULL WHEN is_void THEN 'void' ELSE coalesce(kind, 'noop') END AS kind,
    author,
    author || '/' || number AS id,
    strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
    iif(kind = 'tweet', argument, NULL) AS text,
    iif(kind IN ('block', 'unblock'), argument, NULL) AS target
  FROM (
    SELECT *, substr(rest, 1, instr(rest, ' ') - 1) AS at_ms, substr(rest, instr(rest, ' ') + 1) AS argument
    FROM (
      SELECT
        *,
        iif(author IS NULL, NULL, substr(body, 1, instr(body, ' ') - 1)) AS kind,
        iif(author IS NULL, NULL, substr(body, instr(body, ' ') + 1)) AS rest
      FROM (
        SELECT
          slots.first + place.key AS slot,
          CASE
            WHEN slots.first + place.key <= meta.prefix THEN 'chosen'
            WHEN EXISTS (SELECT 1 FROM ahead WHERE slots.first + place.key BETWEEN ahead.first AND ahead.last)
              THEN 'chosen'
            ELSE iif(slots.entries IS NULL, 'promised', 'accepted')
          END AS state,
          EXISTS (SELECT 1 FROM json_each(slots.void) AS void WHERE void.value = place.key) AS is_void,
          place.value AS entry,
          json_extract(place.value, '$[0]') AS author,
          json_extract(place.value, '$[1]') AS number,
          json_extract(place.value, '$[3]') AS body
        FROM meta, slots, json_each(coalesce(entries, _NO_ENTRIES)) AS place
      )
    )
  );
CREATE VIEW acceptor AS
  SELECT
    slots.first + place.key AS slot,
    promised AS maxPrepare,
    accepted AS accNum,
    iif(
      accepted IS NULL,
      NULL,
      coalesce(
        json_extract(place.value, '$[0]') || '/' || json_extract(place.value, '$[1]') || ' '
          || json_extract(place.value, '$[3]'),
        'noop'
      )
    ) AS accVal
  FROM slots, json_each(coalesce(accepted_entries, entries, _NO_ENTRIES)) AS place;
CREATE VIEW timeline AS
  SELECT log.slot, log.author, log.at, log.text FROM log, meta WHERE log.kind = 'tweet' AND log.slot <= meta.prefix;
"""

_NO_ENTRIES: Final = "'[null' || replace(hex(zeroblob(slots.last - slots.first)), '00', ',null') || ']'"
"""As many places as the row has slots, with nothing in them."""

_STATEMENTS: Final = tuple(
    statement.strip().replace("_NO_ENTRIES", _NO_ENTRIES) for statement in _TABLES.split(";\n") if statement.strip()
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose store it is: recorded when the store is made, and the same at every start (D4)."""

    cluster: str
    site: SiteId
    sites: tuple[SiteId, ...] | None
    """With whom the cluster began (M1). None: those that the store names; there has to be one."""


def ensure_store(path: Path, identity: Identity, life: StoreId | None = None) -> None:
    """Makes the store at `path`, with this life or a new random one, if there is none. Raises StoreFailed,
    StoreDamaged."""
    if path.exists():
        if path.stat().st_size == 0:
            raise StoreDamaged(f"{path}: the file is empty", START_ANEW)
        return
    if path.with_name(f"{path.name}-wal").exists():
        raise StoreDamaged(f"{path}: the file is missing, but its log {path.name}-wal is there", START_ANEW)
    draft = path.with_name(f"{path.name}.new")
    with file_errors(draft, "make the store"):
        draft.unlink(missing_ok=True)
        draft.with_name(f"{draft.name}-journal").unlink(missing_ok=True)
    with sqlite_errors(draft, "make the store"):
        _write_new(draft, identity, life or StoreId(secrets.token_hex(8)))
    with file_errors(path, "make the store"):
        draft.rename(path)
        sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Makes `folder` and those above it; each one's name is durable in the folder that holds it."""
    with file_errors(folder, "make the folder"):
        missing = [step for step in (folder, *folder.parents) if not step.exists()]
        for step in reversed(missing):
            step.mkdir(exist_ok=True)
            sync_folder(step.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_schema(db: apsw.Connection, path: Path) -> None:
    """Raises StoreForeign for a file that this version did not make, StoreDamaged for changed tables."""
    if db.pragma("application_id") != APPLICATION_ID:
        raise StoreForeign(f"{path}: not a store of Loggos", f"This folder is not the site's: {OWN_STORE}")
    version = db.pragma("user_version")
    if version != SCHEMA_VERSION:
        raise StoreForeign(
            f"{path}: a store of version {version}; this program reads version {SCHEMA_VERSION}",
            "Start the site with the version of Loggos that wrote it",
        )
    statements = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")]
    if statements != list(_STATEMENTS):
        raise StoreDamaged(f"{path}: its tables are not those of store version {version}", START_ANEW)


def check_identity(meta: Meta, identity: Identity, path: Path) -> None:
    """Raises StoreForeign for a backup (D5), and where it is another's, naming the difference (D4)."""
    if meta.is_backup:
        raise StoreForeign(
            f"{path}: a backup of {meta.site}'s store; no site can be started from it, because it would have forgotten"
            " what the store has promised since",
            START_ANEW_BESIDE_BACKUP,
        )
    if meta.cluster != identity.cluster:
        difference = f"cluster {meta.cluster}, not {identity.cluster}"
    elif meta.site != identity.site:
        difference = f"site {meta.site}, not {identity.site}"
    elif identity.sites is not None and set(meta.sites) != set(identity.sites):
        gone = sorted(set(meta.sites) - set(identity.sites))
        new = sorted(set(identity.sites) - set(meta.sites))
        changes = [*(f"{site} is missing" for site in gone), *(f"{site} is new" for site in new)]
        difference = f"the sites {' '.join(meta.sites)}; in the given list {', '.join(changes)}"
    else:
        return
    raise StoreForeign(f"{path}: belongs to {difference}", f"Name that sites file with --sites, or {OWN_STORE}")


def _write_new(draft: Path, identity: Identity, life: StoreId) -> None:
    assert identity.sites is not None, "a store is made once it is known with whom the cluster began"
    meta = Meta(
        site=identity.site,
        cluster=identity.cluster,
        sites=tuple(sorted(identity.sites)),
        life=life,
        commit=0,
        standing=Standing.NEW,
        standing_why="a new store",
        loss=None,
        round=Round(0),
        number_max=0,
        prefix=Slot(0),
        tally=0,
        log_tally=0,
    )
    db = apsw.Connection(str(draft))
    try:
        db.pragma("synchronous", "FULL")
        db.execute("BEGIN EXCLUSIVE")
        for statement in _STATEMENTS:
            db.execute(statement)
        values = meta_values(meta)
        db.execute(META.put, (*values, META.checksum(values)))
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", SCHEMA_VERSION)
        db.execute("COMMIT")
        db.pragma("journal_mode", "WAL")
    finally:
        db.close()
