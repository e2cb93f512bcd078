"""What sites say to each other: one frozen row a message, which is also how it is written and read (W2).

Rules that hold here:
- A message knows itself (`engine.core.said`): what it is about, what can be wrong with it, how people are told.
- Messages carry many slots: spans are inclusive pairs `(first, last)`; `last` None means "and all after it" (A3).
- A promise reports accepted ballots, never promised ones, and names exactly the slots that it covers (A4).
- An acknowledgement names exactly the slots accepted at its ballot (B3).
- Every question carries a nonce that is never reused; its answer carries the same (W1).
- A packet is what one datagram carries: the lives (store ids) of both ends, the sender's commit number, messages (D5).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from typing import Annotated, Final, Literal, TypeVar, assert_never, get_args

from msgspec import Meta

from engine.core.entry import DIGEST, Entry, all_in_words, in_words
from engine.core.ids import NUMBER_MAX, Ballot, From0, From1, Nonce, SiteId, Slot, StoreId, Tick
from engine.core.run import AcceptedRun, Run
from engine.core.said import Flaw, Role, Said, Span, Spanning, backward, sites_of
from engine.core.settings import HEARTBEAT_MAX, Leadership
from engine.core.value import Row, Value
from engine.core.wording import first_of, many, span


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
    NOTED = "noted"  # so it is; but that says nothing of whether there was another before
    LOST_DISK = "lost-disk"  # another life, or a later commit, is remembered here
    OLD_COPY = "old-copy"  # a later commit is, of this life, which the log admitted
    STRANGER = "stranger"  # no list that is known here has the site: one of both is behind in the log


class How(StrEnum):
    """How a site came to know what was chosen."""

    VOTES = "votes"  # it counted those
    CHOSEN = "chosen"  # another site said that it had
    KNOWN = "known"  # another site said that it had learned it


Phase = Literal["prepare", "accept"]
Part = TypeVar("Part")
Some = Annotated[tuple[Part, ...], Meta(min_length=1)]
"""A message about nothing is none."""


class RefusedSpan(Row):
    """Slots that an acceptor leaves out; `ballot` is the promise in the way, None where the cause is no ballot."""

    first: From1[Slot]
    last: From1[Slot] | None
    ballot: Ballot | None
    cause: Cause

    def why(self) -> str:
        match self.cause:
            case Cause.SLOT:
                return f"promised {self.ballot}"
            case Cause.RANGE:
                return f"promised {self.ballot} for {span(self.first, self.last)}"
            case Cause.NOT_VOTING:
                return "does not vote (D5)"
            case Cause.FAR:
                return "too far ahead of what is known here (R6)"
            case _:
                assert_never(self.cause)


def _beyond(runs: Iterable[Run | AcceptedRun]) -> Flaw | None:
    """A run reaches past the highest number that there is."""
    for run in runs:
        if run.last > NUMBER_MAX:
            return "message"
    return None


class Prepare(Spanning, tag="prepare"):
    role = Role.PROPOSAL
    ballot: Ballot
    first: From1[Slot]
    last: From1[Slot] | None

    def about(self) -> Iterable[Span]:
        return ((self.first, self.last),)

    def note(self) -> str:
        return "asks for a promise" + ("" if self.last == self.first else f" of {span(self.first, self.last)}")


class Promise(Said, tag="promise"):
    """Covers `first` to `last` less `left_out`; a covered slot that is in neither tuple is empty at the acceptor."""

    role = Role.VOTE
    ballot: Ballot
    first: From1[Slot]
    last: From1[Slot] | None
    accepted: tuple[AcceptedRun, ...]
    learned: tuple[Run, ...]
    left_out: tuple[RefusedSpan, ...]

    def about(self) -> Iterable[Span]:
        return ((self.first, self.last),)

    def names(self) -> Iterable[SiteId]:
        return sites_of((self.ballot, *(vote.ballot for vote in self.accepted), *(out.ballot for out in self.left_out)))

    def carried(self) -> Iterable[Entry]:
        return chain.from_iterable([*(run.entries for run in self.accepted), *(run.entries for run in self.learned)])

    def flaw(self) -> Flaw | None:
        spans = (*self.about(), *((out.first, out.last) for out in self.left_out))
        return backward(spans) or _beyond((*self.accepted, *self.learned))

    def decided(self) -> Iterable[Span]:
        return ((run.first, run.last) for run in self.learned)

    def note(self) -> str:
        learned = [f"already chosen: {in_words(entry)}" for run in self.learned for entry in run.entries]
        if learned and self.first == self.last:
            return learned[0]
        promised = "promised" if self.first == self.last else f"promised {span(self.first, self.last)}"
        if self.left_out:
            refused = [f"{span(out.first, out.last)}, where it {out.why()}" for out in self.left_out]
            promised += f" except {many(refused)}"
        accepted = [
            f"accepted at {run.ballot} before: {in_words(entry)}" for run in self.accepted for entry in run.entries
        ]
        found = [many(items) for items in (learned, accepted) if items]
        return ", ".join([promised, *(found or ["nothing accepted before"])])


class Accept(Said, tag="accept"):
    role = Role.PROPOSAL
    ballot: Ballot
    run: Run

    def about(self) -> Iterable[Span]:
        return ((self.run.first, self.run.last),)

    def carried(self) -> Iterable[Entry]:
        return self.run.entries

    def flaw(self) -> Flaw | None:
        return _beyond((self.run,))

    def note(self) -> str:
        asks = "asks to accept" if self.ballot.round else "asks to accept without a prepare (L2)"
        return f"{asks}: {all_in_words(self.run.entries)}"


class Accepted(Spanning, tag="accepted"):
    role = Role.VOTE
    ballot: Ballot
    spans: Some[tuple[From1[Slot], From1[Slot]]]

    def about(self) -> Iterable[Span]:
        return self.spans

    def note(self) -> str:
        slots = sum(last - first + 1 for first, last in self.spans)
        return ("" if slots == 1 else f"{slots} slots, ") + "nothing higher was promised"


class Refused(Spanning, tag="refused"):
    """`ballot` is the one that was asked for; `phase` is `prepare` or `accept`."""

    role = Role.ANSWER
    ballot: Ballot
    phase: Phase
    spans: Some[RefusedSpan]

    def about(self) -> Iterable[Span]:
        return ((out.first, out.last) for out in self.spans)

    def names(self) -> Iterable[SiteId]:
        return sites_of((self.ballot, *(out.ballot for out in self.spans)))

    def note(self) -> str:
        return f"refused {self.phase} {self.ballot}: {many([out.why() for out in self.spans])}"


class Chosen(Spanning, tag="chosen"):
    """R0: the entries, one a slot, or the ballot alone; never neither."""

    role = Role.NEWS
    first: From1[Slot]
    last: From1[Slot]
    ballot: Ballot | None
    entries: tuple[Entry, ...]

    def about(self) -> Iterable[Span]:
        return ((self.first, self.last),)

    def carried(self) -> Iterable[Entry]:
        return self.entries

    def flaw(self) -> Flaw | None:
        told = len(self.entries) == self.last - self.first + 1 if self.entries else self.ballot is not None
        return super().flaw() if told else "message"

    def decided(self) -> Iterable[Span]:
        return self.about()

    def note(self) -> str:
        if not self.entries:
            return f"the entry of ballot {self.ballot} is chosen: a site that accepted it already has it (R0)"
        how = "learned here" if self.ballot is None else "a majority accepted it"
        return f"{how}: {all_in_words(self.entries)}"


class Ask(Spanning, tag="ask"):
    """Which of these slots are learned at the addressee? Answered by one or more `Known`."""

    role = Role.QUESTION
    nonce: From0[Nonce]
    spans: Some[tuple[From1[Slot], From1[Slot]]]

    def about(self) -> Iterable[Span]:
        return self.spans

    def note(self) -> str:
        return "are they chosen? " + first_of([span(first, last) for first, last in self.spans], len(self.spans))


class Known(Spanning, tag="known"):
    """Covers exactly `first` to `last`: what is not in `learned` is not learned at the sender."""

    role = Role.ANSWER
    nonce: From0[Nonce]
    first: From1[Slot]
    last: From1[Slot]
    learned: tuple[Run, ...]

    def about(self) -> Iterable[Span]:
        return ((self.first, self.last),)

    def carried(self) -> Iterable[Entry]:
        return chain.from_iterable([run.entries for run in self.learned])

    def flaw(self) -> Flaw | None:
        return super().flaw() or _beyond(self.learned)

    def decided(self) -> Iterable[Span]:
        return ((run.first, run.last) for run in self.learned)

    def note(self) -> str:
        if not self.learned:
            return f"{span(self.first, self.last)}: not learned here"
        return f"learned here: {all_in_words([*self.carried()])}"


class AskHighest(Said, tag="ask-highest"):
    role = Role.QUESTION
    nonce: From0[Nonce]

    def note(self) -> str:
        return "how far does the log go?"


class Highest(Said, tag="highest"):
    """The highest slot in which the sender, a voter, accepted or learned anything (0: none), and its prefix (R4)."""

    role = Role.ANSWER
    nonce: From0[Nonce]
    used_max: From0[Slot]
    prefix: From0[Slot]

    @property
    def slot(self) -> Slot | None:
        return self.used_max or None

    def note(self) -> str:
        return f"used up to {self.used_max}, learned without a gap up to {self.prefix}"


class Hello(Said, tag="hello"):
    """Asks what the addressee remembers of this site's store. `proof` is the addressee's challenge, None at first;
    `founders` the digest of the sites with which the sender's cluster began: with those of another nobody counts."""

    role = Role.SIGN
    nonce: From0[Nonce]
    proof: From0[Nonce] | None
    founders: Annotated[str, Meta(pattern=DIGEST.pattern)]

    def note(self) -> str:
        return "do you remember this store?" if self.proof is None else "the proof you asked for"


class Welcome(Said, tag="welcome"):
    """Answers `hello`. `challenge` is the proof to send where the verdict is UNPROVEN; `reason` is for people."""

    role = Role.SIGN
    nonce: From0[Nonce]
    verdict: Verdict
    challenge: From0[Nonce] | None
    reason: str

    def note(self) -> str:
        unproven = self.verdict is Verdict.UNPROVEN
        said = "who are you? repeat this challenge" if unproven else self.verdict.replace("-", " ")
        return f"{said}: {self.reason}" if self.reason else said


class Heartbeat(Said, tag="heartbeat"):
    """Says that the sender lives; never answered.

    `sent` is the sender's clock; `echo` the newest `sent` it heard from the addressee, `held_ms` how long ago it did;
    `every_ms` its `heartbeat_ms`, for an addressee of another to know how long a silence means nothing.
    Of leadership (L3): the range ballot that it leads with, whether it reaches a majority of voters both ways, and the
    ballot of the live leader that it hears itself.
    """

    role = Role.SIGN
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

    @property
    def ballot(self) -> Ballot | None:
        return self.leads

    def round_trip(self, now: Tick) -> Tick | None:
        """How long it was to the sender and back, by the addressee's own clock; None where nothing of it is echoed."""
        if self.echo is None or self.echo + self.held_ms > now:
            return None
        return Tick(now - self.echo - self.held_ms)

    def names(self) -> Iterable[SiteId]:
        return sites_of((self.leads, self.hears))

    def note(self) -> str:
        state = "voter" if self.voting else "not a voter"
        leads = "" if self.leads is None else f", leads with {self.leads}"
        hears = "" if self.hears is None else f", hears {self.hears.site} lead with {self.hears}"
        return f"{self.leadership}, {state}, learned to {self.prefix}, used to {self.used_max}{leads}{hears}"


class HandOn(Said, tag="hand-on"):
    """Events of one author for the leader, in the order of their numbers (L3). `relayed`: it has had its one hop."""

    role = Role.EVENTS
    entries: Some[Entry]
    relayed: bool

    def carried(self) -> Iterable[Entry]:
        return self.entries

    def flaw(self) -> Flaw | None:
        author = self.entries[0].author
        return "entry" if author is None or any(entry.author != author for entry in self.entries) else None

    def note(self) -> str:
        asks = "passes on, for the leader to propose" if self.relayed else "asks the leader to propose"
        return f"{asks}: {all_in_words(self.entries)}"


class AskSlot(Said, tag="ask-slot"):
    """What happened at this slot, as far as the addressee knows? For people alone; answered by one `SlotState`."""

    role = Role.INQUIRY
    nonce: From0[Nonce]
    slot: From1[Slot]

    def note(self) -> str:
        return "what happened there, as far as you know?"


class Deed(Row):
    """What the sender's acceptor did, `ago_ms` before it said so."""

    act: Act
    ballot: Ballot
    ago_ms: From0[int]


class Learning(Row):
    """How the sender came to know the choice; `source` said so, or is the sender, which counted `votes`."""

    how: How
    ballot: Ballot | None
    source: SiteId
    votes: tuple[SiteId, ...]
    ago_ms: From0[int]

    def names(self) -> Iterable[SiteId]:
        return (*sites_of((self.ballot,)), self.source, *self.votes)


class SlotState(Said, tag="slot-state"):
    """What the sender's store has of a slot, and what the sender remembers since it started.

    `promised` and `accepted` are maxPrepare and accNum; `digest` is that of the accepted entry. `entry` is the learned
    one where `learned`, else the accepted one; None where there is none, or where it is too long (W4).
    `learning` is None where that is not remembered; `deeds` are the newest that fit, oldest first.
    """

    role = Role.INQUIRY
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

    @property
    def ballot(self) -> Ballot | None:
        return self.accepted or self.promised

    def names(self) -> Iterable[SiteId]:
        named = sites_of((self.promised, self.accepted, *(deed.ballot for deed in self.deeds)))
        return (*named, *(() if self.learning is None else self.learning.names()))

    def carried(self) -> Iterable[Entry]:
        return () if self.entry is None else (self.entry,)

    def flaw(self) -> Flaw | None:
        return "message" if (self.accepted is None) != (self.digest is None) else None

    def note(self) -> str:
        if self.learned or self.accepted is not None:
            state = "learned" if self.learned else "accepted"
            return state if self.entry is None else f"{state}: {in_words(self.entry)}"
        return "promised, nothing accepted" if self.promised is not None else "nothing promised, nothing accepted"


Synod = Prepare | Promise | Accept | Accepted | Refused | Chosen
"""The consensus itself."""

Upkeep = AskHighest | Highest | Hello | Welcome | Heartbeat
ForPeople = AskSlot | SlotState
Housekeeping = Upkeep | ForPeople
"""What is said whether or not anybody submits anything, people's questions included: no cost of an event."""

Message = Synod | Ask | Known | Upkeep | HandOn | ForPeople
WORDS: Final = tuple(kind.word() for kind in get_args(Message))

GREETINGS: Final[frozenset[type]] = frozenset({Hello, Welcome})
"""They go to whoever has the peer's name, the others to a known life of it (D5)."""

FROM_ANYBODY: Final[frozenset[type]] = frozenset({Heartbeat, AskHighest, Ask, AskSlot, Known, Chosen})
"""What is taken of who belongs to no list that is known here: what asks, and what tells of choices, which nobody takes
back. (Of its heartbeats, how far the log goes: a reason to ask.)"""

VOTES: Final[frozenset[type]] = frozenset({Promise, Accepted, Highest})
"""What a voter's word is counted in (D5)."""


class Packet(Value):
    """What one datagram says. `to_life` is None where the sender does not know the addressee's store yet."""

    sender: SiteId
    life: StoreId
    commit: int
    to_life: StoreId | None
    messages: tuple[Message, ...]
