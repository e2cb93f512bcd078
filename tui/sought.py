"""What somebody types to search: words, and whose, since when and in which slots.

Rules that hold here:
- Each word is looked for by itself; what stands in double quotes belongs together, and means nothing else.
- A date is one of the reader's zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.contract.requests import Search
from engine.core.ids import SiteId, Slot

HELP: Final = 'words; "some words" together; from:bob since:2026-11-01 slot:40-50'

_TYPED: Final = re.compile(r'"([^"]*)"?|(\S+)')
_SLOTS: Final = re.compile(r"#?([1-9][0-9]{0,14})(?:-#?([1-9][0-9]{0,14}))?\Z")
_DATES: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M")


class NotSought(ValueError):
    """The message says what to type instead."""


@dataclass(frozen=True, slots=True)
class Sought:
    words: tuple[str, ...] = ()
    author: str | None = None
    since: datetime | None = None
    first: int = 1
    last: int | None = None

    def asked(self, below: int | None, *, timeline: bool) -> Search:
        """What the engine is asked, of the slots below one."""
        ends = [each for each in (below, None if self.last is None else self.last + 1) if each is not None]
        return Search(
            words=self.words or None,
            author=None if self.author is None else SiteId(self.author),
            since=None if self.since is None else self.since.isoformat(),
            first=Slot(self.first),
            below=Slot(min(ends)) if ends else None,
            timeline=timeline,
        )

    @property
    def marked(self) -> re.Pattern[str] | None:
        """What of a line is a hit; None where no words are looked for."""
        longest_first = sorted(self.words, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if self.words else None


def sought(typed: str) -> Sought:
    """Raises NotSought."""
    words: list[str] = []
    author: str | None = None
    since: datetime | None = None
    first, last = 1, None
    for quoted, word in _TYPED.findall(typed):
        name, colon, said = word.partition(":")
        match name.lower() if colon else "":
            case "from":
                author = _said(said, "from:bob").lower()
            case "since":
                since = _date(said)
            case "slot" | "slots":
                first, last = _slots(said)
            case _ if quoted or word:
                words.append(quoted or word)
            case _:
                pass
    return Sought(tuple(words), author, since, first, last)


def _said(said: str, example: str) -> str:
    if not said:
        raise NotSought(f"{example.partition(':')[0]}: needs something behind it, as in {example}")
    return said


def _date(said: str) -> datetime:
    for form in _DATES:
        try:
            return datetime.strptime(said, form).astimezone()
        except (ValueError, OverflowError):
            continue
    raise NotSought(f"{said or 'since:'} is not a date: write since:2026-11-01, or since:2026-11-01T14:30")


def _slots(said: str) -> tuple[int, int]:
    found = _SLOTS.match(said)
    if found is None:
        raise NotSought(f"{said or 'slot:'} is not a slot: write slot:43, or slot:40-50")
    first = int(found[1])
    last = int(found[2] or first)
    return min(first, last), max(first, last)
