"""What a run must never show.

Rules that hold here:
- A violation names the rule of the protocol, the slot and the site where there is one, and says in a sentence what was
  seen against what.
"""

from __future__ import annotations

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
