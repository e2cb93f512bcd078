"""Of which slots of the log a pass says something new, for who watches it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.core.effects import Observation, SawAttempt, SawHoles
from engine.core.ids import Slot
from engine.core.run import spans_of
from engine.core.storage import Write, WriteApplied, WriteLearned, WriteVote


def slots_changed(written: Sequence[Write], observations: Sequence[Observation]) -> Iterator[tuple[Slot, Slot]]:
    """In spans: what was written, and what an observation says that no write says."""
    for write in written:
        yield from _written(write)
    for saw in observations:
        yield from _seen(saw)


def _written(write: Write) -> Iterable[tuple[Slot, Slot]]:
    """The slots of the log that a write changes."""
    match write:
        case WriteVote(first, last) | WriteApplied(first, last):
            return ((first, last),)
        case WriteLearned(run):
            return ((run.first, run.last),)
        case _:
            return ()


def _seen(saw: Observation) -> Iterable[tuple[Slot, Slot]]:
    """The slots of which an observation says something that no write says."""
    match saw:
        case SawAttempt(slot, last=last):
            return ((slot, last or slot),)
        case SawHoles(slots):
            return spans_of(slots)
        case _:
            return ()
