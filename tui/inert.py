"""Text that people wrote, made harmless before it reaches a terminal.

Rules that hold here:
- User text is data: what is not printable is shown as the escape that names it, so that nothing hides (bidi and
  zero-width marks) and nothing acts (control sequences). The store keeps the original.
- Spaces stay spaces: any other space of Unicode is shown as plain ones of its width.
- No mark reaches outside its own cell: combining marks stand on a character, at most a few of them.
- What terminals give different widths is shown another way, where that can be (`tui.rows` counts the rest).
"""

from __future__ import annotations

import unicodedata
from typing import Final

MARKS_MAX: Final = 3
"""Combining marks shown on one character; more pile up into the lines above (no language needs more)."""

_WIDE_SPACE: Final = "\u3000"

_EMOJI_FORM: Final = "\ufe0f"
"""Asks for the colour form of the character before it. Terminals disagree whether that is wider, so after a symbol or
a digit it is left out, which shows the same character in its plain form."""

_NAMED: Final = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff\u115f\u1160\u3164\uffa0")
"""Printable by Unicode, but shown as escapes: skin tones, which are a character of their own on some terminals and
none on others, and fillers, which show nothing."""


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
        elif not character.isprintable() or character in _NAMED:
            shown.append(escaped(character))
            marks = MARKS_MAX
        elif character == _EMOJI_FORM and before[:1] in {"S", "P", "N"}:
            pass
        elif category in {"Mn", "Me"}:
            shown.append(character if marks < MARKS_MAX else escaped(character))
            marks += 1
        else:
            shown.append(character)
            marks = 0
        before = category
    return "".join(shown)
