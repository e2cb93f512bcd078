"""Tweets that name the site here, as they come.

Rules that hold here:
- Only what came since one began to look is told, and only what the timeline shows: blocks hide, void entries are none.
- The engine looks for them: of what a busy site does, it tells the newest lines alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from engine.contract.answers import TimelineLine
from engine.contract.errors import RequestFailed
from engine.contract.requests import Search
from engine.core.ids import Slot
from tui.site.model import SiteModel

_BEFORE: Final = r"(?<![\w@])"
_BEHIND: Final = r"(?![\w-])"

Told = Callable[[TimelineLine, int], None]
"""Takes the newest of them, and how many came."""


@lru_cache(16)
def mention(site: str) -> re.Pattern[str]:
    return re.compile(rf"{_BEFORE}@{re.escape(site)}{_BEHIND}", re.IGNORECASE)


def names(line: TimelineLine, site: str) -> bool:
    """Whether somebody else names this site in it."""
    return line.author != site and mention(site).search(line.text) is not None


class Mentions:
    def __init__(self, model: SiteModel, told: Told) -> None:
        self._model = model
        self._told = told
        self._looked_to: Slot | None = None
        self._looks = False

    def forget(self) -> None:
        """From the next look on."""
        self._looked_to = None

    async def look(self) -> None:
        """Looks at what came since the last look. One that comes while another goes on is done by that."""
        if self._looks:
            return
        self._looks = True
        try:
            while await self._look_on():
                pass
        except RequestFailed:
            pass  # the connection is lost, or the engine stops: that is told elsewhere
        finally:
            self._looks = False

    async def _look_on(self) -> bool:
        """Whether there was something to look at."""
        prefix = Slot((await self._model.read_timeline(1, None)).prefix)
        before, self._looked_to = self._looked_to, prefix
        if before is None or prefix <= before:
            return False
        lines = [line for slot in await self._hits(before, prefix) for line in await self._line(slot)]
        named = [line for line in lines if names(line, self._model.site)]
        if named:
            self._told(named[-1], len(named))
        return True

    async def _hits(self, above: Slot, last: Slot) -> list[int]:
        """Ascending."""
        found: list[int] = []
        below = last + 1
        while below > above + 1:
            asked = Search(words=(f"@{self._model.site}",), first=Slot(above + 1), below=Slot(below), timeline=True)
            page = await self._model.link.ask(asked)
            found[:0] = page.slots
            below = page.reached
        return found

    async def _line(self, slot: int) -> tuple[TimelineLine, ...]:
        return (await self._model.read_timeline(1, slot + 1)).lines
