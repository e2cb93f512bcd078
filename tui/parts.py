"""Texts that say what they mean: of parts with roles is made what commands print and what the screen paints.

Rules that hold here:
- A part never asks for a colour. The theme of the screen, and the codes of a terminal (`tui.output`), decide how its
  role looks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from tui.inert import inert


class Role(StrEnum):
    """What a part means."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    NOTE = "note"
    KEY = "key"
    ALARM = "alarm"
    CURSOR = "cursor"
    HIT = "hit"
    NAMED = "named"


class Part(NamedTuple):
    text: str
    role: Role = Role.PLAIN


Row = tuple[Part, ...]
BLANK: Final[Row] = ()


def row(*parts: str | tuple[str, Role] | Part) -> Row:
    """A row; a bare string is a part without emphasis."""
    return tuple(Part(part) if isinstance(part, str) else Part(*part) for part in parts)


def plain(parts: Row) -> str:
    """The row as one inert line of text."""
    return "".join(inert(part.text) for part in parts).rstrip()
