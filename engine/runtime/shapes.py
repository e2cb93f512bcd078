"""Core values as the JSON shapes of docs/commands.md and docs/control.md.

Rules that hold here:
- All keys of a shape are always there, null where they do not apply.
- Pure: a clock reading or a replica's answer is handed in. Text leaves as it is; whoever paints it makes it inert.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

import orjson
from msgspec.structs import replace

from engine.contract.limits import ANSWER_BYTES_MAX
from engine.core.effects import SawFilled, SawFresh, SawOutcome, SawUnconfirmed
from engine.core.entry import Entry, kind_of
from engine.core.events.situation import Doubt
from engine.core.explained import describe
from engine.core.explained.biography import Biography, SiteAccount
from engine.core.ids import Ballot, EventId, SiteId, Slot
from engine.core.storage import EventRow, EventState, LogRow, Vote
from engine.core.views import AttemptView
from engine.runtime.clock import Clock, iso
from engine.runtime.faults import Held, RuleState

Shape = dict[str, object]

_QUEUED: Final = "it is queued here: nothing that carries it has left this site"
_PROPOSED: Final = "it was proposed, and its slot is not settled yet"
_UNSETTLED: Final = "it may have been accepted somewhere: it is settled when its slot is"


def newest_that_fit(lines: Iterable[Shape]) -> list[orjson.Fragment]:
    """The last of these ascending lines whose text fits one answer, still ascending."""
    kept: list[orjson.Fragment] = []
    left = ANSWER_BYTES_MAX
    for line in reversed(list(lines)):
        text = orjson.dumps(line)
        left -= len(text) + 1
        if left < 0:
            break
        kept.append(orjson.Fragment(text))
    kept.reverse()
    return kept


def ballot(number: Ballot | None) -> str | None:
    return None if number is None else str(number)


def at_of(entry: Entry | None) -> str | None:
    """The author's clock reading in an entry."""
    at_ms = _parts(entry)[1]
    return None if at_ms is None else iso(at_ms)


def entry_shape(entry: Entry | None) -> Shape | None:
    if entry is None:
        return None
    kind, _, argument = _parts(entry)
    return {
        "kind": kind,
        "author": entry.author,
        "id": None if entry.id is None else str(entry.id),
        "text": argument if kind == "tweet" else None,
        "target": argument if kind in ("block", "unblock") else None,
    }


def _parts(entry: Entry | None) -> tuple[str | None, int | None, str | None]:
    """Kind, clock reading and argument; not checked again, for it passed `entry.decode` at its author."""
    if entry is None:
        return None, None, None
    _, _, rest = entry.body.partition(" ")
    at, _, argument = rest.partition(" ")
    at_ms = int(at) if at.isascii() and at.isdigit() and len(at) <= 16 else None
    return kind_of(entry), at_ms, argument


def timeline_line(row: LogRow) -> Shape:
    entry = row.learned
    assert entry is not None, "the timeline has learned slots alone"
    return {"slot": row.slot, "author": entry.author, "text": _parts(entry)[2], "at": at_of(entry)}


def slot_state(learned: Entry | None, vote: Vote, used: bool) -> str | None:
    """`chosen`, `accepted`, `promised`, `hole`; None for a slot above all that are known to be used."""
    if learned is not None:
        return "chosen"
    if vote.accepted is not None:
        return "accepted"
    if vote.promised is not None:
        return "promised"
    return "hole" if used else None


def log_line(row: LogRow, attempt: AttemptView | None, clock: Clock) -> Shape:
    """`row` may be one that the store does not have: a hole has a line too."""
    entry = row.learned if row.learned is not None else row.vote.entry
    kind, _, argument = _parts(entry)
    return {
        "slot": row.slot,
        "state": slot_state(row.learned, row.vote, used=True),
        "kind": "void" if row.void else kind,
        "author": None if entry is None else entry.author,
        "id": None if entry is None or entry.id is None else str(entry.id),
        "text": argument if kind == "tweet" else None,
        "target": argument if kind in ("block", "unblock") else None,
        "accNum": ballot(row.vote.accepted),
        "maxPrepare": ballot(row.vote.promised),
        "at": at_of(entry),
        "attempt": attempt_shape(attempt, clock),
    }


def acceptor_line(row: LogRow, used: bool) -> Shape:
    return {
        "slot": row.slot,
        "maxPrepare": ballot(row.vote.promised),
        "accNum": ballot(row.vote.accepted),
        "accVal": entry_shape(row.vote.entry),
        "state": slot_state(row.learned, row.vote, used),
    }


def attempt_shape(attempt: AttemptView | None, clock: Clock) -> Shape | None:
    if attempt is None:
        return None
    return {
        "slot": attempt.slot,
        "phase": attempt.phase,
        "ballot": ballot(attempt.ballot),
        "votes": attempt.votes,
        "asked": attempt.asked,
        "needed": attempt.needed,
        "entry": entry_shape(attempt.entry),
        "why": attempt.why,
        "since": iso(clock.wall_ms_of(attempt.since)),
    }


def biography_shape(told: Biography, void: bool, clock: Clock) -> Shape:
    """`void`: the entry in the slot did not take effect here. Times are this site's clock."""
    quorum = told.quorum
    return {
        "slot": told.slot,
        "state": str(told.stage),
        "may_be_chosen": told.may_be_chosen,
        "sentence": told.sentence,
        "entry": entry_shape(told.entry),
        "void": void,
        "quorum": None
        if quorum is None
        else {"ballot": str(quorum.ballot), "sites": quorum.sites, "counted_by": quorum.counted_by},
        "sites": [_site_shape(site, clock) for site in told.sites],
        "ballots": [
            {
                "ballot": str(each.ballot),
                "promised": each.promised,
                "accepted": each.accepted,
                "chosen": each.chosen,
                "entry": entry_shape(each.entry),
            }
            for each in told.ballots
        ],
    }


def _site_shape(site: SiteAccount, clock: Clock) -> Shape:
    return {
        "site": site.site,
        "answered": site.answered,
        "voting": site.voting,
        "maxPrepare": ballot(site.promised),
        "accNum": ballot(site.accepted),
        "accVal": entry_shape(site.entry),
        "learned": site.learned,
        "learned_at": None if site.learned_at is None else iso(clock.wall_ms_of(site.learned_at)),
        "learned_how": site.learned_how,
        "learned_from": site.learned_from,
    }


def block_line(blocker: SiteId, blocked: SiteId, slot: Slot) -> Shape:
    return {"blocker": blocker, "blocked": blocked, "slot": slot}


def outcome_of(saw: SawOutcome, winner: Entry | None) -> Shape:
    """An outcome as it is told. `winner`: what the store has in the slot that was lost, None where it is not there."""
    to = _winner(saw.to_author, saw.to_kind, winner)
    shape = _outcome(saw.outcome, saw.id, saw.slot, saw.reason, to)
    return shape | {"waits_for": saw.waits_for, "took_ms": saw.took_ms}


def outcome_of_row(site: SiteId, row: EventRow, winner: Entry | None, standing: Doubt | None) -> Shape:
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
    to = _winner(row.to_author, row.to_kind, winner)
    shape = _outcome(row.state, EventId(site, row.number), row.slot, reason, to)
    return shape | {"waits_for": None if standing is None else standing.waits_for, "took_ms": None}


def _outcome(state: EventState, event: EventId | None, slot: Slot | None, reason: str | None, to: Shape) -> Shape:
    open_states = (EventState.QUEUED, EventState.PROPOSED, EventState.UNKNOWN)
    return {
        "outcome": "unknown" if state in open_states else str(state),
        "id": None if event is None else str(event),
        "slot": slot,
        "to": to if state is EventState.LOST else None,
        "reason": reason,
    }


def _winner(author: SiteId | None, kind: str | None, winner: Entry | None) -> Shape:
    full = entry_shape(winner)
    if full is not None and winner is not None and winner.author == author:
        return full
    return {"kind": kind or "noop", "author": author, "id": None, "text": None, "target": None}


def read_shape(read: SawFresh | SawUnconfirmed, clock: Clock) -> Shape:
    """What became of a certain read: `at` is when its majority was asked (R5)."""
    match read:
        case SawFresh(_, bound, asked, _, voters):
            at = iso(clock.wall_ms_of(asked))
            return {"confirmed": True, "bound": bound, "at": at, "voters": voters, "reason": None}
        case SawUnconfirmed(_, bound, reason):
            return {"confirmed": False, "bound": bound, "at": None, "voters": [], "reason": reason}
        case _:
            assert_never(read)


def fill_line(filled: SawFilled) -> Shape:
    return {"slot": filled.slot, "result": filled.result, "kind": filled.kind}


def faults_shape(rules: Iterable[RuleState], held: Iterable[Held], seed: int, clock: Clock) -> Shape:
    return {
        "rules": [rule_shape(rule, clock) for rule in rules],
        "held": newest_that_fit(_held_shape(each) for each in held),
        "seed": seed,
    }


def rule_shape(state: RuleState, clock: Clock) -> Shape:
    return {
        "number": state.rule.number,
        "text": state.rule.text,
        "on": state.on,
        "hits": state.hits,
        "expires_at": None if state.expires is None else iso(clock.wall_ms_of(state.expires)),
    }


def _held_shape(held: Held) -> Shape:
    line = describe.message(held.flight.message)
    return {
        "number": held.number,
        "at": iso(held.at_ms),
        "dir": str(held.flight.direction),
        "peer": held.flight.peer,
        "type": line.type,
        "slot": line.slot,
    }
