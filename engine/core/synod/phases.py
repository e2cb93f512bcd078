"""One ballot, in both phases: who promised and what they reported, what it may carry then, and who accepted that.

Rules that hold here:
- B2 (P2c): a ballot carries the entry of the highest accepted ballot among a majority's promises, its proposer's own
  only where all are empty. Ballot 0 counts as accepted: "none" is None, never a falsy ballot.
- B3: votes are sets of sites, for exactly this ballot and slot; a repeat counts once, a late one not at all.
- What is so of one slot is so of several that stand alike: a phase is of a run.

These functions over frozen values are the whole truth about one ballot, `may_skip_prepare` about ballot 0. A proposer,
a leader and the small clusters do with them what they do over time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import Chosen
from engine.core.run import AcceptedRun, Run
from engine.core.spans import Part, Spans
from engine.core.storage import NO_VOTE, Vote
from engine.core.value import Value


class Found(Value):
    """What was accepted at the highest ballot that promises told of, and a site that did."""

    accepted: AcceptedRun
    at: SiteId

    def cut(self, first: Slot, last: Slot) -> Found:
        return Found(self.accepted.cut(first, last), self.at)


class Preparing(Value):
    """Phase 1 of one ballot, at one slot or at several that stand alike: who promised, and the highest accepted ballot
    that any of them reported, of each slot where there is one; ascending."""

    ballot: Ballot
    promised: frozenset[SiteId] = frozenset()
    found: tuple[Found, ...] = ()


class Accepting(Value):
    """Phase 2 of one ballot, at one slot or at several that stand alike: the entries that this ballot carries, one a
    slot, and who accepted them."""

    ballot: Ballot
    entries: tuple[Entry, ...]
    accepted: frozenset[SiteId] = frozenset()

    @property
    def entry(self) -> Entry:
        """Of one slot."""
        return self.entries[0]


def highest(found: tuple[Found, ...], reported: Sequence[AcceptedRun], at: SiteId) -> tuple[Found, ...]:
    """B2: of each slot the report of the highest ballot, when `at` reports these runs too."""
    if not reported:
        return found
    spans = Spans(cut_found, (Part(each.accepted.first, each.accepted.last, each) for each in found))
    report(spans, reported, at)
    return tuple(part.value for part in spans)


def report(found: Spans[Found], reported: Iterable[AcceptedRun], at: SiteId) -> None:
    """As `highest`, in place."""
    for run in reported:
        for part in found.parts(run.first, run.last):
            if part.value is None or run.ballot > part.value.accepted.ballot:
                found.put(part.first, part.last, Found(run, at).cut(part.first, part.last))


def cut_found(found: Found, skip: int, count: int) -> Found:
    first = Slot(found.accepted.first + skip)
    return found.cut(first, Slot(first + count - 1))


def promised(phase: Preparing, site: SiteId, ballot: Ballot, reported: Sequence[AcceptedRun]) -> Preparing:
    """B2, B3: the phase after `site` promised `ballot`, reporting what it accepted there. Unchanged by what does not
    count: a repeat, or the promise of another ballot."""
    if ballot != phase.ballot or site in phase.promised:
        return phase
    return Preparing(ballot, phase.promised | {site}, highest(phase.found, reported, site))


def to_propose(phase: Preparing, own: Run, quorum: int) -> Accepting | None:
    """B2: what this ballot may carry once a majority promised; None before."""
    if len(phase.promised) < quorum:
        return None
    entries = list(own.entries)
    for found in phase.found:
        run = found.accepted
        entries[run.first - own.first : run.last - own.first + 1] = run.entries
    return Accepting(phase.ballot, tuple(entries))


def accepted(phase: Accepting, site: SiteId, ballot: Ballot) -> Accepting:
    """B3: the phase after `site` accepted at `ballot`. Unchanged by a repeat, or where it is another ballot."""
    if ballot != phase.ballot or site in phase.accepted:
        return phase
    return Accepting(ballot, phase.entries, phase.accepted | {site})


def is_chosen(phase: Accepting, quorum: int) -> bool:
    """A majority accepted this ballot: what it carries is chosen, for ever."""
    return len(phase.accepted) >= quorum


def told(peer: SiteId, first: Slot, phase: Accepting) -> Chosen:
    """R0: what a peer is told of a choice: who accepted it has the entries, and needs the ballot alone."""
    last = Slot(first + len(phase.entries) - 1)
    return Chosen(first, last, phase.ballot, () if peer in phase.accepted else phase.entries)


def may_skip_prepare(site: SiteId, before: Entry | None, vote: Vote) -> bool:
    """L2: `site` may send an accept at its ballot 0 where it learned its own entry at the slot before, and has promised
    and accepted nothing at this one. A second accept at ballot 0 might carry another entry; so its own acceptor votes
    in the commit with which the first one leaves, and finds that vote here ever after, over restarts too."""
    return before is not None and before.author == site and vote == NO_VOTE


def why_adopted(found: Found) -> str:
    """`adopts bob's entry: carol had accepted it at 3.alice`"""
    return f"adopts {whose(found.accepted.entries[0])}: {found.at} had accepted it at {found.accepted.ballot}"


def whose(entry: Entry) -> str:
    return "the no-op" if entry.author is None else f"{entry.author}'s entry"
