"""Who belongs to the cluster, as values: lists of members, each from a slot on (M1)."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.ids import SiteId, Slot, StoreId, quorum_size
from engine.core.value import Value


class Member(Value):
    """`life`: the store that a voter votes with, None: the one that D5 admitted (only that one votes then: who runs on
    another knows it); a learner has none. `address` None: that of sites.yaml. `wanted_since`: a learner that is to vote
    once it has the log, by the entry at this slot."""

    site: SiteId
    votes: bool
    life: StoreId | None = None
    address: str | None = None
    wanted_since: Slot | None = None


class Roster(Value):
    """Who belongs to the cluster at the slots from `first` on, sorted; who of them votes, and how many make a
    majority."""

    first: Slot
    members: tuple[Member, ...]
    names: tuple[SiteId, ...]
    voters: tuple[Member, ...]
    sites: tuple[SiteId, ...]  # the voters' names
    quorum: int

    def of(self, site: SiteId) -> Member | None:
        for member in self.members:
            if member.site == site:
                return member
        return None


class Removed(Value):
    """This site was removed by the entry at `slot`: it votes at none from `first` on. `needed`: by the others, for what
    lies before it (M5)."""

    slot: Slot
    first: Slot
    needed: bool


def roster(first: Slot, members: Iterable[Member]) -> Roster:
    ordered = tuple(sorted(members, key=lambda member: member.site))
    voters = tuple(member for member in ordered if member.votes)
    names, sites = (tuple(member.site for member in some) for some in (ordered, voters))
    return Roster(first, ordered, names, voters, sites, quorum_size(len(voters)))
