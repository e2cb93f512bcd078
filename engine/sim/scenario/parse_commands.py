"""Reads the commands of a scenario: who does what, what becomes of messages, what happens to sites.

Rules that hold here:
- The first word says what a line is; `USAGES` has one line of grammar for each, which errors show.
- Where a site stands first, a user of that site does something.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from engine.core.entry import BadOperation, Block, Operation, Tweet, Unblock, clean_text
from engine.core.ids import SiteId, Tick
from engine.sim.scenario.commands import (
    POINTS,
    Command,
    CopyStore,
    CrashAt,
    CrashNow,
    CutBetween,
    CutOneWay,
    DamageStore,
    Deliver,
    Drop,
    Duplicate,
    FailNext,
    Fault,
    Fills,
    GivesUp,
    Hold,
    Jump,
    Mend,
    Narrow,
    PauseFor,
    PutBackStore,
    Reads,
    Release,
    Restart,
    RunFor,
    RunUntil,
    RunUntilQuiet,
    Submits,
    WipeStore,
)
from engine.sim.scenario.parse_expectations import EXPECT_USAGE, checkable, expectation, pattern
from engine.sim.scenario.words import BadLine, Words
from engine.sim.sometimes import CrashPoint

TIMEOUT_MS: Final = 10_000

PATTERN: Final = "[all|first|last] [TYPE...] [from SITE...] [to SITE...] [slot N] [ballot ROUND.SITE]"
USER: Final = (
    'SITE tweets "TEXT" | SITE blocks|unblocks SITE, then [timeout 500 ms] [retry] | SITE reads [timeout 500 ms]'
)

USAGES: Final = {
    "give": "give up SITE/NUMBER",
    "fill": "fill SITE",
    "hold": f"hold {PATTERN}",
    "release": f"release {PATTERN}",
    "deliver": f"deliver {PATTERN}",
    "drop": f"drop {PATTERN}",
    "duplicate": f"duplicate {PATTERN}",
    "cut": "cut SITE... | SITE... (both ways, more groups with more bars), or cut SITE... > SITE...",
    "limit": "limit SITE... | SITE... 1280 bytes (both ways), or limit SITE... > SITE... 1280 bytes",
    "mend": "mend",
    "run": "run 300 ms, or run until quiet, or run until EXPECTATION within 3 s",
    "crash": "crash SITE [before commit | between write and sync keeping all|nothing | between commit and send"
    " | between sends | between send and outcome | between outcomes]",
    "restart": "restart [SITE...]",
    "pause": "pause SITE 60 s",
    "jump": "jump SITE 60 s",
    "wipe": "wipe SITE",
    "copy": "copy SITE",
    "put": "put back SITE",
    "damage": "damage SITE [slot N]",
    "fail": "fail sync SITE, or fail write SITE",
    "expect": EXPECT_USAGE,
}

_ACTIONS: Final = ("tweets", "blocks", "unblocks")


def command(words: Words) -> Command:
    """Raises BadLine."""
    first = words.take("a command")
    if first in words.sites and words.peek() in _ACTIONS:
        return _with_usage(USER, words, lambda: _submits(words, SiteId(first)))
    if first in words.sites and words.takes("reads"):
        return _with_usage(USER, words, lambda: _reads(words, SiteId(first)))
    if first in words.sites and not words.done:
        raise BadLine(f"{words.peek()!r} is nothing that a user does; write: {USER}")
    if first not in USAGES:
        near = [] if first in words.sites else get_close_matches(first, [*USAGES, *words.sites], 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise BadLine(f"{first!r} begins no command: {meant}write {', '.join(USAGES)}, or {USER}")
    return _with_usage(USAGES[first], words, lambda: _READERS[first](words))


def _with_usage(usage: str, words: Words, read: Callable[[], Command]) -> Command:
    try:
        done = read()
        words.end()
    except BadLine as bad:
        raise BadLine(f"{bad}; write: {usage}") from None
    return done


def _submits(words: Words, site: SiteId) -> Submits:
    action = words.take()
    operation: Operation
    if action == "tweets":
        text = words.quoted() if words.at_quote() else words.rest()
        try:
            operation = Tweet(clean_text(text))
        except BadOperation as bad:
            raise BadLine(str(bad)) from None
    else:
        target = words.site()
        operation = Block(target) if action == "blocks" else Unblock(target)
    timeout_ms, retry = TIMEOUT_MS, False
    while not words.done:
        if words.takes("retry"):
            retry = True
        else:
            words.need("timeout")
            timeout_ms = words.ms()
    return Submits(site, operation, Tick(timeout_ms), retry)


def _reads(words: Words, site: SiteId) -> Reads:
    return Reads(site, Tick(words.ms() if words.takes("timeout") else TIMEOUT_MS))


def _gives_up(words: Words) -> Command:
    words.need("up")
    return GivesUp(words.event())


def _cut(words: Words) -> Command:
    groups = [words.sites_needed()]
    if words.takes(">"):
        return CutOneWay(groups[0], words.sites_needed())
    while words.takes("|"):
        groups.append(words.sites_needed())
    if len(groups) < 2:
        raise BadLine("a cut needs sites on both sides of a bar")
    return CutBetween(tuple(groups))


def _limit(words: Words) -> Command:
    senders = words.sites_needed()
    one_way = words.takes(">")
    if not one_way:
        words.need("|")
    addressees = words.sites_needed()
    links = [(a, b) for a in senders for b in addressees]
    if not one_way:
        links += [(b, a) for a, b in links]
    size = words.number("a size")
    words.need("bytes")
    return Narrow(tuple(links), size)


def _mend(_: Words) -> Command:
    return Mend()


def _run(words: Words) -> Command:
    if words.takes("until", "quiet"):
        return RunUntilQuiet()
    if words.takes("until"):
        expected = checkable(words)
        words.need("within")
        return RunUntil(expected, words.ms())
    return RunFor(words.ms())


def _crash(words: Words) -> Command:
    site = words.site()
    if words.done:
        return CrashNow(site)
    point = words.one_of(POINTS, "point at which a process can end")
    kept = 0.0
    if point is CrashPoint.TORN_COMMIT:
        words.need("keeping")
        kept = 1.0 if words.takes("all") else 0.0
        if not kept:
            words.need("nothing")
    return CrashAt(site, point, kept)


def _restart(words: Words) -> Command:
    return Restart(words.some_sites())


def _put_back(words: Words) -> Command:
    words.need("back")
    return PutBackStore(words.site())


def _damage(words: Words) -> Command:
    site = words.site()
    return DamageStore(site, words.slot() if words.takes("slot") else None)


def _fail(words: Words) -> Command:
    if words.takes("sync"):
        return FailNext(words.site(), Fault.SYNC)
    words.need("write")
    return FailNext(words.site(), Fault.WRITE)


_READERS: Final[dict[str, Callable[[Words], Command]]] = {
    "give": _gives_up,
    "fill": lambda words: Fills(words.site()),
    "hold": lambda words: Hold(pattern(words)),
    "release": lambda words: Release(pattern(words)),
    "deliver": lambda words: Deliver(pattern(words)),
    "drop": lambda words: Drop(pattern(words)),
    "duplicate": lambda words: Duplicate(pattern(words)),
    "cut": _cut,
    "limit": _limit,
    "mend": _mend,
    "run": _run,
    "crash": _crash,
    "restart": _restart,
    "pause": lambda words: PauseFor(words.site(), words.ms()),
    "jump": lambda words: Jump(words.site(), words.ms()),
    "wipe": lambda words: WipeStore(words.site()),
    "copy": lambda words: CopyStore(words.site()),
    "put": _put_back,
    "damage": _damage,
    "fail": _fail,
    "expect": expectation,
}
