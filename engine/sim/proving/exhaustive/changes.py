"""The small clusters in which the log changes who votes, and how many states each has: as in `catalog`.

Rules that hold here:
- What p wants is an event of y; what q wants, one of z where z was among the first, and else a no-op.
- p and q are on sites of their own, and may propose at every slot; where the stores of z propose, each may at its own.
"""

from __future__ import annotations

from typing import Final

from engine.core.entry import NOOP, Entry
from engine.core.ids import Round, SiteId, Slot, StoreId
from engine.sim.proving.exhaustive.changing import ChangingCluster, Proposer
from engine.sim.proving.exhaustive.electors import SITES, Store, X, Y, Z
from engine.sim.proving.exhaustive.search import Searched
from engine.sim.proving.exhaustive.synods import Aim

OLD: Final = Store(Z)
NEW: Final = Store(Z, StoreId("1" * 16))
NEWER: Final = Store(Z, StoreId("2" * 16))
P: Final = Store(SiteId("p"))
Q: Final = Store(SiteId("q"))


def by(author: SiteId, number: int, body: str) -> Entry:
    return Entry(author, number, number - 1, body)


READMIT: Final = by(X, 1, f"readmit 0 z {NEW.life}")
READMIT_AGAIN: Final = by(X, 2, f"readmit 0 z {NEWER.life}")
REMOVE: Final = by(X, 1, "remove 0 z")
ADD: Final = by(X, 1, "add-learner 0 z z:1")
PROMOTE: Final = by(X, 2, f"promote 0 z {NEW.life}")
BY_Y: Final = by(Y, 1, "tweet 0 y")
BY_Z: Final = by(Z, 1, "tweet 0 z")


def aim(slot: int, entry: Entry, *rounds: int) -> Aim:
    return Aim(Slot(slot), entry, tuple(map(Round, rounds)))


def _duel(
    slot: int, entry: Entry, *, p: tuple[int, ...] = (1,), q: tuple[int, ...] = (2,)
) -> tuple[Proposer, Proposer]:
    """Both want this slot, q for this entry, with these rounds."""
    return Proposer(P, (aim(slot, BY_Y, *p),)), Proposer(Q, (aim(slot, entry, *q),))


def _stores_of_z(last: int) -> tuple[Proposer, Proposer]:
    """Both want slots 2 and 3: their first ballots have the same name."""
    old = Proposer(OLD, (aim(2, BY_Z, 1), aim(3, BY_Z, last)))
    return old, Proposer(NEW, (aim(2, BY_Y, 1), aim(3, BY_Y, 1)))


XY: Final = (X, Y)
VXY: Final = (SiteId("v"), X, Y)

REMOVED: Final = ChangingCluster(
    "removed",
    "slot 1 removes z, whoever knows of it; p and q want slot 2, with 1.p and 2.q; w = 1: x and y vote",
    1,
    _duel(2, BY_Z),
    (OLD,),
    SITES,
    Searched(states=756, steps=3_669, depth=19),
    (REMOVE,),
)

QUICK_CHANGES: Final = (
    REMOVED,
    ChangingCluster(
        "added",
        "slots 1 and 2 add z to x and y, and promote it; p and q want slot 3, with 1.p and 2.q; w = 1: all three vote",
        1,
        _duel(3, NOOP),
        (NEW,),
        XY,
        Searched(states=872, steps=4_783, depth=22),
        (ADD, PROMOTE),
    ),
    ChangingCluster(
        "added to three",
        "as `added`, to v, x and y: four vote, and a majority is three",
        1,
        _duel(3, NOOP),
        (NEW,),
        VXY,
        Searched(states=1_463, steps=9_831, depth=26),
        (ADD, PROMOTE),
    ),
    ChangingCluster(
        "addition under way",
        "slots 1 and 3 do, w = 2; p and q want slot 4, with 1.p and 2.q: z does not vote yet",
        2,
        _duel(4, NOOP),
        (NEW,),
        XY,
        Searched(states=1_360, steps=6_748, depth=23),
        (ADD, NOOP, PROMOTE),
    ),
    ChangingCluster(
        "promoted too early",
        "slots 1 and 2 do, w = 2, so that slot 2 is void; p and q want slot 4, with 1.p and 2.q: z does not vote",
        2,
        _duel(4, NOOP),
        (NEW,),
        XY,
        Searched(states=312, steps=1_234, depth=20),
        (ADD, PROMOTE),
    ),
    ChangingCluster(
        "readmitted",
        "slot 1 readmits z, whoever knows of it; p and q want slot 2, with 1.p and 2.q; w = 1: the new store votes",
        1,
        _duel(2, BY_Z),
        (OLD, NEW),
        SITES,
        Searched(states=7_582, steps=56_891, depth=22),
        (READMIT,),
    ),
    ChangingCluster(
        "two stores propose",
        "slot 1 readmits z, w = 2; both stores of z want slots 2 and 3, each with 1.z: the old has 2, the new 3",
        2,
        _stores_of_z(1),
        (OLD, NEW),
        SITES,
        Searched(states=5_576, steps=69_264, depth=24),
        (READMIT,),
    ),
)

LONG_CHANGES: Final = (
    ChangingCluster(
        "removal under way",
        "as `removed`, w = 2: z votes at slot 2 yet",
        2,
        _duel(2, BY_Z),
        (OLD,),
        SITES,
        Searched(states=4_480, steps=33_464, depth=19),
        (REMOVE,),
    ),
    ChangingCluster(
        "removed, and again",
        "as `removed`, p has 3.p too, q 4.q",
        1,
        _duel(2, BY_Z, p=(1, 3), q=(2, 4)),
        (OLD,),
        SITES,
        Searched(states=73_828, steps=408_019, depth=33),
        (REMOVE,),
    ),
    ChangingCluster(
        "removal decided",
        "p wants slot 1 to remove z, q an event, with 1.p and 2.q; then both want slot 2, with 3.p and 4.q; w = 1",
        1,
        (
            Proposer(P, (aim(1, REMOVE, 1), aim(2, BY_Y, 3))),
            Proposer(Q, (aim(1, BY_Y, 2), aim(2, BY_Z, 4))),
        ),
        (OLD,),
        SITES,
        Searched(states=124_464, steps=1_515_872, depth=33),
    ),
    ChangingCluster(
        "added, and again",
        "as `added`, p has 3.p too, q 4.q",
        1,
        _duel(3, NOOP, p=(1, 3), q=(2, 4)),
        (NEW,),
        XY,
        Searched(states=91_003, steps=637_227, depth=36),
        (ADD, PROMOTE),
    ),
    ChangingCluster(
        "addition decided",
        "p adds z at slot 1 with 1.p, and promotes it with 2.p; then p and q want slot 3, with 3.p and 4.q; w = 1",
        1,
        (
            Proposer(P, (aim(1, ADD, 1), aim(2, PROMOTE, 2), aim(3, BY_Y, 3))),
            Proposer(Q, (aim(3, NOOP, 4),)),
        ),
        (NEW,),
        XY,
        Searched(states=813, steps=12_000, depth=34),
    ),
    ChangingCluster(
        "promotion decided",
        "slot 1 adds z; p wants slot 2 to promote it, q a no-op, with 1.p and 2.q; then slot 3 with 3.p and 4.q; w = 1",
        1,
        (
            Proposer(P, (aim(2, PROMOTE, 1), aim(3, BY_Y, 3))),
            Proposer(Q, (aim(2, NOOP, 2), aim(3, NOOP, 4))),
        ),
        (NEW,),
        XY,
        Searched(states=8_345, steps=89_569, depth=34),
        (ADD,),
    ),
    ChangingCluster(
        "readmission under way",
        "as `readmitted`, w = 2: the store that z lost votes at slot 2 yet, and the new one does not",
        2,
        _duel(2, BY_Z),
        (OLD, NEW),
        SITES,
        Searched(states=8_960, steps=71_408, depth=20),
        (READMIT,),
    ),
    ChangingCluster(
        "readmitted, and again",
        "as `readmitted`, and p has 3.p too",
        1,
        _duel(2, BY_Z, p=(1, 3)),
        (OLD, NEW),
        SITES,
        Searched(states=166_518, steps=1_422_637, depth=30),
        (READMIT,),
    ),
    ChangingCluster(
        "readmission under way, and again",
        "the same, w = 2",
        2,
        _duel(2, BY_Z, p=(1, 3)),
        (OLD, NEW),
        SITES,
        Searched(states=110_512, steps=961_216, depth=27),
        (READMIT,),
    ),
    ChangingCluster(
        "readmission decided",
        "p wants slot 1 to readmit z, q an event, with 1.p and 2.q; then both want slot 2, with 3.p and 4.q; w = 1",
        1,
        (
            Proposer(P, (aim(1, READMIT, 1), aim(2, BY_Y, 3))),
            Proposer(Q, (aim(1, BY_Y, 2), aim(2, BY_Z, 4))),
        ),
        (OLD, NEW),
        SITES,
        Searched(states=1_010_900, steps=16_353_004, depth=36),
    ),
    ChangingCluster(
        "lost again",
        "slots 1 and 2 readmit z, each another store; p and q want slot 3, with 1.p and 2.q; w = 1: the last one votes",
        1,
        _duel(3, BY_Z),
        (OLD, NEW, NEWER),
        SITES,
        Searched(states=164_004, steps=1_455_471, depth=30),
        (READMIT, READMIT_AGAIN),
    ),
    ChangingCluster(
        "two stores propose, and p",
        "as `two stores propose`, the old one with 2.z at slot 3; and p fills slot 2 with 1.p",
        2,
        (*_stores_of_z(2), Proposer(P, (aim(2, NOOP, 1),))),
        (OLD, NEW),
        SITES,
        Searched(states=710_544, steps=10_488_448, depth=33),
        (READMIT,),
    ),
)
