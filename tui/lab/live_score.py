"""What the simulated world does at each line of a scenario: what a live run waits for, and is held against.

Rules that hold here:
- A scenario is played several times: as it is, then with other chance, with the real sites' timings, on links as uneven
  as real ones, and with lines that take time, as they do there, so that timers come. What differs between these runs is
  left to chance, and nothing is asked of it.
- What each run held before a line, a live run holds before it does that line.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, islice
from random import Random
from typing import Final

from engine.core.effects import Observation, SawOutcome
from engine.core.entry import NOOP, Entry
from engine.core.ids import EventId, SiteId, Slot
from engine.core.run import slots_of
from engine.core.settings import Timings
from engine.core.storage import EventState
from engine.sim.scenario.expected import Expectation
from engine.sim.scenario.onlookers import singly
from engine.sim.scenario.play import Play, Unexpected
from engine.sim.scenario.schedule import ScenarioError, Schedule
from engine.sim.violation import Violated
from engine.sim.world.network import Datagram
from engine.sim.world.setup import STEADY, Weather
from tui.lab.live_sayings import Ranks, Saying, said

PAUSES_MS: Final = (0, 10, 40, 120, 300, 1_000, 2_000)
"""How long a line takes at most, in the other runs: one of each."""

MORE_RUNS_MAX: Final = 40
MORE_WITHIN_S: Final = 3.0
"""Then as many more, in so much time of a processor, however busy it is: each may find something else that chance
decides."""

_UNEVEN: Final = Weather(delay_min=1, delay_spread=4)

Nth = tuple[SiteId, int]
"""An event: the site whose user submitted it, and which of that site's events it is, from 1."""


@dataclass(frozen=True, slots=True)
class Step:
    """`held` before the line was done, `sent` while it was, `took_ms` how long that took."""

    held: Counter[Saying]
    sent: tuple[Saying, ...]
    took_ms: int


@dataclass(frozen=True, slots=True)
class Run:
    """`outcomes` are those told last, `learned` whose event stands in a slot (None: the no-op); `leader`: whom all
    followed when the lines began, where they elect."""

    steps: tuple[Step, ...]
    ranks: Ranks
    events: Mapping[EventId, Nth]
    outcomes: Mapping[Nth, tuple[EventState, Slot | None]]
    learned: Mapping[Slot, Nth | None]
    leader: SiteId | None
    too_late: Mapping[int, int]
    """Lines, counted from 0, that expect what was not so any more, and how much longer the lines before them took."""

    @property
    def took_ms(self) -> int:
        return sum(step.took_ms for step in self.steps)


class Score:
    """`as_written` is the run of the scenario itself; `runs` has the others too. `too_late`: lines, counted from 0,
    that expect what is not so any more where the lines before took so many milliseconds longer."""

    def __init__(self, as_written: Run, others: Sequence[Run], too_late: Mapping[int, int] | None = None) -> None:
        self.too_late = too_late or {}
        self.as_written = as_written
        self.runs = (as_written, *others)

    def must_hold(self, line: int) -> frozenset[Saying]:
        return frozenset.intersection(*(frozenset(run.steps[line].held) for run in self.runs))

    def may_hold(self, line: int) -> Counter[Saying]:
        """How many of each, at most."""
        most: Counter[Saying] = Counter()
        for run in self.runs:
            most |= run.steps[line].held
        return most

    @cached_property
    def heard_of(self) -> frozenset[Saying]:
        """All that was said in any run."""
        return frozenset(each for run in self.runs for step in run.steps for each in step.sent)


def score(schedule: Schedule, timings: Timings) -> Score:
    """`timings`: those of the real sites, as long as the scenario's times are. Raises Unexpected or Violated where the
    scenario fails as it is written, and ScenarioError."""
    as_written = _run(schedule, 0)
    runs: list[Run] = []
    too_late: dict[int, int] = {}
    for run in _others(schedule, as_written.leader, timings):
        runs.append(run)
        for line, by_ms in run.too_late.items():
            too_late[line] = min(by_ms, too_late.get(line, by_ms))
    return Score(as_written, runs, too_late)


def _others(schedule: Schedule, leader: SiteId | None, timings: Timings) -> Iterator[Run]:
    setup = schedule.setup
    links = tuple(tuple(_UNEVEN if each == STEADY else each for each in row) for row in setup.links)
    until = time.process_time() + MORE_WITHIN_S
    for more, pause_ms in enumerate(islice(cycle(PAUSES_MS), len(PAUSES_MS) + MORE_RUNS_MAX), 1):
        if more > len(PAUSES_MS) and time.process_time() > until:
            return
        other = replace(setup, seed=setup.seed + 1_000 * more, links=links, timings=timings)
        try:
            yield _run(replace(schedule, setup=other, leader=leader), pause_ms)
        except (Unexpected, Violated, ScenarioError):
            continue  # chance alone spoils it: that run tells nothing


class _Witness:
    """A `Watcher`."""

    def __init__(self, names: Sequence[SiteId]) -> None:
        self.sent_sayings: list[Saying] = []
        self.outcomes: dict[EventId, SawOutcome] = {}
        self._names = names

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:  # noqa: ARG002  (a Watcher's)
        self.sent_sayings += _sayings(self._names, datagram)

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        pass

    def told(self, now: int, site: SiteId, saw: Observation) -> None:  # noqa: ARG002  (a Watcher's)
        if isinstance(saw, SawOutcome):
            self.outcomes.update((each.id, each) for each in singly(saw) if each.id is not None)

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        pass


def _run(schedule: Schedule, pause_ms: int) -> Run:
    """`pause_ms`: how much time passes after each line, at most."""
    names, random = schedule.setup.names, Random(schedule.setup.seed)
    witness = _Witness(names)
    play = Play(schedule, watchers=[witness])
    world = play.world
    leader = _followed(play)
    drafts: list[tuple[list[Saying], list[Saying], int]] = []
    paused_ms = 0
    too_late: dict[int, int] = {}
    for number, line in enumerate(schedule.lines):
        held = [each for datagram in world.network.held.values() for each in _sayings(names, datagram)]
        since, began = len(witness.sent_sayings), world.now
        try:
            play.do(line)
        except Unexpected:
            if paused_ms == 0 or not isinstance(line.command, Expectation):
                raise
            too_late[number] = paused_ms
        pause = random.randint(0, pause_ms)
        paused_ms += pause
        world.run(world.now + pause)
        drafts.append((held, witness.sent_sayings[since:], world.now - began))
    ranks = Ranks()
    for held, sent, _ in drafts:
        for each in (*held, *sent):
            ranks.saw(each.ballot)
    steps = (Step(Counter(ranks.ranked(held)), tuple(ranks.ranked(sent)), ms) for held, sent, ms in drafts)
    events = _numbered(world.truth.outcomes.by_id)
    outcomes = {events[id_]: (saw.outcome, saw.slot) for id_, saw in witness.outcomes.items() if id_ in events}
    return Run(tuple(steps), ranks, events, outcomes, _learned(play, events), leader, too_late)


def _followed(play: Play) -> SiteId | None:
    leaders = {site.replica.leader for site in play.world.sites if site.replica is not None}
    return next((leader for leader in leaders if leader is not None), None)


def _numbered(ids: Mapping[EventId, object]) -> dict[EventId, Nth]:
    """Numbers ascend in the order in which a site's events were submitted (E3)."""
    count: Counter[SiteId] = Counter()
    numbered: dict[EventId, Nth] = {}
    for id_ in sorted(ids):
        count[id_.author] += 1
        numbered[id_] = (id_.author, count[id_.author])
    return numbered


def _learned(play: Play, events: Mapping[EventId, Nth]) -> dict[Slot, Nth | None]:
    learned: dict[Slot, Nth | None] = {}
    for site in play.world.sites:
        image = site.disk.image
        for slot in slots_of(Slot(1), image.ahead.last or image.prefix):
            entry = image.entry(slot)
            if entry is not None:
                learned[slot] = _whose(entry, events)
    return learned


def _whose(entry: Entry, events: Mapping[EventId, Nth]) -> Nth | None:
    return None if entry == NOOP or entry.id is None else events[entry.id]


def _sayings(names: Sequence[SiteId], datagram: Datagram) -> list[Saying]:
    sender, to = names[datagram.sender], names[datagram.to]
    return [saying for message in datagram.messages for saying in said(sender, to, message)]
