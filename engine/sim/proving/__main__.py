"""`python -m engine.sim.proving`: a campaign over many seeds, or one seed again, with its trace.

Exit status: 0 all held; 2 bad usage; 12 a violation was found, or a campaign was too tame to find any.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Final

from engine.sim.mutants.catalogue import broken_by
from engine.sim.proving.campaign import Tally, campaign
from engine.sim.proving.minimise import save_seed
from engine.sim.proving.swarm import draw
from engine.sim.scenario.play import Play
from engine.sim.scenario.trace import TraceWriter
from engine.sim.scenario.write import write
from engine.sim.violation import Violated

_PASSED: Final = 0
_VIOLATION: Final = 12
_LINE_EVERY_S: Final = {True: 1.0, False: 20.0}  # on a terminal, and in a log


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engine.sim.proving",
        description="Runs the protocol in a simulated world full of faults and checks it at every step.",
        epilog="example: python -m engine.sim.proving --minutes 5",
    )
    parser.add_argument(
        "--minutes", type=float, help="how long the campaign lasts (default: 1, unless --seeds is given)"
    )
    parser.add_argument("--seeds", type=int, help="how many seeds it runs")
    parser.add_argument("--first", type=int, help="the first seed (default: a new one each time)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (default: all cores)")
    parser.add_argument("--seed", type=int, help="run this one seed, no campaign")
    parser.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    parser.add_argument(
        "--minimise", action="store_true", help="with --seed: make a plan that fails small, and save it"
    )
    parser.add_argument(
        "--mutant", help="break a rule on purpose: a name of engine.sim.mutants, a1-promises-any-ballot"
    )
    options = parser.parse_args(arguments)
    if options.trace and options.seed is None:
        parser.error("--trace shows one run: say which with --seed")
    if options.minimise and options.seed is None:
        parser.error("--minimise takes one run: say which with --seed")
    if options.jobs < 1:
        parser.error("--jobs is at least 1")
    try:
        broken = broken_by(options.mutant)
    except KeyError as unknown:
        parser.error(unknown.args[0])
    if options.seed is not None:
        with broken:
            return one(options.seed, trace=options.trace, smaller=options.minimise, mutant=options.mutant)
    minutes = 1.0 if options.minutes is None and options.seeds is None else options.minutes
    first = time.time_ns() // 1_000_000 if options.first is None else options.first
    return many(first, options.seeds, minutes, options.jobs, options.mutant)


def one(seed: int, *, trace: bool, smaller: bool, mutant: str | None = None) -> int:
    """Runs a seed again; `smaller`: minimises it where it fails. `mutant` is in force."""
    plan = draw(seed)
    play = Play(plan)
    if trace:
        play.world.watcher = TraceWriter(plan.setup.names, print)
        print(write(plan, f"Seed {seed}."), end="")
    try:
        report = play.complete()
    except Violated as violated:
        print(f"seed {seed}: VIOLATION after {play.world.steps} steps, at {play.world.now} ms: {violated}")
        if smaller:
            print(*save_seed(seed, mutant), sep="\n")
        return _VIOLATION
    settled = "too few voters were left" if report.settled_ms is None else f"settled in {report.settled_ms} ms"
    print(f"seed {seed}: {report.slots} slots, {report.steps} steps, {settled}, digest {report.digest}")
    return _PASSED


def many(first: int, seeds: int | None, minutes: float | None, jobs: int, mutant: str | None = None) -> int:
    """A campaign with its progress on stderr and its report on stdout."""
    terminal = sys.stderr.isatty()
    print(f"seeds from {first} on, {jobs} processes", file=sys.stderr)
    tally = Tally()
    said_at = time.monotonic()
    try:
        for tally in campaign(first, seeds, minutes, jobs, mutant):
            if time.monotonic() >= said_at + _LINE_EVERY_S[terminal]:
                said_at = time.monotonic()
                _say(tally.line, terminal=terminal)
    except KeyboardInterrupt:
        print("\ninterrupted: this is what there is so far", file=sys.stderr)
    if terminal:
        print("\r\x1b[K", end="", file=sys.stderr)
    for line in tally.report():
        print(line)
    for failure in tally.failures[:1]:
        with broken_by(mutant):
            print(*save_seed(failure.seed, mutant), sep="\n")
    return _PASSED if tally.passed else _VIOLATION


def _say(line: str, *, terminal: bool) -> None:
    """The progress: on a terminal always the same row, so no more than it holds."""
    if terminal:
        print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
