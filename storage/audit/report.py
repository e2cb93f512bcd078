"""What an audit found.

Rules that hold here:
- A violation names the rule of docs/protocol.md, the slot and the site where there is one, and says in a sentence what
  was seen against what.
- However much is wrong, memory is bounded: the first violations are kept, the others counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.entry import Entry
from engine.core.ids import SiteId, Slot
from engine.core.storage import Standing

KEPT_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    slot: Slot | None
    site: SiteId | None
    sentence: str


class Findings:
    """Collects violations; one that is seen twice counts once."""

    def __init__(self) -> None:
        self.kept: dict[Violation, None] = {}
        self.count = 0

    def add(self, rule: str, sentence: str, *, slot: Slot | None = None, site: SiteId | None = None) -> None:
        violation = Violation(rule, slot, site, sentence)
        if violation in self.kept:
            return
        self.count += 1
        if len(self.kept) < KEPT_MAX:
            self.kept[violation] = None


@dataclass(frozen=True, slots=True)
class AuditedSite:
    """A store as it was when the audit began; `folder` is the file, where it is a backup. `events`: how many of this
    site's are in effect in the audited log."""

    site: SiteId
    folder: Path
    standing: Standing
    is_backup: bool
    prefix: Slot
    used_max: Slot
    events: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    folder: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """`slots`: how far the log goes that the stores hold together; `missing`: sites of the cluster without a store.

    `copied`: folders that cannot be written, of which a copy was read.
    """

    sites: tuple[AuditedSite, ...]
    missing: tuple[SiteId, ...]
    slots: int
    events: int
    violations: tuple[Violation, ...]
    violations_found: int
    unreadable: tuple[Unreadable, ...]
    copied: tuple[Path, ...] = ()


def named(entry: Entry) -> str:
    """An entry in a sentence, whole, so that two that differ read differently."""
    return "the no-op" if entry.id is None else f"{entry.id} (after {entry.follows}: {entry.body})"
