"""`audit`: the stores of a cluster, running or stopped, held against the rules of the protocol.

Rules that hold here:
- No engine is asked: the stores are read beside it, without their lock, and nothing is written (`storage.beside`).
- A violation ends with status 12; otherwise a store that could not be read with 3: what was not seen was not audited.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from engine.core.storage import Standing
from storage.audit.report import AuditedSite, Report, Violation
from storage.audit.run import audit
from storage.audit.stores import AuditFailed, AuditRefused
from tui.client import Json
from tui.commands.stored import READ_A_COPY
from tui.counted import plural
from tui.exits import CommandFailed, ExitStatus
from tui.output import Account, Cells, Output, complain
from tui.parts import Part, Role
from tui.progress import progress_bar

_BACKUP = "backup"
STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.ADMITTED: "voter",
    Standing.READMITTED: "voter, readmitted",
    Standing.NEW: "new, does not vote yet",
    Standing.LEARNER: "learner, no longer votes",
}


def run(arguments: Namespace) -> int:
    try:
        with progress_bar() as show:
            report = audit([Path(folder).absolute() for folder in arguments.folders], partial(show, "auditing"))
    except AuditRefused as error:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(error)) from error
    except AuditFailed as error:
        raise CommandFailed(ExitStatus.STORE_UNUSABLE, str(error)) from error
    out = Account(arguments.json)
    if out.as_json:
        out.json(_shape(report))
    else:
        _print(out, report)
    for folder in report.copied:
        complain(READ_A_COPY.format(folder))
    for unreadable in report.unreadable:
        complain(f"cannot be audited: {unreadable.reason}")
    if report.violations_found:
        return ExitStatus.VIOLATION
    return ExitStatus.STORE_UNUSABLE if report.unreadable else ExitStatus.DONE


def _shape(report: Report) -> Json:
    """One object; the keys are documented in --help and docs/commands.md."""
    return {
        "sites": [_site_shape(each) for each in report.sites],
        "missing": list(report.missing),
        "slots": report.slots,
        "events": report.events,
        "violations": [violation_shape(each) for each in report.violations],
        "violations_found": report.violations_found,
        "unreadable": [{"folder": str(each.folder), "reason": each.reason} for each in report.unreadable],
    }


def _site_shape(site: AuditedSite) -> Json:
    return {
        "site": site.site,
        "folder": str(site.folder),
        "standing": _BACKUP if site.is_backup else site.standing.value,
        "prefix": site.prefix,
        "used_max": site.used_max,
        "events": site.events,
    }


def violation_shape(violation: Violation) -> Json:
    return {
        "rule": violation.rule,
        "slot": violation.slot,
        "site": violation.site,
        "sentence": violation.sentence,
    }


def violation_line(out: Output, violation: Violation) -> None:
    where = "" if violation.slot is None else f"slot {violation.slot}"
    who = "" if violation.site is None else f"at {violation.site}"
    out.line(Part(violation.rule, Role.BAD), *filter(None, (where, who)), "-", violation.sentence)


def _print(out: Output, report: Report) -> None:
    header = [Part(name, Role.STRONG) for name in ("site", "prefix", "used through", "events", "standing", "store")]
    if report.sites:
        out.table([header, *(_site_row(each) for each in report.sites)])
    if report.missing:
        out.line(Part(f"no store here of {', '.join(report.missing)}: their votes are not checked", Role.WARN))
    for violation in report.violations:
        violation_line(out, violation)
    kept, found = len(report.violations), report.violations_found
    if found > kept:
        out.line(f"and {found - kept} more violations")
    if found:
        verdict = Part(plural(found, "violation"), Role.BAD)
    elif report.sites:
        verdict = Part("no violation", Role.GOOD)
    else:
        verdict = Part("nothing audited", Role.BAD)
    stores, slots = plural(len(report.sites), "store"), plural(report.slots, "slot")
    out.line(verdict, f"in {stores}, {slots}, {plural(report.events, 'event')} in effect")


def _site_row(site: AuditedSite) -> Cells:
    numbers = (f"{site.prefix:>6}", f"{site.used_max:>12}", f"{site.events:>6}")
    standing = _BACKUP if site.is_backup else STANDINGS[site.standing]
    return (str(site.site), *numbers, standing, str(site.folder))
