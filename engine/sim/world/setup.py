"""What a world is made of, before anything happens in it.

Rules that hold here:
- A setup is data: worlds of the same setup to which the same is done are the same, event for event.
- Times are milliseconds of the world's clock, which all sites share and none can read.
- A link is (from, to): what is cut or bad in one direction may be fine in the other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from engine.core.ids import SiteId, Tick
from engine.core.settings import CHANGE_LAG, Leadership, Timings


@dataclass(frozen=True, slots=True)
class Weather:
    """What a link does to one datagram: probabilities, and delays in milliseconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay_min: int = 1
    delay_spread: int = 4
    late: float = 0.0
    """How often a datagram is held up for much longer, up to `late_max`, short delays being the likelier ones."""
    late_max: int = 0
    stale: float = 0.0
    """How often some earlier datagram of the same link comes again beside this one, however old it is."""


CLEAR: Final = Weather()

STEADY: Final = Weather(delay_min=1, delay_spread=1)
"""A link on which everything takes 1 ms."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The world before anything happens. `links[i][j]` is the weather from site i to site j."""

    seed: int
    names: tuple[SiteId, ...]
    leadership: tuple[Leadership, ...]
    """Of each site: sites of different settings stay safe together (L4)."""
    timings: Timings
    page_bytes: int
    links: tuple[tuple[Weather, ...], ...]
    disk_ms: tuple[int, ...]
    """How long a sync takes at each site; what arrives meanwhile is merged into one pass."""
    tick_late_ms: int
    """How much later than its deadline a site's timer fires."""
    heartbeats: tuple[tuple[SiteId, Tick], ...] = ()
    """The sites whose heartbeat interval is another than that of `timings`."""
    stamps: tuple[tuple[SiteId, tuple[int, ...]], ...] = ()
    """The sites whose wall clock is wrong, and what it says at their events in turn, in ms since 1970 (W5)."""
    chosen_waits_ms: int = 0
    """How long a site waits for something else to commit before it commits what others have chosen."""
    later: tuple[SiteId, ...] = ()
    """Those that are no founders of the cluster: they run, and belong to it when the log says so."""
    change_lag: int = CHANGE_LAG
    """After how many slots a change of who votes takes effect (M1)."""

    def between(self) -> dict[tuple[SiteId, SiteId], Weather]:
        """The weather from each site to each other one."""
        named = list(enumerate(self.names))
        return {(a, b): self.links[i][j] for i, a in named for j, b in named if i != j}

    @property
    def usual(self) -> Weather:
        """The most common weather between two sites."""
        between = self.between()
        return Counter(between.values()).most_common(1)[0][0] if between else self.links[0][0]
