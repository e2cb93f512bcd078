"""Looking for words in the log and the timeline, from the newest slot back; the engine looks, at some slots a time.

Rules that hold here:
- Of what is looked at the numbers of the hits are held, HITS_MAX of them at most, and nothing else.
- Above is older and below is newer, as the rows stand on the screen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable
from typing import Final

from tui.site.model import SiteModel
from tui.sought import sought

HITS_MAX: Final = 10_000

Progress = Callable[[int], None]
"""Told of the slot that is reached, once a page."""


class Search:
    """The slots of `place` (the log or the timeline) that hold what is sought, as it was `typed`."""

    def __init__(self, typed: str, place: str) -> None:
        """Raises NotSought."""
        self.typed = typed
        self.sought = sought(typed)
        self.place = place
        self.hits: list[int] = []
        """Ascending."""
        self.seen_to = 0
        """The newest slot that was looked at."""
        self.whole = False
        """Whether all slots up to that one were looked at."""

    async def look(self, model: SiteModel, progress: Progress) -> AsyncIterator[int]:
        """Looks at what was not looked at; each hit, the newest first. Raises RequestFailed."""
        newest = model.log.last
        after = self.seen_to if self.whole else 0
        known = self.hits if self.whole else []
        found: list[int] = []
        self.whole, self.seen_to = False, newest
        last = newest
        while last >= max(after + 1, self.sought.first):
            progress(last)
            page = await model.link.ask(self.sought.asked(last + 1, timeline=self.place == "timeline"))
            for slot in (each for each in reversed(page.slots) if each > after):
                found.append(slot)
                self.hits = [*known, *found[::-1]]
                yield slot
                if len(self.hits) >= HITS_MAX:
                    return
            last = page.reached - 1
        self.whole = True

    def above(self, slot: int) -> int | None:
        """The next hit above a slot; above the first one, the last."""
        return self.hits[bisect_left(self.hits, slot) - 1] if self.hits else None

    def below(self, slot: int) -> int | None:
        return self.hits[bisect_right(self.hits, slot) % len(self.hits)] if self.hits else None

    def which(self, slot: int) -> str:
        """`2 of 17`, counted from above."""
        return f"{bisect_left(self.hits, slot) + 1:,} of {'' if self.whole else 'at least '}{len(self.hits):,}"
