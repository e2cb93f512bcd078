"""What of a scenario cannot be done to real sites, and why; said before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.settings import CHANGE_LAG, Leadership
from engine.sim.mutants.catalogue import named
from engine.sim.scenario.acts import (
    Clear,
    ClockJump,
    Crash,
    CrashAll,
    FailSync,
    FillDisk,
    FlipBit,
    MembersChange,
    Narrow,
    PutBack,
    Readmission,
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.scenario.expected import ExpectHeld, ExpectStopped, ExpectViolation
from engine.sim.scenario.schedule import Deliver, Drop, Duplicate, Hold, Line, Release, Schedule, Step
from engine.sim.world.setup import STEADY

_WAITS: Final = "B4"
_KILL_KEEPS: Final = 1.0
"""What `kill -9` keeps of what was written: the machine goes on."""


def refusals(schedule: Schedule) -> Iterator[str]:
    """A sentence for each thing that real sites cannot do."""
    if schedule.is_plan:
        yield "a plan needs the simulated world: its calm ends faults that cannot be ended on a real machine"
        return
    if schedule.broken is not None:
        mistake = named(schedule.broken.mutant)
        yield f"a mistake ({mistake.rule}: {mistake.what}) exists only in simulated sites: real ones do not break rules"
        return
    yield from _setup(schedule)
    for line in schedule.lines:
        why = _line(line)
        if why is not None:
            yield f"{line.words or line.command!r} (line {line.number}): {why}"


def on_real_sites(schedule: Schedule) -> Schedule:
    """What of it real sites are asked for. Who only tries again too early (B4) breaks nothing that was promised:
    they play what happens without that mistake."""
    mended, broken = schedule.mended, schedule.broken
    return mended if mended is not None and broken is not None and named(broken.mutant).rule == _WAITS else schedule


def _setup(schedule: Schedule) -> Iterator[str]:
    setup = schedule.setup
    if any(setup.disk_ms):
        yield "disk: the time of a real disk cannot be set"
    if setup.tick_late_ms:
        yield "timers late: a real machine's timers are as late as they are"
    if setup.change_lag != CHANGE_LAG:
        yield "changes wait: of real sites it is a constant (M1)"
    if setup.stamps:
        yield "stamps: the machine's clock is shared by all"
    if any(weather != STEADY for row in setup.links for weather in row):
        yield "link: what a real link loses is left to chance, so no line could wait for it"
    if schedule.rounds and set(setup.leadership) != {Leadership.NONE}:
        yield "round: rounds are used up by full synods, as with leadership none"


def _line(line: Line) -> str | None:
    match line.command:
        case Submit(operations=operations) if len(operations) > 1:
            return "the user of a real site submits one event at a time: write a line for each"
        case Clear():
            return "real sites are never cleared: acknowledged events would be lost, and a lost disk never votes (D5)"
        case Step():
            return "the events of real sites cannot be counted"
        case Wipe():
            return "a real site's store is not deleted: the site would remain a learner (D5)"
        case TakeCopy() | PutBack():
            return "an old copy must never replace a real store (D5)"
        case MembersChange():
            return "the real sites of a demo do not change"
        case Readmission():
            return "a real site's store is not deleted, so no site has to be readmitted (M4)"
        case FlipBit():
            return "a real store is not damaged"
        case FailSync() | FillDisk():
            return "a real disk does not fail on demand"
        case ClockJump():
            return "the machine's clock is shared by all"
        case Narrow():
            return "fault rules match messages, not packet lengths"
        case CrashAll(kept=kept) | Crash(kept=kept) if kept not in {0.0, _KILL_KEEPS}:
            return "what a real disk keeps of unsynced data cannot be set"
        case Crash(points=points) if points:
            return "a real process is killed from outside, at an unknown point"
        case ExpectStopped() | ExpectViolation():
            return "only a simulated site can be broken"
        case (
            Hold(pattern)
            | Release(pattern)
            | Deliver(pattern)
            | Drop(pattern)
            | Duplicate(pattern)
            | ExpectHeld(pattern)
        ) if pattern.numbers:
            return "the numbers of messages are those of the simulated world"
        case Hold(pattern) | Release(pattern) if pattern.ballot is not None:
            return "it is not known in advance which ballots real sites use: hold, then deliver or drop by ballot"
        case _:
            return None
