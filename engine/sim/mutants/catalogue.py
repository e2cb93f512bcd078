"""All mutants, by the rule that they break."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final

from engine.sim.mutants import ballot_zero, events, leading, members, proposing, recovery, runs, votes
from engine.sim.mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *votes.MUTANTS,
    *proposing.MUTANTS,
    *ballot_zero.MUTANTS,
    *leading.MUTANTS,
    *recovery.MUTANTS,
    *events.MUTANTS,
    *runs.MUTANTS,
    *members.MUTANTS,
)

RARE: Final[tuple[Mutant, ...]] = (*leading.RARE, *proposing.RARE, *recovery.RARE, *events.RARE)
"""What the swarm meets too seldom to be caught within a minute; a scenario catches it."""


NAMES: Final = tuple(mutant.name for mutant in (*MUTANTS, *RARE))


def broken_by(name: str | None) -> AbstractContextManager[None]:
    """The mutant of this name in force; nothing broken where it is None. Raises KeyError."""
    return nullcontext() if name is None else named(name).in_force()


def named(name: str) -> Mutant:
    """The mutant of this name. Raises KeyError, whose text says which names there are."""
    every = (*MUTANTS, *RARE)
    found = next((mutant for mutant in every if mutant.name == name), None)
    if found is None:
        raise KeyError(f"{name!r} is no mutant: take one of {', '.join(mutant.name for mutant in every)}")
    return found
