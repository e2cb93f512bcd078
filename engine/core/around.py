"""What stands around the consensus of a site, and acts on what that comes to.

Rules that hold here:
- E4: an event of this site that is learned above a hole has the hole settled at once.
- M4 to M6: once the log lets another store of this site vote, or this one anew, or has removed the site, none of its
  earlier events can take effect: they end there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.consensus import Onlooker
from engine.core.effects import SawApplied
from engine.core.events.sessions import Sessions
from engine.core.ids import SiteId, Slot
from engine.core.leading.policy import Policy
from engine.core.log.filler import Filler
from engine.core.log.learner import Learner, Origin
from engine.core.messages import How, Prepare
from engine.core.peers.belonging import Belonging
from engine.core.peers.lives import Lives
from engine.core.run import Run, slots_of
from engine.core.step import Step

_BEFORE: Final = "the site was readmitted at slot {}, and none of its earlier events can take effect after that"


@dataclass(frozen=True, slots=True)
class Around(Onlooker):
    """The parts of a site that act on what the consensus comes to: each is told here of what it needs."""

    site: SiteId
    learner: Learner
    filler: Filler
    sessions: Sessions
    policy: Policy
    lives: Lives
    belonging: Belonging

    def saw_attempt(self, step: Step, first: Slot, last: Slot) -> None:
        self.filler.saw_attempt(step, first, last)

    def promised(self, step: Step, prepare: Prepare) -> None:
        self.policy.on_promised(step, prepare)

    def accepting(self, step: Step, run: Run) -> None:
        self.sessions.on_accepting(step, run)

    def missed(self, step: Step, first: Slot, last: Slot) -> None:
        self.filler.fill(step, slots_of(first, min(last, self.learner.used_max)))

    def learned(self, step: Step, run: Run, origin: Origin) -> None:
        self.filler.on_learned(step, run, origin.how is How.VOTES)
        self.sessions.on_learned(step, run)
        if self.learner.prefix < run.last and any(entry.author == self.site for entry in run.entries):
            self.filler.fill_through(step, run.last)  # E4

    def may_leave_beside(self, run: Run) -> bool:
        return self.sessions.may_leave_beside(run)

    def applied(self, step: Step, reached: Sequence[SawApplied]) -> None:
        for applied in reached:
            self.sessions.on_applied(step, applied)
            for change in applied.changes:
                if self.lives.on_change(step, change):
                    self.sessions.end_all(step, _BEFORE.format(change.slot))
        self.belonging.on_applied(step)
        if self.lives.on_applied(step, self.learner.prefix):
            self.sessions.end_all(step, self.lives.why)
        self.policy.settled(step)
