"""Pictures of screens for docs/, as Textual exports them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"

_FONT_FILES: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_PLACES_HERE: Final = re.compile(r"/(?:home|root|tmp|Users|work|var)/")


def write(pictures: Mapping[str, str]) -> None:
    """Pictures by their names. One that names a place of this machine is refused."""
    for name, drawn in pictures.items():
        found = _PLACES_HERE.search(drawn)
        if found is not None:
            raise SystemExit(f"{name} names a place of this machine ({found[0]}): it is not written")
        lines = (line.rstrip() for line in _FONT_FILES.sub("", drawn).splitlines())
        (DOCS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
