"""The state of a slot: a word, and the glyph and role that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.contract.answers import VOID, LogLine, LogState, NoOps
from engine.core.entry import Kind
from tui.counted import plural
from tui.parts import Role

NO_OP: Final = "no-op"

_WITHOUT_EFFECT: Final[Mapping[str, str]] = {Kind.NOOP: NO_OP, VOID: VOID, Kind.WITHDRAWAL: VOID}
"""What is said of a chosen slot by the kind of its entry, where that does nothing."""

_MARKS: Final[Mapping[str, tuple[str, Role]]] = {
    LogState.CHOSEN: ("■", Role.GOOD),
    NO_OP: ("∅", Role.DIM),
    VOID: ("⊘", Role.DIM),
    LogState.ACCEPTED: ("◧", Role.WARN),
    LogState.PROMISED: ("◇", Role.NOTE),
    LogState.HOLE: ("?", Role.BAD),
}


def word(line: LogLine) -> str:
    """`chosen`, `no-op`, `void`, `accepted`, `promised` or `hole`."""
    if line.state != LogState.CHOSEN:
        return line.state
    return _WITHOUT_EFFECT.get(line.kind or "", line.state)


def mark(state: str) -> tuple[str, Role]:
    """The glyph and the role of a state, or of such a word."""
    return _MARKS.get(state, ("·", Role.PLAIN))


def no_ops_words(no_ops: NoOps) -> str:
    """How many there are in a row, and why."""
    why = "fill gaps" if no_ops.change is None else f"until the change of slot {no_ops.change:,} is in effect"
    return f"{plural(no_ops.last - no_ops.first + 1, NO_OP)} {why}"
