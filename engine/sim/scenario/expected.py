"""What a scenario expects, one frozen dataclass each.

Rules that hold here:
- An expectation says only what it names: `promised 2.alice` says nothing of what is accepted there.
- It is about one moment of the world's clock: the one at which its line is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.core.ids import Ballot, EventId, SiteId, Slot
from engine.core.storage import EventState
from engine.sim.scenario.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Text:
    """Any tweet with this text."""

    text: str


@dataclass(frozen=True, slots=True)
class NoopEntry:
    """The no-op."""


What = EventId | Text | NoopEntry


@dataclass(frozen=True, slots=True)
class Promised:
    ballot: Ballot | None


@dataclass(frozen=True, slots=True)
class AcceptedIs:
    """`what` is None where any entry will do, and where `ballot` is None: nothing is accepted."""

    ballot: Ballot | None
    what: What | None


@dataclass(frozen=True, slots=True)
class LearnedIs:
    """`what` is None where any entry will do."""

    what: What | None


@dataclass(frozen=True, slots=True)
class NotLearned:
    pass


Fact = Promised | AcceptedIs | LearnedIs | NotLearned


@dataclass(frozen=True, slots=True)
class ExpectSlot:
    slot: Slot
    site: SiteId
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class ExpectOutcome:
    """What was told last of the event; None: nothing yet. `slot` is None where any will do."""

    event: EventId
    outcome: EventState | None
    slot: Slot | None


class ReadState(StrEnum):
    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class ExpectRead:
    """What became of the site's newest linearizable read (R5); `bound` is None where any will do."""

    site: SiteId
    state: ReadState
    bound: Slot | None


@dataclass(frozen=True, slots=True)
class ExpectLearned:
    """These sites, or (none named) all of them."""

    sites: tuple[SiteId, ...]
    slot: Slot
    what: What


@dataclass(frozen=True, slots=True)
class ExpectChosen:
    """A majority has durably accepted it at one ballot, whoever knows; None: nothing is chosen."""

    slot: Slot
    what: What | None


@dataclass(frozen=True, slots=True)
class ExpectHole:
    """The site knows that the slot is used, and has not learned it."""

    slot: Slot
    site: SiteId


class State(StrEnum):
    UP = "up"
    DOWN = "down"
    VOTING = "voting"
    NOT_VOTING = "not voting"
    LEADING = "leading"
    NOT_LEADING = "not leading"


@dataclass(frozen=True, slots=True)
class ExpectState:
    site: SiteId
    state: State


@dataclass(frozen=True, slots=True)
class ExpectStopped:
    """The site stopped itself by this rule: its store failed (D2), is refused (D3), or a broken rule was seen."""

    site: SiteId
    rule: str


@dataclass(frozen=True, slots=True)
class ExpectHeld:
    """How many datagrams that match are held; `count` is None where one or more will do."""

    pattern: Pattern
    count: int | None


@dataclass(frozen=True, slots=True)
class ExpectViolation:
    """The run ends here, at the latest, with a violation of this rule (of a replica that is broken on purpose)."""

    rule: str


@dataclass(frozen=True, slots=True)
class ExpectFollowing:
    """These sites, or (none named) all that run, follow this leader; None: they know of none."""

    sites: tuple[SiteId, ...]
    leader: SiteId | None


@dataclass(frozen=True, slots=True)
class ExpectElections:
    """How often a site came to lead since the first command."""

    count: int


Checkable = (
    ExpectSlot
    | ExpectOutcome
    | ExpectRead
    | ExpectLearned
    | ExpectChosen
    | ExpectHole
    | ExpectState
    | ExpectStopped
    | ExpectFollowing
    | ExpectElections
    | ExpectViolation
)
"""What can be told from the world alone."""

Expectation = Checkable | ExpectHeld
