"""What runs reached: a campaign that never met a duel or a torn commit has shown nothing about them.

Rules that hold here:
- A state has a name in plain words; it counts each time that it is reached.
- A campaign fails if a state of EXPECTED was reached in none of its runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never

from engine.core.effects import (
    Observation,
    RecoveryPhase,
    SawApplied,
    SawAttempt,
    SawBiography,
    SawFilled,
    SawHanded,
    SawHoles,
    SawLearned,
    SawMembers,
    SawNumbered,
    SawOutcome,
    SawPeer,
    SawProof,
    SawReadConfirmed,
    SawReadUnconfirmed,
    SawRecovery,
    SawRejected,
    SawRemoved,
    SawStanding,
)
from engine.core.views import AttemptPhase, ElectionPhase


class CrashPoint(StrEnum):
    """Between which two effects a process ends."""

    IDLE = "crash while idle"
    BEFORE_COMMIT = "crash before the commit"
    TORN_COMMIT = "crash between write and sync"
    AFTER_COMMIT = "crash after the commit, before the first send"
    BETWEEN_SENDS = "crash between two sends"
    BEFORE_TELL = "crash after the last send, before the first outcome is told"
    BETWEEN_TELLS = "crash between two outcomes"


class Reached:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, state: str) -> None:
        self.counts[state] += 1

    def observed(self, saw: Observation) -> None:
        match saw:
            case SawProof() | SawPeer() | SawMembers() | SawRemoved():
                pass
            case SawRejected():
                self.counts[f"rejected: {saw.reason.value}"] += 1
            case SawLearned() | SawApplied() | SawNumbered() | SawHoles() | SawStanding() | SawBiography():
                pass
            case SawHanded():
                self.counts["events are handed on"] += 1
            case SawAttempt():
                if saw.phase in _ATTEMPTS:
                    self.counts[_ATTEMPTS[saw.phase]] += 1
            case SawOutcome():
                self.counts[f"told {saw.outcome.value}"] += saw.count
                if saw.count > 1:
                    self.counts["outcomes told as a run"] += 1
            case SawFilled():
                self.counts[f"hole: {saw.result}"] += 1
            case SawReadConfirmed():
                self.counts["read confirmed"] += 1
            case SawReadUnconfirmed():
                self.counts["read unconfirmed"] += 1
            case SawRecovery():
                if saw.phase is RecoveryPhase.COPYING:
                    self.counts["copies from a peer"] += 1
            case _:
                assert_never(saw)


_ATTEMPTS: Final[Mapping[AttemptPhase | ElectionPhase, str]] = {
    AttemptPhase.WAITING: "proposer is defeated",
    AttemptPhase.ADOPTING: "entry is adopted",
}

VOTES_AGAIN: Final = "a store votes again while a leader lasts that it promised before"

EXPECTED: Final = (
    *(point.value for point in CrashPoint),
    *_ATTEMPTS.values(),
    "told created",
    "told lost",
    "told not-created",
    "told unknown",
    "hole: learned",
    "hole: no-op",
    "hole: recovered",
    "hole: no-quorum",
    "copies from a peer",
    "read confirmed",
    "read unconfirmed",
    "read waits for its prefix",
    "rejected: other-life",
    "rejected: stale-answer",
    "quorum that just sufficed",
    "event goes to the next slot",
    "unknown settled: created",
    "unknown settled: lost",
    "lost disk detected",
    "datagram of before comes again",
    "inputs merged into one pass",
    "unsynced commit kept",
    "unsynced commit lost",
    "store refused",
    "accept left beside a commit that was lost",
    "told what was chosen, and died before that was durable",
    "several events submitted together",
    "outcomes told as a run",
    "accept of several slots",
    "accept of several slots that is partly refused",
    "promise that splits a run",
    "run cut by the datagram's size",
    "run learned out of order",
    "crash between a run's acceptance and its learning",
    "crash with part of a run learned",
    VOTES_AGAIN,
)
