"""The small clusters in which the log changes who votes while somebody leads, and how many states each has: as in
`catalog`.

Rules that hold here:
- Where it is not said otherwise p leads, and is handed an event of y; q is on a site of its own, too.
- Who leads begins before it has learned anything; what is settled, it proposes anew until it is told.
"""

from __future__ import annotations

from typing import Final

from engine.core.entry import NOOP, Entry
from engine.core.ids import Round, Slot
from engine.sim.proving.exhaustive.changes import BY_Y, BY_Z, NEW, OLD, VXY, P, Q, aim, by
from engine.sim.proving.exhaustive.changing import ChangingCluster, Heir, Proposer
from engine.sim.proving.exhaustive.electors import SITES, Store, X, Z
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
_READMITTED: Final = _by_x(_READMIT)


def _leads(last: int, *handed: tuple[Entry, ...], store: Store = P, rounds: tuple[int, ...] = (2,)) -> Heir:
    return Heir(store, Slot(last), tuple(map(Round, rounds)), handed)


def _synod(slot: int, entry: Entry, *rounds: int, store: Store = Q) -> Proposer:
    return Proposer(store, (aim(slot, entry, *rounds),))


def _with_pause(first: Entry, *then: Entry) -> tuple[Entry, ...]:
    """w = 2: the next change fits only after a slot."""
    return first, NOOP, *then


_NOT_YET: Final = Searched(0, 0, 0)

QUICK_LED: Final = (
    ChangingCluster(
        "leader, and z removed",
        "slot 1 removes z; p leads with 2.p, q wants slot 2 with 1.q; w = 1: x and y vote there",
        1,
        (_leads(2, (BY_Y,)), _synod(2, BY_Z, 1)),
        (OLD,),
        SITES,
        _NOT_YET,
        _REMOVED,
    ),
    ChangingCluster(
        "leader removed",
        "slot 1 removes z, who leads with 2.z, and is handed an event; p wants slot 2 with 1.p; w = 1",
        1,
        (_leads(2, (BY_Z,), store=OLD), _synod(2, BY_Y, 1, store=P)),
        (OLD,),
        SITES,
        _NOT_YET,
        _REMOVED,
    ),
)

LONG_LED: Final = (
    ChangingCluster(
        "leader, and removal under way",
        "slots 1 and 2, removes z, w = 2; p leads with 2.p, q wants slot 3 with 1.q: x and y vote there",
        2,
        (_leads(3, (BY_Y,)), _synod(3, BY_Z, 1)),
        (OLD,),
        SITES,
        _NOT_YET,
        _with_pause(*_REMOVED),
    ),
    ChangingCluster(
        "leader removes z",
        "p leads with 2.p, and is handed the removal of z, then an event; q wants slot 2 with 1.q; w = 1",
        1,
        (_leads(2, _REMOVED, (BY_Y,)), _synod(2, BY_Z, 1)),
        (OLD,),
        SITES,
        _NOT_YET,
    ),
    ChangingCluster(
        "leader, and z promoted again",
        "slots 1 to 3 remove z of four, add it, and promote the same store; p leads with 2.p, q wants slot 4; w = 1",
        1,
        (_leads(4, (BY_Y,)), _synod(4, NOOP, 1)),
        (OLD,),
        _VXYZ,
        _NOT_YET,
        _by_x(_REMOVE, _ADD, _PROMOTE_OLD),
    ),
    ChangingCluster(
        "leader, and z readmitted twice",
        "slots 1 and 3 readmit z, the second time its first store, w = 2; p leads with 2.p, q wants slot 4",
        2,
        (_leads(4, (BY_Y,)), _synod(4, NOOP, 1)),
        (OLD, NEW),
        SITES,
        _NOT_YET,
        _with_pause(*_by_x(_READMIT, _READMIT_OLD)),
    ),
    ChangingCluster(
        "leaders, and z readmitted",
        "slot 1 readmits z; p and q lead with 1.p and 2.q, q with an event of x; w = 1: the new store votes",
        1,
        (_leads(2, (BY_Y,), rounds=(1,)), _leads(2, (by(X, 2, "tweet 0 x"),), store=Q)),
        (OLD, NEW),
        SITES,
        _NOT_YET,
        _READMITTED,
    ),
    ChangingCluster(
        "leader, and z added",
        "slots 1 and 2 add z to three, and promote it; p leads with 2.p, q wants slot 3 with 1.q; w = 1: four vote",
        1,
        (_leads(3, (BY_Y,)), _synod(3, NOOP, 1)),
        (NEW,),
        VXY,
        _NOT_YET,
        _by_x(_ADD, _PROMOTE),
    ),
)
