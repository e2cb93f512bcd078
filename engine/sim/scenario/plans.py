"""A plan as text: what a campaign's seed, or the minimiser, found, in a file that a person can read and run.

Rules that hold here:
- What is written is read back as the same plan, so that it gives the same run, event for event.
- The setup is that of any scenario; after the line `plan`, each line is an act at its time, the last one is the calm:
  from then on there are no faults, and everything must settle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, assert_never

from engine.core.entry import BadOperation, Block, Operation, Tweet, Unblock, Withdrawal, clean_text
from engine.core.ids import SiteId, Tick
from engine.core.settings import Timings
from engine.sim.scenario.commands import POINTS
from engine.sim.scenario.words import BadLine, Words, quote
from engine.sim.world.plan import (
    Act,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    Pause,
    Plan,
    PutBack,
    Read,
    Setup,
    Submit,
    TakeCopy,
    Weather,
    Wipe,
)

_USAGES: Final = {
    "fill": "at 100 ms fill SITE",
    "crash": "at 100 ms crash SITE [point N [only between sends]] keeping 0.5 down 300 ms,"
    " or crash all keeping 0.5 down 300 ms",
    "pause": "at 100 ms pause SITE 300 ms",
    "jump": "at 100 ms jump SITE 300 ms",
    "cut": "at 100 ms cut SITE>SITE ... for 300 ms as SHAPE",
    "fail": "at 100 ms fail sync SITE keeping 0.5 down 300 ms, or fail write SITE down 300 ms",
    "damage": "at 100 ms damage SITE [row 0.5]",
    "wipe": "at 100 ms wipe SITE down 300 ms",
    "copy": "at 100 ms copy SITE",
    "put": "at 100 ms put back SITE down 300 ms",
}
_USER: Final = (
    'at 100 ms SITE tweets "TEXT"|blocks SITE|unblocks SITE timeout 500 ms [retry] [giving up after 300 ms],'
    " or SITE reads timeout 500 ms"
)


class PlanReader:
    """Takes the lines after `plan`."""

    def __init__(self, names: tuple[SiteId, ...]) -> None:
        self.acts: list[Act] = []
        self.calm_at: Tick | None = None
        self._index = {name: index for index, name in enumerate(names)}

    def take(self, words: Words) -> None:
        """Raises BadLine."""
        if self.calm_at is not None:
            raise BadLine("the calm ends the plan: write this line above it")
        if words.takes("calm", "at"):
            self.calm_at = Tick(words.ms())
        else:
            if not words.takes("at"):
                raise BadLine(f"{words.peek()!r} begins no line of a plan: write at 100 ms ACT, or calm at 5000 ms")
            at = Tick(words.ms())
            if self.acts and at < self.acts[-1].at:
                raise BadLine(f"this is before {self.acts[-1].at} ms, the time of the act above: keep them in order")
            usage = _USAGES.get(words.peek(), _USER)
            try:
                self.acts.append(self._act(words, at))
            except BadLine as bad:
                raise BadLine(f"{bad}; write: {usage}") from None
        words.end()

    def _act(self, words: Words, at: Tick) -> Act:
        if words.peek() in self._index:
            return self._user(words, at)
        match words.take("an act"):
            case "fill":
                return FillHoles(at, self._site(words))
            case "crash":
                return self._crash(words, at)
            case "pause":
                return Pause(at, self._site(words), words.ms())
            case "jump":
                return ClockJump(at, self._site(words), words.ms())
            case "cut":
                return self._cut(words, at)
            case "fail" if words.takes("sync"):
                return FailSync(at, self._site(words), _keeping(words), _down(words))
            case "fail":
                words.need("write")
                return FillDisk(at, self._site(words), _down(words))
            case "damage":
                site = self._site(words)
                return FlipBit(at, site, words.fraction("a place in the log") if words.takes("row") else None)
            case "wipe":
                return Wipe(at, self._site(words), _down(words))
            case "copy":
                return TakeCopy(at, self._site(words))
            case "put":
                words.need("back")
                return PutBack(at, self._site(words), _down(words))
            case other:
                raise BadLine(f"{other!r} is no act")

    def _site(self, words: Words) -> int:
        return self._index[words.site()]

    def _user(self, words: Words, at: Tick) -> Submit | Read:
        site = self._site(words)
        if words.takes("reads", "timeout"):
            return Read(at, site, Tick(words.ms()))
        operation: Operation
        match words.take("an action"):
            case "tweets":
                try:
                    operation = Tweet(clean_text(words.quoted()))
                except BadOperation as bad:
                    raise BadLine(str(bad)) from None
            case "blocks":
                operation = Block(words.site())
            case "unblocks":
                operation = Unblock(words.site())
            case other:
                raise BadLine(f"{other!r} is nothing that a user does")
        words.need("timeout")
        timeout = Tick(words.ms())
        retry = words.takes("retry")
        gives_up = words.ms() if words.takes("giving", "up", "after") else None
        return Submit(at, site, operation, timeout, retry, gives_up)

    def _crash(self, words: Words, at: Tick) -> Act:
        if words.takes("all"):
            return CrashAll(at, _keeping(words), _down(words))
        site = self._site(words)
        points = words.number("a count of crash points") if words.takes("point") else 0
        only = words.one_of(POINTS, "kind of crash point") if words.takes("only") else None
        return Crash(at, site, points, only, _keeping(words), _down(words))

    def _cut(self, words: Words, at: Tick) -> Cut:
        links: list[tuple[int, int]] = []
        while not words.takes("for"):
            sender, _, to = words.take("a link").partition(">")
            if sender not in self._index or to not in self._index:
                raise BadLine(f"{sender}>{to} is no link")
            links.append((self._index[SiteId(sender)], self._index[SiteId(to)]))
        for_ms = words.ms()
        words.need("as")
        return Cut(at, tuple(links), for_ms, words.take("a shape"))


def _keeping(words: Words) -> float:
    words.need("keeping")
    return words.fraction("a share of what was not synced")


def _down(words: Words) -> int:
    words.need("down")
    return words.ms()


# Writing


def write(plan: Plan, comment: str) -> str:
    """The file's text; `comment` goes first, each of its lines behind a `#`."""
    lines = [*(f"# {line}".rstrip() for line in comment.splitlines()), *_setup(plan.setup), "plan"]
    lines += [f"at {act.at} ms {_act(act, plan.setup.names)}" for act in plan.acts]
    return "\n".join([*lines, f"calm at {plan.calm_at} ms"]) + "\n"


def _setup(setup: Setup) -> Iterator[str]:
    names = setup.names
    yield f"sites {' '.join(names)}"
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
    yield from (f"stamps {name} {' '.join(map(str, said))}" for name, said in setup.stamps)
    between = {(a, b): setup.links[i][j] for i, a in enumerate(names) for j, b in enumerate(names) if i != j}
    usual = Counter(between.values()).most_common(1)[0][0] if between else Weather()
    yield f"links {_weather(usual)}"
    yield from (f"link {a} {b} {_weather(weather)}" for (a, b), weather in between.items() if weather != usual)


def _weather(weather: Weather) -> str:
    said = [f"delay {weather.delay_min} ms spread {weather.delay_spread} ms"]
    if weather.late or weather.late_max:
        said.append(f"late {weather.late} late-max {weather.late_max} ms")
    said += [f"{word} {share}" for word in ("loss", "duplicate", "stale") if (share := getattr(weather, word))]
    return " ".join(said)


def _act(act: Act, names: tuple[SiteId, ...]) -> str:
    match act:
        case Submit(_, site, operation, timeout, retry, give_up_ms):
            gives_up = "" if give_up_ms is None else f" giving up after {give_up_ms} ms"
            again = " retry" if retry else ""
            return f"{names[site]} {_operation(operation)} timeout {timeout} ms{again}{gives_up}"
        case FillHoles(_, site):
            return f"fill {names[site]}"
        case Read(_, site, timeout):
            return f"{names[site]} reads timeout {timeout} ms"
        case Crash(_, site, points, only, kept, down_ms):
            point = f" point {points}" if points else ""
            kind = f" only {POINTS[only]}" if only else ""
            return f"crash {names[site]}{point}{kind} keeping {kept} down {down_ms} ms"
        case CrashAll(_, kept, down_ms):
            return f"crash all keeping {kept} down {down_ms} ms"
        case Pause(_, site, for_ms):
            return f"pause {names[site]} {for_ms} ms"
        case ClockJump(_, site, by_ms):
            return f"jump {names[site]} {by_ms} ms"
        case Cut(_, links, for_ms, shape):
            return f"cut {' '.join(f'{names[a]}>{names[b]}' for a, b in links)} for {for_ms} ms as {shape}"
        case FailSync(_, site, kept, down_ms):
            return f"fail sync {names[site]} keeping {kept} down {down_ms} ms"
        case FillDisk(_, site, down_ms):
            return f"fail write {names[site]} down {down_ms} ms"
        case FlipBit(_, site, where):
            return f"damage {names[site]}" + ("" if where is None else f" row {where}")
        case Wipe(_, site, down_ms):
            return f"wipe {names[site]} down {down_ms} ms"
        case TakeCopy(_, site):
            return f"copy {names[site]}"
        case PutBack(_, site, down_ms):
            return f"put back {names[site]} down {down_ms} ms"
        case _:
            assert_never(act)


def _operation(operation: Operation) -> str:
    match operation:
        case Tweet(text):
            return f"tweets {quote(text)}"
        case Block(target):
            return f"blocks {target}"
        case Unblock(target):
            return f"unblocks {target}"
        case Withdrawal():
            raise AssertionError("no user submits a withdrawal")
        case _:
            assert_never(operation)
