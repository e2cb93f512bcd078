"""Looking for words in the log and the timeline, page by page from the newest slot back.

Rules that hold here:
- Of what is looked at the numbers of the hits are held, HITS_MAX of them at most, and nothing else.
- Above is older and below is newer, as the rows stand on the screen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable
from typing import Final

from engine.contract.requests import Log
from engine.core.ids import Slot
from tui.site.model import SiteModel
from tui.site.wording import line_words

PAGE: Final = 200
HITS_MAX: Final = 10_000

Progress = Callable[[int], None]
"""Told of the slot that is reached, once a page."""


class Search:
    """The slots of `place` (the log or the timeline) that hold `words`."""

    def __init__(self, words: str, place: str) -> None:
        self.words = words
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
        look = _in_timeline if self.place == "timeline" else _in_log
        async for slot in look(model, self.words, after, newest + 1, progress):
            found.append(slot)
            self.hits = [*known, *found[::-1]]
            yield slot
            if len(self.hits) >= HITS_MAX:
                return
        self.whole = True

    def above(self, slot: int) -> int | None:
        """The next hit above a slot; above the first one, the last."""
        return self.hits[bisect_left(self.hits, slot) - 1] if self.hits else None

    def below(self, slot: int) -> int | None:
        return self.hits[bisect_right(self.hits, slot) % len(self.hits)] if self.hits else None

    def which(self, slot: int) -> str:
        """`2 of 17`, counted from above."""
        return f"{bisect_left(self.hits, slot) + 1:,} of {'' if self.whole else 'at least '}{len(self.hits):,}"


async def _in_log(model: SiteModel, words: str, after: int, below: int, progress: Progress) -> AsyncIterator[int]:
    """The slots above number `after` and below `below` whose entry holds `words`, in any case, highest first."""
    wanted = words.casefold()
    last = below - 1
    while last > after:
        progress(last)
        page = await model.link.ask(Log(first=Slot(after + 1), last=Slot(last), limit=PAGE))
        for line in reversed(page.lines):
            said = f"{line.author or ''} {line.kind or ''} {line.state} {line_words(line)}"
            if wanted in said.casefold():
                yield line.slot
        last = page.lines[0].slot - 1 if page.lines else after


async def _in_timeline(model: SiteModel, words: str, after: int, below: int, progress: Progress) -> AsyncIterator[int]:
    """As `_in_log`, among the tweets that this site may read."""
    wanted = words.casefold()
    before = below
    while before > after + 1:
        progress(before)
        page = await model.read_timeline(PAGE, before)
        for line in reversed(page.lines):
            if line.slot > after and wanted in f"{line.author} {line.text}".casefold():
                yield line.slot
        before = page.lines[0].slot if page.lines else 0
