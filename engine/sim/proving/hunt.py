"""The hunt: seed after seed is run with a mutant in force, until something catches it.

Rules that hold here:
- A mutant is caught when a run of the swarm raises: a violation of the truth, or an assertion of the core itself. One
  that is not caught within CPU_S_MAX means a missing check: the check is added, the mutant stays.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from engine.datagram import Rejected
from engine.sim.mutants.catalogue import named
from engine.sim.mutants.mutant import Mutant
from engine.sim.proving.swarm import draw
from engine.sim.scenario.play import Play
from engine.sim.violation import Violated

CPU_S_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by`: the check that caught the mutant, None: it survived; at the run of `seed`. `cpu_s` of one core."""

    rule: str
    what: str
    by: str | None
    seed: int
    cpu_s: float

    @property
    def line(self) -> str:
        caught = "SURVIVED" if self.by is None else f"caught by {self.by}"
        return f"{self.rule:<4} {self.what:<56} {self.cpu_s:6.1f} s, to seed {self.seed:>4}: {caught}"


def hunt(mutant: Mutant, first: int = 0) -> Verdict:
    """Runs the seeds from `first` on with the mutant in force."""
    began = time.process_time()
    with mutant.in_force():
        for seed in count(first):
            by = _caught(seed)
            cpu_s = time.process_time() - began
            if by is not None or cpu_s >= CPU_S_MAX:
                return Verdict(mutant.rule, mutant.what, by, seed, cpu_s)
    raise AssertionError("seeds do not end")


def pins(path: Path) -> dict[str, int]:
    """Mutant -> a seed that caught it, of a file that `pin` wrote."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {name: int(seed) for name, seed in lines}


def pin(path: Path, seeds: Mapping[str, int]) -> None:
    path.write_text("".join(f"{name} {seed}\n" for name, seed in sorted(seeds.items())), encoding="utf-8")


def hunt_named(name: str) -> Verdict:
    """For worker processes, which are handed no functions."""
    return hunt(named(name))


def _caught(seed: int) -> str | None:
    try:
        Play(draw(seed)).complete()
    except Violated as violated:
        return violated.violation.rule
    except Rejected:
        return "W2 (its peers reject what it says)"
    except (AssertionError, ValueError, KeyError, IndexError) as error:
        return f"an assertion of the core ({type(error).__name__})"
    return None
