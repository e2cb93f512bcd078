"""What a site has learned, as a value: the production `Learner` makes every step of it.

Rules that hold here:
- R1: learning another entry for a learned slot is a violation, and the learner's own evidence is the sentence.
- R2, E5: a learner applies its prefix to the production state machine. Both are made anew from the log for each step:
  in a small world a log is short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.core.broken import BrokenRule
from engine.core.entry import Entry
from engine.core.ids import Round, SiteId, Slot, StoreId, Tick
from engine.core.log.learner import Learner, Origin
from engine.core.log.microblog import Microblog
from engine.core.messages import LearnedSlot
from engine.core.step import Step
from engine.core.storage import NO_VOTE, Standing, Stored, StoreDamaged, Vote
from engine.sim.violation import violate

Log = frozenset[LearnedSlot]

NOW: Final = Tick(0)
"""Nothing in a small world waits for time."""

SAID: Final = Origin("chosen", None, SiteId("another"))
"""A learner does not ask who said so."""


def step(site: SiteId) -> Step:
    """Of a voter: nobody in a small world lost its disk."""
    return Step(NOW, site, voting=True)


def _new_store() -> Stored:
    """Made anew each time: a learner goes on with what it is given."""
    return Stored(
        life=StoreId("0" * 16),
        commit=0,
        standing=Standing.ADMITTED,
        standing_why="",
        round=Round(0),
        number_max=0,
        prefix=Slot(0),
        used_max=Slot(0),
        votes={},
        ahead={},
        ranges=(),
        blocks={},
        last_in_effect={},
        open_events=(),
        peers={},
    )


class _NoRows:
    """A learner keeps in memory what it learned lately: of a short log, all."""

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> Sequence[LearnedSlot]:
        raise StoreDamaged(f"a small world keeps no rows: {first} to {last}, {bytes_max} bytes")

    def voted(self, slot: Slot) -> Vote:
        raise StoreDamaged(f"a small world keeps no rows: {slot}")


def _nothing_to_forget(_: Slot) -> Vote:
    return NO_VOTE


def learner(log: Log, microblog: Microblog, forget: Callable[[Slot], Vote] = _nothing_to_forget) -> Learner:
    """One that has learned all of `log`, and applied its prefix to an empty `microblog`."""
    made = Learner(_new_store(), _NoRows(), microblog, forget)
    telling = step(SAID.source)
    for item in sorted(log, key=slot_of):
        made.learn(telling, item.slot, item.entry, SAID)
    return made


def entry(log: Log, slot: Slot) -> Entry | None:
    """What was learned there."""
    return next((item.entry for item in log if item.slot == slot), None)


def learn(log: Log, item: LearnedSlot) -> Log:
    """The log after a site was told an entry. Raises Violated (R1)."""
    try:
        reached = learner(log, Microblog({}, {})).learn(step(SAID.source), item.slot, item.entry, SAID)
    except BrokenRule as broken:
        violate(broken.rule, broken.evidence, slot=item.slot)
    return log if reached is None else log | {item}


def slot_of(item: LearnedSlot) -> Slot:
    return item.slot
