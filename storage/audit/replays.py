"""The prefix of one store, replayed from slot 1.

Rules that hold here:
- R2: the prefix has no gap, and all of it is learned; block table and numbers of tweets are what the replay gives.
- M1: so is the table of who votes.
- E5: an entry stands as void exactly where the replay says so, and last numbers in effect are the replay's.
- E1, E3: what stands as in effect is no event of that author's again, and none from before.
- The state machine is the core's: the simulation holds it against one that was written apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.entry import BadOperation, Entry
from engine.core.ids import SiteId, Slot
from engine.core.log.members import Members
from engine.core.log.microblog import Microblog
from engine.core.run import run_of
from engine.core.settings import CHANGE_LAG
from engine.core.storage import Change, LogRow
from storage.audit.report import Findings, named
from storage.audit.stores import Store
from storage.rows import Author


def members_of(sites: tuple[SiteId, ...]) -> Members:
    """Before the first entry of the log of these sites."""
    return Members(sites, CHANGE_LAG)


class Replay:
    """Takes the rows of a store slot by slot, up to its prefix. After a gap nothing can be said any more."""

    def __init__(self, store: Store, findings: Findings) -> None:
        self._store = store
        self._findings = findings
        self._microblog = Microblog({}, {}, members_of(store.begun.meta.sites))
        self._changes: list[Change] = []
        self._tweets: dict[SiteId, int] = {}
        self._broken = False

    def take(self, slot: Slot, row: LogRow | None) -> None:
        """The store's row of the next slot, None where it has no sound one."""
        if self._broken or slot > self._store.prefix:
            return
        if row is None or row.learned is None:
            has = "there is no sound row" if row is None else "the slot is only promised"
            self._broken = True
            self._add("R2", slot, f"the prefix goes through {self._store.prefix}, but {has}")
            return
        last = 0 if row.learned.author is None else self._microblog.last_in_effect(row.learned.author)
        try:
            applied = self._microblog.apply(run_of(slot, row.learned))
        except BadOperation as error:
            self._broken = True
            self._add("R2", slot, f"{named(row.learned)} cannot be applied: {error}")
            return
        self._changes += applied.changes
        for author in applied.shown:
            self._tweets[author] = self._tweets.get(author, 0) + 1
        self._hold_void(slot, row, row.learned, bool(applied.void), last)
        if slot == self._store.prefix:
            self._hold_tables(slot)

    def _hold_void(self, slot: Slot, row: LogRow, entry: Entry, due: bool, last: int) -> None:
        if row.void is due:
            return
        if due and entry.number <= last:
            sentence = f"{named(entry)} stands as in effect, after {entry.author}/{last} was: twice, or out of order"
            self._add("E1", slot, sentence)
            return
        stands, replayed = ("in effect", "void") if due else ("void", "in effect")
        after = f", with {entry.author}/{last} last in effect before it" if entry.author is not None else ""
        self._add("E5", slot, f"{named(entry)} stands as {stands}, a replay has it {replayed}{after}")

    def _hold_tables(self, slot: Slot) -> None:
        begun = self._store.begun
        if begun.blocks != self._microblog.blocks:
            has, due = _blocks(begun.blocks), _blocks(self._microblog.blocks)
            self._add("R2", slot, f"its block table has {has}, a replay of its prefix {due}")
        if begun.changes != self._changes:
            has, due = _changes(begun.changes), _changes(self._changes)
            self._add("M1", slot, f"its table of who votes has {has}, a replay of its prefix {due}")
        for site in sorted({*begun.authors, *begun.meta.sites}):
            author = begun.authors.get(site, Author(site, 0, 0, Slot(0)))
            last, tweets = self._microblog.last_in_effect(site), self._tweets.get(site, 0)
            if author.last_in_effect != last:
                sentence = f"it has {author.last_in_effect} as {site}'s last number in effect, a replay has {last}"
                self._add("E5", slot, sentence)
            if author.tweets != tweets:
                self._add("R2", slot, f"it counts {author.tweets} tweets of {site} in effect, a replay {tweets}")

    def _add(self, rule: str, slot: Slot, sentence: str) -> None:
        self._findings.add(rule, sentence, slot=slot, site=self._store.site)


def _blocks(table: dict[tuple[SiteId, SiteId], Slot]) -> str:
    lines = [f"{blocker} blocks {blocked} since {slot}" for (blocker, blocked), slot in sorted(table.items())]
    return ", ".join(lines) or "nothing"


def _changes(table: Iterable[Change]) -> str:
    return ", ".join(f"{change.body!r} at slot {change.slot}" for change in table) or "no change"
