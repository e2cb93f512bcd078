"""What is left of a cluster: stores and backups, and what they say of a slot together.

Rules that hold here:
- None of them is written. No site may run on one meanwhile: its lock is shared until the end, so that none starts.
- Several may be of one site, whichever of its lives: each is true in what it holds.
- D3: a damaged row is named and left out, and all others are read; a store that is not whole counts as lost.
- D5: all that a site voted is in its store only where that votes, is whole, and is the one that the others remember.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from engine.core.ids import SiteId, Slot
from engine.core.storage import LogRow, StoreDamaged, StoreError, StoreFailed, Vote
from storage.audit.report import Findings, Unreadable, named
from storage.audit.stores import AuditRefused, Store, find_places
from storage.audit.votes import Rows
from storage.beside import OutsideStore, read_at_rest
from storage.errors import told_to_readers


class RescueRefused(Exception):
    """These stores cannot be rescued together; the message says what to do."""


class SiteRuns(Exception):
    """An engine runs on one of the stores."""


@dataclass(frozen=True, slots=True)
class Witness:
    store: Store
    findings: Findings
    """What is wrong with this store alone."""

    @property
    def is_backup(self) -> bool:
        return self.store.begun.meta.is_backup


class Witnesses:
    """The stores of one cluster."""

    def __init__(self, found: Sequence[Witness], unreadable: Sequence[Unreadable]) -> None:
        self.found = tuple(found)
        self.unreadable = tuple(unreadable)
        meta = found[0].store.begun.meta
        self.cluster = meta.cluster
        self.sites = meta.sites

    @property
    def row_max(self) -> Slot:
        return max(witness.store.row_max for witness in self.found)

    def page(self, first: Slot, last: Slot, findings: Findings) -> list[tuple[Slot, Rows]]:
        """What each site's stores have of these slots. `findings` takes what two stores of one site contradict."""
        pages = [(witness.store.site, witness.store.rows_left(first, last)) for witness in self.found]
        slots: list[tuple[Slot, Rows]] = []
        for slot in map(Slot, range(first, last + 1)):
            rows: dict[SiteId, LogRow] = {}
            for site, page in pages:
                row = page.get(slot)
                if row is not None:
                    rows[site] = _both(site, rows[site], row, findings) if site in rows else row
            slots.append((slot, rows))
        return slots

    def whole_voter(self, witness: Witness) -> bool:
        """All that its site voted since it was admitted is there."""
        if not witness.store.is_voter or witness.findings.count:
            return False
        meta = witness.store.begun.meta
        memories = (each.store.begun.peers.get(meta.site) for each in self.found)
        return all(memory is None or (memory.life == meta.life and memory.commit <= meta.commit) for memory in memories)

    def best_of(self, site: SiteId) -> Witness | None:
        """The store of this site that knows most of what became of its events."""
        own = [witness for witness in self.found if witness.store.site == site]
        return max(own, key=lambda each: (self.whole_voter(each), each.store.begun.meta.commit), default=None)


def _both(site: SiteId, one: LogRow, other: LogRow, findings: Findings) -> LogRow:
    """What two stores of one site have of a slot: the higher acceptance is the later one."""
    learned = one.learned if one.learned is not None else other.learned
    if other.learned is not None and other.learned != learned and learned is not None:
        sentence = f"one store of {site} learned {named(learned)}, another {named(other.learned)}"
        findings.add("R1", sentence, slot=one.slot, site=site)
    votes = (one.vote, other.vote)
    accepted = [vote for vote in votes if vote.accepted is not None]
    newest = one.vote
    for vote in accepted:
        if newest.accepted is None or (vote.accepted is not None and vote.accepted > newest.accepted):
            newest = vote
    for vote in accepted:
        if vote.accepted == newest.accepted and vote.entries != newest.entries:
            sentence = f"two stores of {site} accepted different entries at {vote.accepted}"
            findings.add("B1", sentence, slot=one.slot, site=site)
    promised = max((vote.promised for vote in votes if vote.promised is not None), default=None)
    return replace(one, vote=Vote(promised, newest.accepted, newest.entries), learned=learned)


@contextmanager
def read_witnesses(places: Sequence[Path]) -> Iterator[Witnesses]:
    """Raises RescueRefused, SiteRuns, StoreFailed where none can be read; reading them raises StoreError."""
    try:
        found_at = find_places(places)
    except AuditRefused as error:
        raise RescueRefused(str(error)) from error
    found: list[Witness] = []
    unreadable: list[Unreadable] = []
    with ExitStack() as opened:
        for place in found_at:
            opened.enter_context(_kept_from_starting(place))
        for place in found_at:
            findings = Findings()
            try:
                store = _begin(opened.enter_context(read_at_rest(place)), findings)
            except StoreError as error:
                unreadable.append(Unreadable(place, told_to_readers(error)))
            else:
                found.append(Witness(store, findings))
        if not found:
            raise StoreFailed("; ".join(each.reason for each in unreadable))
        _check_cluster(found)
        yield Witnesses(found, unreadable)


def _begin(outside: OutsideStore, findings: Findings) -> Store:
    """What of a store can be read. Raises StoreError where not even whose it is can be."""
    reader = outside.reader
    site = reader.meta().site

    def damaged(damage: StoreDamaged) -> None:
        findings.add("D3", damage.what, site=site)

    try:
        outside.check_log()
    except StoreDamaged as damage:
        damaged(damage)
    try:
        tail = reader.tail()
    except StoreDamaged as damage:
        damaged(damage)
        tail = reader.left(damaged)
    try:
        for kept in reader.evidence():
            findings.add(kept.rule, f"kept as evidence: {kept.text}", site=site)
    except StoreDamaged as damage:
        damaged(damage)
    return Store(outside.place, reader, tail, findings)


def _check_cluster(found: Sequence[Witness]) -> None:
    first = found[0].store
    for witness in found[1:]:
        meta, other = first.begun.meta, witness.store.begun.meta
        if (meta.cluster, meta.sites) != (other.cluster, other.sites):
            raise RescueRefused(
                f"{first.place} is of cluster {meta.cluster} with {', '.join(meta.sites)}, {witness.store.place} of"
                f" cluster {other.cluster} with {', '.join(other.sites)}: name stores of one cluster"
            )


@contextmanager
def _kept_from_starting(place: Path) -> Iterator[None]:
    """Raises SiteRuns. The lock of a running engine is its own alone; several may share one that nobody has."""
    try:
        descriptor = os.open(place / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # a backup, or a copy of a folder without its lock
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SiteRuns(
            f"a site runs on {place}: its further votes would be missing in the new cluster. Stop it first, and do"
            " not start it again"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)
