"""The leader: one prepare for all slots from the first unlearned one on, then accept rounds alone (L3).

Rules that hold here:
- L3: an established leader re-proposes what the promises hold, fills the gaps between them with no-ops, then needs only
  accept rounds, many slots in flight.
- A4: a promise counts once all its pages came; a slot that a promise left out has one promise less.
- A leader refused because of a single slot settles that slot by synod and keeps its range; because of a range, it
  steps down. Nothing that was in flight is taken back: the next leader finds it.
- A slot that gets no majority for long, though one is heard, is a reason to give way (`stuck`): others may reach it.
- E3, E5: of each author it proposes entries in the order of their chain, each once at a time
  (`engine.core.leading.chains`).
- B1: its range ballot is a fresh round; B3: votes are sets of sites for exactly this ballot and slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from engine.core.effects import SawAttempt
from engine.core.entry import NOOP, Entry
from engine.core.ids import NEVER, Ballot, SiteId, Slot, Tick, named
from engine.core.leading.chains import Chains
from engine.core.log.learner import Learner
from engine.core.log.pages import cost_bytes, paged
from engine.core.messages import Accept, Accepted, AcceptedSlot, Cause, LearnedSlot, Prepare, Promise, Refused
from engine.core.settings import WINDOW_SLOTS, Settings
from engine.core.step import Step
from engine.core.synod.proposer import RESEND_MAX, Accepting, Proposer, Rounds, accepted, is_chosen, why_adopted
from engine.core.views import AttemptPhase, AttemptView, ElectionPhase

FLIGHTS_MAX: Final = 2_048
"""How many slots are in flight at a time; what is handed on beyond that waits, boundedly, at the leader."""

BACKLOG_MAX: Final = 8_192

_WHY_NOOP: Final = "no promise held an entry for this slot, and a later one is used: proposes a no-op"


@dataclass(slots=True)
class Campaign:
    """Phase 1 for all slots from `first` on.

    `wanted`: the next page's slot of each site, None once all came. `found`: what was accepted at the highest ballot,
    and a site that did. It is given up when no page came for `patience`: a dead leader may have left more in flight
    than fits into one election timeout, and who sends pages has promised.
    """

    ballot: Ballot
    first: Slot
    wanted: dict[SiteId, Slot | None]
    patience: Tick
    give_up_at: Tick
    resend_at: Tick
    found: dict[Slot, tuple[AcceptedSlot, SiteId]] = field(default_factory=dict)
    left_out: dict[Slot, set[SiteId]] = field(default_factory=dict)

    @property
    def complete(self) -> set[SiteId]:
        return {site for site, slot in self.wanted.items() if slot is None}


@dataclass(slots=True)
class Flight:
    """Phase 2 of one slot."""

    slot: Slot
    phase: Accepting
    since: Tick
    resend_at: Tick
    resend_every: Tick
    refused: set[SiteId] = field(default_factory=set)


@dataclass(slots=True)
class Reign:
    """Phase 2 of all slots; `next` is the next slot to propose at. What is taken of the authors' chains waits in the
    `backlog`, then it is `placed` at a slot until that is learned."""

    ballot: Ballot
    promised: frozenset[SiteId]
    left_out: dict[Slot, set[SiteId]]
    next: Slot
    chains: Chains
    flights: dict[Slot, Flight] = field(default_factory=dict)
    due: list[tuple[Tick, Slot]] = field(default_factory=list)
    backlog: deque[Entry] = field(default_factory=deque)
    placed: dict[Slot, Entry] = field(default_factory=dict)
    synods: dict[Slot, Tick] = field(default_factory=dict)
    """Slots that are settled by a synod instead, and since when they are not."""


class Leader:
    """`on_chosen(step, slot, accepting)` is called for each slot that a majority accepted at the range ballot.
    `last_in_effect(author)` is the author's last number in effect in this site's prefix."""

    def __init__(
        self,
        settings: Settings,
        rounds: Rounds,
        learner: Learner,
        proposer: Proposer,
        *,
        last_in_effect: Callable[[SiteId], int],
        on_chosen: Callable[[Step, Slot, Accepting], None],
    ) -> None:
        self._settings = settings
        self._rounds = rounds
        self._learner = learner
        self._proposer = proposer
        self._last_in_effect = last_in_effect
        self._on_chosen = on_chosen
        self._campaign: Campaign | None = None
        self._reign: Reign | None = None

    @property
    def ballot(self) -> Ballot | None:
        """The range ballot this site leads with."""
        return None if self._reign is None else self._reign.ballot

    @property
    def busy(self) -> bool:
        """It leads, or stands for election."""
        return self._reign is not None or self._campaign is not None

    def owns(self, ballot: Ballot) -> bool:
        """Answers to this ballot are the leader's, not those of a synod (B1: a ballot has one purpose)."""
        held = self._campaign or self._reign
        return held is not None and held.ballot == ballot

    def is_proposing(self, slot: Slot) -> bool:
        """It proposes there at its range ballot, and the slot is not settled yet."""
        return self._reign is not None and slot in self._reign.flights

    def stand(self, step: Step, patience: Tick) -> None:
        """Starts phase 1 of a fresh range ballot. It is given up when no page of a promise comes for so long."""
        ballot = self._rounds.take(step)
        first = Slot(self._learner.prefix + 1)
        wanted: dict[SiteId, Slot | None] = dict.fromkeys(self._settings.sites, first)
        resend_at = Tick(step.now + self._settings.timings.retransmit)
        self._campaign = Campaign(ballot, first, wanted, patience, Tick(step.now + patience), resend_at)
        step.tell(
            SawAttempt(
                first,
                ElectionPhase.STANDING,
                ballot,
                f"hears no leader that reaches a majority: stands for all slots from {first} on",
            )
        )
        step.cast(self._settings.sites, Prepare(ballot, first, None))

    def step_down(self, step: Step, why: str) -> None:
        held = self._campaign or self._reign
        if held is not None:
            first = self._campaign.first if self._campaign else Slot(self._learner.prefix + 1)
            step.tell(SawAttempt(first, ElectionPhase.STEPS_DOWN, held.ballot, why))
        self._campaign = self._reign = None

    def on_promise(self, step: Step, sender: SiteId, message: Promise) -> None:
        campaign = self._campaign
        if campaign is None or message.ballot != campaign.ballot or campaign.wanted[sender] != message.first:
            return
        if any(span.cause is not Cause.SLOT for span in message.left_out):
            for span in message.left_out:
                self._rounds.saw(span.ballot)
            return
        for item in message.accepted:
            found = campaign.found.get(item.slot)
            if found is None or item.ballot > found[0].ballot:
                campaign.found[item.slot] = (item, sender)
        for span in message.left_out:
            self._rounds.saw(span.ballot)
            campaign.left_out.setdefault(span.first, set()).add(sender)
        if message.last is None:
            campaign.wanted[sender] = None
            if len(campaign.complete) >= self._settings.quorum:
                self._take_over(step, campaign)
        else:
            page = Slot(message.last + 1)
            campaign.wanted[sender] = page
            campaign.give_up_at = Tick(step.now + campaign.patience)
            step.send(sender, Prepare(campaign.ballot, page, None))

    def on_accepted(self, step: Step, sender: SiteId, message: Accepted) -> None:
        reign = self._reign
        if reign is None or message.ballot != reign.ballot:
            return
        for slot in message.slots:
            flight = reign.flights.get(slot)
            if flight is None:
                continue
            flight.phase = accepted(flight.phase, sender, message.ballot)
            if is_chosen(flight.phase, self._settings.quorum):
                del reign.flights[slot]
                self._on_chosen(step, slot, flight.phase)
        self._launch(step, reign)

    def on_refused(self, step: Step, sender: SiteId, message: Refused) -> None:
        """A5: a range in the way ends the reign; a single slot is settled by synod once no majority is left for it."""
        for span in message.spans:
            self._rounds.saw(span.ballot)
        held = self._campaign or self._reign
        if held is None or held.ballot != message.ballot:
            return
        outranked = next((span for span in message.spans if span.cause is Cause.RANGE), None)
        if outranked is not None:
            self.step_down(step, f"{sender} promised {outranked.ballot} for a range that covers slot {outranked.first}")
            return
        reign = self._reign
        if reign is None:
            return
        for span in message.spans:
            flight = reign.flights.get(span.first)
            if flight is None or span.cause is not Cause.SLOT:
                continue
            flight.refused.add(sender)
            if len(self._settings.sites) - len(flight.refused) < self._settings.quorum:
                self._settle(step, reign, flight)

    def offer(self, step: Step, entries: Iterable[Entry]) -> None:
        """Entries of authors, in the order of their chains."""
        reign = self._reign
        if reign is None:
            return
        for entry in entries:
            if len(reign.backlog) < BACKLOG_MAX:
                reign.backlog.extend(reign.chains.take(entry))
        self._launch(step, reign)

    def on_applied(self, entry: Entry) -> None:
        """An author's entry was applied, in effect or void."""
        if self._reign is not None:
            self._reign.chains.applied(entry)

    def on_learned(self, slot: Slot, entry: Entry) -> None:
        """What was in flight there is settled; where something else was chosen, an entry placed there is lost."""
        reign = self._reign
        if reign is None:
            return
        reign.flights.pop(slot, None)
        reign.synods.pop(slot, None)
        placed = reign.placed.pop(slot, None)
        if placed is not None and placed != entry:
            reign.chains.lost(placed)

    def stuck(self, now: Tick, patience: Tick) -> Slot | None:
        """The slot that it has proposed at for longest, where that is longer than `patience` and no majority
        accepted."""
        reign = self._reign
        if reign is None:
            return None
        flight = next(iter(reign.flights.values()), None)  # they are in the order in which they began
        if flight is not None and now - flight.since > patience:
            return flight.slot
        slot, since = next(iter(reign.synods.items()), (None, now))
        return slot if now - since > patience else None

    def tick(self, step: Step) -> None:
        campaign = self._campaign
        if campaign is not None:
            if step.now >= campaign.give_up_at:
                self.step_down(step, "no majority promised in time")
            elif step.now >= campaign.resend_at:
                campaign.resend_at = Tick(step.now + self._settings.timings.retransmit)
                for site, slot in campaign.wanted.items():
                    if slot is not None:
                        step.send(site, Prepare(campaign.ballot, slot, None))
        if self._reign is not None:
            self._resend(step, self._reign)
            self._fill(step, self._reign)

    def deadline(self) -> Tick:
        if self._campaign is not None:
            return min(self._campaign.give_up_at, self._campaign.resend_at)
        return self._reign.due[0][0] if self._reign is not None and self._reign.due else NEVER

    def view(self, slot: Slot) -> AttemptView | None:
        flight = None if self._reign is None else self._reign.flights.get(slot)
        if flight is None:
            return None
        phase, sites, needed = flight.phase, self._settings.sites, self._settings.quorum
        why = f"leads with {phase.ballot}: accept without prepare"
        ballot, votes = phase.ballot, tuple(sorted(phase.accepted))
        return AttemptView(slot, AttemptPhase.ACCEPTING, ballot, votes, sites, needed, phase.entry, why, flight.since)

    def _take_over(self, step: Step, campaign: Campaign) -> None:
        """L3: what the promises hold is re-proposed, gaps become no-ops, slots short of promises go to the synod."""
        self._campaign = None
        top = max((self._learner.learned_max, *campaign.found))
        chains = Chains(self._last_in_effect)
        reign = Reign(campaign.ballot, frozenset(campaign.complete), campaign.left_out, Slot(top + 1), chains)
        self._reign = reign
        why = f"{named(campaign.complete)} promised all slots from {campaign.first} on"
        step.tell(SawAttempt(campaign.first, ElectionPhase.LEADS, campaign.ballot, why))
        flights: list[Flight] = []
        for slot in map(Slot, range(self._learner.prefix + 1, top + 1)):
            learned = self._learner.entry(slot)
            if learned is not None:
                chains.found(learned)
                continue
            found = campaign.found.get(slot)
            if found is None:
                step.tell(SawAttempt(slot, AttemptPhase.ACCEPTING, reign.ballot, _WHY_NOOP))
                flights += self._flight(step, reign, slot, NOOP)
            else:
                entry = reign.placed[slot] = found[0].entry
                chains.found(entry)
                step.tell(SawAttempt(slot, AttemptPhase.ADOPTING, reign.ballot, why_adopted(*found)))
                flights += self._flight(step, reign, slot, entry)
        self._send(step, self._settings.sites, reign.ballot, flights)

    def _fill(self, step: Step, reign: Reign) -> None:
        """Slots that somebody used beyond what this leader proposed at become no-ops (what a majority accepted there
        before it promised is no gap: the promises told it)."""
        flights: list[Flight] = []
        while reign.next <= self._learner.used_max and len(reign.flights) < FLIGHTS_MAX:
            slot = reign.next
            reign.next = Slot(slot + 1)
            if not self._learner.is_learned(slot) and self._proposer.attempt(slot) is None:
                step.tell(SawAttempt(slot, AttemptPhase.ACCEPTING, reign.ballot, _WHY_NOOP))
                flights += self._flight(step, reign, slot, NOOP)
        self._send(step, self._settings.sites, reign.ballot, flights)

    def _launch(self, step: Step, reign: Reign) -> None:
        flights: list[Flight] = []
        while (
            reign.backlog
            and len(reign.flights) < FLIGHTS_MAX
            and reign.next <= self._learner.prefix + WINDOW_SLOTS // 2
        ):
            slot = reign.next
            reign.next = Slot(slot + 1)
            if self._learner.is_learned(slot) or self._proposer.attempt(slot) is not None:
                continue
            entry = reign.placed[slot] = reign.backlog.popleft()
            flights += self._flight(step, reign, slot, entry)
        self._send(step, self._settings.sites, reign.ballot, flights)

    def _flight(self, step: Step, reign: Reign, slot: Slot, entry: Entry) -> list[Flight]:
        """The slot's accept round at the range ballot; none where too few promised that slot: a synod settles it."""
        left_out = reign.left_out.get(slot, set())
        if len(reign.promised - left_out) < self._settings.quorum:
            if self._proposer.attempt(slot) is None:
                self._proposer.start(step, slot, entry)
            reign.synods[slot] = step.now
            return []
        every = self._settings.timings.retransmit
        flight = Flight(slot, Accepting(reign.ballot, entry), step.now, Tick(step.now + every), every)
        reign.flights[slot] = flight
        heappush(reign.due, (flight.resend_at, slot))
        return [flight]

    def _settle(self, step: Step, reign: Reign, flight: Flight) -> None:
        del reign.flights[flight.slot]
        reign.synods[flight.slot] = flight.since
        if self._proposer.attempt(flight.slot) is None:
            why = f"{named(flight.refused)} promised higher for this slot alone: settles it by a synod"
            step.tell(SawAttempt(flight.slot, AttemptPhase.FALLBACK, reign.ballot, why))
            self._proposer.start(step, flight.slot, flight.phase.entry)

    def _resend(self, step: Step, reign: Reign) -> None:
        missing: dict[SiteId, list[Flight]] = {}
        while reign.due and reign.due[0][0] <= step.now:
            _, slot = heappop(reign.due)
            flight = reign.flights.get(slot)
            if flight is None:
                continue
            if flight.refused:
                self._settle(step, reign, flight)
                continue
            flight.resend_every = Tick(min(RESEND_MAX, flight.resend_every * 2))
            flight.resend_at = Tick(step.now + flight.resend_every)
            heappush(reign.due, (flight.resend_at, slot))
            for site in self._settings.sites:
                if site not in flight.phase.accepted:
                    missing.setdefault(site, []).append(flight)
        for site, flights in missing.items():
            self._send(step, (site,), reign.ballot, flights)

    def _send(self, step: Step, sites: tuple[SiteId, ...], ballot: Ballot, flights: list[Flight]) -> None:
        """Accepts of many slots, cut into messages that fit a datagram (W4)."""
        items = (LearnedSlot(flight.slot, flight.phase.entry) for flight in flights)
        for page in paged(items, lambda item: cost_bytes(item.entry), self._settings.page_bytes):
            step.cast(sites, Accept(ballot, page))
