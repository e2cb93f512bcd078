"""Films docs/movie.svg: the screen of one of five real sites on loopback, as it is used (`make movie`).

What is seen was done, in the time that it took: a tweet, a fault rule and the holes that it makes, a fill,
`kill -9` of the leader, and the next one. The sites live in a temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from engine.core.ids import SiteId
from engine.core.settings import Leadership
from engine.site_files import files_of
from tests.real_cluster import RealCluster
from tests.tui import svg
from tests.tui.film import Frame, film
from tests.tui.picture import SITES, Story
from tests.tui.pilots import Driven
from tui.app import LoggosApp
from tui.hops import Hop, Leaving

SIZE: Final = (100, 26)
TIMINGS: Final = "fill_every_s: 60\n"
"""Holes stay open until somebody fills them."""
RULE: Final = "from=* type=chosen,known,promise drop"
KEY_S: Final = 0.06
"""As fast as somebody types."""

LOOK_S: Final = 0.05


class Camera:
    """Takes a frame of whatever the screen shows anew."""

    def __init__(self, app: LoggosApp) -> None:
        self.caption = ""
        self._app = app
        self._frames: list[Frame] = []
        self._began_s = time.monotonic()

    async def run(self) -> None:
        self._began_s = time.monotonic()
        while True:
            self._take()
            await asyncio.sleep(LOOK_S)

    def film(self) -> str:
        return film(self._frames, time.monotonic() - self._began_s)

    def _take(self) -> None:
        drawn = self._app.export_screenshot(title="loggos")
        if not self._frames:
            self._frames.append(Frame(0.0, drawn, self.caption))
        elif (drawn, self.caption) != (self._frames[-1].drawn, self._frames[-1].caption):
            self._frames.append(Frame(time.monotonic() - self._began_s, drawn, self.caption))


class Hand:
    """Somebody at the keyboard."""

    def __init__(self, driven: Driven, camera: Camera) -> None:
        self._driven = driven
        self._camera = camera

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self._driven.press(key)
            await asyncio.sleep(KEY_S)

    async def see(self, words: str, then_s: float) -> None:
        """Waits until it is shown, then lets it be read."""
        await self._driven.until_shown(words)
        await self.lets_read(then_s)

    async def lets_read(self, seconds: float) -> None:
        """The time that whoever sees the film needs here: nothing is awaited by it."""
        await asyncio.sleep(seconds)

    def says(self, caption: str) -> None:
        self._camera.caption = caption


async def _act(cluster: RealCluster, hand: Hand, site: str) -> None:
    story, others = Story(cluster), [name for name in SITES if name != site]
    leader = (await story.ask(site, "status"))["leader"]
    hand.says(f"{site} writes a tweet. It is created once three of the five sites have it on their disks.")
    await hand.lets_read(1)
    await hand.press("c", *"lunch at noon?", "enter")
    await hand.see("created at slot", 2.5)

    hand.says(f"A fault rule: {site} is no longer told what the others choose.")
    await hand.press("6", "a", *RULE, "enter")
    await hand.see("drop", 1.5)
    await hand.press("3")
    for author, text in ((others[0], "the projector is broken"), (others[1], "room 4 is free")):
        await story.tweet(author, text)
    hand.says(f"The others go on. Their tweets leave holes in the log of {site}.")
    await hand.lets_read(3)

    hand.says(
        "F shows what filling the holes would do; F again does it. The rule is in the way, and the screen says so."
    )
    await hand.press("H", "F")
    await hand.see("F again starts", 4)
    await hand.press("F")
    await hand.lets_read(2.5)

    hand.says("With the rule removed, the holes are settled at once.")
    await hand.press("6", "x")
    await hand.lets_read(1)
    await hand.press("3")
    await hand.lets_read(2.5)

    hand.says(f"kill -9 of the leader, {leader}, and a tweet right after it.")
    await hand.press("1", "c", *"who leads now?")
    await asyncio.to_thread(cluster.engines[leader].kill)
    await hand.press("enter")
    await hand.see("created at slot", 0.5)
    hand.says("Within two seconds another site leads, and the tweet is created.")
    await hand.lets_read(3)

    hand.says("Enter on a slot shows who promised, who accepted, and which quorum chose it.")
    await hand.press("3", "end", "enter")
    await hand.see("quorum of", 6)


async def _film(cluster: RealCluster) -> str:
    leader = await asyncio.to_thread(_leader, cluster)
    site = next(name for name in SITES if name != leader)
    story = Story(cluster)
    for author, text in (("bob", "standup moved to 10"), ("carol", "the harbour lights are on again")):
        await story.tweet(author, text)
    files = files_of(cluster.data_path, site)
    app = LoggosApp([Hop(SiteId(site), files.control, files.log, cluster.sites_path)], Leaving.DETACHES)
    async with Driven.of(app, SIZE) as driven:
        await driven.until_shown("QUORUM 5/5")
        await driven.until_shown("harbour lights")
        camera = Camera(app)
        rolling = asyncio.create_task(camera.run())
        await _act(cluster, Hand(driven, camera), site)
        rolling.cancel()
        return camera.film()


def _leader(cluster: RealCluster) -> str:
    leader: str = cluster.ask(SITES[0], "status")["leader"]
    return leader


def main() -> None:
    os.environ.pop("NO_COLOR", None)
    with (
        tempfile.TemporaryDirectory() as folder,
        RealCluster(Path(folder), SITES, TIMINGS, Leadership.ELECTED) as cluster,
    ):
        cluster.serve_all()
        svg.write({"movie.svg": asyncio.run(_film(cluster))})


if __name__ == "__main__":
    main()
