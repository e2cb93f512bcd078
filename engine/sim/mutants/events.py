"""Mutants of events: their numbers and order (E1, E3, E5), and what is said of them (E2, E4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from engine.core import entry as entries
from engine.core.entry import Entry
from engine.core.events.sessions import Sessions, _Event
from engine.core.events.situation import Doubt
from engine.core.ids import SiteId, Slot
from engine.core.log.microblog import Applied, Microblog
from engine.core.step import Step
from engine.core.storage import EventRow, EventState, WriteEvent
from engine.sim.mutants.mutant import Mutant, Patch

# Numbers and order


def _proposed_in_memory(_: Any) -> Any:
    def on_accepting(self: Sessions, _step: Step, slot: Slot, entry: Entry) -> None:
        if slot == self._aim and not self._placed and self._queue and self._queue[0].row is not None:
            event = self._queue.popleft()
            assert event.row is not None
            event.row = replace(event.row, state=EventState.PROPOSED, slot=slot)
            self._placed[entry.number] = self._at[slot] = event

    return on_accepting


def _handed_on_in_memory(original: Callable[..., list[Entry]]) -> Any:
    def hand(self: Sessions, step: Step, last_in_effect: int, limit: int) -> list[Entry]:
        durable = Step(step.now, step.site, step.voting)
        return original(self, durable, last_in_effect, limit)

    return hand


def _numbers_anew(original: Any) -> Any:
    def begin(self: Sessions, site: SiteId, _number_max: int, open_events: tuple[EventRow, ...]) -> None:
        original(self, site, max((row.number for row in open_events), default=0), open_events)

    return begin


def _newest_first(original: Any) -> Any:
    def number(self: Sessions, step: Step) -> None:
        """Numbers nothing while something is under way, and then the newest first."""
        if not self._queue and not self._placed:
            self._unnumbered.rotate(1)
            original(self, step)

    return number


def _follow_the_number_before(original: Any) -> Any:
    def entry(self: Sessions, event: _Event, follows: int) -> Entry:
        made: Entry = original(self, event, follows)
        return replace(made, follows=made.number - 1)

    return entry


def _never_void(original: Callable[..., Applied]) -> Any:
    def apply(self: Microblog, slot: Slot, entry: Entry) -> Applied:
        if entry.author is not None:
            last = self.last_in_effect(entry.author)
            entry = replace(entry, follows=last, number=max(entry.number, last + 1))
        return original(self, slot, entry)

    return apply


def _any_higher_number(original: Callable[..., Applied]) -> Any:
    def apply(self: Microblog, slot: Slot, entry: Entry) -> Applied:
        if entry.author is not None and entry.number > self.last_in_effect(entry.author):
            entry = replace(entry, follows=self.last_in_effect(entry.author))
        return original(self, slot, entry)

    return apply


# Outcomes


def _expired_is_not_created(_: Any) -> Any:
    def doubt(self: Sessions, step: Step, event: _Event, doubt: Doubt) -> None:
        assert event.row is not None
        self._settle(step, event, replace(event.row, state=EventState.NOT_CREATED, reason=doubt.said))

    return doubt


def _handed_on_is_lost(original: Any) -> Any:
    def doubt(self: Sessions, step: Step, event: _Event, told: Doubt) -> None:
        assert event.row is not None
        if event.row.slot is None:
            self._settle(step, event, replace(event.row, state=EventState.LOST, reason=told.said))
        else:
            original(self, step, event, told)

    return doubt


def _withdrawn_is_created(original: Any) -> Any:
    def on_applied(self: Sessions, step: Step, slot: Slot, entry: Entry, void: bool) -> None:
        event = self._placed.get(entry.number)
        if entry.author == self._site and event is not None and event.row is not None:
            entry = replace(entry, body=event.row.body)
        original(self, step, slot, entry, void)

    return on_applied


def _void_is_created(original: Any) -> Any:
    def on_applied(self: Sessions, step: Step, slot: Slot, entry: Entry, _void: bool) -> None:
        original(self, step, slot, entry, False)

    return on_applied


def _again_after_a_told_loss(original: Any) -> Any:
    def settle(self: Sessions, step: Step, event: _Event, row: EventRow) -> None:
        original(self, step, event, row)
        if row.state is EventState.LOST:
            event.row = replace(row, state=EventState.QUEUED, slot=None)
            self._queue.appendleft(event)

    return settle


def _settled_in_memory(original: Any) -> Any:
    def settle(self: Sessions, step: Step, event: _Event, row: EventRow) -> None:
        original(self, step, event, row)
        step.effects.writes.remove(WriteEvent(row))

    return settle


def _doubts_are_forgotten(original: Any) -> Any:
    def begin(self: Sessions, site: SiteId, number_max: int, open_events: tuple[EventRow, ...]) -> None:
        kept = tuple(row for row in open_events if row.state is not EventState.UNKNOWN)
        original(self, site, number_max, kept)

    return begin


def _created_when_learned(original: Any) -> Any:
    def on_learned(self: Sessions, step: Step, slot: Slot, entry: Entry) -> None:
        original(self, step, slot, entry)
        self.on_applied(step, slot, entry, False)

    return on_learned


MUTANTS: Final = (
    Mutant("W5", "stamps whatever the clock says", (Patch(entries, "bounded_ms", lambda _: lambda at_ms: at_ms),)),
    Mutant(
        "E1",
        "an event is not durably proposed before it leaves",
        (Patch(Sessions, "on_accepting", _proposed_in_memory),),
    ),
    Mutant(
        "D1", "an event is not durably handed on before it leaves", (Patch(Sessions, "hand", _handed_on_in_memory),)
    ),
    Mutant("E1", "numbers begin anew at a start", (Patch(Sessions, "__init__", _numbers_anew),)),
    Mutant("E2", "says not-created of an event that left", (Patch(Sessions, "_doubt", _expired_is_not_created),)),
    Mutant("E2", "says lost of an event that was handed on", (Patch(Sessions, "_doubt", _handed_on_is_lost),)),
    Mutant("E2", "says created of what was withdrawn", (Patch(Sessions, "on_applied", _withdrawn_is_created),)),
    Mutant("E2", "says created of what is void", (Patch(Sessions, "on_applied", _void_is_created),)),
    Mutant(
        "E2", "proposes an event again after its loss was told", (Patch(Sessions, "_settle", _again_after_a_told_loss),)
    ),
    Mutant("E2", "tells an outcome that is not durable", (Patch(Sessions, "_settle", _settled_in_memory),)),
    Mutant("E2", "forgets at a start what was in doubt", (Patch(Sessions, "__init__", _doubts_are_forgotten),)),
    Mutant("E3", "the newest event goes first", (Patch(Sessions, "number", _newest_first),)),
    Mutant("E4", "says created before the prefix is learned", (Patch(Sessions, "on_learned", _created_when_learned),)),
    Mutant("E5", "nothing is ever void", (Patch(Microblog, "apply", _never_void),)),
    Mutant("E5", "any higher number takes effect", (Patch(Microblog, "apply", _any_higher_number),)),
    Mutant(
        "E5",
        "an event follows the number before, in effect or not",
        (Patch(Sessions, "_entry", _follow_the_number_before),),
    ),
)
