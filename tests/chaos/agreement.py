"""Whether real sites are alike and at rest; and then, what they say, held against what users were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.contract.shape import printed
from tests.chaos.users import Submission
from tests.chaos.verdict import Log, judge, read_log, same_logs, same_views
from tui.client import Client
from tui.commands.pages import events_pages, log_pages, log_slots, newest_timeline

Json = dict[str, Any]


def unrest(statuses: Mapping[str, Json | None], lost: Collection[str] = ()) -> str | None:
    """Why these sites, all of a cluster, are not alike and at rest; None: they are. A status of None: no answer.

    Those of `lost` have lost their disks: they learn, and are voters no more (D5).
    """
    known: dict[str, Json] = {}
    for name, status in statuses.items():
        if status is None:
            return f"{name} does not answer"
        known[name] = status
    top = max(status["chosen_max"] for status in known.values())
    for name, status in known.items():
        reachable = status["quorum"]["reachable"]
        if reachable != len(known) - len(lost):
            return f"{name} reaches {reachable} of {len(known) - len(lost)} voters: {status['voting_why']}"
        if status["voting"] == (name in lost):
            return f"{name} {'votes' if status['voting'] else 'does not vote'}: {status['voting_why']}"
        if status["chosen_through"] != top or status["holes"] or status["next"] != top + 1:
            holes = status["holes"][:5]
            return f"{name} is at {status['chosen_through']} of {top}, next {status['next']}, holes {holes}"
        if status["recovering"] or (status["unknown"] and name not in lost):
            return f"{name}: recovering {status['recovering']}, {status['unknown']} events unknown"
    return None


@dataclass(frozen=True, slots=True)
class Judgement:
    """`settled`: what became of the events that were told `unknown`, by outcome. `wrong`: sentences."""

    log: Log
    settled: Counter[str]
    wrong: list[str]


def hold_against_logs(
    sockets: Mapping[str, Path], submissions: Sequence[Submission], lost: Collection[str] = ()
) -> Judgement:
    """Reads the logs of all sites, which are at rest, through their control sockets (R1, R2, E1 to E4).

    Those of `lost` have lost their disks: what their users were told holds, and what they were not told, nobody knows.
    """
    submissions = [
        replace(each, outcome=None) if each.site in lost and _is_unknown(each) else each for each in submissions
    ]
    logs: dict[str, Log] = {}
    views: dict[str, list[Json]] = {}
    settled: dict[str, Json] = {}
    for name, path in sockets.items():
        with Client.connect(path) as client:
            slots = log_slots(client, None, None)
            logs[name] = read_log(printed(line) for page in log_pages(client, slots) for line in page)
            views[name] = [printed(line) for line in newest_timeline(client, len(slots)).lines] if slots else []
            if ids := _told_unknown(name, submissions):
                settled |= {
                    told.id: printed(told)
                    for page in events_pages(client, ids, 0)
                    for told in page
                    if told.id is not None
                }
    log = next(iter(logs.values()))
    wrong = [*same_logs(logs), *same_views(log, views), *judge(submissions, log, settled)]
    return Judgement(log, Counter(each["outcome"] for each in settled.values()), wrong)


def _told_unknown(site: str, submissions: Sequence[Submission]) -> list[str]:
    """The ids of this site's events of which users were told no more than that."""
    told = [each.outcome for each in submissions if each.site == site and _is_unknown(each)]
    return [outcome["id"] for outcome in told if outcome is not None]


def _is_unknown(submission: Submission) -> bool:
    return submission.outcome is not None and submission.outcome["outcome"] == "unknown"
