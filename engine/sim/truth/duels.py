"""The truth about duels: how long a defeated proposer waits (B4).

Rules that hold here:
- B4: a wait ends ahead, after BACKOFF_MAX at most, and sooner after the first defeats in a row at one slot. That it is
  drawn afresh cannot be told of one wait.
"""

from __future__ import annotations

from collections import Counter

from engine.core.effects import SawAttempt
from engine.core.ids import SiteId, Slot, Tick
from engine.core.run import slots_of
from engine.core.settings import BACKOFF_MAX
from engine.core.synod.proposer import BACKOFF_FIRST
from engine.sim.violation import Judge


class Duels:
    """The duels of one process. A new one begins without defeats, for a site does not store them."""

    def __init__(self, site: SiteId, judge: Judge) -> None:
        self._site = site
        self._judge = judge
        self._defeats: Counter[Slot] = Counter()

    def waits(self, now: Tick, saw: SawAttempt) -> None:
        """A defeat is told, `now` by the process's clock. An attempt at several slots was defeated at each as often."""
        slots = list(slots_of(saw.slot, saw.last or saw.slot))
        self._defeats.update(slots)
        defeats = min(self._defeats[slot] for slot in slots)
        longest = min(BACKOFF_MAX, BACKOFF_FIRST * 2**defeats)
        if saw.until is None or not now < saw.until <= now + longest:
            waits = "without saying how long" if saw.until is None else f"{saw.until - now} ms"
            told = f"waits {waits} after defeat {defeats}, where 1 to {longest} ms are right"
            self._judge.breaks("B4", told, slot=saw.slot, site=self._site)
