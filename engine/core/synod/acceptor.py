"""The acceptor: what a site promised and accepted.

Rules that hold here:
- A1 (P1a): a ballot is promised for a slot only if it is above every ballot promised or accepted there.
- A2: (b, v) is accepted iff b is at least the promise there; accepting raises the promise to b.
- A3: what holds for a slot is the higher of its own promise and of the range promise that covers it.
- A4: a promise reports accepted ballots and says exactly which slots it covers.
- A5: a refusal names the ballot in the way, and whether a single slot or a range caused it.
- The state of an unlearned slot is never dropped (A2); a learned slot is answered with what was chosen.

`prepare` and `accept` are the whole truth about one slot; the class applies them to many and keeps the ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import pairwise
from typing import Final, Protocol

from msgspec.structs import replace

from engine.core.broken import BrokenRule
from engine.core.entry import Entry
from engine.core.ids import NUMBER_MAX, Ballot, Slot
from engine.core.log.pages import SPAN_BYTES, cost_bytes, paged
from engine.core.messages import (
    Accept,
    Accepted,
    AcceptedSlot,
    Cause,
    Chosen,
    ChosenSlot,
    LearnedSlot,
    Message,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
)
from engine.core.settings import WINDOW_SLOTS
from engine.core.step import Step
from engine.core.storage import NO_VOTE, RangePromise, Vote, WriteRanges, WriteVote
from engine.core.value import Value

_BEYOND: Final = NUMBER_MAX + 1


class Barred(Value):
    """The promise in the way, and whether the slot's own or a range's (A5)."""

    ballot: Ballot
    cause: Cause


class LearnedLog(Protocol):
    """What the acceptor needs of the learner."""

    @property
    def prefix(self) -> Slot: ...

    def is_learned(self, slot: Slot) -> bool: ...

    def learned(self, first: Slot, last: Slot) -> Iterator[LearnedSlot]: ...

    def used(self, slot: Slot) -> None: ...


def _bar(vote: Vote, ranged: Ballot | None, ballot: Ballot) -> Barred | None:
    if vote.promised is not None and ballot < vote.promised and (ranged is None or ranged <= vote.promised):
        return Barred(vote.promised, Cause.SLOT)
    if ranged is not None and ballot < ranged:
        return Barred(ranged, Cause.RANGE)
    return None


def prepare(vote: Vote, ranged: Ballot | None, ballot: Ballot) -> Vote | Barred:
    """A1: the vote after promising `ballot`, unchanged where this repeats the promise that still stands."""
    barred = _bar(vote, ranged, ballot)
    return barred or (vote if vote.promised == ballot else Vote(ballot, vote.accepted, vote.entry))


def accept(vote: Vote, ranged: Ballot | None, ballot: Ballot, entry: Entry) -> Vote | Barred:
    """A2: the vote after accepting (ballot, entry). Raises BrokenRule where the ballot already carries another."""
    if vote.accepted == ballot and vote.entry != entry:
        raise BrokenRule("A2", f"ballot {ballot} proposes {entry}, and {vote.entry} was accepted at that ballot")
    barred = _bar(vote, ranged, ballot)
    if barred is not None:
        return barred
    if vote.accepted == ballot:
        return vote
    return Vote(promised=ballot, accepted=ballot, entry=entry)


def raised(ranges: Iterable[RangePromise], new: RangePromise, prefix: Slot) -> tuple[RangePromise, ...]:
    """The step function of range promises after `new`: disjoint, ascending, the highest ballot wins, above `prefix`."""
    spans = [(r.first, _BEYOND if r.last is None else r.last + 1, r.ballot) for r in (*ranges, new)]
    edges = sorted({edge for first, beyond, _ in spans for edge in (first, beyond)} | {prefix + 1})
    result: list[RangePromise] = []
    for first, beyond in pairwise(edge for edge in edges if edge > prefix):
        ballot = max((b for f, e, b in spans if f <= first and beyond <= e), default=None)
        if ballot is None:
            continue
        last = None if beyond == _BEYOND else Slot(beyond - 1)
        before = result[-1] if result else None
        if before is not None and before.ballot == ballot and before.last == first - 1:
            result[-1] = replace(before, last=last)
        else:
            result.append(RangePromise(Slot(first), last, ballot))
    return tuple(result)


class Acceptor:
    """The votes of all unlearned slots, and the range promises."""

    def __init__(self, votes: dict[Slot, Vote], ranges: tuple[RangePromise, ...], page_bytes: int) -> None:
        self._votes = votes
        self._ranges = ranges
        self._page_bytes = page_bytes

    @property
    def votes(self) -> dict[Slot, Vote]:
        return self._votes

    @property
    def ranges(self) -> tuple[RangePromise, ...]:
        return self._ranges

    def vote(self, slot: Slot) -> Vote:
        """The slot's variables with the range promise that covers it folded in."""
        vote = self._votes.get(slot, NO_VOTE)
        ranged = self._ranged(slot)
        if ranged is not None and (vote.promised is None or ranged > vote.promised):
            return replace(vote, promised=ranged)
        return vote

    def forget(self, slot: Slot) -> Vote:
        """The slot is learned: its variables leave memory (the store keeps them)."""
        vote = self.vote(slot)
        self._votes.pop(slot, None)
        return vote

    def on_prepare(self, step: Step, log: LearnedLog, message: Prepare) -> Message:
        """The answer to a prepare of one slot or of a range; always exactly one message (W3)."""
        if message.first > log.prefix + WINDOW_SLOTS:
            return Refused(message.ballot, "prepare", (RefusedSpan(message.first, message.last, None, Cause.FAR),))
        if message.last == message.first:
            return self._prepare_slot(step, log, message.ballot, message.first)
        return self._prepare_range(step, log, message)

    def on_accept(self, step: Step, log: LearnedLog, message: Accept) -> list[Message]:
        """One `accepted` and `refused` at most, and `chosen` in pages: each slot of the accept is in one of them."""
        accepted: list[Slot] = []
        refused: list[RefusedSpan] = []
        chosen: list[ChosenSlot] = []
        for slot, entry in ((item.slot, item.entry) for item in message.entries):
            if log.is_learned(slot):
                chosen.extend(ChosenSlot(slot, None, item.entry) for item in log.learned(slot, slot))
                continue
            if slot > log.prefix + WINDOW_SLOTS:
                refused.append(RefusedSpan(slot, slot, None, Cause.FAR))
                continue
            before = self._votes.get(slot, NO_VOTE)
            after = accept(before, self._ranged(slot), message.ballot, entry)
            if isinstance(after, Barred):
                refused.append(RefusedSpan(slot, slot, after.ballot, after.cause))
                continue
            self._keep(step, slot, before, after)
            log.used(slot)
            accepted.append(slot)
        answers: list[Message] = []
        if accepted:
            answers.append(Accepted(message.ballot, tuple(accepted)))
        if refused:
            answers.append(Refused(message.ballot, "accept", tuple(refused)))
        if chosen:  # an accept of many no-ops may be answered with as many long entries
            answers += [Chosen(page) for page in paged(chosen, _chosen_bytes, self._page_bytes)]
        return answers

    def _prepare_slot(self, step: Step, log: LearnedLog, ballot: Ballot, slot: Slot) -> Message:
        if log.is_learned(slot):
            return Promise(ballot, slot, slot, (), tuple(log.learned(slot, slot)), ())
        before = self._votes.get(slot, NO_VOTE)
        after = prepare(before, self._ranged(slot), ballot)
        if isinstance(after, Barred):
            return Refused(ballot, "prepare", (RefusedSpan(slot, slot, after.ballot, after.cause),))
        self._keep(step, slot, before, after)
        return Promise(ballot, slot, slot, _report(slot, after), (), ())

    def _prepare_range(self, step: Step, log: LearnedLog, message: Prepare) -> Message:
        left_out = tuple(self._left_out(message, log.prefix))
        covering = [span for span in left_out if _covers(span, message)]
        if covering:
            # One that covers it refuses it all; what else is in the way may be more than a message holds (W4).
            fits = len(left_out) * SPAN_BYTES <= self._page_bytes
            return Refused(message.ballot, "prepare", left_out if fits else tuple(covering[:1]))
        ranges = raised(self._ranges, RangePromise(message.first, message.last, message.ballot), log.prefix)
        if ranges != self._ranges:
            self._ranges = ranges
            step.write(WriteRanges(ranges))
        return self._report_range(log, message, left_out)

    def _report_range(self, log: LearnedLog, message: Prepare, left_out: tuple[RefusedSpan, ...]) -> Promise:
        """A4: everything accepted, learned or left out in the span up to what fits; `last` says how far that is."""
        barred = {span.first for span in left_out if span.cause is Cause.SLOT}
        top = Slot(log.prefix + WINDOW_SLOTS) if message.last is None else message.last
        voted = (
            report
            for slot, vote in sorted(self._votes.items())
            if message.first <= slot <= top and slot not in barred
            for report in _report(slot, vote)
        )
        budget = self._page_bytes
        accepted: list[AcceptedSlot] = []
        learned: list[LearnedSlot] = []
        spans: list[RefusedSpan] = []
        last = message.last
        reached = message.first  # nothing is cut between two items of one slot, or before the first
        items: Iterator[AcceptedSlot | LearnedSlot | RefusedSpan]
        items = merge(log.learned(message.first, top), voted, sorted(left_out, key=_first_of), key=_first_of)
        for item in items:
            cost = SPAN_BYTES if isinstance(item, RefusedSpan) else cost_bytes(item.entry)
            if budget < cost and reached < _first_of(item):
                last = Slot(_first_of(item) - 1)
                break
            budget -= cost
            reached = _first_of(item)
            match item:
                case AcceptedSlot():
                    accepted.append(item)
                case LearnedSlot():
                    learned.append(item)
                case RefusedSpan():
                    spans.append(item)
        return Promise(message.ballot, message.first, last, tuple(accepted), tuple(learned), tuple(spans))

    def _left_out(self, message: Prepare, prefix: Slot) -> Iterator[RefusedSpan]:
        for held in self._ranges:
            if held.ballot > message.ballot and (message.last is None or held.first <= message.last):
                if held.last is not None and held.last < message.first:
                    continue
                yield RefusedSpan(max(held.first, message.first), held.last, held.ballot, Cause.RANGE)
        for slot, vote in sorted(self._votes.items()):
            if slot <= prefix or slot < message.first or (message.last is not None and slot > message.last):
                continue
            if vote.promised is not None and vote.promised > message.ballot:
                yield RefusedSpan(slot, slot, vote.promised, Cause.SLOT)

    def _ranged(self, slot: Slot) -> Ballot | None:
        for held in self._ranges:
            if held.first <= slot and (held.last is None or slot <= held.last):
                return held.ballot
        return None

    def _keep(self, step: Step, slot: Slot, before: Vote, after: Vote) -> None:
        if after is not before:
            self._votes[slot] = after
            step.write(WriteVote(slot, after))


def _report(slot: Slot, vote: Vote) -> tuple[AcceptedSlot, ...]:
    """A4: the accepted ballot and entry, never the promised ballot."""
    if vote.accepted is None or vote.entry is None:
        return ()
    return (AcceptedSlot(slot, vote.accepted, vote.entry),)


def _chosen_bytes(item: ChosenSlot) -> int:
    assert item.entry is not None, "a learned slot is told with its entry"
    return cost_bytes(item.entry)


def _covers(span: RefusedSpan, message: Prepare) -> bool:
    reaches = span.last is None or (message.last is not None and span.last >= message.last)
    return span.first <= message.first and reaches


def _first_of(item: AcceptedSlot | LearnedSlot | RefusedSpan) -> Slot:
    return item.first if isinstance(item, RefusedSpan) else item.slot
