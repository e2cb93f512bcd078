"""`python -m tests.chaos`: campaigns with real processes, one for each leadership setting or of a single one.

Exit status: 0 all held; 2 bad usage, or namespaces cannot be used; 12 a violation; 130 interrupted.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from engine.core.settings import Leadership
from engine.sim.mutants.catalogue import broken_by
from tests.chaos.campaign import Setup, run
from tests.chaos.namespaces import NamespacesUnavailable

_PASSED: Final = 0
_BAD_USAGE: Final = 2
_VIOLATION: Final = 12
_INTERRUPTED: Final = 130


SHARES: Final = {Leadership.ELECTED: 0.5, Leadership.LAST_AUTHOR: 0.25, Leadership.NONE: 0.25}
"""Of the time, where all settings have their turn: a leader's long pause needs the most of it."""

ALL: Final = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    seed = time.time_ns() // 1_000_000 if options.seed is None else options.seed
    shares = SHARES if options.leadership == ALL else {Leadership(options.leadership): 1.0}
    setups = [
        Setup(seed, round(options.seconds * share, 1), options.sites, leadership, options.namespaces, options.mutant)
        for leadership, share in shares.items()
    ]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="loggos-chaos-"))
    kept = True
    try:
        failed = [setup for setup in setups if not _passes(setup, folder / setup.leadership)]
        kept = bool(failed)
    except NamespacesUnavailable as error:
        kept = False
        print(f"chaos: {error}", file=sys.stderr)
        return _BAD_USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        if kept:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)
    for setup in failed:
        again = f"--seconds {setup.seconds:g} --sites {setup.sites} --leadership {setup.leadership}"
        print(f"again: python -m tests.chaos --seed {seed} {again}{_flags(setup)}")
    return _VIOLATION if failed else _PASSED


def _flags(setup: Setup) -> str:
    mutant = "" if setup.mutant is None else f" --mutant {setup.mutant}"
    return f"{' --namespaces' if setup.namespaces else ''}{mutant}"


def _passes(setup: Setup, folder: Path) -> bool:
    """Runs a campaign and prints what it came to; the stores stay where it failed. Raises NamespacesUnavailable."""
    folder.mkdir()
    where = f"{setup.sites} sites, leadership {setup.leadership}, for {setup.seconds:g} s in {folder}"
    print(f"seed {setup.seed}: {where}", flush=True)
    report = run(setup, folder, lambda line: print(line, flush=True))
    print(report.text(), end="\n\n", flush=True)
    if report.passed:
        shutil.rmtree(folder)
    return report.passed


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Kills, freezes and cuts apart real engines while users write, then checks all that was told.",
        epilog="example: python -m tests.chaos --seconds 60 --namespaces",
    )
    parser.add_argument(
        "--seconds", type=float, default=180.0, help="how long faults go on in all (default: %(default)g)"
    )
    parser.add_argument("--seed", type=int, help="of the schedule and the users (default: a new one each time)")
    parser.add_argument("--sites", type=int, default=5, help="how many, 3 to 9 (default: %(default)d)")
    parser.add_argument(
        "--leadership",
        choices=[*Leadership, ALL],
        default=ALL,
        help="one, or all (the default) in turn: elected for half of the time, the others for a quarter each",
    )
    parser.add_argument(
        "--namespaces", action="store_true", help="cut sites apart by network namespaces; needs Linux and root"
    )
    parser.add_argument("--mutant", help="break a rule in all engines: a name of engine.sim.mutants")
    options = parser.parse_args(arguments)
    try:
        broken_by(options.mutant)
    except KeyError as unknown:
        parser.error(unknown.args[0])
    if options.seconds < 8 or not 3 <= options.sites <= 9:
        parser.error("campaigns take 8 seconds or more in all, and 3 to 9 sites")
    return options


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
