"""Five sites write at once, `loggos tweet --stdin` at each, with real processes.

There is one log, every event is in it once or was reported truly, and the events of each site stand in the order in
which they were written, whatever the network does (E1 to E4).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from engine.core.settings import Leadership
from tests.chaos.agreement import hold_against_logs
from tests.chaos.report import count_told
from tests.chaos.users import Submission
from tests.net.led_cluster import FIVE, until_at_rest
from tests.real_cluster import BOUND_S, RealCluster
from tui.exits import ExitStatus

LINES: Final = {Leadership.ELECTED: 100, Leadership.LAST_AUTHOR: 20}
"""At each site. Without a leader each slot is a contest of five."""

GOOD: Final = None
BAD: Final = "from=* drop=30% dup=10% delay=150ms±150"


def _write_at_all(cluster: RealCluster, lines: int) -> list[Submission]:
    """What was submitted, and told."""
    writers = {site: cluster.start("tweet", site, "--stdin", "--json", "--timeout", f"{BOUND_S:g}") for site in FIVE}
    texts = {site: [f"{site} writes line {number}" for number in range(lines)] for site in FIVE}
    for site, writer in writers.items():
        writer.stdin.write("".join(f"{text}\n" for text in texts[site]).encode())
        writer.stdin.close()
    submissions: list[Submission] = []
    for site, writer in writers.items():
        out, err = writer.communicate(timeout=2 * BOUND_S)
        assert err == b""
        outcomes = [json.loads(line) for line in out.splitlines()]
        submissions += [
            Submission(site, site, number, "tweet", text, False, 0.0, None, outcome)
            for number, (text, outcome) in enumerate(zip(texts[site], outcomes, strict=True))
        ]
    return submissions


@pytest.mark.parametrize(
    ("leadership", "network", "outcomes"),
    [
        (Leadership.ELECTED, GOOD, {"created"}),
        (Leadership.ELECTED, BAD, {"created"}),
        (Leadership.LAST_AUTHOR, GOOD, {"created", "lost"}),
    ],
    ids=["elected", "elected over a bad network", "last-author"],
)
def test_one_log_and_true_outcomes(
    tmp_path: Path, leadership: Leadership, network: str | None, outcomes: set[str]
) -> None:
    with RealCluster(tmp_path, FIVE, timings="", leadership=leadership) as cluster:
        cluster.serve_all()
        for site in FIVE if network is not None else ():
            cluster.ask(site, "faults.add", {"rule": network})
        submissions = _write_at_all(cluster, LINES[leadership])
        told = count_told(submissions)
        print(leadership, network, told)
        assert told.keys() <= outcomes
        for site in FIVE:
            cluster.ask(site, "faults.clear")
        until_at_rest(cluster)
        judgement = hold_against_logs({site: cluster.socket_path(site) for site in FIVE}, submissions)
        assert judgement.wrong == []
        kinds = Counter(line["kind"] for line in judgement.log.lines.values())
        assert kinds["tweet"] == told["created"]
        assert cluster.run("audit", str(cluster.data_path)).status == ExitStatus.DONE
