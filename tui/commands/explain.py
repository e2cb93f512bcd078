"""`explain`: the biography of a slot, from what this site has and what the others answer.

Rules that hold here:
- What nobody knows any more, or who did not answer, is `--` or said to be unknown (null with --json), never a guess.
- Of a ballot those promises and acceptances are listed that are known of: a site's variables tell its highest ballot
  alone, and accepting a ballot hides whether it was promised before.
- Nothing is changed by asking; the engine tells what it has when the time is over.
- User text stands last on a line.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Final

from engine.contract.answers import BallotAccount, Biography, SiteAccount, SlotQuorum
from engine.contract.requests import Explain
from engine.core.explained.biography import Progress
from engine.core.ids import Slot
from tui import biography, entries
from tui.client import ANSWER_TIMEOUT_S, Client, failures_as_exits
from tui.exits import ExitStatus
from tui.output import Cells, Output
from tui.parts import Part, Role
from tui.selection import select_site
from tui.times import clock_ms, local_time

_BLANK: Final = "--"
_STATES: Final[Mapping[str, Part]] = {
    Progress.EMPTY: Part("□ empty", Role.DIM),
    Progress.PROMISED: Part("□ promised, nothing accepted", Role.WARN),
    Progress.ACCEPTED: Part("◧ accepted, no majority is known", Role.WARN),
    Progress.CHOSEN: Part("■ chosen, not learned here yet", Role.GOOD),
    Progress.LEARNED: Part("■ learned here", Role.GOOD),
}


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    out = Output(arguments.json)
    asked = Explain(slot=Slot(arguments.slot), timeout_s=arguments.timeout)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        told = client.ask(asked, arguments.timeout + ANSWER_TIMEOUT_S)
    if out.as_json:
        out.json(told)
    else:
        show(out, told, local.site)
    return ExitStatus.DONE


def show(out: Output, told: Biography, here: str) -> None:
    void = Part("void: it did not take effect (E5)", Role.WARN) if told.void else ""
    out.line(Part(f"slot {told.slot}", Role.STRONG), _STATES.get(told.state, Part(told.state)), void)
    if told.entry is not None:
        out.line("entry ", entries.in_words(told.entry))
    header = _header("site", "maxPrepare", "accNum", "learned", "accVal")
    out.table([header, *(_site_row(site, here) for site in told.sites)])
    if told.ballots:
        header = _header("ballot", "known promises", "known acceptances", "", "entry")
        out.table([header, *map(_ballot_row, told.ballots)])
    out.line(Part("quorum", Role.STRONG), _quorum_words(told.quorum))
    out.line(told.sentence)


def _header(*names: str) -> Cells:
    return [Part(name, Role.STRONG) for name in names]


def _site_row(site: SiteAccount, here: str) -> Cells:
    value = _BLANK if site.acc_val is None else entries.in_words(site.acc_val)
    learned = biography.learned(site, here, _moment)
    return (site.site, site.max_prepare or _BLANK, site.acc_num or _BLANK, learned, value)


def _moment(at: str) -> str:
    return f"{local_time(at):%Y-%m-%d} {clock_ms(at)},"


def _ballot_row(ballot: BallotAccount) -> Cells:
    chosen = Part("chosen", Role.GOOD) if ballot.chosen else ""
    value = _BLANK if ballot.entry is None else entries.in_words(ballot.entry)
    return (ballot.ballot, _names(ballot.promised), _names(ballot.accepted), chosen, value)


def _quorum_words(quorum: SlotQuorum | None) -> str:
    if quorum is None:
        return _BLANK
    by = "" if quorum.counted_by is None else f", counted by {quorum.counted_by}"
    return f"{_names(quorum.sites)} at {quorum.ballot}{by}"


def _names(sites: Sequence[str]) -> str:
    return " ".join(sites) or _BLANK
