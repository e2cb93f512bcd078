"""With which exit status a site's screen is left.

Rules that hold here:
- Leaving a demo is done when it is left, whichever of its engines were killed on the way: its status is 0. Whoever
  leaves the screen of a site learns from its status that the site's engine is gone, and why.
"""

from __future__ import annotations

from typing import Final

from tui.hops import Leaving
from tui.site.connected import Gone, Stopped
from tui.site.model import SiteModel

NO_ENGINE_STATUS: Final = 5


def exit_status(model: SiteModel, leaving: Leaving) -> int:
    """What leaving now returns: the engine's own status if it stopped by itself, 5 if none is there, else 0."""
    if leaving is Leaving.STOPS_ALL:
        return 0
    match model.connection:
        case Stopped(_, status):
            return status
        case Gone():
            return NO_ENGINE_STATUS
        case _:
            return 0
