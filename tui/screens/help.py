"""What there is to read: all keys, from the one table of them; all outcomes that were told; a row that is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tui import keys
from tui.rows import BLANK, Part, Role, Row, row, wrapped
from tui.screens.dialogs import TextDialog
from tui.site.notices import Notice
from tui.times import clock

CAP_WIDTH = 11

RULES: Final = row("  Labels such as (B2) are rules; docs/protocol.md lists them.")
UNKNOWN: Final = row(
    "  -- means nothing (a no-op has no author) or unknown here: after a restart of the engine, or if another site"
    " reported the slot, the log does not have the ballot that chose it. Enter asks all sites."
)


def help_dialog() -> TextDialog:
    return TextDialog("All keys", _keys)


def outcomes_dialog(doing: Sequence[Row], history: Sequence[Notice]) -> TextDialog:
    """What is under way, then the newest outcome first."""
    return TextDialog("Outcomes", lambda width: _outcomes(doing, history, width))


def row_dialog(lines: Sequence[Row]) -> TextDialog:
    """A row that is cut where it stands."""
    return TextDialog(
        "The whole row", lambda width: [part for line in lines for part in wrapped(line, width, indent=2)]
    )


def _keys(width: int) -> Sequence[Row]:
    lines: list[Row] = []
    for name, group in (*keys.GROUPS, ("In Faults", keys.FAULTS)):
        lines.append(row((name, Role.STRONG)))
        lines += described(((key.cap, key.what) for key in group), width)
        lines.append(BLANK)
    lines.append(row(("While you type", Role.STRONG)))
    lines += described(keys.EDITING, width)
    lines.append(BLANK)
    lines.append(row(("Move", Role.STRONG)))
    lines += described((*keys.MOVE, ("ctrl+p", "every action by name, including those of the panes")), width)
    return [*lines, BLANK, *wrapped(RULES, width, indent=2), *wrapped(UNKNOWN, width, indent=2)]


def described(caps: Iterable[tuple[str, str]], width: int) -> list[Row]:
    """What keys are for, one after the other."""
    found: list[Row] = []
    for cap, what in caps:
        found += wrapped((Part(f"  {cap:<{CAP_WIDTH}}", Role.KEY), Part(what)), width, indent=CAP_WIDTH + 2)
    return found


def _outcomes(doing: Sequence[Row], history: Sequence[Notice], width: int) -> Sequence[Row]:
    if not doing and not history:
        return [row(("Nothing was reported yet.", Role.DIM))]
    under_way = [line for said in doing for line in wrapped((Part("now      ", Role.DIM), *said), width, indent=11)]
    return under_way + [
        line
        for notice in reversed(history)
        for line in wrapped((Part(f"{clock(notice.at)} ", Role.DIM), *notice.said), width, indent=11)
    ]
