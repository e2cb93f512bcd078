"""The truth about recovery: how far the log goes, as sites say it (R4).

Rules that hold here:
- R4: `highest` covers all that its sender had durably accepted or learned; who says for the first time since its start
  that it has recovered has all that was chosen before it first asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.ids import SiteId, Slot
from engine.core.messages import Highest
from engine.sim.violation import Judge


@dataclass(slots=True)
class _Process:
    chosen: Slot | None = None  # what was chosen when it first asked how far the log goes
    recovered: bool = False  # it said that it has all that


class Recovery:
    def __init__(self, names: tuple[SiteId, ...], judge: Judge) -> None:
        self._names = names
        self._judge = judge
        self._processes = [_Process() for _ in names]

    def started(self, index: int) -> None:
        self._processes[index] = _Process()

    def asks(self, index: int, chosen_max: Slot) -> None:
        """A question how far the log goes leaves."""
        process = self._processes[index]
        if process.chosen is None:
            process.chosen = chosen_max

    def answers(self, index: int, message: Highest, used_before: Slot) -> None:
        """`used_before`: what the disk said before this pass's commit."""
        if message.used_max < used_before:
            told = f"says that it used no more than {message.used_max}, but its disk says {used_before}"
            self._judge.breaks("R4", told, slot=used_before, site=self._names[index])

    def ends(self, index: int, prefix: Slot) -> None:
        """A site says that it has recovered, up to here."""
        process = self._processes[index]
        if not process.recovered and process.chosen is not None and prefix < process.chosen:
            told = f"recovered {prefix} slots, but {process.chosen} were chosen before it asked"
            self._judge.breaks("R4", told, slot=process.chosen, site=self._names[index])
        process.recovered = True
