"""Stores with many entries, written by the storage package alone: the same tweets would take minutes.

Rules that hold here:
- What is written is what a site would have that voted for each entry, learned and applied it; the author's store knows
  how far its own numbers go.
- No engine may run on the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engine.core.entry import Entry, Tweet, encode, stamped
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.run import Run
from engine.core.storage import InEffect, Vote, Write, WriteApplied, WriteLearned, WriteNumbers, WriteVote
from storage.schema import Identity
from storage.sqlite import DATABASE, open_store
from tests.bench.events import text_of

_WRITTEN_ON_MS: Final = 1_700_000_000_000
_ENTRIES_A_RUN: Final = 200
_SLOTS_A_COMMIT: Final = 2_000


def fill(folder: Path, identity: Identity, author: SiteId, count: int) -> Slot:
    """Adds so many tweets of `author` to the log of the store in `folder`; returns its last slot."""
    store = open_store(folder, identity)
    try:
        stored = store.load()
        first = Slot(stored.prefix + 1)
        last = Slot(stored.prefix + count)
        number = stored.last_in_effect.get(author, 0)
        for begin in range(first, last + 1, _SLOTS_A_COMMIT):
            end = min(last, begin + _SLOTS_A_COMMIT - 1)
            slots = range(begin, end + 1, _ENTRIES_A_RUN)
            store.commit([write for slot in slots for write in _written(author, Slot(slot), Slot(end), number, first)])
        if author == identity.site:
            store.commit([WriteNumbers(number + count)])
    finally:
        store.close()
    return last


def size_bytes(folder: Path) -> int:
    """Of the database, its log copied into it."""
    return (folder / DATABASE).stat().st_size


def _written(author: SiteId, first: Slot, last: Slot, number: int, log_first: Slot) -> Iterator[Write]:
    """What is durable of a run from `first` on, up to `last` at most; `number` is the author's last before
    `log_first`."""
    ballot = Ballot(Round(0), author)
    last = Slot(min(last, first + _ENTRIES_A_RUN - 1))
    before = number - log_first
    entries = tuple(
        Entry(author, before + slot + 1, before + slot, _body(Slot(slot))) for slot in range(first, last + 1)
    )
    yield WriteVote(first, last, Vote(ballot, ballot, entries))
    yield WriteLearned(Run(first, entries))
    yield WriteApplied(first, last, (), (InEffect(author, entries[-1].number, len(entries)),))


def _body(slot: Slot) -> str:
    return encode(stamped(Tweet(text_of(slot)), _WRITTEN_ON_MS))


def identity_of(cluster: str, site: str, sites: Sequence[str]) -> Identity:
    return Identity(cluster, SiteId(site), tuple(sorted(SiteId(name) for name in sites)))
