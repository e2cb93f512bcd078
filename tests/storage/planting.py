"""Three stores of one cluster that agree, and a hand that changes rows as no engine would.

Rules that hold here:
- What is planted is sound on its face: checksums and the tally are computed anew, so that only the audit can find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw
from msgspec.structs import replace

from engine.core.entry import (
    NOOP,
    AddLearner,
    Block,
    Entry,
    Operation,
    Promote,
    Remove,
    Stamped,
    Tweet,
    Unblock,
    Withdrawal,
    encode,
)
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.log.members import Members
from engine.core.log.microblog import Microblog
from engine.core.run import run_of
from engine.core.storage import (
    NO_VOTE,
    EventRun,
    EventState,
    InEffect,
    PeerMemory,
    RangePromise,
    Standing,
    Vote,
    Write,
    WriteApplied,
    WriteChange,
    WriteEvents,
    WriteLearned,
    WriteNumbers,
    WritePeer,
    WriteRanges,
    WriteRound,
    WriteStanding,
    WriteVote,
)
from storage.rows import (
    AHEAD,
    AUTHORS,
    BLOCKS,
    CHANGES,
    META,
    PEERS,
    RANGES,
    SLOTS,
    TWEETED,
    WHERE_OPEN,
    Cell,
    Held,
    Table,
    is_tweet,
    slots_of,
    slots_values,
)
from storage.schema import Identity, ensure_store, make_folder
from storage.sqlite import SqliteStorage, open_store
from storage.tweeted import part_of
from tests.storage.samples import ALICE, AT_MS, BOB, CAROL, ballot, promised

SITES: Final = (ALICE, BOB, CAROL)
NAMES: Final = ("alice", "bob", "carol")


def entry(author: SiteId, number: int, follows: int, operation: Operation) -> Entry:
    return Entry(author, number, follows, encode(Stamped(operation, AT_MS)))


LOG: Final = (
    (entry(ALICE, 1, 0, Tweet("lunch at noon?")), ballot(1, ALICE), (ALICE, BOB)),
    (entry(BOB, 1, 0, Block(CAROL)), ballot(2, BOB), (BOB, CAROL)),
    (NOOP, ballot(3, CAROL), (ALICE, BOB)),
    (entry(CAROL, 2, 0, Tweet("me too")), ballot(3, CAROL), SITES),
    (entry(ALICE, 2, 1, Tweet("standup moved to 10")), ballot(4, ALICE), (ALICE, BOB)),
    (entry(ALICE, 3, 2, Tweet("no, 11")), ballot(0, ALICE), (ALICE, CAROL)),
    (entry(CAROL, 1, 0, Tweet("late")), ballot(5, CAROL), SITES),
    (entry(BOB, 2, 1, Withdrawal()), ballot(3, BOB), (ALICE, BOB)),
    (entry(BOB, 3, 2, Unblock(CAROL)), ballot(4, BOB), SITES),
    (entry(BOB, 4, 3, Block(ALICE)), ballot(5, BOB), SITES),
)
"""Slot 1 first: the entry, the ballot that chose it, and who accepted it. Slot 7 is void."""

PREFIXES: Final[Mapping[SiteId, int]] = {ALICE: 10, BOB: 10, CAROL: 8}
"""carol has learned slot 10 too, above her prefix."""

_EVENTS: Final[Mapping[SiteId, Sequence[tuple[int, EventState, int | None]]]] = {
    ALICE: ((1, EventState.CREATED, 1), (2, EventState.CREATED, 5), (3, EventState.CREATED, 6)),
    BOB: (
        (1, EventState.CREATED, 2),
        (2, EventState.NOT_CREATED, 8),
        (3, EventState.CREATED, 9),
        (4, EventState.CREATED, 10),
        (5, EventState.UNKNOWN, 11),
    ),
    CAROL: ((1, EventState.NOT_CREATED, 4), (2, EventState.CREATED, 4), (3, EventState.LOST, 6)),
}
_WITHDRAWN: Final = encode(Stamped(Tweet("never mind"), AT_MS))


def make_cluster(data: Path) -> Path:
    """Makes the folders `alice`, `bob` and `carol` in `data`; nothing is wrong with them."""
    lives = {}
    for site in SITES:
        with closing(open_store(data / site, Identity("paxos-island", site, SITES))) as store:
            lives[site] = store.load().life
            store.commit(_history(site))
    for site in SITES:
        with closing(open_store(data / site, Identity("paxos-island", site, SITES))) as store:
            store.commit([WritePeer(PeerMemory(peer, lives[peer], 1)) for peer in SITES if peer != site])
    return data


def _history(site: SiteId) -> list[Write]:
    """Everything that a site did, in one commit."""
    microblog = Microblog({}, {})
    writes: list[Write] = [WriteStanding(Standing.ADMITTED, ""), WriteRound(Round(7)), WriteNumbers(8)]
    for slot, (chosen, at, voters) in enumerate(LOG[: PREFIXES[site]], start=1):
        applied = microblog.apply(run_of(Slot(slot), chosen))
        if site in voters:
            writes.append(WriteVote(Slot(slot), Slot(slot), vote(at, chosen)))
        writes.append(WriteLearned(run_of(Slot(slot), chosen)))
        authors = tuple(InEffect(author, number, len(applied.shown)) for author, number in applied.numbers.items())
        writes.append(WriteApplied(Slot(slot), Slot(slot), applied.void, authors))
        writes.extend(applied.table)
    if site == CAROL:
        chosen, at, _ = LOG[9]
        writes += [WriteVote(Slot(10), Slot(10), vote(at, chosen)), WriteLearned(run_of(Slot(10), chosen))]
    if site == ALICE:
        pending = entry(BOB, 5, 4, Tweet("pending"))
        writes.append(WriteVote(Slot(11), Slot(11), vote(ballot(6, BOB), pending)))
    writes.append(WriteVote(Slot(12), Slot(12), promised(7, CAROL)))
    writes.append(WriteRanges((RangePromise(Slot(13), None, ballot(7, BOB)),)))
    bodies = {(chosen.author, chosen.number): chosen.body for chosen, *_ in LOG}
    for number, state, at_slot in _EVENTS[site]:
        body = bodies.get((site, number), _WITHDRAWN)
        body = _WITHDRAWN if body.startswith("withdrawal") else body
        writes.append(WriteEvents(EventRun(number, (body,), state, None if at_slot is None else Slot(at_slot))))
    return writes


DAVE, ERIN = SiteId("dave"), SiteId("erin")
GROWN_LIVES: Final = StoreId("0011223344556605"), StoreId("0011223344556606")
"""dave's and erin's."""

_GROWN: Final[Sequence[Operation]] = (
    AddLearner(DAVE, "127.0.0.1:7004"),
    Promote(DAVE, GROWN_LIVES[0]),
    Remove(CAROL),
    AddLearner(ERIN, "127.0.0.1:7005"),
    Promote(ERIN, GROWN_LIVES[1]),
    Remove(BOB),
    AddLearner(CAROL, "127.0.0.1:7003"),
)


def make_grown(data: Path, *more: Operation) -> Path:
    """Makes the folder `dave` in `data`. By its log, where a change waits for one slot, the cluster began with alice,
    bob and carol; at the end alice, dave and erin vote, and carol learns; then come the operations `more`."""
    microblog, folder = Microblog({}, {}, Members(SITES, 1)), data / "dave"
    identity = Identity("paxos-island", DAVE, SITES)
    make_folder(folder)
    ensure_store(folder / "site.db", identity, GROWN_LIVES[0])
    writes: list[Write] = [WriteStanding(Standing.READMITTED, "")]
    for number, operation in enumerate((*_GROWN, *more), 1):
        chosen, slot = entry(ALICE, number, number - 1, operation), Slot(number)
        applied = microblog.apply(run_of(slot, chosen))
        assert applied.changes
        writes += [WriteLearned(run_of(slot, chosen)), WriteApplied(slot, slot, (), (InEffect(ALICE, number, 0),))]
        writes += map(WriteChange, applied.changes)
    with closing(open_store(folder, identity)) as store:
        store.commit(writes)
    return folder


class Planter:
    """Changes rows of a closed store; leaving seals the tally and the meta row."""

    def __init__(self, folder: Path) -> None:
        self._db = apsw.Connection(str(folder / "site.db"))

    def __enter__(self) -> Planter:
        self._db.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._change(META, "1", {"tally": self._tally(), "log_tally": self._log_tally()})
        self._db.execute("COMMIT")
        self._db.close()

    def change(self, table: Table, where: str, **columns: Cell) -> None:
        """Sets columns of the one row that `where` names."""
        self._change(table, where, columns)

    def change_meta(self, **columns: Cell) -> None:
        self._change(META, "1", columns)

    def put(self, table: Table, *values: Cell) -> None:
        """In the place of the row with this key, if there is one."""
        self._db.execute(table.put, (*values, table.checksum(values)))

    def delete(self, table: Table, where: str) -> None:
        self._db.execute(f"DELETE FROM {table.name} WHERE {where}")
        assert self._db.changes() == 1

    def slot(self, slot: int, learned: Entry | None, voted: Vote = NO_VOTE) -> None:
        """The row of a slot, in the place of the one that is there. The timeline comes to it."""
        others = voted.entries if learned is not None and voted.entries != (learned,) else ()
        entries = voted.entries if learned is None else (learned,)
        self.put(SLOTS, *slots_values(slot, slot, Held(voted.promised, voted.accepted, entries, others)))
        if learned is None or not is_tweet(learned):
            return
        if self._db.execute(f"SELECT 1 FROM tweeted WHERE through = {part_of(Slot(slot))}").fetchall():
            self._change(TWEETED, f"through = {part_of(Slot(slot))}", {"authors": " ".join(NAMES)})
        else:
            self._change(AUTHORS, f"author = '{learned.author}'", {"newest": slot})

    def instead(self, slot: int, entry: Entry) -> None:
        """Another entry in the run that has this slot."""
        where = f"first <= {slot} AND last >= {slot}"
        [row] = self._db.execute(f"SELECT {', '.join(SLOTS.columns)} FROM {SLOTS.name} WHERE {where}").fetchall()
        first, last, held = slots_of(row)
        entries = (*held.entries[: slot - first], entry, *held.entries[slot - first + 1 :])
        self.put(SLOTS, *slots_values(first, last, replace(held, entries=entries)))

    def ahead(self, slot: int) -> None:
        """The slot is learned, above the prefix."""
        self.put(AHEAD, slot, slot)

    def _change(self, table: Table, where: str, columns: Mapping[str, Cell]) -> None:
        row: tuple[Any, ...]
        [row] = self._db.execute(f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {where}").fetchall()
        self._db.execute(f"DELETE FROM {table.name} WHERE {where}")
        self.put(table, *(columns.get(name, value) for name, value in zip(table.columns, row, strict=True)))

    def _tally(self) -> int:
        """The sum of the checksums of all rows that a start needs."""
        needed = ["slots WHERE last > (SELECT prefix FROM meta)", f"events {WHERE_OPEN}"]
        needed += [table.name for table in (AHEAD, RANGES, BLOCKS, AUTHORS, PEERS, CHANGES)]
        return sum(checksum for rest in needed for (checksum,) in self._db.execute(f"SELECT checksum FROM {rest}"))

    def _log_tally(self) -> int:
        """The sum of those of the rows that lie in the prefix."""
        sql = "SELECT checksum FROM slots WHERE last <= (SELECT prefix FROM meta)"
        return sum(checksum for (checksum,) in self._db.execute(sql))


def vote(at: Ballot, voted: Entry, below: Ballot | None = None) -> Vote:
    """An acceptance at `at`, which is promised too unless another promise is given."""
    return Vote(below or at, at, (voted,))


def damage(folder: Path, sql: str) -> None:
    """Changes the store without sealing anything."""
    with closing(apsw.Connection(str(folder / "site.db"))) as db:
        db.execute(sql)
        assert db.changes() == 1


def open_beside(folder: Path, site: SiteId) -> SqliteStorage:
    """The store as its engine opens it."""
    return open_store(folder, Identity("paxos-island", site, SITES))
