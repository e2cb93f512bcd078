"""Reads a scenario file: the setup first, then the lines.

Rules that hold here:
- After the line `plan`, each line is an act at its time, in their order, and the last one is the calm; or `by hand`,
  and then each line is done at its turn.
- After `broken MUTANT` in the setup there are two runs: lines behind `broken:` are of the one with the mistake in,
  those behind `mended:` of the one without it, the others of both.
- Plain text, one command a line; blank lines, and lines that begin with `#`, say nothing.
- What is wrong is one ScenarioError that names file and line and says what to write instead.
- Links are fixed and fast (1 ms, nothing lost) where the file says nothing else, so that all is in its lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from engine.core.ids import SITE_NAME, SITES_MAX, Round, SiteId, Tick
from engine.core.settings import CHANGE_LAG, HEARTBEAT_MAX, Leadership, Timings
from engine.sim.mutants.catalogue import NAMES
from engine.sim.scenario.parse_lines import line as read_line
from engine.sim.scenario.schedule import Broken, Line, ScenarioError, Schedule
from engine.sim.scenario.words import BadLine, Words
from engine.sim.world.setup import STEADY, Setup, Weather

_SETUP_USAGE: Final = {
    "sites": "sites alice bob carol",
    "later": "later SITE...: those of the sites that are added, and not there from the beginning",
    "seed": "seed 7",
    "leadership": "leadership none|last-author|elected, or leadership SITE none SITE elected ...",
    "leader": "leader SITE",
    "round": "round SITE 3",
    "heartbeat": "heartbeat [SITE] 500 ms",
    "retransmit": "retransmit 200 ms",
    "fill-every": "fill-every 3 s",
    "scan-every": "scan-every 15 s",
    "page": "page 1100 bytes",
    "disk": "disk [SITE] 5 ms",
    "timers": "timers late 30 ms",
    "chosen": "chosen waits 3 ms",
    "changes": "changes wait 8 slots",
    "broken": "broken a2-accepting-does-not-raise-the-promise [until agreement]",
    "stamps": "stamps SITE -86400000 [253402300800000 ...], in milliseconds since 1970",
    "link": "link SITE SITE [loss 0.1] [duplicate 0.1] [delay 1 ms] [spread 4 ms] [late 0.01 late-max 20 s]"
    " [stale 0.1]",
    "links": "links [loss 0.1] ..., as link, for all links",
}


_BROKEN: Final = "broken"
_RUNS: Final = (_BROKEN, "mended")


@dataclass(slots=True)
class _Draft:
    """The file as far as it is read."""

    seed: int = 1
    names: tuple[SiteId, ...] = ()
    later: tuple[SiteId, ...] = ()
    leadership: dict[SiteId, Leadership] = field(default_factory=dict)
    timings: dict[str, Tick] = field(default_factory=dict)
    heartbeats: dict[SiteId, Tick] = field(default_factory=dict)
    stamps: dict[SiteId, tuple[int, ...]] = field(default_factory=dict)
    page_bytes: int = 1_100
    disk_ms: dict[SiteId, int] = field(default_factory=dict)
    tick_late_ms: int = 0
    chosen_waits_ms: int = 0
    change_lag: int = CHANGE_LAG
    links: dict[tuple[SiteId, SiteId], Weather] = field(default_factory=dict)
    leader: SiteId | None = None
    rounds: dict[SiteId, Round] = field(default_factory=dict)
    broken: Broken | None = None
    lines: list[Line] = field(default_factory=list)
    mended: list[Line] = field(default_factory=list)
    """The lines of the run without the mistake."""
    is_plan: bool = False
    calm_at: Tick | None = None
    by_hand: bool = False

    def runs(self, run: str) -> list[Line]:
        return self.lines if run == _BROKEN else self.mended

    def setup(self) -> Setup:
        names = self.names
        return Setup(
            seed=self.seed,
            names=names,
            leadership=tuple(self.leadership.get(name, Leadership.NONE) for name in names),
            timings=Timings(**self.timings),
            page_bytes=self.page_bytes,
            links=tuple(tuple(self.links.get((a, b), STEADY) for b in names) for a in names),
            disk_ms=tuple(self.disk_ms.get(name, 0) for name in names),
            tick_late_ms=self.tick_late_ms,
            heartbeats=tuple(self.heartbeats.items()),
            stamps=tuple(self.stamps.items()),
            chosen_waits_ms=self.chosen_waits_ms,
            later=self.later,
            change_lag=self.change_lag,
        )


def read(path: Path) -> Schedule:
    """Raises ScenarioError, or OSError where the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as bad:
        raise ScenarioError(str(path), 1, f"this is not UTF-8 text ({bad.reason}): save it as UTF-8") from None
    return parse(text, str(path))


def parse(text: str, file: str) -> Schedule:
    """`file` is its name, for errors. Raises ScenarioError."""
    draft = _Draft()
    number = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            try:
                _take(draft, number, line)
            except BadLine as bad:
                raise ScenarioError(file, number, str(bad)) from None
    if draft.is_plan and draft.calm_at is None and not draft.by_hand:
        raise ScenarioError(file, number, "the plan has no end; write: calm at 5000 ms")
    if not draft.is_plan and not draft.lines:
        raise ScenarioError(file, max(number, 1), "nothing is done here: write commands under the setup, as in run 1 s")
    rounds = tuple(draft.rounds.items())
    one = Schedule(draft.setup(), tuple(draft.lines), draft.calm_at, draft.leader, rounds, draft.by_hand, file=file)
    if draft.broken is None:
        return one
    return replace(one, broken=draft.broken, mended=replace(one, lines=tuple(draft.mended)))


def _take(draft: _Draft, number: int, line: str) -> None:
    only = next((run for run in _RUNS if line.startswith(f"{run}: ")), None)
    words = Words(line if only is None else line.removeprefix(f"{only}: ").strip(), draft.names)
    if only is not None:
        if draft.broken is None:
            raise BadLine(f"there is one run alone; write above the first command: {_SETUP_USAGE['broken']}")
        draft.runs(only).append(read_line(words, number))
    elif draft.is_plan and not draft.by_hand:
        _plan(draft, number, words)
    elif words.peek() in _SETUP_USAGE:
        if draft.lines:
            raise BadLine(f"{words.peek()!r} belongs to the setup: write it above the first command")
        _set_up(draft, words)
    elif not draft.names:
        raise BadLine(f"the sites must be named first; write: {_SETUP_USAGE['sites']}")
    elif line == "plan" and not draft.lines and not draft.is_plan:
        if draft.leader is not None or draft.rounds:
            raise BadLine("a plan begins with the first processes: nobody leads and no round is used yet")
        draft.is_plan = True
    else:
        _add(draft, read_line(words, number))


def _plan(draft: _Draft, number: int, words: Words) -> None:
    if draft.calm_at is not None:
        raise BadLine("the calm ends the plan: write this line above it")
    if words.takes("calm", "at"):
        draft.calm_at = Tick(words.ms())
        words.end()
        return
    if words.takes("by", "hand"):
        draft.by_hand = True
        words.end()
        return
    last = draft.lines[-1].at if draft.lines else None
    act = read_line(words, number) if words.peek() == "at" else None
    if act is None or act.at is None:
        raise BadLine(f"{words.line!r} is not a line of a plan: write at 100 ms ACT, or calm at 5000 ms")
    if last is not None and act.at < last:
        raise BadLine(f"this is before {last} ms, the time of the act above: keep them in order")
    _add(draft, act)


def _add(draft: _Draft, line: Line) -> None:
    for run in _RUNS:
        draft.runs(run).append(line)


def _set_up(draft: _Draft, words: Words) -> None:
    word = words.take()
    if not draft.names and word not in ("sites", "seed"):
        raise BadLine(f"the sites must be named first; write: {_SETUP_USAGE['sites']}")
    try:
        _set(draft, words, word)
        words.end()
    except BadLine as bad:
        raise BadLine(f"{bad}; write: {_SETUP_USAGE[word]}") from None


def _set(draft: _Draft, words: Words, word: str) -> None:
    match word:
        case "sites":
            draft.names = _names(words)
        case "later":
            draft.later = words.some_sites()
            if not set(draft.later) < set(draft.names):
                raise BadLine("some of the sites were there from the beginning")
        case "seed":
            draft.seed = words.number("a seed")
        case "leadership":
            _leadership(draft, words)
        case "leader":
            draft.leader = words.site()
        case "round":
            site = words.site()
            draft.rounds[site] = Round(words.number("a round"))
        case "heartbeat":
            sites, every = words.some_sites(), Tick(_positive(words.ms()))
            if every > HEARTBEAT_MAX:
                raise BadLine(f"sites take no heartbeat of more than {HEARTBEAT_MAX} ms")
            if sites:
                draft.heartbeats |= dict.fromkeys(sites, every)
            else:
                draft.timings[word] = every
        case "retransmit" | "fill-every" | "scan-every":
            draft.timings[word.replace("-", "_")] = Tick(_positive(words.ms()))
        case "page":
            draft.page_bytes = words.number("a size")
            words.need("bytes")
        case "disk":
            sites = words.some_sites() or draft.names
            draft.disk_ms |= dict.fromkeys(sites, words.ms())
        case "timers":
            words.need("late")
            draft.tick_late_ms = words.ms()
        case "chosen":
            words.need("waits")
            draft.chosen_waits_ms = words.ms()
        case "changes":
            words.need("wait")
            draft.change_lag = words.number("a number of slots")
            words.need("slots")
        case "broken":
            draft.broken = _broken(words)
        case "stamps":
            site = words.site()
            draft.stamps[site] = words.times()
        case "link":
            link = (words.site(), words.site())
            draft.links[link] = _weather(words)
        case _:
            weather = _weather(words)
            draft.links |= {(a, b): weather for a in draft.names for b in draft.names}


def _broken(words: Words) -> Broken:
    name = words.take("a mutant")
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1)
        raise BadLine(f"{name!r} is not a mutant" + (f": did you mean {near[0]!r}?" if near else ""))
    return Broken(name, words.take("a rule") if words.takes("until") else None)


def _positive(ms: int) -> int:
    if ms == 0:
        raise BadLine("this time must be 1 ms or more")
    return ms


def _names(words: Words) -> tuple[SiteId, ...]:
    names: list[SiteId] = []
    while not words.done:
        name = words.take()
        if not SITE_NAME.match(name):
            raise BadLine(
                f"{name!r} is not a site's name: write 1 to 16 characters of a-z, 0-9 and '-', a letter first"
            )
        names.append(SiteId(name))
    if not 1 <= len(names) <= SITES_MAX or sorted(set(names)) != names:
        raise BadLine(f"name 1 to {SITES_MAX} sites, each once, in alphabetical order")
    return tuple(names)


def _leadership(draft: _Draft, words: Words) -> None:
    sites = words.some_sites()
    if not sites:
        draft.leadership |= dict.fromkeys(draft.names, _mode(words))
        return
    while sites:
        draft.leadership |= dict.fromkeys(sites, _mode(words))
        sites = words.some_sites()


def _mode(words: Words) -> Leadership:
    word = words.take("none, last-author or elected")
    if word not in tuple(Leadership):
        raise BadLine(f"{word!r} is not a kind of leadership")
    return Leadership(word)


def _weather(words: Words) -> Weather:
    loss = duplicate = late = stale = 0.0
    delay_min_ms, spread_ms, late_max_ms = STEADY.delay_min, STEADY.delay_spread, 0
    while not words.done:
        word = words.take()
        match word:
            case "loss":
                loss = words.fraction("a share that is lost")
            case "duplicate":
                duplicate = words.fraction("a share that comes twice")
            case "delay":
                delay_min_ms = words.ms()
            case "spread":
                spread_ms = _positive(words.ms())
            case "late":
                late = words.fraction("a share that is late")
            case "late-max":
                late_max_ms = words.ms()
            case "stale":
                stale = words.fraction("a share with which an old one comes again")
            case _:
                raise BadLine(f"{word!r} is not something that a link does")
    if late and late_max_ms == 0:
        raise BadLine("what is late needs its late-max")
    return Weather(loss, duplicate, delay_min_ms, spread_ms, late, late_max_ms, stale)
