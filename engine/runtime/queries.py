"""Answers to what clients ask about the log, the timeline and the events.

Rules that hold here:
- Nothing is changed, and everything is answered after the commit of the pass: no answer shows what is not durable.
- The log is read in pages from the store; what is unlearned comes from the replica, range promises included.
- R2: timeline and block table are those of the prefix. Blocks hide in the timeline alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from msgspec.structs import asdict, replace

from engine.contract import answers, metrics
from engine.contract import status as standing
from engine.contract.answers import BlockLine, Found, Lines, LogLine, LogPage, Outcome, PlanLine, SlotView, TimelinePage
from engine.contract.limits import SLOTS_MAX
from engine.contract.lines import acceptor_line, entry_shape, iso, log_line, slot_state, timeline_line
from engine.contract.no_ops import stretches
from engine.contract.requests import (
    Blocks,
    ChangeKind,
    Data,
    Events,
    Faults,
    Inspect,
    LinearizableView,
    Log,
    Members,
    Metrics,
    Plan,
    PlanChange,
    Query,
    Search,
    Status,
    TraceLines,
    View,
)
from engine.contract.shape import Shape
from engine.core.effects import SawReadConfirmed, SawReadUnconfirmed
from engine.core.entry import Entry, Operation
from engine.core.events.situation import Situation
from engine.core.explained.biography import Biography
from engine.core.ids import EventId, SiteId, Slot
from engine.core.replica import Replica
from engine.core.run import spans_of
from engine.core.settings import Settings
from engine.core.storage import EventRow, EventState, LogRow, Storage
from engine.runtime import shapes
from engine.runtime.clock import Clock
from engine.runtime.faults import FaultLayer
from engine.runtime.jsonrpc import CallRefused, newest_that_fit
from engine.runtime.searching import Searching, Sought
from engine.runtime.status import StatusBoard
from engine.runtime.trace import Trace

_SLOT_TRACE_LINES: Final = 200
_OPEN: Final = (EventState.PROPOSED, EventState.UNKNOWN)


class Queries:
    def __init__(
        self,
        *,
        settings: Settings,
        replica: Replica,
        storage: Storage,
        searching: Searching,
        trace: Trace,
        fault_layer: FaultLayer,
        board: StatusBoard,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._replica = replica
        self._storage = storage
        self._searching = searching
        self._trace = trace
        self._fault_layer = fault_layer
        self._board = board
        self._clock = clock

    def answer(self, query: Query) -> Shape:
        """Raises CallRefused, StoreError."""
        match query:
            case View():
                return self.view(query)
            case Log():
                return self._log(query)
            case Search():
                return self._search(query)
            case Data():
                return self._data(query)
            case Inspect():
                return self._inspect(query.slot)
            case Blocks():
                pairs = sorted(self._replica.blocks().items())
                return Lines(tuple(BlockLine(blocker, blocked, slot) for (blocker, blocked), slot in pairs))
            case Events():
                return self._events(query)
            case Status():
                return self.status()
            case Metrics():
                return self.metrics()
            case Members():
                return self._board.members.members()
            case PlanChange():
                return self._board.members.plan(query.kind, query.site, query.address)
            case Plan():
                return self._plan(query)
            case TraceLines():
                return Lines(newest_that_fit(self._trace.newest(query.lines, query.slot)))
            case Faults():
                return self.faults()
            case _:
                assert_never(query)

    def view(
        self, query: View | LinearizableView, read: SawReadConfirmed | SawReadUnconfirmed | None = None
    ) -> TimelinePage:
        """The timeline; `read` is what became of the linearizable read that asked for it (R5). Raises StoreError."""
        hidden = self._hidden()
        lines = [timeline_line(row) for row in self._storage.timeline(hidden, query.lines, query.before)]
        shown_count, hidden_count = self._storage.timeline_count(hidden)
        view = self._replica.view(attempts_max=0)
        later = view.used_max - view.prefix - view.holes_count
        return TimelinePage(
            lines=newest_that_fit(lines),
            shown=shown_count,
            hidden=hidden_count,
            prefix=view.prefix,
            waiting=answers.Waiting(view.prefix + 1, later) if view.used_max > view.prefix else None,
            fresh=None if read is None else shapes.read_shape(read, self._clock),
        )

    def _hidden(self) -> frozenset[SiteId]:
        """Who blocks this site."""
        me = self._settings.site
        return frozenset(blocker for blocker, blocked in self._replica.blocks() if blocked == me)

    # What subscribers are shown

    @property
    def used_max(self) -> Slot:
        return self._replica.used_max

    @property
    def prefix(self) -> Slot:
        return self._replica.prefix

    def log_lines(self, slots: Iterable[Slot]) -> list[LogLine]:
        rows = sorted(self._rows(slots).items())
        replica, clock = self._replica, self._clock
        return [
            log_line(row, replica.chosen_at(slot), shapes.attempt_shape(replica.attempt(slot), clock))
            for slot, row in rows
        ]

    def status(self) -> standing.Status:
        return self._board.status()

    def metrics(self) -> metrics.Metrics:
        return self._board.metrics()

    def faults(self) -> answers.Faults:
        layer = self._fault_layer
        return shapes.faults_shape(layer.rules.values(), layer.held.values(), layer.seed, self._clock)

    # What others here ask

    def change(self, kind: ChangeKind, site: str, address: str | None, *, force: bool) -> Operation:
        """What the log is asked for, so that its members change. Raises CallRefused."""
        return self._board.members.operation(kind, site, address, force=force)

    def chosen(self, slots: Iterable[Slot]) -> dict[Slot, Entry]:
        """Which of `slots` are learned, and with what, whether or not that is durable here."""
        stored = {slot: row.learned for slot, row in self._stored(slots).items()}
        known = ((slot, stored.get(slot) or self._replica.learned(slot)) for slot in slots)
        return {slot: entry for slot, entry in known if entry is not None}

    def entry_at(self, slot: Slot | None) -> Entry | None:
        """The learned entry of a slot, None where there is none."""
        return None if slot is None else self.chosen((slot,)).get(slot)

    def biography(self, told: Biography) -> answers.Biography:
        """A slot's biography. This site learned it when its trace says so, once that was durable: some milliseconds
        after it came to know."""
        shape = shapes.biography_shape(told, self._is_void(told.slot), self._clock)
        at_ms = self._trace.chosen_at_ms(told.slot)
        if at_ms is None:
            return shape
        me = self._settings.site
        knows = ((each, each.site == me and each.learned_at is not None) for each in shape.sites)
        sites = (replace(each, learned_at=iso(at_ms)) if knows_when else each for each, knows_when in knows)
        return replace(shape, sites=tuple(sites))

    def _is_void(self, slot: Slot) -> bool:
        """Whether the slot is in the prefix with an entry that did not take effect (E5)."""
        row = self._stored((slot,)).get(slot)
        return row is not None and bool(row.void)

    def _log(self, query: Log) -> LogPage:
        """The slots that are known to be used, and those above them that this site works on."""
        view = self._replica.view(attempts_max=SLOTS_MAX)
        top = max([view.used_max, *(attempt.slot for attempt in view.attempts)])
        last = top if query.last is None else min(query.last, top)
        first = max(query.first or 1, last - query.lines + 1)
        lines = self.log_lines(Slot(slot) for slot in range(first, last + 1))
        no_ops = stretches(lines, self._storage.log_rows, self._settings.change_lag)
        return LogPage(newest_that_fit(lines), view.used_max, view.prefix, no_ops)

    def _search(self, query: Search) -> Found:
        words = tuple(word.casefold() for word in query.words or ())
        hidden = self._hidden() if query.timeline else frozenset()
        sought = Sought(words, query.author, query.since_ms, query.timeline, hidden)
        return self._searching.find(sought, query.first or Slot(1), query.below)

    def _data(self, query: Data) -> Shape:
        used_max = self._replica.used_max
        slots = self._unlearned() if query.slots is None else query.slots
        rows = sorted(self._rows(slots).items())
        return Lines(newest_that_fit(acceptor_line(row, slot <= used_max) for slot, row in rows))

    def _unlearned(self) -> list[Slot]:
        """The holes, and the slot that is to be used next if something was promised there."""
        view = self._replica.view(attempts_max=0)
        slots = list(view.holes[:SLOTS_MAX])
        if len(slots) < SLOTS_MAX and self._replica.vote(view.next).promised is not None:
            slots.append(view.next)
        return slots

    def _inspect(self, slot: Slot) -> SlotView:
        row = self._rows([slot])[slot]
        return SlotView(
            **asdict(acceptor_line(row, used=slot <= self._replica.used_max)),
            learned=entry_shape(row.learned),
            void=bool(row.void),
            attempt=shapes.attempt_shape(self._replica.attempt(slot), self._clock),
            hindered=None if row.learned is not None else self._replica.hindered((slot,)).get(slot),
            trace=newest_that_fit(self._trace.newest(_SLOT_TRACE_LINES, slot)),
        )

    def _events(self, query: Events) -> Shape:
        numbers = None if query.events is None else [self._number(event) for event in query.events]
        limit = query.lines if numbers is None else len(numbers)
        rows = self._storage.events(numbers, limit)
        if numbers is not None:
            there = {row.number for row in rows}
            missing = [number for number in numbers if number not in there]
            if missing:
                site = self._settings.site
                raise CallRefused(f"{site} has no event {site}/{missing[0]}: see `events {site}`")
        situation = self._replica.situation() if any(row.state in _OPEN for row in rows) else None
        return Lines(newest_that_fit(self._event(row, situation) for row in rows))

    def _event(self, row: EventRow, situation: Situation | None) -> Outcome:
        winner = self.entry_at(row.slot) if row.to_kind is not None else None
        standing = None if situation is None or row.state not in _OPEN else situation.standing(row)
        return shapes.outcome_of_row(self._settings.site, row, winner, standing)

    def _number(self, event: EventId) -> int:
        if event.author != self._settings.site:
            raise CallRefused(f"{event} is not an event of {self._settings.site}: ask {event.author}")
        return event.number

    def _plan(self, query: Plan) -> Shape:
        view = self._replica.view(attempts_max=0)
        slots = view.holes[:SLOTS_MAX] if query.slots is None else query.slots
        rows = sorted(self._rows(slots).items())
        hindered = self._replica.hindered([slot for slot, row in rows if row.learned is None and slot <= view.used_max])
        lines = (self._plan_line(slot, row, view.used_max, hindered.get(slot)) for slot, row in rows)
        return Lines(newest_that_fit(lines))

    def _plan_line(self, slot: Slot, row: LogRow, used_max: Slot, hindered: str | None) -> PlanLine:
        state = slot_state(row, used=slot <= used_max)
        attempt = self._replica.attempt(slot)
        if row.learned is not None:
            action = "nothing to do: it is already learned"
        elif slot > used_max:
            action = f"nothing to do: it is not used yet, and the highest used slot is {used_max}"
        elif attempt is not None:
            action = f"continue the attempt under way ({attempt.why})"
        elif not self._replica.fills:
            action = "ask the others whether it is chosen, until one of them has settled it"
        elif row.vote.accepted is not None:
            action = "ask the others whether it is chosen, then complete the entry that was accepted"
        else:
            action = "ask the others whether it is chosen, then complete what they accepted, or propose a no-op"
        return PlanLine(slot, state, action if hindered is None else f"{hindered}; even so, {action}")

    def _rows(self, slots: Iterable[Slot]) -> dict[Slot, LogRow]:
        """A row for each of `slots`, whether the store has one or not."""
        wanted = list(slots)
        stored = self._stored(wanted)
        rows: dict[Slot, LogRow] = {}
        for slot in wanted:
            row = stored.get(slot)
            if row is None or row.learned is None:
                row = LogRow(slot, self._replica.vote(slot), None, None)
            rows[slot] = row
        return rows

    def _stored(self, slots: Iterable[Slot]) -> dict[Slot, LogRow]:
        rows: dict[Slot, LogRow] = {}
        for span in spans_of(sorted(slots)):
            rows.update((row.slot, row) for row in self._storage.log_rows(*span))
        return rows
