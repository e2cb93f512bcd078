"""What a rescue found out, in words and as JSON: what is certain, what is taken over, what is gone.

Rules that hold here:
- Each slot that no store has learned is listed, with the ballot and who accepted it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import to_builtins

from engine.contract import answers
from engine.contract.lines import entry_shape
from engine.core.entry import Entry
from engine.core.ids import SiteId, quorum_size
from engine.core.storage import Standing
from storage.rescue.survey import Survey, TakenOver
from storage.rescue.witnesses import Witness
from tui import entries
from tui.client import Json
from tui.commands.audit import violation_line, violation_shape
from tui.counted import plural
from tui.output import Output
from tui.parts import Part, Role

STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.ADMITTED: "voter",
    Standing.READMITTED: "voter, readmitted",
    Standing.NEW: "never voted",
    Standing.LEARNER: "learner: its disk was lost earlier",
}


def print_survey(out: Output, findings: Survey) -> None:
    header = [Part(name, Role.STRONG) for name in ("site", "prefix", "used through", "kind", "store")]
    out.table([header, *(_row(each) for each in findings.witnesses)])
    for unreadable in findings.unreadable:
        out.line(Part("cannot be read:", Role.BAD), unreadable.reason)
    for violation in findings.remarks:
        violation_line(out, violation)
    voters, lost = len(findings.voters), findings.lost
    if findings.missing_from is None:
        out.line(Part("lost:", Role.STRONG), f"{_names(lost)}, fewer than a majority of {voters}")
    else:
        out.line(Part("lost:", Role.STRONG), f"{_names(lost)}, {len(lost)} of {voters} sites")
    certain = findings.learned + sum(each.chosen for each in findings.taken)
    out.line(Part("certain:", Role.GOOD), f"{plural(certain, 'slot')}, learned by a site or accepted by a majority")
    if findings.taken:
        said = f"{plural(len(findings.taken), 'slot')} that no store has learned, as accepted at the highest ballot"
        out.line(Part("taken over:", Role.WARN), said)
        out.table([_taken_row(each) for each in findings.taken], indent="  ")
    if findings.unknown:
        slots = ", ".join(_span(*span) for span in findings.unknown)
        out.line(Part("unknown:", Role.WARN), f"slot {slots}: no store has anything there, so the new log has no-ops")
    for slot, entry in sorted(findings.withdrawn.items()):
        out.line(
            Part("gone:", Role.WARN),
            f"{entry.id}, which later events follow: withdrawn at slot {slot} to keep those in effect",
        )
    if findings.missing_from is None:
        out.line(Part("missing:", Role.GOOD), "nothing that was acknowledged")
        here = sum(site not in lost for site in findings.voters)
        if here >= quorum_size(voters):
            out.line("a majority of the old sites is here: they can continue as they are, without a new cluster")
    else:
        out.line(
            Part("missing:", Role.BAD),
            f"perhaps events that only {_names(lost)} acknowledged, from slot {findings.missing_from} on",
        )
    if findings.filled:
        out.line(f"{plural(findings.filled, 'no-op')} at the end put the last change of the members into effect")
    total = f"{plural(findings.slots, 'slot')}, {plural(findings.events, 'event')} in effect"
    out.line(Part("the new log:", Role.STRONG), total)


def _row(witness: Witness) -> tuple[str, ...]:
    begun = witness.store.begun
    is_what = "backup" if witness.is_backup else STANDINGS[begun.meta.standing]
    numbers = (f"{witness.store.prefix:>6}", f"{begun.stored().used_max:>12}")
    return (str(witness.store.site), *numbers, is_what, str(witness.store.place))


def _taken_row(each: TakenOver) -> tuple[str, ...]:
    who = f"accepted at {each.ballot} by {_names(each.sites)}"
    return (
        f"slot {each.slot}",
        "chosen" if each.chosen else "perhaps chosen",
        who,
        entries.in_words(_entry(each.entry)),
    )


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _names(sites: tuple[SiteId, ...]) -> str:
    return ", ".join(sites) or "nobody"


def _entry(entry: Entry) -> answers.Entry:
    shape = entry_shape(entry)
    assert shape is not None
    return shape


def survey_shape(findings: Survey, new: Json | None) -> Json:
    """One object; the keys are documented in --help and docs/commands.md."""
    return {
        "cluster": findings.cluster,
        "stores": [_store_shape(each) for each in findings.witnesses],
        "unreadable": [{"folder": str(each.folder), "reason": each.reason} for each in findings.unreadable],
        "lost": list(findings.lost),
        "slots": findings.slots,
        "events": findings.events,
        "learned": findings.learned,
        "taken": [_taken_shape(each) for each in findings.taken],
        "unknown": [list(span) for span in findings.unknown],
        "withdrawn": [{"slot": slot, "id": str(entry.id)} for slot, entry in sorted(findings.withdrawn.items())],
        "filled": findings.filled,
        "missing_from": findings.missing_from,
        "remarks": [violation_shape(each) for each in findings.remarks],
        "new": new,
    }


def _store_shape(witness: Witness) -> Json:
    begun = witness.store.begun
    return {
        "site": witness.store.site,
        "folder": str(witness.store.place),
        "standing": "backup" if witness.is_backup else begun.meta.standing.value,
        "prefix": witness.store.prefix,
        "used_max": begun.stored().used_max,
    }


def _taken_shape(each: TakenOver) -> Json:
    return {
        "slot": each.slot,
        **to_builtins(_entry(each.entry)),
        "ballot": str(each.ballot),
        "accepted_by": list(each.sites),
        "chosen": each.chosen,
    }
