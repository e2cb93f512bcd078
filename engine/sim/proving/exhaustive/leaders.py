"""A leader in a small cluster.

Rules that hold here:
- L3: it may stand for election, be handed events, look for gaps and be refused at any time.
- A refusal may come whether it is deserved or not: it is no vote, so that what a leader does then must be safe anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final

from engine.core.consensus import Consensus
from engine.core.entry import Entry, in_words
from engine.core.ids import Ballot, Round, Slot, Tick
from engine.core.messages import Cause, Refused, RefusedSpan
from engine.core.step import Step
from engine.sim.proving.exhaustive.casts import Choice
from engine.sim.proving.exhaustive.proposers import QUORUM, VOTERS
from engine.sim.proving.exhaustive.sites import Site, SiteState

_PATIENCE: Final = Tick(1)


@dataclass(frozen=True, slots=True)
class Leads(Site):
    """May stand for election with `rounds`, and settle slots by synods with `slot_rounds`. Each of `handed` are events
    of one author, that are handed to it together, at any time, and again."""

    handed: tuple[tuple[Entry, ...], ...] = ()

    def may_stand(self, _state: SiteState) -> bool:
        return True

    def attempts(self, state: SiteState) -> Iterator[Choice]:
        for before in filter(self.may_stand, (state, self.crashed(state))):
            for number in self.rounds:
                what = f"stands for election in round {number}"
                yield from self.attempt(before, what, partial(_stand, Round(number - 1)))
        for number, slot in product(self.slot_rounds, self.slots):
            what = f"is refused slot {slot}, and settles it in round {number}"
            yield from self.attempt(state, what, partial(_refused, Round(number - 1), slot))
        for events in self.handed:
            what = f"is handed {' and '.join(map(in_words, events))}"
            yield from self.attempt(state, what, partial(_offer, events))
        yield from self.attempt(state, "looks for gaps", _look)


def _stand(seen: Round, consensus: Consensus, step: Step) -> None:
    consensus.leader.step_down(step, "it is defeated")
    consensus.rounds.saw(Ballot(seen, step.site))
    consensus.leader.stand(step, _PATIENCE)


def _refused(seen: Round, slot: Slot, consensus: Consensus, step: Step) -> None:
    ballot = consensus.leader.ballot
    if ballot is not None:
        barred = RefusedSpan(slot, slot, Ballot(seen, step.site), Cause.SLOT)
        for voter in VOTERS[:QUORUM]:
            consensus.take(step, voter, Refused(ballot, "accept", (barred,)))


def _offer(events: tuple[Entry, ...], consensus: Consensus, step: Step) -> None:
    consensus.leader.offer(step, events)


def _look(consensus: Consensus, step: Step) -> None:
    consensus.leader.tick(step)
