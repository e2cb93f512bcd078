"""The screen in ASCII, for terminals and fonts that have nothing else: what leaves for the terminal is translated.

Rules that hold here:
- One cell stays one cell, so nothing else knows of it. Signs that mean different things stay different.
- It is for the signs of the program: frames, bars, marks. The letters that people write stay as they are; of the signs
  that both use, the store and every other output keep the original.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from tui.terminal import Terminal

_SIGNS: Final[Mapping[str, str]] = {
    "·": "-",
    "…": "~",
    "±": "~",
    "“": '"',
    "”": '"',
    "✓": "+",
    "✗": "x",
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "▼": "v",
    "▶": ">",
    "◀": "<",
    "●": "*",
    "○": "-",
    "◐": "%",
    "■": "#",
    "□": "_",
    "◧": "=",
    "◇": "o",
    "◆": "@",
    "∅": "0",
    "⊘": "/",
    "🔎": "? ",
}
_FRAMES: Final = range(0x2500, 0x2580)
_BLOCKS: Final = range(0x2580, 0x25A0)
"""Parts of cells; the lower ones are bars of a chart, and the ends of scroll bars."""
_BARS: Final = dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))


def _of_frame(character: str) -> str:
    name = unicodedata.name(character)
    if "DIAGONAL" in name:
        return "/"
    if any(turn in name for turn in (" AND ", " DOWN", " UP", "ARC")) and "DASH" not in name:
        return "+"
    if "VERTICAL" in name:
        return ":" if "DASH" in name else "|"
    return "=" if "HEAVY" in name else "-"


_TABLE: Final = str.maketrans(
    {chr(code): _of_frame(chr(code)) for code in _FRAMES} | {chr(code): " " for code in _BLOCKS} | _BARS | dict(_SIGNS)
)


def in_ascii(text: str) -> str:
    return text.translate(_TABLE)


class AsciiTerminal(Terminal):
    def write(self, data: str) -> None:
        super().write(in_ascii(data))
