"""What is asked when the screen is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from engine.contract.status import Status
from engine.core.ids import SiteId
from tui.counted import plural
from tui.hops import Hop, Leaving
from tui.rows import Role, Row, row
from tui.screens.dialogs import Choice, ChoiceDialog
from tui.site.unsent import Unsent
from tui.site.wording import operation_words, quorum_after


class Decision(Enum):
    STOP = "stop"
    DETACH = "detach"


def leave_dialog(
    hop: Hop, status: Status | None, leaving: Leaving, unsent: Mapping[SiteId, Sequence[Unsent]]
) -> ChoiceDialog[Decision]:
    """For ASK and STOPS_ALL; who only attached is not asked. `unsent`: what is kept, by site."""
    waits = [line for site, events in unsent.items() for line in _kept(site, events)]
    if leaving is Leaving.STOPS_ALL:
        all_stop = row("leave the demo: ", ("all its sites stop; the next start continues from there", Role.DIM))
        return ChoiceDialog("Leave", waits, (Choice("y", "leave", all_stop, Decision.DETACH),))
    site = hop.site
    stop: Row = row(f"stop the engine of {site}")
    if status is not None:
        quorum = status.quorum
        after = quorum_after(quorum.reachable, quorum.needed, quorum.size, status.voting)
        role = Role.DIM if quorum.reachable - status.voting >= quorum.needed else Role.WARN
        stop = row(f"stop the engine of {site}: ", (after, role))
    run = row("leave it running: ", (f"it keeps running; `{hop.command('open')}` attaches again", Role.DIM))
    started = row(f"This screen started the engine of {site}. Stop it, or leave it running?")
    choices = (
        Choice("l", "leave it running", run, Decision.DETACH),
        Choice("s", f"stop {site}", stop, Decision.STOP),
    )
    return ChoiceDialog("Leave", (*waits, started), choices)


def _kept(site: SiteId, events: Sequence[Unsent]) -> Iterator[Row]:
    """What is known of them, and what becomes of their texts, which end the sentences."""
    untold = [event for event in events if not event.in_no_log]
    if untold:
        first = f"{plural(len(untold), 'event')} of {site} without an outcome yet."
        again = f" Kept: the next time that {site}'s screen is shown, it tells what became of "
        yield row((first, Role.WARN), again, *_quoted(site, untold))
    unposted = [event for event in events if event.in_no_log]
    if unposted:
        first = f"{plural(len(unposted), 'tweet')} of {site} not in the log."
        again = f" Kept: the next time that {site}'s screen is shown, it offers "
        yield row((first, Role.WARN), again, *_quoted(site, unposted))


def _quoted(site: SiteId, events: Sequence[Unsent]) -> Row:
    """The newest, which has most likely just been typed."""
    more = f"{plural(len(events) - 1, 'other')} and " if len(events) > 1 else ""
    return row(more, (operation_words(events[-1].operation, site), Role.DIM))
