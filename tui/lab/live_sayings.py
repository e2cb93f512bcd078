"""What sites say to each other in a run, told so that simulated and real runs can be held against each other.

Rules that hold here:
- Sites are those of the scenario, slots count from the scenario's first one.
- A ballot is told by its rank: `2.s1` is the second ballot that s1 used in this run. Real sites have used rounds
  before; who used a ballot, and in which order, is the same. Ballot 0 is ballot 0 (L2).
- Greetings and heartbeats are no part of it (they say the same all the time), nor are people's questions (`explain`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, get_args

from engine.core import run
from engine.core.explained import describe
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Ask, AskHighest, Highest, Known, Message
from engine.core.said import Role, Said, Span

_KINDS: Final[tuple[type[Said], ...]] = get_args(Message)

WORDS: Final = tuple(kind.word() for kind in _KINDS if kind.role not in {Role.SIGN, Role.INQUIRY})
"""The types of messages that a scenario is about where it names none."""

REPAIR: Final = frozenset(kind.word() for kind in (Ask, Known, AskHighest, Highest))
"""Questions of sites that lack something, and their answers: when they are asked is a matter of timers."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What a message says of a slot; `ballot` is the first that it is about."""

    sender: SiteId
    to: SiteId
    word: str
    slot: Slot | None
    ballot: Ballot | None

    def __str__(self) -> str:
        about = "" if self.slot is None else f" of slot {self.slot}"
        if self.ballot is not None and self.ballot.round:
            about += f", {_nth(self.ballot.round)} ballot of {self.ballot.site}"
        elif self.ballot is not None:
            about += f", ballot {self.ballot}"
        return f"{self.word} from {self.sender} to {self.to}{about}"


class Ranks:
    """The ballots that were seen in a run."""

    def __init__(self) -> None:
        self._rounds: dict[SiteId, list[Round]] = {}

    def saw(self, ballot: Ballot | None) -> None:
        if ballot is None or ballot.round == 0:
            return
        rounds = self._rounds.setdefault(ballot.site, [])
        at = bisect_left(rounds, ballot.round)
        if at == len(rounds) or rounds[at] != ballot.round:
            insort(rounds, ballot.round)

    def rank(self, ballot: Ballot) -> Ballot | None:
        """None where it was not seen."""
        if ballot.round == 0:
            return ballot
        rounds = self._rounds.get(ballot.site, [])
        at = bisect_left(rounds, ballot.round)
        return Ballot(Round(at + 1), ballot.site) if at < len(rounds) and rounds[at] == ballot.round else None

    def ascending(self) -> list[Ballot]:
        """The ranks of all ballots, in the order of the ballots themselves."""
        seen = sorted(Ballot(each, site) for site, rounds in self._rounds.items() for each in rounds)
        return [rank for ballot in seen if (rank := self.rank(ballot)) is not None]

    def ranked(self, sayings: Iterable[Saying]) -> Iterator[Saying]:
        """With ranks in the place of ballots."""
        for each in sayings:
            rank = None if each.ballot is None else self.rank(each.ballot)
            yield Saying(each.sender, each.to, each.word, each.slot, rank)


def said(sender: SiteId, to: SiteId, message: Message) -> list[Saying]:
    """None of what is no part of it."""
    if message.role in {Role.SIGN, Role.INQUIRY}:
        return []
    line = describe.message(message)
    return [Saying(sender, to, line.type, slot, line.ballot) for slot in slots_of(line.type, message.about())]


def slots_of(word: str, spans: Iterable[Span]) -> list[Slot | None]:
    """A message about some slots says something of each, however they are said together; one about all from a slot on
    is told by that slot. Which slots a question is about depends on how far its site is just then."""
    if word in REPAIR:
        return [None]
    slots: list[Slot | None] = []
    for first, last in spans:
        slots += run.slots_of(first, first if last is None else last)
    return slots or [None]


def _nth(rank: int) -> str:
    ending = "th" if rank % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"
