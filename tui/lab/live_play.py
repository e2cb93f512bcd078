"""Plays the lines of a scenario on real sites.

Rules that hold here:
- A line is done once what the simulated world holds there is held, and what it expects is true; each within a bound,
  and then it says what is true instead. Only `run` lets time pass, as long as the scenario says times the stretch.
- What is so for a moment only may be looked at too late: where the simulated world says so of lines that take as long,
  nothing is wrong.
- Times are no expectation: a machine may be slow. What the scenario bounds (`within 3 s`) is given PATIENCE_S besides.
- What has an end of its own (`for 300 ms`, `down 300 ms`) or a time (`at 300 ms`) is put down for it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, assert_never

from engine.contract import requests
from engine.contract.errors import RequestFailed
from engine.contract.requests import EventKind, Events, Fill, GiveUp, LinearizableView
from engine.core.entry import Block, Operation, Tweet, Unblock
from engine.core.ids import EventId, SiteId, Tick
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
from engine.sim.scenario.acts import GiveUp as StopWaiting
from engine.sim.scenario.expected import ExpectHeld
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
from tui.interrupts import Interrupts
from tui.lab.live_checker import Asked, Checker, Patience
from tui.lab.live_ground import Ground
from tui.lab.live_guard import Guard
from tui.lab.live_holding import Holding
from tui.lab.live_names import Names
from tui.lab.live_score import Score
from tui.lab.live_sites import Sites, Watched

PATIENCE_S: Final = 30.0
"""How much longer than the scenario says a machine that does much else may take."""

EXPECTED_S: Final = 20.0
"""How long what is expected may take to come true, once what it follows from was done."""


LATE_S: Final = 2.0
"""The same, of what may not be so any more."""


class Failed(Exception):
    """A line did not go as the scenario says: names it, and says what is true instead."""

    def __init__(self, line: Line, what: str) -> None:
        super().__init__(f"line {line.number}: {line.words}: {what}")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario is played on. `slots`: how many it is about, at most."""

    sites: Sites
    names: Names
    score: Score
    ground: Ground
    guard: Guard
    interrupts: Interrupts
    slots: int


class LivePlay:
    def __init__(self, stage: Stage) -> None:
        self.patience = Patience()
        self.holding = Holding(stage.sites, stage.names, stage.score)
        self.checker = Checker(stage.sites, stage.names, self.patience, stage.slots)
        self._sites = stage.sites
        self._names = stage.names
        self._score = stage.score
        self._ground = stage.ground
        self._guard = stage.guard
        self._interrupts = stage.interrupts
        self._cuts: list[Links] = []
        self.too_late = 0
        """How many expectations were looked at when they were not so any more."""
        self._began = 0.0
        """When the first line was done, on the monotonic clock."""
        self._stopped: dict[SiteId, int] = {}
        """The processes that stand still."""

    def do(self, number: int, line: Line) -> None:
        """Line `number`, from 0. Raises Failed, SiteLost, Interrupted, CommandFailed."""
        self._began = self._began or time.monotonic()
        if line.at is not None:
            self._sites.at(self._real_s(line.at) - (time.monotonic() - self._began), partial(self._late, line))
            return
        try:
            wrong = self.holding.settle(number) or self._do(number, line.command)
        except RequestFailed as failed:
            wrong = str(failed)
        if wrong is not None:
            raise Failed(line, wrong)

    def let_go_on(self) -> list[str]:
        """Lets the processes go on that stand still; who that was."""
        paused = list(self._stopped)
        for site in paused:
            self._go_on(site)
        return [self._names.real(site) for site in paused]

    def down(self) -> list[SiteId]:
        return [site.name for site in self._sites.watched.values() if not site.up]

    # Lines

    def _late(self, line: Line) -> None:
        try:
            wrong = self._do(0, line.command)
        except RequestFailed as failed:
            wrong = str(failed)
        if wrong is not None:
            raise Failed(line, wrong)

    def _do(self, number: int, command: Command) -> str | None:
        """What is wrong, in words; None where it is done, or as expected."""
        if isinstance(command, Act):
            return self._act(command)
        match command:
            case Hold(pattern):
                self.holding.hold(pattern)
            case Release(pattern):
                self.holding.release(pattern)
            case Deliver(pattern):
                return self.holding.deliver(pattern)
            case Duplicate(pattern):
                return self.holding.duplicate(pattern)
            case Drop(pattern):
                return self.holding.drop(pattern)
            case RunFor(ms):
                self._sites.run(self._real_s(ms))
            case RunUntilQuiet():
                return self._within(self._noise, self._real_s(self._score.as_written.steps[number].took_ms))
            case RunUntil(expected, within_ms):
                return self._within(partial(self.checker.wrong, expected), self._real_s(within_ms))
            case ExpectHeld():
                return self._expect(number, partial(self.holding.wrong, number, command))
            case Step():
                raise AssertionError("refused before anything began")
            case _:
                return self._expect(number, partial(self.checker.wrong, command))
        return None

    def _expect(self, number: int, is_wrong: Callable[[], str | None]) -> str | None:
        looks_late = self._late_ms(number) >= self._score.too_late.get(number, sys.maxsize)
        wrong = self._sites.until(is_wrong, LATE_S if looks_late else EXPECTED_S)
        if wrong is not None and looks_late:
            self.too_late += 1
            return None
        return wrong

    def _late_ms(self, number: int) -> float:
        """How much longer than in the simulated world the lines before took, in its time."""
        took_ms = sum(step.took_ms for step in self._score.as_written.steps[:number])
        return 1000 * (time.monotonic() - self._began) / self._ground.stretch - took_ms

    def _act(self, act: Act) -> str | None:
        match act:
            case Submit():
                return self._submit(act)
            case StopWaiting(event):
                return self._give_up(event)
            case FillHoles(site):
                return self._at(site, lambda watched: self._sites.begin(watched, Fill(timeout_s=PATIENCE_S)))
            case Read(site, timeout):
                return self._at(site, lambda watched: self._read(watched, timeout))
            case Cut(links, for_ms, _):
                self._cuts.append(links)
                self.holding.cut(links)
                if for_ms is not None:
                    self._sites.at(self._real_s(for_ms), partial(self._mend, links))
            case Mend():
                for links in list(self._cuts):
                    self._mend(links)
            case Crash(site, _, _, _, down_ms):
                return self._at(site, lambda watched: self._crash(watched, down_ms))
            case CrashAll(_, down_ms):
                for watched in list(self._sites.answering):
                    self._crash(watched, down_ms)
            case Restart(sites):
                return self._restart(sites)
            case Pause(site, for_ms):
                return self._at(site, lambda watched: self._pause(watched, for_ms))
            case (
                Narrow() | ClockJump() | FailSync() | FillDisk() | FlipBit() | Wipe() | Clear() | TakeCopy() | PutBack()
            ):
                raise AssertionError(f"{act} was refused before anything began")
            case Readmission() | MembersChange():
                raise AssertionError(f"{act} was refused before anything began")
            case _:
                assert_never(act)
        return None

    def _at(self, site: SiteId, do: Callable[[Watched], object]) -> str | None:
        watched = self._sites[site]
        if not watched.up:
            return f"{site} does not run"
        do(watched)
        return None

    # Users

    def _submit(self, act: Submit) -> str | None:
        site = self._sites[act.site]
        if not site.up:
            return f"{act.site} does not run"
        timeout_s = self._real_s(act.timeout)
        (operation,) = act.operations  # several are refused before anything began
        number = self._sites.begin(site, self._asked(operation, act.retry, timeout_s))
        wrong = self._sites.until(lambda: self._not_taken(site, number), EXPECTED_S)
        if wrong is not None:
            return wrong
        nth = len(self._names.submitted[act.site])
        self.patience.events[act.site, nth] = Asked(number, time.monotonic() + timeout_s)
        if act.give_up_ms is not None:
            self._sites.at(self._real_s(act.give_up_ms), partial(self._stop_waiting, site, number))
        return None

    def _asked(self, operation: Operation, retry: bool, timeout_s: float) -> requests.Submit:
        match operation:
            case Tweet(text):
                return requests.Submit(kind=EventKind.TWEET, text=text, retry=retry, timeout_s=timeout_s)
            case Block(target):
                kind, other = EventKind.BLOCK, self._names.real(target)
            case Unblock(target):
                kind, other = EventKind.UNBLOCK, self._names.real(target)
            case _:
                raise AssertionError("no user submits this")
        return requests.Submit(kind=kind, target=other, retry=retry, timeout_s=timeout_s)

    def _not_taken(self, site: Watched, number: int) -> str | None:
        """Until the event has an id, which is durable (E1)."""
        answer = site.answers.get(number)
        if answer is not None and answer.failed is not None:
            return str(answer.failed)
        newest = next(iter(self._sites.ask(site, Events(limit=1)).lines), None)
        known = self._names.submitted[site.name]
        if newest is None or newest.id is None or newest.id in known or newest.id == self._names.newest.get(site.name):
            return "the event is not taken"
        known.append(newest.id)
        return None

    def _give_up(self, event: EventId) -> str | None:
        asked = self.patience.events.get(self._names.event(event))
        if asked is None:
            return f"there is no event {event}"
        return self._at(event.author, lambda watched: self._stop_waiting(watched, asked.number))

    def _stop_waiting(self, site: Watched, number: int) -> None:
        if site.up and number in site.awaited:
            self._sites.ask(site, GiveUp(requests=(number,)))

    def _read(self, site: Watched, timeout: Tick) -> None:
        timeout_s = self._real_s(timeout)
        number = self._sites.begin(site, LinearizableView(fresh=True, timeout_s=timeout_s))
        self.patience.reads[site.name] = Asked(number, time.monotonic() + timeout_s)

    # Links

    def _mend(self, links: Links) -> None:
        """Ends a cut, unless it was ended before; what another one cuts stays cut."""
        if links in self._cuts:
            self._cuts.remove(links)
            still = {link for each in self._cuts for link in each}
            self.holding.mend(link for link in links if link not in still)

    # Processes

    def _crash(self, site: Watched, down_ms: int | None) -> None:
        self.checker.remember(site.name)
        self._sites.catch_up(site)
        process_id = self._sites.ask(site, requests.Status()).pid
        self.holding.goes_down(site.name)
        site.close()
        self._ground.kill(site.name, process_id)
        self.patience.restarted.add(site.name)
        if down_ms is not None:
            self._sites.at(self._real_s(down_ms), partial(self._start, site.name))

    def _restart(self, sites: tuple[SiteId, ...]) -> str | None:
        for site in sites:
            if self._sites[site].up:
                return f"{site} runs already"
        for site in sites or self.down():
            self._start(site)
        return None

    def _start(self, site: SiteId) -> None:
        self._ground.start(site, self._interrupts)
        self._sites.connect(site)
        self.holding.comes_up(site, [link for links in self._cuts for link in links])
        self._sites.record_all(self._sites[site])

    def _pause(self, site: Watched, for_ms: int) -> None:
        process_id = self._sites.ask(site, requests.Status()).pid
        self._guard.paused(process_id)
        self._stopped[site.name] = process_id
        site.paused = True
        os.kill(process_id, signal.SIGSTOP)
        self._sites.at(self._real_s(for_ms), partial(self._go_on, site.name))

    def _go_on(self, site: SiteId) -> None:
        process_id = self._stopped.pop(site, None)
        if process_id is not None:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGCONT)
            self._guard.goes_on(process_id)
            self._sites[site].paused = False

    # Time

    def _real_s(self, ms: int) -> float:
        return ms * self._ground.stretch / 1000

    def _within(self, wrong: Callable[[], str | None], bound_s: float) -> str | None:
        began = time.monotonic()
        said = self._sites.until(wrong, bound_s + PATIENCE_S)
        return None if said is None else f"{time.monotonic() - began:.0f} s later {said}"

    def _noise(self) -> str | None:
        """What is still going on, in words."""
        running = list(self._sites.answering)
        statuses = [self._sites.ask(site, requests.Status()) for site in running]
        used = max((status.next for status in statuses), default=1) - 1
        for site, status in zip(running, statuses, strict=True):
            if status.chosen_through < used:
                return (
                    f"{site.name} has learned to {self._shown(status.chosen_through)}, slot {self._shown(used)} is used"
                )
            if status.recovering or status.attempts:
                return f"{site.name} goes on: {[each.why for each in status.attempts] or 'looks how far the log goes'}"
            if status.unknown or site.awaited:
                return f"{site.name} has events without an outcome"
        return None

    def _shown(self, real_slot: int) -> int:
        return max(0, real_slot - self._names.used)
