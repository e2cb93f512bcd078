"""The scenarios that ship with the lab, in the order in which one learns Paxos.

Rules that hold here:
- A scenario is a file in `tui/lab/scenarios`, as docs/scenarios.md describes them. Its first comment says what it
  shows; the list has the first sentence of it.
- Its sites are s1, s2, ... in file order, whose ports in a course's notation are 8000, 8001, ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from engine.sim.scenario.parse import parse
from engine.sim.scenario.schedule import Schedule

FOLDER: Final = Path(__file__).with_name("scenarios")
SUFFIX: Final = ".scenario"

NAMES: Final = (
    *("single", "a-wins", "b-wins", "bb-wins", "a-wins-3", "b-wins-3", "bb-wins-3"),
    *("livelock", "restart", "hole", "hole-recovered", "hole-noop", "recovery", "certain-read"),
    *("no-quorum", "wiped-disk", "last-author", "last-author-crash", "elected", "elected-failover"),
    *("broken-promise", "broken-accept", "broken-first-value", "broken-ballot", "broken-ballot-zero"),
    *("broken-vote-count", "broken-recovery", "broken-fresh-disk"),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    text: str

    @property
    def about(self) -> str:
        """What it shows, in a few sentences: its first comment."""
        return first_comment(self.text)

    @property
    def summary(self) -> str:
        sentence, stop, _ = self.about.partition(". ")
        return sentence + stop.strip()

    def schedule(self) -> Schedule:
        return parse(self.text, self.name + SUFFIX)


def shipped() -> Iterator[Scenario]:
    return (scenario(name) for name in NAMES)


def scenario(name: str) -> Scenario:
    """One of NAMES."""
    return Scenario(name, (FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8"))


def name_of(typed: str) -> str | None:
    """The name that is meant by `A_wins` or `a-wins`; None where it is none."""
    name = typed.lower().replace("_", "-").removesuffix(SUFFIX)
    return name if name in NAMES else None


def nearest(typed: str) -> str | None:
    near = get_close_matches(typed.lower().replace("_", "-"), NAMES, 1)
    return near[0] if near else None


def first_comment(text: str) -> str:
    """The lines of the comment that a scenario file begins with, as one."""
    said = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        said.append(line.removeprefix("#").strip())
    return " ".join(said)
