"""What a leader has under way: the campaign for its range ballot, and the reign that follows.

Rules that hold here:
- A4: a promise counts once all its pages came; a slot that a promise left out has one promise less.
- What is in flight is kept by spans of slots that stand alike, and counted in bytes. What lands is taken out of both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from msgspec.structs import replace

from engine.core.entry import Entry
from engine.core.ids import NEVER, Ballot, SiteId, Slot, Tick
from engine.core.leading.chains import Chains
from engine.core.log.pages import cost_bytes
from engine.core.spans import Spans, cut_entries
from engine.core.synod.phases import Accepting, Found, cut_found
from engine.core.value import Value


class Flight(Value):
    """Phase 2 of slots that stand alike."""

    phase: Accepting
    since: Tick
    resend_at: Tick
    resend_every: Tick
    refused: frozenset[SiteId] = frozenset()


def cut_flight(flight: Flight, skip: int, count: int) -> Flight:
    phase = flight.phase
    return replace(flight, phase=Accepting(phase.ballot, phase.entries[skip : skip + count], phase.accepted))


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

    @property
    def complete(self) -> set[SiteId]:
        return {site for site, slot in self.wanted.items() if slot is None}


@dataclass(slots=True)
class Reign:
    """Phase 2 of all slots; `next` is the next slot to propose at. What is taken of the authors' chains waits in the
    `backlog`, then it is `placed` at a slot until that is learned. Something may have to be said again at `due`."""

    ballot: Ballot
    promised: frozenset[SiteId]
    left_out: Spans[frozenset[SiteId]]
    next: Slot
    chains: Chains
    flights: Spans[Flight] = field(default_factory=lambda: Spans(cut_flight))
    flying_bytes: int = 0
    due: Tick = NEVER
    backlog: deque[Entry] = field(default_factory=deque)
    placed: Spans[tuple[Entry, ...]] = field(default_factory=lambda: Spans(cut_entries))
    synods: dict[Slot, Tick] = field(default_factory=dict)
    """Slots that are settled by a synod instead, and since when they are not."""


def land(reign: Reign, first: Slot, last: Slot) -> None:
    """What was in flight there is settled, or goes another way."""
    for part in reign.flights.remove(first, last):
        reign.flying_bytes -= cost_bytes(part.value.phase.entries)
