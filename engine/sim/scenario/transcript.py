"""What a scenario shows: its commands with what each brought about, as a trace or as a diagram.

Rules that hold here:
- A trace is golden: the same file gives the same lines, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from engine.core.replica import Replica
from engine.sim.scenario.diagram import Diagram
from engine.sim.scenario.expected import Expectation
from engine.sim.scenario.mistake import in_force
from engine.sim.scenario.play import Play, Unexpected
from engine.sim.scenario.schedule import Line, ScenarioError, Schedule
from engine.sim.scenario.trace import TraceWriter, as_it_is
from engine.sim.violation import Violated
from engine.sim.world.world import MakeReplica, Watcher

VIOLATES: Final = "violates"
"""How the verdict begins where a rule is broken."""


class Transcript:
    """`trace` and `diagram` are its lines; `verdict` says how it ended, `as_expected` whether it should have. `play` is
    what was played, as it ended; None where it never began. `reword`: how ballots are shown.

    Raises ScenarioError.
    """

    def __init__(
        self, schedule: Schedule, make_replica: MakeReplica = Replica, reword: Callable[[str], str] = as_it_is
    ) -> None:
        names = schedule.setup.names
        self.trace: list[str] = []
        self.play: Play | None = None
        self._reword = reword
        self._diagram = Diagram(names, running=not schedule.is_plan, reword=reword)
        self.as_expected = True
        self.verdict = "as expected"
        watchers: list[Watcher] = [TraceWriter(names, self._wrote, reword), self._diagram]
        try:
            self.play = Play(schedule, make_replica, watchers)
            with in_force(schedule):
                self.play.complete(self._next)
        except Violated as violated:
            self._ends_badly(f"{VIOLATES} {violated}")
        except Unexpected as unexpected:
            self._ends_badly(str(unexpected))
        except ScenarioError:
            raise
        except Exception as error:  # whatever escapes the core is a finding, to be shown with all that led to it
            self._ends_badly(f"{error!r} escapes")

    @property
    def diagram(self) -> list[str]:
        return self._diagram.lines

    def lines(self) -> Iterator[str]:
        """The golden text."""
        yield from self.trace
        yield f"= {self.verdict}"

    def _wrote(self, line: str) -> None:
        self.trace.append(line.rstrip())

    def _next(self, line: Line) -> None:
        words = self._reword(line.words)
        self.trace.append(f"> {words}")
        if not isinstance(line.command, Expectation):
            self._diagram.says(words)

    def _ends_badly(self, verdict: str) -> None:
        self.as_expected = False
        self.verdict = self._reword(verdict)
        self._diagram.says(self.verdict)
