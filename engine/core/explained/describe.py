"""One line of text for a message or an observation: the trace pane, the logs and the golden scenarios share it.

Rules that hold here:
- Each line says what it is about (slot, ballot) and why, in words that name sites, entries and ballots (A5).
- Text of users is returned as it is; whoever paints it makes it inert.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from engine.core.effects import (
    FillResult,
    Observation,
    RecoveryPhase,
    SawApplied,
    SawAttempt,
    SawBiography,
    SawFilled,
    SawHanded,
    SawHoles,
    SawLearned,
    SawMembers,
    SawNumbered,
    SawOutcome,
    SawPeer,
    SawProof,
    SawReadConfirmed,
    SawReadUnconfirmed,
    SawRecovery,
    SawRejected,
    SawRemoved,
    SawStanding,
)
from engine.core.entry import Entry, all_in_words, in_words
from engine.core.ids import Ballot, Slot, named
from engine.core.messages import How, Message, Refused
from engine.core.roster import Removed, Roster
from engine.core.run import spans_of
from engine.core.said import Span
from engine.core.storage import EventState
from engine.core.value import Value
from engine.core.views import AttemptPhase
from engine.core.wording import first_of, many, span

CHOSEN: Final = "chosen"
"""The type of the line with which a site tells that it has learned a slot."""


class Line(Value):
    """`type` is the word that filters and fault rules match; `slot` is the first that the line is about."""

    type: str
    slot: Slot | None
    ballot: Ballot | None
    note: str


BAD_NEWS: Final = frozenset({EventState.LOST.value, EventState.NOT_CREATED.value, Refused.word()})
"""The types of lines that are bad news for who waits for something."""


def message(value: Message) -> Line:
    return Line(value.word(), value.slot, value.ballot, value.note())


def observation(value: Observation) -> Line | None:
    """The line of what this site concluded; None for what the trace does not show."""
    match value:
        case SawLearned(run, _, ballot, _):
            return Line(CHOSEN, run.first, ballot, f"{_learned_from(value)}: {all_in_words(run.entries)}")
        case SawApplied(run, void) if void:
            what = many([_void(run.entry(slot)) for slot in void])
            return Line("void", void[0], None, f"{what}, which is not its author's last in effect (E5)")
        case SawApplied():
            return None
        case SawOutcome():
            return Line(value.outcome, value.slot, None, _outcome(value))
        case SawAttempt(phase=AttemptPhase.ENDED):
            return None
        case SawAttempt(slot, phase, ballot, why, last=last):
            return Line(phase, slot, ballot, why if last in (None, slot) else f"{span(slot, last)}: {why}")
        case SawHoles(slots, count):
            which = first_of([str(slot) for slot in slots], count)
            return Line("hole", slots[0], None, f"used, not learned here: asks the others about {which}")
        case SawFilled(slot, result, kind):
            of = "" if kind is None or result is FillResult.NOOP else f" ({kind})"
            return Line("filled", slot, None, f"{_RESULTS[result]}{of}")
        case SawRecovery():
            return recovery(value)
        case SawReadConfirmed(_, bound, _, took_ms, voters):
            note = f"{named(voters)} confirm: everything chosen up to {took_ms} ms ago is here, up to slot {bound}"
            return Line("fresh", bound or None, None, note)
        case SawReadUnconfirmed(_, bound, reason, _, _):
            return Line("fresh", bound, None, f"not confirmed: {reason}")
        case SawStanding(voting, why):
            said = "enough other sites know this store (D5)" if voting else why
            return Line("voter" if voting else "learner", None, None, said)
        case SawMembers(lists):
            return Line("members", lists[-1].first, None, members(lists[-1]))
        case SawRemoved(removed):
            return Line("removed", removed.slot, None, removal(removed))
        case SawPeer(peer, up):
            return Line("peer", None, None, f"{peer} is heard" if up else f"{peer} was silent for too long")
        case SawHanded(_, _, leader):
            return Line("hand-on", None, leader, _handed(value))
        case SawRejected(reason, peer):
            return Line("rejected", None, None, f"{reason} from {peer}")
        case SawNumbered() | SawProof() | SawBiography():
            return None
        case _:
            assert_never(value)


def members(told: Roster) -> str:
    """A list of members, in words."""
    learners = set(told.names) - set(told.sites)
    learning = f", {named(learners)} {'learns' if len(learners) == 1 else 'learn'}" if learners else ""
    votes = "votes" if len(told.sites) == 1 else "vote"
    return f"from slot {told.first} on {named(told.sites)} {votes}, {told.quorum} needed{learning}"


def removal(removed: Removed) -> str:
    """That this site was removed, in words."""
    then = "the others still need it for earlier slots" if removed.needed else "nobody needs it any more"
    return f"slot {removed.slot} removed this site: it does not vote from slot {removed.first} on; {then}"


def recovery(value: SawRecovery) -> Line:
    """The line of the recovery scanner."""
    match value:
        case SawRecovery(RecoveryPhase.SCANNING):
            return Line("recovery", None, None, "asks a majority how far the log goes")
        case SawRecovery(RecoveryPhase.COPYING, bound, prefix, source):
            return Line("recovery", bound, None, f"copies from {source}: has {prefix}, the log goes to {bound}")
        case SawRecovery(_, bound, prefix, _):
            return Line("recovery", bound or None, None, _recovered(prefix))


def is_shown(value: Observation) -> bool:
    """Whether an observation has a line: whether the trace shows it."""
    match value:
        case SawApplied():
            return bool(value.void)
        case SawAttempt():
            return value.phase is not AttemptPhase.ENDED
        case SawNumbered() | SawProof() | SawBiography():
            return False
        case _:
            return True


def about(value: Observation) -> Sequence[Span]:
    """The slots of which the line of an observation says something; not all that an election is for (L3)."""
    match value:
        case SawLearned(run):
            return ((run.first, run.last),)
        case SawApplied(_, void):
            return spans_of(void)
        case SawHoles(slots):
            return spans_of(slots)
        case SawOutcome(slot=int() as slot, count=count):
            return ((slot, Slot(slot + count - 1)),)
        case SawAttempt(slot, last=last):
            return ((slot, last or slot),)
        case _:
            line = observation(value)
            return () if line is None or line.slot is None else ((line.slot, line.slot),)


def _void(entry: Entry) -> str:
    return f"{in_words(entry)} follows number {entry.follows}"


def _learned_from(value: SawLearned) -> str:
    if value.how is How.VOTES:
        return f"{named(value.votes)} accepted it"
    if value.how is How.CHOSEN and value.ballot is not None:
        return f"{value.source} counted a majority"
    return f"{value.source} had learned it"


def _recovered(prefix: Slot) -> str:
    return f"done: everything up to {prefix} is learned" if prefix else "done: a majority knows of no used slot"


def _handed(value: SawHanded) -> str:
    more = f" and {value.count - 1} more" if value.count > 1 else ""
    leader = value.leader.site
    to = f"{leader}, who leads" if value.via == leader else f"{value.via}, who hears {leader} lead"
    return f"{value.first}{more} handed to {to}"


def _outcome(value: SawOutcome) -> str:
    name = "an event" if value.id is None else str(value.id)
    if value.count > 1:
        name = f"{value.count} events" if value.id is None else f"{name} and {value.count - 1} more"
    if value.outcome is EventState.LOST:
        winner = "a no-op" if value.to_author is None else f"{value.to_author}'s {value.to_kind}"
        return f"{name} lost to {winner}"
    if value.outcome is EventState.CREATED:
        return f"{name}: learned here, and every slot before it"
    return f"{name}: {value.reason}" if value.reason else name


_RESULTS: Final = {
    FillResult.RECOVERED: "recovered: the entry that was accepted there is now chosen",
    FillResult.NOOP: "no-op: no entry was found there",
    FillResult.LEARNED: "learned: another site already had it",
    FillResult.CHOSEN: "chosen: it was already learned",
    FillResult.NO_QUORUM: "no-quorum: no majority answered; it will be tried again",
    FillResult.HINDERED: "fault-rule: a fault rule of this site is in the way; it will be tried again",
}
