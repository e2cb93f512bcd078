"""Looking for words in the log and the timeline, page by page from a slot down, so that nothing is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tui.site import shapes
from tui.site.model import SiteModel
from tui.site.wording import line_words

PAGE: Final = 200

Progress = Callable[[int], None]
"""Told of the slot that is reached, once a page."""


async def find_in_log(model: SiteModel, words: str, below: int, progress: Progress) -> int | None:
    """The highest slot below `below` whose entry holds `words`, in any case. Raises RpcError, LinkLost, BadAnswer."""
    wanted = words.casefold()
    last = below - 1
    while last >= 1:
        progress(last)
        page = shapes.log_page(await model.link.call("log", {"from": 1, "to": last, "limit": PAGE}))
        for line in reversed(page.lines):
            said = f"{line.author or ''} {line.kind or ''} {line.state} {line_words(line)}"
            if wanted in said.casefold():
                return line.slot
        last = page.lines[0].slot - 1 if page.lines else 0
    return None


async def find_in_timeline(model: SiteModel, words: str, below: int, progress: Progress) -> int | None:
    """As `find_in_log`, among the tweets that this site may read."""
    wanted = words.casefold()
    before = below
    while before > 1:
        progress(before)
        page = await model.read_timeline(PAGE, before)
        for line in reversed(page.lines):
            if wanted in f"{line.author} {line.text}".casefold():
                return line.slot
        before = page.lines[0].slot if page.lines else 0
    return None
