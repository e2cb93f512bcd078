"""What became of an event, in one line.

Rules that hold here:
- Nothing is called failed: an outcome is named as docs/commands.md names it, with the slot and the reason.
"""

from __future__ import annotations

from typing import Final

from engine.contract.answers import Entry, Outcome
from engine.contract.shape import Shape
from tui.output import Cell, Output, Style

_STYLES: Final = {"created": Style.GOOD, "lost": Style.BAD, "not-created": Style.BAD, "refused": Style.BAD}


class RefusedLine(Shape):
    """A line of standard input that became no event."""

    outcome: str
    line: int
    reason: str


Told = Outcome | RefusedLine


def print_outcome(out: Output, told: Told) -> None:
    if out.as_json:
        out.json(told)
    elif isinstance(told, RefusedLine):
        out.line(_cell(told.outcome), f"line {told.line}: {told.reason}")
    else:
        out.line(outcome_cell(told), *filter(None, (told.id, explained(told))))


def outcome_cell(told: Outcome) -> Cell:
    return _cell(told.outcome)


def explained(told: Outcome) -> str:
    """What a person wants to know about an outcome, user text last."""
    slot = f"slot {told.slot}" if told.slot else ""
    match told.outcome:
        case "created":
            return f"at {slot}"
        case "lost":
            return f"{slot} went to {_winner(told.to)}".strip()
        case _:
            return ": ".join(filter(None, (slot, told.reason)))


def _cell(outcome: str) -> Cell:
    return Cell(outcome, _STYLES.get(outcome, Style.DOUBT))


def _winner(entry: Entry | None) -> str:
    if entry is None or entry.author is None:
        return "a no-op"
    return f"{entry.author}'s {entry.kind} {entry.text or entry.target or ''}".strip()
