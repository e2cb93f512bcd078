"""What the screen is asked to show, and what leaving it does.

Rules that hold here:
- Importing this file is cheap: the commands build hops without loading Textual.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from engine.core.ids import SiteId
from tui import advice


@dataclass(frozen=True, slots=True)
class Hop:
    """A site whose screen can be shown: its engine's control socket, log file and sites file."""

    site: SiteId
    socket_path: Path
    log_path: Path
    sites_path: Path

    @property
    def folder(self) -> Path:
        """The site's folder, `DATA/SITE` (the socket may lie elsewhere)."""
        return self.log_path.parent

    def command(self, name: str) -> str:
        """What a person types to have this site do it."""
        return advice.command(self.sites_path, self.folder.parent, name, self.site)


class Leaving(Enum):
    """What becomes of the engines when the screen is left."""

    ASK = "ask"  # this call started the engine: stop it, or leave it running?
    STOPS_ALL = "stops-all"  # the demo: whoever called stops every engine afterwards
    DETACHES = "detaches"  # the engine ran before and goes on


class Glyphs(Enum):
    """Of what the screen is drawn."""

    ALL = "all"
    ASCII = "ascii"
