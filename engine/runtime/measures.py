"""What the node measures beside what it counts: how long things took, for `metrics`.

Rules that hold here:
- What is measured costs the node a look at a clock and two additions: buckets are made to a histogram, and a histogram
  to text, when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from engine.contract import metrics
from engine.core.effects import SawOutcome
from engine.core.ids import SiteId, Tick
from engine.core.messages import Heartbeat, Packet
from engine.core.storage import EventState

LATENCY_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Of what is told in whole milliseconds, as the protocol has time."""

COMMIT_BOUNDS_S: Final = (0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Histogram:
    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds_s) + 1)
        self._sum_s = 0.0

    def observe(self, took_s: float, count: int = 1) -> None:
        """So many took so long."""
        self._counts[bisect_left(self._bounds_s, took_s)] += count
        self._sum_s += took_s * count

    def told(self) -> metrics.Histogram:
        return metrics.Histogram(self._bounds_s, tuple(self._counts), self._sum_s)


@dataclass(slots=True)
class Measures:
    """As `engine.contract.metrics.Metrics` has them."""

    created: Histogram = field(default_factory=partial(Histogram, LATENCY_BOUNDS_S))
    commits: Histogram = field(default_factory=partial(Histogram, COMMIT_BOUNDS_S))
    round_trips: defaultdict[SiteId, Histogram] = field(
        default_factory=lambda: defaultdict(partial(Histogram, LATENCY_BOUNDS_S))
    )
    elections: Counter[str] = field(default_factory=Counter)

    def came(self, now: Tick, packet: Packet) -> None:
        for message in packet.messages:
            if isinstance(message, Heartbeat) and (rtt_ms := message.round_trip(now)) is not None:
                self.round_trips[packet.sender].observe(rtt_ms / 1000)

    def settled(self, saw: SawOutcome) -> None:
        if saw.outcome is EventState.CREATED and saw.took_ms is not None:
            self.created.observe(saw.took_ms / 1000, saw.count)
