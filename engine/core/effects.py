"""What a step returns: what to write, what to send, what to tell.

Rules that hold here:
- The core performs nothing. The node commits the writes, then sends, then tells, in that order, at one place (D1).
- Sends stand in the order in which they came up, whoever they go to: an acceptor is held to its order (A1). What leaves
  together is the turn's to say.
- A `stop` ends the site at once: evidence is committed, nothing is sent (A2, R1).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.core.entry import Entry
from engine.core.explained.biography import Biography
from engine.core.ids import Ballot, EventId, SiteId, Slot, Tick
from engine.core.messages import How, Message
from engine.core.storage import EventState, Write
from engine.core.value import Value


class Send(Value):
    to: SiteId
    message: Message


class SawLearned(Value):
    """A slot became learned here. `how`: `votes` (this site counted those), `chosen` or `known` (`source` said so)."""

    slot: Slot
    entry: Entry
    how: How
    ballot: Ballot | None
    source: SiteId
    votes: frozenset[SiteId] = frozenset()


class SawApplied(Value):
    """The prefix reached a slot (R2). `void`: its entry did not take effect (E5)."""

    slot: Slot
    entry: Entry
    void: bool


class SawNumbered(Value):
    """The event that was submitted with `token` is durable under this id (E1); its outcome follows."""

    token: int
    id: EventId


class SawOutcome(Value):
    """An event's outcome, told at most once each to `token` (None: nobody waits), `unknown` at most once before.

    `waits_for`: it is chosen at `slot`, and unknown until this slot is settled. `took_ms`: since it was submitted, None
    where it was before a restart.
    """

    token: int | None
    id: EventId | None
    outcome: EventState
    slot: Slot | None
    reason: str | None
    to_author: SiteId | None
    to_kind: str | None
    waits_for: Slot | None = None
    took_ms: Tick | None = None


class SawAttempt(Value):
    """An attempt at a slot moved: `preparing`, `fallback` (ballot 0 did not do: prepares, L2), `accepting`, `adopting`,
    `waiting` (backing off), `ended`; or an election did: `standing`, `leads`, `steps down` (L3).

    `why` is one sentence that a person reads; `until` is set while waiting.
    """

    slot: Slot
    phase: str
    ballot: Ballot | None
    why: str
    until: Tick | None = None


RANGE_PHASES: Final = frozenset({"standing", "leads", "steps down"})
"""The phases of an election: about all slots from the named one on."""


class SawHoles(Value):
    """The filler found unlearned used slots and asks for them: the lowest ones, and how many there are in all."""

    slots: tuple[Slot, ...]
    count: int


class SawHanded(Value):
    """`count` events of this site, `first` the first of them, left for the leader of ballot `leader`: to that site
    itself, or to `via`, who hears it (L3)."""

    first: EventId
    count: int
    leader: Ballot
    via: SiteId


class SawFilled(Value):
    """A slot that the filler worked on is settled: `recovered`, `no-op`, `learned`; or it is not for now: `no-quorum`,
    or `fault-rule` where a fault rule of this site is in the way."""

    slot: Slot
    result: str
    kind: str | None


NO_QUORUM: Final = "no-quorum"
HINDERED: Final = "fault-rule"
UNSETTLED: Final = frozenset({NO_QUORUM, HINDERED})
"""The results of a fill that settle nothing; HINDERED is the one whose cause is a fault rule of this site."""


class SawRecovery(Value):
    """The recovery scanner: `scanning`, `copying` (`through` the bound, from `source`) or `done`."""

    phase: str
    bound: Slot | None
    prefix: Slot
    source: SiteId | None


class SawReadConfirmed(Value):
    """A read is confirmed (R5): all that was chosen before `asked` is in the prefix, which covers `bound`, the highest
    slot that a majority, `voters`, reported. `token` is the read's, `took_ms` how long ago `asked` is."""

    token: int
    bound: Slot
    asked: Tick
    took_ms: Tick
    voters: tuple[SiteId, ...]


class SawReadUnconfirmed(Value):
    """A read ended without being confirmed (R5); `bound` is None where no majority answered."""

    token: int
    bound: Slot | None
    reason: str


class SawBiography(Value):
    """What was found out about a slot, for who asked with `token`."""

    token: int
    biography: Biography


class SawStanding(Value):
    """This site began or ceased to be a voter (D5)."""

    voting: bool
    why: str


class SawPeer(Value):
    """A peer was heard again, or not for too long."""

    peer: SiteId
    up: bool


class SawProof(Value):
    """A peer answered a fresh challenge: it is where its datagram came from (the node adopts that address)."""

    peer: SiteId


class SawRejected(Value):
    """A packet or message was dropped by rule; counted by `reason`."""

    reason: str
    peer: SiteId


Observation = (
    SawLearned
    | SawApplied
    | SawNumbered
    | SawOutcome
    | SawAttempt
    | SawHoles
    | SawHanded
    | SawFilled
    | SawRecovery
    | SawReadConfirmed
    | SawReadUnconfirmed
    | SawBiography
    | SawStanding
    | SawPeer
    | SawProof
    | SawRejected
)


class Effects(Struct, gc=False):
    writes: list[Write] = []
    sends: list[Send] = []
    observations: list[Observation] = []
    stop: str | None = None

    def extend(self, later: Effects) -> None:
        """Appends a later step's effects, so that one commit covers both."""
        self.writes.extend(later.writes)
        self.sends.extend(later.sends)
        self.observations.extend(later.observations)
        self.stop = self.stop or later.stop
