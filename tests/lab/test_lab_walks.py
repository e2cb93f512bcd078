"""Walks that Hypothesis draws over all that one does in the lab: nothing raises but a refusal, everything is painted,
and what is painted back and forward again is what it was. LOGGOS_WALKS says how many; `make walks` takes 500."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.sim.scenario.schedule import Command, Line
from engine.sim.scenario.write import written
from tests.lab.test_tape_walks import COMMANDS
from tui.lab import acceptors, wording
from tui.lab.bench import Bench, Refused
from tui.lab.diagram import DiagramRows, painted, pen_for
from tui.lab.flights import Seeing, flight_row
from tui.lab.free import free_lab
from tui.lab.opener import LabOpener
from tui.lab.predict import questions
from tui.rows import Row, plain, width_of

pytestmark = pytest.mark.timeout(600)
"""A walk that fails is made smaller for up to five minutes."""

WALKS: Final = int(os.environ.get("LOGGOS_WALKS", "15"))
STEPS: Final = 20
WIDTHS: Final = (46, 157)
OPENED: Final = ("b-wins", "bb-wins-3", "hole-noop", "broken-accept", "free 1 none", "free 3 elected", "free 5 none")


def all_of(bench: Bench, drawn: DiagramRows, width: int) -> list[str]:
    """Everything that the screen says of the frame, in lines."""
    frame, names = bench.frame, bench.names
    head, table = acceptors.slot_table(frame, bench.before, names, bench.slot, width)
    seeing = Seeing(frame.at_ms, bench.slot, names)
    pen = pen_for(width, len(names))
    count = drawn.count(bench.reel.position)
    rows: list[Row] = [wording.title(bench, (), width), head, *table, acceptors.log_head(names, width)]
    rows += [acceptors.log_row(frame, names, slot, width) for slot in acceptors.slots_of(frame)]
    rows += [flight_row(flight, seeing, width) for flight in frame.flights]
    rows += [painted(each, pen, clock=True, is_now=True) for each in drawn.rows[max(0, count - 40) : count]]
    rows += [*wording.why_rows(bench, width), *wording.in_full(bench, width)]
    return [plain(row) for row in rows]


class LabWalks(RuleBasedStateMachine):
    @initialize(what=st.sampled_from(OPENED))
    def begin(self, what: str) -> None:
        opener = LabOpener(5, None)
        kind, _, rest = what.partition(" ")
        self.bench = Bench(opener.play(*free_lab(rest)) if kind == "free" else opener.open(what))
        self.drawn = DiagramRows(self.bench.names)

    def try_to(self, do: Callable[[], object]) -> None:
        position, digest = self.bench.reel.position, self.bench.tape.digest()
        refused = ""
        try:
            do()
        except Refused as why:
            refused = str(why)
        if refused:
            assert (self.bench.reel.position, self.bench.tape.digest()) == (position, digest)

    @rule(how=st.sampled_from(["step", "step", "back", "next_decision", "last_decision", "restart"]))
    def move(self, how: str) -> None:
        self.try_to(getattr(self.bench, how))

    @rule(step=st.integers(-1, 80))
    def go(self, step: int) -> None:
        self.try_to(lambda: self.bench.go(step))

    @rule(by=st.integers(1, 5))
    def back_and_forward_again(self, by: int) -> None:
        bench = self.bench
        before = (bench.reel.position, bench.tape.digest(), all_of(bench, self.drawn, 80))
        bench.go(max(0, bench.reel.position - by))
        while bench.reel.position < before[0]:
            bench.step()
        assert (bench.reel.position, bench.tape.digest(), all_of(bench, self.drawn, 80)) == before

    @rule(by=st.sampled_from([-1, 1]), what=st.sampled_from(["next_flight", "next_site", "pick_slot"]))
    def pick(self, by: int, what: str) -> None:
        self.try_to(lambda: getattr(self.bench, what)(by))

    @rule(what=st.sampled_from(["deliver", "drop", "duplicate", "hold"]))
    def to_flight(self, what: str) -> None:
        self.try_to(lambda: self.bench.to_flight(what))

    @rule(text=st.sampled_from(["x", 'say "y"', "", "\x1b[2J", "é" * 300]))
    def tweet(self, text: str) -> None:
        self.try_to(lambda: self.bench.tweet(text))

    @rule(command=COMMANDS)
    def do(self, command: Command) -> None:
        self.try_to(lambda: self.bench.do(written(Line(command), self.bench.names)))

    @rule(typed=st.text(max_size=12))
    def do_what_was_typed(self, typed: str) -> None:
        self.try_to(lambda: self.bench.do(typed))

    @rule()
    def ask(self) -> None:
        bench = self.bench
        before = (bench.frame, bench.tape.digest())
        after = bench.peek()
        for question in () if after is None else questions(bench.frame, after):
            assert question.rule in question.because or question.right < len(question.options)
        assert (bench.frame, bench.tape.digest()) == before

    @rule(share=st.floats(0, 1))
    def switch(self, share: float) -> None:
        self.bench.switch(int(share * (len(self.bench.tape.branches) - 1)))

    @invariant()
    def paint(self) -> None:
        self.drawn.take(self.bench.reel.frames)
        for width in WIDTHS:
            assert width_of(all_of(self.bench, self.drawn, width)[0]) <= width


TestLabWalks = LabWalks.TestCase
TestLabWalks.settings = settings(max_examples=WALKS, stateful_step_count=STEPS, deadline=None)
