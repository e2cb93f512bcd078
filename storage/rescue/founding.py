"""The stores of the new cluster: each has the whole log, and any majority of them goes on with it.

Rules that hold here:
- Every site gets the log. If some were to copy it from others, a majority that has not could choose something else in
  its slots.
- The log stands there as if one ballot had proposed it, the first of all, and every site accepted and learned it, one
  that came later from its own first slot on (M4): so it can be held against the rules as any other (R0, B1). Each
  site's next round is above (B1).
- M1: the sites are those of the list that the log ends with. The first list, from which the log makes that, stays.
- D5: the stores remember each other, and those of its voters vote. A site that comes up with another one is told that
  its disk is lost.
- E1: a site's numbers go on far above all that were seen of it. E2: what was open at a site whose store is here, and is
  not in the log, is `not-created`: it can never come into it.
- M4: a life that the log itself admitted is that of the new store.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from engine.core.entry import Kind, kind_of
from engine.core.ids import NUMBER_MAX, Ballot, Round, SiteId, Slot
from engine.core.log.members import NUMBERS_GAP, numbers_end
from engine.core.log.microblog import Applied, Microblog
from engine.core.run import Run
from engine.core.storage import (
    EventRow,
    EventRun,
    EventState,
    InEffect,
    PeerMemory,
    Standing,
    Vote,
    Write,
    WriteApplied,
    WriteChange,
    WriteEvents,
    WriteLearned,
    WriteNumbers,
    WritePeer,
    WriteRound,
    WriteStanding,
    WriteVote,
)
from storage.audit.replays import members_of
from storage.audit.stores import Store
from storage.rescue.survey import Survey, Told, runs
from storage.rescue.witnesses import Witnesses
from storage.rows import OPEN_EVENTS
from storage.schema import Identity, ensure_store, make_folder, sync_folder
from storage.sqlite import DATABASE, SqliteStorage, open_store

_FOUNDING_ROUND: Final = Round(1)
_NUMBERS_LEAST: Final = 100_000
_NOT_TAKEN_OVER: Final = "it is not in the rescued log, and can never enter it"


def found(data: Path, cluster: str, witnesses: Witnesses, survey: Survey, told: Told) -> None:
    """Makes the stores of `cluster` in the folder `data`. Raises StoreError."""
    with ExitStack() as opened:
        stores: dict[SiteId, SqliteStorage] = {}
        for site in survey.sites:
            identity = Identity(cluster, site, survey.founders)
            make_folder(data / site)
            (data / site).chmod(0o700)
            ensure_store(data / site / DATABASE, identity, survey.lives.get(site))
            stores[site] = opened.enter_context(closing(open_store(data / site, identity)))
        events = {site: _Events(site, witnesses) for site in survey.sites}
        ballot = Ballot(_FOUNDING_ROUND, survey.sites[0])
        for site, store in stores.items():
            store.commit([WriteRound(_FOUNDING_ROUND), WriteNumbers(survey.numbers.get(site, 0))])
        microblog = Microblog({}, {}, members_of(survey.founders))
        for run in runs(witnesses, survey):
            told("writing", run.first - 1, survey.slots)
            applied = microblog.apply(run)
            common = _writes(run, applied)
            for site, store in stores.items():
                votes = _votes(run, ballot, survey.votes_from.get(site))
                store.commit([*votes, *common, *events[site].take(run, applied)])
        numbers = {
            site: _numbers_through(survey.numbers.get(site, 0), microblog.last_in_effect(site)) for site in stores
        }
        _introduce(stores, events, numbers, survey)
        told("writing", survey.slots, survey.slots)


def publish(draft: Path, into: Path) -> None:
    """Gives the new cluster its name, once all of it is durable. Raises OSError."""
    for path in draft.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(draft)
    draft.rename(into)
    sync_folder(into.parent)


def _numbers_through(seen: int, last_in_effect: int) -> int:
    """E1: the next number of a site that gave out this one, and perhaps some that nobody here saw. M6: those that it
    gives out then lie below `numbers_end`, so there has to be room."""
    room = numbers_end(last_in_effect) - _NUMBERS_LEAST
    through = max((seen // NUMBERS_GAP + 1) * NUMBERS_GAP, seen + _NUMBERS_LEAST)
    if through > room:
        through = min(seen + _NUMBERS_LEAST, max(seen, room))
    return min(NUMBER_MAX, through)


def _votes(run: Run, ballot: Ballot, first: Slot | None) -> Iterator[Write]:
    """Of a site that votes from this slot on."""
    if first is not None and first <= run.last:
        part = run.cut(max(first, run.first), run.last)
        yield WriteVote(part.first, part.last, Vote(ballot, ballot, part.entries))


def _writes(run: Run, applied: Applied) -> list[Write]:
    shown = Counter(applied.shown)
    authors = tuple(InEffect(author, number, shown[author]) for author, number in applied.numbers.items())
    return [
        WriteLearned(run),
        WriteApplied(run.first, run.last, applied.void, authors),
        *applied.table,
        *(WriteChange(change) for change in applied.changes),
    ]


def _introduce(
    stores: dict[SiteId, SqliteStorage], events: dict[SiteId, _Events], numbers: Mapping[SiteId, int], survey: Survey
) -> None:
    """In one commit each, the same number of it at every store."""
    known = {site: store.load() for site, store in stores.items()}
    for site, store in stores.items():
        memories = [
            WritePeer(PeerMemory(other, stored.life, stored.commit)) for other, stored in known.items() if other != site
        ]
        begun = (WriteNumbers(numbers[site]), _standing(site, survey))
        store.commit([*memories, *events[site].rest(), *begun])


def _standing(site: SiteId, survey: Survey) -> WriteStanding:
    if site not in survey.voters:
        why = "a learner, as the log says. This site learns and serves reads, but does not vote"
        return WriteStanding(Standing.LEARNER, why)
    return WriteStanding(Standing.ADMITTED if site in survey.founders else Standing.READMITTED, "")


class _Events:
    """The rows of a site's own events, as the log makes them; and what its old store, if it is here, has besides."""

    def __init__(self, site: SiteId, witnesses: Witnesses) -> None:
        self._site = site
        best = witnesses.best_of(site)
        self._others = {} if best is None else {row.number: row for row in _not_created(best.store)}

    def take(self, run: Run, applied: Applied) -> Iterator[WriteEvents]:
        """What the log says of them in these slots."""
        misfits = dict(applied.misfits)
        void = set(applied.void) - misfits.keys()
        created: EventRun | None = None
        for slot, entry in run:
            if entry.author != self._site or slot in void:
                continue
            before = self._others.pop(entry.number, None)
            if kind_of(entry) is Kind.WITHDRAWAL or slot in misfits:
                body = entry.body if before is None else before.body
                reason = misfits.get(slot) or (before.reason if before is not None else None)
                yield WriteEvents(EventRun(entry.number, (body,), EventState.NOT_CREATED, None, reason))
            elif created is not None and (created.last + 1, _after(created)) == (entry.number, slot):
                created = EventRun(created.first, (*created.bodies, entry.body), created.state, created.slot)
            else:
                if created is not None:
                    yield WriteEvents(created)
                created = EventRun(entry.number, (entry.body,), EventState.CREATED, slot)
        if created is not None:
            yield WriteEvents(created)

    def rest(self) -> Iterator[WriteEvents]:
        """What came into effect nowhere."""
        for row in self._others.values():
            said = (row.body,)
            if row.state in OPEN_EVENTS:
                yield WriteEvents(EventRun(row.number, said, EventState.NOT_CREATED, None, _NOT_TAKEN_OVER))
            else:
                won = row.to_author, row.to_kind
                yield WriteEvents(EventRun(row.number, said, row.state, row.slot, row.reason, *won))


def _after(run: EventRun) -> Slot | None:
    return None if run.slot is None else Slot(run.slot + len(run.bodies))


def _not_created(store: Store) -> Iterator[EventRow]:
    for kept in store.events():
        if kept.bodies is not None:
            yield from kept.run().rows()
