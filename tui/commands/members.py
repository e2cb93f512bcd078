"""`members` and `readmit`: who belongs to the cluster, and changes of that through the log.

Rules that hold here:
- Before anything is submitted it is said what that does to the quorum; then it is asked whether it is meant, unless
  --yes says so. What would need more voters than are heard is refused unless --force says so too.
- The outcome is told, and ends the command, as an event's.
"""

from __future__ import annotations

from argparse import Namespace

from engine.contract import requests
from engine.contract.answers import Outcome
from engine.contract.errors import NoAnswer
from engine.contract.members import ChangePlan, Member, Members
from engine.contract.requests import ChangeKind, ChangeMembers, PlanChange
from engine.contract.status import MemberStanding
from tui import advice, members
from tui.client import Client, failures_as_exits
from tui.commands.agreeing import agrees
from tui.commands.outcomes import print_outcome, status_of_outcome
from tui.commands.patient_call import ask_patiently, status_of_loss
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupted, Interrupts
from tui.output import Account, Output
from tui.parts import Part, Role
from tui.selection import LocalSite, select_site


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        told = client.ask(requests.Members())
    out = Output(arguments.json)
    if out.as_json:
        out.json(told)
    else:
        _print(out, local, told)
    return ExitStatus.DONE


def readmit(arguments: Namespace) -> int:
    return _change(arguments, ChangeKind.READMIT, None)


def add(arguments: Namespace) -> int:
    return _change(arguments, ChangeKind.ADD_LEARNER if arguments.learner else ChangeKind.ADD, arguments.address)


def promote(arguments: Namespace) -> int:
    return _change(arguments, ChangeKind.PROMOTE, None)


def remove(arguments: Namespace) -> int:
    return _change(arguments, ChangeKind.REMOVE, None)


def move(arguments: Namespace) -> int:
    return _change(arguments, ChangeKind.MOVE, arguments.address)


def _print(out: Output, local: LocalSite, told: Members) -> None:
    rows = [(Part("site"), Part("standing"), Part("chosen through"), Part("address"))]
    for member in told.members:
        name = Part(member.site, Role.STRONG if member.site == told.site else Role.PLAIN)
        through = "?" if member.chosen_through is None else f"{member.chosen_through:,}"
        where = member.address or "?"
        for said, written in ((member.log_address, "log"), (member.file_address, "sites file")):
            if said not in (None, member.address):
                where += f", {said} in the {written}"
        rows.append((name, members.standing(told, member), Part(through), Part(where)))
    out.table(rows)
    out.line(members.quorum(told.quorum))
    if told.coming is not None:
        out.line(Part(members.coming(told.coming), Role.NOTE))
    for member in told.members:
        if member.why is not None:
            out.line(Part(f"! {member.site} does not vote: {member.why}", Role.BAD))
        by = told.asked_by(member)
        if member.standing == MemberStanding.NEW_STORE and by is not None:
            out.line(f"to let {member.site} vote again: {_typed(local, told, 'readmit', by, member)}")
        added_by = member.wanted_by
        why = None if added_by is None else members.by_hand_because(added_by, told.standing_of(added_by))
        if why is not None and by is not None:
            typed = _typed(local, told, "promote", by, member)
            out.line(f"to let {member.site} vote once it has the log ({why}): {typed}")


def _typed(local: LocalSite, told: Members, word: str, by: str, member: Member) -> str:
    """The command, and where it does what is said."""
    return advice.at(by, told.site, advice.command(local.sites_path, local.data_path, word, by, member.site))


def _change(arguments: Namespace, kind: ChangeKind, address: str | None) -> int:
    with Interrupts() as interrupts:
        local = select_site(arguments)
        out = Account(arguments.json)
        with failures_as_exits(local):
            with Client.connect(local.socket_path) as client:
                plan = client.ask(PlanChange(kind=kind, site=arguments.name, address=address))
            _agree(arguments, out, interrupts, plan)
            with Client.connect(local.socket_path) as client:  # it may have taken a long time
                asked = ChangeMembers(
                    kind=kind,
                    site=plan.site,
                    address=plan.address,
                    force=arguments.force,
                    timeout_s=arguments.timeout,
                    acknowledge=True,
                )
                return _submit(out, interrupts, client, asked, plan)


def _agree(arguments: Namespace, out: Output, interrupts: Interrupts, plan: ChangePlan) -> None:
    """Says what will be done, and asks. Raises CommandFailed."""
    if plan.refused is not None:
        raise CommandFailed(ExitStatus.BAD_INPUT, f"nothing was submitted: {plan.refused}")
    if not out.as_json:
        out.table([(name, words) for name, words in members.plan(plan)])
        out.flush()
    if plan.unsafe is not None and not arguments.force:
        raise CommandFailed(ExitStatus.BAD_INPUT, f"nothing was submitted: {plan.unsafe}. --force submits it anyway")
    if plan.unsafe is not None and not out.as_json:
        out.line(Part(f"! {plan.unsafe}", Role.BAD))
        out.flush()
    try:
        if not (arguments.yes or agrees(f"{plan.kind.capitalize()} {plan.site}?", interrupts)):
            raise CommandFailed(ExitStatus.BAD_INPUT, "nothing was submitted: answer yes, or add --yes")
    except Interrupted:
        raise CommandFailed(ExitStatus.NOT_IN_LOG, "interrupted: nothing was submitted") from None


def _submit(out: Output, interrupts: Interrupts, client: Client, asked: ChangeMembers, plan: ChangePlan) -> int:
    ids: list[str] = []
    try:
        answered = ask_patiently(client, interrupts, asked, asked.timeout_s, ids.append)
    except NoAnswer as lost:
        print_outcome(out, Outcome.unknown(str(lost), next(iter(ids), None)))
        return status_of_loss(lost)
    outcome = answered.value
    print_outcome(out, outcome)
    more = members.done(plan, outcome)
    if more is not None and not out.as_json:
        out.line(more)
    status = status_of_outcome(outcome.outcome)
    return ExitStatus.NOT_KNOWN if answered.interrupted and status == ExitStatus.DONE else status
