"""What became of an event, in one line.

Rules that hold here:
- Nothing is called failed: an outcome is named as docs/commands.md names it, with the slot and the reason.
"""

from __future__ import annotations

from typing import Final

from tui.json_shapes import Json
from tui.output import Cell, Output, Style

_STYLES: Final = {"created": Style.GOOD, "lost": Style.BAD, "not-created": Style.BAD, "refused": Style.BAD}


def print_outcome(out: Output, told: Json) -> None:
    if out.as_json:
        out.json(told)
        return
    out.line(*filter(None, (outcome_cell(told), told.get("id"), explained(told))))


def outcome_cell(told: Json) -> Cell:
    said = str(told["outcome"])
    return Cell(said, _STYLES.get(said, Style.DOUBT))


def explained(told: Json) -> str:
    """What a person wants to know about an outcome, user text last."""
    slot = f"slot {told['slot']}" if told.get("slot") else ""
    match told["outcome"]:
        case "created":
            return f"at {slot}"
        case "lost":
            return f"{slot} went to {_winner(told['to'] or {})}".strip()
        case "refused":
            return f"line {told['line']}: {told['reason']}"
        case _:
            return ": ".join(filter(None, (slot, told["reason"])))


def _winner(entry: Json) -> str:
    if entry.get("author") is None:
        return "a no-op"
    return f"{entry['author']}'s {entry['kind']} {entry.get('text') or entry.get('target') or ''}".strip()
