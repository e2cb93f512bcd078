"""A schedule as text: what a campaign's seed, the minimiser, or whoever drove a world by hand came to, in a file that a
person can read and run.

Rules that hold here:
- What is written is read back as the same schedule, so that it gives the same run, event for event.
- Of a schedule with a mistake in it, the run with the mistake is written.
- A line that was read from a file is written as it stands there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, assert_never

from engine.core.entry import (
    Add,
    AddLearner,
    Block,
    Move,
    Operation,
    Promote,
    Readmit,
    Remove,
    Tweet,
    Unblock,
    Withdrawal,
)
from engine.core.ids import SiteId, Tick
from engine.core.settings import CHANGE_LAG, Timings
from engine.sim.scenario.acts import (
    Act,
    Clear,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    GiveUp,
    Links,
    MembersChange,
    Mend,
    Narrow,
    Pause,
    PutBack,
    Read,
    Readmission,
    Restart,
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.scenario.parse_lines import POINTS, TIMEOUT
from engine.sim.scenario.schedule import (
    Command,
    Deliver,
    Drop,
    Duplicate,
    Hold,
    Line,
    Release,
    RunFor,
    RunUntil,
    RunUntilQuiet,
    Schedule,
    Step,
)
from engine.sim.scenario.words import BadLine, Words, quote
from engine.sim.scenario.write_expectations import checkable, expectation
from engine.sim.scenario.write_expectations import pattern as write_pattern
from engine.sim.world.setup import Setup, Weather

_HANDLES: Final[dict[type, str]] = {
    Hold: "hold",
    Release: "release",
    Deliver: "deliver",
    Drop: "drop",
    Duplicate: "duplicate",
}


def write(schedule: Schedule, comment: str) -> str:
    """The file's text; `comment` goes first, each of its lines behind a `#`."""
    return "\n".join((*(f"# {line}".rstrip() for line in comment.splitlines()), *_lines(schedule))) + "\n"


def _lines(schedule: Schedule) -> Iterator[str]:
    names = schedule.setup.names
    yield from _setup(schedule.setup)
    if schedule.leader is not None:
        yield f"leader {schedule.leader}"
    yield from (f"round {site} {used}" for site, used in schedule.rounds)
    if schedule.broken is not None:
        until = "" if schedule.broken.until is None else f" until {schedule.broken.until}"
        yield f"broken {schedule.broken.mutant}{until}"
    if schedule.is_plan:
        yield "plan"
    timed = [line for line in schedule.lines if schedule.is_plan and line.at is not None]
    yield from (written(line, names) for line in timed)
    if schedule.by_hand:
        yield "by hand"
    yield from (written(line, names) for line in schedule.lines[len(timed) :])
    if schedule.calm_at is not None:
        yield f"calm at {schedule.calm_at} ms"


def written(line: Line, names: tuple[SiteId, ...]) -> str:
    """A line, in a world of these sites."""
    if line.words:
        return line.words
    at = "" if line.at is None else f"at {line.at} ms "
    return at + _command(line.command, names)


def _command(command: Command, names: tuple[SiteId, ...]) -> str:
    match command:
        case Hold(pattern) | Release(pattern) | Deliver(pattern) | Drop(pattern) | Duplicate(pattern):
            return f"{_HANDLES[type(command)]} {write_pattern(pattern)}".rstrip()
        case RunFor(ms):
            return f"run {ms} ms"
        case RunUntilQuiet():
            return "run until quiet"
        case RunUntil(expected, within_ms):
            return f"run until {checkable(expected)} within {within_ms} ms"
        case Step(events, begun):
            return f"step {events}" + ("" if begun is None else f" of {_command(begun, names)}")
        case _ if isinstance(command, Act):
            return _act(command, names)
        case _:
            return f"expect {expectation(command)}"


def _act(act: Act, names: tuple[SiteId, ...]) -> str:
    match act:
        case Submit(site, operations, timeout, retry, give_up_ms):
            gives_up = "" if give_up_ms is None else f" giving up after {give_up_ms} ms"
            again = " retry" if retry else ""
            return f"{site} {' '.join(map(_operation, operations))}{_timeout(timeout)}{again}{gives_up}"
        case GiveUp(event):
            return f"give up {event}"
        case FillHoles(site):
            return f"fill {site}"
        case Read(site, timeout):
            return f"{site} reads{_timeout(timeout)}"
        case Cut(links, for_ms, shape):
            lasts = "" if for_ms is None else f"for {for_ms} ms"
            if _is_said_by(shape, links, names):
                return _joined("cut", shape, lasts)
            return _joined("cut", _links(links), lasts, "as", quote(shape) if " " in shape else shape)
        case Narrow(links, packet_bytes_max):
            return f"limit {_links(links)} {packet_bytes_max} bytes"
        case Mend():
            return "mend"
        case Crash(site, points, only, kept, down_ms):
            point = f" point {points}" if points else ""
            kind = f" only {POINTS[only]}" if only else ""
            return f"crash {site}{point}{kind}{_keeping(kept)}{_down(down_ms)}"
        case CrashAll(kept, down_ms):
            return f"crash all{_keeping(kept)}{_down(down_ms)}"
        case Restart(sites):
            return " ".join(("restart", *sites))
        case Pause(site, for_ms):
            return f"pause {site} {for_ms} ms"
        case ClockJump(site, by_ms):
            return f"jump {site} {by_ms} ms"
        case FailSync(site, down_ms):
            return f"fail sync {site}{_down(down_ms)}"
        case FillDisk(site, down_ms):
            return f"fail write {site}{_down(down_ms)}"
        case FlipBit(site, None):
            return f"damage {site}"
        case FlipBit(site, float(share)):
            return f"damage {site} row {share}"
        case FlipBit(site, slot):
            return f"damage {site} slot {slot}"
        case Wipe(site, down_ms):
            return f"wipe {site}{_down(down_ms)}"
        case Readmission(site, member):
            return f"readmit {site} {member}"
        case MembersChange(site, kind, member):
            return f"{kind} {site} {member}"
        case Clear():
            return "clear"
        case TakeCopy(site):
            return f"copy {site}"
        case PutBack(site, down_ms):
            return f"put back {site}{_down(down_ms)}"
        case _:
            assert_never(act)


def _timeout(timeout: Tick) -> str:
    return "" if timeout == TIMEOUT else f" timeout {timeout} ms"


def _keeping(kept: float) -> str:
    return f" keeping {kept}" if kept else ""


def _down(down_ms: int | None) -> str:
    return "" if down_ms is None else f" down {down_ms} ms"


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def _links(links: Links) -> str:
    return " ".join(f"{a}>{b}" for a, b in links)


def _is_said_by(shape: str, links: Links, names: tuple[SiteId, ...]) -> bool:
    """Whether a cut is called by its sides, as `alice | bob carol`."""
    words = Words(shape, names)
    with suppress(BadLine):
        return words.links() == links and words.done
    return False


def _operation(operation: Operation) -> str:
    match operation:
        case Tweet(text):
            return f"tweets {quote(text)}"
        case Block(target):
            return f"blocks {target}"
        case Unblock(target):
            return f"unblocks {target}"
        case Withdrawal() | Readmit() | Add() | AddLearner() | Promote() | Remove() | Move():
            raise AssertionError(f"no line of a scenario submits {operation}")
        case _:
            assert_never(operation)


# The setup


def _setup(setup: Setup) -> Iterator[str]:
    names = setup.names
    yield f"sites {' '.join(names)}"
    if setup.later:
        yield f"later {' '.join(setup.later)}"
    yield f"seed {setup.seed}"
    if len(set(setup.leadership)) == 1:
        yield f"leadership {setup.leadership[0]}"
    else:
        yield "leadership " + " ".join(f"{name} {mode}" for name, mode in zip(names, setup.leadership, strict=True))
    for word in ("heartbeat", "retransmit", "fill_every", "scan_every"):
        ms = getattr(setup.timings, word)
        if ms != getattr(Timings(), word):
            yield f"{word.replace('_', '-')} {ms} ms"
    yield from (f"heartbeat {name} {every} ms" for name, every in setup.heartbeats)
    yield f"page {setup.page_bytes} bytes"
    yield from (f"disk {name} {ms} ms" for name, ms in zip(names, setup.disk_ms, strict=True) if ms)
    if setup.tick_late_ms:
        yield f"timers late {setup.tick_late_ms} ms"
    if setup.change_lag != CHANGE_LAG:
        yield f"changes wait {setup.change_lag} slots"
    if setup.chosen_waits_ms:
        yield f"chosen waits {setup.chosen_waits_ms} ms"
    yield from (f"stamps {name} {' '.join(map(str, said))}" for name, said in setup.stamps)
    usual = setup.usual
    yield f"links {_weather(usual)}"
    yield from (f"link {a} {b} {_weather(weather)}" for (a, b), weather in setup.between().items() if weather != usual)


def _weather(weather: Weather) -> str:
    said = [f"delay {weather.delay_min} ms spread {weather.delay_spread} ms"]
    if weather.late or weather.late_max:
        said.append(f"late {weather.late} late-max {weather.late_max} ms")
    said += [f"{word} {share}" for word in ("loss", "duplicate", "stale") if (share := getattr(weather, word))]
    return " ".join(said)
