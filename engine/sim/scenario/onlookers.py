"""Who looks on at a scenario: several watchers at once, as a person would have it told.

Rules that hold here:
- Times count from where the lines begin; datagrams are numbered from 1.
- Heartbeats and greetings are left out, and that one came too late: they say the same all the time. What follows from
  them is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from engine.core.effects import (
    Observation,
    RejectedFor,
    SawAttempt,
    SawLearned,
    SawOutcome,
    SawReadConfirmed,
    SawReadUnconfirmed,
    SawRejected,
)
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.views import ElectionPhase
from engine.sim.scenario.patterns import is_upkeep
from engine.sim.world.network import Datagram
from engine.sim.world.world import Watcher


class Onlookers:
    """A `Watcher` that passes on to others, and remembers the outcomes that were told, and who came to lead. `began`:
    the world's time that is told as 0."""

    def __init__(self, watchers: Sequence[Watcher], began: int) -> None:
        self.outcomes: dict[EventId, SawOutcome] = {}
        self.learned_and_told: list[tuple[SiteId, SawLearned | SawOutcome]] = []
        """What sites learned, and the outcomes that they told, in this order."""
        self.reads: dict[int, SawReadConfirmed | SawReadUnconfirmed] = {}
        """What was told of each linearizable read, by its token."""
        self.elections = 0
        """How often a site came to lead."""
        self._watchers = watchers
        self._began = began
        self._numbers: dict[int, int] = {}

    def number(self, datagram: Datagram) -> int | None:
        """The number that the datagram is told with; None where nothing of it is told."""
        return self._numbers.get(datagram.number)

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        shown = self._shown(datagram)
        if shown is not None:
            for watcher in self._watchers:
                watcher.sent(now - self._began, shown, lost=lost)

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        shown = self._shown(datagram)
        if shown is not None:
            for watcher in self._watchers:
                watcher.arrived(now - self._began, shown, taken=taken)

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        if isinstance(saw, SawLearned | SawOutcome):
            self.learned_and_told.append((site, saw))
        if isinstance(saw, SawOutcome):
            self.outcomes |= {each.id: each for each in singly(saw) if each.id is not None}
        if isinstance(saw, SawReadConfirmed | SawReadUnconfirmed):
            self.reads[saw.token] = saw
        if isinstance(saw, SawAttempt) and saw.phase is ElectionPhase.LEADS:
            self.elections += 1
        if isinstance(saw, SawRejected) and saw.reason is RejectedFor.STALE_ANSWER:
            return
        for watcher in self._watchers:
            watcher.told(now - self._began, site, saw)

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        for watcher in self._watchers:
            watcher.happened(now - self._began, site, what, why)

    def _shown(self, datagram: Datagram) -> Datagram | None:
        """The datagram as it is told; None where nothing of it is."""
        messages = tuple(message for message in datagram.messages if not is_upkeep(message))
        if not messages:
            return None
        number = self._numbers.setdefault(datagram.number, len(self._numbers) + 1)
        return replace(datagram, number=number, sent_at=Tick(datagram.sent_at - self._began), messages=messages)


def singly(saw: SawOutcome) -> Iterator[SawOutcome]:
    """Each of the outcomes that are told together."""
    for place in range(saw.count):
        id_ = None if saw.id is None else EventId(saw.id.author, saw.id.number + place)
        slot = None if saw.slot is None else Slot(saw.slot + place)
        yield replace(saw, id=id_, slot=slot, offset=saw.offset + place, count=1)
