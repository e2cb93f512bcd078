"""Slots of which nothing is left, and what stands there in the new log.

Rules that hold here:
- An entry that the stores have is never changed, and stands where it stood.
- Of a slot of which nothing is left, nobody can say what stood there: a no-op takes its place.
- E5: an author's event takes effect only after the one that it follows. Where that one is gone with such a slot, its
  number is withdrawn there in its author's name: so that one missing event does not make all later ones void.
- E1: what is withdrawn is found nowhere above, nor is the first one that is gone before it. Where it is, its author
  proposed it again, and the chain goes on there.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.entry import Entry, Stamped, Withdrawal, encode
from engine.core.ids import SiteId, Slot

Entries = Sequence[tuple[Slot, Entry | None]]
"""None where nothing is left."""


def bridges(entries: Entries, last: dict[SiteId, int], stood: dict[SiteId, Slot], at_ms: int) -> dict[Slot, Entry]:
    """The withdrawals, by the slots in which they stand. `last` and `stood`: each author's last number in effect before
    these entries, and its slot."""
    last, stood = dict(last), dict(stood)
    found_at = {(entry.author, entry.number): slot for slot, entry in entries if entry is not None}
    next_at = {(entry.author, entry.follows): slot for slot, entry in entries if entry is not None}
    free: list[Slot] = []
    placed: dict[Slot, Entry] = {}
    for slot, entry in entries:
        if entry is None:
            free.append(slot)
            continue
        author = entry.author
        if author is None or entry.number <= entry.follows:
            continue
        before = last.get(author, 0)
        again_at = max(found_at.get((author, entry.follows), 0), next_at.get((author, before), 0))
        if entry.follows > before and again_at < slot:
            place = next((each for each in free if each > stood.get(author, 0)), None)
            if place is not None:
                free.remove(place)
                placed[place] = Entry(author, entry.follows, before, encode(Stamped(Withdrawal(), at_ms)))
                before = entry.follows
        if entry.follows == before:
            last[author], stood[author] = entry.number, slot
    return placed
