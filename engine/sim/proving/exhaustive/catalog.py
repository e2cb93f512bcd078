"""The small clusters that are searched whole, and how many states each has.

Rules that hold here:
- What a search comes to is pinned: a change of the protocol, or of what a cluster may do, is seen. One that is meant
  is pinned anew, with what `python -m engine.sim.proving.exhaustive` prints.
- QUICK clusters are part of the tests; LONG ones take minutes, and are searched by `make worlds` with all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Chosen, LearnedSlot, Message, Prepare
from engine.sim.proving.exhaustive.acceptors import AcceptorState
from engine.sim.proving.exhaustive.casts import Actor, Author, Contender, LastAuthor
from engine.sim.proving.exhaustive.leaders import Leads
from engine.sim.proving.exhaustive.search import Searched
from engine.sim.proving.exhaustive.states import ClusterStates, ForgetfulStates

P: Final = SiteId("p")
Q: Final = SiteId("q")
F: Final = SiteId("f")

_FIRST: Final = Slot(1)
_ASKED: Final[tuple[type[Message], ...]] = (Prepare, Accept)
_TOLD: Final[tuple[type[Message], ...]] = (Prepare, Accept, Chosen)


@dataclass(frozen=True, slots=True)
class SmallCluster:
    """`takes`: what acceptors take. `settled`: the entry of slot 1 that everybody learned before the search begins."""

    name: str
    about: str
    cast: tuple[Actor, ...]
    pinned: Searched
    takes: tuple[type[Message], ...] = _ASKED
    settled: Entry | None = None
    kind: type[ClusterStates] = ForgetfulStates

    def states(self) -> ClusterStates:
        if self.settled is None:
            return self.kind(self.cast, self.takes, frozenset(), AcceptorState())
        log = frozenset({LearnedSlot(_FIRST, self.settled)})
        accepted = frozenset({(_FIRST, Ballot(Round(1), P), self.settled)})
        return self.kind(self.cast, self.takes, log, AcceptorState(learned=log, accepted=accepted))


def _tweet(author: SiteId, number: int = 1) -> Entry:
    return Entry(author, number, number - 1, f"tweet 0 {author}")


def _rounds(numbers: tuple[int, ...]) -> tuple[Round, ...]:
    return tuple(map(Round, numbers))


def _contender(site: SiteId, *rounds: int, slot: int = 1) -> Contender:
    """Proposes its first event."""
    return Contender(site, LearnedSlot(Slot(slot), _tweet(site)), _rounds(rounds))


def _filler(site: SiteId, *rounds: int) -> Contender:
    """Proposes the no-op at slot 1."""
    return Contender(site, LearnedSlot(_FIRST, NOOP), _rounds(rounds))


def _author(site: SiteId, *rounds: int, then: tuple[int, ...]) -> Author:
    """Proposes its first event at slot 1, and goes on to slot 2."""
    return Author(site, LearnedSlot(_FIRST, _tweet(site)), _rounds(rounds), _rounds(then))


def _last_author(site: SiteId, *rounds: int, then: tuple[int, ...]) -> LastAuthor:
    """The same, with ballot 0 where it may."""
    return LastAuthor(site, LearnedSlot(_FIRST, _tweet(site)), _rounds(rounds), _rounds(then))


def _leads(site: SiteId, *handed: tuple[Entry, ...], synods: tuple[int, ...] = ()) -> Leads:
    """Stands for election in round 1; `handed` are the events that it is handed together."""
    return Leads(site, (Round(1),), _rounds(synods), handed)


_A1: Final = _tweet(SiteId("a"), 1)
_A2: Final = _tweet(SiteId("a"), 2)

DUEL: Final = SmallCluster(
    "duel",
    "one slot, two proposers, two ballots: 1.p 1.q",
    (_contender(P, 1), _contender(Q, 1)),
    Searched(states=7_320, steps=22_750, depth=24),
    kind=ClusterStates,
)

TOLD: Final = SmallCluster(
    "duel, and told",
    "the same, and acceptors are told what is chosen, by the entry or by the ballot alone",
    (_contender(P, 1), _contender(Q, 1)),
    Searched(states=38_276, steps=121_212, depth=27),
    takes=_TOLD,
    kind=ClusterStates,
)

ZERO: Final = SmallCluster(
    "ballot 0",
    "p wrote slot 1, and at slot 2 has ballot 0 alone; q has 1.q there",
    (_last_author(P, then=()), _contender(Q, 1, slot=2)),
    Searched(states=1_326, steps=3_835, depth=16),
    settled=_tweet(P),
    kind=ClusterStates,
)

QUICK: Final = (
    DUEL,
    TOLD,
    SmallCluster(
        "synod p q p",
        "one slot, two proposers, three ballots: 1.p 1.q 2.p",
        (_contender(P, 1, 2), _contender(Q, 1)),
        Searched(states=816_949, steps=2_575_971, depth=35),
        kind=ClusterStates,
    ),
    SmallCluster(
        "synod of four",
        "one slot, two proposers, four ballots: 1.p 1.q 2.p 2.q",
        (_contender(P, 1, 2), _contender(Q, 1, 2)),
        Searched(states=31_596, steps=224_148, depth=30),
    ),
    SmallCluster(
        "synod of three sites",
        "one slot, three proposers, three ballots: 1.f 1.p 1.q",
        (_contender(P, 1), _contender(Q, 1), _contender(F, 1)),
        Searched(states=4_946, steps=33_676, depth=24),
    ),
    SmallCluster(
        "hole",
        "p proposes at slot 1, then at slot 2 what lost, or the next event; q fills slot 1: 1.p 1.q, then 2.p",
        (_author(P, 1, then=(2,)), _filler(Q, 1)),
        Searched(states=2_596, steps=27_253, depth=24),
    ),
    SmallCluster(
        "hole, and told",
        "the same, and acceptors are told what is chosen, by the entry or by the ballot alone",
        (_author(P, 1, then=(2,)), _filler(Q, 1)),
        Searched(states=25_799, steps=256_723, depth=30),
        takes=_TOLD,
    ),
    ZERO,
    SmallCluster(
        "ballot 0 and back",
        "p wrote slot 1, and at slot 2 has ballot 0 and 1.p; q has 1.q there",
        (_last_author(P, then=(1,)), _contender(Q, 1, slot=2)),
        Searched(states=8_889, steps=57_082, depth=19),
        settled=_tweet(P),
    ),
    SmallCluster(
        "last author",
        "p proposes at slot 1; then at slot 2, p has ballot 0 if it learned that, and q has 2.q",
        (_last_author(P, 1, then=()), _last_author(Q, then=(2,))),
        Searched(states=6_819, steps=80_256, depth=21),
    ),
    SmallCluster(
        "last authors",
        "p and q propose at slot 1; then at slot 2, who learned there what it wrote has ballot 0",
        (_last_author(P, 1, then=()), _last_author(Q, 1, then=())),
        Searched(states=6_704, steps=61_892, depth=21),
    ),
    SmallCluster(
        "after a no-op",
        "slot 1 is a no-op: at slot 2 nobody has ballot 0; q has 1.q there",
        (_last_author(P, then=()), _last_author(Q, then=(1,))),
        Searched(states=85, steps=422, depth=9),
        settled=NOOP,
    ),
    SmallCluster(
        "leaders",
        "two leaders, 1.p and 1.q: p is handed two events together, q the first of them",
        (_leads(P, (_A1, _A2)), _leads(Q, (_A1,))),
        Searched(states=9_305, steps=91_845, depth=23),
    ),
    SmallCluster(
        "leaders and gaps",
        "two leaders, 1.p and 1.q: p is handed two events one by one, q none",
        (_leads(P, (_A1,), (_A2,)), _leads(Q)),
        Searched(states=25_092, steps=241_792, depth=26),
    ),
    SmallCluster(
        "leaders, and told",
        "two leaders, 1.p and 1.q: p is handed an event, q none; acceptors are told what is chosen",
        (_leads(P, (_A1,)), _leads(Q)),
        Searched(states=10_881, steps=83_046, depth=24),
        takes=_TOLD,
    ),
    SmallCluster(
        "leader and synod, and told",
        "q leads with 1.q; p proposes at slot 1 with 1.p; acceptors are told what is chosen",
        (_leads(Q), _contender(P, 1)),
        Searched(states=2_654, steps=15_622, depth=22),
        takes=_TOLD,
    ),
    SmallCluster(
        "slot left out",
        "q leads with 1.q; p proposes at slot 1 with 1.p and 2.p, which promises of 1.q leave out",
        (_leads(Q, (_A1,)), _contender(P, 1, 2)),
        Searched(states=53_498, steps=580_004, depth=30),
    ),
    SmallCluster(
        "slot settled alone",
        "q leads with 1.q, and settles slots by synods with 3.q; p fills slot 1 with 2.p",
        (_leads(Q, (_A1,), synods=(3,)), _filler(P, 2)),
        Searched(states=45_022, steps=564_132, depth=29),
    ),
)

LONG: Final = (
    SmallCluster(
        "synod p p q",
        "one slot, two proposers, three ballots: 1.p 2.p 2.q",
        (_contender(P, 1, 2), _contender(Q, 2)),
        Searched(states=780_765, steps=2_461_993, depth=35),
        kind=ClusterStates,
    ),
    SmallCluster(
        "synod p q q",
        "one slot, two proposers, three ballots: 1.p 1.q 2.q",
        (_contender(P, 1), _contender(Q, 1, 2)),
        Searched(states=801_395, steps=2_526_583, depth=35),
        kind=ClusterStates,
    ),
    SmallCluster(
        "hole, nothing forgotten",
        "as `hole`, and states hold all votes",
        (_author(P, 1, then=(2,)), _filler(Q, 1)),
        Searched(states=925_282, steps=4_554_636, depth=36),
        kind=ClusterStates,
    ),
    SmallCluster(
        "ballot 0 and back twice",
        "p wrote slot 1, and at slot 2 has ballot 0, 1.p and 2.p; q has 1.q there",
        (_last_author(P, then=(1, 2)), _contender(Q, 1, slot=2)),
        Searched(states=167_779, steps=1_180_348, depth=26),
        settled=_tweet(P),
    ),
    SmallCluster(
        "last authors and back",
        "as `last authors`, and q has 2.q at slot 2 too",
        (_last_author(P, 1, then=()), _last_author(Q, 1, then=(2,))),
        Searched(states=321_298, steps=4_087_972, depth=28),
    ),
    SmallCluster(
        "leader with an event and synod, and told",
        "as `leader and synod, and told`, and q is handed an event",
        (_leads(Q, (_A1,)), _contender(P, 1)),
        Searched(states=157_392, steps=1_366_465, depth=31),
        takes=_TOLD,
    ),
    SmallCluster(
        "leaders and two events, and told",
        "two leaders, 1.p and 1.q: p is handed two events together, q none; acceptors are told what is chosen",
        (_leads(P, (_A1, _A2)), _leads(Q)),
        Searched(states=2_094_971, steps=20_723_540, depth=30),
        takes=_TOLD,
    ),
    SmallCluster(
        "leaders, one by one",
        "two leaders, 1.p and 1.q: both are handed two events, one by one",
        (_leads(P, (_A1,), (_A2,)), _leads(Q, (_A1,), (_A2,))),
        Searched(states=100_536, steps=1_089_171, depth=28),
    ),
)

SMALL_CLUSTERS: Final = QUICK + LONG
