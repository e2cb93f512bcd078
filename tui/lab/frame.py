"""The state after one step of a run, and how one moves among the steps.

Rules that hold here:
- A frame is a value: what it shows never changes. Frames share what one step left as it was.
- A reel is a run that can be shown: the simulated one, and what real sites have recorded. Only a tape can be changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.core.entry import Entry
from engine.core.explained.describe import Line
from engine.core.ids import Ballot, SiteId, Slot
from engine.sim.scenario.schedule import Command, Schedule
from tui.lab.seen import Seen


@dataclass(frozen=True, slots=True)
class Acceptor:
    """The variables of a slot at a site, as they are durable; None: nothing yet, or (in a recording) not known."""

    max_prepare: Ballot | None
    acc_num: Ballot | None
    acc_val: Entry | None
    learned: Entry | None


@dataclass(frozen=True, slots=True)
class SiteState:
    """`why`: what keeps it from its work, in a word or two (`down`, `paused`, `does not vote`), else empty."""

    site: SiteId
    is_up: bool
    why: str
    leader: SiteId | None
    acceptors: Mapping[Slot, Acceptor]


@dataclass(frozen=True, slots=True)
class Flight:
    """A message under way; `arrives_at_ms` None: it is held until somebody lets it go."""

    number: int
    sender: SiteId
    to: SiteId
    arrives_at_ms: float | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """After `step` steps (0: before the first). `seen` is what this step brought about; `decided` says whether a slot
    was chosen in it, `broken` which rule it broke, in words."""

    step: int
    at_ms: float
    sites: tuple[SiteState, ...]
    flights: Sequence[Flight]
    seen: tuple[Seen, ...]
    chosen: Mapping[Slot, Entry]
    decided: bool
    broken: str | None


class Reel(Protocol):
    """`frames` are those seen so far on this branch, `position` the one that is shown."""

    @property
    def title(self) -> str: ...

    @property
    def names(self) -> tuple[SiteId, ...]: ...

    @property
    def frames(self) -> Sequence[Frame]: ...

    @property
    def position(self) -> int: ...

    def forward(self) -> bool:
        """One step; False where nothing comes any more."""

    def go(self, position: int) -> None:
        """To a frame that was seen already."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A course of events; `parent` is the one that it left after `forked_at` steps, None for the first."""

    number: int
    parent: int | None
    forked_at: int
    steps: int
    began_with: str


class Tape(Reel, Protocol):
    """A simulated run. What is done at a frame that is not the last one begins a branch of its own."""

    @property
    def branches(self) -> Sequence[Branch]: ...

    @property
    def branch(self) -> int: ...

    def do(self, command: Command) -> str | None:
        """Does it at this frame; returns what keeps it from being done, in words, and then nothing has changed."""

    def switch(self, branch: int) -> None:
        """Shows another branch, at the step where both part."""

    def restart(self) -> None:
        """The first frame."""

    def schedule(self) -> Schedule:
        """What was done on this branch up to this frame, as a scenario that plays the same again."""

    def digest(self) -> str:
        """Names everything that happened up to this frame."""
