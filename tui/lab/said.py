"""A line of a scenario as the screen says it, where the language is too short for a reader who does not know it."""

from __future__ import annotations

import re
from typing import Final

_NOTHING_CHOSEN: Final = re.compile(r"\Aexpect chosen ([0-9]+) = nothing\Z")
"""No value is chosen: an entry without effect, which is one, is a no-op."""


def for_people(words: str) -> str:
    return _NOTHING_CHOSEN.sub(r"expect slot \1: nothing chosen", words)
