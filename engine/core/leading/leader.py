"""The leader: one prepare for all slots from the first unlearned one on, then accept rounds alone (L3).

Rules that hold here:
- L3: an established leader re-proposes what the promises hold, fills gaps with no-ops, then needs only accept rounds.
- A4: a promise counts once all its pages came; a slot that a promise left out has one promise less.
- A leader refused because of a single slot settles that slot by synod and keeps its range; because of a range, it
  steps down. Nothing that was in flight is taken back: the next leader finds it.
- A slot that gets no majority for long, though one is heard, is a reason to give way (`stuck`): others may reach it.
- E3, E5: of each author it proposes entries in the order of their chain, each once at a time
  (`engine.core.leading.chains`).
- B1: its range ballot is a fresh round; B3: votes are sets of sites for exactly this ballot and slot.
- L3: its accepts leave beside its own commit: peers sync while it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from msgspec.structs import replace

from engine.core.effects import SawAttempt
from engine.core.entry import NOOP, Entry
from engine.core.ids import NEVER, Ballot, SiteId, Slot, StoreId, Tick, named
from engine.core.leading.chains import Chains
from engine.core.leading.reign import (
    Campaign,
    Flight,
    Reign,
    by_promises,
    land,
    learned,
    overtaken,
    sent,
    sent_again,
    view_of,
)
from engine.core.log.learner import Learner
from engine.core.log.members import Members
from engine.core.log.pages import ENTRY_BYTES_MIN, cost_bytes, fitting, run_pages
from engine.core.messages import Accept, Accepted, Cause, Prepare, Promise, Refused
from engine.core.run import Run, slots_of, spans_of
from engine.core.settings import WINDOW_SLOTS, Settings
from engine.core.spans import Part, Spans
from engine.core.step import Step
from engine.core.synod.phases import Accepting, accepted, cut_found, is_chosen, report, why_adopted
from engine.core.synod.proposer import Proposer, Rounds
from engine.core.views import AttemptPhase, AttemptView, ElectionPhase

BACKLOG_MAX: Final = 16_384
"""Of what is handed on and waits until fewer slots are in flight (M2) and fewer bytes."""

_OF_SLOTS: Final = frozenset({Cause.SLOT, Cause.NOT_VOTING})
_WHY_NOOP: Final = "no promise reported an entry for this slot, and a later slot is used: proposes a no-op"


class Leader:
    """`on_chosen(step, first, accepting)` is called for what a majority accepted at the range ballot, from `first` on.
    `last_in_effect(author)` is the author's last number in effect in this site's prefix. What `may_leave_beside` is not
    so of waits for the commit. Up to `proposes_through()` this site may propose (M2, M4)."""

    def __init__(
        self,
        settings: Settings,
        members: Members,
        rounds: Rounds,
        learner: Learner,
        proposer: Proposer,
        *,
        last_in_effect: Callable[[SiteId], int],
        on_chosen: Callable[[Step, Slot, Accepting], None],
        may_leave_beside: Callable[[Run], bool],
        proposes_through: Callable[[], Slot],
    ) -> None:
        self._settings = settings
        self._members = members
        self._proposes_through = proposes_through
        self._rounds = rounds
        self._learner = learner
        self._proposer = proposer
        self._last_in_effect = last_in_effect
        self._on_chosen = on_chosen
        self._may_leave_beside = may_leave_beside
        self._campaign: Campaign | None = None
        self._reign: Reign | None = None
        self.ballot: Ballot | None = None
        """The range ballot this site leads with."""

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
        return self._reign is not None and self._reign.flights.at(slot) is not None

    def stand(self, step: Step, patience: Tick) -> None:
        """Starts phase 1 of a fresh range ballot. It is given up when no page of a promise comes for so long."""
        ballot = self._rounds.take(step)
        first = Slot(self._learner.prefix + 1)
        voters = self._members.voters(self._learner.prefix)
        wanted: dict[SiteId, Slot | None] = dict.fromkeys(voters, first)
        resend_at = Tick(step.now + self._settings.timings.retransmit)
        self._campaign = Campaign(ballot, first, wanted, patience, Tick(step.now + patience), resend_at)
        why = f"hears no leader that reaches a majority: stands for election, for all slots from {first} on"
        step.tell(SawAttempt(first, ElectionPhase.STANDING, ballot, why))
        step.cast(voters, Prepare(ballot, first, None))

    def step_down(self, step: Step, why: str) -> None:
        held = self._campaign or self._reign
        if held is not None:
            first = self._campaign.first if self._campaign else Slot(self._learner.prefix + 1)
            step.tell(SawAttempt(first, ElectionPhase.STEPS_DOWN, held.ballot, why))
        self._campaign = self._reign = self.ballot = None

    def on_promise(self, step: Step, sender: SiteId, message: Promise, life: StoreId | None) -> None:
        campaign = self._campaign
        if campaign is None or message.ballot != campaign.ballot or campaign.wanted.get(sender) != message.first:
            return
        if campaign.stores.setdefault(sender, life) != life:
            return  # another store of the site than promised the pages before (M4)
        for span in message.left_out:
            self._rounds.saw(span.ballot)
        far = self._learner.prefix + WINDOW_SLOTS  # what its sender learned is learned here by now
        if any(run.last > far for run in message.accepted):
            return  # R6: nobody votes there
        if any(span.cause not in _OF_SLOTS or span.last is None or span.last > far for span in message.left_out):
            return
        report(campaign.found, message.accepted, sender)
        for span in message.left_out:
            for first, last, sites in list(campaign.left_out.parts(span.first, span.last or span.first)):
                campaign.left_out.put(first, last, (sites or frozenset()) | {sender})
        if message.last is None or message.last == self._members.last_of(sender, life):
            campaign.wanted[sender] = None
            if self._members.is_majority(self._learner.prefix, campaign.complete):
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
        newest: Tick | None = None
        for span in message.spans:
            for first, last, flight in reign.flights.over(*span):
                newest = flight.sent_at
                phase = accepted(flight.phase, sender, message.ballot)
                if is_chosen(phase, self._members.at(first).quorum):
                    land(reign, first, last)
                    self._on_chosen(step, first, phase)
                elif phase is not flight.phase:
                    reign.flights.put(first, last, replace(flight, phase=phase))
        if newest is not None:
            overtaken(reign, step.now, sender, newest)
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
        for span in (span for span in message.spans if span.cause is Cause.SLOT):
            for first, last, flight in reign.flights.over(span.first, span.last):
                refused = replace(flight, refused=flight.refused | {sender})
                roster = self._members.at(first)
                if len(roster.sites) - len(refused.refused) < roster.quorum:
                    self._settle(step, reign, Part(first, last, refused))
                else:
                    reign.flights.put(first, last, refused)

    def offer(self, step: Step, entries: Sequence[Entry]) -> None:
        """Entries of one author, in the order of their chain. (What finds no room, the author hands on again.)"""
        reign = self._reign
        if reign is None:
            return
        room = BACKLOG_MAX - len(reign.backlog)
        if room > 0:
            reign.backlog.extend(reign.chains.take(entries[:room]))
        self._launch(step, reign)

    def on_applied(self, entries: Iterable[Entry]) -> None:
        """Entries of authors were applied, in effect or void."""
        if self._reign is not None:
            self._reign.chains.applied(entries)

    def on_learned(self, run: Run) -> None:
        """What was in flight there is settled."""
        if self._reign is not None:
            learned(self._reign, run)

    def on_admitted(self, site: SiteId, life: StoreId) -> None:
        """M4: a store that votes anew has promised nothing of its slots to come, though it may have voted before."""
        if (held := self._campaign or self._reign) is not None:
            held.forget(site, life)

    @property
    def outlived(self) -> Slot | None:
        """From which slot on others vote than those who promised it, so that it comes no further (M2)."""
        reign, members, prefix = self._reign, self._members, self._learner.prefix
        return None if reign is None or not members.changed else members.outvoted(prefix, reign.promised)

    def stuck(self, now: Tick, patience: Tick) -> Slot | None:
        """The slot that it has proposed at for longest, where that is longer than `patience` and no majority
        accepted."""
        reign = self._reign
        if reign is None:
            return None
        flight = next(iter(reign.flights), None)  # those at higher slots began later
        if flight is not None and now - flight.value.since > patience:
            return flight.first
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
        return self._reign.due if self._reign is not None and self._reign.flights else NEVER

    def view(self, slot: Slot) -> AttemptView | None:
        flight = None if self._reign is None else self._reign.flights.get(slot)
        return None if flight is None else view_of(slot, flight, self._members.at(slot))

    def _take_over(self, step: Step, campaign: Campaign) -> None:
        """L3: what the promises hold is re-proposed, gaps become no-ops, slots short of promises go to the synod."""
        self._campaign = None
        first = Slot(self._learner.prefix + 1)
        top = max(self._learner.learned_max, campaign.found.last or Slot(0))
        chains = Chains(self._last_in_effect)
        reign = Reign(campaign.ballot, campaign.complete, campaign.left_out, first, chains, campaign.found, top)
        self._reign, self.ballot = reign, reign.ballot
        why = f"{named(campaign.complete)} promised all slots from {campaign.first} on"
        step.tell(SawAttempt(campaign.first, ElectionPhase.LEADS, campaign.ballot, why))
        parts = (part for span in self._learner.unlearned(first, top) for part in campaign.found.over(*span))
        found = [part.value.accepted.run for part in parts]
        for run in sorted([*self._learner.learned(first, top), *found], key=lambda run: run.first):
            chains.found(run.entries)
        for run in found:
            reign.placed.put(run.first, run.last, run.entries)
        self._send(step, reign.ballot, self._adopt(step, reign))

    def _adopt(self, step: Step, reign: Reign) -> list[Run]:
        """What the promises hold, as far as this site may propose there, and no-ops between; the rest follows later."""
        runs: list[Run] = []
        last = min(reign.top, self._limit())
        for span in self._learner.unlearned(reign.next, last):
            for part in reign.found.parts(*span):
                if part.value is None:
                    runs += self._no_ops(step, reign, part.first, part.last)
                    continue
                why = why_adopted(part.value)
                step.tell(SawAttempt(part.first, AttemptPhase.ADOPTING, reign.ballot, why, last=part.last))
                runs += self._fly(step, reign, part.value.accepted.run)
        reign.next = max(reign.next, Slot(last + 1))
        if last == reign.top:
            reign.found, reign.top = Spans(cut_found), Slot(0)
        return runs

    def _limit(self) -> Slot:
        """Up to here it may propose at its range ballot (M2): this site may, and a majority promised."""
        through, first = self._proposes_through(), self.outlived
        return through if first is None else min(through, Slot(first - 1))

    def _fill(self, step: Step, reign: Reign) -> None:
        """Slots that somebody used beyond what this leader proposed at become no-ops (what a majority accepted there
        before it promised is no gap: the promises told it)."""
        if reign.next <= reign.top:
            self._send(step, reign.ballot, self._adopt(step, reign))
        wanted = max(self._learner.used_max, self._members.newest.first - 1)  # so that a change takes effect (M3)
        last = min(Slot(wanted), self._limit())
        if last < reign.next or reign.next <= reign.top:
            return
        runs = [run for span in self._free(reign.next, last) for run in self._no_ops(step, reign, *span)]
        reign.next = Slot(last + 1)
        self._send(step, reign.ballot, runs)

    def _launch(self, step: Step, reign: Reign) -> None:
        runs: list[Run] = []
        if reign.next <= reign.top:
            runs += self._adopt(step, reign)
        while reign.backlog and reign.next > reign.top:
            window = min(self._learner.prefix + WINDOW_SLOTS // 2, self._limit()) - reign.next + 1
            left_bytes = self._settings.flight_bytes - reign.flying_bytes
            slots = min(window, left_bytes // ENTRY_BYTES_MIN)
            count = fitting(tuple(islice(reign.backlog, max(0, slots))), left_bytes)
            last = Slot(reign.next + count - 1)
            if last < reign.next:
                break
            for span in self._free(reign.next, last):
                run = Run(span[0], tuple([reign.backlog.popleft() for _ in slots_of(*span)]))
                reign.placed.put(run.first, run.last, run.entries)
                runs += self._fly(step, reign, run)
            reign.next = Slot(last + 1)
        self._send(step, reign.ballot, runs)

    def _free(self, first: Slot, last: Slot) -> Sequence[tuple[Slot, Slot]]:
        """The spans in which it may propose: not learned, and without a synod of this site."""
        spans = self._learner.unlearned(first, last)
        if not self._proposer.attempted(first, last):
            return spans
        return spans_of(slot for span in spans for slot in slots_of(*span) if self._proposer.attempt(slot) is None)

    def _no_ops(self, step: Step, reign: Reign, first: Slot, last: Slot) -> Iterator[Run]:
        step.tell(SawAttempt(first, AttemptPhase.ACCEPTING, reign.ballot, _WHY_NOOP, last=last))
        return self._fly(step, reign, Run(first, (NOOP,) * (last - first + 1)))

    def _fly(self, step: Step, reign: Reign, run: Run) -> Iterator[Run]:
        """The accept rounds at the range ballot. Slots that too few promised have none: synods settle them."""
        for first, last, are_promised in by_promises(reign, self._members, run.first, run.last):
            part = run.cut(first, last)
            if not are_promised:
                reign.synods.update(dict.fromkeys(slots_of(first, last), step.now))
                for span in self._free(first, last):
                    self._proposer.start(step, part.cut(*span))
                continue
            phase = Accepting(reign.ballot, part.entries)
            flight = sent(phase, step.now, self._settings.timings.retransmit)
            reign.flights.put(first, last, flight)
            reign.flying_bytes += cost_bytes(part.entries)
            reign.due = min(reign.due, flight.resend_at)
            yield part

    def _settle(self, step: Step, reign: Reign, part: Part[Flight]) -> None:
        flight = part.value
        land(reign, part.first, part.last)
        why = f"{named(flight.refused)} promised a higher ballot for this slot alone: settles it with a full synod"
        run = Run(part.first, flight.phase.entries)
        reign.synods.update(dict.fromkeys(slots_of(part.first, part.last), flight.since))
        for first, last in self._free(part.first, part.last):
            step.tell(SawAttempt(first, AttemptPhase.FALLBACK, reign.ballot, why, last=last))
            self._proposer.start(step, run.cut(first, last))

    def _resend(self, step: Step, reign: Reign) -> None:
        if step.now < reign.due:
            return
        missing: dict[SiteId, list[Run]] = {}
        for part in [part for part in reign.flights if part.value.resend_at <= step.now]:
            flight = part.value
            if flight.refused:
                self._settle(step, reign, part)
                continue
            reign.flights.put(part.first, part.last, sent_again(flight, step.now))
            for site in self._members.at(part.first).sites:
                if site not in flight.phase.accepted:
                    missing.setdefault(site, []).append(Run(part.first, flight.phase.entries))
        reign.due = min((part.value.resend_at for part in reign.flights), default=NEVER)
        for site, runs in missing.items():
            self._send_to(step, (site,), reign.ballot, runs)

    def _send(self, step: Step, ballot: Ballot, runs: Iterable[Run]) -> None:
        """To all who vote there; each run is of slots of one list."""
        for sites, some in groupby(runs, key=lambda run: self._members.at(run.first).sites):
            self._send_to(step, sites, ballot, some)

    def _send_to(self, step: Step, sites: tuple[SiteId, ...], ballot: Ballot, runs: Iterable[Run]) -> None:
        """Accepts of many slots, cut into messages that fit a datagram (W4). They claim nothing but the ballot, which
        was durable before anybody promised it, and numbers that are (E1): so they leave beside the commit. This site's
        own vote is counted in the step already, with no other before the commit is done. Where it is enough alone, what
        the prefix says of who votes rests on that commit (M2): then they wait."""
        alone = self._members.at(max(self._learner.prefix, Slot(1))).quorum == 1
        for page in run_pages(runs, self._settings.page_bytes):
            cast = step.cast if alone or not self._may_leave_beside(page) else step.cast_beside
            cast(sites, Accept(ballot, page))
