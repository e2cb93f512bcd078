"""Mutants of holes (R3), recovery (R4) and lost disks (D5)."""

from __future__ import annotations

from typing import Any, Final

import engine.core.replica
from engine.core.filler import Filler
from engine.core.learner import Learner
from engine.core.lives import Lives
from engine.core.messages import AskHighest, Highest
from engine.core.scanner import Asking, Scanner
from engine.core.step import Step
from engine.sim.mutants.mutant import Mutant, Patch


def _never_compete(_: Any) -> Any:
    def compete(self: Filler, _step: Step, fill: Any) -> None:
        self._fills.pop(fill.slot, None)

    return compete


def _highest_is_the_prefix(_: Any) -> Any:
    def highest(learner: Learner, message: AskHighest) -> Highest:
        return Highest(message.nonce, learner.prefix, learner.prefix)

    return highest


def _one_answer_is_enough(original: Any) -> Any:
    def conclude(self: Scanner, step: Step, voting: bool) -> None:
        phase, settings = self._phase, self._settings
        if isinstance(phase, Asking) and (phase.answers or len(settings.sites) == 1):
            missing = max(0, settings.quorum - len(phase.answers) - voting)
            answers = phase.answers + phase.answers[-1:] * missing
            self._phase = Asking(phase.nonce, answers, phase.answered, phase.resend_at, phase.resend_every)
        original(self, step, voting)

    return conclude


def _everybody_votes(_: Any) -> Any:
    return property(lambda _self: True)


def _nobody_remembers(original: Any) -> Any:
    def on_hello(self: Lives, step: Step, packet: Any, message: Any) -> bool:
        self._peers[packet.sender].memory = None
        return original(self, step, packet, message)  # type: ignore[no-any-return]

    return on_hello


MUTANTS: Final = (
    Mutant("R3", "the filler never competes", (Patch(Filler, "_compete", _never_compete),)),
    Mutant(
        "R4",
        "tells its prefix as the highest slot it used",
        (Patch(engine.core.replica, "highest", _highest_is_the_prefix),),
    ),
    Mutant("R4", "trusts the highest slot that one peer tells", (Patch(Scanner, "_conclude", _one_answer_is_enough),)),
    Mutant("D5", "every store votes at once", (Patch(Lives, "voting", _everybody_votes),)),
    Mutant("D5", "nobody remembers a store", (Patch(Lives, "on_hello", _nobody_remembers),)),
)
