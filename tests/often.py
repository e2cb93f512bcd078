"""`make test-often`: the tests again and again, each time in another order; what failed at all, how often and why.

Rules that hold here:
- A run is `pytest` as `make test` has it, with a seed of its own for the order; a line tells how each ended.
- Busy loops beside the runs end with this program, however it ends.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Final

PYTEST: Final = (sys.executable, "-m", "pytest", "--quiet", "--numprocesses", "auto", "--dist", "worksteal")
WHY_LINES: Final = 4
_BUSY: Final = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True: pass
"""


@dataclass(frozen=True, slots=True)
class Run:
    """`failures`: the first lines of why, by the name of the test. `ended` is pytest's exit status."""

    seed: int
    seconds: float
    ended: int
    tests: int
    failures: Mapping[str, str]

    @property
    def is_green(self) -> bool:
        return self.ended == 0 and self.tests > 0 and not self.failures


def failures_in(report: ET.Element) -> Iterator[tuple[str, str]]:
    """The failed tests of a JUnit report, and the first lines of why."""
    for case in report.iter("testcase"):
        for bad in (*case.findall("failure"), *case.findall("error")):
            why = [line.strip() for line in (bad.get("message") or bad.text or "").splitlines() if line.strip()]
            yield f"{case.get('classname')}::{case.get('name')}", "\n".join(why[:WHY_LINES])


def run_once(seed: int, words: Sequence[str], folder: Path) -> Run:
    report, begun = folder / f"{seed}.xml", time.monotonic()
    command = [*PYTEST, "-p", "randomly", f"--randomly-seed={seed}", f"--junitxml={report}", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
    seconds = time.monotonic() - begun
    if not report.exists():
        return Run(
            seed, seconds, done.returncode, 0, {"pytest itself": "\n".join(done.stdout.splitlines()[-WHY_LINES:])}
        )
    read = ET.parse(report).getroot()
    return Run(seed, seconds, done.returncode, len(list(read.iter("testcase"))), dict(failures_in(read)))


def summary(runs: Sequence[Run]) -> str:
    """How the runs went together, and a paragraph for each test that ever failed, the most frequent first."""
    times = [run.seconds for run in runs]
    lines = [
        f"{sum(run.is_green for run in runs)} of {len(runs)} runs green; a run took"
        f" {min(times):.0f} to {max(times):.0f} s, {statistics.median(times):.0f} s in the middle"
    ]
    failed: defaultdict[str, list[str]] = defaultdict(list)
    for run in runs:
        for name, why in run.failures.items():
            failed[name].append(f"seed {run.seed}: {why}")
    for name, whys in sorted(failed.items(), key=lambda item: -len(item[1])):
        lines.append(f"\n{name} failed in {len(whys)} of {len(runs)} runs")
        lines += [f"  {line}" for line in dict.fromkeys(line for why in whys for line in why.splitlines())]
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.often", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="how many runs (default: 20)")
    parser.add_argument("--busy", type=int, default=0, help="how many busy loops beside them (default: none)")
    parser.add_argument("tests", nargs="*", help="which tests (default: all)")
    chosen = parser.parse_args(words)
    runs: list[Run] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for _ in range(chosen.busy):
            loop = subprocess.Popen([sys.executable, "-c", _BUSY], stdin=subprocess.PIPE)
            stack.enter_context(loop)
            stack.callback(loop.kill)
        try:
            for number in range(1, chosen.times + 1):
                run = run_once(SystemRandom().randrange(2**32), chosen.tests, folder)
                runs.append(run)
                said = "green" if run.is_green else f"{len(run.failures)} failed"
                took = f"{run.tests} tests in {run.seconds:.0f} s"
                print(f"run {number} of {chosen.times}: {said}, {took}, seed {run.seed}", flush=True)
        except KeyboardInterrupt:
            print("interrupted: what follows is of the runs that ended", flush=True)
    if runs:
        print(summary(runs))
    return 0 if runs and all(run.is_green for run in runs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
