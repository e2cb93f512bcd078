"""One line of a scenario file as words, taken from left to right.

Rules that hold here:
- Words are parted by white space; a text in double quotes, written as JSON writes it, is one word.
- Whatever is not understood is a BadLine that says what stands there and what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import permutations
from typing import Final, TypeVar

from engine.core.ids import NUMBER_MAX, Ballot, EventId, Round, SiteId, Slot
from engine.sim.scenario.expected import NoopEntry, Text, What

_Meant = TypeVar("_Meant")

_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_BALLOT: Final = re.compile(r"(\d{1,16})\.(\S+)\Z")
_MESSAGE: Final = re.compile(r"#([0-9]{1,16})\Z")
_TIME: Final = re.compile(r"-?[0-9]{1,30}\Z")
_EVENT: Final = re.compile(r"([^/\s]+)/(\d{1,16})\Z")
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "min": 60_000}


class BadLine(ValueError):
    """The message says what is wrong, and what to write where that is not the usage of the whole line."""


class Words:
    def __init__(self, line: str, sites: tuple[SiteId, ...]) -> None:
        self.line = line
        self.sites = sites
        self._words = [(found.group(), found.start()) for found in _WORD.finditer(line)]
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._words)

    def peek(self, ahead: int = 0) -> str:
        """The next word, or one ahead of it; empty at the end."""
        at = self._at + ahead
        return self._words[at][0] if at < len(self._words) else ""

    def since(self, start: int) -> str:
        """The words taken since so many had been, in one line."""
        return " ".join(word for word, _ in self._words[start : self._at])

    @property
    def taken(self) -> int:
        """How many words were taken."""
        return self._at

    def take(self, what: str = "a word") -> str:
        if self.done:
            raise BadLine(f"the line ends where {what} is expected")
        word = self.peek()
        self._at += 1
        return word

    def rest(self) -> str:
        """All that is left, as it is written."""
        if self.done:
            return ""
        start = self._words[self._at][1]
        self._at = len(self._words)
        return self.line[start:].rstrip()

    def takes(self, *words: str) -> bool:
        """Takes these words if they are the next ones."""
        following = [word for word, _ in self._words[self._at : self._at + len(words)]]
        if following != list(words):
            return False
        self._at += len(words)
        return True

    def one_of(self, phrases: Mapping[_Meant, str], what: str) -> _Meant:
        """Takes one of these phrases; returns what it means."""
        for meant, phrase in phrases.items():
            if self.takes(*phrase.split()):
                return meant
        raise BadLine(f"{self.rest()!r} is no {what}")

    def need(self, *words: str) -> None:
        if not self.takes(*words):
            raise BadLine(f"{self._here()} is where {' '.join(words)!r} is expected")

    def end(self) -> None:
        if not self.done:
            raise BadLine(f"{self._here()} is not expected here")

    def site(self) -> SiteId:
        word = self.take("a site")
        if word not in self.sites:
            raise BadLine(f"{word!r} is not a site: write one of {', '.join(self.sites)}")
        return SiteId(word)

    def some_sites(self) -> tuple[SiteId, ...]:
        """As many sites as there stand, parted by white space or commas."""
        found: list[SiteId] = []
        while not self.done and self.peek().rstrip(",") in self.sites:
            found.append(SiteId(self.take().rstrip(",")))
        return tuple(found)

    def sites_needed(self) -> tuple[SiteId, ...]:
        return self.some_sites() or (self.site(),)

    def number(self, what: str = "a number") -> int:
        word = self.take(what)
        if not word.isascii() or not word.isdigit() or int(word) > NUMBER_MAX:
            raise BadLine(f"{word!r} is not {what}: write a whole number of 0 or more")
        return int(word)

    def fraction(self, what: str) -> float:
        word = self.take(what)
        try:
            value = float(word)
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= 1.0:
            raise BadLine(f"{word!r} is not {what}: write a number of 0 to 1")
        return value

    def slot(self) -> Slot:
        number = self.number("a slot")
        if number == 0:
            raise BadLine("slots count from 1")
        return Slot(number)

    def message(self) -> int:
        """A message by its number, `#12`."""
        word = self.take("a message").rstrip(",")
        found = _MESSAGE.match(word)
        if not found or not 1 <= int(found.group(1)) <= NUMBER_MAX:
            raise BadLine(f"{word!r} is not the number of a message: write #12, as the trace does")
        return int(found.group(1))

    def ms(self) -> int:
        """A time, `300 ms`, `2 s` or `1 min`."""
        number = self.number("a time")
        unit = self.take("a unit of time")
        if unit not in _UNITS_MS:
            raise BadLine(f"{unit!r} is not a unit of time: write ms, s or min")
        return number * _UNITS_MS[unit]

    def times(self) -> tuple[int, ...]:
        """One or more readings of a wall clock, of any time before or after 1970."""
        found: list[int] = []
        while not self.done or not found:
            word = self.take("a time")
            if not _TIME.match(word):
                raise BadLine(f"{word!r} is not a time: write milliseconds since 1970")
            found.append(int(word))
        return tuple(found)

    def ballot(self) -> Ballot:
        word = self.take("a ballot")
        found = _BALLOT.match(word)
        if not found or found.group(2) not in self.sites:
            raise BadLine(f"{word!r} is not a ballot: write ROUND.SITE, as in 2.{self.sites[0]}")
        return Ballot(Round(int(found.group(1))), SiteId(found.group(2)))

    def links(self) -> tuple[tuple[SiteId, SiteId], ...]:
        """`alice>bob carol>bob`, or between sides: one way `alice > bob carol`, both ways `alice | bob carol`."""
        if ">" in self.peek() and self.peek() != ">":
            return self._single_links()
        sides = [self.sites_needed()]
        if self.takes(">"):
            sides.append(self.sites_needed())
            return tuple((a, b) for a in sides[0] for b in sides[1])
        while self.takes("|"):
            sides.append(self.sites_needed())
        if len(sides) < 2:
            raise BadLine("sites are needed on both sides of a bar")
        return tuple((a, b) for one, other in permutations(sides, 2) for a in one for b in other)

    def _single_links(self) -> tuple[tuple[SiteId, SiteId], ...]:
        found: list[tuple[SiteId, SiteId]] = []
        while ">" in (word := self.peek()):
            self.take()
            sender, _, to = word.partition(">")
            if sender not in self.sites or to not in self.sites:
                raise BadLine(f"{word!r} is not a link: write SITE>SITE")
            found.append((SiteId(sender), SiteId(to)))
        return tuple(found)

    def event(self) -> EventId:
        word = self.take("an event")
        found = _EVENT.match(word)
        if not found or found.group(1) not in self.sites:
            raise BadLine(f"{word!r} is not an event: write SITE/NUMBER, as in {self.sites[0]}/1")
        return EventId(SiteId(found.group(1)), int(found.group(2)))

    def what(self) -> What:
        """An entry: an event, a quoted text, or the no-op."""
        if self.takes("no-op"):
            return NoopEntry()
        return Text(self.quoted()) if self.at_quote() else self.event()

    def at_quote(self) -> bool:
        return self.peek().startswith('"')

    def quoted(self) -> str:
        word = self.take("a text in quotes")
        try:
            text = json.loads(word)
        except ValueError:
            text = None
        if not isinstance(text, str):
            raise BadLine(f'{word} is not a text: write it in double quotes, with \\" for a quote in it')
        return text

    def _here(self) -> str:
        return repr(self.peek()) if not self.done else "the end of the line"


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
