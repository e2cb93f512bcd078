"""Times for the steps of a merged recording, as people read them; the order is there already, and no time changes it.

Rules that hold here:
- The clocks of sites may be wrong by anything. How far two of them are apart is taken from the quickest datagrams each
  way: half of what a way there seems to take longer than the way back.
- A time never goes back, whatever a clock did meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.core.ids import SiteId
from tui.lab.recording_merge import Course


def times_ms(course: Course) -> list[float]:
    """When each step was, in milliseconds since the first."""
    ahead = _ahead(course)
    times: list[float] = []
    latest = 0.0
    for step in course.steps:
        at = course.recordings[step.site].lines[step.first].at_ms - ahead[step.site]
        if not times:
            began = at
        latest = max(latest, at - began)
        times.append(latest)
    return times


def _ahead(course: Course) -> Mapping[SiteId, float]:
    """How far each site's clock is ahead of the first one's. Sites that are not joined to it by any datagram begin when
    it does."""
    quickest = _quickest(course)
    ahead: dict[SiteId, float] = {}
    for root in course.recordings:
        if root in ahead:
            continue
        ahead[root] = _began(course, root) - _began(course, next(iter(course.recordings)))
        joined = [root]
        for site in joined:
            for other in course.recordings:
                there, back = quickest.get((site, other)), quickest.get((other, site))
                if other in ahead or (there is None and back is None):
                    continue
                ahead[other] = ahead[site] + _apart(there, back)
                joined.append(other)
    return ahead


def _apart(there: float | None, back: float | None) -> float:
    """What the addressee's clock is ahead, where a datagram seems to take so long there and back."""
    if there is None:
        assert back is not None, "one of the ways was gone"
        return -back
    return there if back is None else (there - back) / 2


def _quickest(course: Course) -> dict[tuple[SiteId, SiteId], float]:
    """How long the quickest datagram seems to take, each way, by the two clocks."""
    quickest: dict[tuple[SiteId, SiteId], float] = {}
    for came, left in course.sent_at.items():
        took = _at_ms(course, came.site, came.index) - _at_ms(course, left.site, left.index)
        way = left.site, came.site
        quickest[way] = min(took, quickest.get(way, took))
    return quickest


def _began(course: Course, site: SiteId) -> float:
    lines = course.recordings[site].lines
    return lines[0].at_ms if lines else 0.0


def _at_ms(course: Course, site: SiteId, index: int) -> int:
    return course.recordings[site].lines[index].at_ms
