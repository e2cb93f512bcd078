"""What a leader has under way: the campaign for its range ballot, and the reign that follows.

Rules that hold here:
- A4: a promise counts once all its pages came; a slot that a promise left out has one promise less.
- What is overtaken is probably lost, and is sent again before its time: a few times, each later than the last.
- What is in flight is kept by spans of slots that stand alike, and counted in bytes. What lands is taken out of both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from msgspec.structs import replace

from engine.core.entry import Entry
from engine.core.ids import NEVER, Ballot, SiteId, Slot, StoreId, Tick
from engine.core.leading.chains import Chains
from engine.core.log.members import Members
from engine.core.log.pages import cost_bytes
from engine.core.roster import Roster
from engine.core.run import Run
from engine.core.spans import Spans, cut_entries
from engine.core.synod.phases import Accepting, Found, cut_found
from engine.core.synod.proposer import RESEND_MAX
from engine.core.value import Value
from engine.core.views import AttemptPhase, AttemptView

OVERTAKEN_MAX: Final = 8
"""How many of the lowest flights are looked at: they hold up the prefix."""

OVERTAKEN_SHARE: Final = 50
"""What was overtaken is sent again after this part of the retransmit interval: datagrams may change their order."""


class Flight(Value):
    """Phase 2 of slots that stand alike. `overtaken`: what was sent later was accepted first; then it is sent again
    `soon`, which doubles each time, so that what never arrives is sent no more often than a few times more."""

    phase: Accepting
    since: Tick
    sent_at: Tick
    resend_at: Tick
    resend_every: Tick
    soon: Tick
    overtaken: bool = False
    refused: frozenset[SiteId] = frozenset()


def cut_flight(flight: Flight, skip: int, count: int) -> Flight:
    phase = flight.phase
    return replace(flight, phase=Accepting(phase.ballot, phase.entries[skip : skip + count], phase.accepted))


def view_of(slot: Slot, flight: Flight, roster: Roster) -> AttemptView:
    """Of one slot."""
    phase, sites, needed = flight.phase, roster.sites, roster.quorum
    why = f"leads with {phase.ballot}: accept without prepare"
    ballot, votes = phase.ballot, tuple(sorted(phase.accepted))
    return AttemptView(slot, AttemptPhase.ACCEPTING, ballot, votes, sites, needed, phase.entry, why, flight.since)


def _same(sites: frozenset[SiteId], _skip: int, _count: int) -> frozenset[SiteId]:
    return sites


@dataclass(slots=True)
class Campaign:
    """Phase 1 for all slots from `first` on.

    `wanted`: the next page's slot of each site, None once all came. It is given up when no page came for `patience`: a
    dead leader may have left more in flight than fits into one election timeout, and who sends pages has promised.
    """

    ballot: Ballot
    first: Slot
    wanted: dict[SiteId, Slot | None]
    patience: Tick
    give_up_at: Tick
    resend_at: Tick
    found: Spans[Found] = field(default_factory=lambda: Spans(cut_found))
    left_out: Spans[frozenset[SiteId]] = field(default_factory=lambda: Spans(_same))
    stores: dict[SiteId, StoreId | None] = field(default_factory=dict)
    """On which store each that promised a page runs (M4)."""

    @property
    def complete(self) -> dict[SiteId, StoreId | None]:
        return {site: self.stores[site] for site, slot in self.wanted.items() if slot is None}

    def forget(self, site: SiteId, life: StoreId) -> None:
        if self.stores.get(site) == life:
            self.wanted.pop(site, None)


@dataclass(slots=True)
class Reign:
    """Phase 2 of all slots; `next` is the next slot to propose at. `promised`: who did, and on which store; what they
    reported is `found`, up to `top`, and proposed before anything else. What is taken of the authors' chains waits in
    the `backlog`, then it is `placed` at a slot until that is learned. Something may have to be said again at `due`."""

    ballot: Ballot
    promised: dict[SiteId, StoreId | None]
    left_out: Spans[frozenset[SiteId]]
    next: Slot
    chains: Chains
    found: Spans[Found]
    top: Slot
    flights: Spans[Flight] = field(default_factory=lambda: Spans(cut_flight))
    flying_bytes: int = 0
    due: Tick = NEVER
    backlog: deque[Entry] = field(default_factory=deque)
    placed: Spans[tuple[Entry, ...]] = field(default_factory=lambda: Spans(cut_entries))
    synods: dict[Slot, Tick] = field(default_factory=dict)
    """Slots that are settled by a synod instead, and since when they are not."""

    def forget(self, site: SiteId, life: StoreId) -> None:
        if self.promised.get(site) == life:
            del self.promised[site]


def land(reign: Reign, first: Slot, last: Slot) -> None:
    """What was in flight there is settled, or goes another way."""
    for part in reign.flights.remove(first, last):
        reign.flying_bytes -= cost_bytes(part.value.phase.entries)


def learned(reign: Reign, run: Run) -> None:
    """What was in flight there is settled; where something else was chosen, an entry placed there is lost."""
    land(reign, run.first, run.last)
    if reign.synods:
        for slot in [slot for slot in reign.synods if run.first <= slot <= run.last]:
            del reign.synods[slot]
    for part in reign.placed.remove(run.first, run.last):
        chosen = run.cut(part.first, part.last).entries
        if part.value != chosen:
            for placed, entry in zip(part.value, chosen, strict=True):
                if placed != entry:
                    reign.chains.lost(placed)


def sent(phase: Accepting, now: Tick, every: Tick) -> Flight:
    return Flight(phase, now, now, Tick(now + every), every, Tick(max(1, every // OVERTAKEN_SHARE)))


def sent_again(flight: Flight, now: Tick) -> Flight:
    every, soon = flight.resend_every, flight.soon
    if flight.overtaken:
        soon = Tick(2 * soon)
    else:
        every = Tick(min(RESEND_MAX, 2 * every))
    return Flight(flight.phase, flight.since, now, Tick(now + every), every, soon)


def overtaken(reign: Reign, now: Tick, sender: SiteId, newest: Tick) -> None:
    """`sender` accepted what left at `newest`. What left before, and it has not accepted, is probably lost: it is sent
    again soon, for the whole log waits for it."""
    for first, last, flight in list(islice(reign.flights, OVERTAKEN_MAX)):
        if flight.sent_at >= newest:
            break
        at = Tick(now + flight.soon)
        if at < flight.resend_at and not flight.overtaken and sender not in flight.phase.accepted:
            reign.flights.put(first, last, replace(flight, resend_at=at, overtaken=True))
            reign.due = min(reign.due, at)


def by_promises(reign: Reign, members: Members, first: Slot, last: Slot) -> Iterator[tuple[Slot, Slot, bool]]:
    """These slots in parts, each of one list; whether a majority promised them. (Some may have left slots out.)"""
    if not (reign.left_out or members.changed):
        yield first, last, True
        return
    for begin, end, left_out_by in reign.left_out.parts(first, last):
        absent = left_out_by or frozenset[SiteId]()
        promised = {site: life for site, life in reign.promised.items() if site not in absent}
        for span in members.split(((begin, end),)):
            yield *span, not absent or members.has_majority(span[0], promised)
