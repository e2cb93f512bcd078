"""What there is to measure of a site, as `metrics` answers it; docs/monitoring.md has it as Prometheus reads it.

Rules that hold here:
- Times are seconds, sizes are bytes. None is what is not known.
"""

from __future__ import annotations

from engine.contract.shape import Shape
from engine.contract.status import Status


class Histogram(Shape):
    """How long something took, since the engine started: `counts` has how often it took at most each of `bounds_s` and
    more than the one before, and at last how often more than all; `sum_s` is all of it together."""

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


class Metrics(Shape):
    """`created`: from the submission of this site's events to when they were created. `commits`: of the store, the sync
    included. `round_trips`: to each peer and back, as heartbeats tell. `elections`: how often this site stood, led and
    stepped down. `holes`: how many, while `status` names the lowest. `store_bytes`: of the store's files, by what they
    are; `disk_free_bytes`: what is left for them."""

    status: Status
    holes: int
    elections: dict[str, int]
    created: Histogram
    commits: Histogram
    round_trips: dict[str, Histogram]
    store_bytes: dict[str, int]
    disk_free_bytes: int | None
