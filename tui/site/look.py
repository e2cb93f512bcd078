"""The look of a site's screen, as it was chosen last: `DATA/SITE/look` has the name of the theme.

Rules that hold here:
- What the file says is not believed: whoever reads it looks whether there is such a theme.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tui.site.draft import replace_file

NAME_BYTES_MAX: Final = 100


class LookFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "look"

    def load(self) -> str:
        """Empty if none was chosen, or it cannot be read."""
        try:
            with self._path.open("rb") as file:
                return file.read(NAME_BYTES_MAX).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def save(self, theme: str) -> None:
        """Raises OSError."""
        replace_file(self._path, f"{theme}\n".encode())
