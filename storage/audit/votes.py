"""One slot over all stores: what they learned, held against what they voted.

Rules that hold here:
- A store keeps the newest acceptance of each slot, after it learned the slot too. An acceptance, and that an entry was
  learned, stay true for ever, so rows that were read at different times of running sites can be held together.
- R1: no two stores learned different entries. A majority of acceptances at one ballot is the choice: nothing else is
  learned, nor accepted at a higher ballot (B2).
- R0: what is chosen was accepted by a majority, each of whom still holds that entry, at that ballot or a higher one
  (B2). Stores that are not here, and those of a lost disk, may have held it.
- A2: an acceptance has an entry, and raised the promise to its ballot.
- B1: a ballot carries one entry a slot. L2: ballot 0 is for the author of the slot before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.storage import LogRow
from storage.audit.lists import Lists
from storage.audit.report import Findings, named

Rows = Mapping[SiteId, LogRow]


@dataclass(frozen=True, slots=True)
class Acceptances:
    """The entry that a ballot carries in a slot, which stores accepted it, and those of them whose votes count there
    (M4)."""

    entry: Entry
    sites: list[SiteId]
    voters: list[SiteId]


class Votes:
    """`reread` gets the rows of a slot anew; `begins`: from which slot on ballots of a site are those of its store."""

    def __init__(
        self, lists: Lists, reread: Callable[[Slot], Rows], begins: Mapping[SiteId, Slot], findings: Findings
    ) -> None:
        self._lists = lists
        self._reread = reread
        self._begins = begins
        self._findings = findings
        self._highest: dict[SiteId, tuple[Ballot, Slot, SiteId]] = {}
        self.voters: dict[SiteId, Slot] = {}
        """The stores that hold a vote, each with the first slot where it does."""
        self.early: dict[SiteId, Slot] = {}
        """The same of what it accepted before its own slots (M4)."""

    @property
    def highest(self) -> Mapping[SiteId, tuple[Ballot, Slot, SiteId]]:
        """The highest ballot of each site's store, with a slot and a store in which it stands."""
        return self._highest

    def saw(self, ballot: Ballot, slot: Slot, site: SiteId) -> None:
        """A ballot stands in `site`'s store."""
        if slot < self._begins.get(ballot.site, 1):
            return
        known = self._highest.get(ballot.site)
        if known is None or known[0] < ballot:
            self._highest[ballot.site] = (ballot, slot, site)

    def judge(self, slot: Slot, rows: Rows, before: Entry | None) -> Entry | None:
        """Returns what was learned at the slot. `before`: at the slot before, None where that is not known."""
        accepted = self._accepted(slot, rows, before)
        learned = self._learned(slot, rows)
        chosen = [ballot for ballot, held in accepted.items() if len(held.voters) >= self._lists.quorum(slot)]
        if chosen:
            self._against_choice(slot, rows, min(chosen), accepted)
        elif learned is not None and not self._may_be_chosen(slot, rows, learned[1]):
            # A running site may have voted between the two readings; whoever learned it did so after a majority.
            rows = self._reread(slot)
            if not self._may_be_chosen(slot, rows, learned[1]):
                who, entry = learned
                held = ", ".join(site for site, row in rows.items() if row.vote.entry == entry) or "no store here"
                sentence = f"learned {named(entry)}, which no majority can have accepted: {held} did"
                self._findings.add("R0", sentence, slot=slot, site=who)
        return None if learned is None else learned[1]

    def _accepted(self, slot: Slot, rows: Rows, before: Entry | None) -> dict[Ballot, Acceptances]:
        accepted: dict[Ballot, Acceptances] = {}
        for site, row in rows.items():
            promised, ballot, entry = row.vote.promised, row.vote.accepted, row.vote.entry
            if promised is not None or ballot is not None:
                self.voters.setdefault(site, slot)
            if promised is not None:
                self.saw(promised, slot, site)
            if ballot is None:
                continue
            self.saw(ballot, slot, site)
            if self._lists.is_early(slot, site):
                self.early.setdefault(site, slot)
            if entry is None:
                self._findings.add("A2", f"accepted {ballot} without an entry", slot=slot, site=site)
                continue
            if promised is None or promised < ballot:
                sentence = f"accepted {ballot}, but its promise is {promised or 'none'}"
                self._findings.add("A2", sentence, slot=slot, site=site)
            held = accepted.setdefault(ballot, Acceptances(entry, [], []))
            if held.entry == entry:
                held.sites.append(site)
                if self._lists.counts(slot, site):
                    held.voters.append(site)
            else:
                others = f"{held.sites[0]} accepted {named(held.entry)} there"
                self._findings.add("B1", f"accepted {named(entry)} at {ballot}; {others}", slot=slot, site=site)
            if ballot.round == 0:
                self._at_zero(slot, site, ballot, before)
        return accepted

    def _at_zero(self, slot: Slot, site: SiteId, ballot: Ballot, before: Entry | None) -> None:
        if slot == 1:
            self._findings.add("L2", f"accepted {ballot}, and there is no slot before", slot=slot, site=site)
        elif before is not None and before.author != ballot.site:
            sentence = f"accepted {ballot}, though {named(before)} is in the slot before"
            self._findings.add("L2", sentence, slot=slot, site=site)

    def _learned(self, slot: Slot, rows: Rows) -> tuple[SiteId, Entry] | None:
        first: tuple[SiteId, Entry] | None = None
        for site, row in rows.items():
            if row.learned is None:
                continue
            if first is None:
                first = (site, row.learned)
            elif row.learned != first[1]:
                sentence = f"learned {named(row.learned)}, but {first[0]} learned {named(first[1])}"
                self._findings.add("R1", sentence, slot=slot, site=site)
        return first

    def _against_choice(self, slot: Slot, rows: Rows, ballot: Ballot, accepted: Mapping[Ballot, Acceptances]) -> None:
        choice = accepted[ballot]
        majority = f"{', '.join(choice.voters)} accepted {named(choice.entry)} at {ballot}"
        for site, row in rows.items():
            if row.learned is not None and row.learned != choice.entry:
                self._findings.add("R1", f"learned {named(row.learned)}, but {majority}", slot=slot, site=site)
        for higher, held in accepted.items():
            if higher > ballot and held.entry != choice.entry:
                sentence = f"{higher} carries {named(held.entry)}, but {majority} before"
                self._findings.add("B2", sentence, slot=slot, site=higher.site)

    def _may_be_chosen(self, slot: Slot, rows: Rows, entry: Entry) -> bool:
        accepted = (site for site, row in rows.items() if row.vote.accepted is not None and row.vote.entry == entry)
        holders = {site for site in accepted if self._lists.counts(slot, site)}
        return len(holders | self._lists.unseen(slot)) >= self._lists.quorum(slot)
