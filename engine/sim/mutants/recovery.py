"""Mutants of learning (R1, R2), holes (R3), recovery (R4), linearizable reads (R5) and lost disks (D5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import structs

import engine.core.replica
from engine.core.entry import Entry, Unblock, decode
from engine.core.ids import SiteId, Slot, StoreId, Tick
from engine.core.leading.policy import Policy
from engine.core.log.filler import Filler
from engine.core.log.learner import Learner
from engine.core.log.linearizable_reads import LinearizableReads
from engine.core.log.microblog import Microblog
from engine.core.log.scanner import Asking, Scanner
from engine.core.messages import GREETINGS, Ask, AskHighest, Highest
from engine.core.peers.lives import Lives
from engine.core.step import Step
from engine.sim.mutants.mutant import Mutant, Patch


def _learned_is_what_is_applied(_: Any) -> Any:
    def unlearned(self: Learner, first: Slot, last: Slot) -> list[tuple[Slot, Slot]]:
        first = max(first, Slot(self.prefix + 1))
        return [(first, last)] if first <= last else []

    return unlearned


def _blocks_stand_for_ever(original: Any) -> Any:
    def blocking(self: Microblog, slot: Slot, author: SiteId, entry: Entry) -> Any:
        return [] if isinstance(decode(entry.body).operation, Unblock) else original(self, slot, author, entry)

    return blocking


def _never_compete(_: Any) -> Any:
    def compete(self: Filler, _step: Step, fill: Any) -> None:
        self._fills.pop(fill.slot, None)

    return compete


def _asked_in_vain(_: Any) -> Any:
    def on_asked(_self: Policy, _sender: SiteId, _message: Ask) -> None:
        pass

    return on_asked


def _highest_is_the_prefix(_: Any) -> Any:
    def highest(learner: Learner, message: AskHighest) -> Highest:
        return Highest(message.nonce, learner.prefix, learner.prefix)

    return highest


def _one_answer_is_enough(original: Any) -> Any:
    def conclude(self: Scanner, step: Step) -> None:
        phase, settings = self._phase, self._settings
        if isinstance(phase, Asking) and (phase.answers or len(settings.sites) == 1):
            everybody = tuple((site, None) for site in settings.sites)
            self._phase = structs.replace(phase, stores=everybody)
        original(self, step)

    return conclude


def _read_of_a_minority(original: Any) -> Any:
    def conclude(self: LinearizableReads, step: Step) -> None:
        question = self._question
        stores = {} if question is None else question.stores
        silent = next((peer for peer in self._settings.peers if peer not in stores), None)
        if silent is not None:
            stores[silent] = None  # counts as if it had answered
        original(self, step)
        if silent is not None:
            del stores[silent]

    return conclude


def _read_takes_stale_answers(original: Any) -> Any:
    def on_highest(self: LinearizableReads, step: Step, sender: SiteId, message: Highest, life: StoreId | None) -> None:
        question = self._question
        said = message if question is None else structs.replace(message, nonce=question.nonce)
        original(self, step, sender, said, life)

    return on_highest


def _read_does_not_wait(original: Any) -> Any:
    def reach(self: LinearizableReads, step: Step) -> None:
        for waiting in self._waiting:
            waiting.bound = min(waiting.bound, self._learner.prefix)
        original(self, step)

    return reach


def _read_joins_what_was_asked(original: Any) -> Any:
    def begin(self: LinearizableReads, step: Step, token: int, timeout: Tick) -> None:
        original(self, step, token, timeout)
        if self._question is not None:
            self._question.reads |= self._next
            self._next.clear()

    return begin


def _everybody_votes(_: Any) -> Any:
    return property(lambda _self: True)


def _votes_go_to_anybody(_: Any) -> Any:
    """A site that votes too soon would still hold back its votes to whoever has not recorded its store since the start.
    So the mutant of that breaks this second bar too; only those of whom no store is known are sent nothing but
    greetings, as ever."""

    def hold_back(self: Lives, step: Step) -> None:
        sends = step.effects.sends
        step.effects.sends = [s for s in sends if s.to not in self._company.unmet or type(s.message) in GREETINGS]

    return hold_back


def _nobody_remembers(original: Callable[..., bool]) -> Any:
    def on_hello(self: Lives, step: Step, packet: Any, message: Any) -> bool:
        self._company.met(packet.sender).memory = None
        return original(self, step, packet, message)

    return on_hello


def _commit_of_now(_: Any) -> Any:
    def commit_for(self: Lives, _to: SiteId) -> int:
        return self.commit

    return commit_for


_replica = engine.core.replica

MUTANTS: Final = (
    Mutant(
        "R1",
        "what is learned above a hole is learned anew",
        (Patch(Learner, "unlearned", _learned_is_what_is_applied),),
    ),
    Mutant("R2", "blocks stand for ever", (Patch(Microblog, "_blocking", _blocks_stand_for_ever),)),
    Mutant("R3", "the filler never competes", (Patch(Filler, "_compete", _never_compete),)),
    Mutant(
        "R4",
        "tells its prefix as the highest slot it used",
        (Patch(_replica, "highest", _highest_is_the_prefix),),
    ),
    Mutant("R4", "trusts the highest slot that one peer tells", (Patch(Scanner, "_conclude", _one_answer_is_enough),)),
    Mutant("R5", "a read asks less than a majority", (Patch(LinearizableReads, "_conclude", _read_of_a_minority),)),
    Mutant(
        "R5",
        "a read takes answers to other questions",
        (Patch(LinearizableReads, "on_highest", _read_takes_stale_answers),),
    ),
    Mutant("R5", "a read does not wait for its bound", (Patch(LinearizableReads, "reach", _read_does_not_wait),)),
    Mutant(
        "R5", "a read joins a question that is out", (Patch(LinearizableReads, "begin", _read_joins_what_was_asked),)
    ),
    Mutant(
        "D5",
        "every store votes at once",
        (Patch(Lives, "voting", _everybody_votes), Patch(Lives, "hold_back", _votes_go_to_anybody)),
    ),
    Mutant("D5", "an old copy tells the commit that it caught up to", (Patch(Lives, "commit_for", _commit_of_now),)),
    Mutant("D5", "nobody remembers a store", (Patch(Lives, "on_hello", _nobody_remembers),)),
)

RARE: Final = (Mutant("R3", "leaves a hole to one that does not vote", (Patch(Policy, "on_asked", _asked_in_vain),)),)
