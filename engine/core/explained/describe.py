"""One line of text for a message or an observation: the trace pane, the logs and the golden scenarios share it.

Rules that hold here:
- Each line says what it is about (slot, ballot) and why, in words that name sites, entries and ballots (A5).
- Text of users is returned as it is; whoever paints it makes it inert.
"""

from __future__ import annotations

from typing import Final, assert_never

from engine.core.effects import (
    Observation,
    SawApplied,
    SawAttempt,
    SawBiography,
    SawFilled,
    SawFresh,
    SawHanded,
    SawHoles,
    SawLearned,
    SawOutcome,
    SawPeer,
    SawProof,
    SawRecovery,
    SawRejected,
    SawStanding,
    SawUnconfirmed,
)
from engine.core.entry import Block, Entry, Tweet, Unblock, Withdrawal, decode
from engine.core.ids import Ballot, Slot, named
from engine.core.messages import (
    Accept,
    Accepted,
    Ask,
    AskHighest,
    AskSlot,
    Cause,
    Chosen,
    ChosenSlot,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    Message,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
    SlotState,
    Verdict,
    Welcome,
)
from engine.core.storage import EventState
from engine.core.value import Value


class Line(Value):
    """`type` is the word that filters and fault rules match; `slot` is the first that the line is about."""

    type: str
    slot: Slot | None
    ballot: Ballot | None
    note: str


def entry(value: Entry) -> str:
    """An entry in words: who did what. The text of a tweet stands last."""
    if value.author is None:
        return "no-op"
    who = f"{value.author}/{value.number}"
    match decode(value.body).operation:
        case Tweet(text):
            return f"{who} tweet {text}"
        case Block(target):
            return f"{who} block {target}"
        case Unblock(target):
            return f"{who} unblock {target}"
        case Withdrawal():
            return f"{who} withdrawal"


def type_of(message: Message) -> str:
    """The message's word: `prepare`, `promise`, `ask-highest`, ..."""
    return _WORDS[type(message)]


def message(value: Message) -> Line:
    word = type_of(value)
    match value:
        case Prepare(ballot, first, last):
            return Line(
                word, first, ballot, "asks for a promise" + ("" if last == first else f" of {_span(first, last)}")
            )
        case Promise():
            return Line(word, value.first, value.ballot, _promise(value))
        case Accept(ballot, entries):
            asks = "asks to accept" if ballot.round else "asks to accept without a prepare (L2)"
            return Line(word, entries[0].slot, ballot, f"{asks}: {_many([entry(item.entry) for item in entries])}")
        case Accepted(ballot, slots):
            many = "" if len(slots) == 1 else f"{len(slots)} slots, "
            return Line(word, slots[0], ballot, f"{many}nothing higher was promised")
        case Refused(ballot, phase, spans):
            whys = _many([_refusal(span) for span in spans])
            return Line(word, spans[0].first, ballot, f"refused {phase} {ballot}: {whys}")
        case Chosen(chosen):
            return Line(word, chosen[0].slot, chosen[0].ballot, _many([_chosen(item) for item in chosen]))
        case Ask(_, asked):
            return Line(
                word, asked[0][0], None, "are they chosen? " + _first_of([_span(a, b) for a, b in asked], len(asked))
            )
        case Known(_, first_slot, last_slot, learned):
            if not learned:
                return Line(word, first_slot, None, f"{_span(first_slot, last_slot)}: not learned here")
            return Line(word, first_slot, None, f"learned here: {_many([entry(item.entry) for item in learned])}")
        case AskHighest():
            return Line(word, None, None, "how far does the log go?")
        case Highest(_, used_max, prefix):
            return Line(word, used_max or None, None, f"used up to {used_max}, learned without a gap up to {prefix}")
        case Hello(_, proof):
            return Line(word, None, None, "do you remember this store?" if proof is None else "the proof you asked for")
        case Welcome(_, verdict, _, reason):
            return Line(word, None, None, _VERDICTS[verdict] + (f": {reason}" if reason else ""))
        case Heartbeat(leadership, voting, prefix, used_max):
            state = "voter" if voting else "no voter"
            leads = "" if value.leads is None else f", leads with {value.leads}"
            if value.hears is not None:
                leads += f", hears {value.hears.site} lead with {value.hears}"
            return Line(
                word, None, value.leads, f"{leadership}, {state}, learned to {prefix}, used to {used_max}{leads}"
            )
        case HandOn(entries, relayed):
            asks = "passes on, for the leader to propose" if relayed else "asks the leader to propose"
            return Line(word, None, None, f"{asks}: {_many([entry(item) for item in entries])}")
        case AskSlot(_, slot):
            return Line(word, slot, None, "what happened there, as far as you know?")
        case SlotState(_, slot, _, promised, accepted):
            return Line(word, slot, accepted or promised, _state(value))
        case _:
            assert_never(value)


def observation(value: Observation) -> Line | None:
    """The line of what this site concluded; None for what the trace does not show."""
    match value:
        case SawLearned(slot, what, _, ballot, _):
            return Line("chosen", slot, ballot, f"{_learned_from(value)}: {entry(what)}")
        case SawApplied(slot, what, void=True):
            return Line("void", slot, None, f"{entry(what)} follows number {what.follows}, which is not the last (E5)")
        case SawApplied():
            return None
        case SawOutcome():
            return Line(value.outcome, value.slot, None, _outcome(value))
        case SawAttempt(_, phase) if phase == "ended":
            return None
        case SawAttempt(slot, phase, ballot, why, _):
            return Line(phase, slot, ballot, why)
        case SawHoles(slots, count):
            which = _first_of([str(slot) for slot in slots], count)
            return Line("hole", slots[0], None, f"used, not learned here: asks the others about {which}")
        case SawFilled(slot, result, kind):
            of = "" if kind is None or result == "no-op" else f" ({kind})"
            return Line("filled", slot, None, f"{_RESULTS.get(result, result)}{of}")
        case SawRecovery():
            return recovery(value)
        case SawFresh(_, bound, _, took_ms, voters):
            note = f"everything chosen until {took_ms} ms ago is here: slot {bound} by {', '.join(voters)}"
            return Line("fresh", bound or None, None, note)
        case SawUnconfirmed(_, bound, reason):
            return Line("fresh", bound, None, f"not confirmed: {reason}")
        case SawStanding(voting, why):
            said = "enough other sites know this store (D5)" if voting else why
            return Line("voter" if voting else "learner", None, None, said)
        case SawPeer(peer, up):
            return Line("peer", None, None, f"{peer} is heard" if up else f"{peer} was silent for too long")
        case SawHanded(_, _, leader):
            return Line("hand-on", None, leader, _handed(value))
        case SawRejected(reason, peer):
            return Line("rejected", None, None, f"{reason} from {peer}")
        case SawProof() | SawBiography():
            return None
        case _:
            assert_never(value)


def recovery(value: SawRecovery) -> Line:
    """The line of the recovery scanner."""
    match value:
        case SawRecovery("scanning"):
            return Line("recovery", None, None, "asks a majority how far the log goes")
        case SawRecovery("copying", bound, prefix, source):
            return Line("recovery", bound, None, f"copies from {source}: has {prefix}, the log goes to {bound}")
        case SawRecovery(_, bound, prefix, _):
            return Line("recovery", bound or None, None, _recovered(prefix))


def _promise(value: Promise) -> str:
    learned = [f"already chosen: {entry(item.entry)}" for item in value.learned]
    if learned and value.first == value.last:
        return learned[0]
    promised = "promised" if value.first == value.last else f"promised {_span(value.first, value.last)}"
    if value.left_out:
        refused = [f"{_span(span.first, span.last)}, where it {_refusal(span)}" for span in value.left_out]
        promised += f" except {_many(refused)}"
    accepted = [f"accepted at {item.ballot} before: {entry(item.entry)}" for item in value.accepted]
    found = [_many(items) for items in (learned, accepted) if items]
    return ", ".join([promised, *(found or ["nothing accepted before"])])


def _state(value: SlotState) -> str:
    of = "" if value.entry is None else f": {entry(value.entry)}"
    if value.learned:
        return f"learned{of}"
    if value.accepted is not None:
        return f"accepted{of}"
    return "promised, nothing accepted" if value.promised is not None else "nothing promised, nothing accepted"


def _chosen(item: ChosenSlot) -> str:
    if item.entry is None:
        return f"the entry of ballot {item.ballot} is chosen: who accepted it has it already (R0)"
    return f"{'learned here' if item.ballot is None else 'a majority accepted it'}: {entry(item.entry)}"


def _learned_from(value: SawLearned) -> str:
    if value.how == "votes":
        return f"{named(value.votes)} accepted it"
    if value.how == "chosen" and value.ballot is not None:
        return f"{value.source} counted a majority"
    return f"{value.source} had learned it"


def _recovered(prefix: Slot) -> str:
    return f"done: everything up to {prefix} is learned" if prefix else "done: a majority knows of no used slot"


def _handed(value: SawHanded) -> str:
    more = f" and {value.count - 1} more" if value.count > 1 else ""
    leader = value.leader.site
    to = f"{leader}, who leads" if value.via == leader else f"{value.via}, who hears {leader} lead"
    return f"{value.first}{more} handed to {to}"


def _refusal(span: RefusedSpan) -> str:
    match span.cause:
        case Cause.SLOT:
            return f"promised {span.ballot}"
        case Cause.RANGE:
            return f"promised {span.ballot} for {_span(span.first, span.last)}"
        case Cause.NOT_VOTING:
            return "does not vote (D5)"
        case Cause.FAR:
            return "too far ahead of what is known here (R6)"
        case _:
            assert_never(span.cause)


def _outcome(value: SawOutcome) -> str:
    name = "an event" if value.id is None else str(value.id)
    if value.outcome is EventState.LOST:
        winner = "a no-op" if value.to_author is None else f"{value.to_author}'s {value.to_kind}"
        return f"{name} lost to {winner}"
    if value.outcome is EventState.CREATED:
        return f"{name}: learned here, and every slot before it"
    return f"{name}: {value.reason}" if value.reason else name


def _span(first: Slot, last: Slot | None) -> str:
    if last is None:
        return f"{first} and all after"
    return str(first) if first == last else f"{first}-{last}"


def _first_of(items: list[str], count: int) -> str:
    """The first few of `count` items."""
    few = items[:8]
    return ", ".join(few) + (f" and {count - len(few)} more" if count > len(few) else "")


def _many(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{items[0]} (and {len(items) - 1} more)"


_WORDS: Final[dict[type[Message], str]] = {
    Prepare: "prepare",
    Promise: "promise",
    Accept: "accept",
    Accepted: "accepted",
    Refused: "refused",
    Chosen: "chosen",
    Ask: "ask",
    Known: "known",
    AskHighest: "ask-highest",
    Highest: "highest",
    Hello: "hello",
    Welcome: "welcome",
    Heartbeat: "heartbeat",
    HandOn: "hand-on",
    AskSlot: "ask-slot",
    SlotState: "slot-state",
}

MESSAGE_TYPES: Final = tuple(_WORDS.values())
"""The words of all messages, as `type_of` gives them."""

_RESULTS = {
    "recovered": "recovered: what was accepted there is chosen now",
    "no-op": "no-op: no entry was found there",
    "learned": "learned: another site knew it",
    "no-quorum": "no-quorum: no majority answered; tried again at the next look",
    "fault-rule": "fault-rule: a fault rule of this site is in the way; tried again at the next look",
}

_VERDICTS = {
    Verdict.UNPROVEN: "who are you? repeat this challenge",
    Verdict.RECORDED: "recorded",
    Verdict.LOST_DISK: "lost disk",
}
