"""Rows in the cells of a terminal: fitted, wrapped and cut before they are painted.

Rules that hold here:
- Everything that leaves a row for a terminal or a clipboard is made inert on the way, here and in `panes.paint`.
- User text stands last in a row, so that a terminal that counts its width differently breaks nothing beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from rich import cells
from rich.cells import split_graphemes

from tui.inert import inert
from tui.parts import BLANK, Part, Role, Row, plain, row

__all__ = [
    "BLANK",
    "Part",
    "Role",
    "Row",
    "cell_len",
    "cut",
    "first_character",
    "fitted",
    "marked",
    "plain",
    "row",
    "width_of",
    "wrapped",
]
"""A row and its parts are of `tui.parts`; whoever lays rows out has them from here."""

SKIN_TONES: Final = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")


def cell_len(shown: str) -> int:
    """How many cells inert text takes at most: terminals, and Rich, differ about spacing marks and skin tones."""
    if shown.isascii():
        return len(shown)
    return cells.cell_len(shown) + sum(_more(character) for character in shown)


def _more(character: str) -> int:
    """How many cells more than Rich counts some terminals give a character."""
    if character in SKIN_TONES:
        return 2
    category = unicodedata.category(character)
    return 1 if category == "Mc" or (category == "No" and character > "\u3000") else 0


def width_of(text: str) -> int:
    """How many cells the inert form of `text` takes."""
    return cell_len(inert(text))


def fitted(text: str, width: int) -> str:
    """`text` made inert, cut with an ellipsis or padded to exactly `width` cells."""
    shown = inert(text)
    if cell_len(shown) > width:
        shown = cut(shown, width - 1) + "…" if width > 0 else ""
    return shown + " " * (width - cell_len(shown))


def wrapped(parts: Row, width: int, indent: int = 0) -> list[Row]:
    """The row as lines of at most `width` cells, broken at spaces where there are any; later lines are indented."""
    whole = tuple(Part(inert(text), role) for text, role in parts if text)
    if sum(cell_len(part.text) for part in whole) <= width:
        return [whole]
    lines: list[list[Part]] = [[]]
    left = width
    for word, role in _words(whole):
        for piece in _pieces(word, max(2, width - indent)):
            size = cell_len(piece)
            if size > left and cell_len(piece.rstrip()) > left:
                lines.append([Part(" " * indent)] if indent else [])
                left = width - indent
            lines[-1].append(Part(piece if size <= left else piece.rstrip(), role))
            left -= size
    return [tuple(line) for line in lines]


def marked(parts: Row, words: re.Pattern[str]) -> Row:
    """The row with these words as hits."""
    found: list[Part] = []
    for part in parts:
        at = 0
        for match in words.finditer(part.text):
            found += [Part(part.text[at : match.start()], part.role), Part(match.group(), Role.HIT)]
            at = match.end()
        found.append(Part(part.text[at:], part.role))
    return tuple(part for part in found if part.text)


def _words(inert_parts: Row) -> Iterable[Part]:
    for part in inert_parts:
        for word in re.findall(r"\s*\S+\s*|\s+", part.text):
            yield Part(word, part.role)


def _pieces(word: str, width: int) -> Iterable[str]:
    while cell_len(word.rstrip()) > width:
        head = cut(word, width)
        yield head
        word = word[len(head) :]
    yield word


def cut(shown: str, width: int) -> str:
    """The longest head of `shown` in at most `width` cells: whole characters with their marks."""
    if shown.isascii():
        return shown[: max(0, width)]
    taken = index = 0
    for start, end, _ in split_graphemes(shown)[0]:
        taken += cell_len(shown[start:end])
        if taken > width:
            break
        index = end
    return shown[:index]


def first_character(shown: str) -> str:
    """The first character of inert text with the marks that stand on it; "" of ""."""
    spans = split_graphemes(shown)[0] if shown else []
    return shown[: spans[0][1]] if spans else ""
