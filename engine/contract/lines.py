"""Rows of the log as lines of the contract: what an engine answers, and what a store says that is read without one.

Rules that hold here:
- Pure. Text leaves as it is; whoever paints it makes it inert.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from engine.contract import answers
from engine.contract.answers import VOID, AcceptorLine, Attempt, LogLine, LogState, TimelineLine
from engine.core.entry import AT_MS_MAX, MEMBERSHIP, Entry, Kind, Tweet, decode, kind_of
from engine.core.ids import Ballot
from engine.core.storage import LogRow

_OF_A_SITE: Final = frozenset({Kind.BLOCK, Kind.UNBLOCK}) | MEMBERSHIP
"""Kinds whose argument names a site; what follows the name is their text."""

_NOTHING: Final = answers.Entry("", None, None, None, None)


def iso(wall_ms: int) -> str:
    """`2026-11-21T12:00:00.123Z`. An author's clock may say anything: beyond the calendar it is the calendar's end."""
    seconds, thousandths = divmod(min(max(wall_ms, 0), AT_MS_MAX), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{thousandths:03d}Z"


def ballot(number: Ballot | None) -> str | None:
    return None if number is None else str(number)


def at_of(entry: Entry | None) -> str | None:
    """The author's clock reading in an entry."""
    at_ms = None if entry is None else _parts(entry)[0]
    return None if at_ms is None else iso(at_ms)


def entry_shape(entry: Entry | None) -> answers.Entry | None:
    if entry is None:
        return None
    kind, argument = kind_of(entry), _parts(entry)[1]
    target, _, text = argument.partition(" ") if kind in _OF_A_SITE else ("", "", argument)
    return answers.Entry(kind, entry.author, None if entry.id is None else str(entry.id), text or None, target or None)


def _parts(entry: Entry) -> tuple[int | None, str]:
    """Clock reading and argument; not checked again, for it passed `entry.decode` at its author."""
    _, _, rest = entry.body.partition(" ")
    at, _, argument = rest.partition(" ")
    return int(at) if at.isascii() and at.isdigit() and len(at) <= 16 else None, argument


def timeline_line(row: LogRow) -> TimelineLine:
    entry = row.learned
    assert entry is not None, "the timeline has learned slots alone"
    said = decode(entry.body)
    assert entry.author is not None, "no no-op is a tweet"
    assert isinstance(said.operation, Tweet), "nor is a block"
    return TimelineLine(row.slot, entry.author, said.operation.text, iso(said.at_ms))


def slot_state(row: LogRow, used: bool) -> LogState | None:
    """None for a slot above all that are known to be used."""
    return _state(row) or (LogState.HOLE if used else None)


def _state(row: LogRow) -> LogState | None:
    if row.learned is not None:
        return LogState.CHOSEN
    if row.vote.accepted is not None:
        return LogState.ACCEPTED
    return None if row.vote.promised is None else LogState.PROMISED


def log_line(row: LogRow, chosen_at: Ballot | None, attempt: Attempt | None) -> LogLine:
    """`row` may be one that the store does not have: a hole has a line too. `chosen_at`: where it is remembered."""
    entry = row.learned if row.learned is not None else row.vote.entry
    said = entry_shape(entry) or _NOTHING
    return LogLine(
        slot=row.slot,
        state=_state(row) or LogState.HOLE,
        kind=VOID if row.void else said.kind or None,
        author=said.author,
        id=said.id,
        text=said.text,
        target=said.target,
        chosen_at=ballot(chosen_at),
        acc_num=ballot(row.vote.accepted),
        max_prepare=ballot(row.vote.promised),
        at=at_of(entry),
        attempt=attempt,
    )


def acceptor_line(row: LogRow, used: bool) -> AcceptorLine:
    vote = row.vote
    numbers = ballot(vote.promised), ballot(vote.accepted)
    return AcceptorLine(row.slot, *numbers, entry_shape(vote.entry), slot_state(row, used))
