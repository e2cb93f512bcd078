"""Rows: the core's types as columns, sealed with a checksum.

Rules that hold here:
- A row's checksum is the CRC-32 of the row as a compact JSON array: the table's name, then all columns in the order of
  the table, key first (D3). A row that strays to another key or table is damaged like one that changed. It guards
  against rot, not against people ("nobody lies"); CRC-32 sees every burst of up to 32 bits, costs 0.1 us, and any
  language recomputes it from JSON.
- A slot has one row. Its entry is the learned one, or while there is none the accepted one. An accepted entry that is
  not the learned one has columns of its own. They are NULL otherwise, and NULL takes no room.
- Ballots are text as people read them, `2.alice`. An entry's number is NULL exactly where there is no entry; a no-op
  has a number, and no author.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from engine.core.entry import BadOperation, Entry, Kind, bounded_ms, decode
from engine.core.ids import NUMBER_MAX, STORE_ID, Ballot, Round, SiteId, Slot, StoreId
from engine.core.storage import (
    EventRow,
    EventState,
    LogRow,
    PeerMemory,
    RangePromise,
    SlotText,
    Standing,
    Vote,
    WriteEvidence,
)

_OUT_OF_TIME: Final = re.compile(r"([a-z]+) (-?[0-9]{1,30}) (.*)\Z")
_QUOTED_CHARACTERS: Final = 60

Value = None | int | str
Values = tuple[Value, ...]
Key = tuple[Value, ...]


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

    def key_of(self, values: Values) -> Key:
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
        *("round", "number_max", "prefix", "tally"),
    ],
)
SLOTS: Final = Table(
    "slots",
    ["slot"],
    [
        *("state", "promised", "accepted", "author", "number", "follows", "body"),
        *("accepted_author", "accepted_number", "accepted_follows", "accepted_body"),
    ],
)
RANGES: Final = Table("ranges", ["position"], ["first", "last", "ballot"])
BLOCKS: Final = Table("blocks", ["blocker", "blocked"], ["slot"])
AUTHORS: Final = Table("authors", ["author"], ["last_in_effect", "tweets"])
EVENTS: Final = Table("events", ["number"], ["state", "slot", "reason", "to_author", "to_kind", "body"])
PEERS: Final = Table("peers", ["site"], ["life", "commit_number"])
EVIDENCE: Final = Table("evidence", ["commit_number", "position"], ["rule", "text"])

TABLES: Final = (META, SLOTS, RANGES, BLOCKS, AUTHORS, EVENTS, PEERS, EVIDENCE)


@dataclass(slots=True)
class Meta:
    """The one row about the whole store, which every commit moves on.

    `tally` is the sum of the checksums of all rows that a start needs.
    """

    site: SiteId
    cluster: str
    sites: tuple[SiteId, ...]
    life: StoreId
    commit: int
    standing: Standing
    standing_why: str
    round: Round
    number_max: int
    prefix: Slot
    tally: int


@dataclass(frozen=True, slots=True)
class Author:
    """An author's last number in effect (E5), and how many tweets of the author are in effect."""

    site: SiteId
    last_in_effect: int
    tweets: int


class SlotState(StrEnum):
    PROMISED = "promised"  # unlearned, nothing accepted here
    ACCEPTED = "accepted"  # unlearned
    LEARNED = "learned"  # above the prefix
    APPLIED = "applied"  # in the prefix: took effect, or is the no-op
    SHOWN = "shown"  # in the prefix: a tweet in effect
    VOID = "void"  # in the prefix: took no effect (E5)


IN_PREFIX: Final = frozenset({SlotState.APPLIED, SlotState.SHOWN, SlotState.VOID})
OPEN_EVENTS: Final = frozenset({EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN})
WHERE_OPEN: Final = "WHERE state IN ('queued', 'proposed', 'unknown') ORDER BY number"
"""The condition of the index `open_events`, word for word: SQLite uses the index for no other."""


@dataclass(frozen=True, slots=True)
class SlotRow:
    slot: Slot
    state: SlotState
    vote: Vote
    learned: Entry | None

    def log_row(self) -> LogRow:
        void = self.state is SlotState.VOID if self.state in IN_PREFIX else None
        return LogRow(self.slot, self.vote, self.learned, void)


def meta_values(meta: Meta) -> Values:
    return (
        *(meta.site, meta.cluster, " ".join(meta.sites), meta.life, meta.commit, meta.standing.value),
        *(meta.standing_why, meta.round, meta.number_max, meta.prefix, meta.tally),
    )


def meta_of(values: Sequence[Any]) -> Meta:
    site, cluster, sites, life, commit, standing, why, round_, number_max, prefix, tally = values
    return Meta(
        SiteId(site),
        cluster,
        tuple(SiteId(name) for name in sites.split()),
        _life(life),
        _number(commit),
        Standing(standing),
        why,
        Round(_number(round_)),
        _number(number_max),
        Slot(_number(prefix)),
        tally,
    )


def slot_values(row: SlotRow) -> Values:
    vote, learned = row.vote, row.learned
    entry = vote.entry if learned is None else learned
    other = vote.entry if vote.entry != entry else None
    return (
        *(row.slot, row.state.value, _ballot_text(vote.promised), _ballot_text(vote.accepted)),
        *_entry_values(entry),
        *_entry_values(other),
    )


def slot_of(values: Sequence[Any]) -> SlotRow:
    slot, state, promised, accepted, *entries = values
    entry, other = _entry_of(entries[:4]), _entry_of(entries[4:])
    voted = None if accepted is None else entry if other is None else other
    vote = Vote(_ballot_of(promised), _ballot_of(accepted), voted)
    learned = None if state in {SlotState.PROMISED, SlotState.ACCEPTED} else entry
    return SlotRow(Slot(_number(slot, 1)), SlotState(state), vote, learned)


def text_of(values: Sequence[Any]) -> SlotText:
    """The same row, with nothing read of it that is not said."""
    slot, state, _, _, author, number, _, body = values[:8]
    learned = state not in {SlotState.PROMISED, SlotState.ACCEPTED}
    said = None if number is None else body
    return SlotText(slot, learned, state == SlotState.VOID, state == SlotState.SHOWN, author, said)


def range_values(position: int, promise: RangePromise) -> Values:
    return (position, promise.first, promise.last, str(promise.ballot))


def range_of(values: Sequence[Any]) -> RangePromise:
    _, first, last, ballot = values
    return RangePromise(Slot(_number(first, 1)), None if last is None else Slot(_number(last, 1)), _ballot(ballot))


def block_of(values: Sequence[Any]) -> tuple[tuple[SiteId, SiteId], Slot]:
    blocker, blocked, slot = values
    return (SiteId(blocker), SiteId(blocked)), Slot(_number(slot, 1))


def author_values(author: Author) -> Values:
    return (author.site, author.last_in_effect, author.tweets)


def author_of(values: Sequence[Any]) -> Author:
    site, last_in_effect, tweets = values
    return Author(site, _number(last_in_effect), _number(tweets))


def event_values(event: EventRow) -> Values:
    return (
        *(event.number, event.state.value, event.slot, event.reason),
        *(event.to_author, event.to_kind, event.body),
    )


def event_of(values: Sequence[Any]) -> EventRow:
    """Raises ValueError where no site could read the event (W5)."""
    number, state, slot, reason, to_author, to_kind, said = values
    body = _body(said)
    at = None if slot is None else Slot(_number(slot, 1))
    won = None if to_kind is None else Kind(to_kind)
    return EventRow(_number(number, 1), body, EventState(state), at, reason, to_author, won)


def peer_values(memory: PeerMemory) -> Values:
    return (memory.site, memory.life, memory.commit)


def peer_of(values: Sequence[Any]) -> PeerMemory:
    site, life, commit = values
    return PeerMemory(site, _life(life), _number(commit))


def evidence_of(values: Sequence[Any]) -> WriteEvidence:
    _, _, rule, text = values
    return WriteEvidence(rule, text)


def _ballot_text(ballot: Ballot | None) -> str | None:
    return None if ballot is None else str(ballot)


def _ballot(text: str) -> Ballot:
    round_, _, site = text.partition(".")
    return Ballot(Round(_number(int(round_))), SiteId(site))


def _ballot_of(text: str | None) -> Ballot | None:
    return None if text is None else _ballot(text)


def _entry_values(entry: Entry | None) -> Values:
    return (None,) * 4 if entry is None else (entry.author, entry.number, entry.follows, entry.body)


def _entry_of(values: Sequence[Any]) -> Entry | None:
    """Raises ValueError where no site could read the entry (W5)."""
    author, number, follows, body = values
    if number is None:
        return None
    return Entry(author, _number(number), _number(follows), body if author is None else _body(body))


def _body(said: str) -> str:
    """The body of an event, with a time that every site reads: earlier versions wrote whatever a clock said.

    No peer ever took such a body, and an event has one body. So whoever reads it thus reads the same each time, and the
    event can still be told to the others, or settled, as if it had been stamped so (A2, R1).
    """
    body = _timed(said)
    try:
        decode(body)
    except BadOperation as bad:
        raise ValueError(f"{body[:_QUOTED_CHARACTERS]!r}: {bad}") from bad
    return body


def _timed(said: str) -> str:
    found = _OUT_OF_TIME.match(said)
    if found is None or 0 <= int(found[2]) <= NUMBER_MAX:
        return said
    return f"{found[1]} {bounded_ms(int(found[2]))} {found[3]}"


def _number(value: object, least: int = 0) -> int:
    """What the wire takes for a number (W2), so that whatever is read here can be told to peers and be stored again."""
    if type(value) is not int or not least <= value <= NUMBER_MAX:
        raise ValueError(f"{value!r} is not a number from {least} to {NUMBER_MAX}")
    return value


def _life(value: object) -> StoreId:
    if not isinstance(value, str) or not STORE_ID.match(value):
        raise ValueError(f"{value!r} is not the id of a store")
    return StoreId(value)
