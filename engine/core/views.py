"""What a replica shows of itself: frozen pictures for status, panes and tests; nothing in them is shared or live."""

from __future__ import annotations

from enum import StrEnum

from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot, Tick
from engine.core.roster import Removed, Roster
from engine.core.value import Value


class AttemptPhase(StrEnum):
    """Where an attempt at a slot is."""

    PREPARING = "preparing"
    FALLBACK = "fallback"  # ballot 0 did not do: prepares (L2)
    ACCEPTING = "accepting"
    ADOPTING = "adopting"  # accepting a value that is not its own
    WAITING = "waiting"  # backing off
    ENDED = "ended"
    ASKING = "asking"  # the hole filler: whether the slot is chosen
    YIELDING = "yielding"  # the hole filler: lets other attempts go first


class ElectionPhase(StrEnum):
    """Where an election is (L3): about all slots from one on."""

    STANDING = "standing"
    LEADS = "leads"
    STEPS_DOWN = "steps down"


class AttemptView(Value):
    """What this site is doing about a slot."""

    slot: Slot
    phase: AttemptPhase
    ballot: Ballot | None
    votes: tuple[SiteId, ...]
    asked: tuple[SiteId, ...]
    needed: int
    entry: Entry | None
    why: str
    since: Tick


class PeerView(Value):
    """A peer as last heard since this site started; None is what it has not told yet."""

    site: SiteId
    up: bool
    voting: bool | None
    rtt_ms: int | None
    heard: Tick | None
    prefix: Slot | None


class QuorumView(Value):
    """How many voters this site reaches, itself included if it votes."""

    reachable: int
    needed: int
    size: int


class ReplicaView(Value):
    """What `status` shows of the replica; `holes` names at most 1,000 of `holes_count` slots. `fresh_at`: what was
    chosen before is in the prefix, as a read confirmed last (R5). `hindered`: what fault rules here keep from it.
    `members`: the lists that hold above the prefix, one or two (M1). `replaced`: who runs on another store than is
    remembered of it, and can be readmitted; `outdated`: who runs on one that never votes again; this site where it is a
    learner for good (D5). `doubled`: under whose names two engines run."""

    quorum: QuorumView
    leader: SiteId | None
    prefix: Slot
    learned_max: Slot
    used_max: Slot
    next: Slot
    holes: tuple[Slot, ...]
    holes_count: int
    recovering: bool
    voting: bool
    voting_why: str
    mismatch: str | None
    hindered: str | None
    unknown: int
    fresh_at: Tick | None
    fill_at: Tick | None
    peers: tuple[PeerView, ...]
    attempts: tuple[AttemptView, ...]
    members: tuple[Roster, ...]
    removed: Removed | None
    replaced: tuple[SiteId, ...]
    outdated: tuple[SiteId, ...]
    doubled: tuple[SiteId, ...]
