"""What sites say to each other: one frozen row a message, which is also how it is written and read (W2).

Rules that hold here:
- Messages carry many slots: spans are inclusive pairs `(first, last)`; `last` None means "and all after it" (A3).
- A promise reports accepted ballots, never promised ones, and names exactly the slots that it covers (A4).
- An acknowledgement names exactly the slots accepted at its ballot (B3).
- Every question carries a nonce that is never reused; its answer carries the same (W1).
- A packet is what one datagram carries: the lives (store ids) of both ends, the sender's commit number, messages (D5).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, TypeVar

from msgspec import Meta

from engine.core.entry import DIGEST, Entry
from engine.core.ids import Ballot, From0, From1, Nonce, SiteId, Slot, StoreId, Tick
from engine.core.settings import HEARTBEAT_MAX, Leadership
from engine.core.value import Row, Value


class Cause(StrEnum):
    """Why an acceptor refuses (A5)."""

    SLOT = "slot"  # a promise or acceptance of this one slot is higher
    RANGE = "range"  # a promise that covers a range is higher
    NOT_VOTING = "not-voting"  # the site is not a voter (D5)
    FAR = "far"  # the slot or the round is absurdly far ahead of what this site knows (R6)


class Act(StrEnum):
    """What an acceptor did at a ballot."""

    PROMISED = "promised"
    ACCEPTED = "accepted"


class Verdict(StrEnum):
    """What a site answers to `hello` (D5)."""

    UNPROVEN = "unproven"  # say hello again with this challenge as proof
    RECORDED = "recorded"  # this life is durably recorded here
    LOST_DISK = "lost-disk"  # another life, or a later commit, is remembered here


Phase = Literal["prepare", "accept"]
How = Literal["votes", "chosen", "known"]
Part = TypeVar("Part")
Some = Annotated[tuple[Part, ...], Meta(min_length=1)]
"""A message about nothing is none."""


class AcceptedSlot(Row):
    slot: From1[Slot]
    ballot: Ballot
    entry: Entry


class LearnedSlot(Row):
    slot: From1[Slot]
    entry: Entry


class RefusedSpan(Row):
    """Slots that an acceptor leaves out; `ballot` is the promise in the way, None where the cause is no ballot."""

    first: From1[Slot]
    last: From1[Slot] | None
    ballot: Ballot | None
    cause: Cause


class ChosenSlot(Row):
    """R0: the entry, or the ballot alone; never neither."""

    slot: From1[Slot]
    ballot: Ballot | None
    entry: Entry | None


class Prepare(Row, tag="prepare"):
    ballot: Ballot
    first: From1[Slot]
    last: From1[Slot] | None


class Promise(Row, tag="promise"):
    """Covers `first` to `last` less `left_out`; a covered slot that is in neither tuple is empty at the acceptor."""

    ballot: Ballot
    first: From1[Slot]
    last: From1[Slot] | None
    accepted: tuple[AcceptedSlot, ...]
    learned: tuple[LearnedSlot, ...]
    left_out: tuple[RefusedSpan, ...]


class Accept(Row, tag="accept"):
    ballot: Ballot
    entries: Some[LearnedSlot]


class Accepted(Row, tag="accepted"):
    ballot: Ballot
    slots: Some[From1[Slot]]


class Refused(Row, tag="refused"):
    """`ballot` is the one that was asked for; `phase` is `prepare` or `accept`."""

    ballot: Ballot
    phase: Phase
    spans: Some[RefusedSpan]


class Chosen(Row, tag="chosen"):
    slots: Some[ChosenSlot]


class Ask(Row, tag="ask"):
    """Which of these slots are learned at the addressee? Answered by one or more `Known`."""

    nonce: From0[Nonce]
    spans: Some[tuple[From1[Slot], From1[Slot]]]


class Known(Row, tag="known"):
    """Covers exactly `first` to `last`: what is not in `learned` is not learned at the sender."""

    nonce: From0[Nonce]
    first: From1[Slot]
    last: From1[Slot]
    learned: tuple[LearnedSlot, ...]


class AskHighest(Row, tag="ask-highest"):
    nonce: From0[Nonce]


class Highest(Row, tag="highest"):
    """The highest slot in which the sender, a voter, accepted or learned anything (0: none), and its prefix (R4)."""

    nonce: From0[Nonce]
    used_max: From0[Slot]
    prefix: From0[Slot]


class Hello(Row, tag="hello"):
    """Asks what the addressee remembers of this site's store. `proof` is the addressee's challenge, None at first."""

    nonce: From0[Nonce]
    proof: From0[Nonce] | None


class Welcome(Row, tag="welcome"):
    """Answers `hello`. `challenge` is the proof to send where the verdict is UNPROVEN; `reason` is for people."""

    nonce: From0[Nonce]
    verdict: Verdict
    challenge: From0[Nonce] | None
    reason: str


class Heartbeat(Row, tag="heartbeat"):
    """Says that the sender lives; never answered.

    `sent` is the sender's clock; `echo` the newest `sent` it heard from the addressee, `held_ms` how long ago it did;
    `every_ms` its `heartbeat_ms`, for an addressee of another to know how long a silence means nothing.
    Of leadership (L3): the range ballot that it leads with, whether it reaches a majority of voters both ways, and the
    ballot of the live leader that it hears itself.
    """

    leadership: Leadership
    voting: bool
    prefix: From0[Slot]
    used_max: From0[Slot]
    sent: From0[Tick]
    echo: From0[Tick] | None
    held_ms: From0[int]
    every_ms: Annotated[Tick, Meta(ge=1, le=HEARTBEAT_MAX)]
    leads: Ballot | None
    reaches: bool
    hears: Ballot | None


class HandOn(Row, tag="hand-on"):
    """Events of one author for the leader, in the order of their numbers (L3). `relayed`: it has had its one hop."""

    entries: Some[Entry]
    relayed: bool


class AskSlot(Row, tag="ask-slot"):
    """What happened at this slot, as far as the addressee knows? For people alone; answered by one `SlotState`."""

    nonce: From0[Nonce]
    slot: From1[Slot]


class Deed(Row):
    """What the sender's acceptor did, `ago_ms` before it said so."""

    act: Act
    ballot: Ballot
    ago_ms: From0[int]


class Learning(Row):
    """How the sender came to know the choice: `votes` (it counted those), `chosen` or `known` (`source` said so)."""

    how: How
    ballot: Ballot | None
    source: SiteId
    votes: tuple[SiteId, ...]
    ago_ms: From0[int]


class SlotState(Row, tag="slot-state"):
    """What the sender's store has of a slot, and what the sender remembers since it started.

    `promised` and `accepted` are maxPrepare and accNum; `digest` is that of the accepted entry. `entry` is the learned
    one where `learned`, else the accepted one; None where there is none, or where it is too long (W4).
    `learning` is None where that is not remembered; `deeds` are the newest that fit, oldest first.
    """

    nonce: From0[Nonce]
    slot: From1[Slot]
    voting: bool
    promised: Ballot | None
    accepted: Ballot | None
    digest: Annotated[str, Meta(pattern=DIGEST.pattern)] | None
    entry: Entry | None
    learned: bool
    learning: Learning | None
    deeds: tuple[Deed, ...]


Synod = Prepare | Promise | Accept | Accepted | Refused | Chosen
"""The consensus itself."""

Message = Synod | Ask | Known | AskHighest | Highest | Hello | Welcome | Heartbeat | HandOn | AskSlot | SlotState

Housekeeping = Heartbeat | Hello | Welcome | AskHighest | Highest | AskSlot | SlotState
"""What sites say to each other whether or not anybody submits anything, people's questions included: no cost of an
event."""

GREETINGS: Final[frozenset[type]] = frozenset({Hello, Welcome})
"""They go to whoever has the peer's name, the others to a known life of it (D5)."""


VOTES: Final[frozenset[type]] = frozenset({Promise, Accepted, Highest})
"""What a voter's word is counted in (D5)."""


class Packet(Value):
    """What one datagram says. `to_life` is None where the sender does not know the addressee's store yet."""

    sender: SiteId
    life: StoreId
    commit: int
    to_life: StoreId | None
    messages: tuple[Message, ...]
