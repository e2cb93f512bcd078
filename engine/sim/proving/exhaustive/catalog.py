"""The small clusters that are searched whole, and how many states each has.

Rules that hold here:
- What a search comes to is pinned: a change of the protocol, or of what a cluster may do, is seen. One that is meant
  is pinned anew, with what `python -m engine.sim.proving.exhaustive` prints.
- QUICK clusters are part of the tests; LONG ones take seconds to minutes each, and are searched by `make worlds`, with
  all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Chosen, Message, Prepare
from engine.core.run import Run
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.acceptors import PAGE_BYTES, AcceptorState
from engine.sim.proving.exhaustive.casts import Actor, Author, Contender, LastAuthor
from engine.sim.proving.exhaustive.changes import LONG_CHANGES, QUICK_CHANGES
from engine.sim.proving.exhaustive.changes_led import LONG_LED, QUICK_LED
from engine.sim.proving.exhaustive.leaders import Leads
from engine.sim.proving.exhaustive.search import Searched
from engine.sim.proving.exhaustive.states import ClusterStates, ForgetfulStates
from engine.sim.proving.exhaustive.together import Together

P: Final = SiteId("p")
Q: Final = SiteId("q")
F: Final = SiteId("f")

_FIRST: Final = Slot(1)
_SECOND: Final = Slot(2)
_ASKED: Final[tuple[type[Message], ...]] = (Prepare, Accept)
_TOLD: Final[tuple[type[Message], ...]] = (Prepare, Accept, Chosen)


@dataclass(frozen=True, slots=True)
class SmallCluster:
    """`takes`: what acceptors take. `settled`: the entry of slot 1 that everybody learned before the search begins.
    `page_bytes`: how much a promise holds."""

    name: str
    about: str
    cast: tuple[Actor, ...]
    pinned: Searched
    takes: tuple[type[Message], ...] = _ASKED
    settled: Entry | None = None
    kind: type[ClusterStates] = ForgetfulStates
    page_bytes: int = PAGE_BYTES

    def states(self) -> ClusterStates:
        acceptor, log = AcceptorState(page_bytes=self.page_bytes), frozenset[logs.Placed]()
        if self.settled is not None:
            log = frozenset({(_FIRST, self.settled)})
            accepted = frozenset({(_FIRST, Ballot(Round(1), P), self.settled)})
            acceptor = replace(acceptor, learned=log, accepted=accepted)
        return self.kind(self.cast, self.takes, log, acceptor)


def _tweet(author: SiteId, number: int = 1) -> Entry:
    return Entry(author, number, number - 1, f"tweet 0 {author}")


def _rounds(numbers: tuple[int, ...]) -> tuple[Round, ...]:
    return tuple(map(Round, numbers))


def _contender(site: SiteId, *rounds: int, slot: int = 1) -> Contender:
    """Proposes its first event."""
    return Contender(site, (Slot(slot), _tweet(site)), _rounds(rounds))


def _filler(site: SiteId, *rounds: int) -> Contender:
    """Proposes the no-op at slot 1."""
    return Contender(site, (_FIRST, NOOP), _rounds(rounds))


def _author(site: SiteId, *rounds: int, then: tuple[int, ...]) -> Author:
    """Proposes its first event at slot 1, and goes on to slot 2."""
    return Author(site, (_FIRST, _tweet(site)), _rounds(rounds), _rounds(then))


def _last_author(site: SiteId, *rounds: int, then: tuple[int, ...]) -> LastAuthor:
    """The same, with ballot 0 where it may."""
    return LastAuthor(site, (_FIRST, _tweet(site)), _rounds(rounds), _rounds(then))


def _leads(
    site: SiteId, *handed: tuple[Entry, ...], rounds: tuple[int, ...] = (1,), synods: tuple[int, ...] = ()
) -> Leads:
    """`handed` are the events that it is handed together."""
    return Leads(site, _rounds(rounds), _rounds(synods), handed)


def _together(site: SiteId, *rounds: int, second: tuple[int, ...] = ()) -> Together:
    """Proposes its first two events together at slots 1 and 2, and the second one alone with the rounds of `second`."""
    first, last = _tweet(site, 1), _tweet(site, 2)
    aims = ((Run(_FIRST, (first, last)), _rounds(rounds)), (Run(_SECOND, (last,)), _rounds(second)))
    return Together(site, slot_rounds=_rounds((*rounds, *second)), aims=aims)


_A1: Final = _tweet(SiteId("a"), 1)
_A2: Final = _tweet(SiteId("a"), 2)
_B1: Final = _tweet(SiteId("b"))

AGAIN: Final = SmallCluster(
    "synod p p",
    "one slot, one proposer, two ballots: 1.p 2.p",
    (_contender(P, 1, 2),),
    Searched(states=4_280, steps=11_589, depth=23),
    kind=ClusterStates,
)

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

PAGES: Final = SmallCluster(
    "run in pages",
    "two leaders, 1.p and 1.q: p is handed two events together, q another one; a promise holds one entry",
    (_leads(P, (_A1, _A2)), _leads(Q, (_B1,))),
    Searched(states=75_946, steps=1_024_157, depth=28),
    page_bytes=1,
)

QUICK: Final = (
    DUEL,
    AGAIN,
    TOLD,
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
        Searched(states=11_293, steps=109_476, depth=23),
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
        "synod and run",
        "p has 1.p at slot 2; q proposes two events together at slots 1 and 2, with 1.q",
        (_contender(P, 1, slot=2), _together(Q, 1)),
        Searched(states=6_981, steps=52_532, depth=21),
    ),
)

LONG: Final = (
    SmallCluster(
        "synod of four",
        "one slot, two proposers, four ballots: 1.p 1.q 2.p 2.q",
        (_contender(P, 1, 2), _contender(Q, 1, 2)),
        Searched(states=31_596, steps=224_148, depth=30),
    ),
    SmallCluster(
        "hole, and told",
        "as `hole`, and acceptors are told what is chosen, by the entry or by the ballot alone",
        (_author(P, 1, then=(2,)), _filler(Q, 1)),
        Searched(states=25_799, steps=256_723, depth=30),
        takes=_TOLD,
    ),
    SmallCluster(
        "run left out",
        "q leads with 1.q, and is handed two events together; p proposes at slot 2 with 1.p and 2.p",
        (_leads(Q, (_A1, _A2)), _contender(P, 1, 2, slot=2)),
        Searched(states=56_297, steps=615_413, depth=28),
    ),
    SmallCluster(
        "run and synod",
        "p proposes two events together at slots 1 and 2, with 1.p; q has 1.q at slot 2",
        (_together(P, 1), _contender(Q, 1, slot=2)),
        Searched(states=35_943, steps=352_776, depth=23),
    ),
    SmallCluster(
        "leaders and gaps",
        "two leaders, 1.p and 1.q: p is handed two events one by one, q none",
        (_leads(P, (_A1,), (_A2,)), _leads(Q)),
        Searched(states=80_076, steps=866_240, depth=28),
    ),
    SmallCluster(
        "slot left out",
        "q leads with 1.q; p proposes at slot 1 with 1.p and 2.p, which promises of 1.q leave out",
        (_leads(Q, (_A1,)), _contender(P, 1, 2)),
        Searched(states=53_498, steps=581_799, depth=30),
    ),
    SmallCluster(
        "slot settled alone",
        "q leads with 1.q, and settles slots by synods with 3.q; p fills slot 1 with 2.p",
        (_leads(Q, (_A1,), synods=(3,)), _filler(P, 2)),
        Searched(states=45_022, steps=564_132, depth=29),
    ),
    PAGES,
    SmallCluster(
        "synod p q p",
        "one slot, two proposers, three ballots: 1.p 1.q 2.p",
        (_contender(P, 1, 2), _contender(Q, 1)),
        Searched(states=816_949, steps=2_575_971, depth=35),
        kind=ClusterStates,
    ),
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
        Searched(states=157_392, steps=1_367_166, depth=31),
        takes=_TOLD,
    ),
    SmallCluster(
        "leaders and two events, and told",
        "two leaders, 1.p and 1.q: p is handed two events together, q none; acceptors are told what is chosen",
        (_leads(P, (_A1, _A2)), _leads(Q)),
        Searched(states=2_205_323, steps=21_970_829, depth=30),
        takes=_TOLD,
    ),
    SmallCluster(
        "leaders, one by one",
        "two leaders, 1.p and 1.q: both are handed two events, one by one",
        (_leads(P, (_A1,), (_A2,)), _leads(Q, (_A1,), (_A2,))),
        Searched(states=209_540, steps=2_428_497, depth=29),
    ),
    SmallCluster(
        "run again",
        "p leads with 1.p, then 2.p, and is handed two events together; q has 1.q at slot 2; a promise holds one entry",
        (_leads(P, (_A1, _A2), rounds=(1, 2)), _contender(Q, 1, slot=2)),
        Searched(states=637_364, steps=7_986_367, depth=33),
        page_bytes=1,
    ),
    SmallCluster(
        "synods and run",
        "as `synod and run`, and p has 2.p too, which promises of 1.q leave out",
        (_contender(P, 1, 2, slot=2), _together(Q, 1)),
        Searched(states=401_494, steps=4_014_630, depth=30),
    ),
    SmallCluster(
        "run settled in parts",
        "q leads with 1.q, is handed two events together, settles slots by synods with 3.q; p has 2.p at slot 2",
        (_leads(Q, (_A1, _A2), synods=(3,)), _contender(P, 2, slot=2)),
        Searched(states=160_197, steps=2_101_645, depth=27),
    ),
    SmallCluster(
        "run and synod, and on",
        "p proposes two events together at slots 1 and 2, with 1.p, and the second one alone with 2.p; q has 1.q there",
        (_together(P, 1, second=(2,)), _contender(Q, 1, slot=2)),
        Searched(states=958_698, steps=9_449_273, depth=33),
    ),
    SmallCluster(
        "runs",
        "p and q each propose two events together at slots 1 and 2, with 1.p and 1.q",
        (_together(P, 1), _together(Q, 1)),
        Searched(states=395_443, steps=3_784_861, depth=26),
    ),
    SmallCluster(
        "runs in pages",
        "the same, and a promise holds one entry",
        (_together(P, 1), _together(Q, 1)),
        Searched(states=522_202, steps=5_601_921, depth=28),
        page_bytes=1,
    ),
)

SMALL_CLUSTERS: Final = (*QUICK, *LONG, *QUICK_CHANGES, *LONG_CHANGES, *QUICK_LED, *LONG_LED)
