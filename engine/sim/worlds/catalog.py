"""The small worlds that are searched whole, and how many states each has.

Rules that hold here:
- What a search comes to is pinned: a change of the protocol, or of what a world may do, is seen. A change that is meant
  is pinned anew, with what `python -m engine.sim.worlds` prints.
- QUICK worlds are part of the tests; LONG ones take minutes, and are searched by `make worlds` with all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.entry import Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Chosen, LearnedSlot, Message, Prepare
from engine.sim.worlds.acceptors import AcceptorState
from engine.sim.worlds.casts import Actor, Contender
from engine.sim.worlds.search import Searched
from engine.sim.worlds.stage import Stage

P: Final = SiteId("p")
Q: Final = SiteId("q")

_FIRST: Final = Slot(1)


@dataclass(frozen=True, slots=True)
class SmallWorld:
    """`settled` is the entry of slot 1 that everybody learned before the world begins."""

    name: str
    about: str
    cast: tuple[Actor, ...]
    pinned: Searched
    takes: tuple[type[Message], ...] = (Prepare, Accept)
    settled: Entry | None = None

    def stage(self) -> Stage:
        if self.settled is None:
            return Stage(self.cast, self.takes, frozenset(), AcceptorState())
        log = frozenset({LearnedSlot(_FIRST, self.settled)})
        accepted = frozenset({(_FIRST, Ballot(Round(1), P), self.settled)})
        return Stage(self.cast, self.takes, log, AcceptorState(learned=log, accepted=accepted))


def _tweet(author: SiteId, number: int = 1) -> Entry:
    return Entry(author, number, number - 1, f"tweet 0 {author}")


def _contender(site: SiteId, *rounds: int) -> Contender:
    """Proposes its first event at slot 1."""
    return Contender(site, LearnedSlot(_FIRST, _tweet(site)), tuple(map(Round, rounds)))


DUEL: Final = SmallWorld(
    "duel",
    "one slot, two proposers, two ballots: 1.p 1.q",
    (_contender(P, 1), _contender(Q, 1)),
    Searched(states=7_320, steps=22_750, depth=24),
)

QUICK: Final = (
    DUEL,
    SmallWorld(
        "duel, and told",
        "the same, and acceptors are told what is chosen, by the entry or by the ballot alone",
        (_contender(P, 1), _contender(Q, 1)),
        Searched(states=38_276, steps=121_212, depth=27),
        takes=(Prepare, Accept, Chosen),
    ),
    SmallWorld(
        "synod p q p",
        "one slot, two proposers, three ballots: 1.p 1.q 2.p",
        (_contender(P, 1, 2), _contender(Q, 1)),
        Searched(states=816_949, steps=2_575_971, depth=35),
    ),
)

LONG: Final = (
    SmallWorld(
        "synod p p q",
        "one slot, two proposers, three ballots: 1.p 2.p 2.q",
        (_contender(P, 1, 2), _contender(Q, 2)),
        Searched(states=780_765, steps=2_461_993, depth=35),
    ),
    SmallWorld(
        "synod p q q",
        "one slot, two proposers, three ballots: 1.p 1.q 2.q",
        (_contender(P, 1), _contender(Q, 1, 2)),
        Searched(states=801_395, steps=2_526_583, depth=35),
    ),
)

WORLDS: Final = QUICK + LONG
