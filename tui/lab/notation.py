"""A course's notation: one line that plays a scenario with the sites and the values that it names.

    set value 7 on 8000          A_wins 8000 8004 123 456          B_wins s1 s5 "my value" yours
    livelock 8000 8004 123 456 20          restart

Rules that hold here:
- The first word may be written in any case, with _ or -. A site is its name or its port: 8000 and up are the sites in
  file order. A value is a word, or a text in double quotes as JSON writes it.
- A line is a scenario that ships with the lab, in which other sites play the parts and other values are proposed; so
  what that expects holds for it too. Each line begins on sites that have nothing, as after `restart`.
- The values given are the values shown.
- What is not understood is a BadNotation that says what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.core.entry import BadOperation, clean_text
from engine.sim.scenario.parse import parse
from engine.sim.scenario.schedule import Schedule
from engine.sim.scenario.words import quote
from tui.lab.catalogue import Scenario, scenario

FIRST_PORT: Final = 8_000
SIZES: Final = (3, 5)
SIZE: Final = 5

_SET_USAGE: Final = "set value 7 on 8000"
_EXAMPLE: Final = "8000 8004 123 456"
_LIVELOCK: Final = "livelock"
_DUELS: Final = {"a-wins": "A_wins", "b-wins": "B_wins", "bb-wins": "BB_wins", _LIVELOCK: _LIVELOCK}
"""Scenarios of two proposers, and how the course writes them."""
_AGAIN: Final = "# Again: "
"""What stands above each time that the livelock goes round in its file."""
_ROUNDS_MAX: Final = 1_000

_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"(?!\S)|\S+')
_IN_FILE: Final = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")|\b(?P<site>[sS][1-9])\b')


class BadNotation(ValueError):
    """The message says what is wrong, and what to write instead."""


@dataclass(frozen=True, slots=True)
class CourseLine:
    """What a line asks for: `about` says what it shows, with the sites that play the parts."""

    about: str
    schedule: Schedule


def is_course(words: Sequence[str]) -> bool:
    """Whether these words begin as the notation does; a scenario's bare name is none."""
    first = _folded(words[0]) if words else ""
    return first == "set" or (first in _DUELS and len(words) > 1)


def usage(first: str) -> str:
    """An example of what begins so."""
    return _SET_USAGE if first == "set" else f"{_DUELS[first]} {_EXAMPLE}"


def split(line: str) -> list[str]:
    """The words of a line. Raises BadNotation."""
    return [_unquoted(found.group()) for found in _WORD.finditer(line)]


def read(words: Sequence[str], size: int) -> CourseLine:
    """`words` are those of a line, with values as they are meant; `size` is the number of sites. Raises BadNotation."""
    first = _folded(words[0])
    return _set_value(words, size) if first == "set" else _duel(first, words, size)


def _set_value(words: Sequence[str], size: int) -> CourseLine:
    if len(words) != 5 or [words[1].lower(), words[3].lower()] != ["value", "on"]:
        raise BadNotation(f"{_said(words)} is not complete, or too long; write: {_SET_USAGE}{_QUOTES}")
    at = _site(words[4], size)
    others = [site for site in _sites(size) if site != at]
    play = scenario("single")
    parts = dict(zip(_sites(SIZE), [at, *others], strict=False))
    return _cast(play, size, parts, {"X": _value(words[2])})


def _duel(name: str, words: Sequence[str], size: int) -> CourseLine:
    usage = f"{_DUELS[name]} 8000 {FIRST_PORT + size - 1} 123 456"
    text = None
    if name == _LIVELOCK:
        if size != SIZE:
            raise BadNotation(f"the livelock is played with {SIZE} sites: leave out --size {size}")
        usage = f"{usage} [rounds, as in 20]"
        if len(words) == 6:
            *words, rounds = words
            text = _gone_round(scenario(name).text, _rounds(rounds))
    if len(words) not in (3, 5):
        raise BadNotation(f"{_said(words)}: this needs two sites and two values; write: {usage}{_QUOTES}")
    a, b = _site(words[1], size), _site(words[2], size)
    if a == b:
        raise BadNotation(f"{_said(words)}: both proposers are {a}, but they must differ; write: {usage}")
    values = {"X": _value(words[3]), "Y": _value(words[4])} if len(words) == 5 else {}
    others = [site for site in _sites(size) if site not in (a, b)]
    play = scenario(name if size == SIZE else f"{name}-{size}")
    if text is not None:
        play = replace(play, text=text)
    return _cast(play, size, dict(zip(_sites(size), [a, *others, b], strict=True)), values)


def _rounds(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 4 and 1 <= int(word) <= _ROUNDS_MAX):
        raise BadNotation(f"{word!r} is not a number of rounds: write one of 1 to {_ROUNDS_MAX}")
    return int(word)


def _gone_round(text: str, rounds: int) -> str:
    """The livelock's file, in which the duel goes round so many times."""
    before, once, *_, last = text.split(_AGAIN)
    after = last.removeprefix(once)
    return _AGAIN.join([before, *[once] * rounds]) + after


def _cast(play: Scenario, size: int, parts: Mapping[str, str], values: Mapping[str, str]) -> CourseLine:
    """`parts` says which site plays which site of the file, `values` which text stands for which of its texts."""

    def instead(found: re.Match[str]) -> str:
        if found["text"] is not None:
            text = json.loads(found["text"])
            return quote(values.get(text, text))
        site = parts[found["site"].lower()]
        return site if found["site"].islower() else site.upper()

    lines = [
        f"sites {' '.join(_sites(size))}" if line.startswith("sites ") else _IN_FILE.sub(instead, line)
        for line in play.text.splitlines()
        if not line.startswith("#")
    ]
    about = _IN_FILE.sub(instead, play.summary)
    return CourseLine(about, parse("\n".join(lines), play.name))


def _sites(size: int) -> list[str]:
    return [f"s{number}" for number in range(1, size + 1)]


def _site(word: str, size: int) -> str:
    sites = _sites(size)
    ports = {str(FIRST_PORT + place): site for place, site in enumerate(sites)}
    site = ports.get(word, word.lower())
    if site not in sites:
        last = FIRST_PORT + size - 1
        raise BadNotation(f"{word!r} is not a site here: write {FIRST_PORT} to {last}, or s1 to s{size}")
    return site


def _value(word: str) -> str:
    try:
        return clean_text(word)
    except BadOperation as bad:
        raise BadNotation(f"{word!r} cannot be a value, because values are tweets: {bad}") from None


def _unquoted(word: str) -> str:
    if not word.startswith('"'):
        return word
    try:
        text = json.loads(word)
    except ValueError:
        text = None
    if not isinstance(text, str):
        raise BadNotation(f'{word} is not a text: write it in double quotes, with \\" for a quote in it')
    return text


def _folded(word: str) -> str:
    return word.lower().replace("_", "-")


def _said(words: Sequence[str]) -> str:
    return repr(" ".join(words))


_QUOTES: Final = " (put a value of several words in double quotes)"
