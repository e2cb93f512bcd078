"""A leader in a small cluster in which the log changes who votes.

Rules that hold here:
- M2: it may be told what is chosen between two promises of its range, too: what it counted before counts as the log
  says then.
- M4, M5: it stands only while it may propose, as `engine.core.leading.elected` has it; what it says as a leader, the
  production `Leader` sees to.
- P2c: at a slot that is settled it proposes what is chosen there. That is seen to here, and does not leave: the votes
  for it could only come to what is told anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.core.consensus import Consensus
from engine.core.entry import in_words
from engine.core.ids import Round, Slot
from engine.core.messages import Accept, Chosen, Message, Prepare
from engine.core.run import slots_of
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.electors import Store
from engine.sim.proving.exhaustive.leaders import Leads
from engine.sim.proving.exhaustive.sites import Site, SiteState
from engine.sim.proving.exhaustive.voters import Ground, is_admitted, is_too_early
from engine.sim.violation import violate


@dataclass(frozen=True, slots=True)
class Candidate(Leads):
    """May stand for election as `store`, and be handed events, as `Leads`; it settles no slot by a synod."""

    ground: Ground = field(kw_only=True)
    store: Store = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(slots_of(Slot(1), self.ground.last))

    def made(self, learned: logs.Log, used: Round) -> Consensus:
        return self.ground.consensus(self.store, learned, used=used)

    def may_stand(self, state: SiteState) -> bool:
        consensus = state.consensus
        return is_admitted(self.store, consensus) and consensus.proposes_through() > consensus.learner.prefix

    def is_of_range(self, message: Message) -> bool:
        """Or what is chosen, which is told while promises of a range are counted."""
        return isinstance(message, Chosen) or Site.is_of_range(self, message)

    def heard(self, state: SiteState, sender: Store, message: Message) -> SiteState | None:
        return state if is_too_early(message, state.learned) else Site.heard(self, state, sender, message)

    def said(self, after: SiteState, messages: frozenset[Message]) -> frozenset[Message]:
        sent = {message for message in messages if isinstance(message, Prepare | Accept)}
        self.ground.electors.judge(self.store, after.learned, None, sent)
        self.ground.electors.judge_prefix(after.learned, after.consensus.microblog.last_in_effect)
        return frozenset(part for message in sent for part in self._unsettled(message))

    def _unsettled(self, message: Message) -> Iterator[Message]:
        if not isinstance(message, Accept):
            yield message
            return
        settled = dict(self.ground.settled)
        for slot, entry in message.run:
            if settled.get(slot, entry) != entry:
                said = f"{message.ballot} proposes {in_words(entry)}; chosen is {in_words(settled[slot])}"
                violate("B2", said, slot=slot, site=self.site)
        first = Slot(max(message.run.first, len(settled) + 1))
        if first <= message.run.last:
            yield Accept(message.ballot, message.run.cut(first, message.run.last))
