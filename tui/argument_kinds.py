"""What an argument stands for, by its metavar: which names a shell may complete there (docs/install.md).

Rules that hold here:
- Every metavar of the parser is in one of the tables (a test says so), and means the same in every command, but for
  those of KINDS_OF_COMMANDS. So the SITE of a new command is completed as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Names that there are now, at this site or in this version."""

    SITES = "sites"
    OTHERS = "others"  # sites, but that which is asked
    SLOTS = "slots"
    HOLES = "holes"
    EVENTS = "events"
    RULES = "rules"
    RULE_NUMBERS = "rule-numbers"
    HELD_NUMBERS = "held-numbers"
    SCENARIOS = "scenarios"
    MISTAKES = "mistakes"


KINDS: Final[Mapping[str, Kind]] = {
    "SITE": Kind.SITES,
    "OTHER": Kind.OTHERS,
    "K": Kind.SLOTS,
    "ID": Kind.EVENTS,
    "RULE": Kind.RULES,
    "SCENARIO": Kind.SCENARIOS,
    "MISTAKE": Kind.MISTAKES,
}
KINDS_OF_COMMANDS: Final[Mapping[tuple[str, str], Kind]] = {
    ("loggos fill", "K"): Kind.HOLES,
    ("loggos readmit", "NAME"): Kind.OTHERS,
    ("loggos promote", "NAME"): Kind.OTHERS,
    ("loggos remove", "NAME"): Kind.SITES,
    ("loggos move", "NAME"): Kind.SITES,
    ("loggos faults SITE remove", "N"): Kind.RULE_NUMBERS,
    ("loggos faults SITE release", "N"): Kind.HELD_NUMBERS,
    ("loggos faults SITE drop", "N"): Kind.HELD_NUMBERS,
}
"""Where a metavar means something else in one command."""

FILES: Final = frozenset({"FILE", "STORE", "DATA_DIR"})
FOLDERS: Final = frozenset({"DIR"})
FREE: Final = frozenset({"NAME", "TEXT", "WORDS", "SECONDS", "N", "HOST:PORT"})
"""What nobody else can know. (What has choices is completed with these.)"""


def kind_of(command: str, metavar: str) -> Kind | None:
    return KINDS_OF_COMMANDS.get((command, metavar), KINDS.get(metavar))
