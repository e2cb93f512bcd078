"""An exhaustive search: all states of a cluster, breadth first, each checked once.

Rules that hold here:
- A state is a tuple of small numbers, one a component. What is kept of a state that was seen is its exact encoding, of
  two bytes a component: there are no collisions, so that a count is the count.
- Breadth first, so that the way to the first violation is a shortest one. Ways are not kept: where there is a
  violation, the same search is made again, and keeps them.
- Nothing depends on the order of a set: a space has the same counts, and the same way to a violation, in each run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from engine.sim.violation import Violated

State = tuple[int, ...]

Move = tuple[str, str, State]
"""Who does what, and the state of all then."""


class StateSpace(Protocol):
    @property
    def initial(self) -> State: ...

    def moves(self, state: State) -> Iterable[Move]:
        """All that can happen next. Raises Violated where a step itself breaks a rule."""

    def kept(self, state: State) -> State:
        """The same state without what is forgotten of it."""

    def canonical(self, state: State) -> State:
        """The one of the states that are the same as this but for names, and for what is forgotten."""

    def check(self, state: State) -> None:
        """Raises Violated."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A search without a violation. `depth`: how many steps the furthest state is away from the start."""

    states: int
    steps: int
    depth: int


class Counterexample(Exception):
    """`way` is a shortest run to the violation, a line a step."""

    def __init__(self, violated: Violated, way: tuple[str, ...]) -> None:
        super().__init__("\n".join((*way, str(violated))))
        self.violation = violated.violation
        self.way = way


def search(space: StateSpace) -> Searched:
    """Raises Counterexample."""
    canonical, check, moves = space.canonical, space.check, space.moves
    encode = Struct(f"<{len(space.initial)}H").pack
    frontier = [canonical(space.initial)]
    seen = {encode(*frontier[0])}
    steps = depth = 0
    try:
        check(space.initial)
        while frontier:
            following: list[State] = []
            for state in frontier:
                for _, _, reached in moves(state):
                    steps += 1
                    after = canonical(reached)
                    code = encode(*after)
                    if code not in seen:
                        seen.add(code)
                        check(after)
                        following.append(after)
            depth += bool(following)
            frontier = following
    except Violated as violated:
        raise Counterexample(violated, _way(space)) from violated
    return Searched(len(seen), steps, depth)


def _way(space: StateSpace) -> tuple[str, ...]:
    """The same search again, up to the violation that it is known to find. Where a step itself breaks a rule, the way
    is the one to the state before it."""
    start = space.canonical(space.initial)
    came_from: dict[State, State | None] = {start: None}
    reached = [start]
    at = start
    try:
        for state in reached:
            at = state
            for _, _, moved in space.moves(state):
                after = space.canonical(moved)
                if after not in came_from:
                    came_from[after] = state
                    at = after
                    space.check(after)
                    reached.append(after)
                    at = state
    except Violated:
        pass
    states = [at]
    while (before := came_from[states[-1]]) is not None:
        states.append(before)
    return _told(space, states[::-1])


def _told(space: StateSpace, states: list[State]) -> tuple[str, ...]:
    """The same way in words, under names that stay the same from step to step."""
    state, lines = space.initial, []
    for number, after in enumerate(states[1:], 1):
        who, what, reached = next(move for move in space.moves(state) if space.canonical(move[2]) == after)
        state = space.kept(reached)
        lines.append(f"{number:>3}. {who} {what}")
    return tuple(lines)
