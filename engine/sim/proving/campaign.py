"""A campaign: the runs of many seeds, on all cores, and what they came to together.

Rules that hold here:
- A seed is a run of its own; which worker runs it, and after which others, changes nothing of it.
- Whatever a run raises is a failure of its seed: a violation, and any exception that escapes the core.
- A campaign of JUDGED_FROM seeds or more also fails where a state of `sometimes.EXPECTED` was never reached: a net with
  holes that large catches nothing there.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from typing import Final

from engine.sim.mutants.catalogue import broken_by
from engine.sim.proving.swarm import draw
from engine.sim.scenario.play import Play
from engine.sim.sometimes import EXPECTED
from engine.sim.violation import Violated

JUDGED_FROM: Final = 300
"""Seeds after which all expected states should have been reached."""

_CHUNK_SEEDS: Final = 25
_FAILURES_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class FailedSeed:
    """`mutant` names what was broken on purpose, if anything was."""

    seed: int
    what: str
    mutant: str | None = None

    @property
    def command(self) -> str:
        """Replays the run and shows all of it."""
        broken = "" if self.mutant is None else f" --mutant {self.mutant}"
        return f".venv/bin/python -m engine.sim.proving --seed {self.seed} --trace{broken}"


@dataclass(slots=True)
class Tally:
    """What runs came to; tallies add up. Times: `virtual_ms` in their worlds, `cpu_s` on this machine's cores."""

    seeds: int = 0
    steps: int = 0
    virtual_ms: int = 0
    cpu_s: float = 0.0
    settled_ms_max: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    failures: list[FailedSeed] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.steps += other.steps
        self.virtual_ms += other.virtual_ms
        self.cpu_s += other.cpu_s
        self.settled_ms_max = max(self.settled_ms_max, other.settled_ms_max)
        self.acts += other.acts
        self.reached += other.reached
        self.failures += other.failures

    @property
    def missing(self) -> list[str]:
        """The expected states that were never reached."""
        return [state for state in EXPECTED if not self.reached[state]]

    @property
    def line(self) -> str:
        """One line for people."""
        faults = {kind: sum(self.acts[act] for act in acts) for kind, acts in _FAULTS.items()}
        by_kind = ", ".join(f"{kind} {number}" for kind, number in faults.items())
        reached = len(EXPECTED) - len(self.missing)
        cpu_s = self.cpu_s or 1.0
        return (
            f"{self.seeds} seeds, {self.virtual_ms / 3_600_000:.1f} simulated hours, {self.steps} steps"
            f" ({self.steps / cpu_s:.0f}/s and {self.virtual_ms / 60_000 / cpu_s:.1f} h/min a core),"
            f" {reached} of {len(EXPECTED)} states reached, {len(self.failures)} failures,"
            f" {sum(faults.values())} faults: {by_kind}"
        )

    def report(self) -> Iterator[str]:
        """The whole of it, a line at a time."""
        yield self.line
        yield f"after all faults ended, everything was settled within {self.settled_ms_max} ms"
        yield "acts and faults: " + ", ".join(f"{what} {number}" for what, number in sorted(self.acts.items()))
        yield "states reached: " + ", ".join(f"{state} {number}" for state, number in sorted(self.reached.items()))
        if self.seeds >= JUDGED_FROM:
            yield from (f"NEVER REACHED: {state}" for state in self.missing)
        for failure in self.failures:
            yield f"FAILED: seed {failure.seed}: {failure.what}"
            yield f"    replay it: {failure.command}"

    @property
    def passed(self) -> bool:
        return not self.failures and not (self.seeds >= JUDGED_FROM and self.missing)


_FAULTS: Final = {
    "crashes": ("Crash", "CrashAll"),
    "pauses": ("Pause",),
    "clock jumps": ("ClockJump",),
    "cuts": ("Cut",),
    "disks failed": ("FailSync", "FillDisk"),
    "disks lost": ("FlipBit", "Wipe", "PutBack"),
    "datagrams": ("datagram lost", "datagram repeated", "datagram late", "datagram of before"),
}
"""Kinds of faults, and the acts of each as a report counts them."""


def run_seeds(seeds: range, mutant: str | None = None) -> Tally:
    """Runs them one after the other, in this process, with that mutant in force."""
    with broken_by(mutant):
        tally = _run_seeds(seeds)
    tally.failures = [replace(failure, mutant=mutant) for failure in tally.failures]
    return tally


def _run_seeds(seeds: range) -> Tally:
    tally = Tally(seeds=len(seeds))
    began = time.process_time()
    # A world is one large cycle that lives until its run is over: it is looked for then, among what this run made.
    gc.disable()
    gc.freeze()
    try:
        for seed in seeds:
            _run_seed(seed, tally)
            gc.collect()
    finally:
        gc.unfreeze()
        gc.enable()
    tally.cpu_s = time.process_time() - began
    return tally


def _run_seed(seed: int, tally: Tally) -> None:
    try:
        report = Play(draw(seed)).complete()
    except Violated as violated:
        tally.failures.append(FailedSeed(seed, str(violated)))
    except Exception as error:  # whatever escapes the core is a finding, and the other seeds go on
        where = traceback.extract_tb(error.__traceback__)[-1]
        tally.failures.append(FailedSeed(seed, f"{error!r} escaped at {where.filename}:{where.lineno}"))
    else:
        tally.steps += report.steps
        tally.virtual_ms += report.virtual_ms
        tally.settled_ms_max = max(tally.settled_ms_max, report.settled_ms or 0)
        tally.acts += report.acts
        tally.reached += report.reached


def campaign(
    first: int, seeds: int | None, minutes: float | None, jobs: int, mutant: str | None = None
) -> Iterator[Tally]:
    """Runs seeds from `first` on, so many, or for so long, with `jobs` processes; yields the tally again and again.

    Ends early after a handful of failures. `mutant`: a rule is broken on purpose, to see what comes of it.
    """
    total = Tally()
    ends_at = None if minutes is None else time.monotonic() + 60 * minutes
    every = (range(start, start + _CHUNK_SEEDS) for start in count(first, _CHUNK_SEEDS))
    chunks = every if seeds is None else _cut(first, seeds)
    with get_context("spawn").Pool(jobs) as pool:
        # Few chunks are handed out at a time: `imap` on its own would draw an endless iterator dry.
        while batch := list(islice(chunks, 4 * jobs)):
            for tally in pool.imap_unordered(partial(run_seeds, mutant=mutant), batch):
                total.add(tally)
                yield total
            if len(total.failures) >= _FAILURES_MAX or (ends_at is not None and time.monotonic() >= ends_at):
                return


def _cut(first: int, seeds: int) -> Iterator[range]:
    end = first + seeds
    return (range(start, min(end, start + _CHUNK_SEEDS)) for start in range(first, end, _CHUNK_SEEDS))
