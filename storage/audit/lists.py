"""Who votes at which slot, as the log says: what an audit counts majorities by (M1 to M4).

Rules that hold here:
- M1: the lists are those of the log as far as it was read; at a slot they are known once all is read that is more than
  w before it.
- M4: a store that the log admits has all votes of its site from a slot on, and none of those before it, which another
  store gave. A store that D5 admitted has all, until the log puts another one in its place.
"""

from __future__ import annotations

from collections.abc import Collection

from engine.core.entry import Promote, Readmit, decode
from engine.core.ids import SiteId, Slot
from engine.core.log.members import Members
from engine.core.roster import Member, Roster
from engine.core.settings import CHANGE_LAG
from engine.core.storage import Standing
from storage.audit.stores import Store


class Lists:
    """`members` grow with the log that is read; `stores` may be several of one site."""

    def __init__(self, members: Members, stores: Collection[Store]) -> None:
        self.members = members
        self._stores = stores
        self._unseen: dict[Slot, int] = {}  # by the first slot of the list

    def quorum(self, slot: Slot) -> int:
        return self.members.at(slot).quorum

    def unseen(self, slot: Slot) -> int:
        """How many voters of a slot may have voted what no store here shows."""
        roster = self.members.at(slot)
        if roster.first not in self._unseen:
            self._unseen[roster.first] = self._count_unseen(roster)
        return self._unseen[roster.first]

    def _count_unseen(self, roster: Roster) -> int:
        return sum(not any(_shows(store, voter) for store in self._stores) for voter in roster.voters)


def _shows(store: Store, voter: Member) -> bool:
    """All votes of this voter are in this store."""
    if store.site != voter.site:
        return False
    return store.is_original if voter.life is None else store.is_voter and store.life == voter.life


def votes_from(store: Store, stores: Collection[Store]) -> Slot:
    """The first slot at which this store votes, as far as any of these knows the log."""
    if store.begun.meta.standing is not Standing.READMITTED:
        return Slot(1)
    every = (admission for each in stores for admission in admissions(each))
    named = [slot for slot, site, life in every if (site, life) == (store.site, store.life)]
    return Slot(min(named, default=Slot(0)) + CHANGE_LAG)


def admissions(store: Store) -> list[tuple[Slot, SiteId, str]]:
    """Which stores the log admitted, and in which slots, as this store has it."""
    found: list[tuple[Slot, SiteId, str]] = []
    for change in store.begun.changes:
        operation = decode(change.body).operation
        if isinstance(operation, Readmit | Promote):
            found.append((change.slot, operation.site, operation.life))
    return found
