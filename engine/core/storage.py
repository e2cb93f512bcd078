"""What a store keeps and what the core asks of it.

Rules that hold here:
- The core writes by returning `Write` values; one pass of the node is one commit of all of them (D1).
- The core reads only learned entries, and only committed ones; everything else that it needs is loaded at start.
- A failed write or sync is StoreFailed and stops the site (D2); a damaged row is StoreDamaged, by name (D3).
- What is loaded does not grow with the log: unlearned slots, slots learned above the prefix, open events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec.structs import replace

from engine.core.entry import Entry, Kind
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.run import Run
from engine.core.value import Value


class StoreError(Exception):
    """The store cannot be used.

    `what` names the file, the row if there is one, and what is wrong; `advice`, if there is any, says what whoever runs
    the site can do about it. The message is both.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what}. {advice}" if advice else what)
        self.what = what


class StoreFailed(StoreError):
    """A write, a sync or a read failed (disk full, I/O error): the site stops and never retries (D2)."""


class StoreDamaged(StoreError):
    """A row does not match its checksum, or the file is not a sound database (D3)."""


class StoreForeign(StoreError):
    """The store belongs to another cluster, site or list of sites (D4)."""


class StoreBusy(StoreError):
    """Another process holds the store's lock (D4)."""


class Vote(Value):
    """The acceptor's variables: maxPrepare, accNum, accVal. Of one slot, or of slots that were promised and accepted
    at the same ballots: `entries` has one for each, or none where nothing is accepted."""

    promised: Ballot | None
    accepted: Ballot | None
    entries: tuple[Entry, ...]

    @property
    def entry(self) -> Entry | None:
        """Of one slot."""
        return self.entries[0] if self.entries else None


NO_VOTE = Vote(None, None, ())


def cut_vote(vote: Vote, skip: int, count: int) -> Vote:
    """Of `count` slots, after the first `skip`."""
    return Vote(vote.promised, vote.accepted, vote.entries[skip : skip + count]) if vote.entries else vote


class Voted(Value):
    """The acceptor's variables of the slots from `first` to `last`."""

    first: Slot
    last: Slot
    vote: Vote


class RangePromise(Value):
    """A promise of `ballot` for `first` to `last`, None for all after (A3)."""

    first: Slot
    last: Slot | None
    ballot: Ballot


class Standing(StrEnum):
    """What a store is to the cluster (D5)."""

    NEW = "new"  # never a voter yet
    ADMITTED = "admitted"  # was a voter; each start is confirmed by floor(N/2) others
    READMITTED = "readmitted"  # a voter as the log says (M4); each start is confirmed in the same way
    LEARNER = "learner"  # a peer remembers another life or a later commit: never a voter again


class Loss(StrEnum):
    """How a store came to be a learner that was none by the log."""

    LOST_DISK = "lost-disk"  # it is new, in the place of one that was lost
    OLD_STORE = "old-store"  # it has voted: it is an old copy, or another one is in its place
    REMOVED = "removed"  # the log removed its site (M5)


class EventState(StrEnum):
    """Where an event of this site stands. The last three are outcomes that are never taken back (E2)."""

    QUEUED = "queued"  # durable, nothing that carries it has left
    PROPOSED = "proposed"  # an accept that carries it may have left, for `slot`
    UNKNOWN = "unknown"  # as PROPOSED, and no longer pushed
    CREATED = "created"
    LOST = "lost"
    NOT_CREATED = "not-created"


class EventRow(Value):
    """One event of this site, as people ask for it."""

    number: int
    body: str
    state: EventState
    slot: Slot | None = None
    reason: str | None = None
    to_author: SiteId | None = None  # with LOST: who won the slot (None: a no-op) ...
    to_kind: Kind | None = None  # ... and with what kind of entry


class EventRun(Value):
    """Events of this site with consecutive numbers, `first` on, that stand alike. They were proposed, or are chosen, in
    consecutive slots, `slot` on; None where they have none (yet)."""

    first: int
    bodies: tuple[str, ...]
    state: EventState
    slot: Slot | None = None
    reason: str | None = None
    to_author: SiteId | None = None
    to_kind: Kind | None = None

    @property
    def last(self) -> int:
        return self.first + len(self.bodies) - 1

    def cut(self, first: int, last: int) -> EventRun:
        """The part of these numbers."""
        skip = first - self.first
        slot = None if self.slot is None else Slot(self.slot + skip)
        return replace(self, first=first, bodies=self.bodies[skip : last - self.first + 1], slot=slot)

    def rows(self) -> Iterator[EventRow]:
        for at, body in enumerate(self.bodies):
            slot = None if self.slot is None else Slot(self.slot + at)
            yield EventRow(self.first + at, body, self.state, slot, self.reason, self.to_author, self.to_kind)


class Change(Value):
    """An entry of the prefix that changed who votes (M3)."""

    slot: Slot
    body: str


class PeerMemory(Value):
    """The newest life and commit number that this site heard of a peer (D5)."""

    site: SiteId
    life: StoreId
    commit: int


class WriteVote(Value):
    """The acceptor's state of unlearned slots, in the place of what was there."""

    first: Slot
    last: Slot
    vote: Vote


class WriteRanges(Value):
    """All range promises that stand, replacing those stored (A3)."""

    ranges: tuple[RangePromise, ...]


class WriteLearned(Value):
    """Slots are learned, none of which was. What the acceptor voted there is kept beside it, for people to read."""

    run: Run


class InEffect(Value):
    """What a run changes for one author: the last number in effect now, and how many tweets came into effect."""

    author: SiteId
    last_in_effect: int
    tweets: int


class WriteApplied(Value):
    """The prefix now reaches `last`, from the slot `first` after it; what these entries did to the state machine.

    `void`: the slots of those that did not take effect, ascending (E5). `authors`: of those that did, an author once.
    """

    first: Slot
    last: Slot
    void: tuple[Slot, ...]
    authors: tuple[InEffect, ...]


class WriteBlock(Value):
    """`blocker` blocks `blocked` since `slot`; None: no longer."""

    blocker: SiteId
    blocked: SiteId
    slot: Slot | None


class WriteChange(Value):
    """With the WriteApplied of its slot."""

    change: Change


class WriteRound(Value):
    """The highest round that this store ever used (B1)."""

    round: Round


class WriteNumbers(Value):
    """Numbers of this site's events are reserved up to this one: none above it was ever given out (E1)."""

    number_max: int


class WriteEvents(Value):
    """How these events stand now."""

    events: EventRun


class WritePeer(Value):
    memory: PeerMemory


class WriteStanding(Value):
    """`why`: in words, for people."""

    standing: Standing
    why: str
    loss: Loss | None = None


class WriteEvidence(Value):
    """A rule was broken by a peer or by this site: what was seen, kept for people (A2, R1)."""

    rule: str
    text: str


Write = (
    WriteVote
    | WriteRanges
    | WriteLearned
    | WriteApplied
    | WriteBlock
    | WriteChange
    | WriteRound
    | WriteNumbers
    | WriteEvents
    | WritePeer
    | WriteStanding
    | WriteEvidence
)


class Stored(Value):
    """What a store holds at start, as far as the replica keeps it in memory."""

    life: StoreId
    commit: int
    standing: Standing
    standing_why: str
    loss: Loss | None
    round: Round
    number_max: int  # reserved for this site's events, 0 if none
    prefix: Slot
    used_max: Slot  # the highest slot with an accepted or learned entry, 0 if none
    votes: tuple[Voted, ...]  # of unlearned slots, ascending
    ahead: tuple[Run, ...]  # learned above the prefix, ascending
    ranges: tuple[RangePromise, ...]
    blocks: dict[tuple[SiteId, SiteId], Slot]  # (blocker, blocked) -> slot
    last_in_effect: dict[SiteId, int]
    open_events: tuple[EventRun, ...]  # QUEUED, PROPOSED and UNKNOWN ones, by number
    peers: dict[SiteId, PeerMemory]
    changes: tuple[Change, ...] = ()  # in slot order


class LogRow(Value):
    """A slot as the store has it. `void` is None until the prefix reaches the slot."""

    slot: Slot
    vote: Vote
    learned: Entry | None
    void: bool | None


class SlotText(Value):
    """What a slot says, as the store has it: its learned entry, else the accepted one (`body` is None where there is
    none). `shown`: it is a tweet in effect."""

    slot: Slot
    learned: bool
    void: bool
    shown: bool
    author: SiteId | None
    body: str | None


class LogReader(Protocol):
    """What the core reads while it runs: learned entries, and for people how this site voted there."""

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> Sequence[Run]:
        """What is learned of `first` to `last`, all at or below the committed prefix: ascending, without a gap,
        one slot at least, until their bodies exceed `bytes_max`. Raises StoreFailed, StoreDamaged (a missing row
        too)."""

    def voted(self, slot: Slot) -> Vote:
        """The acceptor's state with which a slot was learned, in an earlier commit; NO_VOTE where none is kept. Raises
        as `learned` does."""


class Storage(LogReader, Protocol):
    """A site's store. One thread uses it; every method may raise StoreFailed or StoreDamaged."""

    def load(self) -> Stored:
        """Checks the meta rows and those of unlearned slots (D3), and returns them."""

    def commit(self, writes: Sequence[Write]) -> int:
        """Makes all of `writes` durable in one synced transaction; returns the store's new commit number (D1, D5)."""

    def log_rows(self, first: Slot, last: Slot) -> list[LogRow]:
        """The stored slots from `first` to `last`, ascending; unused slots have no row."""

    def texts(self, first: Slot, last: Slot) -> list[SlotText]:
        """What the stored slots from `first` to `last` say, ascending."""

    def timeline(self, hidden: frozenset[SiteId], limit: int, before: Slot | None) -> list[LogRow]:
        """The newest `limit` tweets in effect below `before`, without the authors in `hidden`; ascending."""

    def timeline_count(self, hidden: frozenset[SiteId]) -> tuple[int, int]:
        """How many tweets are in effect: those that `hidden` leaves, and those that it hides."""

    def events(self, numbers: Sequence[int] | None, limit: int) -> list[EventRow]:
        """This site's events: those asked for, or the newest `limit`; ascending."""

    def scrub(self, after: Slot, slots_max: int) -> Slot | None:
        """Checks what is stored of slots and events above `after`, up to `slots_max` and what the last run has more;
        returns how far it came, None at the end (D3)."""

    def close(self) -> None: ...
