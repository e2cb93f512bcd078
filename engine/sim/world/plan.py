"""What a run is made of: the world as it is set up, and what is done to it, and when.

Rules that hold here:
- A plan is data. The same plan gives the same run, event for event; a seed draws one (`engine.sim.proving.swarm`), and
  taking acts out of it gives a smaller plan that still runs.
- Times are milliseconds of the world's clock, which all sites share and none can read; sites are named by their place
  in `Setup.names`.
- A link is (from, to): what is cut or bad in one direction may be fine in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.entry import Operation
from engine.core.ids import SiteId, Tick
from engine.core.settings import Leadership, Timings
from engine.sim.sometimes import CrashPoint


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


CLEAR = Weather()


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


@dataclass(frozen=True, slots=True)
class Submit:
    """A user submits; gives up `give_up_ms` later, if that is set and there is no outcome yet."""

    at: Tick
    site: int
    operation: Operation
    timeout: Tick
    retry: bool
    give_up_ms: int | None


@dataclass(frozen=True, slots=True)
class FillHoles:
    """A user asks for all holes to be filled (R3)."""

    at: Tick
    site: int


@dataclass(frozen=True, slots=True)
class Read:
    """A user asks for a certain view (R5)."""

    at: Tick
    site: int
    timeout: Tick


@dataclass(frozen=True, slots=True)
class Crash:
    """The process ends at the `points`-th crash point from `at` on, 0: at once, and starts again `down_ms` later.

    `only`: crash points of other kinds do not count. `kept` (0 to 1) is how much of what was written and not synced
    turns out to be durable.
    """

    at: Tick
    site: int
    points: int
    only: CrashPoint | None
    kept: float
    down_ms: int


@dataclass(frozen=True, slots=True)
class CrashAll:
    """All processes end at once and start again together."""

    at: Tick
    kept: float
    down_ms: int


@dataclass(frozen=True, slots=True)
class Pause:
    """The process stands still; what arrives waits, and its timers pile up."""

    at: Tick
    site: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The process's clock leaps ahead."""

    at: Tick
    site: int
    by_ms: int


@dataclass(frozen=True, slots=True)
class Cut:
    """These links carry nothing for a while; `shape` says what they make, for people."""

    at: Tick
    links: tuple[tuple[int, int], ...]
    for_ms: int
    shape: str


@dataclass(frozen=True, slots=True)
class FailSync:
    """The next sync fails; the site is started again `down_ms` after it stopped."""

    at: Tick
    site: int
    kept: float
    down_ms: int


@dataclass(frozen=True, slots=True)
class FillDisk:
    """The next write fails for want of room; there is room again when the site starts, `down_ms` after it stopped."""

    at: Tick
    site: int
    down_ms: int


@dataclass(frozen=True, slots=True)
class FlipBit:
    """A row of the store is damaged: that of the slot at `where` (0 to 1) of the log, None: the meta row."""

    at: Tick
    site: int
    where: float | None


@dataclass(frozen=True, slots=True)
class Wipe:
    """The process ends, its store is gone, and it starts again with a new one."""

    at: Tick
    site: int
    down_ms: int


@dataclass(frozen=True, slots=True)
class TakeCopy:
    """The operator copies the store's durable state."""

    at: Tick
    site: int


@dataclass(frozen=True, slots=True)
class PutBack:
    """The process ends, the last copy is put in the place of its store, and it starts again."""

    at: Tick
    site: int
    down_ms: int


Act = (
    Submit
    | FillHoles
    | Read
    | Crash
    | CrashAll
    | Pause
    | ClockJump
    | Cut
    | FailSync
    | FillDisk
    | FlipBit
    | Wipe
    | TakeCopy
    | PutBack
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: the acts in the order of their times, then, from `calm_at` on, no faults, and everything must settle."""

    setup: Setup
    acts: tuple[Act, ...]
    calm_at: Tick
