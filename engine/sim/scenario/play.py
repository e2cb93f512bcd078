"""Plays a scenario: brings the sites up, does one command after the other, checks what is expected.

Rules that hold here:
- The world is ready before the first command is done (`engine.sim.scenario.ready`).
- Truth is checked at every step (Violated); an expectation that fails, or a command that finds nothing to do,
  is Unexpected.
- Whoever steps through a scenario calls `do` line by line; a scenario is played again to go back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from typing import Final, assert_never

from engine.core.ids import EventId, SiteId, Tick
from engine.core.replica import Replica
from engine.sim.image import Image
from engine.sim.scenario.commands import (
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
    Line,
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
    Scenario,
    Submits,
    WipeStore,
)
from engine.sim.scenario.expectations import Checker
from engine.sim.scenario.expected import (
    Checkable,
    ExpectChosen,
    ExpectElections,
    ExpectFollowing,
    ExpectHeld,
    ExpectHole,
    ExpectLearned,
    ExpectOutcome,
    ExpectRead,
    ExpectSlot,
    ExpectState,
    ExpectStopped,
    ExpectViolation,
)
from engine.sim.scenario.holding import Holding, words
from engine.sim.scenario.onlookers import Onlookers
from engine.sim.scenario.patterns import is_upkeep
from engine.sim.scenario.ready import ready
from engine.sim.violation import OutOfModel, Violated
from engine.sim.world.surroundings import Fuse
from engine.sim.world.world import MakeReplica, Watcher, World

QUIET_MAX_MS: Final = 60_000


class Unexpected(Exception):
    """A scenario did not go as its file says: names the file and the line, and says what is true instead."""


class Play:
    """`watchers` see what happens from the first command on."""

    def __init__(
        self, scenario: Scenario, make_replica: MakeReplica = Replica, watchers: Sequence[Watcher] = ()
    ) -> None:
        self.scenario = scenario
        self.onlookers = Onlookers(watchers)
        self.world = ready(scenario, make_replica)
        self.world.watcher = self.onlookers
        self.onlookers.began = self.world.now
        self.world.on_stopped = lambda site: self._failed.add(self.world.names[site])
        self._holding = Holding(self.world, self.onlookers)
        self._cuts: list[tuple[tuple[int, int], ...]] = []
        self._copies: dict[SiteId, Image] = {}
        self._failed: set[SiteId] = set()
        self._checker = Checker(self.world, self.onlookers, self._failed)

    def complete(self, before: Callable[[Line], None] = lambda _: None) -> None:
        """Does all lines; `before` is told of each. Raises Unexpected, Violated or ScenarioError."""
        lines = self.scenario.lines
        try:
            for line in lines:
                before(line)
                self.do(line)
        except Violated as violated:
            if not self._was_expected(violated):
                raise
            before(lines[-1])

    def do(self, line: Line) -> None:
        """Raises Unexpected, Violated or ScenarioError."""
        try:
            problem = self._do(line)
        except OutOfModel as left:
            problem = f"the scenario leaves the model, where nothing is promised: {left}"
        if problem is not None:
            raise Unexpected(f"{self.scenario.file}:{line.number}: {line.words}: {problem}")

    def _was_expected(self, violated: Violated) -> bool:
        match self.scenario.lines[-1].command:
            case ExpectViolation(rule):
                return violated.violation.rule == rule
            case ExpectStopped(site, rule):
                return violated.violation.site == site and f"rule {rule} " in violated.violation.sentence
            case _:
                return False

    def _do(self, line: Line) -> str | None:
        """What is wrong, in words; None where it is done, or as expected."""
        world, index, command = self.world, self.world.index, line.command
        match command:
            case Submits(site, operation, timeout, retry):
                token = world.submit(index[site], operation, timeout, retry=retry)
                return None if token is not None else f"{site} does not run"
            case GivesUp(event):
                return self._gives_up(event)
            case Reads(site, timeout):
                return self._running(site, lambda: self._reads(site, timeout))
            case Fills(site):
                return self._running(site, lambda: world.fill(index[site]))
            case Hold(pattern):
                self._holding.hold(pattern)
            case Release(pattern):
                self._holding.release(pattern)
            case Deliver(pattern):
                return self._holding.deliver(pattern)
            case Duplicate(pattern):
                return self._holding.duplicate(pattern)
            case Drop(pattern):
                return self._holding.drop(pattern)
            case CutBetween(groups):
                pairs = [(a, b) for one, other in permutations(groups, 2) for a in one for b in other]
                self._cut(pairs, " | ".join(" ".join(group) for group in groups))
            case CutOneWay(senders, addressees):
                self._cut(
                    [(a, b) for a in senders for b in addressees], f"{' '.join(senders)} > {' '.join(addressees)}"
                )
            case Narrow(between, packet_bytes_max):
                world.network.narrow([(index[a], index[b]) for a, b in between], packet_bytes_max)
                shown = ", ".join(f"{a} > {b}" for a, b in between)
                world.note(None, "limit", f"{packet_bytes_max} bytes: {shown}")
            case Mend():
                for row in world.network.links:
                    for link in row:
                        link.packet_bytes_max = None
                for links in self._cuts:
                    world.network.mend(links)
                self._cuts.clear()
                world.note(None, "mend", "")
            case RunFor(ms):
                world.run(world.now + ms)
            case RunUntilQuiet():
                return self._run_until_quiet()
            case RunUntil(expected, within_ms):
                return self._run_until(expected, within_ms)
            case CrashNow(site):
                return self._running(site, lambda: world.crash(index[site]))
            case CrashAt(site, point, kept):
                return self._running(site, lambda: world.light(index[site], Fuse(1, kept, None, point)))
            case Restart(sites):
                return self._restart(sites)
            case PauseFor(site, ms):
                return self._running(site, lambda: world.pause(index[site], ms))
            case Jump(site, ms):
                return self._running(site, lambda: world.leap(index[site], ms))
            case WipeStore(site):
                world.crash(index[site])
                world.wipe(index[site])
            case CopyStore(site):
                self._copies[site] = world.copy(index[site])
            case PutBackStore(site):
                if site not in self._copies:
                    return f"there is no copy of {site}'s store: write copy {site} above"
                world.crash(index[site])
                world.replace(index[site], self._copies[site].duplicate())
            case DamageStore(site, slot):
                world.sites[index[site]].disk.damage(slot)
            case FailNext(site, fault):
                disk = world.sites[index[site]].disk
                disk.sync_fails, disk.full = fault is Fault.SYNC, fault is Fault.WRITE
            case (
                ExpectSlot()
                | ExpectOutcome()
                | ExpectRead()
                | ExpectLearned()
                | ExpectChosen()
                | ExpectHole()
                | ExpectState()
                | ExpectStopped()
                | ExpectFollowing()
                | ExpectElections()
                | ExpectViolation()
            ):
                return self._checker.wrong(command)
            case ExpectHeld(pattern, count):
                found = len(self._holding.found(pattern))
                right = found > 0 if count is None else found == count
                return None if right else f"{found} are; held: {self._holding.in_words()}"
            case _:
                assert_never(command)
        return None

    def _running(self, site: SiteId, do: Callable[[], None]) -> str | None:
        if not self.world.sites[self.world.index[site]].up:
            return f"{site} does not run"
        do()
        return None

    def _reads(self, site: SiteId, timeout: Tick) -> None:
        token = self.world.read(self.world.index[site], timeout)
        assert token is not None, "the site runs"
        self.onlookers.newest_read[site] = token

    def _gives_up(self, id_: EventId) -> str | None:
        outcomes = self.world.truth.outcomes
        event = outcomes.by_id.get(id_)
        token = next((token for token, each in outcomes.by_token.items() if each is event), None)
        if token is None:
            return f"there is no event {id_}"
        return self._running(id_.author, lambda: self.world.give_up(self.world.index[id_.author], token))

    def _restart(self, sites: tuple[SiteId, ...]) -> str | None:
        world = self.world
        for site in sites:
            if world.sites[world.index[site]].up:
                return f"{site} runs already"
        for site in sites or world.names:
            world.start(world.index[site])
        return None

    # Links

    def _cut(self, links: Iterable[tuple[SiteId, SiteId]], shape: str) -> None:
        index = self.world.index
        pairs = tuple((index[a], index[b]) for a, b in links)
        self._cuts.append(pairs)
        self.world.cut(pairs, None, shape)

    # Time

    def _run_until(self, expected: Checkable, within_ms: int) -> str | None:
        world = self.world
        latest = world.now + within_ms
        while (wrong := self._checker.wrong(expected)) is not None:
            if world.now >= latest:
                return f"{within_ms} ms later {wrong}"
            world.run(min(latest, world.now + 10))
        return None

    def _run_until_quiet(self) -> str | None:
        world = self.world
        latest = world.now + QUIET_MAX_MS
        while (noise := _noise(world)) is not None:
            if world.now >= latest:
                return f"not quiet after {QUIET_MAX_MS // 1_000} s: {noise}"
            world.run(world.now + 10)
        return None


def _noise(world: World) -> str | None:
    """What is still going on, in words."""
    running = [site for site in world.sites if site.replica is not None and not site.stalled]
    used_max = max((site.replica.used_max for site in running if site.replica is not None), default=0)
    for site in running:
        assert site.replica is not None
        view = site.replica.view(1)
        if view.prefix < used_max:
            return f"{site.name} has learned to {view.prefix}, slot {used_max} is used"
        if view.recovering or view.attempts:
            return f"{site.name} goes on: {view.attempts or 'looks how far the log goes'}"
        if site.awaited or (view.voting and site.disk.image.open_events):
            return f"{site.name} has events without an outcome"
    held = world.network.held
    for datagram in world.in_flight():
        if datagram.number not in held and not all(is_upkeep(message) for message in datagram.messages):
            return f"on its way: {words(datagram.messages)}"
    return None
