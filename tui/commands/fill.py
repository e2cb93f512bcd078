"""`fill`: the plan, then what became of each hole.

Rules that hold here:
- Filling is the engine's work (R3); an interrupted or timed-out fill goes on there at the filler's own pace.
- A slot that is not settled makes the exit status 11.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from engine.contract.answers import FillLine, PlanLine
from engine.contract.errors import NoAnswer
from engine.contract.limits import SLOTS_MAX
from engine.contract.requests import Fill, Plan
from engine.core.effects import UNSETTLED, FillResult
from engine.core.ids import Slot
from tui.client import Client, failures_as_exits
from tui.commands.patient_call import ask_patiently, status_of_loss
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupts
from tui.output import Account, Output, complain
from tui.parts import Part, Role
from tui.selection import select_site


def run(arguments: Namespace) -> int:
    with Interrupts() as interrupts:
        local = select_site(arguments)
        out = Account(arguments.json)
        wanted = sorted(set(arguments.slots))
        if len(wanted) > SLOTS_MAX:
            raise CommandFailed(ExitStatus.BAD_INPUT, f"at most {SLOTS_MAX} slots at once: name fewer, or none for all")
        slots = tuple(map(Slot, wanted)) or None
        with failures_as_exits(local), Client.connect(local.socket_path) as client:
            if not out.as_json:
                _show_plan(out, client.ask(Plan(slots=slots)).lines)
            try:
                asked = Fill(slots=slots, timeout_s=arguments.timeout)
                answered = ask_patiently(client, interrupts, asked, arguments.timeout)
            except NoAnswer as lost:
                raise CommandFailed(status_of_loss(lost), f"what became of the holes is unknown: {lost}") from lost
    filled = answered.value
    _show_results(out, filled.lines)
    unsettled = {line.result for line in filled.lines} & UNSETTLED
    if unsettled:
        out.flush()
        complain(f"not settled yet; the engine keeps trying: {filled.why}")
    if FillResult.HINDERED in unsettled:
        complain(f"`{local.command('faults')}` lists the rules; with `remove N` after it, it removes one")
    return ExitStatus.NOT_KNOWN if unsettled or answered.interrupted else ExitStatus.DONE


def _show_plan(out: Output, plan: Sequence[PlanLine]) -> None:
    if not plan:
        out.line(Part("there are no known holes: every slot known to be used is learned", Role.DIM))
        return
    out.line(Part("plan", Role.STRONG))
    out.table([(f"slot {line.slot}", str(line.state), line.action) for line in plan], indent="  ")
    out.flush()


def _show_results(out: Output, lines: Sequence[FillLine]) -> None:
    if out.as_json:
        out.json_lines(lines)
    else:
        out.table([(f"slot {line.slot}", _result_cell(line.result), line.kind or "") for line in lines])


def _result_cell(result: str) -> Part:
    return Part(result, Role.WARN if result in UNSETTLED else Role.GOOD)
