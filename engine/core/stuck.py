"""Why events of a site do not get on: the reason that `not-created` and `unknown` give, in words and counts (E2)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.ids import SiteId, Slot, Tick
from engine.core.learner import Learner
from engine.core.lives import Lives
from engine.core.peers import Peers
from engine.core.policy import Policy
from engine.core.scanner import Scanner


@dataclass(frozen=True, slots=True)
class InTheWay:
    """The parts of a replica that may be."""

    lives: Lives
    peers: Peers
    scanner: Scanner
    policy: Policy
    learner: Learner


def why_stuck(now: Tick, site: SiteId, parts: InTheWay) -> str:
    """The first thing that is in the way."""
    lives, peers, scanner, policy, learner = parts.lives, parts.peers, parts.scanner, parts.policy, parts.learner
    quorum = peers.quorum(lives.voting)
    counts = f"{quorum.reachable} of {quorum.size} reachable, {quorum.needed} needed"
    if not lives.voting:
        return f"{site} does not vote: {lives.why}"
    if quorum.reachable < quorum.needed:
        return f"no quorum: {counts}"
    if not scanner.ready:
        return f"still finding out how far the log goes; {counts}"
    stuck = policy.stuck(now)
    if stuck is not None:
        return f"{stuck}; {counts}"
    hole = next(iter(learner.holes(Slot(1), 1)), None)
    if hole is not None:
        return f"slot {hole} before it is not settled yet; {counts}"
    return f"its turn did not come; {counts}"
