"""D1: what a commit returned survives the end of the process and of the power, at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import storage.sqlite
from engine.core.ids import Slot
from engine.core.storage import Stored, Voted, Write
from tests.storage.faulty_disk import FaultyDisk
from tests.storage.samples import ALICE, accepted, open_sample, promised, settle, tweet, vote

COMMITTER = """
import sys
from pathlib import Path
from engine.core.ids import Slot
from tests.storage.samples import ALICE, accepted, open_sample, tweet, vote

store = open_sample(Path(sys.argv[1]))
number = store.load().commit
while True:
    number = store.commit([vote(number + 1, accepted(number + 1, tweet(ALICE, number + 1)))])
    print(number, flush=True)
"""


def assert_holds_commits(stored: Stored) -> None:
    """As the committer above wrote them: commit N voted for slot N at round N."""
    numbers = range(1, stored.commit + 1)
    votes = [Voted(Slot(number), Slot(number), accepted(number, tweet(ALICE, number))) for number in numbers]
    assert list(stored.votes) == votes


def test_a_killed_process_takes_no_acknowledged_commit_along_d1(tmp_path: Path) -> None:
    random = Random(1)
    for _ in range(8):
        committer = subprocess.Popen(
            [sys.executable, "-c", COMMITTER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert committer.stdout is not None
        with committer.stdout as acknowledged:
            for _ in range(random.randint(1, 60)):
                last = int(acknowledged.readline())
            committer.send_signal(signal.SIGKILL)
            last = max([last, *map(int, acknowledged.read().split())])
        committer.wait()
        store = open_sample(tmp_path)
        stored = store.load()
        store.close()
        assert stored.commit in {last, last + 1}
        assert_holds_commits(stored)


def commits(random: Random, count: int) -> list[list[Write]]:
    """Commits of one to thirty slots each; one in three is voted on first and learned in a later commit."""
    plan: list[list[Write]] = []
    through = 0
    while len(plan) < count:
        votes: list[Write] = []
        learned: list[Write] = []
        first, through = through + 1, through + random.choice([1, 1, 1, 2, 30])
        for slot in range(first, through + 1):
            entry = tweet(ALICE, slot, "x" * random.randint(1, 280))
            votes.append(vote(slot, accepted(slot, entry)))
            learned.extend(settle(slot, entry))
        plan.extend([votes, learned] if random.random() < 1 / 3 else [votes + learned])
    return plan[:count]


@pytest.mark.parametrize("seed", range(6))
def test_a_power_cut_takes_no_acknowledged_commit_along_d1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """At any write or sync, checkpoints included: the store opens, with all commits but perhaps the unfinished one."""
    monkeypatch.setattr(storage.sqlite, "_WAL_PAGES_MAX", 40)
    random = Random(seed)
    folder = tmp_path / "site"
    open_sample(folder).close()
    plan = commits(random, 60)
    states: list[Stored] = []
    cuts: list[tuple[int, Path]] = []

    with FaultyDisk() as disk:

        def perhaps_cut() -> None:
            if random.random() < 0.08:
                cuts.append((len(states) - 1, tmp_path / f"cut-{len(cuts)}"))
                disk.after_power_cut(random, cuts[-1][1])

        store = open_sample(folder)
        states.append(store.load())
        disk.on_operation = perhaps_cut
        for writes in plan:
            store.commit(writes)
            states.append(store.load())
        store.close()

    assert len(cuts) > 10
    for acknowledged, cut in cuts:
        copy = open_sample(cut)
        stored = copy.load()
        assert stored.commit >= acknowledged
        assert stored == states[stored.commit]
        assert copy.scrub(Slot(0), 1_000_000) is None
        copy.commit([vote(1_000_000, promised(1))])
        copy.close()
