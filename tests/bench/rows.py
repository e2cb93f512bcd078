"""What is measured, as data: the rows of the table, in their order.

Rules that hold here:
- Rows of one cluster stand together: it is started once for all of them.
- `against` is the name of a row of which this one's rate is told as a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.core.settings import Leadership
from tests.bench.cluster import Place, Shape

OUTSTANDING: Final = (1, 16, 256, 4_096)
BEHIND: Final = 100_000
MANY: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Alone:
    """Nothing beside the load."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A fault rule at each site drops so many of the messages that leave it."""

    percent: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A screen is attached to the client's site, follows the timeline, and somebody types."""

    columns: int = 160
    lines: int = 48


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many clients at the client's site subscribe to everything and never read."""

    clients: int = 50


Beside = Alone | Loss | Watched | Crowd


@dataclass(frozen=True, slots=True)
class Driven:
    """One client keeps so many events outstanding."""

    shape: Shape
    place: Place
    outstanding: int
    beside: Beside = Alone()


class Floor(StrEnum):
    """What the disk and the network of this machine allow without any protocol."""

    APPEND = "append and sync"
    SQLITE = "SQLite commit"
    ONE_ROUND = "two hops and parallel sync"
    TWO_ROUNDS = "the same, twice"


@dataclass(frozen=True, slots=True)
class Etcd:
    connections: int
    streams: int
    place: Place = Place.LEADER

    @property
    def outstanding(self) -> int:
        return self.connections * self.streams


@dataclass(frozen=True, slots=True)
class Unsynced:
    """PySyncObj, which keeps its log in memory; the client is in the leader's own process."""

    outstanding: int


@dataclass(frozen=True, slots=True)
class Behind:
    """A site lacks so many entries when it starts; `outstanding` events are under way at the leader meanwhile."""

    entries: int
    outstanding: int


@dataclass(frozen=True, slots=True)
class Full:
    """A site starts on a store of so many entries."""

    entries: int


@dataclass(frozen=True, slots=True)
class Idle:
    """Nobody asks for anything."""

    sites: int


Work = Floor | Etcd | Unsynced | Driven | Behind | Full | Idle


@dataclass(frozen=True, slots=True)
class Row:
    section: str
    name: str
    work: Work
    against: str | None = None

    @property
    def title(self) -> str:
        """What `ONLY` is looked for in."""
        return f"{self.section}: {self.name}"


def select(rows: Sequence[Row], only: Sequence[str]) -> list[Row]:
    """Those whose title holds one of these words, in any case; all where there is none."""
    return [row for row in rows if not only or any(word.lower() in row.title.lower() for word in only)]


def _loads(section: str, shape: Shape, place: Place, base: str | None = None) -> list[Row]:
    return [
        Row(
            section,
            _load_name(place, outstanding),
            Driven(shape, place, outstanding),
            _against(base, place, outstanding),
        )
        for outstanding in OUTSTANDING
    ]


def _load_name(place: Place, outstanding: int) -> str:
    return f"{outstanding:,} outstanding, {place}"


def _against(section: str | None, place: Place, outstanding: int) -> str | None:
    return None if section is None else f"{section}: {_load_name(place, outstanding)}"


def _beside(section: str, shape: Shape, outstanding: int, beside: Beside, what: str) -> Row:
    name = f"{outstanding:,} outstanding, {what}"
    base = _against(section, Place.LEADER, outstanding)
    return Row(section, name, Driven(shape, Place.LEADER, outstanding, beside), base)


_THREE: Final = Shape(3, Leadership.ELECTED)
_FIVE: Final = Shape(5, Leadership.ELECTED)
_ELECTED_3: Final = "elected, 3 sites"
_ELECTED_5: Final = "elected, 5 sites"
_ETCD: Final = "etcd, 3 nodes"
_UNSYNCED: Final = "PySyncObj, 3 sites, never syncs"

ROWS: Final[tuple[Row, ...]] = (
    *(Row("floor", floor, floor) for floor in Floor),
    *_loads(_ELECTED_3, _THREE, Place.LEADER),
    *_loads(_ELECTED_3, _THREE, Place.OTHER),
    *(_beside(_ELECTED_3, _THREE, 256, Loss(percent), f"{percent} % loss") for percent in (1, 10)),
    *(_beside(_ELECTED_3, _THREE, each, Watched(), "a screen follows") for each in (256, 4_096)),
    _beside(_ELECTED_3, _THREE, 256, Crowd(), "50 subscribers that never read"),
    *_loads(_ELECTED_5, _FIVE, Place.LEADER, _ELECTED_3),
    *_loads(_ELECTED_5, _FIVE, Place.OTHER, _ELECTED_3),
    *(
        row
        for leadership in (Leadership.LAST_AUTHOR, Leadership.NONE)
        for sites in (3, 5)
        for row in _loads(f"{leadership}, {sites} sites", Shape(sites, leadership), Place.AUTHOR)
    ),
    Row("catching up", f"{BEHIND:,} entries, no load", Behind(BEHIND, 0)),
    Row("catching up", f"{BEHIND:,} entries, 256 outstanding", Behind(BEHIND, 256)),
    Row("one site", f"{MANY:,} entries", Full(MANY)),
    Row("five sites", "idle", Idle(5)),
    *(
        Row(_ETCD, _load_name(work.place, work.outstanding), work)
        for work in (
            *(Etcd(*each) for each in ((1, 1), (1, 16), (4, 64), (8, 128), (16, 256))),
            *(Etcd(*each, Place.OTHER) for each in ((1, 1), (4, 64))),
        )
    ),
    *(Row(_UNSYNCED, f"{each:,} outstanding, in the leader", Unsynced(each)) for each in OUTSTANDING),
)
