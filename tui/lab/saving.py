"""Saving what was done as a scenario file.

Rules that hold here:
- A file that is there is replaced only by who said so; it is written whole or not at all.
- What is told is a command that opens it, complete, wherever it is typed.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

from engine.sim.scenario.schedule import Schedule
from engine.sim.scenario.write import write
from tui.lab.bench import Bench
from tui.typed_words import typed_path

SUFFIX: Final = ".scenario"


def place(typed: str) -> Path:
    """The file that is meant; a name without an ending is given one."""
    path = typed_path(typed)
    return path if path.suffix else path.with_name(path.name + SUFFIX)


def save(path: Path, schedule: Schedule, comment: str) -> None:
    """Raises OSError."""
    half = path.with_name(f".{path.name}.half")
    try:
        half.write_text(write(schedule, comment), encoding="utf-8")
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def command(path: Path) -> str:
    """What opens it, from anywhere."""
    return f"loggos lab {shlex.quote(str(path.absolute()))}"


def begun(title: str) -> str:
    """A name to begin with."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "lab"
    return f"{slug.removesuffix('-scenario')}-mine{SUFFIX}"


def comment(bench: Bench) -> str:
    """What stands first in the file."""
    about = bench.exhibit.about
    return f"{bench.reel.title}, as it was done in the lab up to step {bench.reel.position}." + (
        f" It began as: {about}" if about else ""
    )
