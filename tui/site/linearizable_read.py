"""A linearizable read of the timeline: what became of it, in words (docs/protocol.md R5).

Rules that hold here:
- `confirmed` names the moment before which nothing is missing, `unconfirmed` the moment at which asking ended: both
  stay true whatever happens later.
- Only a majority's answers confirm: a quorum that is heard confirms nothing, and its loss unsays nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from engine.contract.answers import LinearizableRead
from engine.contract.status import Status
from tui.times import clock

STALE: Final = "may lack the newest"
"""Without a quorum, or without an engine, nobody can tell whether what is read here is all."""


@dataclass(frozen=True, slots=True)
class Confirming:
    """A majority is being asked."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The last question got no majority's answer in time, or the prefix did not come that far."""

    read: LinearizableRead
    at: str


@dataclass(frozen=True, slots=True)
class NoneOpen:
    """No question is open: what the status says of the last confirmation holds."""


ReadState = Confirming | Unconfirmed | NoneOpen


def title_words(state: ReadState, status: Status | None, stale: bool) -> tuple[str, str]:
    """For a title, and shorter: `confirmed 14:05:09`, `confirming ...`, `unconfirmed 14:05:09: 2 of 5 answered`;
    nothing where nobody asked and it is not `stale`: a quorum is heard."""
    match state:
        case Confirming():
            return "confirming …", "confirming …"
        case Unconfirmed(read, when):  # what is in the way is too long for a title
            if read.answered is None:
                slot = f"slot {read.waits_for}"
                return f"unconfirmed {clock(when)}: {slot} was not settled", f"unconfirmed {clock(when)}: {slot}"
            counts = f"{read.answered} of {'?' if status is None else status.quorum.size}"
            return f"unconfirmed {clock(when)}: {counts} answered", f"unconfirmed {clock(when)}: {counts}"
        case NoneOpen():
            old = STALE if stale else ""
            at = None if status is None else status.fresh_at
            confirmed = "" if at is None else f"confirmed {clock(at)}"
            return ", ".join(part for part in (confirmed, old) if part), old or confirmed
        case _:
            assert_never(state)


def sentence(read: LinearizableRead) -> str:
    """What became of a question, for the outcome line."""
    if read.at is None:
        return f"not confirmed that nothing is missing: {read.reason}"
    return f"confirmed by {', '.join(read.voters)}: nothing chosen before {clock(read.at)} is missing"
