"""Who is who: the sites, slots, ballots and events of a scenario, and those of the real sites that play it.

Rules that hold here:
- The first slot that is free when the run begins is the scenario's slot 1; the first event that a site takes after that
  is its first.
- Ballots are the same where they have the same rank (`tui.lab.live_sayings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.contract.answers import Direction, Held, TraceLine
from engine.core.ids import Ballot, EventId, Round, SiteId, Slot
from engine.core.views import AttemptPhase
from tui.lab.live_sayings import WORDS, Ranks, Saying, slots_of
from tui.lab.live_score import Nth, Run


class Names:
    """`real` has the real site of each; `used`: the highest slot that was used when the run began."""

    def __init__(self, as_written: Run, real: Mapping[SiteId, str]) -> None:
        self.ranks = Ranks()
        """The ballots of the real sites."""
        self.used = 0
        self.submitted: dict[SiteId, list[str]] = {site: [] for site in real}
        """The ids of each site's events of this run, in their order."""
        self.newest: dict[SiteId, str | None] = {}
        """The id of each site's newest event when the run began."""
        self._run = as_written
        self._real = dict(real)
        self._scenarios = {name: site for site, name in real.items()}

    # Sites

    def real(self, site: SiteId) -> str:
        return self._real[site]

    def site(self, real: str) -> SiteId:
        return self._scenarios[real]

    # Slots

    def real_slot(self, slot: Slot) -> Slot:
        return Slot(slot + self.used)

    def slot(self, real: int | None) -> Slot | None:
        """None of a slot of before."""
        return None if real is None or real <= self.used else Slot(real - self.used)

    # Ballots

    def ballot(self, real: str | None) -> Ballot | None:
        """The real round, with the scenario's name of the site."""
        if real is None:
            return None
        round_, _, site = real.partition(".")
        return Ballot(Round(int(round_)), self.site(site))

    def is_ballot(self, wanted: Ballot, real: Ballot) -> bool:
        """Whether a ballot that the scenario names is this one. What no message named since it began (a leader prepared
        before) is told apart by its site alone."""
        if wanted.site != real.site or (wanted.round == 0) != (real.round == 0):
            return False
        rank, real_rank = self._run.ranks.rank(wanted), self.ranks.rank(real)
        return rank is None or real_rank is None or rank == real_rank

    # Events

    def event(self, id_: EventId) -> Nth:
        return self._run.events[id_]

    def real_event(self, id_: EventId) -> str | None:
        """None where the site has not taken it yet."""
        site, number = self._run.events[id_]
        taken = self.submitted[site]
        return taken[number - 1] if number <= len(taken) else None

    def nth(self, real_id: str) -> Nth | None:
        """None of an event of before."""
        real, _, _ = real_id.partition("/")
        site = self._scenarios.get(real)
        if site is None or real_id not in self.submitted[site]:
            return None
        return site, self.submitted[site].index(real_id) + 1

    # Messages

    def sent(self, sender: SiteId, line: TraceLine) -> list[Saying]:
        """What a line of the sender's trace says; nothing where it is no part of a scenario."""
        if line.dir != Direction.OUT or line.peer is None:
            return []
        return self.sayings(sender, self.site(line.peer), line)

    def sayings(self, sender: SiteId, to: SiteId, message: TraceLine | Held) -> list[Saying]:
        """What a message says, with its real ballot; nothing of slots of before."""
        if message.type not in WORDS:
            return []
        ballot = self.ballot(message.ballot)
        spans = [(Slot(first), None if last is None else Slot(last)) for first, last in message.slots]
        slots = slots_of(message.type, spans)
        told = [self.slot(slot) for slot in slots if slot is None or slot > self.used]
        return [Saying(sender, to, message.type, slot, ballot) for slot in told]

    def heard(self, line: TraceLine) -> None:
        """A line of a site's trace, whatever it tells."""
        if line.slot is None or line.slot > self.used:
            self.ranks.saw(self.ballot(line.ballot))

    def retries(self, lines: Iterable[TraceLine]) -> Iterator[Ballot]:
        """The real ballots of a site's attempts that follow a random wait (B4), from its trace."""
        waited: set[int | None] = set()
        for line in lines:
            if line.dir == Direction.SELF and line.type == AttemptPhase.WAITING:
                waited.add(line.slot)
            elif line.dir == Direction.SELF and line.type == AttemptPhase.PREPARING:
                ballot = self.ballot(line.ballot)
                if line.slot in waited and ballot is not None:
                    yield ballot
                waited.discard(line.slot)
