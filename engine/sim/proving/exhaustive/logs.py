"""What a site has learned, as a value: the production `Consensus` makes every step of it.

Rules that hold here:
- R1: learning another entry for a learned slot is a violation, and the learner's own evidence is the sentence.
- R2, E5: a learner applies its prefix to the production state machine. All is made anew from the log for each step:
  in a small cluster a log is short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.entry import Entry, in_words
from engine.core.ids import Round, SiteId, Slot, StoreId, Tick
from engine.core.log.learner import Origin
from engine.core.messages import How
from engine.core.run import Run, run_of
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from engine.core.storage import RangePromise, Standing, Stored, StoreDamaged, Vote, Voted
from engine.sim.violation import violate

Placed = tuple[Slot, Entry]
"""An entry in its slot: what a run is of."""

Log = frozenset[Placed]

NOW: Final = Tick(0)
"""Nothing in a small cluster waits for time."""

SAID: Final = Origin(How.CHOSEN, None, SiteId("another"))
"""A learner does not ask who said so."""

CHANCE: Final = Random(0)
"""Nothing is drawn from it: only waiting is a matter of chance."""

_ANYBODY: Final = Settings(SAID.source, (SAID.source,), Leadership.NONE)
_NO_ROUND: Final = Round(0)


def step(site: SiteId) -> Step:
    """Of a voter: nobody in a small cluster lost its disk."""
    return Step(NOW, site, voting=True)


FIRST_STORE: Final = StoreId("0" * 16)


def _store(
    used: Round, votes: tuple[Voted, ...], ranges: tuple[RangePromise, ...], life: StoreId, standing: Standing
) -> Stored:
    """Made anew each time: a site goes on with what it is given."""
    return Stored(
        life=life,
        commit=0,
        standing=standing,
        standing_why="",
        loss=None,
        round=used,
        number_max=0,
        prefix=Slot(0),
        used_max=Slot(0),
        votes=votes,
        ahead=(),
        ranges=ranges,
        blocks={},
        last_in_effect={},
        open_events=(),
        peers={},
    )


class _NoRows:
    """A learner keeps in memory what it learned lately: of a short log, all."""

    def learned(self, first: Slot, last: Slot, bytes_max: int) -> Sequence[Run]:
        raise StoreDamaged(f"a small cluster keeps no rows: {first} to {last}, {bytes_max} bytes")

    def voted(self, slot: Slot) -> Vote:
        raise StoreDamaged(f"a small cluster keeps no rows: {slot}")


def consensus(
    settings: Settings,
    log: Log,
    *,
    used: Round = _NO_ROUND,
    votes: tuple[Voted, ...] = (),
    ranges: tuple[RangePromise, ...] = (),
    life: StoreId = FIRST_STORE,
    standing: Standing = Standing.ADMITTED,
) -> Consensus:
    """One whose store has these rounds, votes and promises, and that has learned all of `log` since: as a voter, unless
    it is the log that admits it."""
    made = Consensus(settings, _store(used, votes, ranges, life, standing), _NoRows(), CHANCE)
    telling = Step(NOW, settings.site, voting=standing is Standing.ADMITTED)
    for slot, entry in in_order(log):
        made.learn(telling, run_of(slot, entry), SAID)
    return made


def at(log: Log, slot: Slot) -> Entry | None:
    """What was learned there."""
    return next((entry for learned, entry in log if learned == slot), None)


def learn(log: Log, run: Run) -> Log:
    """The log after a site was told these. Raises Violated (R1)."""
    try:
        consensus(_ANYBODY, log).learn(step(_ANYBODY.site), run, SAID)
    except BrokenRule as broken:
        violate(broken.rule, broken.evidence, slot=run.first)
    return log if log.issuperset(run) else log.union(run)


def in_order(items: Iterable[Placed]) -> list[Placed]:
    """By slot."""
    return sorted(items, key=lambda item: item[0])


def holds(items: Iterable[Placed]) -> str:
    """`that slot 1 holds p/1 tweet p`"""
    return ", ".join(f"that slot {slot} holds {in_words(entry)}" for slot, entry in items)
