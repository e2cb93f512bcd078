"""Mutants of elections, leaders and couriers (L3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from msgspec.structs import replace

import engine.core.leading.elected
from engine.core.consensus import Consensus
from engine.core.effects import Send
from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, StoreId, Tick
from engine.core.leading.chains import Chains
from engine.core.leading.elected import Elected
from engine.core.leading.election import Election
from engine.core.leading.leader import Leader
from engine.core.leading.reign import Campaign
from engine.core.messages import Accept, Accepted, Cause, HandOn, Message, Promise, Refused, Synod
from engine.core.peers.heartbeats import Claim
from engine.core.run import Run
from engine.core.spans import Spans
from engine.core.step import Step
from engine.core.synod.phases import cut_found
from engine.core.synod.proposer import Rounds
from engine.sim.mutants.mutant import Mutant, Patch

# Phase 1


def _forget_the_dead_leaders_flights(original: Any) -> Any:
    def take_over(self: Leader, step: Step, campaign: Campaign) -> None:
        campaign.found = Spans(cut_found)
        original(self, step, campaign)

    return take_over


def _first_page_is_all(original: Any) -> Any:
    def on_promise(self: Leader, step: Step, sender: SiteId, message: Promise, life: StoreId | None) -> None:
        original(self, step, sender, replace(message, last=None), life)

    return on_promise


def _left_out_is_ignored(original: Any) -> Any:
    def on_promise(self: Leader, step: Step, sender: SiteId, message: Promise, life: StoreId | None) -> None:
        original(self, step, sender, replace(message, left_out=()), life)

    return on_promise


def _leave_gaps(_: Any) -> Any:
    return lambda _self, _step, _reign, _first, _last: ()


def _nobody_fills_under_a_leader(_: Any) -> Any:
    def fills(self: Elected, now: Tick) -> bool:
        return self._leader.ballot is None and self._election.follows(now) is None

    return fills


class _SameRound(Rounds):
    """Counts no further: each attempt has the ballot of the one before."""

    def __init__(self, ballot: Ballot) -> None:
        super().__init__(ballot.site, ballot.round)
        self._ballot = ballot

    def take(self, _step: Step) -> Ballot:
        return self._ballot


def _ballot_of_the_last_time(original: Any) -> Any:
    last: WeakKeyDictionary[Leader, Ballot] = WeakKeyDictionary()

    def stand(self: Leader, step: Step, patience: Tick) -> None:
        """It stands with the ballot that it stood with before, having forgotten what it proposed at it."""
        rounds = self._rounds
        self._rounds = _SameRound(last[self]) if self in last else rounds
        original(self, step, patience)
        self._rounds = rounds
        assert self._campaign is not None
        last[self] = self._campaign.ballot

    return stand


# Phase 2


def _votes_of_older_reigns(original: Any) -> Any:
    def take(self: Consensus, step: Step, sender: SiteId, message: Synod, life: StoreId | None = None) -> None:
        leads = self.leader.ballot
        original(self, step, sender, message, life)
        if isinstance(message, Accepted) and leads is not None and message.ballot != leads:
            self.leader.on_accepted(step, sender, replace(message, ballot=leads))

    return take


def _goes_on_when_outranked(original: Any) -> Any:
    def on_refused(self: Leader, step: Step, sender: SiteId, message: Refused) -> None:
        spans = tuple(span for span in message.spans if span.cause is not Cause.RANGE)
        original(self, step, sender, replace(message, spans=spans))

    return on_refused


def _goes_on_unchecked(_: Any) -> Any:
    def tick(self: Elected, step: Step) -> None:
        self._election.tick(step)
        self._leader.tick(step)
        leads, caught_up = self._leader.ballot is not None, self._parts.scanner.caught_up
        standing = self._leader.busy and not leads
        if self._election.stands(step, caught_up=caught_up, leading=leads, standing=standing):
            self._leader.stand(step, self._election.patience)

    return tick


def _chains_what_overtook(original: Callable[..., list[Entry]]) -> Any:
    def take(self: Chains, entries: Sequence[Entry]) -> list[Entry]:
        taken: list[Entry] = []
        for entry in entries:
            assert entry.author is not None
            taken += original(self, [replace(entry, follows=min(self.tail(entry.author), entry.follows))])
        return taken

    return take


def _never_gives_way(_: Any) -> Any:
    return lambda _self, _now, _patience: None


def _votes_for_itself(original: Any) -> Any:
    def send(self: Leader, step: Step, sites: tuple[SiteId, ...], ballot: Ballot, runs: Iterable[Run]) -> None:
        """What left early has this site's vote at once, and no commit with it."""
        said = tuple(runs)
        original(self, step, tuple(site for site in sites if site != step.site), ballot, said)
        if step.site in sites:
            step.looped += [Accepted(ballot, ((run.first, run.last),)) for run in said]

    return send


def _leaves_beside(is_early: Callable[[Message], bool]) -> Callable[[Any], Any]:
    """Beside the commit that it rests on."""

    def broken(original: Any) -> Any:
        def send(self: Step, to: SiteId, message: Message) -> None:
            if to != self.site and is_early(message):
                self.effects.sends.append(Send(to, message, beside=True))
            else:
                original(self, to, message)

        return send

    return broken


def _is_at_zero(message: Message) -> bool:
    return isinstance(message, Accept) and message.ballot.round == 0


def _is_of_a_synod(message: Message) -> bool:
    return isinstance(message, Accept) and message.ballot.round > 0


# The election


def _stands_whoever_leads(original: Callable[..., bool]) -> Any:
    def stands(self: Election, step: Step, *, caught_up: bool, leading: bool, standing: bool) -> bool:
        claims = dict(self._claims)
        self._claims.clear()
        try:
            return original(self, step, caught_up=caught_up, leading=leading, standing=standing)
        finally:
            self._claims.update(claims)

    return stands


def _claims_to_reach(_: Any) -> Any:
    return lambda _self, step: step.voting


def _hears_by_hearsay(_: Any) -> Any:
    def claim(self: Elected, step: Step) -> Claim:
        follows = self._election.follows(step.now)
        heard = None if follows is None else follows.ballot
        return Claim(self._leader.ballot, self._election.reaches(step), heard)

    return claim


def _everybody_fills(_: Any) -> Any:
    return lambda _self, _now: True


# The forwarder


def _relays_without_end(_: Any) -> Any:
    def relayed(message: HandOn, leader: SiteId, step: Step) -> None:
        step.send(leader, message)

    return relayed


_elected = engine.core.leading.elected

MUTANTS: Final = (
    Mutant(
        "L3",
        "forgets what a dead leader had in flight",
        (Patch(Leader, "_take_over", _forget_the_dead_leaders_flights),),
    ),
    Mutant("L3", "takes the first page of a promise for all of it", (Patch(Leader, "on_promise", _first_page_is_all),)),
    Mutant("L3", "ignores what a promise leaves out", (Patch(Leader, "on_promise", _left_out_is_ignored),)),
    Mutant("B1", "stands again with the ballot of the last time", (Patch(Leader, "stand", _ballot_of_the_last_time),)),
    Mutant("L3", "goes on when a range promise outranks it", (Patch(Leader, "on_refused", _goes_on_when_outranked),)),
    Mutant("L3", "goes on leading, whoever is heard", (Patch(Elected, "tick", _goes_on_unchecked),)),
    Mutant("E5", "the leader chains what overtook", (Patch(Chains, "take", _chains_what_overtook),)),
    Mutant("L3", "a leader's own vote is in no commit", (Patch(Leader, "_send_to", _votes_for_itself),)),
    Mutant(
        "L3",
        "promises leave beside the commit",
        (Patch(Step, "send", _leaves_beside(lambda said: isinstance(said, Promise))),),
    ),
    Mutant(
        "L3",
        "acceptances leave beside the commit",
        (Patch(Step, "send", _leaves_beside(lambda said: isinstance(said, Accepted))),),
    ),
    Mutant(
        "L3",
        "events are handed on beside the commit",
        (Patch(Step, "send", _leaves_beside(lambda said: isinstance(said, HandOn))),),
    ),
    Mutant("L3", "ballot 0 leaves beside the commit", (Patch(Step, "send", _leaves_beside(_is_at_zero)),)),
    Mutant("L3", "accepts of a synod leave beside the commit", (Patch(Step, "send", _leaves_beside(_is_of_a_synod)),)),
    Mutant("L3", "stands although it hears a leader", (Patch(Election, "stands", _stands_whoever_leads),)),
    Mutant("L3", "claims to reach a majority in any case", (Patch(Election, "reaches", _claims_to_reach),)),
    Mutant("L3", "tells hearsay of a leader as heard", (Patch(Elected, "claim", _hears_by_hearsay),)),
    Mutant("L3", "everybody fills while one leads", (Patch(Elected, "fills", _everybody_fills),)),
    Mutant("L3", "relays events again and again", (Patch(_elected, "relayed", _relays_without_end),)),
)

RARE: Final = (
    Mutant(
        "L3",
        "leaves gaps, and nobody fills them while it leads",
        (Patch(Leader, "_no_ops", _leave_gaps), Patch(Elected, "fills", _nobody_fills_under_a_leader)),
    ),
    Mutant("L3", "goes on leading where a slot gets no majority", (Patch(Leader, "stuck", _never_gives_way),)),
    Mutant("B3", "counts votes of its older reigns", (Patch(Consensus, "take", _votes_of_older_reigns),)),
)
