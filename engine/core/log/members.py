"""Who belongs to the cluster, and who votes at which slot, as the log says (M1 to M6).

Rules that hold here:
- M1: the members that hold at slot s are what the applied prefix through s - w says. The first list is the founders',
  that of sites.yaml; their lives are those that D5 admits, and the log does not name them.
- M3: a change is of one member. It is void if an earlier one had not taken effect at its slot, or if it does not fit
  the list. The log alone decides; one at slot k takes effect at k + w. So no more than two lists hold above any prefix.
- M4: a life that the log admits votes and proposes at the slots from k + w on, the one that it replaces before them.
  Lives of one site never share a slot: their ballots have the same names, and do not meet (B1, L2).
- M5: who is removed votes before k + w alone, whatever its life; what it authored takes effect there alone.
- M6: an author's numbers go on after a gap that no number of its earlier life reaches; nor does that give out any once
  it knows of the next one: by then the gap is part of its own last number.
- Who is added is a learner, whatever is wanted of it: it has nothing of the log yet. It votes once it is promoted, with
  the life that the promotion names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final, assert_never

from msgspec.structs import replace

from engine.core.entry import Add, AddLearner, Membership, Move, Operation, Promote, Readmit, Remove, decode
from engine.core.ids import LEARNERS_MAX, NUMBER_MAX, SITES_MAX, SiteId, Slot, StoreId
from engine.core.roster import Member, Roster, roster
from engine.core.run import Run
from engine.core.storage import Change
from engine.core.value import Value

NUMBERS_GAP: Final = 1_000_000
"""A site gives out no number that lies two multiples of this above its last one in effect (M6, E1)."""


class _Term(Value):
    """The slots at which a site votes with a life (None: the one that D5 admitted), `last` as far as the log says."""

    life: StoreId | None
    first: Slot
    last: Slot | None


NOWHERE: Final = (Slot(NUMBER_MAX), None)
"""The own slots of a store that votes at none."""


class Members:
    """The lists that the prefix of a site says. `lag` is w: how many slots a change waits before it takes effect."""

    def __init__(self, founders: Iterable[SiteId], lag: int, changes: Iterable[Change] = ()) -> None:
        self.lag = lag
        self._rosters = [roster(Slot(1), (Member(site, votes=True) for site in founders))]  # the newest last
        self._terms = {site: [_Term(None, Slot(1), None)] for site in self._rosters[0].names}
        self._removed: dict[SiteId, Slot] = {}
        self.others_vote = False
        """Than the founders, somewhere."""
        self.changed = False
        """The log has changed the first list."""
        for change in changes:
            misfit = self.apply(change.slot, decode(change.body).operation)
            assert misfit is None, f"a change that was in effect does not fit: {misfit}"

    @property
    def newest(self) -> Roster:
        return self._rosters[-1]

    @property
    def founders(self) -> tuple[SiteId, ...]:
        return self._rosters[0].names

    def at(self, slot: Slot) -> Roster:
        """Of a slot that is no more than w above the prefix (M2)."""
        newest = self._rosters[-1]
        return newest if newest.first <= slot else next(each for each in reversed(self._rosters) if each.first <= slot)

    def above(self, prefix: Slot) -> list[Roster]:
        """The lists that hold above the prefix, as far as it says: one, or two."""
        newest = self._rosters[-1]
        return [newest] if newest.first <= prefix + 1 else [self._rosters[-2], newest]

    def names(self, prefix: Slot) -> tuple[SiteId, ...]:
        """Who belongs to a list that holds above the prefix."""
        return _united(each.names for each in self.above(prefix))

    def voters(self, prefix: Slot) -> tuple[SiteId, ...]:
        """Who votes somewhere above the prefix."""
        return _united(each.sites for each in self.above(prefix))

    def has_majority(self, slot: Slot, stores: Mapping[SiteId, StoreId | None]) -> bool:
        """These stores are a majority at this slot."""
        return sum(self.counts(slot, *store) for store in stores.items()) >= self.at(slot).quorum

    def is_majority(self, prefix: Slot, stores: Mapping[SiteId, StoreId | None]) -> bool:
        """These stores are a majority of each list that holds above the prefix."""
        return self.outvoted(prefix, stores) is None

    def outvoted(self, prefix: Slot, stores: Mapping[SiteId, StoreId | None]) -> Slot | None:
        """The first slot above the prefix at which these stores are no majority."""
        firsts = (Slot(max(each.first, prefix + 1)) for each in self.above(prefix))
        return next((slot for slot in firsts if not self.has_majority(slot, stores)), None)

    def split(self, spans: Iterable[tuple[Slot, Slot]]) -> Iterator[tuple[Slot, Slot]]:
        """These spans in parts, each of slots of one list."""
        for span_first, span_last in spans:
            edges = (each.first for each in self._rosters if span_first < each.first <= span_last)
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
        return any(term.life == life for term in self._terms.get(site, ()))

    def replaced(self, site: SiteId, life: StoreId) -> bool:
        """The log names another store of the site, which votes after this one."""
        terms = self._terms.get(site)
        return terms is not None and terms[-1].life not in (None, life)

    def has_others(self, site: SiteId, life: StoreId) -> bool:
        """The log names another store of the site, whenever that votes or voted."""
        return any(term.life not in (None, life) for term in self._terms.get(site, ()))

    def has_voted(self, site: SiteId) -> bool:
        """At some slot, with whatever life."""
        return site in self._terms

    def of(self, site: SiteId, life: StoreId) -> tuple[Slot, Slot | None]:
        """The slots at which this store votes, first and last, as far as the prefix says (None: all from the first on).
        Whether one that the log does not name votes there, D5 says."""
        found: _Term | None = None
        for term in self._terms.get(site, ()):
            if term.life == life or (term.life is None and found is None):
                found = term
        return NOWHERE if found is None else (found.first, found.last)

    def last_of(self, site: SiteId, life: StoreId | None) -> Slot | None:
        """The last slot at which this store votes, as far as the prefix says; None where nothing ends that."""
        return None if life is None else self.of(site, life)[1]

    def removed_at(self, site: SiteId) -> Slot | None:
        """The slot of the entry that removed it; None where it belongs to the newest list, or never did."""
        return self._removed.get(site)

    def bars(self, author: SiteId, slot: Slot) -> bool:
        """What it authored takes no effect there: it does not vote (M5)."""
        return self.others_vote and author not in self.at(slot).sites

    def apply(self, slot: Slot, operation: Operation) -> str | None:
        """Takes in an entry of the prefix, in slot order; says why it does not fit, if it does not (M3)."""
        if not isinstance(operation, Membership):
            return None
        after = self.after(slot, operation)
        if isinstance(after, str):
            return after
        self._rosters.append(after)
        self.changed = True
        self._end_or_begin(slot, after, operation)
        return None

    def after(self, slot: Slot, operation: Membership) -> Roster | str:
        """The list that this entry makes, if it comes at this slot; or why it does not fit (M3)."""
        misfit = self._misfit(slot, operation)
        return misfit or roster(Slot(slot + self.lag), self._changed(slot, operation))

    def _misfit(self, slot: Slot, operation: Membership) -> str | None:
        newest, site = self.newest, operation.site
        if slot < newest.first:
            return f"the change before it takes effect only at slot {newest.first}"
        member = newest.of(site)
        if isinstance(operation, Add | AddLearner):
            learners = len(newest.members) - len(newest.voters)
            if member is not None:
                return f"there is already a site {site}"
            return f"there are already {LEARNERS_MAX} learners" if learners >= LEARNERS_MAX else None
        if member is None:
            return f"there is no site {site}"
        match operation:
            case Readmit() if not member.votes:
                return f"{site} is a learner, not a voter that lost its disk: promote it instead"
            case Promote() if member.votes:
                return f"{site} already votes"
            case Readmit(_, life) if self.admits(site, life):
                return f"the log has already admitted that store of {site}"
            case Promote() if len(newest.voters) >= SITES_MAX:
                return f"there are already {SITES_MAX} voters"
            case Remove() if newest.sites == (site,):
                return f"{site} is the only voter"
            case _:
                return None

    def _changed(self, slot: Slot, operation: Membership) -> Iterator[Member]:
        """The members after an entry that fits."""
        site = operation.site
        match operation:
            case Add(_, address):
                yield Member(site, votes=False, address=address, wanted_since=slot)
            case AddLearner(_, address):
                yield Member(site, votes=False, address=address)
            case _:
                pass
        for member in self.newest.members:
            if member.site != site:
                yield member
                continue
            match operation:
                case Readmit(_, life) | Promote(_, life):
                    yield replace(member, votes=True, life=life, wanted_since=None)
                case Move(_, address):
                    yield replace(member, address=address)
                case Remove() | Add() | AddLearner():
                    pass
                case _:
                    assert_never(operation)

    def _end_or_begin(self, slot: Slot, after: Roster, operation: Membership) -> None:
        """The terms, once a change is in the prefix."""
        site = operation.site
        if isinstance(operation, Readmit | Remove) and site in self._terms:
            *before, term = self._terms[site]
            ended = term if term.last is not None else replace(term, last=Slot(after.first - 1))
            self._terms[site] = [*before, ended]
        if isinstance(operation, Readmit | Promote):
            self._terms.setdefault(site, []).append(_Term(operation.life, after.first, None))
        if isinstance(operation, Remove):
            self._removed[site] = slot
        elif isinstance(operation, Add | AddLearner):
            self._removed.pop(site, None)
        self.others_vote = self.others_vote or isinstance(operation, Promote | Remove)


def numbers_end(last_in_effect: int) -> int:
    """M6, E1: up to here a site may give out numbers whose last one in effect is this. Those of its next life begin
    above."""
    return (last_in_effect // NUMBERS_GAP + 2) * NUMBERS_GAP


def _united(lists: Iterable[tuple[SiteId, ...]]) -> tuple[SiteId, ...]:
    first, *others = lists
    return first if not others else tuple(sorted({*first, *others[0]}))
