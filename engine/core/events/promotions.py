"""Promotions: a site that was added to vote does so once it has the log.

Rules that hold here:
- M3: to add a site and to let it vote are two changes. A list whose new voter has nothing of the log needs votes that
  it cannot give: so the site that had the first one chosen proposes the second one when it hears that the other is no
  more than w behind, which is as near as a voter has to be (M2).
- Nothing is kept for it: the log says who is wanted, since which slot, and who asked. Where that site is gone, somebody
  promotes by hand; a second promotion does not fit, and does no harm.
- It names the store that the other proved to run on. If that one is lost on the way, it is readmitted like any other.
"""

from __future__ import annotations

from typing import Final

from engine.core.consensus import Consensus
from engine.core.entry import Promote, Stamped, decode, encode
from engine.core.events.sessions import Sessions
from engine.core.events.submissions import Submission
from engine.core.ids import SiteId, Slot, Tick
from engine.core.peers.heartbeats import Peers
from engine.core.peers.lives import Lives
from engine.core.roster import Member
from engine.core.settings import Settings
from engine.core.step import Step

PATIENCE: Final = Tick(60_000)
"""For so long a promotion is pushed before it is asked for anew."""


class Promotions:
    def __init__(
        self, settings: Settings, consensus: Consensus, peers: Peers, lives: Lives, sessions: Sessions
    ) -> None:
        self._settings = settings
        self._consensus = consensus
        self._peers = peers
        self._lives = lives
        self._sessions = sessions
        self._token = 0
        self._at = Tick(0)

    def tick(self, step: Step) -> None:
        """At a site that proposes."""
        newest, prefix = self._consensus.members.newest, self._consensus.learner.prefix
        if newest.first > prefix + 1 or step.now < self._at or self._sessions.is_open(self._token):
            return
        for member in newest.members:
            if member.wanted_since is not None and self._has_the_log(member.site) and self._asked_for(member):
                self._promote(step, member)
                return

    def _has_the_log(self, site: SiteId) -> bool:
        members, prefix = self._consensus.members, self._consensus.learner.prefix
        return site in self._peers.reached(Slot(max(members.newest.first - 1, prefix - members.lag)))

    def _asked_for(self, member: Member) -> bool:
        assert member.wanted_since is not None
        entry = self._consensus.learner.entry(member.wanted_since)
        return entry is not None and entry.author == self._settings.site

    def _promote(self, step: Step, member: Member) -> None:
        """The clock reading is that of who asked for both."""
        life = self._lives.present(member.site)
        entry = None if member.wanted_since is None else self._consensus.learner.entry(member.wanted_since)
        if life is None or entry is None:
            return
        self._token -= 1
        self._at = Tick(step.now + self._settings.timings.fill_every)
        body = encode(Stamped(Promote(member.site, life), decode(entry.body).at_ms))
        self._sessions.submit(step, Submission(self._token, (body,), PATIENCE, retry=True))
