"""The small clusters in which the log changes who votes while somebody leads, and how many states each has: as in
`catalog`.

Rules that hold here:
- Where it is not said otherwise p leads, and is handed an event of y; q is on a site of its own, too.
- Who leads begins before it has learned anything; what is settled, it proposes anew until it is told.
"""

from __future__ import annotations

from typing import Final

from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Round, Slot
from engine.sim.proving.exhaustive.changes import BY_Y, BY_Z, NEW, OLD, VXY, P, Q, aim, by
from engine.sim.proving.exhaustive.changing import ChangingCluster, Heir, Left, Proposer
from engine.sim.proving.exhaustive.electors import SITES, Store, X, Y, Z
from engine.sim.proving.exhaustive.search import Searched

_VXYZ: Final = (*VXY, Z)


def _by_x(*bodies: str) -> tuple[Entry, ...]:
    """One after the other."""
    return tuple(by(X, number, body) for number, body in enumerate(bodies, 1))


_REMOVE: Final = "remove 0 z"
_ADD: Final = "add-learner 0 z z:1"
_PROMOTE: Final = f"promote 0 z {NEW.life}"
_PROMOTE_OLD: Final = f"promote 0 z {OLD.life}"
_READMIT: Final = f"readmit 0 z {NEW.life}"
_READMIT_OLD: Final = f"readmit 0 z {OLD.life}"

_REMOVED: Final = _by_x(_REMOVE)


def _leads(last: int, *handed: tuple[Entry, ...], store: Store = P) -> Heir:
    """In round 2."""
    return Heir(store, Slot(last), (Round(2),), handed)


def _synod(slot: int, entry: Entry, *rounds: int, store: Store = Q, lag: int = 1) -> Proposer:
    """It knows who votes at this slot: before it does, it may not propose there (M2)."""
    return Proposer(store, (aim(slot, entry, *rounds),), Slot(slot - lag))


def _with_pause(first: Entry, *then: Entry) -> tuple[Entry, ...]:
    """w = 2: the next change fits only after a slot."""
    return first, NOOP, *then


_1_Q: Final = Ballot(Round(1), Q.site)

QUICK_LED: Final = (
    ChangingCluster(
        "leader, and z removed",
        "slot 1 removes z; p leads with 2.p, q wants slot 2 with 1.q; w = 1: x and y vote there",
        1,
        (_leads(2, (BY_Y,)), _synod(2, BY_Z, 1)),
        (OLD,),
        SITES,
        Searched(states=4_528, steps=24_538, depth=19),
        _REMOVED,
    ),
    ChangingCluster(
        "leader removed",
        "slot 1 removes z, who leads with 2.z, and is handed an event; p wants slot 2 with 1.p; w = 1",
        1,
        (_leads(2, (BY_Z,), store=OLD), _synod(2, BY_Y, 1, store=P)),
        (OLD,),
        SITES,
        Searched(states=2_266, steps=11_545, depth=16),
        _REMOVED,
    ),
)

LONG_LED: Final = (
    ChangingCluster(
        "leader, and removal under way",
        "slot 1 removes z, w = 2; p leads with 2.p, q wants slot 3 with 1.q: x and y vote there",
        2,
        (_leads(3, (BY_Y,)), _synod(3, BY_Z, 1, lag=2)),
        (OLD,),
        SITES,
        Searched(states=50_976, steps=320_618, depth=23),
        _with_pause(*_REMOVED),
    ),
    ChangingCluster(
        "leader removes z",
        "p leads with 2.p, and is handed the removal of z, then an event; q wants slot 2 with 1.q; w = 1",
        1,
        (_leads(2, _REMOVED, (BY_Y,)), _synod(2, BY_Z, 1)),
        (OLD,),
        SITES,
        Searched(states=6_872, steps=63_084, depth=22),
    ),
    ChangingCluster(
        "leader, and z promoted again",
        "slots 1 to 3 remove z of four, add it, and promote its store; p leads with 2.p; at slot 4, y and z accepted a "
        "no-op at 1.q; w = 1",
        1,
        (_leads(4, (BY_Y,)),),
        (OLD,),
        _VXYZ,
        Searched(states=9_623, steps=65_904, depth=20),
        _by_x(_REMOVE, _ADD, _PROMOTE_OLD),
        Left(_1_Q, NOOP, (Store(Y), OLD)),
    ),
    ChangingCluster(
        "leader, and z readmitted twice",
        "slots 1 and 3 readmit z, the second time its first store, w = 2; p leads with 2.p; at slot 4, y and z on the "
        "store between accepted a no-op at 1.q",
        2,
        (_leads(4, (BY_Y,)),),
        (OLD, NEW),
        SITES,
        Searched(states=126_386, steps=941_460, depth=22),
        _with_pause(*_by_x(_READMIT, _READMIT_OLD)),
        Left(_1_Q, NOOP, (Store(Y), NEW)),
    ),
    ChangingCluster(
        "leader and synod, and z promoted again",
        "as `leader, and z promoted again`, and q has 1.q at slot 4 yet",
        1,
        (_leads(4, (BY_Y,)), _synod(4, NOOP, 1)),
        (OLD,),
        _VXYZ,
        Searched(states=211_488, steps=1_634_407, depth=30),
        _by_x(_REMOVE, _ADD, _PROMOTE_OLD),
    ),
    ChangingCluster(
        "leader, and z added",
        "slots 1 and 2 add z to three, and promote it; p leads with 2.p, q wants slot 3 with 1.q; w = 1: four vote",
        1,
        (_leads(3, (BY_Y,)), _synod(3, NOOP, 1)),
        (NEW,),
        VXY,
        Searched(states=19_074, steps=132_450, depth=25),
        _by_x(_ADD, _PROMOTE),
    ),
)
