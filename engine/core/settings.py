"""What a replica is told once: who it is, who the others are, and how long things take.

Rules that hold here:
- All times are in ticks (milliseconds); all names of a cluster are sorted, so that every site numbers them alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from engine.core.ids import NUMBER_MAX, SiteId, Tick, quorum_size

WINDOW_SLOTS: Final = 65_536
"""How far above its prefix a site votes or learns; what is further is asked for, not believed (R6)."""

ROUND_LEAP_MAX: Final = 2**32
"""How far above the highest round seen a prepare may reach (R6)."""

ROUND_MAX: Final = NUMBER_MAX // 2
"""Rounds end here, so that whoever has seen one can still draw a higher one that the wire carries (W2, W5)."""

BACKOFF_MAX: Final = Tick(2_000)
"""The longest wait between two attempts of duelling proposers (B4)."""

HEARTBEAT_MIN: Final = Tick(50)
HEARTBEAT_MAX: Final = Tick(60_000)
"""What a heartbeat interval may be, a peer's too: its silence is borne for a few of them, never for ever (R6)."""

CHANGE_LAG: Final = 2_048
"""w: a change of the members takes effect so many slots after its own (M1). As many as a leader has in flight at the
most (`flight_bytes`, at the fewest bytes that an entry takes), so that it holds nobody up; and no more, for so many
no-ops follow a change."""

CHOSEN_WAITS_MAX: Final = Tick(3)
"""How long what others have chosen waits to be committed along with what this site says next."""

YIELD_MAX: Final = Tick(10_000)
"""The longest that the hole filler yields to another attempt at one slot (R3)."""


class Leadership(StrEnum):
    NONE = "none"
    LAST_AUTHOR = "last-author"
    ELECTED = "elected"


@dataclass(frozen=True, slots=True)
class Timings:
    heartbeat: Tick = Tick(500)
    retransmit: Tick = Tick(200)
    fill_every: Tick = Tick(3_000)
    scan_every: Tick = Tick(15_000)


@dataclass(frozen=True, slots=True)
class Settings:
    site: SiteId
    sites: tuple[SiteId, ...]  # with whom the cluster began (M1), sorted; without this site where it was added later
    leadership: Leadership
    timings: Timings = Timings()
    page_bytes: int = 1_100
    """The budget for the entries of one message, so that it fits one datagram (A4, W4)."""
    flight_bytes: int = 262_144
    """How much a leader has in flight at a time: what a peer's receive buffer holds while its disk is slow."""
    change_lag: int = CHANGE_LAG
    """The same at all sites of a cluster (M1)."""
    contacts: tuple[SiteId, ...] = ()
    """Whom it asks beside these, until the log names this site: who was added may meet none of the first any more."""

    quorum: int = field(init=False)
    peers: tuple[SiteId, ...] = field(init=False)  # all but this site
    founders: str = field(init=False)
    """The digest of `sites`: who begins with other sites is in another cluster, whatever its name and key."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "quorum", quorum_size(len(self.sites)))
        object.__setattr__(self, "peers", tuple(site for site in self.sites if site != self.site))
        object.__setattr__(self, "founders", founders_digest(self.sites))


@lru_cache(maxsize=64)
def founders_digest(sites: tuple[SiteId, ...]) -> str:
    return sha256("\n".join(sorted(sites)).encode()).hexdigest()[:16]
