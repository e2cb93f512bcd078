"""`status`: where a site stands, as one object or as a panel.

Rules that hold here:
- What keeps the site from doing its work (its own fault rules, no quorum, no vote, a mismatch, a narrow path) stands in
  words, and first.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from engine.contract import requests
from engine.contract.status import Counters, Peer, Status
from tui import advice, counters, standing
from tui.client import Client, failures_as_exits
from tui.exits import ExitStatus
from tui.output import Cells, Output
from tui.parts import Part, Role
from tui.selection import LocalSite, select_site
from tui.standing import Trouble


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        status = client.ask(requests.Status())
    out = Output(arguments.json)
    if out.as_json:
        out.json(status)
        return ExitStatus.DONE
    out.line(Part(status.site, Role.STRONG), f"of {status.cluster}")
    for trouble, sentence in standing.troubles(status).items():
        out.line(Part(f"! {sentence}{_advised(local, trouble, status)}", Role.BAD))
    out.table(_facts(status))
    if status.peers:
        out.line(Part("peers", Role.STRONG))
        out.table([peer_row(name, peer) for name, peer in sorted(status.peers.items())], indent="  ")
    out.line(Part("counters", Role.STRONG))
    out.table(_counter_rows(status.counters), indent="  ")
    return ExitStatus.DONE


def _advised(local: LocalSite, trouble: Trouble, status: Status) -> str:
    """What to type."""
    if trouble is Trouble.FAULTS:
        return f"; `{local.command('faults', 'clear')}`"
    if (remedy := standing.remedies(status).get(trouble)) is None:
        return ""
    typed = advice.command(local.sites_path, local.data_path, *remedy)
    return f"; {advice.at(remedy.by, local.site, typed)}"


def _facts(status: Status) -> Iterator[Cells]:
    quorum = status.quorum
    reached = f"{quorum.reachable} of {quorum.size} voters reachable, {quorum.needed} needed"
    yield "quorum", Part(reached, Role.GOOD if quorum.is_reached else Role.BAD)
    yield from standing.facts(status)
    yield "next", f"#{status.next:,}"


def peer_row(name: str, peer: Peer) -> Cells:
    glyph, word, role = standing.mark(peer)
    rtt = "-" if peer.rtt_ms is None else f"{peer.rtt_ms} ms"
    through = "not heard by this engine yet"
    if peer.chosen_through is not None:
        through = f"chosen through {peer.chosen_through}" + ("" if peer.up else " when it was last heard")
    return (name, Part(f"{glyph} {word}", role), rtt, through)


def _counter_rows(counted: Counters) -> Iterator[Cells]:
    single = {name: str(count) for name, count in counters.single(counted).items()}
    groups = {
        name: " ".join(f"{key} {count}" for key, count in group.items()) or "none"
        for name, group in counters.grouped(counted).items()
    }
    yield from sorted({**single, **groups}.items())
