"""A tweet as rows: its head, its text over as many lines as it needs, and what stands above it.

Rules that hold here:
- What stands above a tweet (its day, where new ones begin) belongs to its row, and depends on the tweet before.
- A tweet that names this site stands out by a sign, not by its colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.contract.answers import TimelineLine, Waiting
from tui.rows import Part, Role, Row, fitted, row, width_of, wrapped
from tui.site.doubts import Doubt
from tui.site.mentions import mention, names
from tui.times import age, day, local_time, minute

NAME_MAX: Final = 16
NAME_NARROW: Final = 8
ROOMY: Final = 60
"""From this width on, the lines of a tweet stand below each other; in less they begin below the time."""
_NAMES_HERE: Final = "@"
"""Stands before the time of a tweet that names this site."""


class Columns(NamedTuple):
    """What decides how many lines a tweet takes, in cells."""

    width: int
    slot: int
    name: int


class Above(NamedTuple):
    """What stands above a tweet: its day, and since when it and those below are new."""

    day: str = ""
    new: str = ""

    @property
    def height(self) -> int:
        return bool(self.day) + bool(self.new)

    def rows(self, width: int) -> list[Row]:
        said = ((self.day, Role.DIM), (self.new, Role.WARN))
        return [_ruled(words, role, width) for words, role in said if words]


NOTHING: Final = Above()


def above(line: TimelineLine, before: TimelineLine | None, new_since: str) -> Above:
    """`before` is the tweet before it, None at the beginning; `new_since` is when its reader was here last, if new ones
    begin with this one."""
    changes = before is None or local_time(before.at).date() != local_time(line.at).date()
    return Above(day(line.at) if changes else "", f"new since {new_since}" if new_since else "")


def _ruled(words: str, role: Role, width: int) -> Row:
    begun = f"── {words} "
    return row((fitted(begun + "─" * (width - width_of(begun)), width), role))


def tweet(line: TimelineLine, site: str, columns: Columns, is_relative: bool) -> Sequence[Row]:
    """`site` reads it."""
    own = line.author == site
    author = Part(line.author + ("*" if own else ""), Role.STRONG if own else Role.NOTE)
    named = names(line, site)
    text = _marked(line.text, site) if named else row(line.text)
    return _laid((f"#{line.slot}", age(line.at) if is_relative else minute(line.at)), author, text, columns, named)


def doubted(doubt: Doubt, site: str, columns: Columns) -> Sequence[Row]:
    """Grey, and with a word in the place of the time: it is no part of the timeline yet."""
    slot = "--" if doubt.slot is None else f"#{doubt.slot}"
    return _laid((slot, doubt.word), Part(f"{site}*", Role.DIM), row((doubt.text, Role.DIM)), columns, False)


def waiting_lines(waiting: Waiting, width: int) -> Sequence[Row]:
    later = {0: "no later entry is", 1: "1 later entry is"}.get(waiting.later, f"{waiting.later:,} later entries are")
    said = row((f"waiting for slot {waiting.slot}: {later} learned, not shown yet", Role.WARN))
    return wrapped(said, width)[:2]


def _laid(begin: tuple[str, str], author: Part, text: Row, columns: Columns, named: bool) -> Sequence[Row]:
    """`begin` is the slot and the time."""
    width, slot_width, name_width = columns
    slot, at = begin
    head = row(
        (slot.rjust(slot_width), Role.DIM),
        (_NAMES_HERE if named else " ", Role.NAMED if named else Role.PLAIN),
        (f"{at:<6} ", Role.DIM),
        (fitted(author.text, name_width) + " ", author.role),
    )
    indent = sum(len(part.text) for part in head) if width >= ROOMY else slot_width + 1
    return wrapped((*head, *text), width, indent)


def _marked(text: str, site: str) -> Row:
    found: list[Part] = []
    at = 0
    for match in mention(site).finditer(text):
        found += [Part(text[at : match.start()]), Part(match.group(), Role.NAMED)]
        at = match.end()
    return (*(part for part in found if part.text), Part(text[at:]))
