"""Stores with many entries, written by the storage package alone: the same tweets would take minutes.

Rules that hold here:
- What is written is what a site would have that voted for each entry, learned and applied it; the author's store knows
  how far its own numbers go.
- No engine may run on the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from engine.core.entry import Entry, Tweet, encode, stamped
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.storage import EventRow, EventState, Vote, Write, WriteApplied, WriteEvent, WriteLearned
from storage.schema import Identity
from storage.sqlite import DATABASE, open_store
from tests.bench.events import text_of

_WRITTEN_ON_MS: Final = 1_700_000_000_000
_ENTRIES_A_COMMIT: Final = 2_000


def fill(folder: Path, identity: Identity, author: SiteId, count: int) -> Slot:
    """Adds so many tweets of `author` to the log of the store in `folder`; returns its last slot."""
    store = open_store(folder, identity)
    try:
        stored = store.load()
        first = Slot(stored.prefix + 1)
        last = Slot(stored.prefix + count)
        number = stored.last_in_effect.get(author, 0)
        writes = _written(author, first, last, number)
        while some := list(islice(writes, 2 * _ENTRIES_A_COMMIT)):
            store.commit(some)
        if author == identity.site:
            store.commit([WriteEvent(EventRow(number + count, _body(last), EventState.CREATED, last))])
    finally:
        store.close()
    return last


def size_bytes(folder: Path) -> int:
    """Of the database, its log copied into it."""
    return (folder / DATABASE).stat().st_size


def _written(author: SiteId, first: Slot, last: Slot, number: int) -> Iterator[Write]:
    """What is durable of each slot; `number` is the author's last before."""
    ballot = Ballot(Round(0), author)
    for slot in range(first, last + 1):
        entry = Entry(author, number + 1, number, _body(Slot(slot)))
        number += 1
        yield WriteLearned(Slot(slot), entry, Vote(ballot, ballot, entry))
        yield WriteApplied(Slot(slot), entry, void=False, shown=True)


def _body(slot: Slot) -> str:
    return encode(stamped(Tweet(text_of(slot)), _WRITTEN_ON_MS))


def identity_of(cluster: str, site: str, sites: Sequence[str]) -> Identity:
    return Identity(cluster, SiteId(site), tuple(sorted(SiteId(name) for name in sites)))
