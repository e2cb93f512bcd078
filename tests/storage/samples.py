"""Entries, votes and runs of writes that the tests of stores share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.core.entry import NOOP, Entry, Stamped, Tweet, encode, kind_of
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.storage import (
    NO_VOTE,
    EventRow,
    EventState,
    PeerMemory,
    RangePromise,
    Vote,
    Write,
    WriteApplied,
    WriteBlock,
    WriteEvent,
    WriteEvidence,
    WriteLearned,
    WritePeer,
    WriteRanges,
    WriteVote,
)
from storage.schema import Identity
from storage.sqlite import SqliteStorage, open_store

ALICE: Final = SiteId("alice")
BOB: Final = SiteId("bob")
CAROL: Final = SiteId("carol")
IDENTITY: Final = Identity("paxos-island", ALICE, (ALICE, BOB, CAROL))
AT_MS: Final = 1_795_262_400_123  # 2026-11-21T12:00:00.123Z


def ballot(round_: int, site: SiteId = ALICE) -> Ballot:
    return Ballot(Round(round_), site)


def tweet(author: SiteId, number: int, text: str = "deploy is green") -> Entry:
    """The author's event `number`, following the one before it."""
    return Entry(author, number, number - 1, encode(Stamped(Tweet(text), AT_MS)))


def accepted(round_: int, entry: Entry, site: SiteId = ALICE) -> Vote:
    return Vote(ballot(round_, site), ballot(round_, site), entry)


def learn(slot: int, entry: Entry, vote: Vote = NO_VOTE) -> WriteLearned:
    return WriteLearned(Slot(slot), entry, vote)


def apply(slot: int, entry: Entry) -> WriteApplied:
    """In effect."""
    return WriteApplied(Slot(slot), entry, void=False, shown=kind_of(entry) == "tweet")


def settle(slot: int, entry: Entry, vote: Vote = NO_VOTE) -> list[Write]:
    """Learned, and in effect."""
    return [learn(slot, entry, vote), apply(slot, entry)]


def open_sample(folder: Path) -> SqliteStorage:
    return open_store(folder, IDENTITY)


def a_row_in_each_table() -> list[Write]:
    """Slots 1 to 3 in the prefix, 5 learned above it, votes at 4 and 6, and something in every other table."""
    return [
        *settle(1, tweet(ALICE, 1, "lunch at noon?"), accepted(1, tweet(ALICE, 1, "lunch at noon?"))),
        *settle(2, NOOP),
        *settle(3, tweet(BOB, 1, "standup moved to 10"), accepted(0, tweet(CAROL, 1), CAROL)),
        learn(5, tweet(BOB, 2)),
        WriteVote(Slot(4), Vote(ballot(3, BOB), None, None)),
        WriteVote(Slot(6), accepted(0, tweet(CAROL, 1), CAROL)),
        WriteRanges((RangePromise(Slot(7), None, ballot(2, BOB)),)),
        WriteBlock(ALICE, BOB, Slot(2)),
        WriteEvent(EventRow(1, tweet(ALICE, 1).body, EventState.CREATED, Slot(1))),
        WriteEvent(EventRow(2, tweet(ALICE, 2).body, EventState.PROPOSED, Slot(4))),
        WritePeer(PeerMemory(BOB, StoreId("00112233445566ff"), 17)),
        WriteEvidence("A2", "bob proposed two entries at 2.bob"),
    ]
