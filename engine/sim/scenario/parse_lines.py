"""Reads the lines of a schedule: who does what, what becomes of messages, what happens to sites, what is expected.

Rules that hold here:
- `at 300 ms` before an act says its time. The first word after it says what a line is; `USAGES` has one line of grammar
  for each, which errors show.
- Where a site stands first, a user of that site does something.
- What is written by `engine.sim.scenario.write` is read back as the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final

from engine.core.entry import BadOperation, Block, Kind, Operation, Tweet, Unblock, clean_text
from engine.core.ids import SiteId, Tick
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
from engine.sim.scenario.parse_expectations import EXPECT_USAGE, checkable, expectation, pattern
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
    Step,
)
from engine.sim.scenario.words import BadLine, Words
from engine.sim.sometimes import CrashPoint

TIMEOUT: Final = Tick(10_000)

PATTERN: Final = "[all|first|last] [#NUMBER...] [TYPE...] [from SITE...] [to SITE...] [slot N] [ballot ROUND.SITE]"
USER: Final = (
    'SITE tweets "TEXT"... | SITE blocks|unblocks SITE (several of these are submitted together), then'
    " [timeout 500 ms] [retry] [giving up after 300 ms] | SITE reads [timeout 500 ms]"
)
POINTS: Final = {
    CrashPoint.BEFORE_COMMIT: "before commit",
    CrashPoint.TORN_COMMIT: "between write and sync",
    CrashPoint.AFTER_COMMIT: "between commit and send",
    CrashPoint.BETWEEN_SENDS: "between sends",
    CrashPoint.BEFORE_TELL: "between send and outcome",
    CrashPoint.BETWEEN_TELLS: "between outcomes",
}
"""How a file names the points at which a process can end."""

CHANGES: Final = (Kind.ADD, Kind.ADD_LEARNER, Kind.PROMOTE, Kind.REMOVE, Kind.MOVE)

USAGES: Final[dict[str, str]] = {
    "give": "give up SITE/NUMBER",
    "fill": "fill SITE",
    "hold": f"hold {PATTERN}",
    "release": f"release {PATTERN}",
    "deliver": f"deliver {PATTERN}",
    "drop": f"drop {PATTERN}",
    "duplicate": f"duplicate {PATTERN}",
    "cut": "cut SITE... | SITE... (both ways, more sides with more bars), cut SITE... > SITE..., or cut SITE>SITE ...,"
    " then [for 300 ms] [as SHAPE]",
    "limit": "limit SITE... | SITE... 1280 bytes (both ways), limit SITE... > SITE... 1280 bytes,"
    " or limit SITE>SITE ... 1280 bytes",
    "mend": "mend",
    "step": f"step 3, or step 3 of release|deliver|duplicate {PATTERN}, or step 3 of run 300 ms",
    "run": "run 300 ms, or run until quiet, or run until EXPECTATION within 3 s",
    "crash": "crash SITE [before commit | between write and sync keeping all|nothing | between commit and send"
    " | between sends | between send and outcome | between outcomes] [down 300 ms],"
    " or crash SITE point N [only POINT] [keeping 0.5] [down 300 ms], or crash all [keeping 0.5] [down 300 ms]",
    "restart": "restart [SITE...]",
    "pause": "pause SITE 60 s",
    "jump": "jump SITE 60 s",
    "wipe": "wipe SITE [down 300 ms]",
    "readmit": "readmit SITE SITE: by whom, and whom",
    **{kind: f"{kind} SITE SITE: by whom, and whom" for kind in CHANGES},
    "clear": "clear",
    "copy": "copy SITE",
    "put": "put back SITE [down 300 ms]",
    "damage": "damage SITE [slot N | row 0.5]",
    "fail": "fail sync SITE [down 300 ms], or fail write SITE [down 300 ms]",
    "expect": EXPECT_USAGE,
}

_ACTIONS: Final = ("tweets", "blocks", "unblocks")
_POINT: Final = "point at which a process can end"


def line(words: Words, number: int) -> Line:
    """The line of this number in its file. Raises BadLine."""
    if words.peek() != "at" or ("at" in words.sites and not words.peek(1).isdigit()):
        return Line(_command(words, ""), None, number, words.line)
    words.need("at")
    try:
        at = Tick(words.ms())
    except BadLine as bad:
        raise BadLine(f"{bad}; write: at 100 ms ACT") from None
    act = _command(words, "at 100 ms ")
    if not isinstance(act, Act):
        raise BadLine("this has no time: it is done at its turn, where there is no plan")
    return Line(act, at, number, words.line)


def _command(words: Words, when: str) -> Command:
    """`when` is what an example of it begins with."""
    first = words.take("a command")
    if first in words.sites and words.peek() in _ACTIONS:
        return _with_usage(when + USER, words, lambda: _submit(words, SiteId(first)))
    if first in words.sites and words.takes("reads"):
        return _with_usage(when + USER, words, lambda: _read(words, SiteId(first)))
    if first in words.sites and not words.done:
        raise BadLine(f"{words.peek()!r} is not something a user does; write: {when}{USER}")
    if first not in USAGES:
        near = [] if first in words.sites else get_close_matches(first, [*USAGES, *words.sites], 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise BadLine(f"{first!r} does not begin a command: {meant}write {', '.join(USAGES)}, or {USER}")
    return _with_usage(when + USAGES[first], words, lambda: _READERS[first](words))


def _with_usage(usage: str, words: Words, read: Callable[[], Command]) -> Command:
    try:
        done = read()
        words.end()
    except BadLine as bad:
        raise BadLine(f"{bad}; write: {usage}") from None
    return done


def _submit(words: Words, site: SiteId) -> Submit:
    operations: list[Operation] = []
    while words.peek() in _ACTIONS:
        action = words.take()
        if action == "tweets":
            operations += _tweets(words)
        else:
            target = words.site()
            operations.append(Block(target) if action == "blocks" else Unblock(target))
    timeout, retry, give_up_ms = TIMEOUT, False, None
    while not words.done:
        if words.takes("retry"):
            retry = True
        elif words.takes("giving", "up", "after"):
            give_up_ms = words.ms()
        else:
            words.need("timeout")
            timeout = Tick(words.ms())
    return Submit(site, tuple(operations), timeout, retry, give_up_ms)


def _tweets(words: Words) -> Iterator[Tweet]:
    """Several texts stand in quotes; one without quotes goes to the end of the line."""
    while True:
        text = words.quoted() if words.at_quote() else words.rest()
        try:
            yield Tweet(clean_text(text))
        except BadOperation as bad:
            raise BadLine(str(bad)) from None
        if not words.at_quote():
            return


def _read(words: Words, site: SiteId) -> Read:
    return Read(site, Tick(words.ms()) if words.takes("timeout") else TIMEOUT)


def _give_up(words: Words) -> Command:
    words.need("up")
    return GiveUp(words.event())


def _cut(words: Words) -> Command:
    start = words.taken
    nothing = words.peek() == "for" and words.peek(1).isdigit()  # what is drawn for one site
    links = () if nothing else words.links()
    shape = words.since(start)
    for_ms = words.ms() if words.takes("for") else None
    if words.takes("as"):
        shape = words.quoted() if words.at_quote() else words.take("a shape")
    return Cut(links, for_ms, shape)


def _limit(words: Words) -> Command:
    links, size = words.links(), words.number("a size")
    words.need("bytes")
    return Narrow(links, size)


def _step(words: Words) -> Command:
    events = words.number("a count of events")
    if not words.takes("of"):
        return Step(events)
    if words.takes("release"):
        return Step(events, Release(pattern(words)))
    if words.takes("duplicate"):
        return Step(events, Duplicate(pattern(words)))
    if words.takes("run"):
        return Step(events, _run(words))
    words.need("deliver")
    return Step(events, Deliver(pattern(words)))


def _run(words: Words) -> RunFor | RunUntil | RunUntilQuiet:
    if words.takes("until", "quiet"):
        return RunUntilQuiet()
    if words.takes("until"):
        expected = checkable(words)
        words.need("within")
        return RunUntil(expected, words.ms())
    return RunFor(words.ms())


def _crash(words: Words) -> Command:
    if words.takes("all"):
        return CrashAll(_keeping(words), _down(words))
    site = words.site()
    points = words.number("a count of crash points") if words.takes("point") else 0
    only = words.one_of(POINTS, _POINT) if words.takes("only") else None
    if only is None and not points and not words.done and words.peek() not in ("keeping", "down"):
        points, only = 1, words.one_of(POINTS, _POINT)
        if only is CrashPoint.TORN_COMMIT and words.peek() != "keeping":
            words.need("keeping")
    return Crash(site, points, only, _keeping(words), _down(words))


def _keeping(words: Words) -> float:
    if not words.takes("keeping") or words.takes("nothing"):
        return 0.0
    return 1.0 if words.takes("all") else words.fraction("a share of what was not synced")


def _down(words: Words) -> int | None:
    return words.ms() if words.takes("down") else None


def _put_back(words: Words) -> Command:
    words.need("back")
    return PutBack(words.site(), _down(words))


def _damage(words: Words) -> Command:
    site = words.site()
    if words.takes("row"):
        return FlipBit(site, words.fraction("a place in the log"))
    return FlipBit(site, words.slot() if words.takes("slot") else None)


def _fail(words: Words) -> Command:
    if words.takes("sync"):
        return FailSync(words.site(), _down(words))
    words.need("write")
    return FillDisk(words.site(), _down(words))


_READERS: Final[dict[str, Callable[[Words], Command]]] = {
    "give": _give_up,
    "fill": lambda words: FillHoles(words.site()),
    "hold": lambda words: Hold(pattern(words)),
    "release": lambda words: Release(pattern(words)),
    "deliver": lambda words: Deliver(pattern(words)),
    "drop": lambda words: Drop(pattern(words)),
    "duplicate": lambda words: Duplicate(pattern(words)),
    "cut": _cut,
    "limit": _limit,
    "mend": lambda _: Mend(),
    "step": _step,
    "run": _run,
    "crash": _crash,
    "restart": lambda words: Restart(words.some_sites()),
    "pause": lambda words: Pause(words.site(), words.ms()),
    "jump": lambda words: ClockJump(words.site(), words.ms()),
    "wipe": lambda words: Wipe(words.site(), _down(words)),
    "readmit": lambda words: Readmission(words.site(), words.site()),
    Kind.ADD: lambda words: MembersChange(words.site(), Kind.ADD, words.site()),
    Kind.ADD_LEARNER: lambda words: MembersChange(words.site(), Kind.ADD_LEARNER, words.site()),
    Kind.PROMOTE: lambda words: MembersChange(words.site(), Kind.PROMOTE, words.site()),
    Kind.REMOVE: lambda words: MembersChange(words.site(), Kind.REMOVE, words.site()),
    Kind.MOVE: lambda words: MembersChange(words.site(), Kind.MOVE, words.site()),
    "clear": lambda _: Clear(),
    "copy": lambda words: TakeCopy(words.site()),
    "put": _put_back,
    "damage": _damage,
    "fail": _fail,
    "expect": expectation,
}
