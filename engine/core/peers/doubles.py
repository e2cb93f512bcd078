"""Doubles: two engines that run under one name, each with a store of its own, displace each other; here it is noticed.

Rules that hold here:
- For people alone: whoever proved its store last is talked to (W1), and a vote is a store's (D5, M4), whatever is
  noticed here.
- A store that was displaced and is back may be a disk that was found again. That the other one comes back as well, soon
  after, tells that both run.
- Who noticed it says so to whoever greets it by that name, before it knows which of both that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.ids import SiteId, StoreId, Tick

_BEATS: Final = 60
_WITHIN_MIN: Final = Tick(30_000)
"""For so many heartbeats, and at least so long, it is known that a store came back: displaced ones greet as soon as
they hear nobody."""


class Doubles:
    def __init__(self, me: SiteId, heartbeat: Tick) -> None:
        self._me = me
        self._within = max(_WITHIN_MIN, _BEATS * heartbeat)
        self._displaced: dict[SiteId, StoreId] = {}
        self._back: dict[SiteId, tuple[Tick, Tick | None]] = {}
        self._told: dict[SiteId, tuple[str, Tick]] = {}

    def proved(self, site: SiteId, before: StoreId | None, life: StoreId, now: Tick) -> None:
        """The peer proved that it runs on this store; until now it was that one."""
        if before is None or before == life:
            return
        if self._displaced.get(site) == life:
            last, _ = self._back.get(site, (None, None))
            self._back[site] = (now, last)
        else:
            self._back.pop(site, None)
        self._displaced[site] = before

    def told(self, by: SiteId, what: str, now: Tick) -> None:
        """A peer says this of the name of this site; nothing, most of the time."""
        if what:
            self._told[by] = (what, now)
        else:
            self._told.pop(by, None)

    def of(self, site: SiteId, now: Tick) -> bool:
        _, before = self._back.get(site, (None, None))
        return before is not None and now - before <= self._within

    def warning(self, site: SiteId, now: Tick) -> str:
        """What whoever greets by this name should know."""
        if not self.of(site, now):
            return ""
        return f"{self._me} hears two engines as {site}, each with a store of its own: stop the one that does not vote"

    def sentences(self, now: Tick) -> Iterator[str]:
        """What a person at this site should know."""
        for site in self._back:
            if self.of(site, now):
                yield (
                    f"two engines run as {site}, each with a store of its own, and displace each other: stop the one"
                    " that does not vote, and readmit neither before that"
                )
        for what, at in self._told.values():
            if now - at <= self._within:
                yield what
