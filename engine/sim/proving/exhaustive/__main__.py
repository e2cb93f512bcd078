"""`python -m engine.sim.proving.exhaustive`: searches small clusters whole, and says how many states each has.

Exit status: 0 all held, with as many states as are pinned; 1 a cluster has another number of states; 2 bad usage; 12 a
violation was found: the shortest way to it is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from engine.sim.proving.exhaustive.catalog import SMALL_CLUSTERS, SmallCluster
from engine.sim.proving.exhaustive.changing import ChangingCluster
from engine.sim.proving.exhaustive.search import Counterexample, search

_EXAMPLE: Final = 'example: python -m engine.sim.proving.exhaustive duel "ballot 0"'
_PASSED: Final = 0
_OTHER_COUNT: Final = 1
_VIOLATION: Final = 12

_WIDTH: Final = max(len(cluster.name) for cluster in SMALL_CLUSTERS)


def main(arguments: Sequence[str] | None = None) -> int:
    names = [cluster.name for cluster in SMALL_CLUSTERS]
    parser = argparse.ArgumentParser(
        prog="python -m engine.sim.proving.exhaustive",
        description="Searches small clusters whole: every order of every message and crash, each state checked.",
        epilog="\n".join(
            ("clusters:", *(f"  {cluster.name:<{_WIDTH}} {cluster.about}" for cluster in SMALL_CLUSTERS), "", _EXAMPLE)
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clusters", nargs="*", metavar="CLUSTER", help="which to search (default: all)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.clusters if name not in names]
    if unknown:
        parser.error(f"there is no cluster {unknown[0]!r}: name one of {', '.join(names)}")
    chosen = [cluster for cluster in SMALL_CLUSTERS if cluster.name in options.clusters or not options.clusters]
    print(f"{'cluster':<{_WIDTH}} {'states':>10} {'steps':>11} {'depth':>5} {'CPU s':>7}", flush=True)
    return max([_report(cluster) for cluster in chosen])


def _report(cluster: SmallCluster | ChangingCluster) -> int:
    """Searches a cluster and prints its line of the table; returns an exit status: the highest is the worst."""
    began = time.process_time()
    try:
        found = search(cluster.states())
    except Counterexample as counterexample:
        print(f"{cluster.name}: VIOLATION in {cluster.about}; the shortest way to it:")
        print(counterexample, flush=True)
        return _VIOLATION
    cpu_s = time.process_time() - began
    figures = f"{found.states:>10,} {found.steps:>11,} {found.depth:>5} {cpu_s:>7.1f}"
    said = "as pinned" if found == cluster.pinned else f"NOT AS PINNED, {cluster.pinned}"
    print(f"{cluster.name:<{_WIDTH}} {figures}  {said}", flush=True)
    return _PASSED if found == cluster.pinned else _OTHER_COUNT


if __name__ == "__main__":
    sys.exit(main())
