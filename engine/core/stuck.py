"""Why events of a site do not get on, and why holes stay holes, in words and counts: the reason that `not-created`,
`unknown` and an unsettled `fill` give (E2, R3)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.ids import SiteId, Tick
from engine.core.learner import Learner
from engine.core.lives import Lives
from engine.core.peers import Peers
from engine.core.policy import Policy
from engine.core.scanner import Scanner
from engine.core.views import AttemptView


@dataclass(frozen=True, slots=True)
class InTheWay:
    """The parts of a replica that may be."""

    lives: Lives
    peers: Peers
    scanner: Scanner
    policy: Policy
    learner: Learner


def why_stuck(now: Tick, site: SiteId, parts: InTheWay) -> str:
    """The first thing that is in the way of this site's events."""
    counts = _counts(parts)
    barred = _barred(site, parts)
    if barred is not None:
        return barred
    if not parts.scanner.ready:
        return f"still finding out how far the log goes; {counts}"
    stuck = parts.policy.stuck(now)
    if stuck is not None:
        return f"{stuck}; {counts}"
    hole = next(iter(parts.learner.holes(1)), None)
    if hole is not None:
        return f"slot {hole} before it is not settled yet; {counts}"
    return f"its turn did not come; {counts}"


def why_unsettled(now: Tick, site: SiteId, attempt: AttemptView | None, parts: InTheWay) -> str:
    """The first thing that is in the way of settling a hole, about which this site does `attempt`."""
    counts = _counts(parts)
    barred = _barred(site, parts)
    if barred is not None:
        return barred
    if not parts.policy.fills(now):
        leader = parts.policy.leader(now)
        if leader is None:
            return (
                f"no leader is heard; the next one settles it, or {site} itself after some time without one; {counts}"
            )
        return f"{leader} leads, and has not settled it yet; {counts}"
    return f"{'its turn did not come' if attempt is None else attempt.why}; {counts}"


def _barred(site: SiteId, parts: InTheWay) -> str | None:
    """What keeps a site from settling anything at all."""
    if not parts.lives.voting:
        return f"{site} does not vote: {parts.lives.why}"
    quorum = parts.peers.quorum(parts.lives.voting)
    return f"no quorum: {_counts(parts)}" if quorum.reachable < quorum.needed else None


def _counts(parts: InTheWay) -> str:
    quorum = parts.peers.quorum(parts.lives.voting)
    return f"{quorum.reachable} of {quorum.size} reachable, {quorum.needed} needed"
