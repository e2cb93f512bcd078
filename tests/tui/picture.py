"""Draws docs/screen*.svg: the screen of one of five real sites on loopback, at three sizes (`make picture`).

What is seen was done: tweets, a block, a hole that was filled with a no-op, and one that is still open. The sites live
in a temporary folder; a file is refused if it names a place of this machine. Other scenes are held at the same sizes
by the golden files. The lab's pictures are drawn with these (`tests.tui.lab_picture`).
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from engine.core.ids import SiteId
from engine.site_files import files_of
from tests.real_cluster import Json, RealCluster
from tests.tui import lab_picture, svg
from tests.tui.pilots import SIZES, WIDE, Driven
from tui.app import LoggosApp
from tui.hops import Hop, Leaving

SITES: Final = ("alice", "bob", "carol", "dave", "erin")
TIMINGS: Final = "heartbeat_ms: 200\nfill_every_s: 120\n"
"""Holes stay open until they are seen."""


class Story:
    """What happens at the sites, told through their control sockets."""

    def __init__(self, cluster: RealCluster) -> None:
        self._cluster = cluster

    async def ask(self, site: str, method: str, **params: object) -> Json:
        return await asyncio.to_thread(self._cluster.ask, site, method, dict(params))

    async def tweet(self, site: str, text: str, timeout_s: float = 10) -> None:
        await self.ask(site, "submit", kind="tweet", text=text, timeout_s=timeout_s)

    async def leave_a_hole(self, author: str, theirs: str, after: str) -> int:
        """The author's tweet reaches bob alone, who writes behind it and cannot settle it; returns its slot."""
        others = [site for site in SITES if site != author]
        deaf = ",".join(site for site in others if site != "bob")
        slot: int = (await self.ask(author, "status"))["next"]
        await self.ask(author, "faults.add", rule=f"to={deaf} type=accept drop")
        await self.tweet(author, theirs, timeout_s=1)
        await self.ask(author, "faults.add", rule=f"partition {author} | {','.join(others)}")
        await self.ask("bob", "faults.add", rule=f"to=* type=prepare,accept slot={slot} drop")
        await self.tweet("bob", after, timeout_s=2)
        return slot

    async def mend(self, *sites: str) -> None:
        for site in sites:
            await self.ask(site, "faults.clear")
        for site in SITES:
            await asyncio.to_thread(self._cluster.until_reached, site, len(SITES))


async def _act(story: Story, pilot: Driven) -> None:
    for site, text in (
        ("bob", "standup moved to 10"),
        ("alice", "lunch at noon?"),
        ("carol", "the harbour lights are on again"),
        ("erin", "who has the projector?"),
        ("dave", "back in five minutes"),
    ):
        await story.tweet(site, text)
    await story.ask("dave", "submit", kind="block", target="erin", timeout_s=10)
    filled = await story.leave_a_hole("dave", "the projector is with me", "room 4 is free until noon")
    await pilot.press("3")
    await pilot.until_shown(f"{filled} ◇ promised")
    await story.ask("alice", "faults.add", rule=f"from=bob,dave type=promise slot={filled} drop")
    await pilot.press("H", "f")
    await pilot.until_shown("f again starts")
    await pilot.press("f")
    await pilot.until_shown(f"slot {filled} filled with a no-op")
    await story.mend("alice", "bob", "dave")
    await pilot.press("c", *"deploy is green", "enter")
    await pilot.until_shown("created at slot")
    opened = await story.leave_a_hole("erin", "so is the staging one", "then I go on with the release notes")
    await pilot.until_shown(f"{opened} ◇ promised")
    await pilot.until_shown("erin○ silent")
    await pilot.press("g", *str(filled), "enter")
    await pilot.until(lambda: re.search(rf"> +{filled} ∅ no-op", pilot.text()), "never gone to")
    await pilot.press("enter")
    await pilot.until_shown("quorum of ")  # the trace says "learned here" too
    await pilot.until(lambda: pilot.trace._rate_timer is None, "the trace never rests")
    await pilot.pause()


def _name(size: tuple[int, int]) -> str:
    return "screen.svg" if size == WIDE else f"screen-{size[0]}x{size[1]}.svg"


async def _draw(cluster: RealCluster) -> dict[str, str]:
    """The pictures by their names."""
    files = files_of(cluster.data_path, "alice")
    app = LoggosApp([Hop(SiteId("alice"), files.control, files.log, cluster.sites_path)], Leaving.DETACHES)
    async with Driven.of(app, WIDE) as driven:
        await driven.until_shown("QUORUM 5/5")
        await _act(Story(cluster), driven)
        drawn = {}
        for size in SIZES:
            await driven.resize(*size)
            drawn[_name(size)] = app.export_screenshot(title="loggos")
        return drawn


def main() -> None:
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as folder, RealCluster(Path(folder), SITES, TIMINGS) as cluster:
        cluster.serve_all()
        pictures = asyncio.run(_draw(cluster))
    svg.write(pictures | asyncio.run(lab_picture.draw()))


if __name__ == "__main__":
    main()
