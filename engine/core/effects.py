"""What a step returns: what to write, what to send, what to tell.

Rules that hold here:
- The core performs nothing. The node commits the writes, then sends, then tells, in that order, at one place (D1). An
  elected leader's accepts alone may leave beside the commit (L3).
- What is chosen is durable at a majority of sites, whatever this one's disk says of it. So where a step wrote nothing
  else, nothing of what it sends and tells waits for its disk.
- Sends stand in the order in which they came up, whoever they go to: an acceptor is held to its order (A1). What leaves
  together is the turn's to say.
- A `stop` ends the site at once: evidence is committed, nothing is sent (A2, R1).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from engine.core.entry import Entry, Kind
from engine.core.explained.biography import Biography
from engine.core.ids import Ballot, EventId, SiteId, Slot, Tick
from engine.core.messages import How, Message
from engine.core.roster import Removed, Roster
from engine.core.run import Run, run_of
from engine.core.storage import Change, EventState, Write
from engine.core.value import Value
from engine.core.views import AttemptPhase, ElectionPhase


class Send(Value):
    """`beside`: it claims nothing that this step writes, and may leave beside the commit (L3). `along`: nobody waits
    for it there, and it may wait for what leaves for that site next."""

    to: SiteId
    message: Message
    beside: bool = False
    along: bool = False


class SawLearned(Value):
    """Slots became learned here; `source` said so, or is this site, which counted `votes`."""

    run: Run
    how: How
    ballot: Ballot | None
    source: SiteId
    votes: frozenset[SiteId] = frozenset()


class SawApplied(Value):
    """The prefix reached these slots (R2). `void`: those whose entry did not take effect (E5, M3), ascending.
    `misfits`: those of them that took their number, and why they did no more; `changes`: what changed who votes."""

    run: Run
    void: tuple[Slot, ...]
    misfits: tuple[tuple[Slot, str], ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def without_number(self) -> list[Slot]:
        """The void ones that did not take their number: they may come again (E5)."""
        misfits = dict(self.misfits)
        return [slot for slot in self.void if slot not in misfits]

    def numbers_of(self, author: SiteId) -> list[tuple[Run, str | None]]:
        """An author's entries that took their number, in order, in runs of consecutive numbers; and why one of them did
        no more (M3)."""
        taken: list[tuple[Run, str | None]] = [(run, None) for run in self.in_effect_of(author)]
        misfits = ((run_of(slot, self.run.entry(slot)), why) for slot, why in self.misfits)
        taken += [each for each in misfits if each[0].entries[0].author == author]
        return sorted(taken, key=lambda each: each[0].first)

    def in_effect_of(self, author: SiteId) -> Iterator[Run]:
        """An author's entries that took effect, in runs of consecutive numbers."""
        void = frozenset(self.void)
        first = after = Slot(0)
        own: list[Entry] = []
        for slot, entry in self.run:
            if entry.author != author or slot in void:
                continue
            if own and (slot != after or entry.number != own[-1].number + 1):
                yield Run(first, tuple(own))
                own = []
            if not own:
                first = slot
            own.append(entry)
            after = Slot(slot + 1)
        if own:
            yield Run(first, tuple(own))


class SawNumbered(Value):
    """The events that were submitted with `token` are durable, `first` on, in their order (E1); outcomes follow."""

    token: int
    first: EventId


class SawOutcome(Value):
    """The outcome of `count` events that were submitted together, told at most once each to `token` (None: nobody
    waits), `unknown` at most once before. They are those from `offset` on in their submission, `id` that of the first;
    `slot` is its slot, the others are in the slots that follow.

    `waits_for`: it is chosen at `slot`, and unknown until this slot is settled. `took_ms`: since it was submitted, None
    where it was before a restart. `settles_doubt`: they were told as `unknown` before.
    """

    token: int | None
    id: EventId | None
    outcome: EventState
    slot: Slot | None
    reason: str | None
    to_author: SiteId | None
    to_kind: Kind | None
    waits_for: Slot | None = None
    took_ms: Tick | None = None
    offset: int = 0
    count: int = 1
    settles_doubt: bool = False


class SawAttempt(Value):
    """An attempt at a slot moved, or an election did; or attempts at all slots up to `last` did alike.

    `why` is one sentence that a person reads; `until` is set while waiting.
    """

    slot: Slot
    phase: AttemptPhase | ElectionPhase
    ballot: Ballot | None
    why: str
    until: Tick | None = None
    last: Slot | None = None


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


class FillResult(StrEnum):
    """What became of a slot that was to be settled."""

    RECOVERED = "recovered"  # an entry that was accepted there was completed
    NOOP = "no-op"
    LEARNED = "learned"  # from a site that had it
    CHOSEN = "chosen"  # it was learned before
    NO_QUORUM = "no-quorum"  # not settled for now
    HINDERED = "fault-rule"  # nor this: a fault rule of this site is in the way


UNSETTLED: Final = frozenset({FillResult.NO_QUORUM, FillResult.HINDERED})
"""The results that settle nothing."""


class SawFilled(Value):
    """A slot that the filler worked on is settled, with an entry of `kind`; or it is not for now."""

    slot: Slot
    result: FillResult
    kind: Kind | None


class RecoveryPhase(StrEnum):
    """Where the recovery scanner is (R4)."""

    SCANNING = "scanning"
    COPYING = "copying"
    DONE = "done"


class SawRecovery(Value):
    """The recovery scanner goes on; copying, through `bound`, from `source`."""

    phase: RecoveryPhase
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
    """A read ended without being confirmed (R5); `bound` is None where no majority answered. `answered`: how many sites
    did, this one included, where it waited for these; else it waited for `missing`, the first unlearned slot."""

    token: int
    bound: Slot | None
    reason: str
    answered: int | None
    missing: Slot | None


class SawBiography(Value):
    """What was found out about a slot, for who asked with `token`."""

    token: int
    biography: Biography


class SawStanding(Value):
    """This site began or ceased to be a voter (D5)."""

    voting: bool
    why: str


class SawMembers(Value):
    """Who belongs to the cluster above the prefix is another list than before, or two: the one that holds and the one
    to come (M1). At a start it is told where the log has changed the first list."""

    lists: tuple[Roster, ...]


class SawRemoved(Value):
    """This site was removed, as its prefix says; and once more when the others need it no more (M5)."""

    removed: Removed


class SawPeer(Value):
    """A peer was heard again, or not for too long."""

    peer: SiteId
    up: bool


class SawProof(Value):
    """A peer answered a fresh challenge: it is where its datagram came from (the node adopts that address)."""

    peer: SiteId


class RejectedFor(StrEnum):
    """Why the packet of a sender that has the key is dropped (D5, W1)."""

    OTHER_LIFE = "other-life"  # it is of, or for, another store than the one that is proved
    STALE_ANSWER = "stale-answer"  # to a greeting that is answered already
    STRANGER = "stranger"  # the sender is in no list that is known here, and says what only a member may
    OTHER_FOUNDERS = "other-founders"  # its cluster began with other sites than this one's (M1)


class SawRejected(Value):
    """A packet or message was dropped by rule; counted by `reason`."""

    reason: RejectedFor
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
    | SawMembers
    | SawRemoved
    | SawPeer
    | SawProof
    | SawRejected
)


class Effects(Struct, gc=False):
    writes: list[Write] = []
    sends: list[Send] = []
    observations: list[Observation] = []
    stop: str | None = None
    claims: bool = False
    """What is sent or told rests on something written here: on the disk of this site, and on no other (D1)."""

    def extend(self, later: Effects) -> None:
        """Appends a later step's effects, so that one commit covers both."""
        self.writes.extend(later.writes)
        self.sends.extend(later.sends)
        self.observations.extend(later.observations)
        self.stop = self.stop or later.stop
        self.claims = self.claims or later.claims
