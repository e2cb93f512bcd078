"""Entries, votes and runs of writes that the tests of stores share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.core.entry import NOOP, Entry, Kind, Stamped, Tweet, encode, kind_of
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.run import Run
from engine.core.storage import (
    Change,
    EventRun,
    EventState,
    InEffect,
    PeerMemory,
    RangePromise,
    Vote,
    Write,
    WriteApplied,
    WriteBlock,
    WriteChange,
    WriteEvents,
    WriteEvidence,
    WriteLearned,
    WriteNumbers,
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


def promised(round_: int, site: SiteId = ALICE) -> Vote:
    return Vote(ballot(round_, site), None, ())


def accepted(round_: int, entry: Entry, site: SiteId = ALICE) -> Vote:
    return Vote(ballot(round_, site), ballot(round_, site), (entry,))


def vote(slot: int, voted: Vote) -> WriteVote:
    """Of one slot, or of as many as there are entries."""
    return WriteVote(Slot(slot), Slot(slot + max(1, len(voted.entries)) - 1), voted)


def learn(slot: int, *entries: Entry) -> WriteLearned:
    return WriteLearned(Run(Slot(slot), entries))


def apply(slot: int, *entries: Entry) -> WriteApplied:
    """In effect."""
    last: dict[SiteId, int] = {}
    tweets: dict[SiteId, int] = {}
    for entry in entries:
        if entry.author is not None:
            last[entry.author] = entry.number
            tweets[entry.author] = tweets.get(entry.author, 0) + (kind_of(entry) is Kind.TWEET)
    authors = tuple(InEffect(author, number, tweets[author]) for author, number in last.items())
    return WriteApplied(Slot(slot), Slot(slot + len(entries) - 1), (), authors)


def apply_void(slot: int) -> WriteApplied:
    return WriteApplied(Slot(slot), Slot(slot), (Slot(slot),), ())


def settle(slot: int, *entries: Entry) -> list[Write]:
    """Learned, and in effect."""
    return [learn(slot, *entries), apply(slot, *entries)]


def settle_voted(slot: int, entry: Entry, voted: Vote) -> list[Write]:
    """Voted on, learned, and in effect."""
    return [vote(slot, voted), *settle(slot, entry)]


def event(number: int, state: EventState, slot: int | None = None, body: str | None = None) -> WriteEvents:
    """One of alice's events, with its tweet's body unless another is given."""
    said = tweet(ALICE, number).body if body is None else body
    return WriteEvents(EventRun(number, (said,), state, None if slot is None else Slot(slot)))


def open_sample(folder: Path) -> SqliteStorage:
    return open_store(folder, IDENTITY)


def a_row_in_each_table() -> list[Write]:
    """Slots 1 to 3 in the prefix, 5 learned above it, votes at 4 and 6 to 8, and something in every other table."""
    lunch = tweet(ALICE, 1, "lunch at noon?")
    return [
        *settle_voted(1, lunch, accepted(1, lunch)),
        *settle(2, NOOP),
        *settle_voted(3, tweet(BOB, 1, "standup moved to 10"), accepted(0, tweet(CAROL, 1), CAROL)),
        learn(5, tweet(BOB, 2)),
        vote(4, promised(3, BOB)),
        vote(6, Vote(ballot(0, CAROL), ballot(0, CAROL), (tweet(CAROL, 1), NOOP, tweet(CAROL, 2)))),
        WriteRanges((RangePromise(Slot(9), None, ballot(2, BOB)),)),
        WriteBlock(ALICE, BOB, Slot(2)),
        WriteNumbers(8),
        event(1, EventState.CREATED, 1, lunch.body),
        WriteEvents(EventRun(2, (tweet(ALICE, 2).body, tweet(ALICE, 3).body), EventState.PROPOSED, Slot(4))),
        WritePeer(PeerMemory(BOB, StoreId("00112233445566ff"), 17)),
        WriteChange(Change(Slot(2), "readmit 5 carol 00112233445566ee")),
        WriteEvidence("A2", "bob proposed two entries at 2.bob"),
    ]


def a_part_of_tweets(first: int, last: int) -> list[Write]:
    """Slots `first` to `last` in the prefix, a run; alice, bob and carol in turn, each with the text `tweet SLOT`."""
    return settle(
        first,
        *(tweet((ALICE, BOB, CAROL)[slot % 3], slot // 3 + 1, f"tweet {slot}") for slot in range(first, last + 1)),
    )
