"""`status`: where a site stands, as one object or as a panel.

Rules that hold here:
- What keeps the site from doing its work (its own fault rules, no quorum, no vote, a mismatch, a narrow path) stands in
  words, and first.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Final

from engine.contract import requests
from engine.contract.answers import Counters, Peer, Status
from tui import costs, counters, leading
from tui.client import Client, failures_as_exits
from tui.exits import ExitStatus
from tui.output import Cells, Output
from tui.parts import Part, Role
from tui.selection import select_site

_HOLES_SHOWN: Final = 12


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        status = client.ask(requests.Status())
    out = Output(arguments.json)
    if out.as_json:
        out.json(status)
        return ExitStatus.DONE
    head = f"of {status.cluster}   leadership {leading.in_words(status.leadership, status.leader)}"
    out.line(Part(status.site, Role.STRONG), head)
    for warning in _warnings(status, local.command("faults", "clear")):
        out.line(Part(f"! {warning}", Role.BAD))
    out.table(_facts(status))
    if status.peers:
        out.line(Part("peers", Role.STRONG))
        out.table([peer_row(name, peer) for name, peer in sorted(status.peers.items())], indent="  ")
    out.line(Part("counters", Role.STRONG))
    out.table(_counter_rows(status.counters), indent="  ")
    return ExitStatus.DONE


def _warnings(status: Status, clears_faults: str) -> Iterator[str]:
    quorum = status.quorum
    enough = quorum.reachable >= quorum.needed
    if status.hindered:
        yield status.hindered
    if not enough:
        yield "NO QUORUM: nothing can be created now; reading works"
    if not status.voting:
        yield f"not voting: {status.voting_why}"
    elif enough and leading.lacks_leader(status.leadership, status.leader):
        yield f"{leading.NO_LEADER}: events wait until a site that reaches a majority is elected"
    if status.mismatch:
        yield status.mismatch
    if status.narrow:
        yield status.narrow
    if status.unsent:
        yield status.unsent
    if status.faults:
        rules = "1 rule makes" if status.faults == 1 else f"{status.faults} rules make"
        yield f"FAULTS: {rules} this site's network bad; `{clears_faults}`"


def _facts(status: Status) -> Iterator[Cells]:
    quorum = status.quorum
    reached = f"{quorum.reachable} of {quorum.size} sites reachable, {quorum.needed} needed"
    enough = quorum.reachable >= quorum.needed
    yield "quorum", Part(reached, Role.GOOD if enough else Role.BAD)
    yield "log", f"chosen through {status.chosen_through}, highest {status.chosen_max}, next {status.next}"
    holes = status.holes
    more = f" and {len(holes) - _HOLES_SHOWN} more" if len(holes) > _HOLES_SHOWN else ""
    yield "holes", Part(" ".join(map(str, holes[:_HOLES_SHOWN])) + more, Role.WARN) if holes else "none"
    yield "recovery", "scanning" if status.recovering else "done"
    yield "costs", costs.in_words(status.counters.costs)
    yield "events", f"{status.unknown} with an outcome not known yet" if status.unknown else "all outcomes known"
    yield from (("address", status.udp), ("data", status.data), ("process", str(status.pid)), ("since", status.since))


def peer_row(name: str, peer: Peer) -> Cells:
    up = Part("● up", Role.GOOD) if peer.up else Part("○ down", Role.BAD)
    rtt = "-" if peer.rtt_ms is None else f"{peer.rtt_ms} ms"
    through = "not heard by this engine yet"
    if peer.chosen_through is not None:
        through = f"chosen through {peer.chosen_through}" + ("" if peer.up else " when it was last heard")
    return (name, up, rtt, through)


def _counter_rows(counted: Counters) -> Iterator[Cells]:
    single = {name: str(count) for name, count in counters.single(counted).items()}
    groups = {
        name: " ".join(f"{key} {count}" for key, count in group.items()) or "none"
        for name, group in counters.grouped(counted).items()
    }
    yield from sorted({**single, **groups}.items())
