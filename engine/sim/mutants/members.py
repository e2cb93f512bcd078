"""Mutants of who votes where (M1 to M6), and of what follows from it for bounds (R4, R5) and stores (D5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

import engine.core.log.microblog
from engine.core.consensus import Consensus
from engine.core.entry import Membership, Remove
from engine.core.events.sessions import Sessions
from engine.core.events.submissions import Open, Submissions
from engine.core.ids import SiteId, Slot, StoreId
from engine.core.leading.elected import Elected
from engine.core.leading.leader import Leader
from engine.core.log.members import Members
from engine.core.log.scanner import Asking, Scanner
from engine.core.messages import Accept, Message, Prepare
from engine.core.peers.belonging import Belonging
from engine.core.peers.company import Company
from engine.core.peers.heartbeats import Peers
from engine.core.peers.lives import Lives
from engine.core.roster import Member, Removed, Roster
from engine.core.settings import WINDOW_SLOTS
from engine.core.step import Step
from engine.core.storage import Change, Standing
from engine.sim.mutants.mutant import Mutant, Patch


def _at_once(original: Callable[..., Roster | str]) -> Any:
    def after(self: Members, slot: Slot, operation: Membership) -> Roster | str:
        lag, self.lag = self.lag, 1
        made = original(self, slot, operation)
        self.lag = lag
        return made

    return after


def _one_slot_late(original: Callable[..., Roster | str]) -> Any:
    def after(self: Members, slot: Slot, operation: Membership) -> Roster | str:
        made = original(self, slot, operation)
        return made if isinstance(made, str) else replace(made, first=Slot(made.first + 1))

    return after


def _however_far(original: Callable[..., Slot]) -> Any:
    def proposes_through(self: Consensus) -> Slot:
        through = original(self)
        horizon = self.learner.prefix + self.members.lag
        return Slot(self.learner.prefix + WINDOW_SLOTS) if through == horizon else through

    return proposes_through


def _old_promises_are_enough(_: Any) -> Any:
    return property(lambda _self: None)


def _one_list_is_enough(_: Any) -> Any:
    def is_majority(self: Members, prefix: Slot, stores: Mapping[SiteId, StoreId | None]) -> bool:
        lists = self.above(prefix)
        return any(self.has_majority(Slot(max(roster.first, prefix + 1)), stores) for roster in lists)

    return is_majority


def _two_at_once(original: Callable[..., str | None]) -> Any:
    def misfit(self: Members, slot: Slot, operation: Membership) -> str | None:
        return original(self, max(slot, self.newest.first), operation)

    return misfit


def _says_fits(words: str) -> Callable[[Any], Any]:
    """What does not fit for this reason fits."""

    def fits(original: Callable[..., str | None]) -> Any:
        def misfit(self: Members, slot: Slot, operation: Membership) -> str | None:
            told = original(self, slot, operation)
            return None if told is not None and words in told else told

        return misfit

    return fits


def _stays(original: Callable[..., Iterator[Member]]) -> Any:
    def changed(self: Members, slot: Slot, operation: Membership) -> Iterator[Member]:
        yield from original(self, slot, operation)
        if isinstance(operation, Remove):
            yield from (member for member in self.newest.members if member.site == operation.site)

    return changed


def _votes_as_soon_as_it_is_added(original: Callable[..., Iterator[Member]]) -> Any:
    def changed(self: Members, slot: Slot, operation: Membership) -> Iterator[Member]:
        for member in original(self, slot, operation):
            yield replace(member, votes=True)

    return changed


def _quorum_of_the_founders(original: Callable[..., Roster | str]) -> Any:
    def after(self: Members, slot: Slot, operation: Membership) -> Roster | str:
        made = original(self, slot, operation)
        return made if isinstance(made, str) else replace(made, quorum=self._rosters[0].quorum)

    return after


def _bars_nobody(_: Any) -> Any:
    return lambda _self, _author, _slot: False


def _nobody_voted_before(_: Any) -> Any:
    return lambda _self, _site: False


def _needed_by_nobody(original: Callable[..., Removed | None]) -> Any:
    def removed(self: Belonging, site: SiteId) -> Removed | None:
        told = original(self, site)
        return None if told is None else replace(told, needed=False)

    return removed


def _forgets_who_is_in_no_list(original: Any) -> Any:
    def tick(self: Peers, *told: Any) -> list[SiteId]:
        for site in self._peers.keys() - self._company:
            del self._peers[site]
        silent: list[SiteId] = original(self, *told)
        return silent

    return tick


def _d5_admits_whom_the_log_added(original: Callable[..., tuple[int, int] | None]) -> Any:
    def lacking(self: Company, members: Members, prefix: Slot, standing: Standing) -> tuple[int, int] | None:
        if standing is not Standing.NEW:
            return original(self, members, prefix, standing)
        site, self._site = self._site, members.founders[0]
        told = original(self, members, prefix, standing)
        self._site = site
        return told

    return lacking


def _bound_by_what_others_learned(original: Any) -> Any:
    def copy_of_others(self: Scanner, step: Step, phase: Asking) -> None:
        original(self, step, phase)
        self._counted = self._consensus.members.newest.first

    return copy_of_others


def _founders_are_enough(_: Any) -> Any:
    def reaches(self: Consensus, step: Step, others: Collection[SiteId]) -> bool:
        return step.voting and 1 + len(others) >= self._settings.quorum

    return reaches


def _leads_on(_: Any) -> Any:
    return property(lambda _self: True)


def _misfit_is_created(original: Any) -> Any:
    def took_effect(self: Sessions, step: Step, own: Any, _misfit: str | None) -> None:
        original(self, step, own, None)

    return took_effect


def _votes_everywhere(original: Callable[..., tuple[Slot, Slot | None]]) -> Any:
    def own_slots(self: Consensus) -> tuple[Slot, Slot | None]:
        return Slot(1), original(self)[1]

    return own_slots


def _votes_for_ever(original: Callable[..., tuple[Slot, Slot | None]]) -> Any:
    def of(self: Members, site: SiteId, life: StoreId) -> tuple[Slot, None]:
        return original(self, site, life)[0], None

    return of


def _promises_for_others(_: Any) -> Any:
    def prepared(self: Consensus, step: Step, message: Prepare) -> Message:
        return self.acceptor.on_prepare(step, self.learner, message)

    return prepared


def _accepts_for_others(_: Any) -> Any:
    def accepted(self: Consensus, step: Step, message: Accept) -> list[Message]:
        return self.acceptor.on_accept(step, self.learner, message)

    return accepted


def _proposes_for_others(_: Any) -> Any:
    def proposes_through(self: Consensus) -> Slot:
        return Slot(self.learner.prefix + self.members.lag)

    return proposes_through


def _any_store_of_the_name(_: Any) -> Any:
    def counts(self: Members, slot: Slot, site: SiteId, _life: StoreId | None) -> bool:
        return site in self.at(slot).sites

    return counts


def _keeps_what_was_promised(_: Any) -> Any:
    """The store of the name that counts is one that may have promised before, and been away since."""
    return lambda _self, _site, _life: None


def _numbers_from_one(original: Callable[..., list[Open]]) -> Any:
    def number(self: Submissions, step: Step, _last_in_effect: int) -> list[Open]:
        return original(self, step, 0)

    return number


def _no_gap(_: Any) -> Any:
    return lambda last_in_effect: last_in_effect


def _goes_on_with_what_was_open(_: Any) -> Any:
    return lambda _self, _step, _reason: None


def _readmitted_as_if_it_had_been_there(original: Any) -> Any:
    def on_change(self: Consensus, step: Step, changes: Sequence[Change]) -> None:
        self._was_there = True
        original(self, step, changes)

    return on_change


def _remembers_the_store_before(original: Any) -> Any:
    def on_change(self: Lives, step: Step, change: Change) -> bool:
        writes = len(step.effects.writes)
        memories = {peer.site: peer.memory for peer in self._company}
        told: bool = original(self, step, change)
        if not told:
            del step.effects.writes[writes:]
            for site, memory in memories.items():
                self._company.met(site).memory = memory
        return told

    return on_change


_microblog = engine.core.log.microblog

MUTANTS: Final = (
    Mutant("M1", "a change takes effect at once", (Patch(Members, "after", _at_once),)),
    Mutant("M1", "a change takes effect a slot too late", (Patch(Members, "after", _one_slot_late),)),
    Mutant("M2", "proposes however far above its prefix", (Patch(Consensus, "proposes_through", _however_far),)),
    Mutant("M2", "leads on with promises of an older list", (Patch(Leader, "outlived", _old_promises_are_enough),)),
    Mutant("M2", "a majority of one of two lists is enough", (Patch(Members, "is_majority", _one_list_is_enough),)),
    Mutant("M3", "a change fits before the last one took effect", (Patch(Members, "_misfit", _two_at_once),)),
    Mutant("M3", "a store may be admitted twice", (Patch(Members, "_misfit", _says_fits("has already admitted")),)),
    Mutant("M1", "who is removed stays in the list", (Patch(Members, "_changed", _stays),)),
    Mutant("M1", "who is added votes at once", (Patch(Members, "_changed", _votes_as_soon_as_it_is_added),)),
    Mutant("M2", "as many as at the beginning are a majority", (Patch(Members, "after", _quorum_of_the_founders),)),
    Mutant("M3", "a site is added that is there", (Patch(Members, "_misfit", _says_fits("already")),)),
    Mutant("M3", "the only voter is removed", (Patch(Members, "_misfit", _says_fits("only voter")),)),
    Mutant("M3", "who is not there is removed", (Patch(Members, "_misfit", _says_fits("no site")),)),
    Mutant("M5", "what a removed site wrote takes effect", (Patch(Members, "bars", _bars_nobody),)),
    Mutant("M5", "a removed site is needed by nobody at once", (Patch(Belonging, "removed", _needed_by_nobody),)),
    Mutant("M5", "who is in no list is told nothing", (Patch(Peers, "tick", _forgets_who_is_in_no_list),)),
    Mutant("M5", "a removed leader leads on", (Patch(Elected, "_may_lead", _leads_on),)),
    Mutant("M6", "who comes back numbers on as before", (Patch(Members, "has_voted", _nobody_voted_before),)),
    Mutant("D5", "whom the log added is admitted as new", (Patch(Company, "lacking", _d5_admits_whom_the_log_added),)),
    Mutant("R4", "what others learned is a bound", (Patch(Scanner, "_copy_of_others", _bound_by_what_others_learned),)),
    Mutant("L3", "reaches as many as at the beginning", (Patch(Consensus, "reaches", _founders_are_enough),)),
    Mutant("M3", "what does not fit is said to be created", (Patch(Sessions, "_took_effect", _misfit_is_created),)),
    Mutant("M4", "a readmitted store votes at all slots", (Patch(Consensus, "_own_slots", _votes_everywhere),)),
    Mutant("M4", "a replaced store votes for ever", (Patch(Members, "of", _votes_for_ever),)),
    Mutant("M4", "promises slots of another store", (Patch(Consensus, "_prepared", _promises_for_others),)),
    Mutant("M4", "accepts at slots of another store", (Patch(Consensus, "_accepted", _accepts_for_others),)),
    Mutant("M4", "proposes at slots of another store", (Patch(Consensus, "proposes_through", _proposes_for_others),)),
    Mutant(
        "M4",
        "counts any store of the name",
        (Patch(Members, "counts", _any_store_of_the_name), Patch(Leader, "on_admitted", _keeps_what_was_promised)),
    ),
    Mutant(
        "M4", "counts what a store promised before it left", (Patch(Leader, "on_admitted", _keeps_what_was_promised),)
    ),
    Mutant(
        "M4",
        "a readmitted store votes as if it had been there",
        (Patch(Consensus, "_on_change", _readmitted_as_if_it_had_been_there),),
    ),
    Mutant("M6", "a readmitted site numbers from 1", (Patch(Submissions, "number", _numbers_from_one),)),
    Mutant("M6", "numbers go on without a gap", (Patch(_microblog, "numbers_end", _no_gap),)),
    Mutant("M6", "goes on with what was open", (Patch(Sessions, "end_all", _goes_on_with_what_was_open),)),
    Mutant("D5", "remembers the store before", (Patch(Lives, "on_change", _remembers_the_store_before),)),
)
