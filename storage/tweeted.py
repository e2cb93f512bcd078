"""Where tweets are: whose are in which part of the prefix, so that who reads without some authors can pass parts over.

Rules that hold here:
- The prefix is cut into parts of PART_SLOTS. A part that is whole has a row that names whose tweets are in it, and
  perhaps others; of the one at its end, each author's `newest` tells.
- A row that names too few would hide tweets: a missing one is noticed by who reads there, one that was never right by
  the paced check and the audit (D3).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final

from engine.core.ids import SiteId, Slot
from engine.core.spans import Part
from storage import rows
from storage.rows import Held, Meta, is_tweet
from storage.sound import SoundRows

PART_SLOTS: Final = 256


def part_of(slot: Slot) -> Slot:
    """The part that a slot is in, by its last slot."""
    return Slot(slot + -slot % PART_SLOTS)


def ends(first: Slot, last: Slot) -> Iterator[Slot]:
    """The last slots of the parts that end within `first` to `last`."""
    return map(Slot, range(part_of(first), last + 1, PART_SLOTS))


def begin_of(through: Slot) -> Slot:
    """The first slot of the part that ends at `through`."""
    return Slot(through - PART_SLOTS + 1)


def parts(sound: SoundRows, prefix: Slot, last: Slot, hidden: frozenset[SiteId]) -> Generator[tuple[Slot, Slot]]:
    """The parts of the log up to `last`, newest first, in which others than `hidden` may have tweets."""
    whole = Slot(prefix - prefix % PART_SLOTS)
    if last > whole:
        authors = sound.read(rows.AUTHORS, rows.author_of)
        if any(author.newest > whole for author in authors if author.site not in hidden):
            yield Slot(whole + 1), last
        last = whole
    for through, names in _rows(sound, part_of(last), Slot(0)):
        if not names <= hidden:
            yield begin_of(through), min(through, last)


def _rows(sound: SoundRows, through: Slot, down_to: Slot) -> Iterator[tuple[Slot, frozenset[SiteId]]]:
    """Those of the parts that end at `through` and below, as far as above `down_to`."""
    due = through
    where = "WHERE through <= ? AND through > ? ORDER BY through DESC"
    for found in sound.read(rows.TWEETED, rows.tweeted_of, where, (through, down_to)):
        if found[0] != due:
            break
        yield found
        due = Slot(begin_of(due) - 1)
    if due > down_to:
        raise sound.damaged(rows.TWEETED, f"through {due}", "the row is gone")


class TweetedCheck:
    """Whether no tweet would be passed over. For use within one snapshot."""

    def __init__(self, sound: SoundRows, meta: Meta) -> None:
        self._sound = sound
        self._prefix = meta.prefix
        self._newest = {author.site: author.newest for author in sound.read(rows.AUTHORS, rows.author_of)}
        self._names: dict[Slot, frozenset[SiteId]] = {}

    def check(self, row: Part[Held]) -> None:
        """Raises StoreDamaged where the timeline would not come to a tweet of this row."""
        void = row.value.void
        for place, entry in enumerate(row.value.entries):
            slot = Slot(row.first + place)
            if slot > self._prefix:
                break
            if entry.author is None or not is_tweet(entry) or place in void:
                continue
            part = part_of(slot)
            if part > self._prefix:
                if self._newest.get(entry.author, 0) < slot:
                    what = f"no tweet is said to be above {self._newest.get(entry.author, 0)}; slot {slot} has one"
                    raise self._sound.damaged(rows.AUTHORS, f"author {entry.author}", what)
            elif entry.author not in self._named(part):
                what = f"does not name {entry.author}, whose tweet is in slot {slot}"
                raise self._sound.damaged(rows.TWEETED, f"through {part}", what)

    def _named(self, part: Slot) -> frozenset[SiteId]:
        if part not in self._names:
            self._names.update(_rows(self._sound, part, Slot(begin_of(part) - 1)))
        return self._names[part]
