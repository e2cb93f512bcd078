"""What is done to a world: what its users do, and what happens to its links, processes and stores.

Rules that hold here:
- An act takes no time of the world's: it is done at one moment, and what follows from it follows by itself.
- Acts are data, and name their sites. Times are milliseconds.
- Where an act has an end of its own, as `down_ms` or `for_ms`, None leaves that to another act.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.entry import Kind, Operation
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.sim.sometimes import CrashPoint

Links = tuple[tuple[SiteId, SiteId], ...]
"""Each one way, from and to."""


# What users do


@dataclass(frozen=True, slots=True)
class Submit:
    """A user submits, several at once together; gives up `give_up_ms` later, if that is set and there is no outcome
    yet."""

    site: SiteId
    operations: tuple[Operation, ...]
    timeout: Tick
    retry: bool
    give_up_ms: int | None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The user who submitted an event stops waiting."""

    event: EventId


@dataclass(frozen=True, slots=True)
class FillHoles:
    """A user asks for all holes to be filled (R3)."""

    site: SiteId


@dataclass(frozen=True, slots=True)
class Read:
    """A user asks for a linearizable view (R5)."""

    site: SiteId
    timeout: Tick


@dataclass(frozen=True, slots=True)
class Readmission:
    """A user at `site` asks that `member` votes with the store that it has now (M3), as far as `site` knows it."""

    site: SiteId
    member: SiteId


# Links


@dataclass(frozen=True, slots=True)
class MembersChange:
    """A user at `site` asks that `member` is added, promoted, removed or moved (M3); `kind` is that of the entry."""

    site: SiteId
    kind: Kind
    member: SiteId


@dataclass(frozen=True, slots=True)
class Cut:
    """These links carry nothing; `shape` says what they make, for people."""

    links: Links
    for_ms: int | None
    shape: str


@dataclass(frozen=True, slots=True)
class Narrow:
    """These links lose packets that are longer than so many bytes, headers included."""

    links: Links
    packet_bytes_max: int


@dataclass(frozen=True, slots=True)
class Mend:
    """All cuts end, and all links are wide."""


# Processes


@dataclass(frozen=True, slots=True)
class Crash:
    """The process ends at the `points`-th crash point from now, 0: at once, and starts again `down_ms` later.

    `only`: crash points of other kinds do not count. `kept` (0 to 1) is how much of what was written and not synced
    turns out to be durable.
    """

    site: SiteId
    points: int
    only: CrashPoint | None
    kept: float
    down_ms: int | None


@dataclass(frozen=True, slots=True)
class CrashAll:
    """All processes end at once and start again together."""

    kept: float
    down_ms: int | None


@dataclass(frozen=True, slots=True)
class Restart:
    """These sites, or (none named) all that are down."""

    sites: tuple[SiteId, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """The process stands still; what arrives waits, and its timers pile up."""

    site: SiteId
    for_ms: int


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The process's clock leaps ahead."""

    site: SiteId
    by_ms: int


# Stores


@dataclass(frozen=True, slots=True)
class FailSync:
    """The next sync fails; the site is started again `down_ms` after it stopped."""

    site: SiteId
    down_ms: int | None


@dataclass(frozen=True, slots=True)
class FillDisk:
    """The next write fails for want of room; there is room again when the site starts, `down_ms` after it stopped."""

    site: SiteId
    down_ms: int | None


@dataclass(frozen=True, slots=True)
class FlipBit:
    """A row of the store is damaged: that of a slot, or (a float) of the slot at this share of the log; None: the row
    about the whole store."""

    site: SiteId
    where: Slot | float | None


@dataclass(frozen=True, slots=True)
class Wipe:
    """The process ends, its store is gone, and it starts again with a new one."""

    site: SiteId
    down_ms: int | None


@dataclass(frozen=True, slots=True)
class Clear:
    """All sites begin anew together, on empty stores, and what was on its way is gone. No cluster bears that: what was
    acknowledged is forgotten. In a simulated one nobody is left to miss it."""


@dataclass(frozen=True, slots=True)
class TakeCopy:
    """The operator copies the store's durable state."""

    site: SiteId


@dataclass(frozen=True, slots=True)
class PutBack:
    """The process ends, the last copy is put in the place of its store, and it starts again."""

    site: SiteId
    down_ms: int | None


Act = (
    Submit
    | GiveUp
    | FillHoles
    | Read
    | Readmission
    | MembersChange
    | Cut
    | Narrow
    | Mend
    | Crash
    | CrashAll
    | Restart
    | Pause
    | ClockJump
    | FailSync
    | FillDisk
    | FlipBit
    | Wipe
    | Clear
    | TakeCopy
    | PutBack
)
