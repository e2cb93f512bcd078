"""The sites of a live run, through their control sockets: what they tell, what they are asked, and waiting for them.

Rules that hold here:
- A site has two connections: one that asks and is told, and one that fault rules are bound to. Nothing waits for an
  answer on the second one, so that it ends, and its rules with it, as soon as this process does.
- Nothing sleeps: whoever waits looks whenever a site tells something, and a few times a second besides.
- What is put down for later (`at`) is done while somebody waits.
"""

from __future__ import annotations

import selectors
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from engine.contract.answers import Outcome, Rule, Topic, TraceLine
from engine.contract.errors import NoAnswer
from engine.contract.limits import TRACE_LINES_MAX
from engine.contract.params import Params
from engine.contract.requests import FaultsAdd, FaultsRemove, Subscribe, TraceLines
from engine.core.ids import SiteId
from tui.client import Client
from tui.connection import Answer, Told
from tui.interrupts import Interrupted, Interrupts
from tui.selection import LocalSite

_A = TypeVar("_A")

LOOK_FIRST_S: Final = 0.005
LOOK_LAST_S: Final = 0.1


class SiteLost(Exception):
    """The engine of a site ended, or answers nobody, and no line of the scenario wanted that."""


@dataclass(slots=True)
class Watched:
    """A site: `lines` are what its trace told since the run began, `told` the newest outcome of each of its events."""

    name: SiteId
    local: LocalSite
    asking: Client | None = None
    ruling: Client | None = None
    paused: bool = False
    lines: list[TraceLine] = field(default_factory=list)
    told: dict[str, Outcome] = field(default_factory=dict)
    answers: dict[int, Answer] = field(default_factory=dict)
    """Of requests that may wait long, by their numbers."""
    awaited: set[int] = field(default_factory=set)
    lacks: int = 0
    """How many trace lines it left out, because it was not read in time."""
    past: Counter[TraceLine] = field(default_factory=Counter)
    """What its trace had before it was recorded; below 0: what is recorded already and is still to be told."""
    since: Counter[TraceLine] = field(default_factory=Counter)
    """What is recorded of its present process."""

    @property
    def up(self) -> bool:
        return self.asking is not None

    def close(self) -> None:
        for client in (self.asking, self.ruling):
            if client is not None:
                client.close()
        self.asking = self.ruling = None
        self.awaited.clear()


class Sites:
    """`connect` comes first, for each site that runs."""

    def __init__(self, locals_: Mapping[SiteId, LocalSite], interrupts: Interrupts) -> None:
        self.watched = {name: Watched(name, local) for name, local in locals_.items()}
        self.on_trace: Callable[[TraceLine], None] = lambda _: None
        """Called with each line that is recorded."""
        self._interrupts = interrupts
        self._calendar: list[tuple[float, Callable[[], None]]] = []

    def __getitem__(self, name: SiteId) -> Watched:
        return self.watched[name]

    @property
    def answering(self) -> Iterator[Watched]:
        """Those that run and do not stand still."""
        return (site for site in self.watched.values() if site.up and not site.paused)

    def connect(self, name: SiteId) -> None:
        """Raises NoEngine, EngineSilent."""
        site = self.watched[name]
        site.asking = Client.connect(site.local.socket_path)
        site.ruling = Client.connect(site.local.socket_path)

    def close(self) -> None:
        for site in self.watched.values():
            site.close()

    # Asking

    def ask(self, site: Watched, asked: Params[_A]) -> _A:
        """Raises SiteLost, RequestRefused."""
        assert site.asking is not None, f"{site.name} does not run"
        with _losing(site):
            answer: _A = site.asking.ask(asked)
        return answer

    def begin(self, site: Watched, asked: Params[Any]) -> int:
        """Asks what may be answered late: `answers` has the answer, by this number. Raises SiteLost."""
        assert site.asking is not None, f"{site.name} does not run"
        with _losing(site):
            number = site.asking.send(asked)
        site.awaited.add(number)
        return number

    def add_rule(self, site: Watched, text: str) -> Rule:
        """On until it is removed or this process ends. Raises SiteLost, RequestRefused."""
        assert site.ruling is not None, f"{site.name} does not run"
        with _losing(site):
            return site.ruling.ask(FaultsAdd(rule=text, while_connected=True))

    def remove_rule(self, site: Watched, number: int) -> None:
        """What it holds goes on its way."""
        assert site.ruling is not None, f"{site.name} does not run"
        with _losing(site):
            site.ruling.ask(FaultsRemove(number=number))

    # The trace

    def record(self, site: Watched) -> None:
        """Its trace is recorded from now on."""
        self._subscribe(site)
        site.past = Counter(self.ask(site, TraceLines(limit=TRACE_LINES_MAX)).lines)

    def record_all(self, site: Watched) -> None:
        """Its trace is recorded from the start of its process on."""
        self._subscribe(site)
        site.past, site.since = Counter(), Counter()
        self.catch_up(site)

    def _subscribe(self, site: Watched) -> None:
        self.ask(site, Subscribe(topics=frozenset({Topic.TRACE, Topic.OUTCOME, Topic.STATUS})))

    def catch_up(self, site: Watched) -> None:
        """What its trace has and has not told yet: an engine tells ten times a second at most."""
        newest = self.ask(site, TraceLines(limit=TRACE_LINES_MAX)).lines
        self._read()
        known = site.past + site.since
        for line in newest:
            if known[line] > 0:
                known[line] -= 1
            else:
                self._keep(site, line)
                site.past[line] -= 1  # it is still to be told, and counts once

    # Waiting

    def until(self, wrong: Callable[[], str | None], bound_s: float) -> str | None:
        """Waits until `wrong` says nothing; what it says last, when the time has passed. Raises SiteLost,
        Interrupted."""
        deadline, look_s = time.monotonic() + bound_s, LOOK_FIRST_S
        while (said := wrong()) is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return said
            self.pump(min(left_s, look_s))
            look_s = min(LOOK_LAST_S, 2 * look_s)
        return None

    def run(self, seconds: float) -> None:
        """Lets time pass. Raises SiteLost, Interrupted."""
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0:
            self.pump(left_s)

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Has it done so much later, while somebody waits."""
        self._calendar.append((time.monotonic() + seconds, do))

    def pump(self, timeout_s: float) -> None:
        """Takes what the sites tell; returns as soon as something came. Raises SiteLost, Interrupted."""
        self._do_what_is_due()
        if self._read():
            return
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._interrupts.fileno(), selectors.EVENT_READ)
            for site in self.watched.values():
                for client in (site.asking, site.ruling):
                    if client is not None:
                        waiting.register(client.fileno(), selectors.EVENT_READ)
            due_s = min((at for at, _ in self._calendar), default=float("inf")) - time.monotonic()
            waiting.select(max(0.0, min(timeout_s, due_s)))
        if self._interrupts.caught:
            raise Interrupted
        self._read()

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        due = sorted((at, number) for number, (at, _) in enumerate(self._calendar) if at <= now)
        doing = [self._calendar[number] for _, number in due]
        for each in doing:
            self._calendar.remove(each)
            each[1]()

    def _read(self) -> bool:
        """Whether anything came."""
        came = False
        for site in list(self.watched.values()):
            for client in (site.asking, site.ruling):
                if client is not None:
                    with _losing(site):
                        arrived, _ = client.wait(0.0)
                    came |= bool(arrived)
                    for one in arrived:
                        self._take(site, one)
        return came

    def _take(self, site: Watched, one: object) -> None:
        match one:
            case Answer(number=number) if number in site.awaited:
                site.awaited.discard(number)
                site.answers[number] = one
            case Told(items, dropped):
                site.lacks += dropped
                for item in items:
                    match item:
                        case TraceLine():
                            self._record(site, item)
                        case Outcome(id=str(id_)):
                            site.told[id_] = item
                        case _:
                            pass
            case _:
                pass

    def _record(self, site: Watched, line: TraceLine) -> None:
        if site.past[line] < 0:
            site.past[line] += 1  # it was caught up with
        else:
            self._keep(site, line)

    def _keep(self, site: Watched, line: TraceLine) -> None:
        site.lines.append(line)
        site.since[line] += 1
        self.on_trace(line)


@contextmanager
def _losing(site: Watched) -> Iterator[None]:
    """Turns the end of a connection into SiteLost."""
    try:
        yield
    except NoAnswer as error:
        raise SiteLost(f"the engine of {site.local.site} ended meanwhile: {error}") from error
