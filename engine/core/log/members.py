"""Who votes at which slot, as the log says (M1 to M4).

Rules that hold here:
- M1: who votes at slot s is what the applied prefix through s - w says. The first list is that of sites.yaml; its lives
  are those that D5 admits, and the log does not name them.
- M3: a change is void if an earlier one had not taken effect at its slot, or if it does not fit the list. The log
  alone decides; one at slot k takes effect at k + w. So no more than two lists hold above any prefix.
- M4: a life that the log admits votes and proposes at the slots from k + w on, the one that it replaces before them.
  Lives of one site never share a slot: their ballots have the same names, and do not meet (B1, L2).
- M6: an author's numbers go on after a gap that no number of its earlier life reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final

from engine.core.entry import Operation, Readmit, decode
from engine.core.ids import SiteId, Slot, StoreId, quorum_size
from engine.core.run import Run
from engine.core.storage import Change
from engine.core.value import Value

NUMBERS_GAP: Final = 1_000_000
"""A site gives out no number that lies two multiples of this above its last one in effect (M6, E1)."""


class Voter(Value):
    """`life` None: the store that D5 admitted. Only that one votes then: who runs on another knows it."""

    site: SiteId
    life: StoreId | None


class Roster(Value):
    """Who votes at the slots from `first` on, sorted, and how many make a majority."""

    first: Slot
    voters: tuple[Voter, ...]
    sites: tuple[SiteId, ...]
    quorum: int


class Members:
    """The lists that the prefix of a site says. `lag` is w: how many slots a change waits before it takes effect."""

    def __init__(self, sites: Iterable[SiteId], lag: int, changes: Iterable[Change] = ()) -> None:
        self.lag = lag
        self._rosters = [_roster(Slot(1), (Voter(site, None) for site in sites))]  # the newest last
        self._admitted: dict[SiteId, dict[StoreId, Slot]] = {}  # by the log, and at which slot each begins to vote
        for change in changes:
            misfit = self.apply(change.slot, decode(change.body).operation)
            assert misfit is None, f"a change that was in effect does not fit: {misfit}"

    @property
    def newest(self) -> Roster:
        return self._rosters[-1]

    @property
    def changed(self) -> bool:
        """The log has changed the first list."""
        return len(self._rosters) > 1

    def at(self, slot: Slot) -> Roster:
        """Of a slot that is no more than w above the prefix (M2)."""
        return next(roster for roster in reversed(self._rosters) if roster.first <= slot)

    def above(self, prefix: Slot) -> list[Roster]:
        """The lists that hold above the prefix, as far as it says: one, or two."""
        newest = self._rosters[-1]
        return [newest] if newest.first <= prefix + 1 else [self._rosters[-2], newest]

    def has_majority(self, slot: Slot, stores: Mapping[SiteId, StoreId | None]) -> bool:
        """These stores are a majority at this slot."""
        return sum(self.counts(slot, *store) for store in stores.items()) >= self.at(slot).quorum

    def is_majority(self, prefix: Slot, stores: Mapping[SiteId, StoreId | None]) -> bool:
        """These stores are a majority of each list that holds above the prefix."""
        return all(self.has_majority(Slot(max(roster.first, prefix + 1)), stores) for roster in self.above(prefix))

    def split(self, spans: Iterable[tuple[Slot, Slot]]) -> Iterator[tuple[Slot, Slot]]:
        """These spans in parts, each of slots of one list."""
        for span_first, span_last in spans:
            edges = (roster.first for roster in self._rosters if span_first < roster.first <= span_last)
            for first, beyond in pairwise((span_first, *edges, Slot(span_last + 1))):
                yield first, Slot(beyond - 1)

    def cut(self, run: Run) -> Iterator[Run]:
        """As `split`, of a run."""
        return (run.cut(*span) for span in self.split(((run.first, run.last),)))

    def counts(self, slot: Slot, site: SiteId, life: StoreId | None) -> bool:
        """The vote of this store is one at this slot. `life` None: a store that D5 admitted."""
        voter = next((voter for voter in self.at(slot).voters if voter.site == site), None)
        return voter is not None and voter.life in (None, life)

    def admits(self, site: SiteId, life: StoreId) -> bool:
        """The log names this store as one that votes, or voted."""
        return life in self._admitted.get(site, ())

    def of(self, site: SiteId, life: StoreId) -> tuple[Slot, Slot | None]:
        """The slots at which this store votes, first and last, as far as the prefix says (None: all from the first on).
        Whether it votes before, or at all where the log does not name it, D5 says."""
        admitted = self._admitted.get(site, {})
        first = admitted.get(life, Slot(1))
        after = min((begins for begins in admitted.values() if begins > first), default=None)
        return first, None if after is None else Slot(after - 1)

    def last_of(self, site: SiteId, life: StoreId | None) -> Slot | None:
        """The last slot at which this store votes, as far as the prefix says; None where no other has followed it."""
        return None if life is None else self.of(site, life)[1]

    def apply(self, slot: Slot, operation: Operation) -> str | None:
        """Takes in an entry of the prefix, in slot order; says why it does not fit, if it does not (M3)."""
        match operation:
            case Readmit(site, life):
                misfit = self._misfit(slot, site, life)
                if misfit is None:
                    self._readmit(slot, site, life)
                return misfit
            case _:
                return None

    def _misfit(self, slot: Slot, site: SiteId, life: StoreId) -> str | None:
        newest = self.newest
        if slot < newest.first:
            return f"the change before it takes effect only at slot {newest.first}"
        if site not in newest.sites:
            return f"there is no site {site}"
        if self.admits(site, life):
            return f"the log has admitted that store of {site} before"
        return None

    def _readmit(self, slot: Slot, site: SiteId, life: StoreId) -> None:
        first = Slot(slot + self.lag)
        kept = (voter for voter in self.newest.voters if voter.site != site)
        self._rosters.append(_roster(first, (*kept, Voter(site, life))))
        self._admitted.setdefault(site, {})[life] = first


def numbers_end(last_in_effect: int) -> int:
    """M6, E1: up to here a site may give out numbers whose last one in effect is this. Those of its next life begin
    above."""
    return (last_in_effect // NUMBERS_GAP + 2) * NUMBERS_GAP


def _roster(first: Slot, voters: Iterable[Voter]) -> Roster:
    ordered = tuple(sorted(voters, key=lambda voter: voter.site))
    return Roster(first, ordered, tuple(voter.site for voter in ordered), quorum_size(len(ordered)))
