"""Who proposes at single slots by the full synod, in a small cluster in which the log changes who votes.

Rules that hold here:
- Each step is made by the production `Consensus`, anew of what is durable, and of the attempt that is under way: so a
  proposer may crash at every point.
- M2, M4: it proposes where `proposes_through` lets it, and a store that the log has to admit nowhere before.
- All that is counted of one ballot is counted in one step, or it is not begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.entry import Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.run import run_of
from engine.core.step import Step
from engine.core.storage import WriteLearned
from engine.core.synod.phases import Accepting, Preparing
from engine.core.synod.proposer import Attempt
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.acceptors import Counted
from engine.sim.proving.exhaustive.casts import Choice
from engine.sim.proving.exhaustive.electors import Store, X
from engine.sim.proving.exhaustive.invariants import Witness, proposed
from engine.sim.proving.exhaustive.proposers import Mail
from engine.sim.proving.exhaustive.voters import NO_ROUND, Ground, is_admitted
from engine.sim.violation import violate


class Aim(NamedTuple):
    """What a proposer would have at a slot, and with which rounds it may try."""

    slot: Slot
    entry: Entry
    rounds: tuple[Round, ...]


class UnderWay(NamedTuple):
    slot: Slot
    own: Entry
    phase: Preparing | Accepting


class SynodState(NamedTuple):
    """`taken`: the rounds of its attempts."""

    learned: logs.Log = frozenset()
    attempt: UnderWay | None = None
    taken: frozenset[Round] = frozenset()
    sent: frozenset[Message] = frozenset()

    @property
    def awaited(self) -> tuple[type[Message], ...]:
        return tuple(kind for _, kind, _ in self.open)

    @property
    def open(self) -> Counted:
        if self.attempt is None:
            return frozenset()
        slot, _, phase = self.attempt
        return frozenset({(phase.ballot, Promise if isinstance(phase, Preparing) else Accepted, slot)})

    def witness(self) -> Witness:
        return Witness(proposed=proposed(self.sent), learned=self.learned)


@dataclass(frozen=True, slots=True)
class Synods:
    """`store`: what it proposes as."""

    ground: Ground
    store: Store
    aims: tuple[Aim, ...]
    listens: bool = field(default=True, init=False)

    @property
    def site(self) -> SiteId:
        return self.store.site

    def start(self, settled: logs.Log) -> SynodState:
        return SynodState(learned=settled)

    def attempts(self, state: SynodState) -> Iterator[Choice]:
        for aim in self.aims:
            for tried in aim.rounds:
                after = None if tried in state.taken else self._attempted(state, aim, tried)
                if after is not None:
                    yield Choice(f"asks for promises of {tried}.{self.site} at slot {aim.slot}", after)

    def hear(self, state: SynodState, mail: Mail) -> Iterator[Choice]:
        """In any order, and again; if nothing is said or learned then, it is not begun."""
        half_counted, known = [state], {state}
        for before in half_counted:
            for sender, message in mail:
                after = self._heard(before, sender, message)
                if after.learned != state.learned or after.sent != state.sent:
                    yield Choice("counts a majority", after)
                elif after not in known:
                    known.add(after)
                    half_counted.append(after)

    def listen(self, state: SynodState, said: Chosen) -> Iterator[Choice]:
        yield Choice(f"is told {said.note()}", self._heard(state, Store(X), said))

    def _attempted(self, before: SynodState, aim: Aim, number: Round) -> SynodState | None:
        """An attempt in this round, whatever became of the one before; None where it may not, or would take another."""
        consensus = self._consensus(before)
        if not is_admitted(self.store, consensus):
            return None
        if aim.slot > consensus.proposes_through() or logs.at(before.learned, aim.slot) is not None:
            return None
        consensus.rounds.saw(Ballot(Round(number - 1), self.site))
        step = logs.step(self.site)
        consensus.proposer.start(step, run_of(aim.slot, aim.entry))
        after = self._after(before, consensus, step, aim.slot)
        taken = None if after.attempt is None else after.attempt.phase.ballot.round
        return after._replace(taken=before.taken | {number}) if taken == number else None

    def _heard(self, before: SynodState, sender: Store, message: Message) -> SynodState:
        consensus, step, slot = self._consensus(before), logs.step(self.site), None
        if before.attempt is not None:
            slot, own, phase = before.attempt
            under_way = Attempt(run_of(slot, own), logs.NOW, phase, logs.NOW, logs.NOW)
            consensus.proposer._attempts.put(slot, slot, under_way)
        assert isinstance(message, Promise | Accepted | Chosen)
        try:
            consensus.take(step, sender.site, message, sender.life)
        except BrokenRule as broken:
            violate(broken.rule, broken.evidence, site=self.site)
        return self._after(before, consensus, step, slot)

    def _after(self, before: SynodState, consensus: Consensus, step: Step, slot: Slot | None) -> SynodState:
        """`slot`: where it has an attempt, or had one before this step."""
        writes = (write for write in step.effects.writes if isinstance(write, WriteLearned))
        learned = before.learned.union(*(write.run for write in writes))
        kept = None if slot is None else consensus.proposer.attempt(slot)
        attempt = None
        if slot is not None and kept is not None:
            assert isinstance(kept.phase, Preparing | Accepting)
            attempt = UnderWay(slot, kept.own.entries[0], kept.phase)
        sent = {send.message for send in step.effects.sends if isinstance(send.message, Prepare | Accept)}
        self.ground.electors.judge(self.store, learned, None, sent - before.sent)
        self.ground.electors.judge_prefix(learned, consensus.microblog.last_in_effect)
        return SynodState(learned, attempt, before.taken, before.sent | sent)

    def _consensus(self, before: SynodState) -> Consensus:
        return self.ground.consensus(self.store, before.learned, used=max(before.taken, default=NO_ROUND))
