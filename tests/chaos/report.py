"""What a campaign saw, for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from tests.chaos.users import Submission

Json = dict[str, Any]

SHOWN_MAX: Final = 50
SHOWN_FAULTS_MAX: Final = 6


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which no event was told to be created; `during`: the faults that stood then, in words."""

    begins_s: float
    ends_s: float
    during: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return self.ends_s - self.begins_s


NO_STALL: Final = Stall(0, 0)


@dataclass(slots=True)
class Report:
    seed: int
    seconds: float
    sites: int
    leadership: str
    network: str
    faults: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    """How many engines were killed, frozen, stopped."""
    pause: str | None = None
    """What became of the leader that stood still for long."""
    told: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    """What became of those that were told `unknown`."""
    stalled: Stall = NO_STALL
    """The longest; times are since the faults began."""
    stalled_whole: Stall = NO_STALL
    """The same while a majority ran and was not cut apart, the time that engines take to start included."""
    converged_s: float | None = None
    slots: int = 0
    audits: int = 0
    claims: int = 0
    """How many promises and acceptances engines told of, in messages, and were held to (D1)."""
    audited: Json | None = None
    """The audit of the stopped sites."""
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.wrong

    def text(self) -> str:
        converged = "did NOT converge" if self.converged_s is None else f"converged after {self.converged_s:.1f} s"
        again = f"settled later: {_counts(self.settled)}" if self.settled else "none was left unknown for long"
        lines = [
            ("campaign", f"seed {self.seed}, {self.seconds:g} s, {self.sites} sites, leadership {self.leadership}"),
            ("network", self.network),
            ("events", f"{sum(self.told.values())} submitted: {_counts(self.told)}"),
            ("unknown", again),
            ("faults", f"{sum(self.faults.values())}: {_counts(self.faults)}"),
            ("engines", _counts(self.hits) or "none was touched"),
            ("pause", self.pause or "no leader stood still for long"),
            ("progress", f"longest time without an event created: {_stall(self.stalled)}"),
            ("", f"the same with a majority that could talk: {_stall(self.stalled_whole)}"),
            ("healed", f"{converged}; {self.slots} slots in the log"),
            ("audit", f"{self.audits} beside running engines, {_audited(self.audited)}"),
            ("traces", f"{self.claims} promises and acceptances in messages, each held against its store"),
        ]
        text = [f"{name:<9} {what}" for name, what in lines]
        if self.passed:
            return "\n".join([*text, "verdict   all that was told is true, and no rule is broken"])
        shown = [f"          {sentence}" for sentence in self.wrong[:SHOWN_MAX]]
        if len(self.wrong) > SHOWN_MAX:
            shown.append(f"          and {len(self.wrong) - SHOWN_MAX} more")
        return "\n".join([*text, f"verdict   VIOLATED: {len(self.wrong)}", *shown])


def count_told(submissions: Sequence[Submission]) -> Counter[str]:
    return Counter("nothing told" if each.outcome is None else each.outcome["outcome"] for each in submissions)


def longest_stall(submissions: Sequence[Submission], begun_s: float, over_s: float) -> Stall:
    """The longest time in which no event was told to be created, within the span of these two times."""
    created = [
        each.ended_s
        for each in submissions
        if each.outcome is not None and each.outcome["outcome"] == "created" and each.ended_s is not None
    ]
    times = sorted([begun_s, over_s, *(at for at in created if begun_s < at < over_s)])
    return max((Stall(before, after) for before, after in pairwise(times)), key=lambda stall: stall.seconds)


def _stall(stall: Stall) -> str:
    shown = [*stall.during[:SHOWN_FAULTS_MAX], *(["..."] if len(stall.during) > SHOWN_FAULTS_MAX else [])]
    during = f", while {'; '.join(shown)}" if shown else ""
    return f"{stall.seconds:.1f} s, from second {stall.begins_s:.1f} on{during}"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counter.most_common())


def _audited(audit: Json | None) -> str:
    if audit is None:
        return "none at the end"
    if audit["violations_found"]:
        return f"at the end {audit['violations_found']} violations"
    return f"at the end {audit['slots']} slots and {audit['events']} events: no violation"
