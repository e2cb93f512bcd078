"""Promotions: a site that was added to vote does so once it has the log.

Rules that hold here:
- M3: to add a site and to let it vote are two changes. A list whose new voter has nothing of the log needs votes that
  it cannot give: so the site that had the first one chosen proposes the second one when it hears that the other is no
  more than w behind, which is as near as a voter has to be (M2).
- Nothing is kept for it: the log says who is wanted, since which slot, and who asked. Where that site is gone, somebody
  promotes by hand; a second promotion does not fit, and does no harm.
- One that does not fit the list is not asked for: it would be void, and asked for again and again. Where there are too
  many voters, it waits until one leaves.
- It names the store that the other proved to run on. If that one is lost on the way, it is readmitted like any other.
  Where two engines run under the name, chance would say which of both it names: it waits until one stays away.
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
            promotion = self._promotion(member, step.now)
            if promotion is not None:
                self._token -= 1
                self._at = Tick(step.now + self._settings.timings.fill_every)
                self._sessions.submit(step, Submission(self._token, (promotion,), PATIENCE, retry=True))
                return

    def _promotion(self, member: Member, now: Tick) -> str | None:
        """The body of the entry that has it promoted; None where that is not this site's to ask for, or cannot be now.
        The clock reading is that of who asked for both."""
        if member.wanted_since is None:
            return None
        life, entry = self._lives.present(member.site), self._consensus.learner.entry(member.wanted_since)
        if life is None or entry is None or entry.author != self._settings.site or not self._has_the_log(member.site):
            return None
        if self._lives.doubles.of(member.site, now):
            return None
        promote = Promote(member.site, life)
        if isinstance(self._consensus.members.after(Slot(self._consensus.learner.prefix + 1), promote), str):
            return None  # it does not fit, and would not the next time either
        return encode(Stamped(promote, decode(entry.body).at_ms))

    def _has_the_log(self, site: SiteId) -> bool:
        """And is heard: else those who vote now might have to wait for it at once."""
        members, prefix = self._consensus.members, self._consensus.learner.prefix
        reached = self._peers.reached(Slot(max(members.newest.first - 1, prefix - members.lag)))
        return site in reached and site in self._peers.up
