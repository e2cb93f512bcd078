"""What users were told, held against the logs when all is over.

Rules that hold here:
- Pure: submissions, logs and outcomes go in, sentences come out.
- E1, E2: `created` is in effect at its slot and nowhere else; `lost` and `not-created` are nowhere; `unknown` was
  settled, and what it was settled as is true. What nobody told is in effect once at most.
- E3: events of one site that certainly were submitted one after the other stand so. E4: what was acknowledged before
  another was submitted, anywhere, stands before it.
- R1, R2: all sites have one log without a gap, and each shows the timeline that follows from it.
- Nothing is in the log that nobody submitted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import Any, Final

from tests.chaos.users import Submission

Json = dict[str, Any]

_KINDS: Final = ("tweet", "block", "unblock")


@dataclass(slots=True)
class Log:
    """What is in effect in one log: slots by event id and by text."""

    by_id: dict[str, int] = field(default_factory=dict)
    by_text: dict[tuple[str, str], int] = field(default_factory=dict)
    lines: dict[int, Json] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def read_log(lines: Iterable[Json]) -> Log:
    """Lines as `loggos log --json` prints them, slot 1 first."""
    log = Log()
    for number, line in enumerate(lines, start=1):
        slot = line["slot"]
        if slot != number or line["state"] != "chosen":
            log.wrong.append(f"R2 slot {number}: the log has a line of slot {slot}, {line['state']}")
        log.lines[slot] = line
        if line["kind"] not in _KINDS:
            continue
        if line["id"] in log.by_id:
            log.wrong.append(f"E1 slot {slot}: {line['id']} is in effect at slot {log.by_id[line['id']]} already")
        log.by_id[line["id"]] = slot
        if line["kind"] == "tweet":
            key = (line["author"], line["text"])
            if key in log.by_text:
                log.wrong.append(f"E1 slot {slot}: {line['text']!r} is in effect at slot {log.by_text[key]} already")
            log.by_text[key] = slot
    return log


def same_logs(logs: Mapping[str, Log]) -> list[str]:
    """R1: all sites have the same log."""
    wrong: list[str] = []
    first, *others = logs
    for site in others:
        mine, theirs = logs[first].lines, logs[site].lines
        differing = [slot for slot in sorted(mine.keys() | theirs.keys()) if mine.get(slot) != theirs.get(slot)]
        wrong.extend(
            f"R1 slot {slot}: {first} has {mine.get(slot)}, {site} {theirs.get(slot)}" for slot in differing[:3]
        )
    return wrong


def same_views(log: Log, views: Mapping[str, Sequence[Json]]) -> list[str]:
    """R2: each site's timeline is that of the log, without the authors who block the site at its end."""
    blocks: set[tuple[str, str]] = set()
    for line in log.lines.values():
        if line["kind"] == "block":
            blocks.add((line["author"], line["target"]))
        elif line["kind"] == "unblock":
            blocks.discard((line["author"], line["target"]))
    wrong: list[str] = []
    for site, view in views.items():
        shown = [(line["slot"], line["author"], line["text"]) for line in view]
        due = [
            (slot, line["author"], line["text"])
            for slot, line in log.lines.items()
            if line["kind"] == "tweet" and (line["author"], site) not in blocks
        ]
        if shown != due:
            differing = next(pair for pair in zip_longest(shown, due) if pair[0] != pair[1])
            wrong.append(f"R2: {site} shows {differing[0]} where the log gives {differing[1]}")
    return wrong


def judge(submissions: Sequence[Submission], log: Log, settled: Mapping[str, Json]) -> list[str]:
    """`settled`: what the sites say at the end of each event id that was `unknown`."""
    wrong = list(log.wrong)
    placed: list[tuple[Submission, int]] = []
    ids: dict[str, Submission] = {}
    for submission in submissions:
        if submission.refused is not None:
            wrong.append(f"{_name(submission)} was refused: {submission.refused}")
        told = submission.outcome
        if told is not None and told["id"] is not None and ids.setdefault(told["id"], submission) is not submission:
            wrong.append(f"E1: {told['id']} was told of two submissions: {_name(submission)}")
        slot = _place(submission, log, settled, wrong)
        if slot is not None:
            placed.append((submission, slot))
    known = {(each.site, each.argument) for each in submissions if each.kind == "tweet"}
    wrong.extend(
        f"E2 slot {slot}: {author} is said to have written {text!r}, which nobody submitted there"
        for (author, text), slot in log.by_text.items()
        if (author, text) not in known
    )
    return [*wrong, *_out_of_order(placed)]


def _place(submission: Submission, log: Log, settled: Mapping[str, Json], wrong: list[str]) -> int | None:
    """Where it is in effect, as far as that can be known; notes what contradicts what was told."""
    by_text = log.by_text.get((submission.site, submission.argument)) if submission.kind == "tweet" else None
    told = submission.outcome
    if told is None:
        return by_text
    outcome, id_ = told["outcome"], told["id"]
    if outcome == "unknown" and id_ is not None:
        told = settled.get(id_, told)
        if told["outcome"] == "unknown":
            wrong.append(f"E2: {id_} is still unknown: {told['reason']}")
    slot = log.by_id.get(id_) if id_ is not None else None
    was = f"{id_}, told {outcome}" if outcome == told["outcome"] else f"{id_}, told {outcome}, then {told['outcome']}"
    match told["outcome"]:
        case "created":
            if slot is None or slot != told["slot"]:
                wrong.append(f"E2 slot {told['slot']}: {was}, is in effect at {slot}")
            elif not _carries(log.lines[slot], submission):
                wrong.append(f"E2 slot {slot}: {was}, carries {log.lines[slot]}, not {_name(submission)}")
        case "lost" | "not-created":
            where = slot or by_text
            if where is not None:
                wrong.append(f"E2 slot {where}: {was}, is in effect")
        case _:
            pass
    return slot or by_text


def _carries(line: Json, submission: Submission) -> bool:
    argument = line["text"] if line["kind"] == "tweet" else line["target"]
    return (line["author"], line["kind"], argument) == (submission.site, submission.kind, submission.argument)


def _out_of_order(placed: Sequence[tuple[Submission, int]]) -> list[str]:
    acknowledged = [(s.ended_s, slot, s) for s, slot in placed if _is_created(s) and s.ended_s is not None]
    wrong = _against("E4", acknowledged, placed)
    by_site: dict[str, list[tuple[Submission, int]]] = defaultdict(list)
    by_connection: dict[str, list[tuple[Submission, int]]] = defaultdict(list)
    for submission, slot in placed:
        by_site[submission.site].append((submission, slot))
        by_connection[submission.connection].append((submission, slot))
    for mine in by_site.values():
        wrong += _against("E3", [(s.ended_s, slot, s) for s, slot in mine if s.ended_s is not None], mine)
    for sent in by_connection.values():
        ordered = sorted(sent, key=lambda each: each[0].order)
        for (before, low), (after, high) in pairwise(ordered):
            if low >= high:
                wrong.append(f"E3: {_name(before)} is at slot {low}, {_name(after)}, sent after it, at slot {high}")
    return wrong


def _against(
    rule: str, ended: Iterable[tuple[float, int, Submission]], placed: Iterable[tuple[Submission, int]]
) -> list[str]:
    """Whatever ended before another was submitted must stand below it."""
    wrong: list[str] = []
    waiting = sorted(ended, key=lambda each: each[0], reverse=True)
    highest: tuple[int, Submission] | None = None
    for submission, slot in sorted(placed, key=lambda each: each[0].submitted_s):
        while waiting and waiting[-1][0] < submission.submitted_s:
            _, below, before = waiting.pop()
            if highest is None or below > highest[0]:
                highest = (below, before)
        if highest is not None and highest[0] >= slot:
            what = f"{_name(highest[1])} ended before {_name(submission)} was submitted"
            wrong.append(f"{rule}: {what}, and they stand at slots {highest[0]} and {slot}")
    return wrong


def _is_created(submission: Submission) -> bool:
    return submission.outcome is not None and submission.outcome["outcome"] == "created"


def _name(submission: Submission) -> str:
    told = submission.outcome
    id_ = told["id"] if told is not None else None
    return f"{submission.kind} {submission.argument[:40]!r} of {submission.connection}" + (f" ({id_})" if id_ else "")
