"""What sites say to each other: one frozen dataclass a message.

Rules that hold here:
- Messages carry many slots: spans are inclusive pairs `(first, last)`; `last` None means "and all after it" (A3).
- A promise reports accepted ballots, never promised ones, and names exactly the slots that it covers (A4).
- An acknowledgement names exactly the slots accepted at its ballot (B3).
- Every question carries a nonce that is never reused; its answer carries the same (W1).
- A packet is what one datagram carries: the lives (store ids) of both ends, the sender's commit number, messages (D5).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from engine.core.entry import Entry
from engine.core.ids import Ballot, Nonce, SiteId, Slot, StoreId, Tick
from engine.core.value import value


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


@value
class AcceptedSlot:
    slot: Slot
    ballot: Ballot
    entry: Entry


@value
class LearnedSlot:
    slot: Slot
    entry: Entry


@value
class RefusedSpan:
    """Slots that an acceptor leaves out; `ballot` is the promise in the way, None where the cause is no ballot."""

    first: Slot
    last: Slot | None
    ballot: Ballot | None
    cause: Cause


@value
class ChosenSlot:
    """R0: the entry, or the ballot alone; never neither."""

    slot: Slot
    ballot: Ballot | None
    entry: Entry | None


@value
class Prepare:
    ballot: Ballot
    first: Slot
    last: Slot | None


@value
class Promise:
    """Covers `first` to `last` less `left_out`; a covered slot that is in neither tuple is empty at the acceptor."""

    ballot: Ballot
    first: Slot
    last: Slot | None
    accepted: tuple[AcceptedSlot, ...]
    learned: tuple[LearnedSlot, ...]
    left_out: tuple[RefusedSpan, ...]


@value
class Accept:
    ballot: Ballot
    entries: tuple[LearnedSlot, ...]


@value
class Accepted:
    ballot: Ballot
    slots: tuple[Slot, ...]


@value
class Refused:
    """`ballot` is the one that was asked for; `phase` is `prepare` or `accept`."""

    ballot: Ballot
    phase: str
    spans: tuple[RefusedSpan, ...]


@value
class Chosen:
    slots: tuple[ChosenSlot, ...]


@value
class Ask:
    """Which of these slots are learned at the addressee? Answered by one or more `Known`."""

    nonce: Nonce
    spans: tuple[tuple[Slot, Slot], ...]


@value
class Known:
    """Covers exactly `first` to `last`: what is not in `learned` is not learned at the sender."""

    nonce: Nonce
    first: Slot
    last: Slot
    learned: tuple[LearnedSlot, ...]


@value
class AskHighest:
    nonce: Nonce


@value
class Highest:
    """The highest slot in which the sender, a voter, accepted or learned anything (0: none), and its prefix (R4)."""

    nonce: Nonce
    used_max: Slot
    prefix: Slot


@value
class Hello:
    """Asks what the addressee remembers of this site's store. `proof` is the addressee's challenge, None at first."""

    nonce: Nonce
    proof: Nonce | None


@value
class Welcome:
    """Answers `hello`. `challenge` is the proof to send where the verdict is UNPROVEN; `reason` is for people."""

    nonce: Nonce
    verdict: Verdict
    challenge: Nonce | None
    reason: str


@value
class Heartbeat:
    """Says that the sender lives; never answered.

    `sent` is the sender's clock; `echo` the newest `sent` it heard from the addressee, `held_ms` how long ago it did.
    Of leadership (L3): the range ballot that it leads with, whether it reaches a majority of voters both ways, and the
    ballot of the live leader that it hears itself.
    """

    leadership: str
    voting: bool
    prefix: Slot
    used_max: Slot
    sent: Tick
    echo: Tick | None
    held_ms: int
    leads: Ballot | None = None
    reaches: bool = False
    hears: Ballot | None = None


@value
class HandOn:
    """Events of one author for the leader, in the order of their numbers (L3). `relayed`: it has had its one hop."""

    entries: tuple[Entry, ...]
    relayed: bool


@value
class AskSlot:
    """What happened at this slot, as far as the addressee knows? For people alone; answered by one `SlotState`."""

    nonce: Nonce
    slot: Slot


@value
class Deed:
    """What the sender's acceptor did, `ago_ms` before it said so."""

    act: Act
    ballot: Ballot
    ago_ms: int


@value
class Learning:
    """How the sender came to know the choice: `votes` (it counted those), `chosen` or `known` (`source` said so)."""

    how: str
    ballot: Ballot | None
    source: SiteId
    votes: tuple[SiteId, ...]
    ago_ms: int


@value
class SlotState:
    """What the sender's store has of a slot, and what the sender remembers since it started.

    `promised` and `accepted` are maxPrepare and accNum; `digest` is that of the accepted entry. `entry` is the learned
    one where `learned`, else the accepted one; None where there is none, or where it is too long (W4).
    `learning` is None where that is not remembered; `deeds` are the newest that fit, oldest first.
    """

    nonce: Nonce
    slot: Slot
    voting: bool
    promised: Ballot | None
    accepted: Ballot | None
    digest: str | None
    entry: Entry | None
    learned: bool
    learning: Learning | None
    deeds: tuple[Deed, ...]


Message = (
    Prepare
    | Promise
    | Accept
    | Accepted
    | Refused
    | Chosen
    | Ask
    | Known
    | AskHighest
    | Highest
    | Hello
    | Welcome
    | Heartbeat
    | HandOn
    | AskSlot
    | SlotState
)

Housekeeping = Heartbeat | Hello | Welcome | AskHighest | Highest | AskSlot | SlotState
"""What sites say to each other whether or not anybody submits anything, people's questions included: no cost of an
event."""

GREETINGS: Final = (Hello, Welcome)
"""They go to whoever has the peer's name, the others to a known life of it (D5)."""


@value
class Packet:
    """What one datagram says. `to_life` is None where the sender does not know the addressee's store yet."""

    sender: SiteId
    life: StoreId
    commit: int
    to_life: StoreId | None
    messages: tuple[Message, ...]
