"""A mutant: the core with one rule broken, for as long as it is in force.

Rules that hold here:
- A mutant replaces named functions of the core (of the simulated disk, where a rule of the disk is broken) by variants
  that break one rule. Nothing outside of the simulator imports this; production has no seam for it but the names of its
  functions.
- Whatever was replaced stands again when the mutant is no longer in force, whichever way that came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Patch:
    """`broken` stands in the place of `owner.name`; it is made of what stood there."""

    owner: Any
    name: str
    broken: Callable[[Any], Any]

    @contextmanager
    def in_force(self) -> Iterator[None]:
        original = self.owner.__dict__[self.name]
        setattr(self.owner, self.name, self.broken(original))
        try:
            yield
        finally:
            setattr(self.owner, self.name, original)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`rule` is the one that it breaks, `what` says how in words."""

    rule: str
    what: str
    patches: tuple[Patch, ...]

    @property
    def name(self) -> str:
        """For command lines: `a1-promises-any-ballot`."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.rule} {self.what}".lower()).strip("-")

    @contextmanager
    def in_force(self) -> Iterator[None]:
        with ExitStack() as stack:
            for patch in self.patches:
                stack.enter_context(patch.in_force())
            yield
