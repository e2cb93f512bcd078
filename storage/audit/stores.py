"""The stores of one audit: where they are, whose they are, and their rows without the damaged ones.

Rules that hold here:
- D3: a damaged row is named and left out; the audit goes on with all others.
- D4: stores of another cluster or list of sites are named and left out: there is nothing to hold them against.
- A backup is a store as it was: true in what it holds, and no measure of what its site did since.
- What is read at the beginning of an audit is the measure of all that follows: of a running site, later rows are newer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from engine.core.ids import SiteId, Slot, StoreId
from engine.core.storage import LogRow, Standing, StoreDamaged
from storage.audit.report import Findings
from storage.beside import OutsideStore, is_store, place_of
from storage.errors import told_to_readers
from storage.reader import Reader
from storage.rows import KeptEvents
from storage.sqlite import DATABASE
from storage.tail import Tail

EVENTS_PAGE: Final = 256

_Row = TypeVar("_Row")


class AuditFailed(Exception):
    """A store failed while it was read; the message says what to do."""


class AuditRefused(Exception):
    """The folders cannot be audited together; the message says what to name instead."""


@dataclass(frozen=True, slots=True)
class Store:
    """One site's store, in a folder, or in the file of a backup. `begun` is what it held when the audit began."""

    place: Path
    reader: Reader
    begun: Tail
    findings: Findings

    @property
    def site(self) -> SiteId:
        return self.begun.meta.site

    @property
    def prefix(self) -> Slot:
        return self.begun.meta.prefix

    @property
    def row_max(self) -> Slot:
        """The highest slot with a row, a mere promise included."""
        return self.begun.slots.spans.last or self.prefix

    @property
    def is_original(self) -> bool:
        """It votes, so all that its site ever voted is in it (D5); a new or a lost disk may lack that, and a backup."""
        return self.begun.meta.standing is Standing.ADMITTED and not self.begun.meta.is_backup

    @property
    def is_voter(self) -> bool:
        """The same since the log admitted it (M4): what another store of its site voted before is not in it."""
        return self.is_original or (self.begun.meta.standing is Standing.READMITTED and not self.begun.meta.is_backup)

    @property
    def life(self) -> StoreId:
        return self.begun.meta.life

    def slot_rows(self, first: Slot, last: Slot) -> dict[Slot, LogRow]:
        """These slots, as far as their rows are sound."""
        return self._slots(self.reader.slot_rows, first, last)

    def rows_left(self, first: Slot, last: Slot) -> dict[Slot, LogRow]:
        """The same, whatever else of the store is damaged."""
        return self._slots(partial(self.reader.rows_left, ahead=self.begun.ahead.spans), first, last)

    def _slots(self, read: Callable[[Slot, Slot], list[LogRow]], first: Slot, last: Slot) -> dict[Slot, LogRow]:
        found = self._sound(read, self.reader.row_of(first), last, self._damaged_slot)
        return {row.slot: row for row in found if first <= row.slot <= last}

    def events(self) -> Iterator[KeptEvents]:
        """The sound rows of this site's events, in the order of their numbers, a page at a time."""
        begin = 1
        while True:
            first = self.reader.next_event(begin)
            if first is None or first > self.begun.meta.number_max:
                return
            begin = first + EVENTS_PAGE
            yield from self._sound(self.reader.kept_events, Slot(first), Slot(begin - 1), self._damaged_event)

    def _sound(
        self,
        read: Callable[[Slot, Slot], list[_Row]],
        first: Slot,
        last: Slot,
        damaged: Callable[[Slot, StoreDamaged], None],
    ) -> list[_Row]:
        """What the rows have that begin from `first` to `last`, less those that cannot be read even alone."""
        try:
            return read(first, last)
        except StoreDamaged as damage:
            if first == last:
                damaged(first, damage)
                return []
        middle = Slot((first + last) // 2)
        return [*self._sound(read, first, middle, damaged), *self._sound(read, Slot(middle + 1), last, damaged)]

    def _damaged_slot(self, slot: Slot, damage: StoreDamaged) -> None:
        self.findings.add("D3", damage.what, slot=slot, site=self.site)

    def _damaged_event(self, _number: Slot, damage: StoreDamaged) -> None:
        self.findings.add("D3", damage.what, site=self.site)


def find_places(named_places: Sequence[Path]) -> list[Path]:
    """The folders with a store, and files of backups: each named itself, else the folders in it. Raises AuditRefused
    where there is none."""
    found: dict[Path, None] = {}
    for named in map(place_of, named_places):
        try:
            within = [named] if is_store(named) else sorted(filter(_is_folder_of_one, named.iterdir()))
        except OSError as error:
            raise AuditRefused(
                f"cannot read the folder {named} ({error.strerror}): name a data folder or a backup"
            ) from error
        if not within:
            raise AuditRefused(
                f"there is no store ({DATABASE}) in {named} or in a folder of it: name a data folder or a backup"
            )
        found.update(dict.fromkeys(place.resolve() for place in within))
    return list(found)


def _is_folder_of_one(folder: Path) -> bool:
    return folder.is_dir() and is_store(folder)


def begin(outside: OutsideStore, findings: Findings) -> Store | None:
    """Reads what a store holds now; None where a row that everything rests on is damaged (D3)."""
    meta = outside.reader.meta()
    try:
        outside.check_log()
        store = Store(outside.place, outside.reader, outside.reader.tail(), findings)
    except StoreDamaged as damage:
        findings.add("D3", told_to_readers(damage), site=meta.site)
        return None
    for row in store.begun.slots.spans:
        for slot in (Slot(row.first + place) for place in row.value.void):
            if slot > store.prefix:
                findings.add("R2", f"is void, but the prefix is {store.prefix}", slot=slot, site=store.site)
    for kept in outside.reader.evidence():
        findings.add(kept.rule, f"kept as evidence: {kept.text}", site=store.site)
    return store


def of_one_cluster(stores: Sequence[Store], findings: Findings) -> list[Store]:
    """Those of the cluster that most belong to (D4). Raises AuditRefused where two are of one site."""
    if not stores:
        return []
    [(identity, _)] = Counter(map(_identity, stores)).most_common(1)
    kept: dict[SiteId, Store] = {}
    for store in stores:
        if _identity(store) != identity:
            is_of, others = _in_words(_identity(store)), _in_words(identity)
            findings.add("D4", f"{store.place} is a store of {is_of}, the others are of {others}", site=store.site)
            continue
        is_first = store.begun.meta.standing is Standing.ADMITTED  # others come by the log (M1)
        if is_first and store.site not in store.begun.meta.sites:
            findings.add("D4", f"{store.place} is of a site that its own list does not name", site=store.site)
            continue
        twin = kept.setdefault(store.site, store)
        if twin is not store:
            raise AuditRefused(f"{twin.place} and {store.place} are both stores of {store.site}: name one of them")
    return list(kept.values())


def _identity(store: Store) -> tuple[str, tuple[SiteId, ...]]:
    return store.begun.meta.cluster, store.begun.meta.sites


def _in_words(identity: tuple[str, tuple[SiteId, ...]]) -> str:
    cluster, sites = identity
    return f"cluster {cluster} with {', '.join(sites)}"
