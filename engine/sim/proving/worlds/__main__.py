"""`python -m engine.sim.proving.worlds`: searches small worlds whole, and says how many states each has.

Exit status: 0 all held, with as many states as are pinned; 1 a world has another number of states; 2 bad usage; 12 a
violation was found: the shortest way to it is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from engine.sim.proving.worlds.catalog import WORLDS, SmallWorld
from engine.sim.proving.worlds.search import Counterexample, search

_EXAMPLE: Final = 'example: python -m engine.sim.proving.worlds duel "ballot 0"'
_PASSED: Final = 0
_OTHER_COUNT: Final = 1
_VIOLATION: Final = 12

_WIDTH: Final = max(len(world.name) for world in WORLDS)


def main(arguments: Sequence[str] | None = None) -> int:
    names = [world.name for world in WORLDS]
    parser = argparse.ArgumentParser(
        prog="python -m engine.sim.proving.worlds",
        description="Searches small worlds whole: every order of every message and crash, each state checked.",
        epilog="\n".join(("worlds:", *(f"  {world.name:<{_WIDTH}} {world.about}" for world in WORLDS), "", _EXAMPLE)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("worlds", nargs="*", metavar="WORLD", help="which to search (default: all)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.worlds if name not in names]
    if unknown:
        parser.error(f"there is no world {unknown[0]!r}: name one of {', '.join(names)}")
    chosen = [world for world in WORLDS if world.name in options.worlds or not options.worlds]
    print(f"{'world':<{_WIDTH}} {'states':>10} {'steps':>11} {'depth':>5} {'CPU s':>7}", flush=True)
    return max([_report(world) for world in chosen])


def _report(world: SmallWorld) -> int:
    """Searches a world and prints its line of the table; returns an exit status, of which the highest is the worst."""
    began = time.process_time()
    try:
        found = search(world.stage())
    except Counterexample as counterexample:
        print(f"{world.name}: VIOLATION in {world.about}; the shortest way to it:")
        print(counterexample, flush=True)
        return _VIOLATION
    cpu_s = time.process_time() - began
    figures = f"{found.states:>10,} {found.steps:>11,} {found.depth:>5} {cpu_s:>7.1f}"
    said = "as pinned" if found == world.pinned else f"NOT AS PINNED, {world.pinned}"
    print(f"{world.name:<{_WIDTH}} {figures}  {said}", flush=True)
    return _PASSED if found == world.pinned else _OTHER_COUNT


if __name__ == "__main__":
    sys.exit(main())
