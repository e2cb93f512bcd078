"""The consensus alone: acceptor, learner, proposer and leader of one site, wired. A replica drives it, and a search.

Rules that hold here:
- An answer to a range ballot is the leader's, any other the proposer's: a ballot has one purpose (B1).
- R6: rounds far above any seen are refused, as slots are; D5: a site that does not vote refuses everything.
- M4: of what a site says, that counts which its store may say: votes are cut to the slots at which it votes, here and
  nowhere else. This site itself votes and proposes at its own slots alone.
- What stands around it (the filler, this site's events, the policy) is told within the step, so that whatever comes of
  it is in the same commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import assert_never

from msgspec import structs

from engine.core.effects import SawApplied
from engine.core.entry import Promote, Readmit, decode
from engine.core.ids import Ballot, SiteId, Slot, StoreId
from engine.core.leading.leader import Leader
from engine.core.log.learner import Learner, Origin
from engine.core.log.members import Members
from engine.core.log.microblog import Microblog
from engine.core.messages import (
    Accept,
    Accepted,
    Cause,
    Chosen,
    How,
    Message,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
    Synod,
)
from engine.core.roster import Roster
from engine.core.run import Run
from engine.core.settings import ROUND_LEAP_MAX, ROUND_MAX, Settings
from engine.core.spans import Part, Spans
from engine.core.step import Step
from engine.core.storage import Change, LogReader, Standing, Stored, cut_vote
from engine.core.synod.acceptor import Acceptor
from engine.core.synod.phases import Accepting, told
from engine.core.synod.proposer import Proposer, Rounds
from engine.core.views import AttemptView, QuorumView

Spanned = Iterator[tuple[Slot, Slot]]


class Onlooker:
    """Whoever stands around the consensus is told here, within the step, what it comes to. These methods do nothing, so
    a part says only what it is for, and what searches the consensus alone needs none."""

    def saw_attempt(self, step: Step, first: Slot, last: Slot) -> None:
        """A message of another site's attempt at these slots came."""

    def promised(self, step: Step, prepare: Prepare) -> None:
        """This site promises a ballot of another."""

    def accepting(self, step: Step, run: Run) -> None:
        """A synod's first accept of `run` is about to leave."""

    def missed(self, step: Step, first: Slot, last: Slot) -> None:
        """These slots are chosen, but the ballot was told alone, and this site has not accepted at it (R0): so what
        they hold has to be asked for."""

    def learned(self, step: Step, run: Run, origin: Origin) -> None:
        """Slots are learned, and the prefix has reached what it reaches by that."""

    def may_leave_beside(self, _run: Run) -> bool:
        """An accept of `run` may leave beside the commit, as far as events of this site are concerned (L3)."""
        return True

    def applied(self, step: Step, reached: Sequence[SawApplied]) -> None:
        """The prefix reached these, in their order."""


class Consensus:
    """`onlooker` is set once, by whoever puts a site together."""

    def __init__(self, settings: Settings, stored: Stored, log: LogReader, random: Random) -> None:
        self._settings = settings
        self._life = stored.life
        self.members = Members(settings.sites, settings.change_lag, stored.changes)
        self.microblog = Microblog(stored.blocks, stored.last_in_effect, self.members)
        votes = Spans(cut_vote, (Part(voted.first, voted.last, voted.vote) for voted in stored.votes))
        self.acceptor = Acceptor(votes, stored.ranges, settings.page_bytes)
        self.learner = Learner(stored, log, self.microblog, self.acceptor.forget)
        self._was_there = stored.standing is Standing.ADMITTED  # a voter before the log named its store, if it does
        self._first, self._last = self._own_slots()
        self.rounds = Rounds(settings.site, stored.round)
        for ballot in (*(voted.vote.promised for voted in stored.votes), *(held.ballot for held in stored.ranges)):
            self.rounds.saw(ballot)
        self.proposer = Proposer(
            settings, self.members, self.rounds, random, on_accepting=self._on_accepting, on_chosen=self._on_chosen
        )
        self.leader = Leader(
            settings,
            self.members,
            self.rounds,
            self.learner,
            self.proposer,
            last_in_effect=self.microblog.last_in_effect,
            on_chosen=self._on_chosen,
            may_leave_beside=self._may_leave_beside,
            proposes_through=self.proposes_through,
        )
        self.onlooker = Onlooker()

    def take(self, step: Step, sender: SiteId, message: Synod, life: StoreId | None = None) -> None:
        """What a site says, this one included, on its store `life` (None: one that D5 admitted). Raises BrokenRule (A2,
        R1)."""
        match message:
            case Prepare():
                self._on_prepare(step, sender, message)
            case Promise():
                for vote in message.accepted:
                    self.learner.used(vote.last)
                for run in message.learned:
                    self.learn(step, run, Origin(How.KNOWN, None, sender))
                if self.leader.owns(message.ballot):
                    self.leader.on_promise(step, sender, message, life)
                else:
                    self.proposer.on_promise(step, sender, self._cut_promise(sender, life, message))
            case Accept():
                self._on_accept(step, sender, message)
            case Accepted():
                for _, last in message.spans:
                    self.learner.used(last)
                counted = self._cut_accepted(sender, life, message)
                if counted is not None:
                    self._counting(message.ballot).on_accepted(step, sender, counted)
            case Refused():
                if self.is_voter(sender, life):
                    self._counting(message.ballot).on_refused(step, sender, message)
            case Chosen():
                self._on_told(step, sender, message)
            case _:
                assert_never(message)

    def learn(self, step: Step, run: Run, origin: Origin) -> None:
        """Somebody knows that this is chosen. Raises BrokenRule (R1)."""
        learned = self.learner.learn(step, run, origin)
        for part in learned.runs:
            for first, last in self.proposer.attempted(part.first, part.last):
                which = f"slot {first} is" if first == last else f"slots {first} to {last} are"
                self.proposer.end(step, first, last, f"{which} learned")
            self.leader.on_learned(part)
        for applied in learned.reached:
            self.leader.on_applied(applied.run.entries)
            if applied.changes:
                self._on_change(step, applied.changes)
        for part in learned.runs:
            self.onlooker.learned(step, part, origin)
        if learned.reached:
            self.onlooker.applied(step, learned.reached)

    def _on_change(self, step: Step, changes: Iterable[Change]) -> None:
        for operation in (decode(change.body).operation for change in changes):
            if isinstance(operation, Promote | Readmit):
                self.leader.on_admitted(operation.site, operation.life)
            match operation:
                case Readmit(site, life) if (site, life) == (self._settings.site, self._life):
                    was_replaced = self.members.has_others(site, life)  # since, and votes again from here on alone
                    self._was_there = not was_replaced and (self._was_there or step.voting)
                case Promote(site, life) if (site, life) == (self._settings.site, self._life):
                    self._was_there = False  # it was removed since
                case _:
                    pass
        self._first, self._last = self._own_slots()

    def _own_slots(self) -> tuple[Slot, Slot | None]:
        """Where this site votes and proposes (M4). A voter that the log names goes on as it was."""
        first, last = self.members.of(self._settings.site, self._life)
        return (Slot(1) if self._was_there else first), last

    def lists(self) -> tuple[Roster, ...]:
        """Those that hold above the prefix: the present one, and one to come, if there is."""
        return tuple(self.members.above(self.learner.prefix))

    def company(self) -> tuple[SiteId, ...]:
        """Whom this site speaks with: all others of these lists; and those that it was told of, while it is in none."""
        me = self._settings.site
        names = self.members.names(self.learner.prefix)
        if me not in names:
            names = (*names, *(site for site in self._settings.contacts if site not in names))
        return tuple([site for site in names if site != me])

    def voters(self) -> tuple[SiteId, ...]:
        """The others that vote somewhere above the prefix."""
        return tuple([site for site in self.members.voters(self.learner.prefix) if site != self._settings.site])

    def reaches(self, step: Step, others: Collection[SiteId]) -> bool:
        """This voter and these are a majority of each of these lists."""
        sites = {self._settings.site, *others}
        return step.voting and all(len(sites.intersection(each.sites)) >= each.quorum for each in self.lists())

    def quorum(self, voting: bool, others: Collection[SiteId]) -> QuorumView:
        """How many voters these are, with this site if it votes, of the list of which they come least far."""
        sites = {*others, self._settings.site} if voting else {*others}
        views = (QuorumView(len(sites.intersection(each.sites)), each.quorum, len(each.sites)) for each in self.lists())
        return min(views, key=lambda view: view.reachable - view.needed)

    def proposes_through(self) -> Slot:
        """M2, M4: up to here this site may propose, above its prefix; it is the prefix where it may not at all."""
        prefix = self.learner.prefix
        if self._first > prefix + 1:
            return prefix
        horizon = Slot(prefix + self.members.lag)
        return horizon if self._last is None else max(prefix, min(horizon, self._last))

    def is_voter(self, site: SiteId, life: StoreId | None) -> bool:
        """This store votes at slots above the prefix."""
        members, above = self.members, Slot(self.learner.prefix + 1)
        if not members.changed:
            return site in members.founders
        return any(
            members.counts(max(roster.first, above), site, life) for roster in members.above(self.learner.prefix)
        )

    def is_majority(self, step: Step, stores: Mapping[SiteId, StoreId | None]) -> bool:
        """Of each list that holds above the prefix, this site counted too if it votes."""
        itself = {self._settings.site: self._life} if step.voting else {}
        return self.members.is_majority(self.learner.prefix, {**stores, **itself})

    def is_proposing(self, slot: Slot) -> bool:
        return self.proposer.attempt(slot) is not None or self.leader.is_proposing(slot)

    def view(self, slot: Slot) -> AttemptView | None:
        """What this site proposes at a slot."""
        return self.leader.view(slot) or self.proposer.view(slot)

    def _counting(self, ballot: Ballot) -> Leader | Proposer:
        """Who counts the answers to a ballot."""
        return self.leader if self.leader.owns(ballot) else self.proposer

    def _on_prepare(self, step: Step, sender: SiteId, message: Prepare) -> None:
        cause = self._bars(step, message.ballot)
        if cause is not None:
            span = RefusedSpan(message.first, message.last, None, cause)
            step.send(sender, Refused(message.ballot, "prepare", (span,)))
            return
        self.rounds.saw(message.ballot)
        reply = self._prepared(step, message)
        step.send(sender, reply)
        if sender != self._settings.site:
            self.onlooker.saw_attempt(step, message.first, message.last or message.first)
            if isinstance(reply, Promise):
                self.onlooker.promised(step, message)

    def _on_accept(self, step: Step, sender: SiteId, message: Accept) -> None:
        cause = self._bars(step, message.ballot)
        if cause is not None:
            span = RefusedSpan(message.run.first, message.run.last, None, cause)
            step.send(sender, Refused(message.ballot, "accept", (span,)))
            return
        self.rounds.saw(message.ballot)
        step.send_all(sender, self._accepted(step, message))
        if sender != self._settings.site:
            self.onlooker.saw_attempt(step, message.run.first, message.run.last)

    def _prepared(self, step: Step, message: Prepare) -> Message:
        """M4: of its own slots the acceptor promises; the others are left out. What lies in the prefix is learned, and
        nobody's slot any more."""
        first, last = max(message.first, self._lowest), _lower(message.last, self._last)
        if (first, last) == (message.first, message.last):
            return self.acceptor.on_prepare(step, self.learner, message)
        if last is not None and last < first:
            span = RefusedSpan(message.first, message.last, None, Cause.NOT_VOTING)
            return Refused(message.ballot, "prepare", (span,))
        reply = self.acceptor.on_prepare(step, self.learner, Prepare(message.ballot, first, last))
        if not isinstance(reply, Promise) or first == message.first:
            return reply
        others = RefusedSpan(message.first, Slot(first - 1), None, Cause.NOT_VOTING)
        return structs.replace(reply, first=message.first, left_out=(others, *reply.left_out))

    def _accepted(self, step: Step, message: Accept) -> list[Message]:
        run, end = message.run, message.run.last
        first, last = max(run.first, self._lowest), _lower(end, self._last) or end
        if (first, last) == (run.first, end):
            return self.acceptor.on_accept(step, self.learner, message)
        outside = [(run.first, Slot(min(first - 1, end))), (Slot(max(last + 1, run.first)), end)]
        spans = (RefusedSpan(*span, None, Cause.NOT_VOTING) for span in outside if span[0] <= span[1])
        refused = Refused(message.ballot, "accept", tuple(spans))
        if last < first:
            return [refused]
        return [*self.acceptor.on_accept(step, self.learner, Accept(message.ballot, run.cut(first, last))), refused]

    @property
    def _lowest(self) -> Slot:
        """The lowest slot of this site's own, but for those of its prefix."""
        return Slot(1) if self._first <= self.learner.prefix + 1 else self._first

    def _cut_promise(self, sender: SiteId, life: StoreId | None, message: Promise) -> Promise:
        """The promise of the slots at which this store votes; the others are as left out."""
        if message.last is None or self._is_first_list(sender):
            return message
        spans = self._not_counted(sender, life, ((message.first, message.last),))
        others = tuple(RefusedSpan(*span, None, Cause.NOT_VOTING) for span in spans)
        return structs.replace(message, left_out=(*message.left_out, *others)) if others else message

    def _cut_accepted(self, sender: SiteId, life: StoreId | None, message: Accepted) -> Accepted | None:
        """What it accepted at the slots at which this store votes; None where that is nothing."""
        if self._is_first_list(sender):
            return message
        spans = tuple(self._counted(sender, life, message.spans))
        return structs.replace(message, spans=spans) if spans else None

    def _is_first_list(self, sender: SiteId) -> bool:
        """The sender counts at all slots: nothing was changed ever."""
        return not self.members.changed and sender in self.members.founders

    def _counted(self, sender: SiteId, life: StoreId | None, spans: Sequence[tuple[Slot, Slot]]) -> Spanned:
        """The parts of these at which this store votes."""
        return (part for part in self.members.split(spans) if self.members.counts(part[0], sender, life))

    def _not_counted(self, sender: SiteId, life: StoreId | None, spans: Sequence[tuple[Slot, Slot]]) -> Spanned:
        return (part for part in self.members.split(spans) if not self.members.counts(part[0], sender, life))

    def _bars(self, step: Step, ballot: Ballot) -> Cause | None:
        if not step.voting:
            return Cause.NOT_VOTING
        return Cause.FAR if ballot.round > min(ROUND_MAX, self.rounds.seen + ROUND_LEAP_MAX) else None

    def _on_told(self, step: Step, sender: SiteId, message: Chosen) -> None:
        """R0: what a site learns from being told of a choice: the entries, where they are told; where the ballot is
        told alone, what it accepted itself at exactly this ballot; the rest it has missed."""
        self.learner.used(message.last)
        origin = Origin(How.CHOSEN, message.ballot, sender)
        if message.entries:
            self.learn(step, Run(message.first, message.entries), origin)
            return
        assert message.ballot is not None, "the entries, or the ballot alone"
        for part in self.acceptor.accepted_at(message.ballot, message.first, message.last):
            self.learn(step, Run(part.first, part.value.entries), origin)
        for first, last in self.learner.unlearned(message.first, message.last):
            self.onlooker.missed(step, first, last)

    def _may_leave_beside(self, run: Run) -> bool:
        return self.onlooker.may_leave_beside(run)

    def _on_accepting(self, step: Step, run: Run) -> None:
        """From here on the slots may be used somewhere, even where this site's own acceptor refuses: they are holes
        until they are learned, and the filler sees to it."""
        self.learner.used(run.last)
        self.onlooker.accepting(step, run)

    def _on_chosen(self, step: Step, first: Slot, accepting: Accepting) -> None:
        """A majority accepted. The authors are told at once, for they wait; the others with what they are told next."""
        origin = Origin(How.VOTES, accepting.ballot, self._settings.site, accepting.accepted)
        company = self.company()  # who was removed is told the last slot too (M5)
        self.learn(step, Run(first, accepting.entries), origin)
        authors = {entry.author for entry in accepting.entries}
        for peer in company:
            send = step.send if peer in authors else step.send_along
            send(peer, told(peer, first, accepting))


def _lower(one: Slot | None, other: Slot | None) -> Slot | None:
    """The lower of both ends; None is no end."""
    return other if one is None else one if other is None else min(one, other)
