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

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby, pairwise
from typing import Final, Protocol, TypeVar

from msgspec.structs import replace

from engine.core.broken import BrokenRule
from engine.core.entry import Entry
from engine.core.ids import NUMBER_MAX, Ballot, Slot
from engine.core.log.pages import SPAN_BYTES, cost_bytes, fitting, run_pages
from engine.core.messages import Accept, Accepted, Cause, Chosen, Message, Prepare, Promise, Refused, RefusedSpan
from engine.core.run import AcceptedRun, Run, joined
from engine.core.settings import WINDOW_SLOTS
from engine.core.spans import Part, Spans
from engine.core.step import Step
from engine.core.storage import NO_VOTE, RangePromise, Vote, WriteRanges, WriteVote, cut_vote
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

    def learned(self, first: Slot, last: Slot) -> Iterator[Run]: ...

    def unlearned(self, first: Slot, last: Slot) -> list[tuple[Slot, Slot]]: ...

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
    return barred or (vote if vote.promised == ballot else Vote(ballot, vote.accepted, vote.entries))


def accept(vote: Vote, ranged: Ballot | None, ballot: Ballot, entries: tuple[Entry, ...]) -> Vote | Barred:
    """A2: the vote after accepting (ballot, entries), one a slot. Raises BrokenRule where the ballot already carries
    another."""
    if vote.accepted == ballot and vote.entries != entries:
        raise BrokenRule("A2", f"ballot {ballot} proposes {entries}, and {vote.entries} was accepted at that ballot")
    barred = _bar(vote, ranged, ballot)
    if barred is not None:
        return barred
    if vote.accepted == ballot:
        return vote
    return Vote(promised=ballot, accepted=ballot, entries=entries)


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

    def __init__(self, votes: Spans[Vote], ranges: tuple[RangePromise, ...], page_bytes: int) -> None:
        self._votes = votes
        self._ranges = ranges
        self._page_bytes = page_bytes

    @property
    def votes(self) -> Spans[Vote]:
        return self._votes

    @property
    def ranges(self) -> tuple[RangePromise, ...]:
        return self._ranges

    def vote(self, slot: Slot) -> Vote:
        """The slot's variables with the range promise that covers it folded in."""
        vote = self._votes.get(slot) or NO_VOTE
        ranged = self._ranged(slot)
        if ranged is not None and (vote.promised is None or ranged > vote.promised):
            return replace(vote, promised=ranged)
        return vote

    def accepted_at(self, ballot: Ballot, first: Slot, last: Slot) -> list[Part[Vote]]:
        """What of these slots was accepted at exactly this ballot."""
        return [part for part in self._votes.over(first, last) if part.value.accepted == ballot]

    def forget(self, first: Slot, last: Slot) -> None:
        """The slots are learned: their variables leave memory (the store keeps them)."""
        self._votes.remove(first, last)

    def on_prepare(self, step: Step, log: LearnedLog, message: Prepare) -> Message:
        """The answer to a prepare of one slot or of a range; always exactly one message (W3)."""
        if message.first > log.prefix + WINDOW_SLOTS:
            return Refused(message.ballot, "prepare", (RefusedSpan(message.first, message.last, None, Cause.FAR),))
        if message.last == message.first:
            return self._prepare_slot(step, log, message.ballot, message.first)
        return self._prepare_range(step, log, message)

    def on_accept(self, step: Step, log: LearnedLog, message: Accept) -> list[Message]:
        """One `accepted` and `refused` at most, and `chosen` in pages: each slot of the accept is in one of them."""
        ballot, run = message.ballot, message.run
        far = Slot(log.prefix + WINDOW_SLOTS + 1)
        accepted: list[tuple[Slot, Slot]] = []
        changed: list[tuple[Slot, Slot]] = []
        refused: list[RefusedSpan] = []
        whole = run.first, run.last
        unlearned = log.unlearned(*whole)
        for first, last in unlearned:
            for part, ranged in self._parts(first, min(last, Slot(far - 1))):
                before = part.value
                after = accept(before, ranged, ballot, run.entries[part.first - run.first : part.last - run.first + 1])
                if isinstance(after, Barred):
                    refused.append(RefusedSpan(part.first, part.last, after.ballot, after.cause))
                    continue
                accepted.append((part.first, part.last))
                if after is not before:
                    changed.append((part.first, part.last))
            if last >= far:
                refused.append(RefusedSpan(max(first, far), last, None, Cause.FAR))
        for first, last in joined(changed):
            entries = run.entries if (first, last) == whole else run.cut(first, last).entries
            self._keep(step, first, last, Vote(ballot, ballot, entries))
        answers: list[Message] = []
        if accepted:
            log.used(accepted[-1][1])
            answers.append(Accepted(ballot, joined(accepted)))
        if refused:
            answers.append(Refused(ballot, "accept", tuple(refused)))
        if unlearned != [whole]:
            # an accept of many no-ops may be answered with as many long entries
            pages = run_pages(log.learned(*whole), self._page_bytes)
            answers += [Chosen(page.first, page.last, None, page.entries) for page in pages]
        return answers

    def _prepare_slot(self, step: Step, log: LearnedLog, ballot: Ballot, slot: Slot) -> Message:
        if not log.unlearned(slot, slot):
            return Promise(ballot, slot, slot, (), tuple(log.learned(slot, slot)), ())
        before = self._votes.get(slot) or NO_VOTE
        after = prepare(before, self._ranged(slot), ballot)
        if isinstance(after, Barred):
            return Refused(ballot, "prepare", (RefusedSpan(slot, slot, after.ballot, after.cause),))
        if after is not before:
            self._keep(step, slot, slot, after)
        return Promise(ballot, slot, slot, _report(slot, after), (), ())

    def _prepare_range(self, step: Step, log: LearnedLog, message: Prepare) -> Message:
        left_out = tuple(sorted(self._left_out(message, log.prefix), key=_first_of))
        fits = len(left_out) * SPAN_BYTES <= self._page_bytes
        # One that covers it all is enough to refuse it; what else is in the way may be more than a message holds (W4).
        refused = left_out if fits else tuple(span for span in left_out if _cover((span,), message))[:1]
        if _cover(refused, message):
            return Refused(message.ballot, "prepare", refused)
        ranges = raised(self._ranges, RangePromise(message.first, message.last, message.ballot), log.prefix)
        if ranges != self._ranges:
            self._ranges = ranges
            step.write(WriteRanges(ranges))
        return self._report_range(log, message, left_out)

    def _report_range(self, log: LearnedLog, message: Prepare, left_out: tuple[RefusedSpan, ...]) -> Promise:
        """A4: everything accepted, learned or left out in the span up to what fits; `last` says how far that is."""
        top = Slot(log.prefix + WINDOW_SLOTS) if message.last is None else message.last
        voted = (
            report
            for part in self._votes.over(message.first, top)
            if part.value.promised is None or part.value.promised <= message.ballot
            for report in _report(part.first, part.value)
        )
        budget = self._page_bytes
        accepted: list[AcceptedRun] = []
        learned: list[Run] = []
        spans: list[RefusedSpan] = []
        last = message.last
        reached = Slot(message.first - 1)
        # What is left out is told first of all that is told of its first slot: so no cut comes before it.
        edges = [span.first for span in left_out]
        items: Iterator[AcceptedRun | Run | RefusedSpan]
        items = merge(left_out, _split(log.learned(message.first, top), edges), _split(voted, edges), key=_first_of)
        for item in items:
            # nothing is cut between two items of one slot, or before the first
            begins = item.first > reached >= message.first
            if isinstance(item, RefusedSpan):
                if budget < SPAN_BYTES and begins:
                    last = Slot(item.first - 1)
                    break
                budget -= SPAN_BYTES
                reached = max(reached, item.first)
                spans.append(item)
                continue
            fits = max(fitting(item.entries, budget), 0 if begins else 1)
            kept = item.entries[:fits]
            budget -= cost_bytes(kept)
            if fits:
                reached = Slot(item.first + fits - 1)
                if isinstance(item, Run):
                    learned.append(Run(item.first, kept))
                else:
                    accepted.append(AcceptedRun(item.first, item.ballot, kept))
            if fits < len(item.entries):
                last = Slot(item.first + fits - 1)
                break
        spans = [span for span in spans if last is None or span.first <= last]
        return Promise(message.ballot, message.first, last, tuple(accepted), tuple(learned), tuple(spans))

    def _left_out(self, message: Prepare, prefix: Slot) -> Iterator[RefusedSpan]:
        for held in self._ranges:
            if held.ballot > message.ballot and (message.last is None or held.first <= message.last):
                if held.last is not None and held.last < message.first:
                    continue
                yield RefusedSpan(max(held.first, message.first), held.last, held.ballot, Cause.RANGE)
        voted = self._votes.over(max(message.first, Slot(prefix + 1)), message.last)
        higher = [part for part in voted if part.value.promised is not None and part.value.promised > message.ballot]
        for ballot, parts in groupby(higher, key=lambda part: part.value.promised):
            for first, last in joined((part.first, part.last) for part in parts):
                yield RefusedSpan(first, last, ballot, Cause.SLOT)

    def _parts(self, first: Slot, last: Slot) -> Iterator[tuple[Part[Vote], Ballot | None]]:
        """The slots of `first` to `last` in parts that stand alike, each with the range promise that covers it."""
        for part in self._votes.parts(first, last):
            vote = part.value or NO_VOTE
            due = part.first
            for held in self._ranges:
                if held.first > part.last or (held.last is not None and held.last < due):
                    continue
                if held.first > due:
                    before = Slot(held.first - 1)
                    yield Part(due, before, _of_part(part, vote, due, before)), None
                    due = held.first
                end = part.last if held.last is None else min(held.last, part.last)
                yield Part(due, end, _of_part(part, vote, due, end)), held.ballot
                due = Slot(end + 1)
            if due <= part.last:
                yield Part(due, part.last, _of_part(part, vote, due, part.last)), None

    def _ranged(self, slot: Slot) -> Ballot | None:
        for held in self._ranges:
            if held.first <= slot and (held.last is None or slot <= held.last):
                return held.ballot
        return None

    def _keep(self, step: Step, first: Slot, last: Slot, after: Vote) -> None:
        self._votes.put(first, last, after)
        step.write(WriteVote(first, last, after))


def _of_part(part: Part[Vote | None], vote: Vote, first: Slot, last: Slot) -> Vote:
    """The vote of a part's part."""
    if first == part.first and last == part.last:
        return vote
    return cut_vote(vote, first - part.first, last - first + 1)


def _report(first: Slot, vote: Vote) -> tuple[AcceptedRun, ...]:
    """A4: the accepted ballot and entries, never the promised ballot."""
    return () if vote.accepted is None else (AcceptedRun(first, vote.accepted, vote.entries),)


Reported = TypeVar("Reported", Run, AcceptedRun)


def _split(runs: Iterable[Reported], edges: list[Slot]) -> Iterator[Reported]:
    """The runs, each cut before those of `edges` that lie in it; both ascending."""
    for run in runs:
        inside: list[Slot] = edges[bisect_right(edges, run.first) : bisect_right(edges, run.last)]
        for first, beyond in pairwise([run.first, *inside, Slot(run.last + 1)]):
            yield run.cut(first, Slot(beyond - 1))


def _cover(spans: tuple[RefusedSpan, ...], message: Prepare) -> bool:
    """Whether these spans, ascending, leave nothing to promise."""
    due = message.first
    for span in spans:
        if span.first > due:
            return False
        if span.last is None:
            return True
        due = max(due, Slot(span.last + 1))
    return message.last is not None and due > message.last


def _first_of(item: AcceptedRun | Run | RefusedSpan) -> Slot:
    return item.first
