"""`health`: whether a site takes events now, in one sentence and an exit status, for a monitor or a container's probe.

Rules that hold here:
- It says yes where an event that is submitted now can be settled, as far as this site knows: it votes, has caught up,
  hears a majority and, where there is one, a leader, and no fault rule of its own is in the way.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from engine.contract import requests
from engine.contract.status import Status
from tui import leading, standing
from tui.client import Client, failures_as_exits
from tui.exits import ExitStatus
from tui.output import Output
from tui.selection import select_site
from tui.standing import Trouble

NOT_NOW: Final = 1
"""What probes and monitors take for bad. Elsewhere it is a bug's; here it has a sentence."""

_IN_THE_WAY: Final = (Trouble.HINDERED, Trouble.NO_QUORUM, Trouble.NOT_VOTING, Trouble.NO_LEADER)


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        status = client.ask(requests.Status())
    why = in_the_way(status)
    out = Output(arguments.json)
    if out.as_json:
        out.json({"takes_events": why is None, "why": why})
    elif why is None:
        quorum, lead = status.quorum, leading.in_words(status.leadership, status.leader)
        out.line(f"{status.site} takes events: {quorum.reachable} of {quorum.size} voters reachable; leadership {lead}")
    else:
        out.line(f"{status.site} takes no events now: {why}")
    return ExitStatus.DONE if why is None else NOT_NOW


def in_the_way(status: Status) -> str | None:
    """The first thing that keeps events from being settled; None where nothing is known to."""
    troubles = standing.troubles(status)
    told = next((troubles[each] for each in _IN_THE_WAY if each in troubles), None)
    if told is None and status.recovering:
        return "it is catching up with the others"
    return told
