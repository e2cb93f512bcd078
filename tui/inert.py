"""Text that people wrote, made harmless before it reaches a terminal.

Rules that hold here:
- User text is data: what is not printable is shown as the escape that names it, so that nothing hides (bidi and
  zero-width marks) and nothing acts (control sequences). The store keeps the original.
- Spaces stay spaces: any other space of Unicode is shown as plain ones of its width.
- No mark reaches outside its own cell: combining marks stand on a character, at most a few of them.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MARKS_MAX: Final = 3
"""Combining marks shown on one character; more pile up into the lines above (no language needs more)."""

_WIDE_SPACE: Final = "\u3000"

_EMOJI_FORM: Final = "\ufe0f"
"""Asks for the colour form of the character before it; elsewhere it would hide."""

_EMOJI_BASES: Final = frozenset("#*0123456789\u203c\u2049\u3030\u303d")
"""Characters that have a colour form and are no symbols."""

_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters by Unicode, which show nothing."""


def escaped(character: str) -> str:
    """The visible name of one character, as Python writes it: `\\u202e`."""
    return character.encode("unicode_escape").decode("ascii")


def inert(text: str) -> str:
    """`text` as one printable line that no terminal acts upon."""
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = MARKS_MAX  # nothing to stand on yet
    before = ""
    for character in text:
        category = unicodedata.category(character)
        if category == "Zs":
            shown.append("  " if character == _WIDE_SPACE else " ")
            marks = 0
        elif not character.isprintable() or character in _FILLERS:
            shown.append(escaped(character))
            marks = MARKS_MAX
        elif character == _EMOJI_FORM and not _has_emoji_form(before):
            shown.append(escaped(character))
        elif category in {"Mn", "Me"}:
            shown.append(character if marks < MARKS_MAX else escaped(character))
            marks += 1
        else:
            shown.append(character)
            marks = 0
        before = character
    return "".join(shown)


def _has_emoji_form(character: str) -> bool:
    """Whether a character may have a colour form: a symbol beyond ASCII, or one of a few others."""
    return character in _EMOJI_BASES or (not character.isascii() and unicodedata.category(character)[0] == "S")
