"""What every message tells of itself. The messages are in `engine.core.messages`.

Rules that hold here:
- Whoever checks, filters, traces or shows messages asks them: it needs no list of all there are.
- A span whose last slot is None covers all slots after its first (A3).
- What a class does not say otherwise: it is about no slot and no ballot, names nobody, carries nothing, and its types
  say all that can be wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar, Literal

from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.value import Row

Flaw = Literal["message", "entry"]
"""What a message is rejected for, as it is counted (W2)."""

Span = tuple[Slot, Slot | None]


class Role(StrEnum):
    """What a message is between two sites, for the reasons that people are given."""

    PROPOSAL = "proposal"
    VOTE = "vote"
    ANSWER = "answer"  # of another kind than a vote
    NEWS = "news"  # that something is chosen
    QUESTION = "question"  # how far another site is
    EVENTS = "events"
    SIGN = "sign"  # of life
    INQUIRY = "inquiry"  # a person's, into a slot's past; and its answer


class Said(Row):
    """A message."""

    role: ClassVar[Role]

    @classmethod
    def word(cls) -> str:
        """`prepare`, `promise`, `ask-highest`, ...: its tag, which filters and fault rules match."""
        return str(cls.__struct_config__.tag)

    def note(self) -> str:
        """What it says, in words that name sites, entries and ballots. The text of users is in it as it is."""
        raise NotImplementedError  # each message has its own; a Struct cannot be an ABC too

    @property
    def slot(self) -> Slot | None:
        """The first one that it is about."""
        return next((first for first, _ in self.about()), None)

    @property
    def ballot(self) -> Ballot | None:
        """The first one that it is about."""
        return None

    def about(self) -> Iterable[Span]:
        """The slots of which it says something; not those of a question about a slot's past."""
        return ()

    def ballots(self) -> Iterable[Ballot | None]:
        return (self.ballot,)

    def names(self) -> Iterable[SiteId]:
        """The sites that it names, but for authors."""
        return () if self.ballot is None else (self.ballot.site,)

    def carried(self) -> Iterable[Entry]:
        return ()

    def flaw(self) -> Flaw | None:
        """What is wrong with it that no type of a field can say, whoever sent it; None in what a site makes."""
        return None

    def decided(self) -> Iterable[Span]:
        """The slots that it says are chosen."""
        return ()

    def decides(self, slot: Slot) -> bool:
        """Whether it says that the slot is chosen."""
        return any(first <= slot and (last is None or slot <= last) for first, last in self.decided())

    def covers(self, first: Slot, last: Slot) -> bool:
        """Whether it says something about any slot of `first` to `last`."""
        return any(begin <= last and (end is None or end >= first) for begin, end in self.about())


class Spanning(Said):
    """A message that says where its slots begin and end."""

    def flaw(self) -> Flaw | None:
        return backward(self.about())


def sites_of(ballots: Iterable[Ballot | None]) -> list[SiteId]:
    return [ballot.site for ballot in ballots if ballot is not None]


def backward(spans: Iterable[Span]) -> Flaw | None:
    for first, last in spans:
        if last is not None and last < first:
            return "message"
    return None
