"""Walks that Hypothesis draws over everything that one can do to a tape: nothing of it ever raises.

Back and forward again it is the same frame and the same digest; a branch that is played again is the same run; what was
done is a scenario file that plays the same. LOGGOS_WALKS says how many walks; `make walks` takes 500.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.core.entry import Block, Kind, Tweet
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.settings import Leadership
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
from engine.sim.scenario.mistake import in_force
from engine.sim.scenario.parse import parse
from engine.sim.scenario.patterns import Pattern, Which
from engine.sim.scenario.play import Play, Unexpected
from engine.sim.scenario.schedule import (
    Command,
    Deliver,
    Drop,
    Duplicate,
    Hold,
    Release,
    RunFor,
    RunUntilQuiet,
    Step,
)
from engine.sim.scenario.write import write
from engine.sim.sometimes import CrashPoint
from engine.sim.violation import Violated
from tests.lab.test_tape import B_WINS
from tui.lab import catalogue
from tui.lab.frame import Frame
from tui.lab.tape import SimulatedTape, free

pytestmark = pytest.mark.timeout(600)
"""A walk that fails is made smaller for up to five minutes."""

WALKS: Final = int(os.environ.get("LOGGOS_WALKS", "40"))
STEPS: Final = 25

NAMES: Final = tuple(SiteId(f"s{place}") for place in range(1, 6))
LATE: Final = "sites s1 s2 s3\nleadership last-author\nat 5 ms crash s2 down 30 ms\ns1 tweets x\nrun 40 ms"
PLAN: Final = (
    "sites s1 s2 s3\nlinks loss 0.1 stale 0.1 late 0.1 late-max 2 s\nplan\n"
    "at 5 ms s1 tweets x\nat 900 ms wipe s2\ncalm at 1200 ms"
)
MISTAKE: Final = catalogue.scenario("broken-accept").text

SITE: Final = st.sampled_from(NAMES)
"""In a walk of fewer sites, some are none."""
LINK: Final = st.tuples(SITE, SITE).filter(lambda link: link[0] != link[1])
LINKS: Final = st.lists(LINK, min_size=1, max_size=4, unique=True).map(tuple)
OPERATIONS: Final = st.lists(
    st.one_of(st.builds(Tweet, st.sampled_from(["x", 'say "y"'])), st.builds(Block, SITE)), min_size=1, max_size=3
).map(tuple)
GIVES_UP_MS: Final = st.sampled_from([None, 10])
POINT: Final = st.sampled_from([point for point in CrashPoint if point is not CrashPoint.IDLE])
DOWN_MS: Final = st.sampled_from([None, 0, 100])
PATTERNS: Final = st.builds(
    Pattern,
    which=st.sampled_from(Which),
    types=st.sets(st.sampled_from(["prepare", "promise", "accept", "accepted", "chosen", "heartbeat"])).map(frozenset),
    senders=st.sets(SITE, max_size=1).map(frozenset),
    numbers=st.sets(st.integers(1, 30), max_size=2).map(frozenset),
)
HANDLED: Final = st.sampled_from([Hold, Release, Deliver, Drop, Duplicate])
CHANGES: Final = st.sampled_from([Kind.ADD, Kind.ADD_LEARNER, Kind.PROMOTE, Kind.REMOVE, Kind.MOVE])
ACTS: Final[dict[type, st.SearchStrategy[Act]]] = {
    Submit: st.builds(Submit, SITE, OPERATIONS, st.sampled_from([Tick(50), Tick(10_000)]), st.booleans(), GIVES_UP_MS),
    GiveUp: st.builds(GiveUp, st.builds(EventId, SITE, st.integers(1, 3))),
    FillHoles: st.builds(FillHoles, SITE),
    Read: st.builds(Read, SITE, st.just(Tick(500))),
    Cut: st.builds(Cut, LINKS, st.sampled_from([None, 100]), st.just("some")),
    Narrow: st.builds(Narrow, LINKS, st.just(200)),
    Mend: st.builds(Mend),
    Crash: st.one_of(
        st.builds(Crash, SITE, st.sampled_from([0, 0, 2]), st.just(None), st.just(0.5), DOWN_MS),
        st.builds(Crash, SITE, st.just(1), POINT, st.just(0.0), DOWN_MS),
    ),
    CrashAll: st.builds(CrashAll, st.just(0.0), DOWN_MS),
    Restart: st.builds(Restart, st.lists(SITE, max_size=2, unique=True).map(tuple)),
    Clear: st.builds(Clear),
    Pause: st.builds(Pause, SITE, st.sampled_from([20, 2_000])),
    ClockJump: st.builds(ClockJump, SITE, st.just(1_000)),
    FailSync: st.builds(FailSync, SITE, DOWN_MS),
    FillDisk: st.builds(FillDisk, SITE, DOWN_MS),
    FlipBit: st.builds(FlipBit, SITE, st.sampled_from([None, Slot(1), 0.5])),
    Wipe: st.builds(Wipe, SITE, DOWN_MS),
    TakeCopy: st.builds(TakeCopy, SITE),
    PutBack: st.builds(PutBack, SITE, DOWN_MS),
    Readmission: st.builds(Readmission, SITE, SITE),
    MembersChange: st.builds(MembersChange, SITE, CHANGES, SITE),
}
COMMANDS: Final[st.SearchStrategy[Command]] = st.one_of(
    *ACTS.values(),
    st.builds(RunFor, st.sampled_from([0, 1, 40, 600])),
    st.builds(RunUntilQuiet),
    st.builds(Step, st.integers(0, 5), st.sampled_from([None, RunFor(40), RunUntilQuiet()])),
    st.builds(lambda kind, pattern: kind(pattern), HANDLED, PATTERNS),
)
MODES: Final = st.one_of(
    st.sampled_from(Leadership).map(lambda mode: (mode,) * 3),
    st.lists(st.sampled_from(Leadership), min_size=3, max_size=5).map(tuple),
)


class Walks(RuleBasedStateMachine):
    """`known`: what each frame of each branch was when it was first seen."""

    @initialize(opened=st.one_of(MODES, st.sampled_from([B_WINS, LATE, PLAN, MISTAKE])))
    def begin(self, opened: tuple[Leadership, ...] | str) -> None:
        schedule = parse(opened, "opened") if isinstance(opened, str) else free(opened, 1)
        self.tape = SimulatedTape(schedule, "a walk")
        self.known: dict[tuple[int, int], tuple[Frame, str]] = {}

    @rule(count=st.integers(1, 12))
    def forward(self, count: int) -> None:
        for _ in range(count):
            self.tape.forward()
            self.look()

    @rule(share=st.floats(0, 1))
    def go(self, share: float) -> None:
        self.tape.go(int(share * (len(self.tape.frames) - 1)))

    @rule(share=st.floats(0, 1))
    def back_and_forward_again(self, share: float) -> None:
        position = self.tape.position
        self.go(share)
        while self.tape.position < position:
            assert self.tape.forward()
            self.look()

    @rule()
    def restart(self) -> None:
        self.tape.restart()

    @rule(share=st.floats(0, 1))
    def switch(self, share: float) -> None:
        branches = self.tape.branches
        self.tape.switch(int(share * (len(branches) - 1)))

    @rule(command=COMMANDS)
    def do(self, command: Command) -> None:
        self._do(command)

    @rule(share=st.floats(0, 1), retry=st.booleans())
    def submit(self, share: float, *, retry: bool) -> None:
        names = self.tape.names
        site = names[int(share * (len(names) - 1))]
        self._do(Submit(site, (Tweet("t"),), Tick(10_000), retry=retry, give_up_ms=None))

    @rule(count=st.integers(1, 6))
    def submit_and_go_on(self, count: int) -> None:
        self.submit(0.0, retry=False)
        self.forward(count)

    @rule(kind=HANDLED, share=st.floats(0, 1))
    def handle_another(self, kind: type[Hold | Release | Deliver | Drop | Duplicate], share: float) -> None:
        self.handle_what_flies(kind, share)

    @rule(kind=HANDLED, share=st.floats(0, 1))
    def handle_what_flies(self, kind: type[Hold | Release | Deliver | Drop | Duplicate], share: float) -> None:
        flights = self.tape.frames[self.tape.position].flights
        if flights:
            flight = flights[int(share * (len(flights) - 1))]
            self._do(kind(Pattern(numbers=frozenset({flight.number}))))

    @rule()
    def play_again(self) -> None:
        """What stands there now is what the frame shows."""
        before = self.tape.frames[self.tape.position]
        for position in (self.tape.position, self.tape.position + 1):  # where nothing happens any more it is replaced
            self.known.pop((self.tape.branch, position), None)
        if self.tape.do(Step(0)) is None and not any("left here" in str(saw) for saw in self._frame().seen):
            again = self._frame()
            assert _standing(again) == _standing(before)

    @invariant()
    def look(self) -> None:
        tape = self.tape
        assert self.known.setdefault((tape.branch, tape.position), (self._frame(), tape.digest())) == (
            self._frame(),
            tape.digest(),
        )

    def teardown(self) -> None:
        if hasattr(self, "tape") and not self._is_in_the_calm():
            schedule = self.tape.schedule()
            play = Play(parse(write(schedule, "A walk."), "walk.scenario"))
            try:
                with in_force(play.schedule):
                    play.do_lines()
            except (Violated, Unexpected):
                assert "go back a step" in str(self.tape.do(Step(0)))
            assert play.world.digest() == self.tape.digest()

    def _do(self, command: Command) -> None:
        tape = self.tape
        before = (tape.branch, tape.position, len(tape.frames), tape.digest())
        if tape.do(command) is not None:
            assert (tape.branch, tape.position, len(tape.frames), tape.digest()) == before
        elif tape.branch == before[0]:  # what comes next is another frame than that nothing happens any more
            self.known.pop((tape.branch, tape.position), None)

    def _frame(self) -> Frame:
        return self.tape.frames[self.tape.position]

    def _is_in_the_calm(self) -> bool:
        """There a plan settles, which no line says."""
        return "faults of this plan are over" in str(self.tape.do(Step(0)))


def _standing(frame: Frame) -> Frame:
    """What stands there, without what happened in the step that led there."""
    return replace(frame, step=0, seen=(), decided=False, broken=None)


def test_every_act_is_walked() -> None:
    assert set(ACTS) == set(get_args(Act))


TestWalks = Walks.TestCase
TestWalks.settings = settings(max_examples=WALKS, stateful_step_count=STEPS, deadline=None)
