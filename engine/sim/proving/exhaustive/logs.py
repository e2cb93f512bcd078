"""What a site has learned, as a value: the production `Consensus` makes every step of it.

Rules that hold here:
- R1: learning another entry for a learned slot is a violation, and the learner's own evidence is the sentence.
- R2, E5: a learner applies its prefix to the production state machine. All is made anew from the log for each step:
  in a small cluster a log is short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.entry import Entry
from engine.core.ids import Round, SiteId, Slot, StoreId, Tick
from engine.core.log.learner import Origin
from engine.core.messages import How, LearnedSlot
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from engine.core.storage import RangePromise, Standing, Stored, StoreDamaged, Vote
from engine.sim.violation import violate

Log = frozenset[LearnedSlot]

NOW: Final = Tick(0)
"""Nothing in a small cluster waits for time."""

SAID: Final = Origin(How.CHOSEN, None, SiteId("another"))
"""A learner does not ask who said so."""

CHANCE: Final = Random(0)
"""Nothing is drawn from it: only waiting is a matter of chance."""

_ANYBODY: Final = Settings(SAID.source, (SAID.source,), Leadership.NONE)
_NO_ROUND: Final = Round(0)
_NO_VOTES: Final[Mapping[Slot, Vote]] = {}


def step(site: SiteId) -> Step:
    """Of a voter: nobody in a small cluster lost its disk."""
    return Step(NOW, site, voting=True)


def _store(used: Round, votes: Mapping[Slot, Vote], ranges: tuple[RangePromise, ...]) -> Stored:
    """Made anew each time: a site goes on with what it is given."""
    return Stored(
        life=StoreId("0" * 16),
        commit=0,
        standing=Standing.ADMITTED,
        standing_why="",
        round=used,
        number_max=0,
        prefix=Slot(0),
        used_max=Slot(0),
        votes=dict(votes),
        ahead={},
        ranges=ranges,
        blocks={},
        last_in_effect={},
        open_events=(),
        peers={},
    )


class _NoRows:
    """A learner keeps in memory what it learned lately: of a short log, all."""

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> Sequence[LearnedSlot]:
        raise StoreDamaged(f"a small cluster keeps no rows: {first} to {last}, {bytes_max} bytes")

    def voted(self, slot: Slot) -> Vote:
        raise StoreDamaged(f"a small cluster keeps no rows: {slot}")


def consensus(
    settings: Settings,
    log: Log,
    *,
    used: Round = _NO_ROUND,
    votes: Mapping[Slot, Vote] = _NO_VOTES,
    ranges: tuple[RangePromise, ...] = (),
) -> Consensus:
    """One whose store has these rounds, votes and promises, and that has learned all of `log` since."""
    made = Consensus(settings, _store(used, votes, ranges), _NoRows(), CHANCE)
    telling = step(settings.site)
    for item in sorted(log, key=slot_of):
        made.learn(telling, item, SAID)
    return made


def entry(log: Log, slot: Slot) -> Entry | None:
    """What was learned there."""
    return next((item.entry for item in log if item.slot == slot), None)


def learn(log: Log, item: LearnedSlot) -> Log:
    """The log after a site was told an entry. Raises Violated (R1)."""
    try:
        consensus(_ANYBODY, log).learn(step(_ANYBODY.site), item, SAID)
    except BrokenRule as broken:
        violate(broken.rule, broken.evidence, slot=item.slot)
    return log if item in log else log | {item}


def slot_of(item: LearnedSlot) -> Slot:
    return item.slot
