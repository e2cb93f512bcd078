"""Runs scenario files: `python -m engine.sim.scenario [--show trace|diagram|both|nothing] [--mutant NAME] FILE...`

Rules that hold here:
- Exit status: 0 as expected; 12 a rule is violated, or an expectation failed; 2 a file cannot be read or understood.
- With several files, all are run, and the worst status counts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.sim.mutants.catalogue import broken_by
from engine.sim.scenario.parse import read
from engine.sim.scenario.schedule import ScenarioError
from engine.sim.scenario.transcript import Transcript

UNREADABLE: Final = 2
VIOLATED: Final = 12


def main(options: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m engine.sim.scenario", description="Runs scenario files.")
    parser.add_argument("--show", choices=("trace", "diagram", "both", "nothing"), default="trace")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--mutant", help="break a rule on purpose: a name of engine.sim.mutants, a1-promises-any-ballot"
    )
    arguments = parser.parse_args(options)
    try:
        broken = broken_by(arguments.mutant)
    except KeyError as unknown:
        parser.error(unknown.args[0])
    with broken:
        return max(_run(file, arguments.show) for file in arguments.files)


def _run(file: Path, show: str) -> int:
    try:
        schedule = read(file)
        runs = [Transcript(each) for each in (schedule, schedule.mended) if each is not None]
    except ScenarioError as bad:
        print(bad, file=sys.stderr)
        return UNREADABLE
    except OSError as bad:
        print(f"{file}: cannot be read ({bad.strerror}): name a scenario file", file=sys.stderr)
        return UNREADABLE
    for transcript in runs:
        if show in ("trace", "both"):
            print(*transcript.trace, sep="\n")
        if show in ("diagram", "both"):
            print(*transcript.diagram, sep="\n")
        print(f"{file}: {transcript.verdict}")
    return 0 if all(transcript.as_expected for transcript in runs) else VIOLATED


if __name__ == "__main__":
    sys.exit(main())
