"""The end of an engine's log file, for whoever finds the engine gone.

Rules that hold here:
- What another engine of the site wrote before is not shown as the last words of this one, which may have been told to
  write elsewhere (`serve` in a terminal).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

TAIL_BYTES: Final = 4_096
TAIL_LINES: Final = 6
LOGGED_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
"""How a line begins: in UTC. One that begins otherwise goes on with the line above it."""


def tail(path: Path, since: str | None) -> tuple[str, ...]:
    """The last lines that were written `since` then (UTC), None: ever; none where the file cannot be read."""
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    began = None if since is None else LOGGED_AT.match(since)
    if began is not None:
        stamps = ((index, LOGGED_AT.match(line)) for index, line in enumerate(lines))
        lines = lines[next((index for index, stamp in stamps if stamp and stamp[0] >= began[0]), len(lines)) :]
    return tuple(lines[-TAIL_LINES:])
