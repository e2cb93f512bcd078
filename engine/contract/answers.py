"""What the engine answers: a class is a shape of docs/control.md, for whoever writes it and reads it.

Rules that hold here:
- Texts are as people wrote them: nothing here is fit to print before `inert`. `at` is UTC; ballots print as `2.alice`.
- A word that a later version may add to (a state, an outcome, a phase) is a string.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Generic, Self, TypeVar

from msgspec.structs import replace

from engine.contract.shape import ForScreens, Shape

_T = TypeVar("_T")


class Topic(StrEnum):
    TRACE = "trace"
    LOG = "log"
    OUTCOME = "outcome"
    STATUS = "status"
    FAULTS = "faults"
    RECORD = "record"


class OutcomeWord(StrEnum):
    """What became of an event (E2)."""

    CREATED = "created"
    LOST = "lost"
    NOT_CREATED = "not-created"
    UNKNOWN = "unknown"


class LogState(StrEnum):
    """What is known here of a slot."""

    CHOSEN = "chosen"
    ACCEPTED = "accepted"
    PROMISED = "promised"
    HOLE = "hole"


VOID: Final = "void"
"""The kind in a LogLine whose entry did not take effect (E5)."""


class Direction(StrEnum):
    OUT = "out"
    IN = "in"
    SELF = "self"  # no message: what the site concluded
    KEPT = "kept"  # nor this, in a RecordLine: what became durable


class Entry(Shape):
    """`kind` as in engine.core.entry.Kind; the others are None where they do not apply: of a no-op all are. `text` is
    a tweet's; of a change of the members the address, or the id of the store."""

    kind: str
    author: str | None
    id: str | None
    text: str | None
    target: str | None


class Outcome(Shape):
    """Of one event of this site; `outcome` as in OutcomeWord. `to`: what won the slot that it lost;
    `waits_for`: it is chosen at `slot`, and unknown until this slot is settled; `took_ms`: the engine's own time."""

    outcome: str
    id: str | None
    slot: int | None
    to: Entry | None
    reason: str | None
    waits_for: ForScreens[int | None]
    took_ms: ForScreens[int | None]

    @classmethod
    def not_created(cls, reason: str) -> Self:
        """Of an event that never had an id."""
        return cls(OutcomeWord.NOT_CREATED, None, None, None, reason, None, None)

    @classmethod
    def unknown(cls, reason: str, id_: str | None) -> Self:
        """Of an event of which the engine told no more than the id, or not even that."""
        return cls(OutcomeWord.UNKNOWN, id_, None, None, reason, None, None)


class OutcomeSpan(Shape):
    """Of `count` events that were submitted together, one after the other, and came to the same end: their ids are
    `first` to `last`, their slots `slot` to `last_slot`. The rest is as in Outcome, the same of all."""

    outcome: str
    count: int
    first: str | None
    last: str | None
    slot: int | None
    last_slot: int | None
    to: Entry | None
    reason: str | None
    waits_for: int | None
    took_ms: int | None

    def one(self, skip: int) -> Outcome:
        """Of one event, after so many."""
        slot = None if self.slot is None else self.slot + skip
        return Outcome(self.outcome, self._id(skip), slot, self.to, self.reason, self.waits_for, self.took_ms)

    def ones(self) -> list[Outcome]:
        """Of each event."""
        author, slash, number = (self.first or "").partition("/")
        first, slot, of_all = int(number or 0), self.slot, (self.to, self.reason, self.waits_for, self.took_ms)
        return [
            Outcome(
                self.outcome,
                f"{author}/{first + skip}" if slash else None,
                None if slot is None else slot + skip,
                *of_all,
            )
            for skip in range(self.count)
        ]

    def part(self, skip: int, count: int) -> OutcomeSpan:
        """Of so many events, after so many."""
        if count == self.count:
            return self
        last = skip + count - 1
        return replace(
            self,
            count=count,
            first=self._id(skip),
            last=self._id(last),
            slot=None if self.slot is None else self.slot + skip,
            last_slot=None if self.slot is None else self.slot + last,
        )

    def _id(self, skip: int) -> str | None:
        if self.first is None:
            return None
        author, _, number = self.first.partition("/")
        return f"{author}/{int(number) + skip}"


class Outcomes(Shape):
    """Of all that was submitted together, in its order."""

    spans: tuple[OutcomeSpan, ...]


class Attempt(Shape):
    """What this site is doing about a slot; `phase` as in engine.core.views.AttemptPhase."""

    slot: int
    phase: str
    ballot: str | None
    votes: tuple[str, ...]
    asked: tuple[str, ...]
    needed: int
    entry: Entry | None
    why: str
    since: str


class LogLine(Shape):
    """A slot of the log. `state` as in LogState; where it is not chosen, the entry is the accepted one. `kind`: the
    entry's, or VOID. `chosen_at`: the ballot at which it was chosen, None where that is not remembered; `acc_num` and
    `max_prepare` are of this site's acceptor, whatever was chosen. `at`: its author's clock."""

    slot: int
    state: str
    kind: str | None
    author: str | None
    id: str | None
    text: str | None
    target: str | None
    chosen_at: ForScreens[str | None]
    acc_num: ForScreens[str | None]
    max_prepare: ForScreens[str | None]
    at: ForScreens[str | None]
    attempt: ForScreens[Attempt | None]


class AcceptorLine(Shape):
    """The acceptor's variables of a slot; `state` as in LogLine, None for one above all that are known to be used."""

    slot: int
    max_prepare: str | None
    acc_num: str | None
    acc_val: Entry | None
    state: str | None


class MessageFate(StrEnum):
    """What a fault rule did to a message."""

    DROPPED = "dropped"
    HELD = "held"
    CHANGED = "changed"  # it goes on later, or twice


class TraceLine(Shape):
    """A message, or what the site concluded; `dir` as in Direction. `ranged`: it is of an election, for all slots from
    `slot` on, or of a prepare of several. `fate`: as in MessageFate, None where no rule touched it. `slots`: as in
    Held; of an election that the site stands for the first alone."""

    at: str
    dir: str
    peer: str | None
    type: str
    slot: int | None
    ballot: str | None
    note: str | None
    ranged: ForScreens[bool]
    fate: ForScreens[str | None]
    slots: ForScreens[tuple[tuple[int, int | None], ...]]

    @property
    def is_taken(self) -> bool:
        """Whether a fault rule keeps it from its way."""
        return self.fate in {MessageFate.DROPPED, MessageFate.HELD}


class SlotView(AcceptorLine):
    """The inspector's picture of a slot: the acceptor's variables and this site's messages about it."""

    learned: Entry | None
    void: bool
    attempt: Attempt | None
    hindered: str | None
    trace: tuple[TraceLine, ...]


class TimelineLine(Shape):
    slot: int
    author: str
    text: str
    at: str


class BlockLine(Shape):
    blocker: str
    blocked: str
    slot: int


class PlanLine(Shape):
    """What a fill would do about a slot, in the engine's words."""

    slot: int
    state: str | None
    action: str


class FillLine(Shape):
    """`result` as in engine.core.effects.FillResult."""

    slot: int
    result: str
    kind: str | None


class Filled(Shape):
    """What became of a fill; `why` is what keeps the lowest slot that is not settled, None where all are."""

    lines: tuple[FillLine, ...]
    why: str | None


class Lines(Shape, Generic[_T]):
    lines: tuple[_T, ...]


class NoOps(Shape):
    """Three learned no-ops in a row, or more. `change`: the slot of the change of the members that they bring into
    effect, None where there is none."""

    first: int
    last: int
    change: int | None


class LogPage(Shape):
    """`no_ops`: those that reach into the lines, with what lies beyond."""

    lines: tuple[LogLine, ...]
    used_max: int
    prefix: int
    no_ops: tuple[NoOps, ...]


class Found(Shape):
    """The slots that hold what was searched for, ascending, of all that were looked at: down to `reached`."""

    slots: tuple[int, ...]
    reached: int


class Waiting(Shape):
    """The first unlearned used slot, and how many learned ones wait above it."""

    slot: int
    later: int


class LinearizableRead(Shape):
    """What became of a linearizable read: `at` is the moment before which nothing is missing, None where that is not
    confirmed, because of `reason`: `answered` sites did, too few, or slot `waits_for` is not settled yet."""

    confirmed: bool
    bound: int | None
    at: str | None
    voters: tuple[str, ...]
    reason: str | None
    answered: ForScreens[int | None]
    waits_for: ForScreens[int | None]


class TimelinePage(Shape):
    """The newest lines below a slot, ascending; `shown` and `hidden` count the whole timeline."""

    lines: tuple[TimelineLine, ...]
    shown: int
    hidden: int
    prefix: int
    waiting: Waiting | None
    fresh: LinearizableRead | None


class LinearizablePage(TimelinePage):
    """Of a `view` with `fresh`: a linearizable read."""

    fresh: LinearizableRead


class SlotQuorum(Shape):
    """The sites that chose at `ballot`; `counted_by` is who counted them, None where their own variables tell it."""

    ballot: str
    sites: tuple[str, ...]
    counted_by: str | None


class SiteAccount(Shape):
    """A site's part in a biography; None is what is not known. `learned_how` as in engine.core.messages.How."""

    site: str
    answered: bool
    voting: bool | None
    max_prepare: str | None
    acc_num: str | None
    acc_val: Entry | None
    learned: bool | None
    learned_at: str | None
    learned_how: str | None
    learned_from: str | None


class BallotAccount(Shape):
    ballot: str
    promised: tuple[str, ...]
    accepted: tuple[str, ...]
    chosen: bool
    entry: Entry | None


class Biography(Shape):
    """What the sites that answered know of a slot; `state` as in engine.core.explained.biography.Progress."""

    slot: int
    state: str
    may_be_chosen: bool
    sentence: str
    entry: Entry | None
    void: bool
    quorum: SlotQuorum | None
    sites: tuple[SiteAccount, ...]
    ballots: tuple[BallotAccount, ...]


class Rule(Shape):
    number: int
    text: str
    on: bool
    hits: int
    expires_at: str | None
    while_connected: bool


class Held(Shape):
    """`slot` and `ballot`: the first that it is about; `slots`: all, each span with None for "and all after it"."""

    number: int
    at: str
    dir: str
    peer: str
    type: str
    slot: int | None
    ballot: str | None
    slots: tuple[tuple[int, int | None], ...]


class Faults(Shape):
    rules: tuple[Rule, ...]
    held: tuple[Held, ...]
    seed: int


class GivenUp(Shape):
    given_up: int


class Subscribed(Shape):
    subscribed: tuple[Topic, ...]


class Removed(Shape):
    removed: int


class Released(Shape):
    released: int


class Dropped(Shape):
    dropped: int


class Stopping(Shape):
    stopping: bool
