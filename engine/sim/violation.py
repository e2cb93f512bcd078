"""What a run must never show.

Rules that hold here:
- The first violation ends a run, unless it is to go on to what a rule prevents: then what else is broken on the way
  there is told once, and borne (`Judge`).
- A violation names the rule of the protocol, the slot and the site where there is one, and says in a sentence what was
  seen against what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from engine.core.ids import SiteId, Slot


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    slot: Slot | None
    site: SiteId | None
    sentence: str

    def __str__(self) -> str:
        where = "" if self.slot is None else f" slot {self.slot}"
        who = "" if self.site is None else f" at {self.site}"
        return f"{self.rule}{where}{who}: {self.sentence}"


class Violated(Exception):
    """A run ends with the first violation."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(str(violation))
        self.violation = violation


class OutOfModel(Exception):
    """The run came to where the protocol promises nothing: what follows shows nothing either."""


def violate(rule: str, sentence: str, *, slot: Slot | None = None, site: SiteId | None = None) -> NoReturn:
    raise Violated(Violation(rule, slot, site, sentence))


class Judge:
    """What becomes of a broken rule that a run may go on with."""

    def __init__(self) -> None:
        self._until: str | None = None
        self._borne: Callable[[Violation], None] = _unheard
        self._told: set[Violation] = set()

    def bear(self, until: str, borne: Callable[[Violation], None]) -> None:
        """Goes on until this rule is broken; `borne` is told of each other one, once."""
        self._until, self._borne = until, borne

    def breaks(self, rule: str, sentence: str, *, slot: Slot | None = None, site: SiteId | None = None) -> None:
        violation = Violation(rule, slot, site, sentence)
        if self._until is None or rule == self._until:
            raise Violated(violation)
        if violation not in self._told:
            self._told.add(violation)
            self._borne(violation)


def _unheard(_: Violation) -> None:
    pass
