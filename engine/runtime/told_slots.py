"""Which slots of the log look different after what was written and seen, for who watches them."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.effects import Observation, SawAttempt, SawHoles
from engine.core.ids import Slot
from engine.core.run import spans_of
from engine.core.storage import Write, WriteApplied, WriteLearned, WriteVote


def written(write: Write) -> Iterable[tuple[Slot, Slot]]:
    """The slots of the log that a write changes."""
    match write:
        case WriteVote(first, last) | WriteApplied(first, last):
            return ((first, last),)
        case WriteLearned(run):
            return ((run.first, run.last),)
        case _:
            return ()


def seen(saw: Observation) -> Iterable[tuple[Slot, Slot]]:
    """The slots of which an observation says something that no write says."""
    match saw:
        case SawAttempt(slot, last=last):
            return ((slot, last or slot),)
        case SawHoles(slots):
            return spans_of(slots)
        case _:
            return ()
