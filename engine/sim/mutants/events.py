"""Mutants of events: their numbers and order (E1, E3, E5), and what is said of them (E2, E4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from engine.core import entry as entries
from engine.core.around import Around
from engine.core.effects import SawApplied, SawOutcome
from engine.core.entry import Entry
from engine.core.events import submissions
from engine.core.events.sessions import Sessions
from engine.core.events.situation import Doubt
from engine.core.events.submissions import Batch, Open, Submissions
from engine.core.ids import EventId, SiteId
from engine.core.leading.policy import Policy
from engine.core.log.microblog import Applied, Microblog
from engine.core.run import Run
from engine.core.step import Step
from engine.core.storage import EventRun, EventState, WriteEvents, WriteNumbers
from engine.sim.mutants.mutant import Mutant, Patch

# Numbers and order


def _in_memory(step: Step) -> Step:
    """What is written in it, nobody writes."""
    return Step(step.now, step.site, step.voting)


def _proposed_in_memory(original: Any) -> Any:
    def on_accepting(self: Sessions, step: Step, run: Run) -> None:
        original(self, _in_memory(step), run)

    return on_accepting


def _handed_on_in_memory(original: Callable[..., list[Entry]]) -> Any:
    def hand(self: Sessions, step: Step, last_in_effect: int, limit: int) -> list[Entry]:
        return original(self, _in_memory(step), last_in_effect, limit)

    return hand


def _numbers_anew(original: Any) -> Any:
    def begin(self: Sessions, site: SiteId, _number_max: int, open_events: tuple[EventRun, ...]) -> None:
        original(self, site, max((run.last for run in open_events), default=0), open_events)

    return begin


def _before_they_are_reserved(original: Callable[..., bool]) -> Any:
    def has_numbers(self: Submissions, step: Step, batch: Batch) -> bool:
        self._reserved = max(self._reserved, self._given + batch.count)
        return original(self, step, batch)

    return has_numbers


def _reserved_in_memory(original: Callable[..., list[Open]]) -> Any:
    def number(self: Submissions, step: Step, last_in_effect: int) -> list[Open]:
        numbered = original(self, step, last_in_effect)
        step.effects.writes = [write for write in step.effects.writes if not isinstance(write, WriteNumbers)]
        return numbered

    return number


def _queued_may_leave(_: Any) -> Any:
    return lambda _self, _run: True


def _newest_first(original: Any) -> Any:
    def number(self: Sessions, step: Step, last_in_effect: int) -> None:
        """Numbers nothing while something is under way, and then the newest first."""
        if self._queue or self._placed:
            self._submissions._lacks_numbers = False
        else:
            self._submissions._unnumbered.rotate(1)
            original(self, step, last_in_effect)

    return number


def _follow_the_number_before(original: Callable[..., list[Entry]]) -> Any:
    def made(self: Sessions, events: EventRun, follows: int) -> list[Entry]:
        return [replace(entry, follows=entry.number - 1) for entry in original(self, events, follows)]

    return made


def _never_void(original: Callable[..., Applied]) -> Any:
    def apply(self: Microblog, run: Run) -> Applied:
        return original(self, _following(self, run, lambda _entry, _last: True))

    return apply


def _any_higher_number(original: Callable[..., Applied]) -> Any:
    def apply(self: Microblog, run: Run) -> Applied:
        return original(self, _following(self, run, lambda entry, last: entry.number > last))

    return apply


def _following(machine: Microblog, run: Run, is_taken: Callable[[Entry, int], bool]) -> Run:
    """The run, as if what is taken followed its author's last number in effect."""
    last: dict[SiteId, int] = {}
    made: list[Entry] = []
    for entry in run.entries:
        author = entry.author
        before = 0 if author is None else last.get(author, machine.last_in_effect(author))
        if author is None or not is_taken(entry, before):
            made.append(entry)
        else:
            last[author] = max(entry.number, before + 1)
            made.append(replace(entry, follows=before, number=last[author]))
    return Run(run.first, tuple(made))


# Outcomes


def _expired_is_not_created(_: Any) -> Any:
    def doubt(self: Sessions, step: Step, run: Open, doubts: Iterable[Doubt]) -> None:
        reason = next(iter(doubts)).said
        self._settle(step, run, replace(run.events, state=EventState.NOT_CREATED, reason=reason))

    return doubt


def _handed_on_is_lost(original: Any) -> Any:
    def doubt(self: Sessions, step: Step, run: Open, doubts: Sequence[Doubt]) -> None:
        if run.events.slot is None:
            self._settle(step, run, replace(run.events, state=EventState.LOST, reason=doubts[0].said))
        else:
            original(self, step, run, doubts)

    return doubt


def _withdrawn_is_created(original: Any) -> Any:
    def on_applied(self: Sessions, step: Step, applied: SawApplied) -> None:
        made: list[Entry] = []
        for entry in applied.run.entries:
            placed = self._placed.get(entry.number) if entry.author == self._site else None
            made.append(entry if placed is None else replace(entry, body=placed.events.bodies[0]))
        original(self, step, replace(applied, run=Run(applied.run.first, tuple(made))))

    return on_applied


def _void_is_created(original: Any) -> Any:
    def on_applied(self: Sessions, step: Step, applied: SawApplied) -> None:
        original(self, step, replace(applied, void=()))

    return on_applied


def _again_after_a_told_loss(original: Any) -> Any:
    def settle(self: Sessions, step: Step, run: Open, events: EventRun) -> None:
        original(self, step, run, events)
        if events.state is EventState.LOST:
            again = replace(events, state=EventState.QUEUED, slot=None)
            self._queue.put(events.first, events.last, Open(again, run.batch))

    return settle


def _settled_in_memory(original: Any) -> Any:
    def settle(self: Sessions, step: Step, run: Open, events: EventRun) -> None:
        original(self, step, run, events)
        step.effects.writes.remove(WriteEvents(events))

    return settle


def _doubts_are_forgotten(original: Any) -> Any:
    def begin(self: Sessions, site: SiteId, number_max: int, open_events: tuple[EventRun, ...]) -> None:
        kept = tuple(run for run in open_events if run.state is not EventState.UNKNOWN)
        original(self, site, number_max, kept)

    return begin


def _created_when_learned(original: Any) -> Any:
    def on_learned(self: Sessions, step: Step, run: Run) -> None:
        original(self, step, run)
        self.on_applied(step, SawApplied(run, ()))

    return on_learned


def _told_of_the_next_one(original: Any) -> Any:
    def tell(self: Submissions, step: Step, run: Open, said: SawOutcome) -> None:
        """Of those that were submitted with it."""
        if run.batch is not None and said.id is not None and said.count < run.batch.count:
            place = said.id.number - run.batch.first
            number = run.batch.first + (place + 1) % (run.batch.count - said.count + 1)
            said = replace(said, id=EventId(said.id.author, number))
        original(self, step, run, said)

    return tell


def _goes_on_in_the_packet(original: Any) -> Any:
    def applied(self: Around, step: Step, reached: Sequence[SawApplied]) -> None:
        original(dataclasses.replace(self, policy=Policy(self.policy._parts)), step, reached)

    return applied


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
    Mutant(
        "E1",
        "gives out numbers of a block that is not durable yet",
        (
            Patch(Submissions, "_has_numbers", _before_they_are_reserved),
            Patch(submissions, "BLOCK", lambda _: 1),  # so that it ever lacks numbers
        ),
    ),
    Mutant("E1", "numbers are reserved in memory alone", (Patch(Submissions, "number", _reserved_in_memory),)),
    Mutant(
        "L3",
        "an event that the disk calls queued leaves beside the commit",
        (Patch(Sessions, "may_leave_beside", _queued_may_leave),),
    ),
    Mutant("E2", "says not-created of an event that left", (Patch(Sessions, "_doubt", _expired_is_not_created),)),
    Mutant("E2", "says lost of an event that was handed on", (Patch(Sessions, "_doubt", _handed_on_is_lost),)),
    Mutant("E2", "says created of what was withdrawn", (Patch(Sessions, "on_applied", _withdrawn_is_created),)),
    Mutant("E2", "says created of what is void", (Patch(Sessions, "on_applied", _void_is_created),)),
    Mutant(
        "E2", "proposes an event again after its loss was told", (Patch(Sessions, "_settle", _again_after_a_told_loss),)
    ),
    Mutant("E2", "tells an outcome that is not durable", (Patch(Sessions, "_settle", _settled_in_memory),)),
    Mutant("E2", "tells an outcome of the event beside it", (Patch(Submissions, "tell", _told_of_the_next_one),)),
    Mutant("E2", "forgets at a start what was in doubt", (Patch(Sessions, "__init__", _doubts_are_forgotten),)),
    Mutant("E3", "the newest event goes first", (Patch(Sessions, "number", _newest_first),)),
    Mutant("E4", "says created before the prefix is learned", (Patch(Sessions, "on_learned", _created_when_learned),)),
    Mutant("E5", "nothing is ever void", (Patch(Microblog, "apply", _never_void),)),
    Mutant("E5", "any higher number takes effect", (Patch(Microblog, "apply", _any_higher_number),)),
    Mutant(
        "E5",
        "an event follows the number before, in effect or not",
        (Patch(Sessions, "_entries", _follow_the_number_before),),
    ),
)

RARE: Final = (
    Mutant(
        "E2",
        "proposes what ended when the promise comes in the same packet",
        (Patch(Around, "applied", _goes_on_in_the_packet),),
    ),
)
