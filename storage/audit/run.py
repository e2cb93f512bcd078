"""An audit from beginning to end.

Rules that hold here:
- It ends at the highest slot that any store had when it began, however fast running sites go on.
- The log is read in pages of all stores side by side: what is in memory does not grow with it.
- What a running site changes is read in the order in which it cannot mislead: first what each store holds, then the
  log, and at last what only grows: the rounds and commit numbers, which must cover all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from engine.core.entry import BadOperation, Entry
from engine.core.ids import SiteId, Slot
from engine.core.log.members import Members
from engine.core.log.microblog import Microblog
from engine.core.run import run_of
from engine.core.storage import Standing, StoreError
from storage.audit.events import Events
from storage.audit.lists import Lists, admissions, votes_from
from storage.audit.replays import Replay, members_of
from storage.audit.report import AuditedSite, Findings, Report, Unreadable
from storage.audit.stores import AuditFailed, Store, begin, find_places, of_one_cluster
from storage.audit.votes import Rows, Votes
from storage.beside import read_outside
from storage.errors import told_to_readers

PAGE_SLOTS: Final = 256


Told = Callable[[int, int], None]
"""How many slots are read, and how many there are. What it raises ends the audit."""


def audit(folders: Sequence[Path], told: Told = lambda _done, _of: None) -> Report:
    """Reads all stores in `folders`: data folders, folders of sites, or backups.

    Raises AuditRefused where there is no store, or two of one site; AuditFailed where one fails while it is read.
    """
    findings = Findings()
    begun: list[Store] = []
    unreadable: list[Unreadable] = []
    copied: list[Path] = []
    with ExitStack() as opened:
        for folder in find_places(folders):
            try:
                outside = opened.enter_context(read_outside(folder))
                store = begin(outside, findings)
            except StoreError as error:
                unreadable.append(Unreadable(folder, told_to_readers(error)))
                continue
            if outside.is_copy:
                copied.append(folder)
            if store is not None:
                begun.append(store)
        try:
            return _Audit(of_one_cluster(begun, findings), findings, told).run(tuple(unreadable), tuple(copied))
        except StoreError as error:
            raise AuditFailed(told_to_readers(error)) from error


class _Audit:
    def __init__(self, stores: Sequence[Store], findings: Findings, told: Told) -> None:
        self._told = told
        self._stores = {store.site: store for store in sorted(stores, key=lambda each: each.site)}
        self._findings = findings
        sites = stores[0].begun.meta.sites if stores else ()
        self._begins = {site: votes_from(store, stores) for site, store in self._stores.items()}
        self._lists = Lists(members_of(sites), stores)
        self._votes = Votes(self._lists, self._rows_of, self._begins, findings)
        self._replays = {site: Replay(store, findings) for site, store in self._stores.items()}
        self._log = _Log(self._lists.members, self._stores, self._begins, findings)

    def run(self, unreadable: tuple[Unreadable, ...], copied: tuple[Path, ...]) -> Report:
        before: Entry | None = None
        for slot, rows in self._slots():
            before = self._votes.judge(slot, rows, before)
            for site, replay in self._replays.items():
                replay.take(slot, rows.get(site))
            self._log.take(slot, rows)
        self._log.finish()
        self._hold_rounds()
        self._hold_lives()
        self._hold_admission()
        return Report(
            sites=tuple(self._summary(store) for store in self._stores.values()),
            missing=tuple(site for site in self._lists.members.newest.names if site not in self._stores),
            slots=self._log.through,
            events=sum(self._log.in_effect.values()),
            violations=tuple(self._findings.kept),
            violations_found=self._findings.count,
            unreadable=unreadable,
            copied=copied,
        )

    def _slots(self) -> Iterator[tuple[Slot, Rows]]:
        """Every slot up to the end, with the sound rows of those stores that have one."""
        end = max((store.row_max for store in self._stores.values()), default=Slot(0))
        for first in range(1, end + 1, PAGE_SLOTS):
            self._told(first - 1, end)
            last = Slot(min(end, first + PAGE_SLOTS - 1))
            pages = {site: store.slot_rows(Slot(first), last) for site, store in self._stores.items()}
            for slot in map(Slot, range(first, last + 1)):
                yield slot, {site: page[slot] for site, page in pages.items() if slot in page}

    def _rows_of(self, slot: Slot) -> Rows:
        rows = {site: store.slot_rows(slot, slot) for site, store in self._stores.items()}
        return {site: found[slot] for site, found in rows.items() if slot in found}

    def _hold_rounds(self) -> None:
        """B1: a site's durable round covers every ballot of it that stands anywhere."""
        for site, store in self._stores.items():
            for promise in store.begun.ranges:
                if self._begins.get(promise.ballot.site, 1) > 1:
                    continue  # of which store of that site this ballot is, nobody can tell here
                self._votes.saw(promise.ballot, promise.first, site)
                self._votes.voters.setdefault(site, promise.first)
        for site, (ballot, slot, seen_at) in sorted(self._votes.highest.items()):
            store_of_ballot = self._stores.get(site)
            if store_of_ballot is None or not store_of_ballot.is_voter:
                continue
            highest = store_of_ballot.reader.meta().round
            if ballot.round > highest:
                sentence = f"{seen_at} holds its ballot {ballot}, but its store has used no round above {highest}"
                self._findings.add("B1", sentence, slot=slot, site=site)

    def _hold_lives(self) -> None:
        """D5: a store that votes is the one that its peers remember, and no older than they do. Where the log put
        another store in the place of a site's, who has learned that remembers the one, who has not the other."""
        for store in self._stores.values():
            for memory in store.begun.peers.values():
                peer = self._stores.get(memory.site)
                if peer is None or not peer.is_voter:
                    continue
                meta = peer.reader.meta()
                if memory.life != meta.life:
                    if self._is_admitted(store, peer):
                        continue
                    sentence = f"votes on store {meta.life}, but {store.site} remembers {memory.life} of it"
                    self._findings.add("D5", sentence, site=peer.site)
                elif memory.commit > meta.commit:
                    sentence = f"is at commit {meta.commit}, but {store.site} heard of {memory.commit}: an old copy"
                    self._findings.add("D5", sentence, site=peer.site)

    def _is_admitted(self, store: Store, peer: Store) -> bool:
        """The log explains that `store` remembers another store of a peer than the one that is here."""
        remembered = store.begun.peers[peer.site].life
        admitted = [(slot, life) for slot, site, life in admissions(peer) if site == peer.site]
        return self._lists.members.admits(peer.site, remembered) or any(
            life == peer.life and slot > store.prefix for slot, life in admitted
        )

    def _is_readmitted(self, site: SiteId) -> bool:
        """The log admitted a store of this site."""
        return any(named == site for store in self._stores.values() for _, named, _ in admissions(store))

    def _hold_admission(self) -> None:
        """D5: a store votes that enough peers recorded; who remembers another store of its site never does. M4: one
        that the log admits votes from a slot on."""
        for site, slot in sorted(self._votes.voters.items()):
            meta = self._stores[site].reader.meta()
            others = len(meta.sites) - 1
            needed = (others + others // 2 + 1) // 2  # ceil((N-1+f)/2), f = floor((N-1)/2)
            memories = [store.begun.peers.get(site) for store in self._stores.values()]
            against = sum(memory is not None and memory.life != meta.life for memory in memories)
            if (early := self._votes.early.get(site)) is not None:
                sentence = f"votes; the log lets its store {meta.life} vote from slot {self._begins[site]} on"
                self._findings.add("M4", sentence, slot=early, site=site)
            if meta.standing is Standing.NEW:
                self._findings.add("D5", "votes, though its store was never admitted", slot=slot, site=site)
            elif self._is_readmitted(site):
                pass  # with the entry that admits another store everybody remembers that one
            elif meta.standing is Standing.LEARNER and others - against < needed:
                sentence = (
                    f"votes on store {meta.life}, which was never admitted: others, {against} here, remember another"
                )
                self._findings.add("D5", sentence, slot=slot, site=site)

    def _summary(self, store: Store) -> AuditedSite:
        return AuditedSite(
            site=store.site,
            folder=store.place,
            standing=store.begun.meta.standing,
            is_backup=store.begun.meta.is_backup,
            prefix=store.prefix,
            used_max=store.begun.stored().used_max,
            events=self._log.in_effect.get(store.site, 0),
        )


class _Log:
    """The log that the stores hold together, from slot 1 as far as some store has the next slot learned."""

    def __init__(
        self, members: Members, stores: dict[SiteId, Store], begins: dict[SiteId, Slot], findings: Findings
    ) -> None:
        self.through = Slot(0)
        self.in_effect: dict[SiteId, int] = {}
        self._microblog = Microblog({}, {}, members)
        self._events = {site: Events(store, begins[site], findings) for site, store in stores.items()}

    def take(self, slot: Slot, rows: Rows) -> None:
        entry = next((row.learned for row in rows.values() if row.learned is not None), None)
        if slot != self.through + 1 or entry is None:
            return
        try:
            applied = self._microblog.apply(run_of(slot, entry))
        except BadOperation:
            return  # the replay of each store that has it says so
        self.through = slot
        if applied.void or entry.author is None:
            return
        self.in_effect[entry.author] = self.in_effect.get(entry.author, 0) + 1
        if entry.author in self._events:
            self._events[entry.author].in_effect(slot, entry)

    def finish(self) -> None:
        for events in self._events.values():
            events.finish(self.through)
