"""Who proposes a run by a synod of all its slots together, in a small cluster.

Rules that hold here:
- An attempt may begin at any time, of the whole run or of a part of it: what is defeated at one slot begins there anew,
  and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product

from engine.core.consensus import Consensus
from engine.core.ids import Ballot, Round
from engine.core.run import Run
from engine.core.step import Step
from engine.sim.proving.exhaustive.casts import Choice
from engine.sim.proving.exhaustive.sites import Site, SiteState


@dataclass(frozen=True, slots=True)
class Together(Site):
    """Proposes each of `aims`, a run or a part of it, in one of the rounds that stand with it."""

    aims: tuple[tuple[Run, tuple[Round, ...]], ...] = field(kw_only=True)

    def attempts(self, state: SiteState) -> Iterator[Choice]:
        for before, (run, rounds) in product((state, self.crashed(state)), self.aims):
            if before.consensus.learner.unlearned(run.first, run.last) != [(run.first, run.last)]:
                continue
            slots = f"slot {run.first}" if run.first == run.last else f"slots {run.first} to {run.last}"
            for number in rounds:
                ballot = Ballot(number, self.site)
                what = f"asks for promises of {ballot} at {slots}"
                begun = self.attempt(before, what, partial(_begin, Round(number - 1), run))
                yield from (choice for choice in begun if ballot in choice.state.taken - before.taken)


def _begin(seen: Round, run: Run, consensus: Consensus, step: Step) -> None:
    consensus.proposer.end(step, run.first, run.last, "it is defeated")
    consensus.rounds.saw(Ballot(seen, step.site))
    consensus.proposer.start(step, run)
