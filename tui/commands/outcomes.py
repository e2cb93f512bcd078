"""What became of an event, in one line.

Rules that hold here:
- Nothing is called failed: an outcome is named as docs/commands.md names it, with the slot and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.contract.answers import Outcome, OutcomeWord
from engine.contract.shape import Shape
from tui import entries
from tui.exits import ExitStatus
from tui.output import Output
from tui.parts import Part, Role

REFUSED: Final = "refused"
"""What is printed as the outcome of what became no event."""

_STYLES: Final[Mapping[str, Role]] = {
    OutcomeWord.CREATED: Role.GOOD,
    OutcomeWord.LOST: Role.BAD,
    OutcomeWord.NOT_CREATED: Role.BAD,
    REFUSED: Role.BAD,
}


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


def status_of_outcome(outcome: str) -> ExitStatus:
    """What it means for the exit status; what this version does not know is not known yet."""
    match outcome:
        case OutcomeWord.CREATED:
            return ExitStatus.DONE
        case OutcomeWord.LOST | OutcomeWord.NOT_CREATED:
            return ExitStatus.NOT_IN_LOG
        case _:
            return ExitStatus.BAD_INPUT if outcome == REFUSED else ExitStatus.NOT_KNOWN


def outcome_cell(told: Outcome) -> Part:
    return _cell(told.outcome)


def explained(told: Outcome) -> str:
    """What a person wants to know about an outcome, user text last."""
    slot = f"slot {told.slot}" if told.slot else ""
    match told.outcome:
        case OutcomeWord.CREATED:
            return f"at {slot}"
        case OutcomeWord.LOST:
            said = "" if told.to is None else entries.content(told.to)
            return f"{slot} went to {entries.whose(told.to)} {said}".strip()
        case _:
            return ": ".join(filter(None, (slot, told.reason)))


def _cell(outcome: str) -> Part:
    return Part(outcome, _STYLES.get(outcome, Role.WARN))
