"""The mistake that a schedule has in it, in force.

Rules that hold here:
- Replicas are broken by replacing functions of the core, for all worlds of this process: whoever steps a world of such
  a schedule does so, call by call, while the mistake is in force, and nothing else is stepped meanwhile.
- The sites come up without it: it begins with the first line.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from engine.sim.mutants.catalogue import broken_by
from engine.sim.scenario.schedule import Schedule


def in_force(schedule: Schedule) -> AbstractContextManager[None]:
    """For what is done of it after its world was made (`Play`). Not while it is in force already."""
    return broken_by(None if schedule.broken is None else schedule.broken.mutant)
