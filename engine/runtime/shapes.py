"""What the engine tells of the core's values: they become values of the contract.

Rules that hold here:
- Pure: a clock reading or a replica's answer is handed in. Text leaves as it is; whoever paints it makes it inert.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from msgspec.structs import replace

from engine.contract import answers
from engine.contract.answers import (
    VOID,
    Attempt,
    BallotAccount,
    FillLine,
    LinearizableRead,
    LogState,
    Outcome,
    OutcomeSpan,
    OutcomeWord,
)
from engine.contract.lines import ballot, entry_shape, iso
from engine.contract.words import entry_words
from engine.core.effects import SawFilled, SawOutcome, SawReadConfirmed, SawReadUnconfirmed
from engine.core.entry import Entry, Kind
from engine.core.events.situation import Doubt
from engine.core.explained import describe
from engine.core.explained.biography import Biography, Quorum, SiteAccount
from engine.core.ids import EventId, SiteId, Tick
from engine.core.storage import EventRow, EventState, SlotText
from engine.core.views import AttemptView
from engine.runtime.clock import Clock
from engine.runtime.faults import Held, RuleState
from engine.runtime.jsonrpc import newest_that_fit

_QUEUED: Final = "it is queued here: no message with it has left this site"
_PROPOSED: Final = "it was proposed, but its slot is not settled yet"
_UNSETTLED: Final = "it may have been accepted somewhere: it is settled when its slot is"


def at(tick: Tick | None, clock: Clock) -> str | None:
    return None if tick is None else iso(clock.wall_ms_of(tick))


def line_of(said: SlotText) -> tuple[str, ...]:
    """A line of the log as it is searched: the author, the kind, the state and the words, each for itself."""
    if said.body is None:
        return (LogState.PROMISED,)
    shown, argument = kind_and_argument(said)
    state = LogState.CHOSEN if said.learned else LogState.ACCEPTED
    return said.author or "", shown, state, entry_words(shown, said.author, argument)


def tweet_of(said: SlotText) -> tuple[str, ...]:
    """A tweet as it is searched: the author and the text."""
    return said.author or "", kind_and_argument(said)[1]


def kind_and_argument(said: SlotText) -> tuple[str, str]:
    """The kind that the log shows, and the text or the site that is meant."""
    kind, _, rest = (said.body or "").partition(" ")
    return VOID if said.void else kind or Kind.NOOP, rest.partition(" ")[2]


def at_ms_of(said: SlotText) -> int | None:
    """The author's clock; None where nobody wrote anything."""
    at_ms = (said.body or "").partition(" ")[2].partition(" ")[0]
    return int(at_ms) if at_ms.isdecimal() else None


def attempt_shape(attempt: AttemptView | None, clock: Clock) -> Attempt | None:
    if attempt is None:
        return None
    return Attempt(
        slot=attempt.slot,
        phase=attempt.phase,
        ballot=ballot(attempt.ballot),
        votes=attempt.votes,
        asked=attempt.asked,
        needed=attempt.needed,
        entry=entry_shape(attempt.entry),
        why=attempt.why,
        since=iso(clock.wall_ms_of(attempt.since)),
    )


def biography_shape(told: Biography, void: bool, clock: Clock) -> answers.Biography:
    """`void`: the entry in the slot did not take effect here. Times are this site's clock."""
    return answers.Biography(
        slot=told.slot,
        state=told.progress,
        may_be_chosen=told.may_be_chosen,
        sentence=told.sentence,
        entry=entry_shape(told.entry),
        void=void,
        quorum=None if told.quorum is None else _quorum(told.quorum),
        sites=tuple(_site(site, clock) for site in told.sites),
        ballots=tuple(
            BallotAccount(str(each.ballot), each.promised, each.accepted, each.chosen, entry_shape(each.entry))
            for each in told.ballots
        ),
    )


def _quorum(quorum: Quorum) -> answers.SlotQuorum:
    return answers.SlotQuorum(str(quorum.ballot), quorum.sites, quorum.counted_by)


def _site(site: SiteAccount, clock: Clock) -> answers.SiteAccount:
    return answers.SiteAccount(
        site=site.site,
        answered=site.answered,
        voting=site.voting,
        max_prepare=ballot(site.promised),
        acc_num=ballot(site.accepted),
        acc_val=entry_shape(site.entry),
        learned=site.learned,
        learned_at=at(site.learned_at, clock),
        learned_how=site.learned_how,
        learned_from=site.learned_from,
    )


def outcome_of(saw: SawOutcome, winner: Entry | None) -> OutcomeSpan:
    """An outcome as it is told. `winner`: what the store has in the slot that was lost, None where it is not there."""
    id_, slot, further = saw.id, saw.slot, saw.count - 1
    return OutcomeSpan(
        outcome=_outcome(saw.outcome),
        count=saw.count,
        first=None if id_ is None else str(id_),
        last=None if id_ is None else str(EventId(id_.author, id_.number + further)),
        slot=slot,
        last_slot=None if slot is None else slot + further,
        to=_winner(saw.to_author, saw.to_kind, winner) if saw.outcome is EventState.LOST else None,
        reason=saw.reason,
        waits_for=saw.waits_for,
        took_ms=saw.took_ms,
    )


def outcome_of_row(site: SiteId, row: EventRow, winner: Entry | None, standing: Doubt | None) -> Outcome:
    """An event as the store has it; without an outcome it is unknown, and the reason says where it stands. `standing`:
    where the log has it, though it is not in effect yet."""
    if standing is not None:
        row = replace(row, slot=standing.slot, reason=standing.said)
    reason = row.reason
    if reason is None:
        match row.state:
            case EventState.QUEUED:
                reason = _QUEUED
            case EventState.PROPOSED:
                reason = _PROPOSED
            case EventState.UNKNOWN:
                reason = _UNSETTLED
            case EventState.CREATED | EventState.LOST | EventState.NOT_CREATED:
                pass
    return Outcome(
        outcome=_outcome(row.state),
        id=str(EventId(site, row.number)),
        slot=row.slot,
        to=_winner(row.to_author, row.to_kind, winner) if row.state is EventState.LOST else None,
        reason=reason,
        waits_for=None if standing is None else standing.waits_for,
        took_ms=None,
    )


def _outcome(state: EventState) -> OutcomeWord:
    is_open = state in (EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN)
    return OutcomeWord.UNKNOWN if is_open else OutcomeWord(state.value)


def _winner(author: SiteId | None, kind: Kind | None, winner: Entry | None) -> answers.Entry:
    full = entry_shape(winner)
    if full is not None and full.author == author:
        return full
    return answers.Entry(kind or Kind.NOOP, author, None, None, None)


def read_shape(read: SawReadConfirmed | SawReadUnconfirmed, clock: Clock) -> LinearizableRead:
    """What became of a linearizable read: `at` is when its majority was asked (R5)."""
    match read:
        case SawReadConfirmed(_, bound, asked, _, voters):
            return LinearizableRead(True, bound, iso(clock.wall_ms_of(asked)), voters, None, None, None)
        case SawReadUnconfirmed(_, bound, reason, answered, missing):
            return LinearizableRead(False, bound, None, (), reason, answered, missing)
        case _:
            assert_never(read)


def fill_line(filled: SawFilled) -> FillLine:
    return FillLine(filled.slot, filled.result, filled.kind)


def faults_shape(rules: Iterable[RuleState], held: Iterable[Held], seed: int, clock: Clock) -> answers.Faults:
    shown = newest_that_fit(_held_shape(each) for each in held)
    return answers.Faults(tuple(rule_shape(rule, clock) for rule in rules), shown, seed)


def rule_shape(state: RuleState, clock: Clock) -> answers.Rule:
    until, bound = at(state.expires, clock), state.owner is not None
    return answers.Rule(state.rule.number, state.rule.text, state.on, state.hits, until, bound)


def _held_shape(held: Held) -> answers.Held:
    transit = held.transit
    line = describe.message(transit.message)
    about = line.type, line.slot, ballot(line.ballot), tuple(transit.message.about())
    return answers.Held(held.number, iso(held.at_ms), transit.direction, transit.peer, *about)
