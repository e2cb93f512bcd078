"""What the stores that are left prove, and what they do not: in numbers, before anything is written.

Rules that hold here:
- R1: a slot that one of them learned is certain. B2: of what is not learned, the entry that was accepted at the highest
  ballot is taken over: if anything was chosen there that any store here shows, it is that.
- What was acknowledged was accepted by a majority of those who vote at its slot. So while fewer of them are lost,
  nothing of it can be missing; else it may be, from the first slot on that is not certain.
- M1: the new cluster has the sites of the list that its log ends with, whoever the old one began with.
- Stores that contradict each other prove nothing: they are refused, with what was seen (R1, B1, B2).
- The log is read in pages; what lies above the first slot of which nothing is left is kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, SiteId, Slot, StoreId
from engine.core.log.microblog import Microblog
from engine.core.roster import Roster
from engine.core.run import Run, run_of, spans_of
from storage.audit.lists import Lists
from storage.audit.replays import members_of
from storage.audit.report import Findings, Unreadable, Violation
from storage.audit.votes import Rows, Votes
from storage.rescue.gaps import bridges
from storage.rescue.witnesses import Witness, Witnesses

PAGE_SLOTS: Final = 1_024
_CONTRADICTIONS: Final = ("R1", "B1", "B2")

Told = Callable[[str, int, int], None]
"""What is done, and how much of how much of it. What it raises ends it."""


class Contradiction(Exception):
    """The stores hold what cannot be true together."""

    def __init__(self, evidence: tuple[Violation, ...]) -> None:
        super().__init__("the stores contradict each other")
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A slot that no store here has learned. `chosen`: a majority accepted it at this ballot, so that it is certain."""

    slot: Slot
    entry: Entry
    ballot: Ballot
    sites: tuple[SiteId, ...]
    chosen: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """`sites` are those of the new cluster, `voters` those that vote, `founders` those that the old one began with.
    `lost`: the voters of which no store here shows all that they voted. `learned`: how many slots are. `missing_from`:
    from this slot on, what was acknowledged may be missing; None where it cannot be. `slots`: how far the new log goes;
    `filled`: so many no-ops at its end make the last change of the members hold (M3)."""

    cluster: str
    founders: tuple[SiteId, ...]
    sites: tuple[SiteId, ...]
    voters: tuple[SiteId, ...]
    witnesses: tuple[Witness, ...]
    unreadable: tuple[Unreadable, ...]
    lost: tuple[SiteId, ...]
    learned: int
    taken: tuple[TakenOver, ...]
    unknown: tuple[tuple[Slot, Slot], ...]
    withdrawn: Mapping[Slot, Entry]
    missing_from: Slot | None
    slots: Slot
    filled: int
    events: int
    remarks: tuple[Violation, ...]
    numbers: Mapping[SiteId, int]
    """The highest number of each site's events that was seen anywhere."""
    lives: Mapping[SiteId, StoreId]
    """Those that the log admitted, as it stands at its end (M4)."""
    addresses: Mapping[SiteId, str]
    """Where sites are, as far as the log says."""
    votes_from: Mapping[SiteId, Slot]
    """Of the founders, and of the voters that came later, the first slot at which each votes (M4)."""


def survey(witnesses: Witnesses, at_ms: int, told: Told) -> Survey:
    """`at_ms` stamps what is withdrawn. Raises Contradiction, StoreError."""
    return _Survey(witnesses, told).run(at_ms)


def runs(witnesses: Witnesses, found: Survey) -> Iterator[Run]:
    """The new log, in slot order. Raises StoreError."""
    through = Slot(found.slots - found.filled)
    for first, last in _pages(through):
        page = witnesses.page(first, last, Findings())
        entries = (_entry(rows) or found.withdrawn.get(slot, NOOP) for slot, rows in page)
        yield Run(first, tuple(entries))
    for first, last in _pages(found.slots, Slot(through + 1)):
        yield Run(first, (NOOP,) * (last - first + 1))


def _pages(through: Slot, begin: Slot = Slot(1)) -> Iterator[tuple[Slot, Slot]]:
    for first in range(begin, through + 1, PAGE_SLOTS):
        yield Slot(first), Slot(min(through, first + PAGE_SLOTS - 1))


def _entry(rows: Rows) -> Entry | None:
    """What stands in a slot of the new log, as far as the stores say."""
    learned = next((row.learned for row in rows.values() if row.learned is not None), None)
    return learned if learned is not None else _highest(rows)[1]


def _highest(rows: Rows) -> tuple[Ballot | None, Entry | None]:
    """What was accepted at the highest ballot."""
    ballot, entry = None, None
    for row in rows.values():
        accepted = row.vote.accepted
        if accepted is not None and row.vote.entry is not None and (ballot is None or accepted > ballot):
            ballot, entry = accepted, row.vote.entry
    return ballot, entry


class _Survey:
    def __init__(self, witnesses: Witnesses, told: Told) -> None:
        self._witnesses = witnesses
        self._told = told
        self._findings = Findings()
        self._members = members_of(witnesses.sites)
        self._lists = Lists(self._members, [each.store for each in witnesses.found])
        self._votes = Votes(self._lists, lambda _: {}, {}, self._findings)
        self._before: Entry | None = None
        self._microblog = Microblog({}, {}, self._members)
        self._through = Slot(0)
        self._learned = 0
        self._events = 0
        self._taken: list[TakenOver] = []
        self._unknown: list[Slot] = []
        self._above: list[tuple[Slot, Entry | None]] = []
        """From the first unknown slot on."""
        self._last: dict[SiteId, int] = {}
        self._stood: dict[SiteId, Slot] = {}
        self._numbers: dict[SiteId, int] = {}

    def run(self, at_ms: int) -> Survey:
        for slot, rows in self._slots():
            self._take(slot, rows)
        while self._above and self._above[-1][1] is None:  # promised, and nothing more
            self._above.pop()
            self._unknown.pop()
        withdrawn = bridges(self._above, self._last, self._stood, at_ms)
        for slot, entry in self._above:
            self._apply(slot, entry or withdrawn.get(slot, NOOP))
        last = max((slot for slot, _ in self._above), default=self._through)
        slots = max(last, Slot(self._members.newest.first - 1))
        for witness in self._witnesses.found:
            self._number(witness)
        self._refuse_contradictions()
        lists = self._lists_in_doubt()
        lost = [self._lost(roster) for roster in lists]
        is_lost = any(len(sites) >= roster.quorum for roster, sites in zip(lists, lost, strict=True))
        newest = self._members.newest
        lives = {voter.site: voter.life for voter in newest.voters if voter.life is not None}
        return Survey(
            cluster=self._witnesses.cluster,
            founders=self._witnesses.sites,
            sites=newest.names,
            voters=newest.sites,
            witnesses=self._witnesses.found,
            unreadable=self._witnesses.unreadable,
            lost=tuple(sorted(set[SiteId]().union(*lost))),
            learned=self._learned,
            taken=tuple(self._taken),
            unknown=spans_of(self._unknown),
            withdrawn=withdrawn,
            missing_from=self._missing_from(last) if is_lost else None,
            slots=slots,
            filled=slots - last,
            events=self._events,
            remarks=self._remarks(),
            numbers=self._numbers,
            lives=lives,
            addresses={member.site: member.address for member in newest.members if member.address is not None},
            votes_from={
                **{site: self._members.of(site, life)[0] for site, life in lives.items()},
                **dict.fromkeys(self._witnesses.sites, Slot(1)),
            },
        )

    def _slots(self) -> Iterator[tuple[Slot, Rows]]:
        through = self._witnesses.row_max
        for first, last in _pages(through):
            self._told("reading", first - 1, through)
            yield from self._witnesses.page(first, last, self._findings)
        self._told("reading", through, through)

    def _take(self, slot: Slot, rows: Rows) -> None:
        learned = self._votes.judge(slot, rows, self._before)
        self._before = learned
        if learned is not None:
            self._learned += 1
        elif (found := self._accepted(slot, rows)) is not None:
            self._taken.append(found)
        else:
            self._unknown.append(slot)
        entry = _entry(rows)
        if entry is not None and entry.author is not None:
            self._numbers[entry.author] = max(self._numbers.get(entry.author, 0), entry.number)
        if self._unknown:
            self._above.append((slot, entry))
        elif entry is not None:
            self._through = slot
            self._apply(slot, entry)

    def _accepted(self, slot: Slot, rows: Rows) -> TakenOver | None:
        ballot, entry = _highest(rows)
        if ballot is None or entry is None:
            return None
        sites = tuple(site for site, row in sorted(rows.items()) if row.vote.accepted == ballot)
        voters = sum(self._lists.counts(slot, site) for site in sites)
        return TakenOver(slot, entry, ballot, sites, voters >= self._lists.quorum(slot))

    def _apply(self, slot: Slot, entry: Entry) -> None:
        applied = self._microblog.apply(run_of(slot, entry))
        self._events += entry.author is not None and not applied.void
        for author, number in applied.numbers.items():
            self._last[author], self._stood[author] = number, slot

    def _number(self, witness: Witness) -> None:
        begun = witness.store.begun
        reserved = {begun.meta.site: begun.meta.number_max}
        for site, number in (*reserved.items(), *((each.site, each.last_in_effect) for each in begun.authors.values())):
            self._numbers[site] = max(self._numbers.get(site, 0), number)

    def _remarks(self) -> tuple[Violation, ...]:
        """Where rows are damaged, who accepted what is learned may stand in one of them (R0)."""
        damaged = [each for witness in self._witnesses.found for each in witness.findings.kept]
        return (*(each for each in self._findings.kept if not damaged or each.rule != "R0"), *damaged)

    def _refuse_contradictions(self) -> None:
        every = [self._findings, *(witness.findings for witness in self._witnesses.found)]
        evidence = [each for findings in every for each in findings.kept if each.rule in _CONTRADICTIONS]
        if evidence:
            raise Contradiction(tuple(evidence))

    def _lists_in_doubt(self) -> list[Roster]:
        """By which lists something may have been chosen that is not certain here."""
        doubtful = [each.slot for each in self._taken if not each.chosen]
        slots = (*self._unknown, *doubtful, Slot(self._through + 1))
        by_first = {roster.first: roster for roster in (*map(self._members.at, slots), self._members.newest)}
        return [by_first[first] for first in sorted(by_first)]

    def _lost(self, roster: Roster) -> list[SiteId]:
        """M4: where the log admitted another store of a site, no store has all that the site voted from there on."""
        stores = [
            (each.store.site, each.store.life) for each in filter(self._witnesses.whole_voter, self._witnesses.found)
        ]
        whole = {site for site, life in stores if self._members.counts(roster.first, site, life)}
        return [site for site in roster.sites if site not in whole]

    def _missing_from(self, last: Slot) -> Slot:
        doubtful = (each.slot for each in self._taken if not each.chosen)
        return min((*self._unknown, *doubtful, Slot(last + 1)))
