"""Stores with many entries, written by the storage package alone: the same tweets would take minutes.

Rules that hold here:
- What is written is what a site would have that voted for each entry, learned and applied it; the author's store knows
  how far its own numbers go.
- No engine may run on the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.core.entry import Entry, Tweet, encode, stamped
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.run import Run, slots_of
from engine.core.storage import InEffect, Vote, Write, WriteApplied, WriteLearned, WriteNumbers, WriteVote
from storage.schema import Identity
from storage.sqlite import DATABASE, open_store
from tests.bench.events import text_of

_WRITTEN_ON_MS: Final = 1_700_000_000_000
_ENTRIES_A_RUN: Final = 256


def fill(folder: Path, identity: Identity, author: SiteId, count: int) -> Slot:
    """Adds so many tweets of `author` to the log of the store in `folder`; returns its last slot."""
    store = open_store(folder, identity)
    try:
        stored = store.load()
        first = Slot(stored.prefix + 1)
        last = Slot(stored.prefix + count)
        number = stored.last_in_effect.get(author, 0)
        for begin in range(first, last + 1, _ENTRIES_A_RUN):
            end = min(begin + _ENTRIES_A_RUN - 1, last)
            store.commit(_written(author, Slot(begin), Slot(end), number + begin - first))
        if author == identity.site:
            store.commit([WriteNumbers(number + count)])
    finally:
        store.close()
    return last


def size_bytes(folder: Path) -> int:
    """Of the database, its log copied into it."""
    return (folder / DATABASE).stat().st_size


def _written(author: SiteId, first: Slot, last: Slot, number: int) -> list[Write]:
    """What is durable of a run; `number` is the author's last before."""
    ballot, slots = Ballot(Round(0), author), slots_of(first, last)
    entries = tuple(Entry(author, number + at + 1, number + at, _body(slot)) for at, slot in enumerate(slots))
    in_effect = InEffect(author, entries[-1].number, len(entries))
    return [
        WriteVote(first, last, Vote(ballot, ballot, entries)),
        WriteLearned(Run(first, entries)),
        WriteApplied(first, last, (), (in_effect,)),
    ]


def _body(slot: Slot) -> str:
    return encode(stamped(Tweet(text_of(slot)), _WRITTEN_ON_MS))


def identity_of(cluster: str, site: str, sites: Sequence[str]) -> Identity:
    return Identity(cluster, SiteId(site), tuple(sorted(SiteId(name) for name in sites)))
