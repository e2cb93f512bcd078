"""`python -m engine.sim.proving.mutants`: breaks the rules one by one, and shows which check catches each.

Exit status: 0 all were caught; 1 one survived; 2 bad usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from engine.sim.mutants.catalogue import MUTANTS, named
from engine.sim.proving.hunt import hunt_named, pin


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engine.sim.proving.mutants",
        description="Breaks the rules of the protocol one by one, and shows which check of the simulator notices.",
    )
    parser.add_argument("names", nargs="*", metavar="MUTANT", help="which (default: all), as a1-promises-any-ballot")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (default: all cores)")
    parser.add_argument("--pin", type=Path, metavar="FILE", help="write down the seeds that caught them")
    options = parser.parse_args(arguments)
    try:
        names = [named(name).name for name in options.names] or [mutant.name for mutant in MUTANTS]
    except KeyError as unknown:
        parser.error(unknown.args[0])
    survivors = 0
    seeds: dict[str, int] = {}
    with get_context("spawn").Pool(options.jobs) as pool:
        for name, verdict in zip(names, pool.imap(hunt_named, names), strict=True):
            print(verdict.line, flush=True)
            if verdict.by is None:
                survivors += 1
            else:
                seeds[name] = verdict.seed
    if options.pin is not None:
        pin(options.pin, seeds)
    print(f"{len(names)} mutants, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
