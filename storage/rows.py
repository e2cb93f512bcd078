"""Rows: the core's types as columns, sealed with a checksum.

Rules that hold here:
- A row's checksum is the CRC-32 of the row as a compact JSON array: the table's name, then all columns in the order of
  the table, key first (D3). A row that strays to another key or table is damaged like one that changed. It guards
  against rot, not against people ("nobody lies"); CRC-32 sees every burst of up to 32 bits, costs 0.1 us, and any
  language recomputes it from JSON.
- A row of `slots` is a run. Its entries are the learned ones, which stand where they were written when they were
  accepted: what is learned is said by `meta.prefix` and the table `ahead`, and no row is written again for it. Where
  others were accepted than learned, these have a column of their own.
- Ballots are text as people read them, `2.alice`. Entries and bodies are JSON as the wire has them, one for each slot
  or event of the row.
- Tweets are not indexed. A part of the prefix has a row that names whose tweets are in it, so that who reads the
  timeline without some authors passes over what is theirs alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson
from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder

from engine.core.entry import TWEET, BadOperation, Entry, Kind, check_body, is_clean
from engine.core.ids import NUMBER_MAX, STORE_ID, Ballot, Round, SiteId, Slot, StoreId
from engine.core.spans import Part
from engine.core.storage import (
    Change,
    EventRun,
    EventState,
    Loss,
    PeerMemory,
    RangePromise,
    Standing,
    Vote,
    WriteEvidence,
)
from engine.core.value import Value

_QUOTED_CHARACTERS: Final = 60
_DECODED_ROWS: Final = 8
"""How many rows are kept as what they say, for who reads on in the middle of one."""

_BALLOTS: Final = 16
"""How many are kept as text: rows that are written one after the other name the same few."""

Said = TypeVar("Said")

Cell = None | int | str
Cells = tuple[Cell, ...]
Key = tuple[Cell, ...]

_to_json: Final = Encoder().encode
_entries_from_json: Final = Decoder(tuple[Entry, ...]).decode
_bodies_from_json: Final = Decoder(tuple[str, ...]).decode
_places_from_json: Final = Decoder(tuple[int, ...]).decode


class Table:
    """A table's columns, key first, without the checksum; and the statements that write it."""

    def __init__(self, name: str, key: Sequence[str], others: Sequence[str]) -> None:
        self.name = name
        self.key = tuple(key)
        self.columns = (*key, *others)
        self.selected = ", ".join((*self.columns, "checksum"))
        self.put = f"REPLACE INTO {name} ({self.selected}) VALUES ({', '.join('?' * (len(self.columns) + 1))})"
        self.delete = f"DELETE FROM {name} WHERE {' AND '.join(f'{column} = ?' for column in key)}"

    def checksum(self, values: Sequence[object]) -> int:
        """Raises TypeError for a value that no column holds, such as the bytes of a damaged row."""
        return zlib.crc32(orjson.dumps((self.name, *values)))

    def key_of(self, values: Cells) -> Key:
        return values[: len(self.key)]

    def is_sound(self, values: Sequence[object], checksum: object) -> bool:
        try:
            return self.checksum(values) == checksum
        except TypeError:
            return False

    def key_text(self, values: Sequence[object]) -> str:
        """The key for a message, as `slot 41` or `blocker alice, blocked bob`."""
        return ", ".join(f"{column} {value}" for column, value in zip(self.key, values, strict=False))


META: Final = Table(
    "meta",
    ["site"],
    [
        *("cluster", "sites", "life", "commit_number", "standing", "standing_why"),
        *("loss", "round", "number_max", "prefix", "tally", "log_tally"),
    ],
)
SLOTS: Final = Table("slots", ["first"], ["last", "promised", "accepted", "entries", "accepted_entries", "void"])
AHEAD: Final = Table("ahead", ["first"], ["last"])
TWEETED: Final = Table("tweeted", ["through"], ["authors"])
RANGES: Final = Table("ranges", ["position"], ["first", "last", "ballot"])
BLOCKS: Final = Table("blocks", ["blocker", "blocked"], ["slot"])
AUTHORS: Final = Table("authors", ["author"], ["last_in_effect", "tweets", "newest"])
EVENTS: Final = Table("events", ["first"], ["last", "state", "slot", "reason", "to_author", "to_kind", "bodies"])
PEERS: Final = Table("peers", ["site"], ["life", "commit_number"])
CHANGES: Final = Table("changes", ["slot"], ["body"])
EVIDENCE: Final = Table("evidence", ["commit_number", "position"], ["rule", "text"])

TABLES: Final = (META, SLOTS, AHEAD, TWEETED, RANGES, BLOCKS, AUTHORS, EVENTS, PEERS, CHANGES, EVIDENCE)


@dataclass(slots=True)
class Meta:
    """The one row about the whole store, which every commit moves on.

    `tally` is the sum of the checksums of all rows that a start needs, `log_tally` of the rows of slots in the prefix.
    `is_backup`: it is a copy that no site may run on. The life says so: every version refuses to run on such a one.
    """

    site: SiteId
    cluster: str
    sites: tuple[SiteId, ...]
    life: StoreId
    commit: int
    standing: Standing
    standing_why: str
    loss: Loss | None
    round: Round
    number_max: int
    prefix: Slot
    tally: int
    log_tally: int
    is_backup: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """An author's last number in effect (E5), how many tweets of the author are in effect, and a slot above which none
    is."""

    site: SiteId
    last_in_effect: int
    tweets: int
    newest: Slot


class Held(Value):
    """What a row says of its slots: the acceptor's variables, and an entry for each, or none where there is none. The
    entries are those that are learned; while they are not, those accepted. `accepted_entries`: the accepted ones, where
    others are learned. `void`: the places in `entries` of those that took no effect (E5)."""

    promised: Ballot | None
    accepted: Ballot | None
    entries: tuple[Entry, ...]
    accepted_entries: tuple[Entry, ...] = ()
    void: tuple[int, ...] = ()

    @property
    def vote(self) -> Vote:
        entries = () if self.accepted is None else self.accepted_entries or self.entries
        return Vote(self.promised, self.accepted, entries)


def cut_held(held: Held, skip: int, count: int) -> Held:
    """Of `count` slots, after the first `skip`."""
    return Held(
        held.promised,
        held.accepted,
        held.entries[skip : skip + count],
        held.accepted_entries[skip : skip + count],
        tuple(place - skip for place in held.void if skip <= place < skip + count),
    )


class KeptEvents(Value):
    """What a row says of events with consecutive numbers. `bodies` is None where the log has them, from `slot` on."""

    first: int
    last: int
    state: EventState
    slot: Slot | None
    reason: str | None
    to_author: SiteId | None
    to_kind: Kind | None
    bodies: tuple[str, ...] | None

    def run(self) -> EventRun:
        """Where the bodies are here."""
        bodies = self.bodies or ()
        return EventRun(self.first, bodies, self.state, self.slot, self.reason, self.to_author, self.to_kind)


def cut_events(run: EventRun, skip: int, count: int) -> EventRun:
    """Of `count` events, after the first `skip`."""
    first = run.first + skip
    return run.cut(first, first + count - 1)


OPEN_EVENTS: Final = frozenset({EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN})
WHERE_OPEN: Final = "WHERE state IN ('queued', 'proposed', 'unknown') ORDER BY first"
"""The condition of the index `open_events`, word for word: SQLite uses the index for no other."""

_TWEET: Final = f"{Kind.TWEET} "


def is_tweet(entry: Entry) -> bool:
    return entry.author is not None and entry.body.startswith(_TWEET)


_BACKUP_OF: Final = "backup of "
"""What stands before the life of the store that was copied."""


def meta_values(meta: Meta) -> Cells:
    life = f"{_BACKUP_OF}{meta.life}" if meta.is_backup else meta.life
    loss = None if meta.loss is None else meta.loss.value
    return (
        *(meta.site, meta.cluster, " ".join(meta.sites), life, meta.commit, meta.standing.value, meta.standing_why),
        *(loss, meta.round, meta.number_max, meta.prefix, meta.tally, meta.log_tally),
    )


def meta_of(values: Sequence[Any]) -> Meta:
    site, cluster, sites, life, commit, standing, why, loss, round_, *counted = values
    number_max, prefix, tally, log_tally = counted
    return Meta(
        SiteId(site),
        cluster,
        tuple(SiteId(name) for name in sites.split()),
        _life(life.removeprefix(_BACKUP_OF)),
        _number(commit),
        Standing(standing),
        why,
        None if loss is None else Loss(loss),
        Round(_number(round_)),
        _number(number_max),
        Slot(_number(prefix)),
        tally,
        log_tally,
        life.startswith(_BACKUP_OF),
    )


def slots_values(first: int, last: int, held: Held) -> Cells:
    return (
        *(first, last, _ballot_text(held.promised), _ballot_text(held.accepted)),
        *(_json(held.entries), _json(held.accepted_entries), _json(held.void)),
    )


def slots_of(values: Sequence[Any]) -> Part[Held]:
    """Raises ValueError where no site could read an entry (W5)."""
    first, last, promised, accepted, entries, accepted_entries, void = values
    count = _number(last, 1) - _number(first, 1) + 1
    held = Held(
        _ballot_of(promised),
        _ballot_of(accepted),
        _one_each(count, _entries(entries) if entries is not None else ()),
        _one_each(count, _entries(accepted_entries) if accepted_entries is not None else ()),
        () if void is None else _decoded(_places_from_json, void),
    )
    if held.void and not 0 <= min(held.void) <= max(held.void) < count:
        raise ValueError(f"{void} are no places of {count} entries")
    return Part(first, last, held)


def ahead_of(values: Sequence[Any]) -> Part[bool]:
    first, last = values
    return Part(Slot(_number(first, 1)), Slot(_number(last, first)), True)


def tweeted_values(through: int, authors: Iterable[SiteId]) -> Cells:
    return (through, " ".join(sorted(authors)))


def tweeted_of(values: Sequence[Any]) -> tuple[Slot, frozenset[SiteId]]:
    through, authors = values
    return Slot(_number(through, 1)), frozenset(SiteId(name) for name in authors.split())


def range_values(position: int, promise: RangePromise) -> Cells:
    return (position, promise.first, promise.last, str(promise.ballot))


def range_of(values: Sequence[Any]) -> RangePromise:
    _, first, last, ballot = values
    return RangePromise(Slot(_number(first, 1)), None if last is None else Slot(_number(last, 1)), _ballot(ballot))


def block_of(values: Sequence[Any]) -> tuple[tuple[SiteId, SiteId], Slot]:
    blocker, blocked, slot = values
    return (SiteId(blocker), SiteId(blocked)), Slot(_number(slot, 1))


def author_values(author: Author) -> Cells:
    return (author.site, author.last_in_effect, author.tweets, author.newest)


def author_of(values: Sequence[Any]) -> Author:
    site, last_in_effect, tweets, newest = values
    return Author(site, _number(last_in_effect), _number(tweets), Slot(_number(newest)))


def events_values(run: EventRun) -> Cells:
    bodies = None if run.state is EventState.CREATED else _json(run.bodies)
    return (
        *(run.first, run.last, run.state.value, run.slot, run.reason),
        *(run.to_author, run.to_kind, bodies),
    )


def events_of(values: Sequence[Any]) -> KeptEvents:
    """Raises ValueError where no site could read an event (W5)."""
    first, last, state, slot, reason, to_author, to_kind, said = values
    count = _number(last, 1) - _number(first, 1) + 1
    stands = EventState(state)
    bodies = None if said is None else _one_each(count, _decoded(_bodies_from_json, said))
    if (stands is EventState.CREATED) != (not bodies) or (bodies is None and slot is None) or count < 1:
        raise ValueError(
            f"{count} events that are {state} at {slot}, with {0 if bodies is None else len(bodies)} bodies"
        )
    for body in bodies or ():
        _check(body)
    at = None if slot is None else Slot(_number(slot, 1))
    won = None if to_kind is None else Kind(to_kind)
    return KeptEvents(first, last, stands, at, reason, to_author, won, bodies)


def peer_values(memory: PeerMemory) -> Cells:
    return (memory.site, memory.life, memory.commit)


def peer_of(values: Sequence[Any]) -> PeerMemory:
    site, life, commit = values
    return PeerMemory(site, _life(life), _number(commit))


def change_values(change: Change) -> Cells:
    return (change.slot, change.body)


def change_of(values: Sequence[Any]) -> Change:
    """Raises ValueError where no site could read it (W5)."""
    slot, body = values
    _check(body)
    return Change(Slot(_number(slot, 1)), body)


def evidence_of(values: Sequence[Any]) -> WriteEvidence:
    _, _, rule, text = values
    return WriteEvidence(rule, text)


@lru_cache(_BALLOTS)
def _ballot_text(ballot: Ballot | None) -> str | None:
    return None if ballot is None else str(ballot)


def _ballot(text: str) -> Ballot:
    round_, _, site = text.partition(".")
    return Ballot(Round(_number(int(round_))), SiteId(site))


def _ballot_of(text: str | None) -> Ballot | None:
    return None if text is None else _ballot(text)


def _json(items: tuple[object, ...]) -> str | None:
    return _to_json(items).decode() if items else None


@lru_cache(_DECODED_ROWS)
def _entries(text: str) -> tuple[Entry, ...]:
    """Raises ValueError where no site could read an entry (W5)."""
    entries = _decoded(_entries_from_json, text)
    clean, is_tweet = is_clean(text.encode()), TWEET.match
    for entry in entries:
        if entry.author is not None and not (clean and is_tweet(entry.body)):
            _check(entry.body)
    return entries


def _check(body: str) -> None:
    try:
        check_body(body)
    except BadOperation as bad:
        raise ValueError(f"{body[:_QUOTED_CHARACTERS]!r}: {bad}") from bad


def _decoded(decode: Callable[[str], Said], text: str) -> Said:
    try:
        return decode(text)
    except MsgspecError as error:
        raise ValueError(str(error)) from error


def _one_each(count: int, items: tuple[Said, ...]) -> tuple[Said, ...]:
    """Raises ValueError where there are some, and not one for each of `count`."""
    if items and len(items) != count:
        raise ValueError(f"{len(items)} for {count}")
    return items


def _number(value: object, least: int = 0) -> int:
    """What the wire takes for a number (W2), so that whatever is read here can be told to peers and be stored again."""
    if type(value) is not int or not least <= value <= NUMBER_MAX:
        raise ValueError(f"{value!r} is not a number from {least} to {NUMBER_MAX}")
    return value


def _life(value: object) -> StoreId:
    if not isinstance(value, str) or not STORE_ID.match(value):
        raise ValueError(f"{value!r} is not the id of a store")
    return StoreId(value)
