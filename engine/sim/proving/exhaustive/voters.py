"""The stores of those who vote, where the log changes who they are; and what all sites of such a cluster stand on.

Rules that hold here:
- A store that the log admits votes once it has learned the entry that does (M4), as `engine.core.peers.lives` has it.
- Each step is made by the production `Consensus`, anew of what is durable: so each store may crash at every point.
- What is chosen is told in slot order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final, NamedTuple

from engine.core.broken import BrokenRule
from engine.core.consensus import Consensus
from engine.core.ids import Round, SiteId, Slot
from engine.core.messages import Accept, Accepted, Chosen, Message, Prepare, Promise
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from engine.core.storage import Standing, Voted, WriteLearned, WriteRanges, WriteVote
from engine.sim.proving.exhaustive import logs
from engine.sim.proving.exhaustive.acceptors import Promises
from engine.sim.proving.exhaustive.electors import Electors, Store
from engine.sim.proving.exhaustive.invariants import Proposal, Witness
from engine.sim.violation import violate

NO_ROUND: Final = Round(0)
NO_PROMISES: Final = Promises()


@dataclass(frozen=True, slots=True)
class Ground:
    """What all sites stand on: with whom the cluster began, w, what is `settled` before the search begins, up to which
    slot it goes, and who judges what is said."""

    founders: tuple[SiteId, ...]
    lag: int
    settled: logs.Log
    last: Slot
    electors: Electors

    def consensus(
        self, store: Store, learned: logs.Log, *, used: Round = NO_ROUND, disk: Promises = NO_PROMISES
    ) -> Consensus:
        standing = Standing.ADMITTED if store.is_first else Standing.READMITTED
        return logs.consensus(
            _settings(store.site, self.founders, self.lag),
            learned,
            used=used,
            votes=disk.votes,
            ranges=disk.ranges,
            life=store.life,
            standing=standing,
        )


@cache
def _settings(site: SiteId, founders: tuple[SiteId, ...], lag: int) -> Settings:
    return replace(Settings(site, founders, Leadership.ELECTED), change_lag=lag)


class VoterState(NamedTuple):
    """What is durable on one store, what it ever accepted, and the votes that it sent."""

    disk: Promises = NO_PROMISES
    learned: logs.Log = frozenset()
    accepted: frozenset[Proposal] = frozenset()
    sent: frozenset[Message] = frozenset()

    def witness(self) -> Witness:
        return Witness(accepted=self.accepted, learned=self.learned)


def take(ground: Ground, store: Store, before: VoterState, message: Message) -> VoterState:
    """The store takes a message, commits, and answers. Raises Violated."""
    consensus = ground.consensus(store, before.learned, disk=before.disk)
    step = Step(logs.NOW, store.site, voting=is_admitted(store, consensus))
    assert isinstance(message, Prepare | Accept | Chosen)
    try:
        consensus.take(step, SiteId("p"), message)
    except BrokenRule as broken:
        violate(broken.rule, broken.evidence, site=store.site)
    votes, ranges = before.disk.spans(), before.disk.ranges
    learned, accepted = before.learned, before.accepted
    for write in step.effects.writes:
        match write:
            case WriteVote(first, last, vote):
                votes.put(first, last, vote)
                if vote.accepted is not None:
                    accepted = accepted.union(
                        (Slot(first + at), vote.accepted, entry) for at, entry in enumerate(vote.entries)
                    )
            case WriteRanges():
                ranges = write.ranges
            case WriteLearned(run):
                votes.remove(run.first, run.last)
                learned = learned.union(run)
            case _:
                pass
    disk = Promises(tuple(Voted(*part) for part in votes), ranges)
    sent = {send.message for send in step.effects.sends if isinstance(send.message, Promise | Accepted)}
    ground.electors.judge(store, learned, disk, sent)
    ground.electors.judge_prefix(learned, consensus.microblog.last_in_effect)
    return VoterState(disk, learned, accepted, before.sent | sent)


def is_admitted(store: Store, consensus: Consensus) -> bool:
    return store.is_first or consensus.members.admits(store.site, store.life)


def is_too_early(message: Message, learned: logs.Log) -> bool:
    """What is chosen is told in slot order."""
    return isinstance(message, Chosen) and any(logs.at(learned, Slot(slot)) is None for slot in range(1, message.first))
