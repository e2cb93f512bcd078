"""Mutants of the acceptor (A1 to A5), of what it keeps, and of the order in which a turn is done (D1, D2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

import engine.core.synod.acceptor
from engine.core.effects import Effects
from engine.core.entry import Entry
from engine.core.ids import Ballot, Slot
from engine.core.messages import Cause, Prepare, Promise
from engine.core.run import AcceptedRun
from engine.core.spans import Part
from engine.core.step import Step
from engine.core.storage import (
    NO_VOTE,
    EventState,
    StoreFailed,
    Vote,
    Write,
    WriteEvents,
    WritePeer,
    WriteRanges,
    WriteVote,
    cut_vote,
)
from engine.core.synod.acceptor import Acceptor, Barred
from engine.core.turn import Commit, Item, Turn
from engine.sim.mutants.mutant import Mutant, Patch
from engine.sim.world.disk import SimDisk


def _promise_anything(_: Any) -> Any:
    def prepare(vote: Vote, _ranged: Ballot | None, ballot: Ballot) -> Vote | Barred:
        return replace(vote, promised=ballot)

    return prepare


def _accept_anything(_: Any) -> Any:
    def accept(_vote: Vote, _ranged: Ballot | None, ballot: Ballot, entries: tuple[Entry, ...]) -> Vote | Barred:
        return Vote(ballot, ballot, entries)

    return accept


def _accept_without_raising(original: Any) -> Any:
    def keep(self: Acceptor, step: Step, first: Slot, last: Slot, after: Vote) -> None:
        if not _is_acceptance(after):
            original(self, step, first, last, after)
            return
        for part in list(self.votes.parts(first, last)):
            kept = cut_vote(after, part.first - first, part.last - part.first + 1)
            promised = (part.value or NO_VOTE).promised
            original(self, step, part.first, part.last, replace(kept, promised=promised))

    return keep


def _is_acceptance(vote: Vote) -> bool:
    """What is kept was accepted just now; else, it was promised."""
    return vote.accepted == vote.promised


def _forget_votes(_: Any) -> Any:
    def keep(_self: Acceptor, step: Step, first: Slot, last: Slot, after: Vote) -> None:
        step.write(WriteVote(first, last, after))

    return keep


def _prune_when_promising(original: Any) -> Any:
    def prepare_range(self: Acceptor, step: Step, log: Any, message: Prepare) -> Any:
        answer = original(self, step, log, message)
        if isinstance(answer, Promise) and self.votes.last is not None:
            self.votes.remove(Slot(1), self.votes.last)
        return answer

    return prepare_range


def _no_range_promise(_: Any) -> Any:
    return lambda _self, _slot: None


def _no_range_promises(original: Callable[..., Iterator[tuple[Part[Vote], Ballot | None]]]) -> Any:
    def parts(self: Acceptor, first: Slot, last: Slot) -> Iterator[tuple[Part[Vote], None]]:
        return ((part, None) for part, _ in original(self, first, last))

    return parts


def _range_ends_where_it_is_used(original: Any) -> Any:
    def prepare_range(self: Acceptor, step: Step, log: Any, message: Prepare) -> Any:
        if message.last is not None:
            return original(self, step, log, message)
        last = max(message.first, self.votes.last or message.first)
        answer = original(self, step, log, replace(message, last=last))
        covers_all = isinstance(answer, Promise) and answer.last == last
        return replace(answer, last=None) if covers_all else answer

    return prepare_range


def _report_the_promise(_: Any) -> Any:
    def report(first: Slot, vote: Vote) -> tuple[AcceptedRun, ...]:
        return () if vote.promised is None or not vote.entries else (AcceptedRun(first, vote.promised, vote.entries),)

    return report


def _report_nothing(_: Any) -> Any:
    return lambda _first, _vote: ()


def _silently_short(original: Any) -> Any:
    def report_range(self: Acceptor, log: Any, message: Prepare, left_out: Any) -> Promise:
        answer: Promise = original(self, log, message, left_out)
        return replace(answer, last=message.last)

    return report_range


def _kept_in_memory(is_kept: Callable[[Vote], bool]) -> Callable[[Any], Any]:
    def broken(original: Any) -> Any:
        def keep(self: Acceptor, step: Step, first: Slot, last: Slot, after: Vote) -> None:
            if is_kept(after):
                self.votes.put(first, last, after)
            else:
                original(self, step, first, last, after)

        return keep

    return broken


def _refuse_with_the_asked_ballot(original: Any) -> Any:
    def bar(vote: Vote, ranged: Ballot | None, ballot: Ballot) -> Barred | None:
        barred = original(vote, ranged, ballot)
        return None if barred is None else replace(barred, ballot=ballot)

    return bar


def _blame_a_range(original: Any) -> Any:
    def bar(vote: Vote, ranged: Ballot | None, ballot: Ballot) -> Barred | None:
        barred = original(vote, ranged, ballot)
        return None if barred is None else replace(barred, cause=Cause.RANGE)

    return bar


def _sync_errors_ignored(original: Callable[..., int]) -> Any:
    def sync(self: SimDisk) -> int:
        """What the failed sync was to make durable is gone; the next one says that all is well."""
        try:
            return original(self)
        except StoreFailed:
            self.settle(0)
            return self.image.commit

    return sync


def _as_if_chosen(is_it: Callable[[Write], bool]) -> Callable[[Any], Any]:
    """Of these, that they are durable somewhere else too is taken for granted."""

    def broken(original: Any) -> Any:
        def write(self: Step, write: Write) -> None:
            (self.write_along if is_it(write) else partial(original, self))(write)

        return write

    return broken


def _is_refusal_of_an_event(write: Write) -> bool:
    return isinstance(write, WriteEvents) and write.events.state in (EventState.LOST, EventState.NOT_CREATED)


def _is_placing_of_an_event(write: Write) -> bool:
    return isinstance(write, WriteEvents) and write.events.state is EventState.PROPOSED


def _without_commit(turn: Turn[None]) -> Turn[None]:
    return Turn(turn._replica, Effects([], turn._effects.sends, turn._effects.observations, turn._effects.stop))


def _commit(turn: Turn[None]) -> list[Item[None]]:
    return [Commit(turn._effects.writes)] if turn.commits else []


def _leave_first(original: Any) -> Any:
    def items(self: Turn[None]) -> Iterator[Item[None]]:
        *leaving, told = original(_without_commit(self))
        yield from (*leaving, *_commit(self), told)

    return items


def _tell_first(original: Any) -> Any:
    def items(self: Turn[None]) -> Iterator[Item[None]]:
        *leaving, told = original(_without_commit(self))
        yield from (told, *_commit(self), *leaving)

    return items


_acceptor = engine.core.synod.acceptor

MUTANTS: Final = (
    Mutant("A1", "promises any ballot", (Patch(_acceptor, "prepare", _promise_anything),)),
    Mutant("A2", "accepts any ballot", (Patch(_acceptor, "accept", _accept_anything),)),
    Mutant("A2", "accepting does not raise the promise", (Patch(Acceptor, "_keep", _accept_without_raising),)),
    Mutant("A2", "forgets the votes of unlearned slots", (Patch(Acceptor, "_keep", _forget_votes),)),
    Mutant("A2", "a range promise prunes the votes", (Patch(Acceptor, "_prepare_range", _prune_when_promising),)),
    Mutant(
        "A3",
        "range promises are not held",
        (Patch(Acceptor, "_ranged", _no_range_promise), Patch(Acceptor, "_parts", _no_range_promises)),
    ),
    Mutant(
        "A3",
        "a range promise ends at the highest slot voted in",
        (Patch(Acceptor, "_prepare_range", _range_ends_where_it_is_used),),
    ),
    Mutant(
        "A4", "reports the promised ballot, not the accepted one", (Patch(_acceptor, "_report", _report_the_promise),)
    ),
    Mutant("A4", "reports nothing accepted", (Patch(_acceptor, "_report", _report_nothing),)),
    Mutant("A4", "a range promise is silently short", (Patch(Acceptor, "_report_range", _silently_short),)),
    Mutant(
        "A5", "names another ballot than that in the way", (Patch(_acceptor, "_bar", _refuse_with_the_asked_ballot),)
    ),
    Mutant("A5", "blames a range for what one slot refuses", (Patch(_acceptor, "_bar", _blame_a_range),)),
    Mutant(
        "D1",
        "promises are not durable",
        (Patch(Acceptor, "_keep", _kept_in_memory(lambda vote: not _is_acceptance(vote))),),
    ),
    Mutant("D1", "acceptances are not durable", (Patch(Acceptor, "_keep", _kept_in_memory(_is_acceptance)),)),
    Mutant("D1", "messages leave before the commit", (Patch(Turn, "items", _leave_first),)),
    Mutant("D1", "it is told before the commit", (Patch(Turn, "items", _tell_first),)),
    *(
        Mutant("D1", f"{what} waits as if it were chosen", (Patch(Step, "write", _as_if_chosen(is_it)),))
        for what, is_it in (
            ("a vote", lambda write: isinstance(write, WriteVote)),
            ("a range promise", lambda write: isinstance(write, WriteRanges)),
            ("that an event left", _is_placing_of_an_event),
            ("that an event is lost", _is_refusal_of_an_event),
            ("a peer's store", lambda write: isinstance(write, WritePeer)),
        )
    ),
    Mutant("D2", "a failed sync is ignored", (Patch(SimDisk, "sync", _sync_errors_ignored),)),
)
