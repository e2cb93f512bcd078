"""What is asked when the screen is left."""

from __future__ import annotations

from enum import Enum

from engine.contract.answers import Status
from tui.counted import plural
from tui.hops import Hop, Leaving
from tui.rows import Role, Row, row
from tui.screens.dialogs import Choice, ChoiceDialog
from tui.site.wording import quorum_after


class Decision(Enum):
    STOP = "stop"
    DETACH = "detach"


def leave_dialog(hop: Hop, status: Status | None, leaving: Leaving, pending: int) -> ChoiceDialog[Decision]:
    """For ASK and STOPS_ALL; who only attached is not asked. `pending`: events without an outcome yet."""
    waits: list[Row] = []
    if pending:
        untold = f"{plural(pending, 'event')} of {hop.site} without an outcome yet, and nobody here is told it then."
        waits.append(row((untold, Role.WARN), f" `{hop.command('events')}` lists it."))
    if leaving is Leaving.STOPS_ALL:
        all_stop = row("leave the demo: ", ("all its sites stop; started again, they go on where they were", Role.DIM))
        return ChoiceDialog("Leave", waits, (Choice("y", "leave", all_stop, Decision.DETACH),))
    site = hop.site
    stop: Row = row(f"stop the engine of {site}")
    if status is not None:
        quorum = status.quorum
        after = quorum_after(quorum.reachable, quorum.needed, quorum.size, status.voting)
        role = Role.DIM if quorum.reachable - status.voting >= quorum.needed else Role.WARN
        stop = row(f"stop the engine of {site}: ", (after, role))
    run = row("leave it running: ", (f"it goes on as it is; `{hop.command('open')}` attaches again", Role.DIM))
    started = row(f"This call started the engine of {site}. What becomes of it?")
    choices = (
        Choice("l", "leave it running", run, Decision.DETACH),
        Choice("s", f"stop {site}", stop, Decision.STOP),
    )
    return ChoiceDialog("Leave", (*waits, started), choices)
