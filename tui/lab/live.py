"""Plays a scenario on real sites over real UDP, and says whether that agrees with the simulated world.

Rules that hold here:
- What real sites cannot do is refused before anything is touched.
- Whatever ends a run: no fault rule of it is left (they are bound to its connections), what it stopped goes on, what it
  killed of a demo runs again, a cluster that it made is gone; a process beside it sees to that if it is killed itself.
- It says each line before it is done, and at the end what was compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.contract import requests
from engine.contract.errors import NoAnswer, NoEngine
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.storage import EventState
from engine.sim.scenario.acts import Submit
from engine.sim.scenario.play import Unexpected
from engine.sim.scenario.schedule import ScenarioError, Schedule
from engine.sim.violation import Violated
from tui.client import Client
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupts
from tui.lab.live_agreement import Compared, LiveRun, compare
from tui.lab.live_ground import Ground, own_cluster, running_demo, timings_of
from tui.lab.live_guard import Guard
from tui.lab.live_names import Names
from tui.lab.live_opening import Opening
from tui.lab.live_play import Failed, LivePlay, Stage
from tui.lab.live_refused import on_real_sites, refusals
from tui.lab.live_sayings import Saying
from tui.lab.live_score import Nth, Score, score
from tui.lab.live_sites import SiteLost, Sites
from tui.selection import refusals_as_exits

RULES_GO_S: Final = 10.0
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Where:
    """A demo's sites file and data folder; None: a cluster of one's own."""

    sites_path: Path | None
    data: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`verdict` says how it ended; `differences` are where the traces do not agree."""

    as_expected: bool
    verdict: str
    differences: tuple[str, ...] = ()


def play_live(title: str, schedule: Schedule, where: Where, say: Callable[[str], None]) -> Verdict:
    """`say` is given what is done, a line each. Raises CommandFailed, Interrupted."""
    schedule = on_real_sites(schedule)
    refused = list(refusals(schedule))
    if refused:
        raise CommandFailed(ExitStatus.BAD_INPUT, f"{title} cannot be played on real sites: {'; '.join(refused)}")
    simulated = _simulated(title, schedule, where)
    with (
        Interrupts() as interrupts,
        _guarded() as guard,
        _ground(schedule, simulated, where, guard, interrupts) as ground,
    ):
        sites = Sites(ground.sites, interrupts)
        names = Names(simulated.as_written, {name: local.site for name, local in ground.sites.items()})
        sites.on_trace = names.heard
        stage = Stage(sites, names, simulated, ground, guard, interrupts, _slots(schedule, simulated))
        fresh = where.sites_path is None
        opening = Opening(sites, names, schedule, simulated.as_written.leader, fresh, ground.stretch)
        run = _Live(schedule, stage, opening, say)
        try:
            return run.play()
        finally:
            run.put_right()


def _simulated(title: str, schedule: Schedule, where: Where) -> Score:
    own = schedule.setup.timings
    try:
        return score(schedule, own if where.sites_path is None else timings_of(where.sites_path, own))
    except ScenarioError as bad:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(bad)) from None
    except (Unexpected, Violated) as bad:
        raise CommandFailed(ExitStatus.VIOLATION, f"{title} already fails in the simulated world: {bad}") from None


@contextmanager
def _guarded() -> Iterator[Guard]:
    guard = Guard()
    try:
        yield guard
    finally:
        guard.close()


@contextmanager
def _ground(
    schedule: Schedule, simulated: Score, where: Where, guard: Guard, interrupts: Interrupts
) -> Iterator[Ground]:
    if where.sites_path is None:
        with own_cluster(schedule, simulated.as_written.took_ms, guard, interrupts) as ground:
            yield ground
    else:
        with refusals_as_exits():
            demo = running_demo(schedule, where.sites_path, where.data, guard)
        yield demo


class _Live:
    """One run."""

    def __init__(self, schedule: Schedule, stage: Stage, opening: Opening, say: Callable[[str], None]) -> None:
        self._schedule = schedule
        self._stage = stage
        self._opening = opening
        self._say = say
        self._play = LivePlay(stage)
        self._marks: list[dict[SiteId, int]] = []

    def play(self) -> Verdict:
        """Raises CommandFailed, Interrupted."""
        try:
            self._connect()
            self._opening.begin()
            self._said_where()
            for number, line in enumerate(self._schedule.lines):
                self._say(f"> {line.words}")
                self._marks.append({site.name: len(site.lines) for site in self._stage.sites.watched.values()})
                self._play.do(number, line)
            return self._compared()
        except Failed as failed:
            return Verdict(False, str(failed))
        except SiteLost as lost:
            raise CommandFailed(ExitStatus.NO_ENGINE, str(lost)) from None

    def _connect(self) -> None:
        for name, watched in self._stage.sites.watched.items():
            try:
                self._stage.sites.connect(name)
            except NoEngine:
                local = watched.local
                how = f"start it with `{local.command('serve')}`"
                raise CommandFailed(ExitStatus.NO_ENGINE, f"no engine of {local.site} is running here: {how}") from None

    def _said_where(self) -> None:
        stretch = self._stage.ground.stretch
        times = "" if stretch == 1 else f"; all times are {stretch:g} times as long"
        self._say(f"on real sites, from slot {self._stage.names.used + 1} on{times}")

    # The end

    def put_right(self) -> None:
        """A second signal does not keep it from that."""
        with Interrupts() as again:
            gone_on = self._play.let_go_on()
            down = self._play.down()
            self._stage.sites.close()
            for site in gone_on:
                self._say(f"{site} goes on")
            started = self._stage.ground.leave(down, again)
            for site in started:
                self._say(f"{site} runs again")
            _await_no_rules(self._stage.ground)

    def _compared(self) -> Verdict:
        for site in self._stage.sites.answering:
            self._stage.sites.catch_up(site)
            if site.lacks:
                return Verdict(False, f"{site.name} left out {site.lacks} lines of its trace: it was read too slowly")
        compared = compare(self._schedule, self._stage.score, self._live_run())
        if compared.wrong:
            return Verdict(False, "as expected, but the trace is not that of the simulated world", compared.wrong)
        return Verdict(True, f"as expected; {_agrees(compared, self._play)}")

    def _live_run(self) -> LiveRun:
        ends = [*self._marks[1:], {site.name: len(site.lines) for site in self._stage.sites.watched.values()}]
        steps: list[list[Saying]] = []
        for begin, end in zip(self._marks, ends, strict=True):
            steps.append([
                saying
                for site in self._stage.sites.watched.values()
                for line in site.lines[begin[site.name] : end[site.name]]
                for saying in self._stage.names.sent(site.name, line)
            ])  # fmt: skip
        ranks = self._stage.names.ranks
        for step in steps:
            for each in step:
                ranks.saw(each.ballot)
        ranked = tuple(tuple(ranks.ranked(step)) for step in steps)
        outcomes, learned = self._outcomes(), self._play.checker.learned()
        return LiveRun(ranked, tuple(ranks.ascending()), self._retries(), outcomes, learned)

    def _outcomes(self) -> dict[Nth, tuple[EventState, Slot | None]]:
        outcomes: dict[Nth, tuple[EventState, Slot | None]] = {}
        for id_, nth in self._stage.score.as_written.events.items():
            told = self._play.checker.told(id_)
            if told is not None:
                outcomes[nth] = (EventState(told.outcome), self._stage.names.slot(told.slot))
        return outcomes

    def _retries(self) -> frozenset[Ballot]:
        """The ballots that their sites used after a random wait (B4)."""
        names = self._stage.names
        sites = self._stage.sites.watched.values()
        found = (names.ranks.rank(ballot) for site in sites for ballot in names.retries(site.lines))
        return frozenset(each for each in found if each is not None)


def _await_no_rules(ground: Ground) -> None:
    """An engine takes a bound rule away when it sees that the connection is closed: at its next pass."""
    for local in ground.sites.values():
        with suppress(NoAnswer), Client.connect(local.socket_path) as client:
            deadline = time.monotonic() + RULES_GO_S
            while any(rule.while_connected for rule in client.ask(requests.Faults()).rules):
                if time.monotonic() > deadline:
                    raise CommandFailed(
                        ExitStatus.NO_ENGINE, f"{local.site} keeps fault rules: see `{local.command('faults')}`"
                    )
                client.wait(_LOOK_S)


def _slots(schedule: Schedule, simulated: Score) -> int:
    submitted = sum(isinstance(line.command, Submit) for line in schedule.lines)
    return max([submitted, 1, *simulated.as_written.learned])


def _agrees(compared: Compared, play: LivePlay) -> str:
    besides = "" if not compared.besides else f"; {compared.besides} messages that depend on chance are not compared"
    again = "" if not play.holding.repeats else f"; {play.holding.repeats} repeated messages were dropped"
    late = "" if not play.too_late else f"; {play.too_late} expectations were checked too late"
    return (
        f"the trace is that of the simulated world: {compared.messages} messages on {compared.links} links,"
        f" {compared.ballots} ballots, order and outcomes{besides}{again}{late}"
    )
