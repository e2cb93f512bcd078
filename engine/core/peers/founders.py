"""With whom the cluster began: who tells another beginning is in another cluster (M1).

Rules that hold here:
- All lists of members follow from the first and the log. Two sites that began with different ones would each count
  majorities of its own; so a hello that tells another beginning is not answered, and nothing else is taken of a store
  that has not greeted (W1). A store never changes its beginning (D4).
"""

from __future__ import annotations

from engine.core.effects import RejectedFor, SawRejected
from engine.core.ids import SITES_MAX, SiteId, named
from engine.core.messages import Hello
from engine.core.settings import Settings
from engine.core.step import Step


class Founders:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._others: list[SiteId] = []
        """Whose latest hello told another beginning."""

    def began_alike(self, step: Step, sender: SiteId, hello: Hello) -> bool:
        """The sender's cluster is this one; else it is noted, for people."""
        self._others = [site for site in self._others if site != sender]
        if hello.founders == self._settings.founders:
            return True
        self._others = [*self._others[-SITES_MAX + 1 :], sender]
        step.tell(SawRejected(RejectedFor.OTHER_FOUNDERS, sender))
        return False

    @property
    def mismatch(self) -> str | None:
        """Who began with another list of sites, and what to do, in words."""
        if not self._others:
            return None
        return (
            f"{named(self._others)} began with a different list of sites than this site, which began with"
            f" {named(self._settings.sites)}: they ignore each other. One of the sites files is wrong: correct it, and"
            " start that site with an empty data folder (its store is of no use)"
        )
