"""The election: which site leads, when the setting is `elected` (L3; after Ng et al., "Omni-Paxos", section 5).

Rules that hold here:
- A leader must reach a majority of voters, both ways; what it says of that is in its heartbeats.
- A site that hears a live leader that reaches a majority, or hears a peer that does, leaves it alone.
- A site that reaches a majority and knows of no such leader stands for election after an election timeout and a
  freshly drawn part of one. Only this starts a higher range ballot.
- A leader that gave way does not stand at once again, so that another does; where none can, it stands later.
- No clock of another site is trusted: "hears" means within an election timeout by this site's own clock. Where the
  speaker beats less often than this site, its own interval makes the timeout: else a slow leader were deposed again
  and again.
- A leader's heartbeats come twice as often as others' (`engine.core.peers.heartbeats`), so that an election timeout is
  four of its beats. Whether a majority is reached both ways is judged over as many beats of the followers.
"""

from __future__ import annotations

from random import Random
from typing import Final

from engine.core.consensus import Consensus
from engine.core.ids import NEVER, Ballot, SiteId, Tick
from engine.core.messages import Heartbeat
from engine.core.peers.heartbeats import Claim, Peers
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.value import Value

TIMEOUT_BEATS: Final = 2
"""An election timeout in heartbeats, the slower one's."""

STAND_MAX: Final = Tick(2_000)
"""The longest that a site waits before it stands once it may (B4)."""

PATIENCE_DOUBLINGS_MAX: Final = 3

ASIDE_TIMEOUTS: Final = 4
"""For so many election timeouts a leader that gave way leaves it to others to stand."""


class Heard(Value):
    """The leader this site follows. `via` is the peer that hears it, where this site itself does not."""

    ballot: Ballot
    via: SiteId


class Election:
    def __init__(self, settings: Settings, consensus: Consensus, peers: Peers, random: Random) -> None:
        self._settings = settings
        self._consensus = consensus
        self._peers = peers
        self._random = random
        self._claims: dict[SiteId, tuple[Claim, Tick]] = {}  # what each peer said last, and until when that holds
        self._stand_at: Tick | None = None
        self._defeats = 0
        self._quiet_until = Tick(0)
        self._aside_until = Tick(0)
        self.timeout = Tick(TIMEOUT_BEATS * settings.timings.heartbeat)

    def on_heartbeat(self, step: Step, sender: SiteId, message: Heartbeat) -> None:
        until = Tick(step.now + TIMEOUT_BEATS * self._peers.every(sender))
        self._claims[sender] = (Claim(message.leads, message.reaches, message.hears), until)

    def tick(self, step: Step) -> None:
        """Forgets what was said too long ago. Who ceases to hear a leader says so at once: others may follow through
        it."""
        stale = [site for site, (_, until) in self._claims.items() if step.now > until]
        for site in stale:
            claim, _ = self._claims.pop(site)
            if claim.leads and claim.reaches:
                self._peers.beat_now(step.now)

    def reaches(self, step: Step) -> bool:
        """This voter and the voters that it hears, and that hear it, are a majority of each list above the prefix."""
        return self._consensus.reaches(step, self._peers.linked(step.now))

    def hears(self, now: Tick) -> Ballot | None:
        """The highest ballot of a live leader that reaches a majority and that this site hears itself."""
        highest: Ballot | None = None
        for claim, until in self._claims.values():
            leads = claim.leads
            if leads is None or not claim.reaches or now > until:
                continue
            if highest is None or leads > highest:
                highest = leads
        return highest

    def follows(self, now: Tick) -> Heard | None:
        """The leader to hand events to: heard directly, else through a peer that hears it; None while there is none."""
        heard = self.hears(now)
        if heard is not None:
            return Heard(heard, heard.site)
        relayed = [
            (claim.hears, site)
            for site, (claim, until) in self._claims.items()
            if claim.hears and claim.hears.site != self._settings.site and now <= until
        ]
        return Heard(*max(relayed)) if relayed else None

    def stands(self, step: Step, *, caught_up: bool, leading: bool, standing: bool) -> bool:
        """Whether this site stands for election now: once at a time, and after each defeat it waits for longer (B4).
        Asked at every step in which time passed."""
        now = step.now
        if leading or self.follows(now) is not None:
            self._stand_at = None
            self._defeats = 0
            return False
        aside = now < max(self._quiet_until, self._aside_until)
        if standing or aside or not caught_up or not self.reaches(step):
            self._stand_at = None
            return False
        if self._stand_at is None:
            longest = min(STAND_MAX, self._settings.timings.heartbeat * 2**self._defeats)
            self._stand_at = Tick(now + self._random.randint(1, longest))
        if now < self._stand_at:
            return False
        self._stand_at = None
        self._defeats += 1
        return True

    @property
    def patience(self) -> Tick:
        """How long a candidate waits for promises: longer after each defeat, for sites may be that slow at present."""
        return Tick(self.timeout * 2 ** min(max(self._defeats - 1, 0), PATIENCE_DOUBLINGS_MAX))

    def promised(self, now: Tick) -> None:
        """This site promised a range ballot of another: that election may take its time."""
        self._quiet_until = Tick(now + self.timeout)

    def give_way(self, now: Tick) -> None:
        """This site led, and stepped down over a slot that others may be able to settle. If it were elected again, it
        would come no further; so it stands aside until they, who stand within a heartbeat of theirs or STAND_MAX, have
        had time."""
        theirs = min(STAND_MAX, max(map(self._peers.every, self._peers.up), default=STAND_MAX))
        self._aside_until = Tick(now + ASIDE_TIMEOUTS * max(self.timeout, TIMEOUT_BEATS * theirs))

    def deadline(self) -> Tick:
        due = NEVER if self._stand_at is None else self._stand_at
        for claim, until in self._claims.values():
            if until < due and (claim.leads or claim.hears):
                due = Tick(until + 1)
        return due
