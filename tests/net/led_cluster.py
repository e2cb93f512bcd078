"""A cluster of real engines that elect a leader, and what tests of leadership do with it.

Rules that hold here:
- The timings are those that a cluster has by default, so that bounds are those that a user sees; others have a reason.
- Links are cut by fault rules on live sites, which act on greetings and heartbeats too; nothing here needs root.
- Everything waits for conditions, bounded.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from engine.core.leading.election import TIMEOUT_BEATS
from engine.core.settings import Leadership, Timings
from tests.chaos.agreement import hold_against_logs, unrest
from tests.chaos.users import Submission
from tests.real_cluster import BOUND_S, RealCluster, until
from tui.client import Client
from tui.exits import ExitStatus

Json = dict[str, Any]

ELECTION_TIMEOUT_S: Final = TIMEOUT_BEATS * Timings().heartbeat / 1000

FIVE: Final = ("alice", "bob", "carol", "dave", "erin")


class LedCluster(RealCluster):
    """`serve_all` first."""

    def __init__(self, folder: Path, names: Sequence[str] = FIVE, timings: str = "") -> None:
        super().__init__(folder, names, timings, leadership=Leadership.ELECTED)
        self._submissions: list[Submission] = []

    def leader_of(self, followers: Iterable[str], *, not_any_more: str | None = None) -> str:
        """The leader, once all these sites follow the same one, another than `not_any_more`."""
        sites = tuple(followers)
        leaders: set[str | None] = set()

        def agree() -> bool:
            leaders.clear()
            leaders.update(self.ask(site, "status")["leader"] for site in sites)
            return len(leaders) == 1 and leaders.isdisjoint({None, not_any_more})

        until(agree, f"{', '.join(sites)} follow one leader")
        [leader] = leaders
        assert leader is not None
        return leader

    def cut(self, links: Iterable[tuple[str, str]]) -> None:
        """From now on nothing passes between these pairs of sites, in either direction."""
        for site, peer in links:
            self.ask(site, "faults.add", {"rule": f"partition {site} | {peer}"})

    def mend(self) -> None:
        for site in self.names:
            self.ask(site, "faults.clear")

    def submitting(self, site: str, text: str) -> Submission:
        """Notes that a tweet is about to be submitted."""
        submission = Submission(site, site, len(self._submissions), "tweet", text, False, time.monotonic())
        self._submissions.append(submission)
        return submission

    def tweet(self, site: str, text: str) -> float:
        """How many seconds it took until a tweet was told to be created."""
        submission = self.submitting(site, text)
        with Client.connect(self.socket_path(site)) as client:
            submission.outcome = client.call("submit", params_of(submission), 2 * BOUND_S)
        submission.ended_s = time.monotonic()
        assert submission.outcome is not None
        assert submission.outcome["outcome"] == "created", submission.outcome
        return submission.ended_s - submission.submitted_s

    def times(self, site: str, type_: str) -> int:
        """How often the site's own lines in its message trace are of this type."""
        lines = self.ask(site, "trace", {"limit": 1_000})["lines"]
        return sum(line["dir"] == "self" and line["type"] == type_ for line in lines)

    def texts_once_alike(self) -> list[str]:
        """The texts of the log, once all sites have the same one, what was told is true, and an audit found nothing."""
        until_at_rest(self)
        judgement = hold_against_logs({name: self.socket_path(name) for name in self.names}, self._submissions)
        assert judgement.wrong == []
        audit = self.run("audit", str(self.data_path))
        assert audit.status == ExitStatus.DONE, audit.out
        return [line["text"] for line in judgement.log.lines.values() if line["kind"] == "tweet"]


def params_of(submission: Submission) -> Json:
    return {"kind": "tweet", "text": submission.argument, "retry": submission.retry, "timeout_s": BOUND_S}


def until_at_rest(cluster: RealCluster) -> None:
    until(lambda: unrest({name: cluster.ask(name, "status") for name in cluster.names}) is None, "all sites are alike")
