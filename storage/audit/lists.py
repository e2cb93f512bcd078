"""Who votes at which slot, as the log says: what an audit counts majorities by (M1 to M4).

Rules that hold here:
- M1: the lists are those of the log as far as it was read; at a slot they are known once all is read that is more than
  w before it.
- M4: a store that the log admits has all votes of its site from a slot on, and none of those before it, which another
  store gave. A store that D5 admitted has all, until the log puts another one in its place.
- M4: a vote counts where its store votes, and nowhere else. Where the log admits a store of a founder it may be the
  first one, come back: what that voted before the entry counts, for nobody can tell it from another's here.
"""

from __future__ import annotations

from collections.abc import Collection

from engine.core.entry import Promote, Readmit, decode
from engine.core.ids import SiteId, Slot
from engine.core.log.members import Members
from engine.core.roster import Member
from engine.core.settings import CHANGE_LAG
from engine.core.storage import Standing
from storage.audit.stores import Store


class Lists:
    """`members` grow with the log that is read; `stores` may be several of one site."""

    def __init__(self, members: Members, stores: Collection[Store]) -> None:
        self.members = members
        self._stores = stores
        readmitted = (each for each in stores if each.begun.meta.standing is Standing.READMITTED)
        self._admitted = {store.life: admitted_at(store, stores) for store in readmitted}
        self._unseen: dict[Slot, frozenset[SiteId]] = {}  # by the first slot of the list
        self._voting: dict[tuple[Slot, SiteId], list[Store]] = {}  # by the same

    def quorum(self, slot: Slot) -> int:
        return self.members.at(slot).quorum

    def counts(self, slot: Slot, site: SiteId) -> bool:
        """A vote of this site that stands in a store here is one at this slot."""
        key = (self.members.at(slot).first, site)
        if key not in self._voting:
            self._voting[key] = [each for each in self._of(site) if self.members.counts(slot, site, each.life)]
        return any(not self._is_early(slot, store) for store in self._voting[key])

    def is_early(self, slot: Slot, site: SiteId) -> bool:
        """The log admits what stores of this site are here from a later slot on, and none of them can have voted there
        before the entry did that."""
        return any(self._admitted.values()) and all(self._is_early(slot, store) for store in self._of(site))

    def _of(self, site: SiteId) -> list[Store]:
        return [store for store in self._stores if store.site == site]

    def _is_early(self, slot: Slot, store: Store) -> bool:
        at = self._admitted.get(store.life)
        return at is not None and slot < at + CHANGE_LAG and (slot > at or store.site not in self.members.founders)

    def unseen(self, slot: Slot) -> frozenset[SiteId]:
        """The voters of a slot that may have voted what no store here shows."""
        roster = self.members.at(slot)
        if roster.first not in self._unseen:
            hidden = (each for each in roster.voters if not any(_shows(store, each) for store in self._stores))
            self._unseen[roster.first] = frozenset(each.site for each in hidden)
        return self._unseen[roster.first]


def _shows(store: Store, voter: Member) -> bool:
    """All votes of this voter are in this store."""
    if store.site != voter.site:
        return False
    return store.is_original if voter.life is None else store.is_voter and store.life == voter.life


def votes_from(store: Store, stores: Collection[Store]) -> Slot:
    """The first slot at which this store votes, as far as any of these knows the log."""
    if store.begun.meta.standing is not Standing.READMITTED:
        return Slot(1)
    return Slot((admitted_at(store, stores) or 0) + CHANGE_LAG)


def admitted_at(store: Store, stores: Collection[Store]) -> Slot | None:
    """The slot of the entry that admitted this store, as far as any of these knows the log; None where none did."""
    every = (admission for each in stores for admission in admissions(each))
    return min((slot for slot, site, life in every if (site, life) == (store.site, store.life)), default=None)


def admissions(store: Store) -> list[tuple[Slot, SiteId, str]]:
    """Which stores the log admitted, and in which slots, as this store has it."""
    found: list[tuple[Slot, SiteId, str]] = []
    for change in store.begun.changes:
        operation = decode(change.body).operation
        if isinstance(operation, Readmit | Promote):
            found.append((change.slot, operation.site, operation.life))
    return found
